package repository

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"cuelabs.dev/go/oci/ociregistry"
	"cuelabs.dev/go/oci/ociregistry/ociref"
	"cuelabs.dev/go/oci/ociregistry/ociserver"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
)

// Access says who may use a served repository.
type Access struct {
	Token  string // lets in: as a bearer token, or as the password of any user
	Public bool   // everybody may pull; pushing and deleting need the token
}

// Serve returns a handler that speaks the OCI distribution protocol for a folder of
// OCI image layouts: pull, push, tags, referrers and deletion.
func Serve(dir string, access Access) (http.Handler, error) {
	if err := os.MkdirAll(filepath.Join(dir, uploads), 0o755); err != nil { //nolint:gosec // packages are for others to read
		return nil, fmt.Errorf("make the repository's folder: %w", err)
	}
	server := &folderRegistry{Funcs: &ociregistry.Funcs{}, dir: dir}
	if err := server.tidy(); err != nil {
		return nil, err
	}
	return access.guard(server.protocol(ociserver.New(server, nil))), nil
}

// guard lets nobody in without the token.
func (a Access) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !a.allows(r) && (!a.Public || !read || r.URL.Path == "/v2/" && r.Header.Get("Authorization") != "") {
			w.Header().Set("WWW-Authenticate", `Basic realm="mcic repository: any user, the token as password"`)
			_ = ociregistry.WriteError(w, ociregistry.ErrUnauthorized) // the client is gone if this fails
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a Access) allows(r *http.Request) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		_, given, ok = r.BasicAuth()
	}
	return ok && a.Token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(a.Token)) == 1
}

// uploads is the folder of blobs that are still on their way, below the repository's.
const uploads = ".uploads"

// uploadAge is how long an upload may rest before it is forgotten, and tidyEvery how
// often it is looked for such.
const (
	uploadAge = 24 * time.Hour
	tidyEvery = time.Hour
)

// tidy forgets the uploads that nobody goes on with, unless that was done lately.
func (f *folderRegistry) tidy() error {
	f.tidying.Lock()
	defer f.tidying.Unlock()
	if time.Since(f.tidied) < tidyEvery {
		return nil
	}
	f.tidied = time.Now()
	_, err := removeOlder(filepath.Join(f.dir, uploads), time.Now().Add(-uploadAge))
	return err
}

// folderRegistry is a registry in a folder: each repository is an OCI image layout in
// the folder of its name.
type folderRegistry struct {
	*ociregistry.Funcs
	dir string

	making sync.Mutex // one layout is made at a time

	tidying sync.Mutex
	tidied  time.Time
}

// layout opens a repository's layout.
func (f *folderRegistry) layout(repo string) (*layout, error) {
	if !ociref.IsValidRepository(repo) { // which no way out of the folder is
		return nil, ociregistry.ErrNameInvalid
	}
	l, err := openLayout(filepath.Join(f.dir, filepath.FromSlash(repo)), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ociregistry.ErrNameUnknown
	}
	return l, err
}

// make opens a repository's layout, which is made if it is not there. No layout lies
// within another one: their files would mix.
func (f *folderRegistry) make(repo string) (*layout, error) {
	if !ociref.IsValidRepository(repo) {
		return nil, ociregistry.ErrNameInvalid
	}
	f.making.Lock()
	defer f.making.Unlock()
	dir := filepath.Join(f.dir, filepath.FromSlash(repo))
	if _, err := os.Stat(filepath.Join(dir, ocispec.ImageLayoutFile)); err == nil {
		return openLayout(dir, false)
	}
	for above := filepath.Dir(repo); above != "."; above = filepath.Dir(above) {
		if _, err := os.Stat(filepath.Join(f.dir, above, ocispec.ImageLayoutFile)); err == nil {
			return nil, ociregistry.ErrNameInvalid
		}
	}
	// What a kill has left of a layout that was being made is none, and in nobody's way.
	if within, err := layouts(dir); err != nil && !errors.Is(err, fs.ErrNotExist) || len(within) > 0 {
		return nil, errors.Join(ociregistry.ErrNameInvalid, err)
	}
	return openLayout(dir, true)
}

// reader is a blob with its descriptor.
type reader struct {
	io.Reader
	io.Closer
	d ocispec.Descriptor
}

func (r reader) Descriptor() ociregistry.Descriptor { return r.d }

// blob answers the descriptor of a blob that is there.
func (l *layout) blob(d ociregistry.Digest) (ocispec.Descriptor, error) {
	if d.Validate() != nil {
		return ocispec.Descriptor{}, ociregistry.ErrDigestInvalid
	}
	info, err := os.Stat(l.path(d))
	if err != nil {
		return ocispec.Descriptor{}, ociregistry.ErrBlobUnknown
	}
	return ocispec.Descriptor{MediaType: "application/octet-stream", Digest: d, Size: info.Size()}, nil
}

func (f *folderRegistry) ResolveBlob(_ context.Context, repo string, d ociregistry.Digest) (ociregistry.Descriptor, error) {
	l, err := f.layout(repo)
	if err != nil {
		return ociregistry.Descriptor{}, err
	}
	blob, err := l.blob(d)
	if err == nil && !l.spared(d) { // who asks may be about to push a manifest that needs it
		return ociregistry.Descriptor{}, ociregistry.ErrBlobUnknown
	}
	return blob, err
}

func (f *folderRegistry) GetBlob(ctx context.Context, repo string, d ociregistry.Digest) (ociregistry.BlobReader, error) {
	return f.GetBlobRange(ctx, repo, d, 0, -1)
}

func (f *folderRegistry) GetBlobRange(ctx context.Context, repo string, d ociregistry.Digest, from, to int64) (ociregistry.BlobReader, error) {
	l, err := f.layout(repo)
	if err != nil {
		return nil, err
	}
	blob, err := l.blob(d)
	if err != nil {
		return nil, err
	}
	if from < 0 || from > blob.Size {
		return nil, ociregistry.ErrRangeInvalid
	}
	r, err := l.Fetch(ctx, blob)
	if err != nil {
		return nil, err
	}
	if to < 0 || to > blob.Size {
		to = blob.Size
	}
	if from > 0 {
		if _, err := r.(io.Seeker).Seek(from, io.SeekStart); err != nil { // it is a file
			return nil, errors.Join(err, r.Close())
		}
	}
	return reader{io.LimitReader(r, to-from), r, blob}, nil
}

// manifest answers the descriptor of a manifest by its tag or digest.
func (f *folderRegistry) manifest(ctx context.Context, repo, reference string) (*layout, ocispec.Descriptor, error) {
	l, err := f.layout(repo)
	if err != nil {
		return nil, ocispec.Descriptor{}, err
	}
	d, err := l.Resolve(ctx, reference)
	if errors.Is(err, errdef.ErrNotFound) {
		err = ociregistry.ErrManifestUnknown
	}
	return l, d, err
}

func (f *folderRegistry) getManifest(ctx context.Context, repo, reference string) (ociregistry.BlobReader, error) {
	l, d, err := f.manifest(ctx, repo, reference)
	if err != nil {
		return nil, err
	}
	r, err := l.Fetch(ctx, d)
	if err != nil {
		return nil, err
	}
	return reader{r, r, d}, nil
}

func (f *folderRegistry) GetManifest(ctx context.Context, repo string, d ociregistry.Digest) (ociregistry.BlobReader, error) {
	return f.getManifest(ctx, repo, string(d))
}

func (f *folderRegistry) GetTag(ctx context.Context, repo, tag string) (ociregistry.BlobReader, error) {
	return f.getManifest(ctx, repo, tag)
}

func (f *folderRegistry) ResolveManifest(ctx context.Context, repo string, d ociregistry.Digest) (ociregistry.Descriptor, error) {
	_, found, err := f.manifest(ctx, repo, string(d))
	return found, err
}

func (f *folderRegistry) ResolveTag(ctx context.Context, repo, tag string) (ociregistry.Descriptor, error) {
	_, found, err := f.manifest(ctx, repo, tag)
	return found, err
}

func (f *folderRegistry) PushBlob(ctx context.Context, repo string, d ociregistry.Descriptor, r io.Reader) (ociregistry.Descriptor, error) {
	l, err := f.make(repo)
	if err != nil {
		return ociregistry.Descriptor{}, err
	}
	if d.Digest.Validate() != nil {
		return ociregistry.Descriptor{}, ociregistry.ErrDigestInvalid
	}
	d.MediaType = "application/octet-stream"
	return d, pushError(l.put(ctx, d, r))
}

func pushError(err error) error {
	switch {
	case errors.Is(err, errdef.ErrAlreadyExists):
		return nil
	case errors.Is(err, content.ErrMismatchedDigest):
		return ociregistry.ErrDigestInvalid
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, content.ErrTrailingData):
		return ociregistry.ErrSizeInvalid
	}
	return err
}

func (f *folderRegistry) PushBlobChunked(ctx context.Context, repo string, _ int) (ociregistry.BlobWriter, error) {
	if _, err := f.make(repo); err != nil {
		return nil, err
	}
	if err := f.tidy(); err != nil {
		return nil, err
	}
	return f.upload(ctx, repo, rand.Text(), os.O_CREATE|os.O_EXCL, 0)
}

func (f *folderRegistry) PushBlobChunkedResume(ctx context.Context, repo, id string, offset int64, _ int) (ociregistry.BlobWriter, error) {
	return f.upload(ctx, repo, id, 0, offset)
}

// upload opens a blob on its way, at its end.
func (f *folderRegistry) upload(ctx context.Context, repo, id string, flag int, offset int64) (*upload, error) {
	if id == "" || strings.ContainsAny(id, "./\\\x00") {
		return nil, ociregistry.ErrBlobUploadUnknown
	}
	file, err := os.OpenFile(filepath.Join(f.dir, uploads, id), os.O_RDWR|flag, 0o600) //nolint:gosec // the id is one word
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ociregistry.ErrBlobUploadUnknown
	}
	if err != nil {
		return nil, err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		err = follows(ctx, offset, size)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &upload{registry: f, repo: repo, id: id, file: file, size: size}, nil
}

// upload is a blob on its way.
type upload struct {
	registry *folderRegistry
	repo, id string
	file     *os.File
	size     int64
}

func (u *upload) Write(p []byte) (int, error) {
	n, err := u.file.Write(p)
	u.size += int64(n)
	return n, err
}

func (u *upload) Close() error {
	if err := u.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (u *upload) Size() int64    { return u.size }
func (u *upload) ChunkSize() int { return 64 << 10 }
func (u *upload) ID() string     { return u.id }

func (u *upload) Cancel() error {
	err := errors.Join(u.Close(), os.Remove(u.file.Name()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (u *upload) Commit(d ociregistry.Digest) (ociregistry.Descriptor, error) {
	if _, err := u.file.Seek(0, io.SeekStart); err != nil {
		return ociregistry.Descriptor{}, err
	}
	stored, err := u.registry.PushBlob(context.Background(), u.repo, ocispec.Descriptor{Digest: d, Size: u.size}, u.file)
	return stored, errors.Join(err, u.Cancel())
}

func (f *folderRegistry) MountBlob(ctx context.Context, from, to string, d ociregistry.Digest) (ociregistry.Descriptor, error) {
	blob, err := f.GetBlob(ctx, from, d)
	if err != nil {
		return ociregistry.Descriptor{}, err
	}
	defer func() { _ = blob.Close() }()
	return f.PushBlob(ctx, to, blob.Descriptor(), blob)
}

// push stores a manifest and answers what it is and what it refers to.
func (f *folderRegistry) push(repo, tag string, raw []byte, mediaType string, algorithm digest.Algorithm) (d ocispec.Descriptor, subject digest.Digest, err error) {
	l, err := f.make(repo)
	if err != nil {
		return d, "", err
	}
	d = ocispec.Descriptor{MediaType: mediaType, Digest: algorithm.FromBytes(raw), Size: int64(len(raw))}
	unlock, err := l.lock() // so that a sweep removes nothing between the look and the listing
	if err != nil {
		return d, "", err
	}
	defer func() { _ = unlock() }()
	if subject, err = l.complete(raw, mediaType); err != nil {
		return d, "", err
	}
	if !l.touch(d.Digest) {
		if err := l.store(d, bytes.NewReader(raw)); err != nil {
			return d, "", err
		}
	}
	return d, subject, l.rewrite(listed(d, tag))
}

// complete refuses a manifest whose parts are not there, and answers its subject.
// What it only refers to, the subject and layers that lie elsewhere, need not be there.
func (l *layout) complete(raw []byte, mediaType string) (subject digest.Digest, err error) {
	if !isManifest(mediaType) {
		return "", ociregistry.ErrManifestInvalid
	}
	m, err := readParts(raw)
	if err != nil {
		return "", ociregistry.ErrManifestInvalid
	}
	for _, p := range m.all() {
		if len(p.URLs) > 0 || strings.Contains(p.MediaType, "nondistributable") || strings.Contains(p.MediaType, ".foreign.") {
			continue
		}
		if _, err := l.blob(p.Digest); err != nil {
			return "", ociregistry.ErrManifestBlobUnknown
		}
	}
	if m.Subject != nil {
		subject = m.Subject.Digest
	}
	return subject, nil
}

func (f *folderRegistry) DeleteBlob(ctx context.Context, repo string, d ociregistry.Digest) error {
	l, err := f.layout(repo)
	if err != nil {
		return err
	}
	blob, err := l.blob(d)
	if err != nil {
		return err
	}
	return l.Delete(ctx, blob)
}

func (f *folderRegistry) DeleteManifest(ctx context.Context, repo string, d ociregistry.Digest) error {
	l, err := f.layout(repo)
	if err != nil {
		return err
	}
	return unknownManifest(l.removeManifest(ctx, d))
}

func (f *folderRegistry) DeleteTag(_ context.Context, repo, tag string) error {
	l, err := f.layout(repo)
	if err != nil {
		return err
	}
	return unknownManifest(l.untag(tag))
}

func unknownManifest(err error) error {
	if errors.Is(err, errdef.ErrNotFound) {
		return ociregistry.ErrManifestUnknown
	}
	return err
}

func (f *folderRegistry) Repositories(_ context.Context, after string) iter.Seq2[string, error] {
	names, err := layouts(f.dir)
	if err != nil {
		return ociregistry.ErrorSeq[string](err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name <= after })
	return ociregistry.SliceSeq(names)
}

// layouts answers the names of all layouts in a folder, in order.
func layouts(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Name() == ocispec.ImageBlobsDir || entry.Name() == uploads {
			return fs.SkipDir
		}
		if entry.Name() != ocispec.ImageLayoutFile {
			return nil
		}
		name, err := filepath.Rel(dir, filepath.Dir(path))
		names = append(names, filepath.ToSlash(name))
		return err
	})
	slices.Sort(names)
	return names, err
}

func (f *folderRegistry) Tags(ctx context.Context, repo, after string) iter.Seq2[string, error] {
	l, err := f.layout(repo)
	if err != nil {
		return ociregistry.ErrorSeq[string](err)
	}
	var all []string
	if err := l.Tags(ctx, after, func(tags []string) error {
		all = append(all, tags...)
		return nil
	}); err != nil {
		return ociregistry.ErrorSeq[string](err)
	}
	return ociregistry.SliceSeq(all)
}

func (f *folderRegistry) Referrers(ctx context.Context, repo string, d ociregistry.Digest, artifactType string) iter.Seq2[ociregistry.Descriptor, error] {
	l, err := f.layout(repo)
	if errors.Is(err, ociregistry.ErrNameUnknown) { // nothing refers to what is not there
		return ociregistry.SliceSeq([]ociregistry.Descriptor{})
	}
	if err != nil {
		return ociregistry.ErrorSeq[ociregistry.Descriptor](err)
	}
	all, err := l.Predecessors(ctx, ocispec.Descriptor{Digest: d})
	if err != nil {
		return ociregistry.ErrorSeq[ociregistry.Descriptor](err)
	}
	return ociregistry.SliceSeq(slices.DeleteFunc(all, func(r ocispec.Descriptor) bool {
		return artifactType != "" && r.ArtifactType != artifactType
	}))
}
