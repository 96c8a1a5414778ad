package v1

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The paths by which one gets in with single sign-on.
const (
	waysPath        = sessionPath + "/ways"
	ssoPath         = sessionPath + "/sso"
	ssoCallbackPath = ssoPath + "/callback"
	ssoLogoutPath   = ssoPath + "/logout"
)

// maxLogoutToken is how much a provider may send when it tells of a logout.
const maxLogoutToken = 64 << 10 // bytes

// ssoRoutes serve who logs in by the provider, and the provider. They are no part of the OpenAPI
// document, as the others of sessions.
func (s *server) ssoRoutes(r chi.Router) {
	r.Get(waysPath, func(w http.ResponseWriter, _ *http.Request) {
		ways := api.LoginWays{Passwords: true}
		if p := s.People.SSO; p != nil {
			ways.SingleSignOn = &api.SingleSignOn{Name: p.Title, Path: ssoPath, Issuer: p.Issuer, Client: p.CommandLine}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", noStore)
		_ = json.NewEncoder(w).Encode(ways) // the client is gone if this fails
	})
	r.Get(ssoPath, func(w http.ResponseWriter, r *http.Request) {
		page := r.URL.Query().Get("return")
		if page == "" {
			page = "/"
		}
		if !ownPage(page) {
			badField(http.StatusBadRequest, "return", "is no page of this server; give a path such as /resources/vms").write(w)
			return
		}
		location, err := s.People.BeginSSO(w, r, s.address(r)+ssoCallbackPath, page)
		if err != nil {
			explain(w, r, err)
			return
		}
		leadTo(w, r, location)
	})
	r.Get(ssoCallbackPath, func(w http.ResponseWriter, r *http.Request) {
		page, err := s.People.FinishSSO(w, r)
		if err != nil {
			s.Audit.Refused(r.Context(), err)
			explain(w, r, err)
			return
		}
		leadTo(w, r, page)
	})
	r.Post(ssoLogoutPath, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxLogoutToken)
		w.Header().Set("Cache-Control", noStore)
		if err := s.People.EndSSO(r.Context(), r.PostFormValue("logout_token")); err != nil {
			s.Logger.Warn("a logout that the provider of single sign-on has told of is refused", "address", auth.Address(r.Context()), "error", err)
			p := problem(err)
			if resource.CodeOf(err) == resource.CodeInvalid { // as the provider expects it
				p = plain(http.StatusBadRequest, resource.CodeInvalid, err.Error())
			}
			p.write(w)
		}
	})
}

// leadTo leads a browser elsewhere, and keeps nothing of where it was.
func leadTo(w http.ResponseWriter, r *http.Request, location string) {
	w.Header().Set("Cache-Control", noStore)
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, location, http.StatusFound) //nolint:gosec // to the provider, or to a page that ownPage has looked at
}

// ownPage reports whether a browser that is led to a page stays with this server.
func ownPage(page string) bool {
	u, err := url.Parse(page)
	return err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(page, "/") && !strings.HasPrefix(page, "//") && !strings.Contains(page, `\`)
}

// address is the server's as browsers have it.
func (s *server) address(r *http.Request) string {
	if s.PublicURL != "" {
		return strings.TrimRight(s.PublicURL, "/")
	}
	if auth.OverTLS(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// explanation is the page for who comes from the provider and cannot be let in.
const explanation = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Not logged in</title></head>
<body><h1>Not logged in</h1><p>%s</p><p><a href="/">Log in</a></p></body></html>
`

// explain says to people why they are not let in, and to programs as ever.
func explain(w http.ResponseWriter, r *http.Request, err error) {
	p := problem(err)
	w.Header().Set("Cache-Control", noStore)
	if !isPage(r) {
		p.write(w)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = fmt.Fprintf(w, explanation, html.EscapeString(p.Detail)) // the client is gone if this fails
}
