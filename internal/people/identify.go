package people

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// tokenPrefix begins every token, so that one that lies about is recognized.
const tokenPrefix = "mcic_"

// loginCookie is the name of the cookie that carries a user's login.
const loginCookie = "mcic_login"

// Identify answers who a request comes from, and whether it is from anybody. The error is of
// the records or of the provider of single sign-on, without which nobody is let in, or says why a
// token of the provider does not let in.
func (p *People) Identify(r *http.Request) (who Who, ok bool, err error) {
	if who, ok, err = p.byToken(r.Context(), auth.Presented(r)); ok || err != nil {
		return who, ok, err
	}
	return p.byCookie(r)
}

// IdentifySpider is Identify for clients of CB-Spider: who has its name and password too, and
// users by their name with a token as the password. Whoever uses it must refuse what another
// site has a browser send.
func (p *People) IdentifySpider(r *http.Request) (who Who, ok bool, err error) {
	if who, ok, err = p.byToken(r.Context(), auth.Presented(r)); ok || err != nil {
		return who, ok, err
	}
	if p.Spider.Allows(r) {
		return Who{Name: auth.Spider, Used: auth.UsedToken{ID: auth.Spider, Name: "SPIDER_PASSWORD"}}, true, nil
	}
	name, password, _ := r.BasicAuth()
	who, ok, err = p.byToken(r.Context(), password)
	return who, ok && who.User != "" && who.User == name, err
}

// byToken answers whose a token is.
func (p *People) byToken(ctx context.Context, presented string) (who Who, ok bool, err error) {
	if presented == "" {
		return Who{}, false, nil
	}
	if p.Admin.Token().Matches(presented) {
		return Who{Name: auth.Admin, Used: auth.UsedToken{ID: auth.Admin, Name: "admin token"}}, true, nil
	}
	if !strings.HasPrefix(presented, tokenPrefix) {
		return p.byBearer(ctx, presented)
	}
	k, hash := p.known.Load(), hashed(presented)
	t := k.tokens[hash]
	if t == nil || t.over() || k.users[t.row.User].disabled {
		return Who{}, false, nil
	}
	p.mu.Lock()
	p.used[t.row.ID] = time.Now()
	p.mu.Unlock()
	return Who{Name: t.row.User, User: t.row.User, Token: hash, Used: auth.UsedToken{ID: t.row.ID, Name: t.row.Name}}, true, nil
}

// byCookie answers whose a login in a browser is.
func (p *People) byCookie(r *http.Request) (Who, bool, error) {
	if ok, err := p.Sessions.Allows(r); ok || err != nil {
		return Who{Name: auth.Admin}, ok, err
	}
	if !p.Sessions.Own(r) {
		return Who{}, false, nil
	}
	login, err := p.login(r)
	if login == nil || err != nil {
		return Who{}, false, err
	}
	return Who{Name: login.User, User: login.User, Login: login.Hash}, true, nil
}

// login answers the login that a request's cookie is of, nil for none that lets in.
func (p *People) login(r *http.Request) (*store.UserLogin, error) {
	login, err := p.recorded(r)
	if login == nil || err != nil {
		return nil, err
	}
	u := p.known.Load().users[login.User]
	if u == nil { // another server has just let him in for the first time
		if err := p.refresh(r.Context()); err != nil {
			return nil, err
		}
		u = p.known.Load().users[login.User]
	}
	if u == nil || u.disabled || u.issuer != "" && (p.SSO == nil || p.SSO.Issuer != u.issuer) {
		return nil, nil //nolint:nilnil // nobody is let in
	}
	return p.renewed(r.Context(), login)
}

// recorded answers the login that a request's cookie is of, nil for none.
func (p *People) recorded(r *http.Request) (*store.UserLogin, error) {
	c, err := r.Cookie(loginCookie)
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // there is none
	}
	login, err := p.Store.Read().UserLogin(r.Context(), hashed(c.Value), store.PurposeLogin)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound:
		return nil, nil //nolint:nilnil // it has ended
	case err != nil:
		return nil, err
	}
	return login, nil
}
