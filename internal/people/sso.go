package people

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/sso"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// How long logins by single sign-on go on.
const (
	ssoKept     = time.Hour        // while the provider does not answer, and at all if it cannot be asked again
	ssoClaim    = 15 * time.Second // the time in which one request asks the provider for all others
	ssoWait     = 3 * time.Second  // for that, of those which cannot go on without
	attemptLife = 10 * time.Minute // to log in at the provider
)

// attemptCookie is the name of the cookie that a browser comes back with from the provider.
const attemptCookie = "mcic_sso"

// attempt is what that cookie has, sealed.
type attempt struct {
	sso.Attempt
	Back  string // the page to go on with
	Until time.Time
}

// BeginSSO answers where a browser is to be sent to log in at the provider. It is to come back to
// callback, and go on with a page of this server.
func (p *People) BeginSSO(w http.ResponseWriter, r *http.Request, callback, page string) (location string, err error) {
	if p.SSO == nil {
		return "", noSSO()
	}
	location, began, err := p.SSO.Begin(r.Context(), callback)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(attempt{began, page, time.Now().Add(attemptLife)})
	if err != nil {
		return "", err
	}
	sealed, err := p.Sealer.Seal(raw, attemptCookie)
	if err != nil {
		return "", err
	}
	http.SetCookie(w, ssoCookie(r, base64.RawURLEncoding.EncodeToString(sealed), attemptLife))
	return location, nil
}

// ssoCookie is sent along when the provider's page leads back here, as others are not.
func ssoCookie(r *http.Request, value string, age time.Duration) *http.Cookie {
	c := auth.Cookie(r, attemptCookie, value, age) //nolint:gosec // Secure as all of them, where the browser speaks TLS
	c.SameSite, c.Path = http.SameSiteLaxMode, "/v1/session/sso"
	return c
}

func noSSO() error {
	return resource.Errorf(resource.CodeUnsupported, "this server has no single sign-on; whoever runs it sets that up with --sso-issuer")
}

// FinishSSO logs a browser in that comes back from the provider. It answers the page to go on with.
func (p *People) FinishSSO(w http.ResponseWriter, r *http.Request) (page string, err error) {
	if p.SSO == nil {
		return "", noSSO()
	}
	began, err := p.attempt(r)
	http.SetCookie(w, ssoCookie(r, "", -time.Second))
	if err != nil {
		return "", err
	}
	query := r.URL.Query()
	if refused := query.Get("error"); refused != "" {
		return "", resource.Errorf(resource.CodeUnauthenticated, "the provider of single sign-on has not logged in: %.64q (%.200q); log in again", refused, query.Get("error_description"))
	}
	made, err := p.SSO.Finish(r.Context(), began.Attempt, query.Get("code"))
	if err != nil {
		return "", err
	}
	name, err := p.subject(r.Context(), &made.Identity)
	if err != nil {
		return "", err
	}
	if u := p.known.Load().users[name]; u == nil || u.disabled {
		return "", resource.Errorf(resource.CodeDenied, "the user %s is disabled at this server; whoever manages its users can let it in again: mcic user update %[1]s --enable", name)
	}
	if err := p.learn(r.Context(), name, &made.Identity); err != nil {
		return "", err
	}
	text, now := rand.Text()+rand.Text(), time.Now()
	row := &store.UserLogin{Hash: hashed(text), User: name, Purpose: store.PurposeLogin, Session: made.Session, Until: store.MicrosOf(now.Add(auth.SessionLife))}
	if err := p.keep(row, made); err != nil {
		return "", err
	}
	if made.Kept.Refresh == "" { // it cannot be asked again
		row.FreshUntil, row.Until = 0, store.MicrosOf(now.Add(ssoKept))
	}
	entry := store.Audit{Who: name, Verb: verbLogin, Kind: Person, Name: name, Detail: how(&made.Identity)}
	if err := p.Store.Audited(r.Context(), p.Logger, entry, func(ctx context.Context, q *store.Queries) error {
		if err := q.UpdateUser(ctx, &store.User{Name: name, LoginAt: store.MicrosOf(now)}, "login_at"); err != nil {
			return err
		}
		return q.InsertLogin(ctx, row)
	}); err != nil {
		return "", err
	}
	http.SetCookie(w, auth.Cookie(r, loginCookie, text, time.Until(row.Until.Time())))
	return began.Back, nil
}

// attempt answers what a browser was sent to the provider with, if this is the one.
func (p *People) attempt(r *http.Request) (*attempt, error) {
	wrong := resource.Errorf(resource.CodeUnauthenticated, "this is not the browser, or not the time, in which a login was begun, of which it has %s to be finished; log in again", attemptLife)
	c, err := r.Cookie(attemptCookie)
	if err != nil {
		return nil, wrong
	}
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return nil, wrong
	}
	raw, err := p.Sealer.Unseal(r.Context(), sealed, attemptCookie)
	began := &attempt{}
	if err != nil || json.Unmarshal(raw, began) != nil || time.Now().After(began.Until) ||
		subtle.ConstantTimeCompare([]byte(began.State), []byte(r.URL.Query().Get("state"))) != 1 {
		return nil, wrong
	}
	return began, nil
}

// how says for the audit trail how somebody came in.
func how(id *sso.Identity) string {
	text := "by single sign-on"
	for _, part := range []struct{ name, value string }{{"client", id.Client}, {"session", id.Session}, {"token", id.Token}} {
		if part.value != "" {
			text += fmt.Sprintf(", %s %.100s", part.name, part.value)
		}
	}
	return text
}

// keep has a row of a login say what it is renewed with, and when.
func (p *People) keep(row *store.UserLogin, made *sso.Login) error {
	raw, err := json.Marshal(made.Kept)
	if err != nil {
		return err
	}
	row.Sealed, err = p.Sealer.Seal(raw, row.Identity())
	fresh := made.Fresh
	if most := time.Now().Add(auth.SessionLife); fresh.After(most) {
		fresh = most
	}
	row.FreshUntil, row.KeptUntil = store.MicrosOf(fresh), store.MicrosOf(fresh.Add(ssoKept))
	return err
}

// ahead reports whether a time of a login is still to come: one that lies further ahead than any
// is of a clock that was wrong.
func ahead(at store.Micros, now time.Time) bool {
	return now.Before(at.Time()) && at.Time().Before(now.Add(auth.SessionLife+2*ssoKept))
}

func (p *People) kept(ctx context.Context, row *store.UserLogin) (kept sso.Kept, err error) {
	if len(row.Sealed) == 0 {
		return kept, nil
	}
	raw, err := p.Sealer.Unseal(ctx, row.Sealed, row.Identity())
	if err == nil {
		err = json.Unmarshal(raw, &kept)
	}
	return kept, err
}

// subject answers the user that somebody is whom the provider knows. Who comes for the first time
// is recorded, never as somebody who is there: names can be given anew at the provider, and local
// users may have them.
func (p *People) subject(ctx context.Context, id *sso.Identity) (string, error) {
	for tries := 0; ; tries++ {
		k := p.known.Load()
		if name, there := k.subjects[[2]string{id.Issuer, id.Subject}]; there {
			return name, nil
		}
		row := &store.User{Name: k.free(id.Name), Title: cut(id.Title), Issuer: id.Issuer, Subject: id.Subject, CreatedAt: store.MicrosOf(time.Now())}
		err := p.change(auth.As(ctx, row.Name), Create, row.Name, func(ctx context.Context, q *store.Queries) error {
			if err := q.InsertUser(ctx, row); err != nil {
				return err
			}
			return q.SetGroups(ctx, row.Name, k.there(id.Groups))
		})
		if resource.CodeOf(err) != resource.CodeAlreadyExists || tries == 3 {
			return row.Name, err
		}
		if err := p.reload(ctx); err != nil { // another server was first
			return "", err
		}
	}
}

// free answers a name for a user that nobody has, like the one that is wanted.
func (k *known) free(wanted string) string {
	name := strings.TrimLeft(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("._@-", c) {
			return c
		}
		return '-'
	}, strings.ToLower(wanted)), "._@-")
	name = name[:min(len(name), 60)]
	if name == "" {
		name = "user"
	}
	free := name
	for i := 2; k.users[free] != nil || reserved(free); i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	return free
}

// reserved reports whether the audit trail calls somebody else so.
func reserved(name string) bool {
	return slices.Contains([]string{auth.Admin, auth.Spider, auth.System, auth.Nobody}, name)
}

// there answers which of the provider's groups there are here.
func (k *known) there(groups []string) []string {
	return slices.DeleteFunc(slices.Sorted(slices.Values(groups)), func(name string) bool {
		return !slices.ContainsFunc(k.rows.Groups, func(g store.UserGroup) bool { return g.Name == name })
	})
}

// learn records what the provider says of a user by now: what he is called, and the groups that
// he is in.
func (p *People) learn(ctx context.Context, name string, id *sso.Identity) error {
	k := p.known.Load()
	i := slices.IndexFunc(k.rows.Users, func(u store.User) bool { return u.Name == name })
	if i < 0 {
		return resource.Errorf(resource.CodeConflict, "the user %s was deleted at this moment; log in again", name)
	}
	title, groups := cmp.Or(cut(id.Title), k.rows.Users[i].Title), k.there(id.Groups)
	if title == k.rows.Users[i].Title && slices.Equal(slices.Sorted(slices.Values(k.users[name].groups)), groups) {
		return nil
	}
	return p.change(auth.As(ctx, name), Update, name, func(ctx context.Context, q *store.Queries) error {
		if err := q.UpdateUser(ctx, &store.User{Name: name, Title: title}, "title"); err != nil {
			return err
		}
		return q.SetGroups(ctx, name, groups)
	})
}

// renewed asks the provider whether a login is still there, when it is time for that: one request
// does it for all. It answers nil for one that has ended.
func (p *People) renewed(ctx context.Context, row *store.UserLogin) (*store.UserLogin, error) {
	now := time.Now()
	goesOn := ahead(row.KeptUntil, now)
	mine := row.FreshUntil == 0
	switch fresh := ahead(row.FreshUntil, now); {
	case mine, fresh && goesOn:
		return row, nil
	case !fresh:
		err := p.Store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
			mine, err = q.ClaimLogin(ctx, row, now.Add(ssoClaim))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if !mine {
		if goesOn {
			return row, nil
		}
		return p.renewedByOther(ctx, row)
	}
	err := p.renew(ctx, row)
	switch code := resource.CodeOf(err); {
	case code == resource.CodeUnauthenticated, code == resource.CodeDenied:
		p.endLogin(ctx, row, "by single sign-on: "+err.Error())
		return nil, nil //nolint:nilnil // it has ended
	case err != nil && goesOn:
		p.Logger.Warn("whether a login is still there cannot be asked; it goes on for a while", "user", row.User, "until", row.KeptUntil.Time(), "error", err)
	case err != nil:
		return nil, err
	}
	return row, nil
}

// renewedByOther waits until another request has asked the provider.
func (p *People) renewedByOther(ctx context.Context, row *store.UserLogin) (*store.UserLogin, error) {
	ctx, cancel := context.WithTimeout(ctx, ssoWait)
	defer cancel()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, resource.Errorf(resource.CodeUnavailable, "the provider of single sign-on is asked whether this login is still there, and has not answered yet; try again in a moment")
		case <-look.C:
		}
		now, err := p.Store.Read().UserLogin(ctx, row.Hash, store.PurposeLogin)
		switch {
		case resource.CodeOf(err) == resource.CodeNotFound:
			return nil, nil //nolint:nilnil // it has ended
		case err == nil && ahead(now.KeptUntil, time.Now()):
			return now, nil
		}
	}
}

func (p *People) renew(ctx context.Context, row *store.UserLogin) error {
	ctx = context.WithoutCancel(ctx) // what is renewed is to be recorded
	user, err := p.Store.Read().User(ctx, row.User)
	if err != nil {
		return err
	}
	kept, err := p.kept(ctx, row)
	if err != nil {
		return err
	}
	made, err := p.SSO.Renew(ctx, user.Subject, kept)
	if err != nil {
		return err
	}
	if made.Kept.Refresh == "" {
		made.Kept.Refresh = kept.Refresh
	}
	if err := p.keep(row, made); err != nil {
		return err
	}
	if err := p.Store.Update(ctx, func(ctx context.Context, q *store.Queries) error { return q.RenewLogin(ctx, row) }); err != nil {
		return err
	}
	return p.learn(ctx, row.User, &made.Identity)
}

// endLogin ends a login in a browser that nobody here has ended.
func (p *People) endLogin(ctx context.Context, row *store.UserLogin, why string) {
	entry := store.Audit{Who: row.User, Verb: verbLogout, Kind: Person, Name: row.User, Detail: why}
	err := p.Store.Audited(context.WithoutCancel(ctx), p.Logger, entry, func(ctx context.Context, q *store.Queries) error { return q.EndLogins(ctx, row.User, row.Hash) })
	if err != nil {
		p.Logger.Error("a login that has ended could not be removed", "user", row.User, "error", err)
	}
}

// EndSSO ends the logins, on all servers, of which the provider tells that they have ended.
func (p *People) EndSSO(ctx context.Context, token string) error {
	if p.SSO == nil {
		return noSSO()
	}
	told, err := p.SSO.LoggedOut(ctx, token)
	if err != nil {
		return err
	}
	return p.Store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		once := &store.UserLogin{Hash: hashed("logout " + told.ID), Purpose: store.PurposeLogout, Until: store.MicrosOf(told.Until)}
		if err := q.InsertLogin(ctx, once); resource.CodeOf(err) == resource.CodeAlreadyExists {
			return resource.Errorf(resource.CodeInvalid, "the logout token is refused: it came before")
		} else if err != nil {
			return err
		}
		rows, err := q.SubjectLogins(ctx, told.Issuer, told.Subject, told.Session)
		if err != nil {
			return err
		}
		for i := range rows {
			if err := q.EndLogins(ctx, rows[i].User, rows[i].Hash); err != nil {
				return err
			}
			entry := store.Audit{Who: rows[i].User, Verb: verbLogout, Kind: Person, Name: rows[i].User, Detail: "by single sign-on, session " + told.Session + ": logged out at the provider"}
			if err := q.Note(ctx, entry, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// byBearer answers whose a token of the provider is. What the provider says in it counts, for
// this token alone.
func (p *People) byBearer(ctx context.Context, presented string) (Who, bool, error) {
	if p.SSO == nil || !sso.Like(presented) {
		return Who{}, false, nil
	}
	id, first, err := p.SSO.Bearer(ctx, presented)
	if err != nil {
		return Who{}, false, err
	}
	name, err := p.subject(ctx, id)
	if err != nil {
		return Who{}, false, err
	}
	if u := p.known.Load().users[name]; u == nil || u.disabled {
		return Who{}, false, nil
	}
	if first {
		p.Store.NoteAfter(ctx, p.Logger, store.Audit{Who: name, Verb: verbLogin, Kind: Person, Name: name, Detail: how(id)}, nil)
	}
	return Who{Name: name, User: name, Bearer: id, Used: auth.UsedToken{ID: "sso", Name: "token of single sign-on"}}, true, nil
}

// local refuses for who comes by single sign-on what the provider decides.
func local(row *store.User, what string) error {
	if row.Issuer == "" {
		return nil
	}
	return resource.Errorf(resource.CodeConflict, "%s comes by single sign-on from %s, which decides about %s; change it there", row.Name, row.Issuer, what)
}
