package sso

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Identity is who somebody is, as the provider says.
type Identity struct {
	Issuer, Subject string   // which are never another's
	Name, Title     string   // which may come to be another's
	Groups          []string // as they are called here
	Session         string   // the provider's; "" where it is not told
	Client          string   // of the provider's clients, the one that the token was made for
	Token           string   // id of the token; "" for none
	Until           time.Time
}

// claims are what a token says that is looked at here.
type claims struct {
	Subject  string                     `json:"sub"`
	Audience audience                   `json:"aud"`
	Party    string                     `json:"azp"`
	Client   string                     `json:"client_id"`
	ID       string                     `json:"jti"`
	Type     string                     `json:"typ"` // of Keycloak's tokens
	Session  string                     `json:"sid"`
	Title    string                     `json:"name"`
	Nonce    *string                    `json:"nonce"`
	Hash     string                     `json:"at_hash"`
	Expiry   float64                    `json:"exp"`
	Issued   float64                    `json:"iat"`
	Events   map[string]json.RawMessage `json:"events"`

	all  map[string]json.RawMessage
	kind string // what the header says that the token is
}

type audience []string

// UnmarshalJSON reads one name or several.
func (a *audience) UnmarshalJSON(raw []byte) error {
	*a = texts(raw)
	return nil
}

// texts reads one text or several, and leaves out what is none.
func texts(raw json.RawMessage) []string {
	var many []any
	if json.Unmarshal(raw, &many) != nil {
		many = make([]any, 1)
		_ = json.Unmarshal(raw, &many[0]) // what is no JSON is no text
	}
	var found []string
	for _, one := range many {
		if text, ok := one.(string); ok && text != "" {
			found = append(found, text)
		}
	}
	return found
}

// checked answers what a token says, if the provider has signed it and it is good at this moment.
func (p *Provider) checked(ctx context.Context, token string) (*claims, error) {
	ctx, cancel := p.asking(ctx)
	defer cancel()
	payload, err := keySet{p}.VerifySignature(ctx, token)
	if resource.CodeOf(err) == resource.CodeUnavailable {
		return nil, err
	}
	if err == nil {
		config := &oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: algorithms(), Now: func() time.Time { return time.Now().Add(-clockSkew) }}
		_, err = oidc.NewVerifier(p.Issuer, signedBefore(payload), config).Verify(ctx, token)
	}
	c := &claims{}
	if err == nil {
		err = errors.Join(json.Unmarshal(payload, c), json.Unmarshal(payload, &c.all))
	}
	if err == nil {
		c.kind, err = kindOf(token)
	}
	switch expired, over := errors.AsType[*oidc.TokenExpiredError](err); {
	case over:
		return nil, refuse("it has run out at %s", expired.Expiry.UTC().Format(time.RFC3339))
	case err != nil:
		return nil, refuse("%s", strings.TrimPrefix(err.Error(), "oidc: "))
	case c.Subject == "":
		return nil, refuse("it does not say who it is of")
	}
	return c, nil
}

// signedBefore has go-oidc look at the rest of a token whose signature was looked at.
type signedBefore []byte

// VerifySignature answers what the token says.
func (s signedBefore) VerifySignature(context.Context, string) ([]byte, error) { return s, nil }

// kindOf answers the kind of a token that its header says, such as at+jwt.
func kindOf(token string) (string, error) {
	signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.PS256, jose.EdDSA})
	if err != nil {
		return "", err
	}
	kind, _ := signed.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	return strings.ToLower(strings.TrimPrefix(kind, "application/")), nil
}

// refuse says why a token lets nobody in.
func refuse(format string, args ...any) error {
	return resource.Errorf(resource.CodeUnauthenticated, "the token of single sign-on does not let in: %s; log in again, or get a new token", reason(fmt.Sprintf(format, args...), ""))
}

// identity is who a token is of.
func (p *Provider) identity(c *claims) (*Identity, error) {
	id := &Identity{
		Issuer: p.Issuer, Subject: c.Subject, Title: c.Title, Session: c.Session, Client: c.Party, Token: c.ID, Until: time.Unix(int64(c.Expiry), 0),
	}
	if id.Client == "" {
		id.Client = c.Client
	}
	if name := texts(find(c.all, p.UserClaim)); len(name) == 1 {
		id.Name = name[0]
	}
	if id.Name == "" {
		return nil, refuse("the claim %s, in which the name of the user is looked for (--sso-user-claim), is not in it", p.UserClaim)
	}
	groups := texts(find(c.all, p.GroupsClaim))
	if p.Required != "" && !slices.Contains(groups, p.Required) && !slices.Contains(groups, "/"+p.Required) {
		return nil, resource.Errorf(resource.CodeDenied, "%s is not in the group %s of the provider of single sign-on, in which all must be who use this server; whoever manages users there can change that", id.Name, p.Required)
	}
	id.Groups = p.here(groups)
	return id, nil
}

// find answers a claim, whose name may be a path: realm_access.roles.
func find(all map[string]json.RawMessage, name string) json.RawMessage {
	if raw, there := all[name]; there {
		return raw
	}
	first, rest, nested := strings.Cut(name, ".")
	var within map[string]json.RawMessage
	if !nested || json.Unmarshal(all[first], &within) != nil {
		return nil
	}
	return find(within, rest)
}

// here answers what groups of the provider are called here. Keycloak has paths of them if told so.
func (p *Provider) here(groups []string) []string {
	var names []string
	for _, group := range groups {
		group = strings.TrimPrefix(group, "/")
		if name, named := p.Groups[group]; named {
			names = append(names, name)
		}
		if name, begins := strings.CutPrefix(group, p.GroupPrefix); begins && name != "" && (p.GroupPrefix != "" || len(p.Groups) == 0) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// bearer is a token that was looked at.
type bearer struct {
	identity *Identity
	checked  time.Time
}

// How many tokens are known that were looked at, and for how long that is good.
const (
	maxVerified = 10_000
	verifiedFor = 5 * time.Minute
)

// Like reports whether a text may be a token of a provider.
func Like(text string) bool {
	return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2 && len(text) < 16<<10
}

// Bearer answers who a token is of with which a program asks, and whether it comes for the first
// time.
func (p *Provider) Bearer(ctx context.Context, token string) (id *Identity, first bool, err error) {
	hash := sha256.Sum256([]byte(token))
	p.mu.Lock()
	known := p.verified[hash]
	p.mu.Unlock()
	now := time.Now()
	if known != nil && now.Before(known.identity.Until.Add(clockSkew)) && now.Before(known.checked.Add(verifiedFor)) {
		return known.identity, false, nil
	}
	c, err := p.checked(ctx, token)
	if err == nil {
		err = p.checkBearer(c)
	}
	if err != nil {
		return nil, false, err
	}
	if id, err = p.identity(c); err != nil {
		return nil, false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now)
	p.verified[hash] = &bearer{id, now}
	return id, known == nil, nil
}

// checkBearer refuses a token that was not made to be sent here. One that says that somebody has
// logged in is for whoever led him to the provider, and stands in addresses when he logs out.
func (p *Provider) checkBearer(c *claims) error {
	switch {
	case c.kind != "" && c.kind != "jwt" && c.kind != "at+jwt",
		c.Type != "" && c.Type != "Bearer" && c.Type != "JWT",
		c.Type == "" && (c.Nonce != nil || c.Hash != ""),
		len(c.Events) > 0:
		return refuse("it is no access token")
	}
	wanted := append([]string{p.Client}, p.Audiences...)
	if !slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(wanted, a) }) {
		return refuse("it was made for %s and not for %s; the client that it is made for needs that as a further audience at the provider, or the server --sso-audience", quoted(c.Audience), strings.Join(wanted, ", "))
	}
	return nil
}

// quoted are names that a token has.
func quoted(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

// forget makes room: what is over goes, and if that is not enough any others.
func (p *Provider) forget(now time.Time) {
	if len(p.verified) < maxVerified {
		return
	}
	for hash, b := range p.verified {
		if now.After(b.identity.Until.Add(clockSkew)) {
			delete(p.verified, hash)
		}
	}
	for hash := range p.verified {
		if len(p.verified) < maxVerified*9/10 {
			return
		}
		delete(p.verified, hash)
	}
}

// Over reports whether the token has run out.
func (id *Identity) Over() bool { return time.Now().After(id.Until.Add(clockSkew)) }

// Logout is what the provider tells of a logout.
type Logout struct {
	Issuer, Subject, Session string // without a session all of the subject have ended, without a subject that of the session
	ID                       string
	Until                    time.Time // after which it is refused in any case
}

const (
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	logoutLasts = 10 * time.Minute
)

// LoggedOut reads what the provider tells by a logout token.
// https://openid.net/specs/openid-connect-backchannel-1_0.html
func (p *Provider) LoggedOut(ctx context.Context, token string) (*Logout, error) {
	ctx, cancel := p.asking(ctx)
	defer cancel()
	payload, err := keySet{p}.VerifySignature(ctx, token)
	if resource.CodeOf(err) == resource.CodeUnavailable {
		return nil, err
	}
	if err == nil { // it need not say until when it is good
		config := &oidc.Config{ClientID: p.Client, SkipExpiryCheck: true, SupportedSigningAlgs: algorithms()}
		_, err = oidc.NewVerifier(p.Issuer, signedBefore(payload), config).Verify(ctx, token)
	}
	var c claims
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err == nil {
		c.kind, err = kindOf(token)
	}
	if err != nil {
		return nil, noLogout("%s", strings.TrimPrefix(err.Error(), "oidc: "))
	}
	now, issued := time.Now(), time.Unix(int64(c.Issued), 0)
	event, told := c.Events[logoutEvent]
	var content map[string]any
	switch {
	case c.kind != "" && c.kind != "jwt" && c.kind != "logout+jwt", !told, json.Unmarshal(event, &content) != nil, c.Nonce != nil:
		return nil, noLogout("it is no logout token")
	case c.Subject == "" && c.Session == "":
		return nil, noLogout("it does not say whose login has ended")
	case c.ID == "":
		return nil, noLogout("it has no id (jti)")
	case c.Expiry != 0 && now.After(time.Unix(int64(c.Expiry), 0).Add(clockSkew)), issued.Before(now.Add(-logoutLasts)):
		return nil, noLogout("it has run out")
	case issued.After(now.Add(clockSkew)):
		return nil, noLogout("it is of the future; compare the clocks")
	}
	return &Logout{Issuer: p.Issuer, Subject: c.Subject, Session: c.Session, ID: c.ID, Until: issued.Add(logoutLasts + clockSkew)}, nil
}

func noLogout(format string, args ...any) error {
	return resource.Errorf(resource.CodeInvalid, "the logout token is refused: %s", reason(fmt.Sprintf(format, args...), ""))
}
