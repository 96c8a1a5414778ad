package repository

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/errdef"
)

// layout is an OCI image layout in a folder: the packages of one driver. Blobs are
// read by the library; the index is read anew each time and replaced in one step
// under a lock, so that several programs can use the folder at once and a kill in
// the middle leaves it as it was.
type layout struct {
	*oci.Storage
	dir string
}

// openLayout opens a layout. One that is not there is made if create is set.
func openLayout(dir string, create bool) (*layout, error) {
	mark := filepath.Join(dir, ocispec.ImageLayoutFile)
	if _, err := os.Stat(mark); err != nil {
		if !create || !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("open the OCI layout: %w", err)
		}
		if err := makeLayout(dir, mark); err != nil {
			return nil, fmt.Errorf("make the OCI layout: %w", err)
		}
	}
	storage, err := oci.NewStorage(dir)
	if err != nil {
		return nil, fmt.Errorf("open the OCI layout: %w", err)
	}
	return &layout{storage, dir}, nil
}

// makeLayout makes a layout, unless another program is faster. The file that marks it
// comes last.
func makeLayout(dir, mark string) error {
	if err := os.MkdirAll(filepath.Join(dir, ocispec.ImageBlobsDir), 0o755); err != nil { //nolint:gosec // packages are for others to read
		return err
	}
	unlock, err := (&layout{dir: dir}).lock()
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	raw, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(dir, ocispec.ImageIndexFile), emptyIndex()); err != nil {
		return err
	}
	return replaceFile(mark, raw)
}

func emptyIndex() []byte {
	raw, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}})
	if err != nil {
		panic(err) // of a constant
	}
	return raw
}

// replaceFile writes a file so that it is seen either as it was or as it shall be,
// also after a loss of power.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder last.
func syncFolder(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // a folder of ours
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// lockFile waits for a lock that other processes respect too. It goes with the process.
func lockFile(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // in a folder of ours
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f.Close, nil
}

func (l *layout) index() (*ocispec.Index, error) {
	raw, err := os.ReadFile(filepath.Join(l.dir, ocispec.ImageIndexFile))
	if err != nil {
		return nil, fmt.Errorf("read the index of an OCI layout: %w", err)
	}
	index := &ocispec.Index{}
	if err := json.Unmarshal(raw, index); err != nil {
		return nil, fmt.Errorf("read the index of the OCI layout %s: %w", l.dir, err)
	}
	return index, nil
}

// lock waits until no other program changes the layout.
func (l *layout) lock() (unlock func() error, err error) {
	return lockFile(filepath.Join(l.dir, ".lock"))
}

// edit makes another list of manifests of one.
type edit func([]ocispec.Descriptor) []ocispec.Descriptor

// change rewrites the list of manifests.
func (l *layout) change(e edit) error {
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	return l.rewrite(e)
}

// rewrite is change for who holds the lock.
func (l *layout) rewrite(e edit) error {
	index, err := l.index()
	if err != nil {
		return err
	}
	if index.Manifests = e(index.Manifests); index.Manifests == nil {
		index.Manifests = []ocispec.Descriptor{}
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(l.dir, ocispec.ImageIndexFile), raw)
}

func tagOf(d ocispec.Descriptor) string { return d.Annotations[ocispec.AnnotationRefName] }

// Push stores a blob, and lists it if it is a manifest.
func (l *layout) Push(ctx context.Context, d ocispec.Descriptor, r io.Reader) error {
	if err := l.put(ctx, d, r); err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
		return err
	}
	if !isManifest(d.MediaType) {
		return nil
	}
	return l.change(listed(d, ""))
}

// listed adds a manifest to the index, under a tag if it has one.
func listed(d ocispec.Descriptor, tag string) edit {
	entry := ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
	if tag != "" {
		entry.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	}
	return func(all []ocispec.Descriptor) []ocispec.Descriptor {
		if tag == "" && slices.ContainsFunc(all, func(e ocispec.Descriptor) bool { return e.Digest == d.Digest }) {
			return all
		}
		moved := slices.IndexFunc(all, func(e ocispec.Descriptor) bool { return tag != "" && tagOf(e) == tag })
		if moved >= 0 && all[moved].Digest != d.Digest { // what had the tag stays, without it
			old := all[moved]
			old.Annotations = nil
			all = append(slices.Delete(all, moved, moved+1), old)
		}
		all = slices.DeleteFunc(all, func(e ocispec.Descriptor) bool { return e.Digest == d.Digest && (tagOf(e) == "" || tagOf(e) == tag) })
		return append(all, entry)
	}
}

// Tag gives a manifest a tag, which moves it from another.
func (l *layout) Tag(ctx context.Context, d ocispec.Descriptor, tag string) error {
	ok, err := l.Exists(ctx, d)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s: %w", d.Digest, errdef.ErrNotFound)
	}
	return l.change(listed(d, tag))
}

// Resolve answers the manifest of a tag or a digest.
func (l *layout) Resolve(_ context.Context, reference string) (ocispec.Descriptor, error) {
	index, err := l.index()
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	for _, d := range index.Manifests {
		if tagOf(d) == reference || d.Digest.String() == reference {
			return ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, nil
		}
	}
	return ocispec.Descriptor{}, fmt.Errorf("%s: %w", reference, errdef.ErrNotFound)
}

// Tags answers all tags in order.
func (l *layout) Tags(_ context.Context, last string, fn func([]string) error) error {
	index, err := l.index()
	if err != nil {
		return err
	}
	var tags []string
	for _, d := range index.Manifests {
		if t := tagOf(d); t > last {
			tags = append(tags, t)
		}
	}
	slices.Sort(tags)
	return fn(tags)
}

// Predecessors answers the manifests whose subject is d.
func (l *layout) Predecessors(ctx context.Context, d ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	var found []ocispec.Descriptor
	for _, m := range index.Manifests {
		raw, err := content.FetchAll(ctx, l.Storage, ocispec.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size})
		if err != nil {
			return nil, err
		}
		var head struct {
			ArtifactType string              `json:"artifactType"`
			Config       ocispec.Descriptor  `json:"config"`
			Subject      *ocispec.Descriptor `json:"subject"`
			Annotations  map[string]string   `json:"annotations"`
		}
		if json.Unmarshal(raw, &head) != nil || head.Subject == nil || head.Subject.Digest != d.Digest {
			continue
		}
		if head.ArtifactType == "" {
			head.ArtifactType = head.Config.MediaType
		}
		found = append(found, ocispec.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size, ArtifactType: head.ArtifactType, Annotations: head.Annotations})
	}
	return found, nil
}

// untag removes a tag; the manifest stays reachable by its digest.
func (l *layout) untag(tag string) error {
	found := false
	err := l.change(func(all []ocispec.Descriptor) []ocispec.Descriptor {
		for i, d := range all {
			if tagOf(d) != tag {
				continue
			}
			found = true
			others := slices.ContainsFunc(all, func(e ocispec.Descriptor) bool { return e.Digest == d.Digest && tagOf(e) != tag })
			if all = slices.Delete(all, i, i+1); !others {
				d.Annotations = nil
				all = append(all, d)
			}
			break
		}
		return all
	})
	if err == nil && !found {
		err = fmt.Errorf("%s: %w", tag, errdef.ErrNotFound)
	}
	return err
}

// removeManifest removes a manifest and its tags.
func (l *layout) removeManifest(ctx context.Context, d digest.Digest) error {
	found, err := l.Resolve(ctx, d.String())
	if err != nil {
		return err
	}
	if err := l.change(func(all []ocispec.Descriptor) []ocispec.Descriptor {
		return slices.DeleteFunc(all, func(e ocispec.Descriptor) bool { return e.Digest == d })
	}); err != nil {
		return err
	}
	return l.Delete(ctx, found)
}

func isManifest(mediaType string) bool {
	switch mediaType {
	case ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex,
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json":
		return true
	}
	return false
}

// pushBytes stores what is in memory and answers what it is.
func pushBytes(ctx context.Context, to content.Pusher, mediaType, artifactType string, data []byte) (ocispec.Descriptor, error) {
	d := content.NewDescriptorFromBytes(mediaType, data)
	d.ArtifactType = artifactType
	err := to.Push(ctx, d, bytes.NewReader(data))
	if errors.Is(err, errdef.ErrAlreadyExists) {
		err = nil
	}
	return d, err
}
