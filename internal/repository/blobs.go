package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
)

// ingest is the folder of blobs that are being written, below a layout's.
const ingest = "ingest"

// path is the file of a blob, there or not.
func (l *layout) path(d digest.Digest) string {
	return filepath.Join(l.dir, ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// put stores a blob. What bears a digest's name is whole, and when put has returned
// it lasts, also after a loss of power. The library's own Push does not promise that.
func (l *layout) put(_ context.Context, d ocispec.Descriptor, r io.Reader) error {
	if err := d.Digest.Validate(); err != nil {
		return fmt.Errorf("%w: %w", errdef.ErrInvalidDigest, err)
	}
	if l.spared(d.Digest) {
		return fmt.Errorf("%s: %w", d.Digest, errdef.ErrAlreadyExists)
	}
	return l.store(d, r)
}

// store is put for what is not there.
func (l *layout) store(d ocispec.Descriptor, r io.Reader) error {
	target, coming := l.path(d.Digest), filepath.Join(l.dir, ingest)
	for _, dir := range []string{filepath.Dir(target), coming} {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // packages are for others to read
			return fmt.Errorf("store %s: %w", d.Digest, err)
		}
	}
	f, err := os.CreateTemp(coming, "")
	if err != nil {
		return fmt.Errorf("store %s: %w", d.Digest, err)
	}
	checked := content.NewVerifyReader(r, d)
	if _, err = io.Copy(f, checked); err == nil {
		err = checked.Verify()
	}
	err = errors.Join(err, f.Chmod(0o444), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("store %s: %w", d.Digest, err), os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(target))
}

// Exists reports whether a blob is there, and that it is wanted: who asks leaves out
// what is there of what they push.
func (l *layout) Exists(_ context.Context, d ocispec.Descriptor) (bool, error) {
	if err := d.Digest.Validate(); err != nil {
		return false, fmt.Errorf("%w: %w", errdef.ErrInvalidDigest, err)
	}
	return l.spared(d.Digest), nil
}

// spared is touch for who does not hold the lock. A sweep that is under way may have found
// the blob old already: it is waited for.
func (l *layout) spared(d digest.Digest) bool {
	if unlock, err := l.lock(); err == nil { // not where the folder is only read
		defer func() { _ = unlock() }()
	}
	return l.touch(d)
}

// touch makes a blob young, so that a sweep spares it until what needs it is pushed,
// and reports whether it is there.
func (l *layout) touch(d digest.Digest) bool {
	now := time.Now()
	if os.Chtimes(l.path(d), now, now) == nil {
		return true
	}
	_, err := os.Stat(l.path(d)) // somebody else's file
	return err == nil
}

// parts is what a manifest or an index refers to.
type parts struct {
	Config    *ocispec.Descriptor  `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
	Manifests []ocispec.Descriptor `json:"manifests"`
	Subject   *ocispec.Descriptor  `json:"subject"`
}

func readParts(raw []byte) (p parts, err error) {
	err = json.Unmarshal(raw, &p)
	return p, err
}

// all are the parts that it is not whole without.
func (p parts) all() []ocispec.Descriptor {
	all := slices.Concat(p.Layers, p.Manifests)
	if p.Config != nil {
		all = append(all, *p.Config)
	}
	return all
}
