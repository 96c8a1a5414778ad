package sso

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Attempt is a login that a browser was sent to the provider for.
type Attempt struct {
	State, Nonce, Verifier string
	Callback               string // where the provider sends the browser to
}

// Begin answers where a browser is to be sent, to come back to callback: to a provider that is
// there, since nobody else would say what is wrong.
func (p *Provider) Begin(ctx context.Context, callback string) (location string, a Attempt, err error) {
	d, err := p.document.anew(ctx)
	if err != nil {
		return "", a, err
	}
	a = Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Callback: callback}
	return p.client(d, callback).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), a, nil
}

func (p *Provider) client(d *Document, callback string) *oauth2.Config {
	c := d.OAuth(p.Client, p.Secret, p.Scopes...)
	c.RedirectURL = callback
	return c
}

// Login is a login at the provider.
type Login struct {
	Identity
	Kept  Kept
	Fresh time.Time // until when it need not be asked whether it is still there
}

// Kept is what a login is renewed and ended with. It is secret.
type Kept struct {
	Refresh string `json:"refresh,omitempty"` // "" if the provider has given none
	ID      string `json:"id,omitempty"`      // the token that says who has logged in
}

// Finish answers who has come back from the provider with a code.
func (p *Provider) Finish(ctx context.Context, a Attempt, code string) (*Login, error) {
	ctx, cancel := p.asking(ctx)
	defer cancel()
	d, err := p.discovered(ctx)
	if err != nil {
		return nil, err
	}
	got, err := p.client(d, a.Callback).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return nil, Failure(p.Issuer, err)
	}
	text, _ := got.Extra("id_token").(string)
	if text == "" {
		return nil, refuse("the provider has answered no ID token; the client there must have the scope openid")
	}
	c, err := p.loggedIn(ctx, text)
	if err != nil {
		return nil, err
	}
	if c.Nonce == nil || subtle.ConstantTimeCompare([]byte(*c.Nonce), []byte(a.Nonce)) != 1 {
		return nil, refuse("it is of another login (nonce)")
	}
	return p.login(c, got, text)
}

// loggedIn reads an ID token.
func (p *Provider) loggedIn(ctx context.Context, text string) (*claims, error) {
	c, err := p.checked(ctx, text)
	if err != nil {
		return nil, err
	}
	switch {
	case c.kind != "" && c.kind != "jwt", c.Type != "" && c.Type != "ID" && c.Type != "JWT", len(c.Events) > 0:
		return nil, refuse("it is no ID token")
	case !slices.Contains(c.Audience, p.Client), c.Party != "" && c.Party != p.Client:
		return nil, refuse("it was made for %s and not for %s", quoted(c.Audience), p.Client)
	}
	return c, nil
}

func (p *Provider) login(c *claims, got *oauth2.Token, text string) (*Login, error) {
	id, err := p.identity(c)
	if err != nil {
		return nil, err
	}
	made := &Login{Identity: *id, Kept: Kept{Refresh: got.RefreshToken, ID: text}, Fresh: got.Expiry}
	made.Client = p.Client
	if made.Fresh.IsZero() { // the provider need not say it
		made.Fresh = id.Until
	}
	return made, nil
}

// Renew asks the provider whether a login is still there, and in which groups who has logged in
// is by now.
func (p *Provider) Renew(ctx context.Context, subject string, kept Kept) (*Login, error) {
	ctx, cancel := p.asking(ctx)
	defer cancel()
	d, err := p.discovered(ctx)
	if err != nil {
		return nil, err
	}
	got, err := p.client(d, "").TokenSource(ctx, &oauth2.Token{RefreshToken: kept.Refresh}).Token()
	if err != nil {
		return nil, Failure(p.Issuer, err)
	}
	var c *claims
	text := kept.ID
	if next, _ := got.Extra("id_token").(string); next != "" {
		text = next
		c, err = p.loggedIn(ctx, text)
	} else { // it need not answer one: then it tells when it is asked
		c, err = p.info(ctx, d, got)
	}
	if err != nil {
		return nil, err
	}
	if c.Subject != subject {
		return nil, refuse("it is of somebody else")
	}
	return p.login(c, got, text)
}

// info asks the provider who an access token is of.
func (p *Provider) info(ctx context.Context, d *Document, token *oauth2.Token) (*claims, error) {
	said, err := d.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, unreached(p.Issuer, err)
	}
	c := &claims{}
	if err := said.Claims(&c.all); err != nil {
		return nil, unreached(p.Issuer, err)
	}
	c.Subject, c.Expiry = said.Subject, float64(token.Expiry.Unix())
	_ = json.Unmarshal(c.all["name"], &c.Title) // which need not be there
	return c, nil
}

// EndSession answers where a browser is to be sent to log out at the provider too, and to come
// back from there; "" if the provider has no such place.
// https://openid.net/specs/openid-connect-rpinitiated-1_0.html
func (p *Provider) EndSession(ctx context.Context, kept Kept, back string) (string, error) {
	d, err := p.discovered(ctx)
	if err != nil || d.EndSession == "" {
		return "", err
	}
	at, err := url.Parse(d.EndSession)
	if err != nil {
		return "", resource.Errorf(resource.CodeUnavailable, "the provider's address to log out is none: %w", err)
	}
	query := at.Query()
	query.Set("client_id", p.Client)
	query.Set("post_logout_redirect_uri", back)
	if kept.ID != "" {
		query.Set("id_token_hint", kept.ID)
	}
	at.RawQuery = query.Encode()
	return at.String(), nil
}
