package sso

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// CommandLine is a client of a provider that has no browser and keeps no secret.
type CommandLine struct {
	Issuer string
	Client string
	HTTP   *http.Client
}

// Tokens are what lets a command line in.
type Tokens struct {
	Access  string
	Refresh string // "" if the provider gives none
	Until   time.Time
}

func (c CommandLine) open(ctx context.Context) (context.Context, *Document, *oauth2.Config, error) {
	ctx = oidc.ClientContext(ctx, c.HTTP)
	d, err := Discover(ctx, c.HTTP, c.Issuer)
	if err != nil {
		return ctx, nil, nil, err
	}
	return ctx, d, d.OAuth(c.Client, ""), nil
}

// LogIn has somebody log in at the provider with a browser, wherever that is. show tells where
// and with which code, and until when.
// https://datatracker.ietf.org/doc/html/rfc8628
func (c CommandLine) LogIn(ctx context.Context, show func(address, code string, until time.Time)) (Tokens, error) {
	ctx, d, client, err := c.open(ctx)
	if err != nil {
		return Tokens{}, err
	}
	if d.Endpoint().DeviceAuthURL == "" {
		return Tokens{}, resource.Errorf(resource.CodeUnsupported, "the provider of single sign-on at %s has no logins for devices without a browser (device authorization); log in to the console instead, make a token there, and keep it with: mcic context set NAME --server URL --token-file -", c.Issuer)
	}
	verifier := oauth2.GenerateVerifier()
	asked, err := client.DeviceAuth(ctx, oauth2.S256ChallengeOption(verifier))
	if err != nil {
		return Tokens{}, Failure(c.Issuer, err)
	}
	address := asked.VerificationURIComplete
	if address == "" {
		address = asked.VerificationURI
	}
	show(address, asked.UserCode, asked.Expiry)
	got, err := client.DeviceAccessToken(ctx, asked, oauth2.VerifierOption(verifier))
	if ctx.Err() != nil {
		return Tokens{}, context.Cause(ctx)
	}
	return c.tokens(got, err)
}

// Renew gets new tokens.
func (c CommandLine) Renew(ctx context.Context, refresh string) (Tokens, error) {
	ctx, _, client, err := c.open(ctx)
	if err != nil {
		return Tokens{}, err
	}
	return c.tokens(client.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token())
}

func (c CommandLine) tokens(got *oauth2.Token, err error) (Tokens, error) {
	if err != nil {
		return Tokens{}, Failure(c.Issuer, err)
	}
	if got.Expiry.IsZero() {
		got.Expiry = time.Now().Add(time.Minute) // it does not say: it is renewed when it may be time
	}
	return Tokens{Access: got.AccessToken, Refresh: got.RefreshToken, Until: got.Expiry}, nil
}

// LogOut has the provider take no more of a login. It reports whether the provider can do that.
// https://datatracker.ietf.org/doc/html/rfc7009
func (c CommandLine) LogOut(ctx context.Context, refresh string) (bool, error) {
	ctx, d, _, err := c.open(ctx)
	if err != nil || d.Revocation == "" || refresh == "" {
		return false, err
	}
	form := url.Values{"client_id": {c.Client}, "token": {refresh}, "token_type_hint": {"refresh_token"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return false, unreached(c.Issuer, err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return false, unreached(c.Issuer, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return false, unreached(c.Issuer, fmt.Errorf("asked to end the login it answers %s", answer.Status))
	}
	return true, nil
}
