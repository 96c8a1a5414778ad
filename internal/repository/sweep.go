package repository

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Swept is what a sweep has removed.
type Swept struct {
	Manifests int   `json:"manifests"`
	Blobs     int   `json:"blobs"` // manifests among them
	Uploads   int   `json:"uploads"`
	Bytes     int64 `json:"bytes"` // of the blobs
}

// Sweep removes from a folder of OCI image layouts the blobs that no manifest needs
// and the uploads that did not end; with untagged also the manifests that no tag leads
// to, except signatures of those that are kept. What is younger than age stays: what
// is being pushed needs some of it in a moment. The folder may be served and pushed
// to meanwhile. A kill in the middle leaves more than is needed, and nothing less.
func Sweep(dir string, age time.Duration, untagged bool) (Swept, error) {
	cutoff := time.Now().Add(-age)
	names, err := layouts(dir)
	if err != nil {
		return Swept{}, fmt.Errorf("look for packages in %s: %w", dir, err)
	}
	var all Swept
	for _, name := range names {
		l, err := openLayout(filepath.Join(dir, filepath.FromSlash(name)), false)
		if err != nil {
			return all, err
		}
		if err := l.sweep(cutoff, untagged, &all); err != nil {
			return all, fmt.Errorf("sweep %s: %w", name, err)
		}
	}
	n, err := removeOlder(filepath.Join(dir, uploads), cutoff)
	all.Uploads += n
	return all, err
}

func (l *layout) sweep(cutoff time.Time, untagged bool, swept *Swept) error {
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	index, err := l.index()
	if err != nil {
		return err
	}
	needed := needs{layout: l, digests: map[digest.Digest]bool{}}
	for _, m := range index.Manifests {
		if !untagged || tagOf(m) != "" || !older(l.path(m.Digest), cutoff) {
			if err := needed.add(m); err != nil {
				return err
			}
		}
	}
	if err := needed.addReferrers(index.Manifests); err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(index.Manifests), func(m ocispec.Descriptor) bool { return !needed.digests[m.Digest] })
	if gone := len(index.Manifests) - len(kept); gone > 0 { // before their blobs go
		if err := l.rewrite(func([]ocispec.Descriptor) []ocispec.Descriptor { return kept }); err != nil {
			return err
		}
		swept.Manifests += gone
	}
	blobs, err := filepath.Glob(filepath.Join(l.dir, ocispec.ImageBlobsDir, "*", "*"))
	if err != nil {
		return err
	}
	for _, blob := range blobs {
		d := digest.NewDigestFromEncoded(digest.Algorithm(filepath.Base(filepath.Dir(blob))), filepath.Base(blob))
		info, err := os.Stat(blob)
		if err != nil {
			return err
		}
		if needed.digests[d] || info.ModTime().After(cutoff) {
			continue
		}
		if err := os.Remove(blob); err != nil {
			return err
		}
		swept.Blobs++
		swept.Bytes += info.Size()
	}
	n, err := removeOlder(filepath.Join(l.dir, ingest), cutoff)
	swept.Uploads += n
	return err
}

// needs are the blobs that manifests lead to.
type needs struct {
	layout  *layout
	digests map[digest.Digest]bool
}

// add adds a manifest with all that it refers to. One that is not here leads nowhere.
func (n needs) add(m ocispec.Descriptor) error {
	if n.digests[m.Digest] {
		return nil
	}
	n.digests[m.Digest] = true
	p, err := n.layout.parts(m.Digest)
	if err != nil {
		return err
	}
	for _, part := range p.all() {
		if isManifest(part.MediaType) {
			if err := n.add(part); err != nil {
				return err
			}
		}
		n.digests[part.Digest] = true
	}
	return nil
}

// addReferrers adds what refers to something that is needed, such as its signature.
func (n needs) addReferrers(all []ocispec.Descriptor) error {
	for again := true; again; {
		again = false
		for _, m := range all {
			if n.digests[m.Digest] {
				continue
			}
			p, err := n.layout.parts(m.Digest)
			if err != nil {
				return err
			}
			if p.Subject == nil || !n.digests[p.Subject.Digest] {
				continue
			}
			if err := n.add(m); err != nil {
				return err
			}
			again = true
		}
	}
	return nil
}

// parts reads what a manifest refers to, nothing if it is not here.
func (l *layout) parts(d digest.Digest) (parts, error) {
	if err := d.Validate(); err != nil {
		return parts{}, err
	}
	raw, err := os.ReadFile(l.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return parts{}, nil
	}
	if err != nil {
		return parts{}, err
	}
	p, err := readParts(raw)
	if err != nil {
		return parts{}, fmt.Errorf("the manifest %s is broken, so that nobody knows what it needs; push it again or delete it: %w", d, err)
	}
	return p, nil
}

// older reports whether a file was last written before a time; one that is not there was.
func older(path string, than time.Time) bool {
	info, err := os.Stat(path)
	return err != nil || info.ModTime().Before(than)
}

// removeOlder removes the files of a folder that were last written before a time.
func removeOlder(dir string, than time.Time) (removed int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !older(path, than) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // it may just have ended
			return removed, err
		}
		removed++
	}
	return removed, nil
}
