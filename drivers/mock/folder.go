package mock

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// held is what the objects of the cloud hold, such as the messages of a queue: a folder for
// each, with a file for each thing in it. It is on the disk before a call is answered.
type held[T any] struct {
	dir string // below the folder of the journal

	mu      sync.Mutex
	folders map[string]*folder[T]
}

func newHeld[T any](dir, kind string) *held[T] {
	return &held[T]{dir: filepath.Join(dir, "mock-data", kind), folders: map[string]*folder[T]{}}
}

// of is the folder of one object, which is read when it is first asked for.
func (h *held[T]) of(id string) (*folder[T], error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.folders[id]; f != nil {
		return f, nil
	}
	f := &folder[T]{path: filepath.Join(h.dir, id), things: map[string]T{}}
	if err := f.read(); err != nil {
		return nil, lostData(err)
	}
	h.folders[id] = f
	return f, nil
}

// heldBy is what an object holds that a call is about, with the object's spec.
func heldBy[S, T, D any](ctx context.Context, t table[S, T], h *held[D], do, id string) (*folder[D], S, error) {
	if err := t.call(ctx, do); err != nil {
		var none S
		return nil, none, err
	}
	spec, err := t.specNow(id)
	if err != nil {
		return nil, spec, err
	}
	f, err := h.of(id)
	return f, spec, err
}

// drop removes a folder with all that is in it.
func (h *held[T]) drop(id string) error {
	f, err := h.of(id)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(h.folders, id)
	clear(f.things)
	return lostData(os.RemoveAll(f.path))
}

// folder is what one object holds, by names that can be those of files. Whoever uses it
// holds mu.
type folder[T any] struct {
	path string

	mu     sync.Mutex
	things map[string]T
}

const recordSuffix = ".json"

func (f *folder[T]) read() error {
	entries, err := os.ReadDir(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		name, isRecord := strings.CutSuffix(entry.Name(), recordSuffix)
		if !isRecord {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(f.path, entry.Name()))
		if err != nil {
			return err
		}
		var thing T
		if err := json.Unmarshal(raw, &thing); err != nil {
			return err
		}
		f.things[name] = thing
	}
	return nil
}

// put keeps a thing, whole or not at all.
func (f *folder[T]) put(name string, thing T) error {
	raw, err := json.Marshal(thing)
	if err != nil {
		return lostData(err)
	}
	next, err := f.temporary()
	if err != nil {
		return lostData(err)
	}
	_, err = next.Write(raw)
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), filepath.Join(f.path, name+recordSuffix))
	}
	if err != nil {
		return errors.Join(lostData(err), os.Remove(next.Name()))
	}
	f.things[name] = thing
	return nil
}

// temporary is a new file that is to become one of the folder.
func (f *folder[T]) temporary() (*os.File, error) {
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return nil, err
	}
	return os.CreateTemp(f.path, "new-*")
}

// remove forgets a thing, with its data if it has some.
func (f *folder[T]) remove(name string) error {
	delete(f.things, name)
	for _, file := range []string{name + recordSuffix, name} {
		if err := os.Remove(filepath.Join(f.path, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return lostData(err)
		}
	}
	return nil
}

// lostData is the cloud's answer when its disk fails.
func lostData(err error) error {
	if err == nil {
		return nil
	}
	return refuse(resource.CodeUnavailable, "StorageFailure", "the mock cloud cannot keep its data: %v; free some space and try again", err)
}
