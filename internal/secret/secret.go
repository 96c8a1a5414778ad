// Package secret seals credentials and private keys, so that the database alone
// gives nothing away.
package secret

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Sealer seals values with the master key. It is safe for concurrent use.
type Sealer struct{ aead tink.AEAD }

// Open reads the master key, a tink keyset in JSON. If the file does not exist it
// is created, readable only by its owner.
func Open(path string) (*Sealer, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator chooses where the key lies
	if errors.Is(err, fs.ErrNotExist) {
		if raw, err = newKeyset(); err != nil {
			return nil, fmt.Errorf("make a master key: %w", err)
		}
		err = WriteNew(path, raw)
		if errors.Is(err, fs.ErrExist) { // another server was first
			raw, err = os.ReadFile(path) //nolint:gosec // as above
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the master key: %w", err)
	}
	if err := CheckPrivate(path); err != nil {
		return nil, fmt.Errorf("open the master key: %w", err)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, fmt.Errorf("read the master key in %s: %w", path, err)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("use the master key in %s: %w", path, err)
	}
	return &Sealer{primitive}, nil
}

func newKeyset() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b))
	return b.Bytes(), err
}

// Seal encrypts a value. identity names the row that it belongs to: sealed values
// cannot be moved to another row.
func (s *Sealer) Seal(value []byte, identity string) ([]byte, error) {
	sealed, err := s.aead.Encrypt(value, []byte(identity))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", identity, err)
	}
	return sealed, nil
}

// Unseal decrypts what Seal made for the same identity.
func (s *Sealer) Unseal(sealed []byte, identity string) ([]byte, error) {
	value, err := s.aead.Decrypt(sealed, []byte(identity))
	if err != nil {
		return nil, fmt.Errorf("unseal %s: the master key is not the one that it was sealed with, or the value was changed: %w", identity, err)
	}
	return value, nil
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
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s can be read by others (mode %#o); run: chmod 600 %s", path, mode, path)
	}
	return nil
}
