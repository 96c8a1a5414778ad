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
	path := filepath.Join(dir, TokenFile)
	raw, err := os.ReadFile(path) //nolint:gosec // the operator chooses the data folder
	if errors.Is(err, fs.ErrNotExist) {
		raw, created = []byte(secret.NewToken()+"\n"), true
		err = secret.WriteNew(path, raw)
		if errors.Is(err, fs.ErrExist) { // another server was first
			created = false
			raw, err = os.ReadFile(path) //nolint:gosec // as above
		}
	}
	if err != nil {
		return Token{}, false, fmt.Errorf("open the admin token: %w", err)
	}
	if err := secret.CheckPrivate(path); err != nil {
		return Token{}, false, fmt.Errorf("open the admin token: %w", err)
	}
	text := strings.TrimSpace(string(raw))
	if len(text) < 16 {
		return Token{}, false, fmt.Errorf("the admin token in %s is shorter than 16 characters; remove the file to have a new one made", path)
	}
	return Token{sha256.Sum256([]byte(text))}, created, nil
}

// Matches compares in constant time.
func (t Token) Matches(candidate string) bool {
	sum := sha256.Sum256([]byte(candidate))
	return subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1
}

// Allows reports whether a request carries the token: as a bearer token, or, for
// reading in a browser, as the password of HTTP Basic. Browsers send Basic by
// themselves, so it must not open anything that changes something.
func (t Token) Allows(r *http.Request) bool {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return t.Matches(strings.TrimSpace(token))
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	_, password, ok := r.BasicAuth()
	return ok && t.Matches(password)
}
