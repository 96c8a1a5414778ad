// Package auth decides who may use the server.
package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
)

// TokenFile is the name of the admin token's file in the data folder.
const TokenFile = "token"

// Token is the admin token.
type Token struct{ sum [sha256.Size]byte }

// OpenToken reads the admin token of a data folder. At the first start it is
// created, readable only by its owner.
func OpenToken(dir string) (token Token, created bool, err error) {
	if token, err = readToken(dir); !errors.Is(err, fs.ErrNotExist) {
		return token, false, err
	}
	err = secret.WriteNew(filepath.Join(dir, TokenFile), []byte(secret.NewToken()+"\n"))
	if err != nil && !errors.Is(err, fs.ErrExist) { // another server was first
		return Token{}, false, fmt.Errorf("open the admin token: %w", err)
	}
	created = err == nil
	token, err = readToken(dir)
	return token, created && err == nil, err
}

// readToken reads the admin token, the zero value if it is switched off.
func readToken(dir string) (Token, error) {
	path := filepath.Join(dir, TokenFile)
	raw, err := os.ReadFile(path) //nolint:gosec // the operator chooses the data folder
	if err != nil {
		return Token{}, fmt.Errorf("open the admin token: %w", err)
	}
	if err := secret.CheckPrivate(path); err != nil {
		return Token{}, fmt.Errorf("open the admin token: %w", err)
	}
	text := strings.TrimSpace(string(raw))
	switch {
	case text == TokenOff:
		return Token{}, nil
	case len(text) < 16:
		return Token{}, fmt.Errorf("the admin token in %s is shorter than 16 characters; remove the file to have a new one made", path)
	}
	return Token{sha256.Sum256([]byte(text))}, nil
}

// Presented is what a request gives to be let in: a bearer token, or, for reading in a browser,
// the password of HTTP Basic. Browsers send Basic by themselves, so it must not open anything
// that changes something.
func Presented(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return ""
	}
	_, password, _ := r.BasicAuth()
	return password
}

// Matches compares in constant time.
func (t Token) Matches(candidate string) bool {
	sum := sha256.Sum256([]byte(candidate))
	return subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1
}

// Allows reports whether a request presents the token.
func (t Token) Allows(r *http.Request) bool { return t.Matches(Presented(r)) }
