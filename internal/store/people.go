package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// User is a row: somebody who may log in.
type User struct {
	bun.BaseModel `bun:"table:people_users,alias:people_users"`

	Name        string `bun:",pk"`
	Title       string
	Disabled    bool
	Password    string // hashed; "" for none
	Failures    int
	LockedUntil Micros
	LoginAt     Micros
	TOTP        []byte `bun:"totp"` // sealed secret of the second step
	TOTPOn      bool   `bun:"totp_on"`
	TOTPStep    int64  `bun:"totp_step"` // of the last code that was used
	CreatedAt   Micros
	Issuer      string // of who comes by single sign-on; "" for others
	Subject     string // what the issuer calls him, and never anybody else
}

// Group is a row.
type UserGroup struct {
	bun.BaseModel `bun:"table:people_groups,alias:people_groups"`

	Name string `bun:",pk"`
	Doc  string
}

// Member is a row: a user who is in a group.
type Member struct {
	bun.BaseModel `bun:"table:people_members,alias:people_members"`

	Group string `bun:"group_name,pk"`
	User  string `bun:"user_name,pk"`
}

// Role is a row: rules under a name.
type Role struct {
	bun.BaseModel `bun:"table:people_roles,alias:people_roles"`

	Name      string `bun:",pk"`
	Doc       string
	Rules     []api.RoleRule `bun:"type:jsonb"`
	UpdatedAt Micros
}

// Grant is a row: a role that a user or a group has.
type Grant struct {
	bun.BaseModel `bun:"table:people_grants,alias:people_grants"`

	ID               string   `bun:"id,pk"`
	User             string   `bun:"user_name"`
	Group            string   `bun:"group_name"`
	Role             string   //
	Connections      []string `bun:"type:jsonb"`
	ConnectionLabels []string `bun:"type:jsonb"`
	GrantedBy        string
	CreatedAt        Micros
}

// Resource converts to what users see.
func (g *Grant) Resource() api.Grant {
	return api.Grant{ID: g.ID, User: g.User, Group: g.Group, Role: g.Role, Connections: g.Connections, ConnectionLabels: g.ConnectionLabels, GrantedBy: g.GrantedBy, CreatedAt: g.CreatedAt.Time()}
}

// APIToken is a row.
type APIToken struct {
	bun.BaseModel `bun:"table:people_tokens,alias:people_tokens"`

	ID        string `bun:"id,pk"`
	User      string `bun:"user_name"`
	Name      string
	Hash      string
	Roles     []string `bun:"type:jsonb"`
	ExpiresAt Micros
	UsedAt    Micros
	CreatedAt Micros
}

// Resource converts to what users see.
func (t *APIToken) Resource() api.APIToken {
	return api.APIToken{
		ID: t.ID, User: t.User, Name: t.Name, Roles: t.Roles, ExpiresAt: t.ExpiresAt.pointer(), LastUsedAt: t.UsedAt.pointer(), CreatedAt: t.CreatedAt.Time(),
	}
}

// The purposes of a UserLogin.
const (
	PurposeLogin  = "login"  // a login in a browser
	PurposeInvite = "invite" // an invitation to choose a password
	PurposeLogout = "logout" // lets nobody in: a logout that a provider has told of, so that it is told once
)

// UserLogin is a row: what lets a user in for a while.
type UserLogin struct {
	bun.BaseModel `bun:"table:people_logins,alias:people_logins"`

	Hash    string `bun:",pk"`
	User    string `bun:"user_name"`
	Purpose string
	Until   Micros

	// Of single sign-on.
	Session    string // that of the provider
	Sealed     []byte // what it is renewed with; nil if it cannot be
	FreshUntil Micros // when the provider is asked whether it is still there
	KeptUntil  Micros // until when it lets in if the provider does not answer
}

// Identity is what Sealed is sealed for.
func (l *UserLogin) Identity() string { return "login " + l.Hash }

// People is all that decisions are made from.
type People struct {
	Version     int64
	Users       []User
	Groups      []UserGroup
	Members     []Member
	Roles       []Role
	Grants      []Grant
	Tokens      []APIToken
	Connections []Connection // with name and labels
}

// People reads all of it. What is read is at least as new as its version.
func (q *Queries) People(ctx context.Context) (p *People, err error) {
	p = &People{}
	if p.Version, err = q.PeopleVersion(ctx); err != nil {
		return nil, err
	}
	for _, sel := range []*bun.SelectQuery{
		q.db.NewSelect().Model(&p.Users).Order("name"), q.db.NewSelect().Model(&p.Groups).Order("name"),
		q.db.NewSelect().Model(&p.Members).Order("group_name", "user_name"), q.db.NewSelect().Model(&p.Roles).Order("name"),
		q.db.NewSelect().Model(&p.Grants).Order("id"), q.db.NewSelect().Model(&p.Tokens).Order("user_name", "name"),
		q.db.NewSelect().Model(&p.Connections).Column("name", "labels"),
	} {
		if err := sel.Scan(ctx); err != nil {
			return nil, failure(err, "read who may do what")
		}
	}
	return p, nil
}

// PeopleVersion is another one after each change of what decisions are made from.
func (q *Queries) PeopleVersion(ctx context.Context) (version int64, err error) {
	err = q.db.NewSelect().Table("people_version").Column("version").Where("id = 1").Scan(ctx, &version)
	return version, failure(err, "read which version of the users there is")
}

// peopleChannel is PostgreSQL's channel for changes of what decisions are made from.
const peopleChannel = "mcic_people"

// ChangePeople runs a change of what decisions are made from, and has all servers read it anew.
func (s *Store) ChangePeople(ctx context.Context, change func(context.Context, *Queries) error) error {
	return s.Update(ctx, func(ctx context.Context, q *Queries) error {
		if err := change(ctx, q); err != nil {
			return err
		}
		return q.peopleChanged(ctx)
	})
}

func (q *Queries) peopleChanged(ctx context.Context) error {
	_, err := q.db.NewUpdate().Table("people_version").Set("version = version + 1").Where("id = 1").Exec(ctx)
	if err == nil && q.postgres {
		_, err = q.db.NewRaw("SELECT pg_notify(?, '')", peopleChannel).Exec(ctx) // when the transaction is committed
	}
	return failure(err, "tell of the change of the users")
}

// ListenPeople calls changed when another server has changed what decisions are made from,
// and when it may have.
func (s *Store) ListenPeople(ctx context.Context, changed func()) {
	s.listenTo(ctx, peopleChannel, func(string) { changed() }, changed)
}

// User reads one.
func (q *Queries) User(ctx context.Context, name string) (*User, error) {
	row := &User{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("name = ?", name), "there is no user %s; list them with: mcic user list", name)
}

// Subject reads the user who comes by single sign-on as a subject of an issuer.
func (q *Queries) Subject(ctx context.Context, issuer, subject string) (*User, error) {
	row := &User{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("issuer = ?", issuer).Where("subject = ?", subject), "there is no such user of %s", issuer)
}

// InsertUser records one.
func (q *Queries) InsertUser(ctx context.Context, row *User) error {
	return q.insert(ctx, row, "the user %s exists already; choose another name", row.Name)
}

// UpdateUser writes some columns of one.
func (q *Queries) UpdateUser(ctx context.Context, row *User, columns ...string) error {
	_, err := q.db.NewUpdate().Model(row).Column(columns...).WherePK().Exec(ctx)
	return failure(err, "record the user %s", row.Name)
}

// DeleteUser removes one with all that is his.
func (q *Queries) DeleteUser(ctx context.Context, name string) error {
	if _, err := q.User(ctx, name); err != nil {
		return err
	}
	for _, model := range []any{(*Member)(nil), (*Grant)(nil), (*APIToken)(nil), (*UserLogin)(nil), (*recovery)(nil)} {
		if _, err := q.db.NewDelete().Model(model).Where("user_name = ?", name).Exec(ctx); err != nil {
			return failure(err, "delete what belongs to the user %s", name)
		}
	}
	_, err := q.db.NewDelete().Model((*User)(nil)).Where("name = ?", name).Exec(ctx)
	return failure(err, "delete the user %s", name)
}

// SetGroups records which groups a user is in.
func (q *Queries) SetGroups(ctx context.Context, user string, groups []string) error {
	if _, err := q.db.NewDelete().Model((*Member)(nil)).Where("user_name = ?", user).Exec(ctx); err != nil {
		return failure(err, "forget the groups of %s", user)
	}
	for _, group := range groups {
		if _, err := q.Group(ctx, group); err != nil {
			return err
		}
		if err := q.insert(ctx, &Member{Group: group, User: user}, "the group %s is named twice; name it once", group); err != nil {
			return err
		}
	}
	return nil
}

// Group reads one.
func (q *Queries) Group(ctx context.Context, name string) (*UserGroup, error) {
	row := &UserGroup{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("name = ?", name), "there is no group %s; list them with: mcic group list", name)
}

// InsertGroup records one.
func (q *Queries) InsertGroup(ctx context.Context, row *UserGroup) error {
	return q.insert(ctx, row, "the group %s exists already", row.Name)
}

// DeleteGroup removes one with its grants.
func (q *Queries) DeleteGroup(ctx context.Context, name string) error {
	if _, err := q.Group(ctx, name); err != nil {
		return err
	}
	for _, model := range []any{(*Member)(nil), (*Grant)(nil)} {
		if _, err := q.db.NewDelete().Model(model).Where("group_name = ?", name).Exec(ctx); err != nil {
			return failure(err, "delete what belongs to the group %s", name)
		}
	}
	_, err := q.db.NewDelete().Model((*UserGroup)(nil)).Where("name = ?", name).Exec(ctx)
	return failure(err, "delete the group %s", name)
}

// Role reads one.
func (q *Queries) Role(ctx context.Context, name string) (*Role, error) {
	row := &Role{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("name = ?", name), "there is no role %s of one's own; list them with: mcic role list", name)
}

// InsertRole records one.
func (q *Queries) InsertRole(ctx context.Context, row *Role) error {
	return q.insert(ctx, row, "the role %s exists already; choose another name", row.Name)
}

// UpdateRole writes what can change of one.
func (q *Queries) UpdateRole(ctx context.Context, row *Role) error {
	_, err := q.db.NewUpdate().Model(row).WherePK().Exec(ctx)
	return failure(err, "record the role %s", row.Name)
}

// DeleteRole removes one that nobody has.
func (q *Queries) DeleteRole(ctx context.Context, name string) error {
	if _, err := q.Role(ctx, name); err != nil {
		return err
	}
	granted, err := q.db.NewSelect().Model((*Grant)(nil)).Where("role = ?", name).Exists(ctx)
	if err != nil {
		return failure(err, "look who has the role %s", name)
	}
	if granted {
		return resource.Errorf(resource.CodeDependency, "the role %s is granted to somebody; see: mcic grant list", name)
	}
	_, err = q.db.NewDelete().Model((*Role)(nil)).Where("name = ?", name).Exec(ctx)
	return failure(err, "delete the role %s", name)
}

// InsertGrant records one.
func (q *Queries) InsertGrant(ctx context.Context, row *Grant) error {
	return q.insert(ctx, row, "the grant %s exists already", row.ID)
}

// DeleteGrant removes one.
func (q *Queries) DeleteGrant(ctx context.Context, id string) error {
	if err := q.one(ctx, q.db.NewSelect().Model(&Grant{}).Where("id = ?", id), "there is no grant %s; list them with: mcic grant list", id); err != nil {
		return err
	}
	_, err := q.db.NewDelete().Model((*Grant)(nil)).Where("id = ?", id).Exec(ctx)
	return failure(err, "delete the grant %s", id)
}

const noToken = "there is no token %s; list them with: mcic token list"

// NoToken is the error of one that is not there.
func NoToken(id string) error { return resource.Errorf(resource.CodeNotFound, noToken, id) }

// Token reads one.
func (q *Queries) Token(ctx context.Context, id string) (*APIToken, error) {
	row := &APIToken{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("id = ?", id), noToken, id)
}

// Tokens reads those of a user, or of all.
func (q *Queries) Tokens(ctx context.Context, user string) (rows []APIToken, err error) {
	sel := q.db.NewSelect().Model(&rows).Order("user_name", "name")
	if user != "" {
		sel = sel.Where("user_name = ?", user)
	}
	return rows, failure(sel.Scan(ctx), "list the tokens")
}

// InsertToken records one.
func (q *Queries) InsertToken(ctx context.Context, row *APIToken) error {
	return q.insert(ctx, row, "%s has a token %s already; choose another name, or revoke it first", row.User, row.Name)
}

// DeleteToken removes one.
func (q *Queries) DeleteToken(ctx context.Context, id string) error {
	_, err := q.db.NewDelete().Model((*APIToken)(nil)).Where("id = ?", id).Exec(ctx)
	return failure(err, "revoke the token %s", id)
}

// DeleteTokenNamed removes the one of a user that has a name, if there is one.
func (q *Queries) DeleteTokenNamed(ctx context.Context, user, name string) error {
	_, err := q.db.NewDelete().Model((*APIToken)(nil)).Where("user_name = ?", user).Where("name = ?", name).Exec(ctx)
	return failure(err, "revoke the token %s of %s", name, user)
}

// UsedTokens records when tokens were used last. It does so in the order of their ids: servers
// that record the same ones at the same time would lock each other out otherwise.
func (s *Store) UsedTokens(ctx context.Context, used map[string]time.Time) error {
	return s.Update(ctx, func(ctx context.Context, q *Queries) error {
		for _, id := range slices.Sorted(maps.Keys(used)) {
			at := MicrosOf(used[id])
			if _, err := q.db.NewUpdate().Model((*APIToken)(nil)).Set("used_at = ?", at).Where("id = ?", id).Where("used_at < ?", at).Exec(ctx); err != nil {
				return failure(err, "record when tokens were used")
			}
		}
		return nil
	})
}

// InsertLogin records what lets a user in for a while.
func (q *Queries) InsertLogin(ctx context.Context, row *UserLogin) error {
	if err := q.sealedNow(ctx, row.Sealed); err != nil {
		return err
	}
	return q.insert(ctx, row, "the login exists already")
}

// UserLogin reads what lets a user in.
func (q *Queries) UserLogin(ctx context.Context, hash, purpose string) (*UserLogin, error) {
	row := &UserLogin{}
	sel := q.db.NewSelect().Model(row).Where("hash = ?", hash).Where("purpose = ?", purpose).Where("until > ?", MicrosOf(time.Now()))
	return row, q.one(ctx, sel, "the %s has ended, or was never made", purpose)
}

// ClaimLogin has who asks be the only one that renews a login, until a time. It reports whether
// nobody else is.
func (q *Queries) ClaimLogin(ctx context.Context, row *UserLogin, until time.Time) (bool, error) {
	update := q.db.NewUpdate().Model(row).Set("fresh_until = ?", MicrosOf(until)).WherePK().Where("fresh_until = ?", row.FreshUntil)
	done, err := update.Exec(ctx)
	if err != nil {
		return false, failure(err, "record that the login is renewed")
	}
	n, err := done.RowsAffected()
	return n == 1, failure(err, "record that the login is renewed")
}

// RenewLogin records that a login is still there.
func (q *Queries) RenewLogin(ctx context.Context, row *UserLogin) error {
	if err := q.sealedNow(ctx, row.Sealed); err != nil {
		return err
	}
	_, err := q.db.NewUpdate().Model(row).Column("sealed", "fresh_until", "kept_until").WherePK().Exec(ctx)
	return failure(err, "record the login")
}

// SubjectLogins reads the logins of who comes by single sign-on: all of a subject, those of a
// session, or those of both.
func (q *Queries) SubjectLogins(ctx context.Context, issuer, subject, session string) (rows []UserLogin, err error) {
	users := q.db.NewSelect().Model((*User)(nil)).Column("name").Where("issuer = ?", issuer)
	if subject != "" {
		users = users.Where("subject = ?", subject)
	}
	sel := q.db.NewSelect().Model(&rows).Where("purpose = ?", PurposeLogin).Where("user_name IN (?)", users)
	if session != "" {
		sel = sel.Where("session = ?", session)
	}
	return rows, failure(sel.Scan(ctx), "look for the logins that have ended")
}

// EndLogins ends the logins and invitations of a user, or with a hash that one.
func (q *Queries) EndLogins(ctx context.Context, user, hash string) error {
	del := q.db.NewDelete().Model((*UserLogin)(nil)).Where("user_name = ?", user)
	if hash != "" {
		del = del.Where("hash = ?", hash)
	}
	_, err := del.Exec(ctx)
	return failure(err, "end the logins of %s", user)
}

// EndInvitations ends the invitations of a user.
func (q *Queries) EndInvitations(ctx context.Context, user string) error {
	_, err := q.db.NewDelete().Model((*UserLogin)(nil)).Where("user_name = ?", user).Where("purpose = ?", PurposeInvite).Exec(ctx)
	return failure(err, "end the invitations of %s", user)
}
