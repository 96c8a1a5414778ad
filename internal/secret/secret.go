// Package secret seals credentials and private keys, so that the database alone
// gives nothing away.
package secret

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
)

// Sealer seals values with the current master key, and opens what any key that it knows
// has sealed. It is safe for concurrent use.
type Sealer struct {
	ring  atomic.Pointer[Ring]
	learn func(context.Context) error
}

// Ring is the keys that a sealer knows: all open, the current one seals.
type Ring struct {
	Current *Key
	Other   *Key   // that the current one replaces, or nil
	Former  []*Key // that only this process still knows: what it has read before may be sealed with them
}

func (r *Ring) all() []*Key {
	keys := []*Key{r.Current}
	if r.Other != nil {
		keys = append(keys, r.Other)
	}
	return append(keys, r.Former...)
}

// After has a ring go on to know the keys of the one before it.
func (r *Ring) After(before *Ring) {
	for _, k := range before.all() {
		if r.Find(k.ID()) == nil {
			r.Former = append(r.Former, k)
		}
	}
}

// Find answers the key with an id, or nil.
func (r *Ring) Find(id string) *Key {
	for _, k := range r.all() {
		if k.ID() == id {
			return k
		}
	}
	return nil
}

// NewSealer returns one that knows one key. What is sealed with a key that it does not
// know has it call learn, unless that is nil, which may give it another ring.
func NewSealer(key *Key, learn func(context.Context) error) *Sealer {
	s := &Sealer{learn: learn}
	s.Use(&Ring{Current: key})
	return s
}

// Use has it go on with other keys.
func (s *Sealer) Use(r *Ring) { s.ring.Store(r) }

// Ring answers the keys that it knows.
func (s *Sealer) Ring() *Ring { return s.ring.Load() }

// Seal encrypts a value. identity names the row that it belongs to: sealed values
// cannot be moved to another row.
func (s *Sealer) Seal(value []byte, identity string) ([]byte, error) {
	return s.Ring().Current.Seal(value, identity)
}

// Unseal decrypts what Seal made for the same identity.
func (s *Sealer) Unseal(ctx context.Context, sealed []byte, identity string) ([]byte, error) {
	id := KeyID(sealed)
	key := s.Ring().Find(id)
	if key == nil && id != "" && s.learn != nil {
		if err := s.learn(ctx); err != nil {
			return nil, fmt.Errorf("unseal %s: look for the master key %s: %w", identity, id, err)
		}
		key = s.Ring().Find(id)
	}
	if key == nil { // it says so
		key = s.Ring().Current
	}
	return key.Unseal(sealed, identity)
}

// NewToken returns a token that cannot be guessed.
func NewToken() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

// WriteNew writes a file readable only by its owner. It is written whole or not at
// all, and an existing file is left as it is: the error is fs.ErrExist.
func WriteNew(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// CheckPrivate refuses a file that others than its owner can read or write.
func CheckPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return private(path, info)
}

func private(path string, info os.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s can be read by others (mode %#o); run: chmod 600 %s", path, mode, path)
	}
	return nil
}
