package people

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// How wrong passwords are slowed down: after the first few each locks the user for longer.
const (
	freeTries = 5
	firstLock = 15 * time.Second
	mostLock  = 15 * time.Minute
)

// lockAfter is how long a user is locked after so many wrong passwords in a row.
func lockAfter(failures int) time.Duration {
	if failures < freeTries {
		return 0
	}
	return min(firstLock<<min(failures-freeTries, 10), mostLock)
}

// noLogin is the one answer to all who are not let in, so that nobody learns who there is.
func noLogin() error {
	return resource.Errorf(resource.CodeUnauthenticated, "the name, the password or the code is wrong, or the user is disabled, or locked for up to %s after wrong passwords; who manages this server's users can unlock it: mcic user update NAME --unlock", mostLock)
}

// CheckLogin refuses who does not know a user's password, and the code if the user has a second
// step.
func (p *People) CheckLogin(ctx context.Context, name, password, code string) error {
	row, err := p.knows(ctx, name, password)
	if err != nil {
		return err
	}
	if row.TOTPOn && code == "" {
		_ = p.refuseLogin(ctx, name, "the right password, without the code of the second step") // for the audit trail
		return codeRefused("is required: give the code that the authenticator app shows, or a recovery code")
	}
	entry := store.Audit{Who: name, Verb: verbLogin, Kind: Person, Name: name}
	if row.TOTPOn {
		if row, err = p.try(ctx, name); err != nil { // a wrong code is a wrong password
			return p.refused(ctx, name, err)
		}
	}
	err = p.Store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
		if row.TOTPOn {
			if entry.Detail, err = p.useCode(ctx, q, row, code); err != nil {
				return err
			}
		}
		row.Failures, row.LockedUntil, row.LoginAt = 0, 0, store.MicrosOf(time.Now())
		if err := q.UpdateUser(ctx, row, "failures", "locked_until", "login_at"); err != nil {
			return err
		}
		return q.Note(ctx, entry, nil)
	})
	if resource.CodeOf(err) == resource.CodeUnauthenticated {
		_ = p.refuseLogin(ctx, name, "wrong code, or one that was used before") // for the audit trail
		return codeRefused("is wrong, or was used before; give the next one that the authenticator app shows, or a recovery code")
	}
	return err
}

// try counts a try to log in before it is looked at, on whichever server, so that many at once are
// no way around being locked. It refuses who is locked.
func (p *People) try(ctx context.Context, name string) (row *store.User, err error) {
	now := time.Now()
	err = p.Store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
		if row, err = q.User(ctx, name); err != nil {
			return err
		}
		// A lock that would end later than any is of a clock that was wrong, and is none.
		if until := row.LockedUntil.Time(); now.Before(until) && until.Before(now.Add(mostLock+time.Minute)) {
			return resource.Errorf(resource.CodeThrottled, "locked")
		}
		row.Failures++
		row.LockedUntil = 0
		if lock := lockAfter(row.Failures); lock > 0 {
			row.LockedUntil = store.MicrosOf(now.Add(lock))
		}
		return q.UpdateUser(ctx, row, "failures", "locked_until")
	})
	return row, err
}

// refused says no to who may not try.
func (p *People) refused(ctx context.Context, name string, err error) error {
	switch resource.CodeOf(err) {
	case resource.CodeNotFound:
		return p.refuseLogin(ctx, name, "there is no such user")
	case resource.CodeThrottled:
		return p.refuseLogin(ctx, name, "locked")
	}
	return err
}

// knows refuses who does not know a user's password. Who knows it has counted as no wrong try.
func (p *People) knows(ctx context.Context, name, password string) (*store.User, error) {
	row, err := p.try(ctx, name)
	if err != nil {
		p.hashing.matches(password, "") // or else the time that it takes would tell who there is
		return nil, p.refused(ctx, name, err)
	}
	if !p.hashing.matches(password, row.Password) || row.Disabled {
		return nil, p.refuseLogin(ctx, name, "wrong password, or disabled")
	}
	return row, p.Store.Update(ctx, func(ctx context.Context, q *store.Queries) error { return q.NotWrong(ctx, row) })
}

// What the audit trail calls coming and going.
const (
	verbLogin  = "login"
	verbLogout = "logout"
)

// refuseLogin records that nobody was let in, and why, which only the audit trail says.
func (p *People) refuseLogin(ctx context.Context, name, why string) error {
	refused := noLogin()
	p.Store.NoteAfter(ctx, p.Logger, store.Audit{
		Who: cut(name), Verb: verbLogin, Kind: Person, Name: cut(name), Outcome: string(resource.CodeUnauthenticated), Detail: why,
	}, nil)
	return refused
}

// cut is a name as somebody gave it who may be anybody.
func cut(name string) string {
	if runes := []rune(name); len(runes) > 64 {
		return string(runes[:64])
	}
	return name
}

// Session is a login in a browser.
type Session struct {
	Who   Who
	Until time.Time
}

// StartLogin sets the cookie of a user's new login.
func (p *People) StartLogin(w http.ResponseWriter, r *http.Request, name, password, code string) (s Session, err error) {
	if !p.Sessions.Own(r) {
		return s, noLogin()
	}
	if err := p.CheckLogin(r.Context(), name, password, code); err != nil {
		return s, err
	}
	text, until := rand.Text()+rand.Text(), time.Now().Add(auth.SessionLife).Truncate(time.Second)
	err = p.Store.Update(r.Context(), func(ctx context.Context, q *store.Queries) error {
		return q.InsertLogin(ctx, &store.UserLogin{Hash: hashed(text), User: name, Purpose: store.PurposeLogin, Until: store.MicrosOf(until)})
	})
	if err == nil {
		http.SetCookie(w, auth.Cookie(r, loginCookie, text, auth.SessionLife))
	}
	return Session{Who{Name: name, User: name}, until}, err
}

// SessionOf answers the login of a request's browser, and whether it has one.
func (p *People) SessionOf(r *http.Request) (Session, bool, error) {
	if until, ok, err := p.Sessions.Until(r); ok || err != nil {
		return Session{Who{Name: auth.Admin}, until}, ok, err
	}
	login, err := p.login(r)
	if login == nil || err != nil {
		return Session{}, false, err
	}
	return Session{Who{Name: login.User, User: login.User, Login: login.Hash}, login.Until.Time()}, true, nil
}

// EndLogin logs the request's browser out. Of a login by single sign-on it answers where the
// browser ends that at the provider, to come back to a page, or "".
func (p *People) EndLogin(w http.ResponseWriter, r *http.Request, page string) (provider string, err error) {
	login, err := p.recorded(r)
	if err != nil {
		return "", err
	}
	if login != nil && p.Sessions.Own(r) {
		err := p.Store.Update(r.Context(), func(ctx context.Context, q *store.Queries) error { return q.EndLogins(ctx, login.User, login.Hash) })
		if err != nil {
			return "", err
		}
		if len(login.Sealed) > 0 && p.SSO != nil {
			kept, err := p.kept(r.Context(), login)
			if err == nil {
				provider, err = p.SSO.EndSession(r.Context(), kept, page)
			}
			if err != nil { // the login here has ended
				p.Logger.Warn("a login has ended here, and not at the provider of single sign-on", "user", login.User, "error", err)
			}
		}
	}
	if _, err := r.Cookie(loginCookie); err == nil {
		http.SetCookie(w, auth.Cookie(r, loginCookie, "", -time.Second))
	}
	return provider, p.Sessions.End(w, r)
}
