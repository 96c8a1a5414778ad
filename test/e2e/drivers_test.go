package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/internal/repository/repositorytest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// team has keys, packages, and a registry that mcic itself serves.
type team struct {
	w     *world
	dist  string
	key   string // file
	url   string // oci://…
	dir   string // of the registry
	token string // file
}

var servedAt = regexp.MustCompile(`are served at http://(\S+);`)

// newTeam makes a key, starts a registry and registers it with the server.
func newTeam(w *world) *team {
	w.t.Helper()
	m := &team{w: w, dist: filepath.Join(w.home, "dist"), key: filepath.Join(w.home, "team.key"), dir: w.t.TempDir()}
	m.token = filepath.Join(m.dir, ".token")
	w.do("driver keygen %s", m.key)
	cmd := exec.Command(filepath.Join(programs, "mcic"), "repository", "serve", m.dir, "--listen", "127.0.0.1:0") //nolint:noctx // it is stopped below
	out, err := cmd.StdoutPipe()
	require.NoError(w.t, err)
	cmd.Stderr = os.Stderr
	require.NoError(w.t, cmd.Start())
	w.t.Cleanup(func() {
		assert.NoError(w.t, cmd.Process.Signal(syscall.SIGTERM))
		assert.NoError(w.t, cmd.Wait())
	})
	first := make([]byte, 4096)
	n, err := out.Read(first)
	require.NoError(w.t, err)
	found := servedAt.FindSubmatch(first[:n])
	require.NotNil(w.t, found, "%s", first[:n])
	m.url = "oci://" + string(found[1]) + "/drivers"
	password, err := os.ReadFile(m.token)
	require.NoError(w.t, err)
	w.do("repository create team --url %s --key %s.pub --plain-http --password %s", m.url, m.key, strings.TrimSpace(string(password)))
	return m
}

// build builds the driver depot and packs it.
func (m *team) build(version, mood, state string) {
	m.w.t.Helper()
	program := filepath.Join(m.w.t.TempDir(), "depot")
	cmd := exec.CommandContext(m.w.t.Context(), "go", "build", "-trimpath", "-o", program,
		"-ldflags", fmt.Sprintf("-s -w -X main.version=%s -X main.mood=%s -X main.state=%s", version, mood, state), module+"/test/depot")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(m.w.t, err, "%s", out)
	m.w.do("driver package --build %s=%s --to %s", platform(), program, m.dist)
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

func (m *team) publish(version string, args ...string) {
	m.w.t.Helper()
	if args == nil {
		args = []string{"--key", m.key}
	}
	m.w.do("driver publish depot:%s --from %s --to %s --plain-http --password-file %s %s", version, m.dist, m.url, m.token, strings.Join(args, " "))
}

// forge publishes what mcic itself would not make, signed with the team's key.
func (m *team) forge(d *driver.Description, write func(io.Writer)) {
	m.w.t.Helper()
	raw, err := os.ReadFile(m.key)
	require.NoError(m.w.t, err)
	key, err := repository.ParsePrivateKey(raw)
	require.NoError(m.w.t, err)
	repositorytest.Publish(m.w.t, "file://"+filepath.Join(m.dir, "drivers"), d, key, write)
}

// load asks a connection's cloud for something, so many times a second, until stop is
// called, which answers how it went.
func (w *world) load(perSecond int, path string) (stop func() (failed []string, took []time.Duration)) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	ctx, cancel := context.WithCancel(context.Background())
	var (
		mu     sync.Mutex
		failed []string
		took   []time.Duration
		group  sync.WaitGroup
	)
	group.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			group.Go(func() {
				began := time.Now()
				status, raw, err := w.Do(context.WithoutCancel(ctx), client, http.MethodGet, path, "")
				d := time.Since(began)
				mu.Lock()
				defer mu.Unlock()
				took = append(took, d)
				if err != nil || status != http.StatusOK {
					failed = append(failed, fmt.Sprintf("%d %s %v", status, raw, err))
				}
			})
		}
	})
	return func() ([]string, []time.Duration) {
		cancel()
		group.Wait()
		mu.Lock()
		defer mu.Unlock()
		return failed, took
	}
}

func quantile(d []time.Duration, q float64) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[min(int(float64(len(d))*q), len(d)-1)]
}

func TestDriversComeAndGoWhileTheServerWorks(t *testing.T) {
	w := newWorld(t, "--dev")
	m := newTeam(w)
	stop := w.load(20, "/v1/connections/mock/inventory?kind=vpc") // the server works all the while

	// From nothing to a VPC.
	m.build("1.0.0", "good", "yes")
	m.publish("1.0.0")
	assert.Equal(t, "1.0.0", read[[]api.DriverRelease](w, "driver search depot")[0].Version)
	w.fails(3, "driver get depot")
	w.do("driver install depot")
	assert.Equal(t, "team", read[driver.Description](w, "driver get depot").Installed.Repository)
	w.do("connection create d --cloud depot --region here")
	w.do("vpc create vpc1 -c d --cidr 10.0.0.0/16 --wait")
	type vpc = resource.Envelope[resource.VPCSpec, resource.VPCStatus]
	assert.Equal(t, "by 1.0.0", read[vpc](w, "vpc get vpc1 -c d").CloudState)

	m.build("2.0.0", "good", "yes")
	m.publish("2.0.0")
	w.do("driver upgrade depot")
	w.do("vpc create vpc2 -c d --cidr 10.1.0.0/16 --wait")
	assert.Equal(t, "by 2.0.0", read[vpc](w, "vpc get vpc2 -c d").CloudState)
	w.do("driver verify depot")
	w.do("driver downgrade depot")
	w.do("vpc create vpc3 -c d --cidr 10.2.0.0/16 --wait")
	assert.Equal(t, "by 1.0.0", read[vpc](w, "vpc get vpc3 -c d").CloudState)
	w.fails(4, "driver remove depot") // the connection needs it

	// What must not run, does not; what runs goes on.
	unharmed := func() {
		t.Helper()
		assert.Equal(t, "1.0.0", read[driver.Description](w, "driver get depot").Version)
		w.do("connection check d")
	}
	refused := func(version string, says ...string) {
		t.Helper()
		_, said, code := w.run("driver", "upgrade", "depot", "--version", version)
		assert.NotZero(t, code)
		for _, s := range says {
			assert.Contains(t, said, s)
		}
		t.Logf("%s: %s", version, said)
		unharmed()
	}
	t.Run("unsigned", func(*testing.T) {
		m.build("3.0.0", "good", "yes")
		m.publish("3.0.0", "--unsigned")
		refused("3.0.0", "is not signed")
	})
	t.Run("signed by another key", func(*testing.T) {
		stranger := filepath.Join(w.home, "stranger.key")
		w.do("driver keygen %s", stranger)
		m.build("3.0.1", "good", "yes")
		m.publish("3.0.1", "--key", stranger)
		refused("3.0.1", "no valid signature by a trusted key", "a key that is not trusted")
	})
	t.Run("a flipped byte", func(t *testing.T) {
		m.build("3.0.2", "good", "yes")
		before := archives(t, m.dir)
		m.publish("3.0.2")
		for blob := range archives(t, m.dir) {
			if before[blob] {
				continue
			}
			raw, err := os.ReadFile(blob)
			require.NoError(t, err)
			raw[len(raw)/2] ^= 1
			require.NoError(t, os.Chmod(blob, 0o600))
			require.NoError(t, os.WriteFile(blob, raw, 0o600))
		}
		refused("3.0.2", "altered or damaged")
	})
	t.Run("another platform", func(*testing.T) {
		d := read[driver.Description](w, "driver get depot")
		d.Version, d.Installed = "3.0.3", nil
		raw, err := json.Marshal(d)
		require.NoError(t, err)
		file := filepath.Join(w.home, "description.json")
		require.NoError(t, os.WriteFile(file, raw, 0o600))
		w.do("driver package --build plan9/arm=%s --description %s --to %s", file, file, m.dist)
		m.publish("3.0.3")
		refused("3.0.3", "is built for plan9/arm", "these versions would do: 3.0.2, 2.0.0, 1.0.0") // without those that would be refused for their signature
	})
	describe := func(version string) *driver.Description {
		return &driver.Description{About: driver.About{Name: "depot", Title: "The Depot", Version: version}, ProtocolVersions: []int{1}}
	}
	t.Run("a way out of the archive", func(*testing.T) {
		m.forge(describe("3.0.4"), tarball(t, "../../../../../../../../tmp/mcic-escaped", "evil"))
		refused("3.0.4", "outside of its folder")
		assert.NoFileExists(t, "/tmp/mcic-escaped")
	})
	t.Run("no handshake", func(*testing.T) {
		m.build("3.0.5", "silent", "yes")
		m.publish("3.0.5")
		refused("3.0.5", "start the driver depot")
	})
	t.Run("a future protocol", func(*testing.T) {
		future := describe("3.0.6")
		future.ProtocolVersions = []int{99}
		m.forge(future, tarball(t, "mcic-driver-depot", "#!/bin/sh\n"))
		refused("3.0.6", "speaks version 99 of the driver protocol, and this server speaks 1")
		// One that says in its package that it speaks our version, and then does not.
		m.forge(describe("3.0.7"), tarball(t, "mcic-driver-depot", "#!/bin/sh\necho '1|99|unix|/nowhere|grpc'\nexec cat\n"))
		refused("3.0.7", "another version of the driver protocol")
	})
	t.Run("dies at random", func(*testing.T) {
		m.build("3.1.0", "dies", "yes")
		m.publish("3.1.0")
		w.do("driver upgrade depot --version 3.1.0")
		for _, name := range []string{"vpc4", "vpc5", "vpc6"} {
			w.do("vpc create %s -c d --cidr 10.4.0.0/16 --wait", name)
		}
		w.do("driver downgrade depot")
		unharmed()
	})

	for _, name := range []string{"vpc1", "vpc2", "vpc3", "vpc4", "vpc5", "vpc6"} {
		w.do("vpc delete %s -c d --wait", name)
	}
	w.do("connection delete d")
	w.do("driver remove depot")
	w.fails(3, "driver get depot")
	left, err := filepath.Glob(filepath.Join(w.data, "installed", "depot-*"))
	require.NoError(t, err)
	assert.Empty(t, left)

	failed, took := stop()
	assert.Empty(t, failed, "of %d requests", len(took))
}

func archives(t *testing.T, dir string) map[string]bool {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(dir, "drivers", "depot", "blobs", "sha256", "*"))
	require.NoError(t, err)
	found := map[string]bool{}
	for _, blob := range blobs {
		raw, err := os.ReadFile(blob)
		require.NoError(t, err)
		if bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
			found[blob] = true
		}
	}
	return found
}

func tarball(t *testing.T, name, text string) func(io.Writer) {
	t.Helper()
	return func(w io.Writer) {
		compressed := gzip.NewWriter(w)
		archive := tar.NewWriter(compressed)
		require.NoError(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(text))}))
		_, err := archive.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, archive.Close())
		require.NoError(t, compressed.Close())
	}
}

// Twenty moves between two versions under load: no request fails.
func TestUpgradesFailNoRequest(t *testing.T) {
	for _, state := range []string{"no", "yes"} {
		t.Run("local state "+state, func(t *testing.T) {
			w := newWorld(t)
			m := newTeam(w)
			m.build("1.0.0", "good", state)
			m.build("2.0.0", "good", state)
			m.publish("1.0.0")
			m.publish("2.0.0")
			began := time.Now()
			w.do("driver install depot --version 1.0.0")
			t.Logf("install from a registry on this machine: %s", time.Since(began).Round(time.Millisecond))
			w.do("connection create d --cloud depot --region here")
			for i := range 10 {
				w.do("vpc create vpc%d -c d --cidr 10.0.0.0/16 --wait", i)
			}

			const path, rate = "/v1/connections/d/inventory?kind=vpc", 200
			stop := w.load(rate, path)
			<-time.After(3 * time.Second) // so long the load before the moves is measured
			failed, before := stop()
			require.Empty(t, failed)

			var moves atomic.Int64
			stop = w.load(rate, path)
			var pauses []time.Duration
			for i := range 20 {
				verb := []string{"upgrade", "downgrade"}[i%2]
				began := time.Now()
				w.do("driver %s depot", verb)
				pauses = append(pauses, time.Since(began))
				moves.Add(1)
			}
			failed, during := stop()
			assert.Empty(t, failed, "of %d requests", len(during))
			assert.Equal(t, int64(20), moves.Load())
			assert.GreaterOrEqual(t, len(during), 20, "there was no load")
			t.Logf("%d requests before: median %s, p99 %s; %d requests during 20 moves: median %s, p99 %s, longest %s; a move took %s (median)",
				len(before), quantile(before, .5), quantile(before, .99), len(during), quantile(during, .5), quantile(during, .99), quantile(during, 1), quantile(pauses, .5))
		})
	}
}
