package auth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// TokenOff in the file of the admin token lets nobody in with it.
const TokenOff = "off"

// AdminToken is the admin token as its file has it at each moment: a new one is good at once, and
// the old one no more, without a restart.
type AdminToken struct {
	dir string

	mu    sync.Mutex
	token Token
	at    time.Time // when the file was written that it is of
	size  int64
}

// OpenAdminToken reads the admin token of a data folder, as OpenToken does.
func OpenAdminToken(dir string) (admin *AdminToken, created bool, err error) {
	a := &AdminToken{dir: dir}
	if a.token, created, err = OpenToken(dir); err != nil {
		return nil, false, err
	}
	if info, err := os.Stat(filepath.Join(dir, TokenFile)); err == nil {
		a.at, a.size = info.ModTime(), info.Size()
	}
	return a, created, nil
}

// Token answers the token that there is now. While its file cannot be used, such as one that
// others can read, there is none.
func (a *AdminToken) Token() Token {
	a.mu.Lock()
	defer a.mu.Unlock()
	info, err := os.Stat(filepath.Join(a.dir, TokenFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.token, a.at, a.size = Token{}, time.Time{}, 0
	case err != nil: // whatever it is passes, or shows elsewhere
	case !info.ModTime().Equal(a.at) || info.Size() != a.size:
		a.at, a.size = info.ModTime(), info.Size()
		if a.token, err = readToken(a.dir); err != nil {
			a.token = Token{}
		}
	}
	return a.token
}
