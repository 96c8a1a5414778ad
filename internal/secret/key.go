package secret

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrNoKey is the error where a key is looked for and nothing is.
var ErrNoKey = errors.New("there is no master key")

// MaxKey is how many bytes a key has at most, as it is written.
const MaxKey = 64 << 10

// A sealed value begins with a byte of Tink's and the id of its key.
// https://developers.google.com/tink/wire-format#tink_output_prefix
const (
	idMark = 0x01
	idEnd  = 5
)

// Key is a master key, a Tink keyset.
type Key struct {
	id   string
	text []byte // JSON
	aead tink.AEAD
}

// NewKey makes one.
func NewKey() (*Key, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make a master key: %w", err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b)); err != nil {
		return nil, fmt.Errorf("make a master key: %w", err)
	}
	return ParseKey(b.Bytes())
}

// ParseKey reads one as it is written in a file. Its error shows nothing of the text.
func ParseKey(text []byte) (*Key, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, ErrNoKey
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, errors.New("what is there is no master key; one is made with: mcic server keygen") // its error may show what it has read
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("what is there is a key of another sort; a master key is made with: mcic server keygen")
	}
	primary, err := handle.Primary()
	if err != nil {
		return nil, fmt.Errorf("use the master key: %w", err)
	}
	prefix := binary.BigEndian.AppendUint32([]byte{idMark}, primary.KeyID())
	k := &Key{id: KeyID(prefix), text: text, aead: primitive}
	probe, err := k.Seal(nil, "")
	if err != nil {
		return nil, err
	}
	if KeyID(probe) != k.id {
		return nil, errors.New("what is there is a key that does not mark what it seals; a master key is made with: mcic server keygen")
	}
	return k, nil
}

// ReadKey reads one from a file. Without the file, or with nothing in it, the error is
// ErrNoKey.
func ReadKey(path string) (*Key, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the operator chooses where the key lies
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w at %s", ErrNoKey, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the master key: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err == nil {
		err = private(path, info)
	}
	if err != nil {
		return nil, fmt.Errorf("open the master key: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxKey))
	if err != nil {
		return nil, fmt.Errorf("read the master key: %w", err)
	}
	k, err := ParseKey(text)
	switch {
	case errors.Is(err, ErrNoKey):
		return nil, fmt.Errorf("%w in %s: the file is empty", ErrNoKey, path)
	case err != nil:
		return nil, fmt.Errorf("read the master key in %s: %w", path, err)
	}
	return k, nil
}

// ID names the key, and says nothing else of it.
func (k *Key) ID() string { return k.id }

// Text is the key as it is written in a file.
func (k *Key) Text() []byte { return k.text }

// Seal encrypts a value for an identity.
func (k *Key) Seal(value []byte, identity string) ([]byte, error) {
	sealed, err := k.aead.Encrypt(value, []byte(identity))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", identity, err)
	}
	return sealed, nil
}

// Unseal decrypts what Seal made for the same identity.
func (k *Key) Unseal(sealed []byte, identity string) ([]byte, error) {
	value, err := k.aead.Decrypt(sealed, []byte(identity))
	if err != nil {
		return nil, fmt.Errorf("unseal %s: the master key is not the one that it was sealed with, or the value was changed: %w", identity, err)
	}
	return value, nil
}

// Prefix is what all values begin with that a key seals.
func Prefix(id string) []byte {
	raw, err := hex.DecodeString(id)
	if err != nil {
		return nil
	}
	return append([]byte{idMark}, raw...)
}

// KeyID answers the id of the key that a value was sealed with, or "" of what is none.
func KeyID(sealed []byte) string {
	if len(sealed) < idEnd || sealed[0] != idMark {
		return ""
	}
	return hex.EncodeToString(sealed[1:idEnd])
}
