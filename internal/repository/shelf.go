package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Entry is an installed version of a driver.
type Entry struct {
	Name        string    `json:"name"`
	Version     string    `json:"version"`
	Repository  string    `json:"repository"`
	Digest      string    `json:"digest"` // of the package
	Platform    string    `json:"platform"`
	Key         string    `json:"key,omitempty"` // fingerprint of the key that it was verified with
	Files       string    `json:"files"`         // digest of what was unpacked
	InstalledAt time.Time `json:"installedAt"`
}

// Shelf holds the installed drivers of a data folder, each version in a folder that
// is named after its digest. The file drivers.lock.json says what is there; what it
// does not name does not count, so that a kill in the middle of an installation
// leaves the shelf as it was. Several processes can use one shelf.
type Shelf struct{ dir string }

const (
	lockFileName = "drivers.lock.json"
	stagePrefix  = ".stage-"
)

// OpenShelf opens the shelf in a folder, which is made if it is not there.
func OpenShelf(dir string) (*Shelf, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of installed drivers: %w", err)
	}
	return &Shelf{dir}, nil
}

// Dir is the folder of an installed package.
func (s *Shelf) Dir(e Entry) string {
	return filepath.Join(s.dir, e.Name+"-"+strings.TrimPrefix(e.Digest, "sha256:"))
}

// Executable is the driver's program.
func (s *Shelf) Executable(e Entry) string { return filepath.Join(s.Dir(e), prefix+e.Name) }

// Entries answers what is installed.
func (s *Shelf) Entries() ([]Entry, error) {
	raw, err := os.ReadFile(filepath.Join(s.dir, lockFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which drivers are installed: %w", err)
	}
	var file struct {
		Drivers []Entry `json:"drivers"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("read which drivers are installed: %s is broken: %w; move it away, and the drivers are installed anew", filepath.Join(s.dir, lockFileName), err)
	}
	return file.Drivers, nil
}

// Find answers the entry of a package, if it is installed.
func (s *Shelf) Find(name, digest string) (Entry, bool, error) {
	entries, err := s.Entries()
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name && e.Digest == digest })
	if err != nil || i < 0 {
		return Entry{}, false, err
	}
	return entries[i], true, nil
}

// Check tells whether the files of an entry are still those that were installed.
func (s *Shelf) Check(e Entry) error {
	files, err := hashFolder(s.Dir(e))
	if err == nil && files == e.Files {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("they have the digest %s, and had %s", files, e.Files)
	}
	return resource.Errorf(resource.CodeDenied, "the files of the driver %s %s in %s are not those that were installed, and it is not started: %w; find out who changed them, then install it anew with: mcic driver remove %[1]s, mcic driver install %[1]s", e.Name, e.Version, s.Dir(e), err)
}

// Install fetches a release for this platform and puts it on the shelf. One that is
// there already is checked and left as it is. key is what its signature was verified
// with, nil without one.
func (s *Shelf) Install(ctx context.Context, r *Repository, release *Release, key *PublicKey, tell Tell) (Entry, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return Entry{}, err
	}
	defer func() { _ = unlock() }()
	e := Entry{
		Name: release.Description.Name, Version: release.Description.Version, Repository: r.Name(), Digest: release.Digest,
		Platform: Platform(), InstalledAt: time.Now().UTC().Truncate(time.Second),
	}
	if key != nil {
		e.Key = key.Fingerprint()
	}
	if have, ok, err := s.Find(e.Name, e.Digest); err != nil {
		return Entry{}, err
	} else if ok && s.Check(have) == nil {
		return have, nil
	}
	// Nobody else holds the lock: what a kill or a full disk has left can go.
	if err := s.sweep(); err != nil {
		return Entry{}, err
	}
	stage, err := os.MkdirTemp(s.dir, stagePrefix)
	if err != nil {
		return Entry{}, fmt.Errorf("install %s: %w", release.label(), err)
	}
	defer func() { _ = removeFolder(stage) }()
	unpacked := filepath.Join(stage, "driver")
	if err := os.Mkdir(unpacked, 0o700); err != nil {
		return Entry{}, err
	}
	if err := r.Pull(ctx, release, e.Platform, unpacked, tell); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return Entry{}, resource.Errorf(resource.CodeUnavailable, "install %s: the disk with %s is full; nothing was changed: free some space and try again", release.label(), s.dir)
		}
		return Entry{}, err
	}
	if e.Files, err = hashFolder(unpacked); err != nil {
		return Entry{}, err
	}
	if err := syncFolder(unpacked); err != nil {
		return Entry{}, err
	}
	if err := removeFolder(s.Dir(e)); err != nil { // of an installation that was not recorded, or was altered
		return Entry{}, err
	}
	if err := os.Rename(unpacked, s.Dir(e)); err != nil {
		return Entry{}, fmt.Errorf("install %s: %w", release.label(), err)
	}
	if err := syncFolder(s.dir); err != nil {
		return Entry{}, err
	}
	return e, s.record(func(entries []Entry) []Entry {
		return append(slices.DeleteFunc(entries, func(o Entry) bool { return o.Name == e.Name && o.Digest == e.Digest }), e)
	})
}

// Keep removes the versions of a driver that are not among digests.
func (s *Shelf) Keep(ctx context.Context, name string, digests ...string) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	var gone []Entry
	if err := s.record(func(entries []Entry) []Entry {
		return slices.DeleteFunc(entries, func(e Entry) bool {
			if e.Name != name || slices.Contains(digests, e.Digest) {
				return false
			}
			gone = append(gone, e)
			return true
		})
	}); err != nil {
		return err
	}
	var errs []error
	for _, e := range gone {
		errs = append(errs, removeFolder(s.Dir(e)))
	}
	return errors.Join(errs...)
}

// record rewrites the lock file. The shelf is locked.
func (s *Shelf) record(edit func([]Entry) []Entry) error {
	entries, err := s.Entries()
	if err != nil {
		return err
	}
	entries = edit(entries)
	slices.SortFunc(entries, func(a, b Entry) int {
		if n := strings.Compare(a.Name, b.Name); n != 0 {
			return n
		}
		return CompareVersions(a.Version, b.Version)
	})
	if entries == nil {
		entries = []Entry{}
	}
	raw, err := json.MarshalIndent(map[string]any{"drivers": entries}, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(s.dir, lockFileName), append(raw, '\n'))
}

// lock waits until no other process changes the shelf.
func (s *Shelf) lock(ctx context.Context) (unlock func() error, err error) {
	type result struct {
		unlock func() error
		err    error
	}
	done := make(chan result, 1)
	go func() {
		unlock, err := lockFile(filepath.Join(s.dir, ".lock"))
		done <- result{unlock, err}
	}()
	select {
	case r := <-done:
		return r.unlock, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = r.unlock()
			}
		}()
		return nil, resource.Errorf(resource.CodeUnavailable, "another installation is still running: %w", ctx.Err())
	}
}

// sweep removes what installations that did not end have left.
func (s *Shelf) sweep() error {
	stages, err := filepath.Glob(filepath.Join(s.dir, stagePrefix+"*"))
	for _, stage := range stages {
		err = errors.Join(err, removeFolder(stage))
	}
	return err
}

// removeFolder removes a folder whatever the modes of what is in it.
func removeFolder(dir string) error {
	err := os.RemoveAll(dir)
	if err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}
