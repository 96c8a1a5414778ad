// Package people decides who may do what: users and the groups that they are in, roles, which
// are rules, grants of roles, and tokens. Every decision is made here, from what is in memory,
// by rules alone; whoever asks says what it is about.
package people

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/sso"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Config is what deciding needs.
type Config struct {
	Store      *store.Store
	Sealer     *secret.Sealer
	Admin      *auth.AdminToken // the admin token
	Sessions   *auth.Sessions   // logins in browsers with the admin token
	Spider     auth.Password    // of clients of CB-Spider that know no tokens
	SpiderRole string           // what they may do; default: everything
	SSO        *sso.Provider    // of single sign-on, nil for none
	Breached   string           // file of stolen passwords, which nobody may choose; "" for none
	Logger     *slog.Logger
}

// People are those who use the server. It is safe for concurrent use.
type People struct {
	Config

	known   atomic.Pointer[known]
	hashing hashers
	now     func() time.Time // of codes
	read    sync.Mutex       // held while what is known is read anew

	mu   sync.Mutex
	used map[string]time.Time // tokens since it was last recorded when they were used
}

// known is what decisions are made from. It is never changed.
type known struct {
	version int64
	rows    *store.People
	roles   map[string]api.Role
	users   map[string]*user
	tokens  map[string]*token // by hash
	places  places
	grants  []granted

	subjects map[[2]string]string // users by issuer and subject
	bearers  sync.Map             // rules by user and groups, as a token of the provider has them

	service []rule // of clients of CB-Spider
	admin   []rule
}

type user struct {
	disabled bool
	issuer   string // of who comes by single sign-on
	password bool
	totp     bool
	groups   []string
	rules    []rule
}

// granted is a grant with the rules that it gives.
type granted struct {
	row   store.Grant
	rules []rule
}

type token struct {
	row   store.APIToken
	rules []rule
}

// New reads who there is.
func New(ctx context.Context, c Config) (*People, error) {
	if c.SpiderRole == "" {
		c.SpiderRole = RoleAdmin
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := breached(c.Breached).check(); err != nil {
		return nil, err
	}
	p := &People{Config: c, hashing: make(hashers, 2), now: time.Now, used: map[string]time.Time{}}
	if err := p.reload(ctx); err != nil {
		return nil, err
	}
	if _, there := p.known.Load().roles[c.SpiderRole]; !there {
		return nil, resource.Errorf(resource.CodeInvalid, "there is no role %.64q for clients of CB-Spider (SPIDER_ROLE); the roles are: %s, and those made with: mcic role create", c.SpiderRole, joined(BuiltIn()))
	}
	return p, nil
}

// How often what may have been missed is looked for, and when tokens were used is recorded.
const (
	lookEvery = 2 * time.Second
	usedEvery = 30 * time.Second
)

// Run keeps what is known the same as what is recorded, until ctx ends.
func (p *People) Run(ctx context.Context) {
	var group sync.WaitGroup
	changed := make(chan struct{}, 1)
	group.Go(func() {
		p.Store.ListenPeople(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	})
	look, used := time.NewTicker(lookEvery), time.NewTicker(usedEvery)
	defer look.Stop()
	defer used.Stop()
	for ctx.Err() == nil {
		var err error
		select {
		case <-ctx.Done():
		case <-changed:
			err = p.reload(ctx)
		case <-look.C:
			err = p.refresh(ctx)
		case <-used.C:
			err = p.recordUse(ctx)
		}
		if err != nil && ctx.Err() == nil {
			p.Logger.Error("cannot read who may do what; tried again soon", "error", err)
		}
	}
	group.Wait()
	_ = p.recordUse(context.WithoutCancel(ctx)) // when a token was last used is no loss
}

// refresh reads anew what has changed, also if nobody told of it.
func (p *People) refresh(ctx context.Context) error {
	version, err := p.Store.Read().PeopleVersion(ctx)
	if err != nil || version == p.known.Load().version {
		return err
	}
	return p.reload(ctx)
}

// Heard reads anew what may have changed that decisions are made from. What fails is tried again
// soon.
func (p *People) Heard(ctx context.Context) {
	if err := p.refresh(context.WithoutCancel(ctx)); err != nil {
		p.Logger.Error("cannot read who may do what; tried again soon", "error", err)
	}
}

// reload reads what is recorded.
func (p *People) reload(ctx context.Context) error {
	p.read.Lock()
	defer p.read.Unlock()
	rows, err := p.Store.Read().People(ctx)
	if err != nil {
		return err
	}
	p.known.Store(p.knowing(rows))
	return nil
}

// change runs a change of who may do what, records it in the audit trail and decides by it at
// once, here and on all other servers.
func (p *People) change(ctx context.Context, verb, name string, do func(context.Context, *store.Queries) error) error {
	return p.changeNoted(ctx, verb, name, "", do)
}

// changeNoted is change with a detail for the audit trail.
func (p *People) changeNoted(ctx context.Context, verb, name, detail string, do func(context.Context, *store.Queries) error) error {
	entry := store.Audit{Who: auth.Who(ctx), Verb: verb, Kind: Person, Name: name, Detail: detail}
	err := p.Store.ChangePeople(ctx, func(ctx context.Context, q *store.Queries) error {
		if err := do(ctx, q); err != nil {
			return err
		}
		if err := q.Carry(ctx); err != nil {
			return err
		}
		return q.Note(ctx, entry, nil)
	})
	if err != nil {
		p.Store.NoteAfter(ctx, p.Logger, entry, err)
		return err
	}
	return p.reload(context.WithoutCancel(ctx))
}

func (p *People) knowing(rows *store.People) *known {
	k := &known{version: rows.Version, rows: rows, roles: map[string]api.Role{}, users: map[string]*user{}, tokens: map[string]*token{}, places: places{}, subjects: map[[2]string]string{}}
	for _, c := range rows.Connections {
		k.places[c.Name] = c.Labels
	}
	for _, r := range rows.Roles {
		updated := r.UpdatedAt.Time()
		k.roles[r.Name] = api.Role{Name: r.Name, Doc: r.Doc, Rules: r.Rules, UpdatedAt: &updated}
	}
	for _, r := range BuiltIn() { // which no role of one's own takes the place of
		k.roles[r.Name] = r
	}
	k.admin, k.service = p.rules(k, RoleAdmin, scope{}), p.rules(k, p.SpiderRole, scope{})
	for _, u := range rows.Users {
		k.users[u.Name] = &user{disabled: u.Disabled, issuer: u.Issuer, password: u.Password != "", totp: u.TOTPOn, groups: []string{}}
		if u.Issuer != "" {
			k.subjects[[2]string{u.Issuer, u.Subject}] = u.Name
		}
	}
	for _, m := range rows.Members {
		if u := k.users[m.User]; u != nil {
			u.groups = append(u.groups, m.Group)
		}
	}
	for _, g := range rows.Grants {
		k.grants = append(k.grants, granted{g, p.rules(k, g.Role, scope{g.Connections, g.ConnectionLabels})})
	}
	for name, u := range k.users {
		u.rules = k.rulesWith(name, u.groups)
	}
	for _, t := range rows.Tokens {
		owner := k.users[t.User]
		if owner == nil {
			continue
		}
		made := &token{row: t, rules: owner.rules}
		if len(t.Roles) > 0 {
			made.rules = slices.DeleteFunc(slices.Clone(owner.rules), func(r rule) bool { return !slices.Contains(t.Roles, r.role) })
		}
		k.tokens[t.Hash] = made
	}
	return k
}

// rulesWith are those of a user who is in some groups.
func (k *known) rulesWith(name string, groups []string) (rules []rule) {
	for _, g := range k.grants {
		if name == g.row.User || slices.Contains(groups, g.row.Group) {
			rules = append(rules, g.rules...)
		}
	}
	return rules
}

// rulesOfBearer are those of who has a token of the provider.
func (k *known) rulesOfBearer(name string, id *sso.Identity) []rule {
	key := name + " " + strings.Join(id.Groups, " ")
	if rules, there := k.bearers.Load(key); there {
		return rules.([]rule)
	}
	rules := k.rulesWith(name, k.there(id.Groups))
	k.bearers.Store(key, rules)
	return rules
}

// rules are those of a role, granted somewhere. What cannot be read allows nothing.
func (p *People) rules(k *known, role string, granted scope) []rule {
	var rules []rule
	for _, r := range k.roles[role].Rules {
		made, err := newRule(role, r, granted, k.places)
		if err != nil {
			p.Logger.Error("a rule of a role is not understood and allows nothing", "role", role, "error", err)
			continue
		}
		rules = append(rules, made)
	}
	return rules
}

// Who is somebody who was let in.
type Who struct {
	Name  string // as the audit trail has it
	User  string // of the users; "" for who has the admin token, and clients of CB-Spider
	Token string // hash of the token that let him in
	Used  auth.UsedToken
	Login string // hash of the login in a browser

	Bearer *sso.Identity // what the provider's token says that let him in
}

type whoKey struct{}

// As returns a context in which somebody asks.
func As(ctx context.Context, who Who) context.Context {
	return auth.With(auth.As(context.WithValue(ctx, whoKey{}, who), who.Name), who.Used)
}

// From answers who asks.
func From(ctx context.Context) (Who, bool) {
	who, ok := ctx.Value(whoKey{}).(Who)
	return who, ok
}

// rulesOf answers what somebody may do at this moment.
func (p *People) rulesOf(ctx context.Context) []rule {
	who, ok := From(ctx)
	k := p.known.Load()
	switch {
	case !ok:
		return nil
	case who.User == "" && who.Name == auth.Spider:
		return k.service
	case who.User == "":
		return k.admin
	}
	u := k.users[who.User]
	if u == nil || u.disabled {
		return nil
	}
	switch {
	case who.Bearer != nil && who.Bearer.Over():
		return nil
	case who.Bearer != nil:
		return k.rulesOfBearer(who.User, who.Bearer)
	case who.Token == "":
		return u.rules
	}
	t := k.tokens[who.Token]
	if t == nil || t.over() {
		return nil
	}
	return t.rules
}

func (t *token) over() bool {
	return t.row.ExpiresAt != 0 && !time.Now().Before(t.row.ExpiresAt.Time())
}

// Decide answers whether who asks may do something.
func (p *People) Decide(ctx context.Context, verb string, what What) Decision {
	return decide(p.rulesOf(ctx), verb, what)
}

// Allow refuses who may not do something, whatever the labels are, or where there are none.
func (p *People) Allow(ctx context.Context, verb string, what What) error {
	if p.Decide(ctx, verb, what) == Allowed {
		return nil
	}
	return p.Refusal(ctx, verb, what)
}

// AllowLabels refuses who may not do something to a resource that has these labels.
func (p *People) AllowLabels(ctx context.Context, verb string, what What, labels map[string]string) error {
	if decideLabels(p.rulesOf(ctx), verb, what, labels) {
		return nil
	}
	return p.Refusal(ctx, verb, what)
}

// Refusal says that somebody may not do something.
func (p *People) Refusal(ctx context.Context, verb string, what What) error {
	in := ""
	if what.Connection != "" {
		in = " in the connection " + what.Connection
	}
	return resource.Errorf(resource.CodeDenied, "%s may not %s (%s)%s; who manages this server's users can grant a role that may: mcic grant create", auth.Who(ctx), verb, what.Kind, in)
}

// Sees answers which resources of kinds somebody sees, in lists and by the right to do
// something to them; nil for all.
func (p *People) Sees(ctx context.Context, verb string, kinds ...string) *store.Sees {
	s := sees(p.rulesOf(ctx), verb, kinds...)
	if s != nil {
		s.Who = auth.Who(ctx)
	}
	return s
}

// hashed is how what lets somebody in is recorded. It is long and random, so that guessing
// it by its hash takes for ever.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// recordUse writes when tokens were used.
func (p *People) recordUse(ctx context.Context) error {
	p.mu.Lock()
	used := p.used
	p.used = map[string]time.Time{}
	p.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	return p.Store.UsedTokens(ctx, used)
}

func joined(roles []api.Role) string {
	var text string
	for i, r := range roles {
		if i > 0 {
			text += ", "
		}
		text += r.Name
	}
	return text
}
