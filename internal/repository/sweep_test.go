package repository_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/repository"
)

// age makes all files of a folder look as if they were written long ago.
func age(t *testing.T, dir string) {
	t.Helper()
	past := time.Now().Add(-48 * time.Hour)
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return os.Chtimes(path, past, past)
	}))
}

// blobsOf answers the blobs of a layout, each of which must be what its name says.
func blobsOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	require.NoError(t, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		sum := sha256.Sum256(raw)
		assert.Equal(t, filepath.Base(file), hex.EncodeToString(sum[:]), "a blob is not whole")
		names = append(names, filepath.Base(file))
	}
	return names
}

// ask sends a request to a served repository with its token and answers the status.
func ask(t *testing.T, method, url, body string) int {
	t.Helper()
	status, _ := exchange(t, method, url, body)
	return status
}

// exchange is ask that answers the header Location, too.
func exchange(t *testing.T, method, url, body string) (status int, location string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.SetBasicAuth("any", token)
	r.Header.Set("Content-Type", "application/octet-stream")
	answer, err := (&http.Client{Timeout: time.Minute}).Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode, answer.Header.Get("Location")
}

func TestASweepRemovesWhatNothingNeeds(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "toy")
	host := serve(t, dir, repository.Access{Token: token})
	p := newPublisher(t)
	repo := folder(t, dir, p.key)
	p.publish(repo, "toy", "1.0.0", p.key)
	p.publish(repo, "toy", "1.1.0", p.key)
	all := blobsOf(t, at)
	require.Equal(t, http.StatusCreated, ask(t, http.MethodPost, "http://"+host+"/v2/toy/blobs/uploads/?digest=sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "foo"))
	require.Equal(t, http.StatusAccepted, ask(t, http.MethodPost, "http://"+host+"/v2/toy/blobs/uploads/", ""))
	require.NoError(t, os.MkdirAll(filepath.Join(at, "ingest"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(at, "ingest", "half"), []byte("ha"), 0o600))
	installs := func(version string) {
		t.Helper()
		shelf, _ := newShelf(t)
		_, err := install(t.Context(), shelf, repo, "toy", version)
		require.NoError(t, err)
	}

	swept, err := repository.Sweep(dir, 24*time.Hour, true)
	require.NoError(t, err)
	assert.Zero(t, swept, "what is young stays")
	age(t, dir)
	swept, err = repository.Sweep(dir, 24*time.Hour, true)
	require.NoError(t, err)
	assert.Equal(t, repository.Swept{Blobs: 1, Bytes: 3, Uploads: 2}, swept)
	assert.ElementsMatch(t, all, blobsOf(t, at))
	installs("1.0.0")
	installs("1.1.0")

	release, err := repo.Release(t.Context(), "toy", "1.0.0")
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, ask(t, http.MethodDelete, "http://"+host+"/v2/toy/manifests/"+release.Digest, ""))
	age(t, dir)
	swept, err = repository.Sweep(dir, 24*time.Hour, false)
	require.NoError(t, err)
	assert.Zero(t, swept, "a manifest may be wanted by its digest")
	swept, err = repository.Sweep(dir, 24*time.Hour, true)
	require.NoError(t, err)
	assert.Equal(t, 2, swept.Manifests, "of the platform, and the signature")
	assert.Equal(t, 5, swept.Blobs, "those with archive, description and bundle")
	installs("1.1.0")
	_, err = repo.Release(t.Context(), "toy", "1.0.0")
	require.Error(t, err)
}

func TestASweepStopsAtWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	p := newPublisher(t)
	p.publish(folder(t, dir), "toy", "1.0.0", p.key)
	for _, blob := range blobsNamed(t, filepath.Join(dir, "toy")) {
		raw, err := os.ReadFile(blob)
		require.NoError(t, err)
		if bytes.Contains(raw, []byte(`"layers"`)) {
			require.NoError(t, os.Chmod(blob, 0o600))
			require.NoError(t, os.WriteFile(blob, []byte("{"), 0o600))
		}
	}
	before := blobsNamed(t, filepath.Join(dir, "toy"))
	age(t, dir)
	_, err := repository.Sweep(dir, time.Hour, true)
	require.ErrorContains(t, err, "is broken")
	assert.Equal(t, before, blobsNamed(t, filepath.Join(dir, "toy")))
}

func blobsNamed(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	require.NoError(t, err)
	return files
}

// What is pushed may need blobs that were of no use until then.
func TestASweepSparesWhatIsBeingPushed(t *testing.T) {
	dir := t.TempDir()
	host := serve(t, dir, repository.Access{Token: token})
	p := newPublisher(t)
	repo := open(t, repository.Spec{Name: "team", URL: "oci://" + host, PlainHTTP: true, Password: token}, p.key)
	for range 5 {
		release := p.publish(repo, "toy", "1.0.0", p.key)
		require.Equal(t, http.StatusAccepted, ask(t, http.MethodDelete, "http://"+host+"/v2/toy/manifests/"+release.Digest, ""))
		age(t, dir)
		ctx, stop := context.WithCancel(t.Context())
		var sweeps sync.WaitGroup
		sweeps.Go(func() {
			for ctx.Err() == nil {
				_, err := repository.Sweep(dir, time.Hour, true)
				assert.NoError(t, err)
			}
		})
		p.publish(repo, "toy", "1.0.0", p.key)
		stop()
		sweeps.Wait()
		shelf, _ := newShelf(t)
		_, err := install(t.Context(), shelf, repo, "toy", "1.0.0")
		require.NoError(t, err)
	}
}

// A kill while a layout is made leaves what is none yet, and what can be made again.
func TestALayoutIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	host := serve(t, dir, repository.Access{Token: token})
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "toy", "blobs"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "toy", "index.json"), []byte("{"), 0o600))
	p := newPublisher(t)
	p.publish(open(t, repository.Spec{Name: "team", URL: "oci://" + host, PlainHTTP: true, Password: token}, p.key), "toy", "1.0.0", p.key)
	assert.Equal(t, http.StatusBadRequest, ask(t, http.MethodPost, "http://"+host+"/v2/toy/inner/blobs/uploads/", ""), "within another layout")
}

func TestUploadsAreCancelledAndForgotten(t *testing.T) {
	dir := t.TempDir()
	host := serve(t, dir, repository.Access{Token: token})
	begin := func() string {
		t.Helper()
		status, location := exchange(t, http.MethodPost, "http://"+host+"/v2/toy/blobs/uploads/", "")
		require.Equal(t, http.StatusAccepted, status)
		return "http://" + host + location
	}
	under := func() int {
		t.Helper()
		entries, err := os.ReadDir(filepath.Join(dir, ".uploads"))
		require.NoError(t, err)
		return len(entries)
	}
	upload := begin()
	require.Equal(t, http.StatusAccepted, ask(t, http.MethodPatch, upload, "some bytes"))
	assert.Equal(t, http.StatusNoContent, ask(t, http.MethodDelete, upload, ""))
	assert.Zero(t, under())
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodPatch} {
		assert.Equal(t, http.StatusNotFound, ask(t, method, upload, ""), method)
	}
	for _, id := range []string{"Li4vLi4vZXZpbA", "!", "Lg"} { // ../../evil, no base64, .
		assert.Equal(t, http.StatusNotFound, ask(t, http.MethodDelete, "http://"+host+"/v2/toy/blobs/uploads/"+id, ""), id)
	}

	begin()
	age(t, filepath.Join(dir, ".uploads"))
	begin()
	assert.Equal(t, 2, under(), "it was looked for old ones lately")
	host = serve(t, dir, repository.Access{Token: token})
	assert.Equal(t, 1, under(), "a day has passed")
}

// serveUntilKilled is what the test's executable does as a repository server.
func serveUntilKilled(dir string) int {
	handler, err := repository.Serve(dir, repository.Access{Token: token})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(listener.Addr())
	fmt.Println((&http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}).Serve(listener))
	return 1
}

// A server that is killed while it is pushed to has lost nothing that it has
// acknowledged, shows nothing that is not whole, and what was cut off is pushed again.
func TestAKillInTheMiddleOfAPushLosesNothing(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	start := func() (host string, kill func()) {
		cmd := exec.CommandContext(t.Context(), self, "serve", dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		return strings.TrimSpace(line), func() {
			assert.NoError(t, cmd.Process.Kill())
			_ = cmd.Wait() // which says that it was killed
		}
	}
	p := newPublisher(t)
	const versions, rounds = 6, 5
	for v := range versions {
		build := script(t, "toy", v)
		_, err := p.dist.Pack(t.Context(), describe("toy", fmt.Sprintf("1.%d.0", v)), []repository.Build{{Platform: repository.Platform(), Dir: build}}, "", "")
		require.NoError(t, err)
	}
	acknowledged := map[string]bool{}
	push := func(ctx context.Context, host string) error {
		repo := open(t, repository.Spec{Name: "team", URL: "oci://" + host, PlainHTTP: true, Password: token}, p.key)
		for v := range versions {
			version := fmt.Sprintf("1.%d.0", v)
			if acknowledged[version] {
				continue
			}
			if _, err := repo.Publish(ctx, p.dist, "toy", version, p.key, false); err != nil {
				return err
			}
			acknowledged[version] = true
		}
		return nil
	}
	look := func() {
		t.Helper()
		blobsOf(t, filepath.Join(dir, "toy"))
		repo := folder(t, dir, p.key)
		for version := range acknowledged {
			shelf, _ := newShelf(t)
			_, err := install(t.Context(), shelf, repo, "toy", version)
			require.NoError(t, err, version)
		}
	}
	for round := range rounds {
		host, kill := start()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(5+round*15)*time.Millisecond, func() {
			kill()
			cancel() // so that nothing is tried again for long
		})
		if err := push(ctx, host); err != nil {
			t.Log("cut off: ", err)
		}
		<-ctx.Done()
		look()
	}
	host, kill := start()
	defer kill()
	require.NoError(t, push(t.Context(), host))
	_, err = repository.Sweep(dir, 0, true)
	require.NoError(t, err)
	look()
	again, err := repository.Sweep(dir, 0, true)
	require.NoError(t, err)
	assert.Zero(t, again)
	entries, err := os.ReadDir(filepath.Join(dir, "toy", "ingest"))
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// script is a driver that takes a moment to send.
func script(t *testing.T, name string, seed int) string {
	t.Helper()
	dir := t.TempDir()
	text := bytes.NewBufferString("#!/bin/sh\n")
	for i := range 20_000 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", seed, i))
		fmt.Fprintf(text, "# %x\n", sum)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mcic-driver-"+name), text.Bytes(), 0o700))
	return dir
}
