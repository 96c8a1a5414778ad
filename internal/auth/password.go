package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
)

// Password is the name and password of the one user that programs log in as which
// know no tokens. The zero value lets nobody in.
type Password struct {
	user, password [sha256.Size]byte
	set            bool
}

// NewPassword returns the one of a name and a password. Without both nobody gets in.
func NewPassword(user, password string) (Password, error) {
	if (user == "") != (password == "") {
		return Password{}, errors.New("one is set without the other; set both, or neither")
	}
	return Password{user: sha256.Sum256([]byte(user)), password: sha256.Sum256([]byte(password)), set: user != ""}, nil
}

// Allows reports whether a request carries them, as HTTP Basic. It compares in
// constant time. Browsers send Basic by themselves: whoever uses it for more than
// reading must refuse what another site has a browser send.
func (p Password) Allows(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	u, w := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	same := subtle.ConstantTimeCompare(u[:], p.user[:]) & subtle.ConstantTimeCompare(w[:], p.password[:])
	return ok && p.set && same == 1
}
