package repository_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/internal/repository/repositorytest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The test's executable is also a process that installs, on a disk that is too small,
// and a repository server that can be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		os.Exit(serveUntilKilled(os.Args[2]))
	}
	if len(os.Args) > 1 && os.Args[1] == "install" {
		os.Exit(installOnSmallDisk(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func installOnSmallDisk(args []string) int {
	const small = 16 << 10
	signal.Ignore(syscall.SIGXFSZ) // a write shall fail, not the process
	shelf, err := repository.OpenShelf(args[0])
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: small, Max: small})
	}
	var repo *repository.Repository
	if err == nil {
		repo, err = repository.Open(repository.Spec{Name: "test", URL: "file://" + args[1], Keys: []api.TrustedKey{{Key: args[2]}}})
	}
	if err == nil {
		_, err = install(context.Background(), shelf, repo, args[3], args[4])
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// publisher has a key and a folder with what it has built.
type publisher struct {
	t    *testing.T
	key  *repository.PrivateKey
	dist *repository.Repository
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	key, err := repository.NewKey()
	require.NoError(t, err)
	return &publisher{t, key, folder(t, t.TempDir())}
}

func folder(t *testing.T, dir string, keys ...*repository.PrivateKey) *repository.Repository {
	t.Helper()
	return open(t, repository.Spec{Name: "test", URL: "file://" + dir}, keys...)
}

func open(t *testing.T, spec repository.Spec, keys ...*repository.PrivateKey) *repository.Repository {
	t.Helper()
	for _, k := range keys {
		spec.Keys = append(spec.Keys, api.TrustedKey{Key: k.Public().PEM()})
	}
	r, err := repository.Open(spec)
	require.NoError(t, err)
	return r
}

func describe(name, version string) *driver.Description {
	return &driver.Description{
		About:            driver.About{Name: name, Title: "Cloud " + name, Version: version, Doc: "A cloud."},
		ProtocolVersions: []int{1}, Kinds: []driver.KindOffer{{Name: "vpc", Verbs: []string{"list"}}},
	}
}

// publish packs a script as a driver and publishes it.
func (p *publisher) publish(to *repository.Repository, name, version string, key *repository.PrivateKey) *repository.Release {
	p.t.Helper()
	build := repositorytest.Script(p.t, name, "echo "+version)
	_, err := p.dist.Pack(p.t.Context(), describe(name, version), []repository.Build{{Platform: repository.Platform(), Dir: build}}, "https://example.com/src", "Apache-2.0")
	require.NoError(p.t, err)
	release, err := to.Publish(p.t.Context(), p.dist, name, version, key, false)
	require.NoError(p.t, err)
	return release
}

// install does what a server does with a release.
func install(ctx context.Context, shelf *repository.Shelf, r *repository.Repository, name, version string) (repository.Entry, error) {
	release, err := r.Release(ctx, name, version)
	if err != nil {
		return repository.Entry{}, err
	}
	key, err := r.Verify(ctx, release)
	if err != nil {
		return repository.Entry{}, err
	}
	return shelf.Install(ctx, r, release, key, func(api.DriverStep, int64, int64) {})
}

func newShelf(t *testing.T) (*repository.Shelf, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "installed")
	shelf, err := repository.OpenShelf(dir)
	require.NoError(t, err)
	return shelf, dir
}

func TestAPackageIsFoundVerifiedAndInstalled(t *testing.T) {
	p := newPublisher(t)
	repo := folder(t, t.TempDir(), p.key)
	p.publish(repo, "toy", "1.2.0", p.key)
	p.publish(repo, "toy", "1.10.0", p.key)
	p.publish(repo, "other", "0.1.0-rc.1", p.key)

	names, err := repo.Names(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"other", "toy"}, names)
	versions, err := repo.Versions(t.Context(), "toy")
	require.NoError(t, err)
	assert.Equal(t, []string{"1.10.0", "1.2.0"}, versions, "newest first, as versions and not as text")
	release, err := repo.Release(t.Context(), "toy", "1.10.0")
	require.NoError(t, err)
	assert.Equal(t, "Cloud toy", release.Description.Title)
	assert.Equal(t, []string{repository.Platform()}, release.Platforms)
	assert.Equal(t, "Apache-2.0", release.Licenses)

	shelf, _ := newShelf(t)
	one, err := install(t.Context(), shelf, repo, "toy", "1.2.0")
	require.NoError(t, err)
	two, err := install(t.Context(), shelf, repo, "toy", "1.10.0")
	require.NoError(t, err)
	entries, err := shelf.Entries()
	require.NoError(t, err)
	assert.Equal(t, []repository.Entry{one, two}, entries, "side by side")
	assert.Equal(t, p.key.Public().Fingerprint(), two.Key)
	assert.Equal(t, release.Digest, two.Digest)
	require.NoError(t, shelf.Check(one))
	require.NoError(t, shelf.Check(two))
	raw, err := os.ReadFile(shelf.Executable(two))
	require.NoError(t, err)
	assert.Contains(t, string(raw), "echo 1.10.0")

	require.NoError(t, shelf.Keep(t.Context(), "toy", two.Digest))
	assert.NoDirExists(t, shelf.Dir(one))
	assert.DirExists(t, shelf.Dir(two))
}

func TestTheSameBuildMakesTheSamePackage(t *testing.T) {
	build := repositorytest.Script(t, "toy", "echo hello")
	pack := func() string {
		release, err := folder(t, t.TempDir()).Pack(t.Context(), describe("toy", "1.0.0"), []repository.Build{{Platform: "linux/amd64", Dir: build}, {Platform: "darwin/arm64", Dir: build}}, "", "")
		require.NoError(t, err)
		return release.Digest
	}
	assert.Equal(t, pack(), pack())
}

func TestWhatIsNotSignedByATrustedKeyIsRefused(t *testing.T) {
	p, stranger := newPublisher(t), newPublisher(t)
	repo := folder(t, t.TempDir(), p.key)
	p.publish(repo, "plain", "1.0.0", nil)
	p.publish(repo, "foreign", "1.0.0", stranger.key)
	shelf, dir := newShelf(t)

	_, err := install(t.Context(), shelf, repo, "plain", "1.0.0")
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	assert.ErrorContains(t, err, "is not signed")
	_, err = install(t.Context(), shelf, repo, "foreign", "1.0.0")
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	assert.ErrorContains(t, err, p.key.Public().Fingerprint())
	assert.ErrorContains(t, err, "a key that is not trusted")

	entries, err := shelf.Entries()
	require.NoError(t, err)
	assert.Empty(t, entries)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "nothing of a refused package is on the disk")
}

func TestAKeyIsBoundToNames(t *testing.T) {
	p := newPublisher(t)
	dir := t.TempDir()
	p.publish(folder(t, dir), "toya", "1.0.0", p.key)
	p.publish(folder(t, dir), "other", "1.0.0", p.key)
	bound, err := repository.Open(repository.Spec{Name: "test", URL: "file://" + dir, Keys: []api.TrustedKey{{Key: p.key.Public().PEM(), Prefix: "toy"}}})
	require.NoError(t, err)
	shelf, _ := newShelf(t)
	_, err = install(t.Context(), shelf, bound, "toya", "1.0.0")
	require.NoError(t, err)
	_, err = install(t.Context(), shelf, bound, "other", "1.0.0")
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
}

// flip changes one byte of each blob of a folder that a test chooses.
func flip(t *testing.T, dir string, choose func(raw []byte) bool) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(dir, "*", "blobs", "sha256", "*"))
	require.NoError(t, err)
	flipped := 0
	for _, blob := range blobs {
		raw, err := os.ReadFile(blob)
		require.NoError(t, err)
		if !choose(raw) {
			continue
		}
		raw[len(raw)/2] ^= 1
		require.NoError(t, os.Chmod(blob, 0o600))
		require.NoError(t, os.WriteFile(blob, raw, 0o600))
		flipped++
	}
	require.NotZero(t, flipped)
}

func TestAFlippedByteIsFound(t *testing.T) {
	for part, choose := range map[string]func([]byte) bool{
		"archive":     func(raw []byte) bool { return raw[0] == 0x1f },
		"index":       func(raw []byte) bool { return strings.Contains(string(raw), `"manifests"`) },
		"manifest":    func(raw []byte) bool { return strings.Contains(string(raw), repository.ArchiveType) },
		"description": func(raw []byte) bool { return strings.Contains(string(raw), "protocolVersions") },
		"signature":   func(raw []byte) bool { return strings.Contains(string(raw), "messageSignature") },
	} {
		t.Run(part, func(t *testing.T) {
			p := newPublisher(t)
			dir := t.TempDir()
			repo := folder(t, dir, p.key)
			p.publish(repo, "toy", "1.0.0", p.key)
			flip(t, dir, choose)
			shelf, _ := newShelf(t)
			_, err := install(t.Context(), shelf, repo, "toy", "1.0.0")
			require.Error(t, err)
			assert.Contains(t, []resource.Code{resource.CodeInvalid, resource.CodeDenied}, resource.CodeOf(err), "%v", err)
			entries, err := shelf.Entries()
			require.NoError(t, err)
			assert.Empty(t, entries)
		})
	}
}

func TestAPackageCannotBeShownAsAnother(t *testing.T) {
	p := newPublisher(t)
	dir := t.TempDir()
	repo := folder(t, dir, p.key)
	p.publish(repo, "toy", "1.0.0", p.key)
	// Who can write to the repository, and has no key, gives the old package a new version.
	index := filepath.Join(dir, "toy", "index.json")
	raw, err := os.ReadFile(index)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(index, []byte(strings.ReplaceAll(string(raw), "1.0.0", "9.0.0")), 0o600))
	_, err = repo.Release(t.Context(), "toy", "9.0.0")
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	assert.ErrorContains(t, err, "toy:1.0.0")
	// Or shows it as another driver.
	require.NoError(t, os.WriteFile(index, raw, 0o600))
	require.NoError(t, os.Rename(filepath.Join(dir, "toy"), filepath.Join(dir, "aws")))
	_, err = repo.Release(t.Context(), "aws", "1.0.0")
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
}

func TestAnotherPlatformIsRefused(t *testing.T) {
	p := newPublisher(t)
	repo := folder(t, t.TempDir(), p.key)
	_, err := p.dist.Pack(t.Context(), describe("toy", "1.0.0"), []repository.Build{{Platform: "plan9/mips", Dir: repositorytest.Script(t, "toy", "true")}}, "", "")
	require.NoError(t, err)
	_, err = repo.Publish(t.Context(), p.dist, "toy", "1.0.0", p.key, false)
	require.NoError(t, err)
	shelf, _ := newShelf(t)
	_, err = install(t.Context(), shelf, repo, "toy", "1.0.0")
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	assert.ErrorContains(t, err, "only for: plan9/mips")
}

func TestArchivesThatReachOutOfTheirFolderAreRefused(t *testing.T) {
	file := func(name string) *tar.Header {
		return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: 4}
	}
	for what, headers := range map[string][]*tar.Header{
		"a way up":          {file("../evil")},
		"a way up, hidden":  {file("x/../../evil")},
		"an absolute path":  {file("/tmp/mcic-evil")},
		"a link":            {{Typeflag: tar.TypeSymlink, Name: "out", Linkname: "/tmp"}, file("out/mcic-evil")},
		"a hard link":       {{Typeflag: tar.TypeLink, Name: "passwd", Linkname: "/etc/passwd"}},
		"a device":          {{Typeflag: tar.TypeChar, Name: "dev"}},
		"a name twice":      {file("mcic-driver-toy"), file("mcic-driver-toy")},
		"windows separator": {file(`..\evil`)},
		"no program":        {file("readme")},
		"a folder as program": {
			{Typeflag: tar.TypeDir, Name: "mcic-driver-toy", Mode: 0o755},
		},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPublisher(t)
			dir := t.TempDir()
			repo := folder(t, dir, p.key)
			repositorytest.Publish(t, "file://"+dir, describe("toy", "1.0.0"), p.key, func(w io.Writer) {
				compressed := gzip.NewWriter(w)
				archive := tar.NewWriter(compressed)
				for _, h := range headers {
					require.NoError(t, archive.WriteHeader(h))
					if h.Size > 0 {
						_, err := archive.Write([]byte("evil"))
						require.NoError(t, err)
					}
				}
				require.NoError(t, archive.Close())
				require.NoError(t, compressed.Close())
			})
			shelf, shelfDir := newShelf(t)
			_, err := install(t.Context(), shelf, repo, "toy", "1.0.0")
			assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%v", err)
			assert.NoFileExists(t, filepath.Join(shelfDir, "evil"))
			assert.NoFileExists(t, "/tmp/mcic-evil")
			left, err := os.ReadDir(shelfDir)
			require.NoError(t, err)
			require.Len(t, left, 1)
			assert.Equal(t, ".lock", left[0].Name(), "nothing that was unpacked is left")
		})
	}
}

func TestAnAlteredInstallationIsFound(t *testing.T) {
	p := newPublisher(t)
	repo := folder(t, t.TempDir(), p.key)
	p.publish(repo, "toy", "1.0.0", p.key)
	shelf, _ := newShelf(t)
	e, err := install(t.Context(), shelf, repo, "toy", "1.0.0")
	require.NoError(t, err)
	require.NoError(t, shelf.Check(e))

	require.NoError(t, os.Chmod(shelf.Executable(e), 0o700))
	f, err := os.OpenFile(shelf.Executable(e), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("# more\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(shelf.Check(e)))

	again, err := install(t.Context(), shelf, repo, "toy", "1.0.0")
	require.NoError(t, err, "installing it again repairs it")
	require.NoError(t, shelf.Check(again))

	require.NoError(t, os.WriteFile(filepath.Join(shelf.Dir(again), "more"), nil, 0o600))
	assert.Error(t, shelf.Check(again), "a file that was not there")
	require.NoError(t, os.RemoveAll(shelf.Dir(again)))
	assert.Error(t, shelf.Check(again))
}

func TestInstallersAtOnce(t *testing.T) {
	p := newPublisher(t)
	repo := folder(t, t.TempDir(), p.key)
	for i := range 3 {
		p.publish(repo, "toy", fmt.Sprintf("1.%d.0", i), p.key)
	}
	_, dir := newShelf(t)
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			shelf, err := repository.OpenShelf(dir) // as another process has it
			if assert.NoError(t, err) {
				_, err = install(t.Context(), shelf, repo, "toy", fmt.Sprintf("1.%d.0", i%3))
				assert.NoError(t, err)
			}
		})
	}
	group.Wait()
	shelf, err := repository.OpenShelf(dir)
	require.NoError(t, err)
	entries, err := shelf.Entries()
	require.NoError(t, err)
	require.Len(t, entries, 3)
	for _, e := range entries {
		assert.NoError(t, shelf.Check(e))
	}
}

func TestAKillInTheMiddleLeavesTheShelfAsItWas(t *testing.T) {
	p := newPublisher(t)
	repo := folder(t, t.TempDir(), p.key)
	p.publish(repo, "toy", "1.0.0", p.key)
	second := p.publish(repo, "toy", "2.0.0", p.key)
	shelf, dir := newShelf(t)
	first, err := install(t.Context(), shelf, repo, "toy", "1.0.0")
	require.NoError(t, err)

	// What a kill leaves, before the folder has its name and after, before it is recorded.
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".stage-1", "driver"), 0o700))
	half := shelf.Dir(repository.Entry{Name: "toy", Digest: second.Digest})
	require.NoError(t, os.MkdirAll(half, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(half, "mcic-driver-toy"), []byte("half"), 0o500))
	entries, err := shelf.Entries()
	require.NoError(t, err)
	assert.Equal(t, []repository.Entry{first}, entries)

	e, err := install(t.Context(), shelf, repo, "toy", "2.0.0")
	require.NoError(t, err)
	require.NoError(t, shelf.Check(e))
	assert.NoDirExists(t, filepath.Join(dir, ".stage-1"))
}

func TestAFullDiskChangesNothing(t *testing.T) {
	p := newPublisher(t)
	repoDir := t.TempDir()
	repo := folder(t, repoDir, p.key)
	p.publish(repo, "toy", "1.0.0", p.key)
	big := repositorytest.Script(t, "toy", "true")
	ballast := make([]byte, 64<<10)
	_, err := rand.Read(ballast)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(big, "ballast"), ballast, 0o600))
	_, err = p.dist.Pack(t.Context(), describe("toy", "2.0.0"), []repository.Build{{Platform: repository.Platform(), Dir: big}}, "", "")
	require.NoError(t, err)
	_, err = repo.Publish(t.Context(), p.dist, "toy", "2.0.0", p.key, false)
	require.NoError(t, err)
	shelf, dir := newShelf(t)
	first, err := install(t.Context(), shelf, repo, "toy", "1.0.0")
	require.NoError(t, err)

	// Files of the installing process can have 16 KiB: like on a full disk, a write
	// fails in the middle.
	self, err := os.Executable()
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), self, "install", dir, repoDir, p.key.Public().PEM(), "toy", "2.0.0").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "file too large")

	entries, err := shelf.Entries()
	require.NoError(t, err)
	assert.Equal(t, []repository.Entry{first}, entries)
	require.NoError(t, shelf.Check(first))
	_, err = install(t.Context(), shelf, repo, "toy", "2.0.0")
	require.NoError(t, err, "with space again it works")
}

func TestAVersionNeverChanges(t *testing.T) {
	p := newPublisher(t)
	repo := folder(t, t.TempDir(), p.key)
	first := p.publish(repo, "toy", "1.0.0", p.key)
	_, err := p.dist.Pack(t.Context(), describe("toy", "1.0.0"), []repository.Build{{Platform: repository.Platform(), Dir: repositorytest.Script(t, "toy", "echo other")}}, "", "")
	require.NoError(t, err)
	_, err = repo.Publish(t.Context(), p.dist, "toy", "1.0.0", p.key, false)
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err), "%v", err)
	second, err := repo.Publish(t.Context(), p.dist, "toy", "1.0.0", p.key, true)
	require.NoError(t, err)
	assert.NotEqual(t, first.Digest, second.Digest)
	_, err = repo.ReleaseByDigest(t.Context(), "toy", "1.0.0", first.Digest)
	assert.NoError(t, err, "servers that run the replaced package still find it")
}

func TestWhatIsNoRepositoryIsExplained(t *testing.T) {
	for _, url := range []string{"", "x", "http://host/x", "oci://", "oci://user:secret@host/x", "file://relative", "oci://host/UPPER", "file:///x?y", "oci://host/a b"} {
		_, err := repository.Open(repository.Spec{Name: "r", URL: url})
		require.Error(t, err, url)
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), url)
		assert.NotContains(t, err.Error(), "secret")
	}
	_, err := folder(t, filepath.Join(t.TempDir(), "missing")).Names(t.Context())
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	_, err = folder(t, t.TempDir()).Release(t.Context(), "toy", "1.0.0")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	for _, version := range []string{"", "1", "v1.0.0", "1.0.0+build", "latest"} {
		assert.Error(t, repository.CheckVersion(version), version)
	}
}

func TestKeysAreWrittenAndRead(t *testing.T) {
	key, err := repository.NewKey()
	require.NoError(t, err)
	secret, err := key.PEM()
	require.NoError(t, err)
	again, err := repository.ParsePrivateKey(secret)
	require.NoError(t, err)
	public, err := repository.ParsePublicKey(again.Public().PEM())
	require.NoError(t, err)
	assert.Equal(t, key.Public().Fingerprint(), public.Fingerprint())
	for _, text := range []string{"", "x", string(secret)} {
		_, err = repository.ParsePublicKey(text)
		assert.Error(t, err)
	}
}

func scriptOf(t *testing.T, name string) string {
	t.Helper()
	return repositorytest.Script(t, name, "true")
}
