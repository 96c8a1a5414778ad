package api

import "time"

// RoleRule is a part of a role: which verbs it allows on what.
type RoleRule struct {
	Verbs            []string `json:"verbs" doc:"Verbs, such as read, create, delete, start or login; change for all changes of what is there, * for everything." minItems:"1" maxItems:"64" maxLength:"64" nullable:"false"`
	Kinds            []string `json:"kinds" doc:"Kinds of resources, such as vm; what else the server has: connection, credential, driver, repository, audit, person and server; catalogs, such as image. resource stands for all kinds of resources, catalog for all catalogs, * for everything." minItems:"1" maxItems:"64" maxLength:"64" nullable:"false"`
	Connections      []string `json:"connections,omitempty" doc:"Names of connections, or patterns such as aws-*. Default: all." maxItems:"200" maxLength:"128" pattern:"^[A-Za-z0-9*][A-Za-z0-9._*-]*$" patternDescription:"a name of a connection, in which * stands for any characters" nullable:"false"`
	ConnectionLabels []string `json:"connectionLabels,omitempty" doc:"What the labels of the connections must be, as key=value or key!=value; all of them. Default: anything." maxItems:"20" maxLength:"330" nullable:"false"`
	Labels           []string `json:"labels,omitempty" doc:"What the labels of resources must be, as key=value or key!=value; all of them. Default: anything." maxItems:"20" maxLength:"330" nullable:"false"`
}

// Role is a name for rules.
type Role struct {
	Name      string     `json:"name" doc:"Name of the role."`
	Doc       string     `json:"doc,omitempty" doc:"What it is for."`
	Rules     []RoleRule `json:"rules" doc:"What it allows: whatever one of them allows." nullable:"false"`
	BuiltIn   bool       `json:"builtIn" doc:"Whether the server has it by itself; it cannot be changed then."`
	UpdatedAt *time.Time `json:"updatedAt,omitempty" doc:"When it last changed."`
}

// RoleRequest is the body of a role's creation.
type RoleRequest struct {
	Name  string     `json:"name" doc:"Name of the role: 1 to 64 small letters, digits, dots and hyphens; it starts with a letter." minLength:"1" maxLength:"64" pattern:"^[a-z][a-z0-9.-]*$" patternDescription:"a small letter, then small letters, digits, '.' or '-'"`
	Doc   string     `json:"doc,omitempty" doc:"What it is for." maxLength:"256"`
	Rules []RoleRule `json:"rules" doc:"What it allows: whatever one of them allows." minItems:"1" maxItems:"64" nullable:"false"`
}

// RoleChange changes a role. What is absent stays as it is.
type RoleChange struct {
	Doc   *string    `json:"doc,omitempty" doc:"What it is for." maxLength:"256"`
	Rules []RoleRule `json:"rules,omitempty" doc:"All of them, in place of those so far." maxItems:"64" nullable:"false"`
}

// User is somebody who may log in, or a program that does.
type User struct {
	Name         string     `json:"name" doc:"Name of the user."`
	Title        string     `json:"title,omitempty" doc:"Name for people."`
	Groups       []string   `json:"groups" doc:"Groups that the user is in." nullable:"false"`
	Disabled     bool       `json:"disabled" doc:"Whether the user is kept out, with all tokens."`
	Password     bool       `json:"password" doc:"Whether the user has a password."`
	TOTP         bool       `json:"totp" doc:"Whether logins with the password ask for a code too, a second step."`
	SingleSignOn string     `json:"singleSignOn,omitempty" doc:"The issuer from which the user comes by single sign-on, and which decides about groups and passwords. Absent for users of this server alone."`
	LockedUntil  *time.Time `json:"lockedUntil,omitempty" doc:"Until when logins are refused, after too many wrong passwords."`
	LastLoginAt  *time.Time `json:"lastLoginAt,omitempty" doc:"When the user last logged in with the password."`
	CreatedAt    time.Time  `json:"createdAt" doc:"When the user was recorded."`
}

// UserRequest is the body of a user's creation.
type UserRequest struct {
	Name     string   `json:"name" doc:"Name of the user: 1 to 64 small letters, digits, dots, underscores, hyphens and @; it starts with a letter or digit." minLength:"1" maxLength:"64" pattern:"^[a-z0-9][a-z0-9._@-]*$" patternDescription:"a small letter or digit, then small letters, digits, '.', '_', '@' or '-'"`
	Title    string   `json:"title,omitempty" doc:"Name for people." maxLength:"128"`
	Groups   []string `json:"groups,omitempty" doc:"Groups that the user is in." maxItems:"100" maxLength:"64" nullable:"false"`
	Password string   `json:"password,omitempty" doc:"The password. Without it the user uses tokens, or an invitation to choose one." maxLength:"256" writeOnly:"true"`
}

// UserChange changes a user. What is absent stays as it is.
type UserChange struct {
	Title    *string   `json:"title,omitempty" doc:"Name for people." maxLength:"128"`
	Groups   *[]string `json:"groups,omitempty" doc:"All groups that the user is in, in place of those so far." maxItems:"100" maxLength:"64"`
	Disabled *bool     `json:"disabled,omitempty" doc:"Whether the user is kept out, with all tokens."`
	Password *string   `json:"password,omitempty" doc:"A new password; it ends the user's logins." maxLength:"256" writeOnly:"true"`
	TOTP     *bool     `json:"totp,omitempty" doc:"false takes the second step away from a user who has lost it. Only the user adds one."`
	Unlock   bool      `json:"unlock,omitempty" doc:"Let the user try passwords again at once."`
}

// UserGroup is a name for users.
type UserGroup struct {
	Name    string   `json:"name" doc:"Name of the group."`
	Doc     string   `json:"doc,omitempty" doc:"Who is in it."`
	Members []string `json:"members" doc:"The users in it." nullable:"false"`
}

// UserGroupRequest is the body of a group's creation.
type UserGroupRequest struct {
	Name string `json:"name" doc:"Name of the group: 1 to 64 letters, digits, dots, underscores and hyphens; it starts with a letter or digit." minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" patternDescription:"a letter or digit, then letters, digits, '.', '_' or '-'"`
	Doc  string `json:"doc,omitempty" doc:"Who is in it." maxLength:"256"`
}

// Grant gives a role to a user or a group.
type Grant struct {
	ID               string    `json:"id" doc:"Id of the grant."`
	User             string    `json:"user,omitempty" doc:"The user who has the role."`
	Group            string    `json:"group,omitempty" doc:"The group whose members have it."`
	Role             string    `json:"role" doc:"The role."`
	Connections      []string  `json:"connections,omitempty" doc:"The connections in which they have it, as names or patterns. Absent: everywhere."`
	ConnectionLabels []string  `json:"connectionLabels,omitempty" doc:"What the labels of those connections must be. Absent: anything."`
	CreatedAt        time.Time `json:"createdAt" doc:"When it was given."`
	GrantedBy        string    `json:"grantedBy" doc:"Who gave it."`
}

// GrantRequest is the body of a grant's creation: a user or a group, and a role.
type GrantRequest struct {
	User             string   `json:"user,omitempty" doc:"The user who has the role." maxLength:"64"`
	Group            string   `json:"group,omitempty" doc:"The group whose members have it; it need not be there yet." maxLength:"64"`
	Role             string   `json:"role" doc:"The role." minLength:"1" maxLength:"64"`
	Connections      []string `json:"connections,omitempty" doc:"The connections in which they have it, as names or patterns such as aws-*. Default: everywhere." maxItems:"200" maxLength:"128" pattern:"^[A-Za-z0-9*][A-Za-z0-9._*-]*$" patternDescription:"a name of a connection, in which * stands for any characters" nullable:"false"`
	ConnectionLabels []string `json:"connectionLabels,omitempty" doc:"What the labels of the connections must be, as key=value or key!=value; all of them. Default: anything." maxItems:"20" maxLength:"330" nullable:"false"`
}

// APIToken lets a program in as a user.
type APIToken struct {
	ID         string     `json:"id" doc:"Id of the token."`
	User       string     `json:"user" doc:"Whose it is."`
	Name       string     `json:"name" doc:"What it is called."`
	Roles      []string   `json:"roles,omitempty" doc:"The roles of the user that it has. Absent: all."`
	ExpiresAt  *time.Time `json:"expiresAt,omitempty" doc:"Until when it lets in. Absent: until it is revoked."`
	LastUsedAt *time.Time `json:"lastUsedAt,omitempty" doc:"When it was last used, to the minute."`
	CreatedAt  time.Time  `json:"createdAt" doc:"When it was made."`
}

// IssuedToken is a token that was just made.
type IssuedToken struct {
	APIToken
	Token string `json:"token" doc:"The token itself. No other answer has it."`
}

// APITokenRequest is the body of a token's creation.
type APITokenRequest struct {
	Name      string   `json:"name" doc:"What it is called: 1 to 64 letters, digits, dots, underscores and hyphens; it starts with a letter or digit." minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" patternDescription:"a letter or digit, then letters, digits, '.', '_' or '-'"`
	User      string   `json:"user,omitempty" doc:"Whose it is. Default: who asks." maxLength:"64"`
	Roles     []string `json:"roles,omitempty" doc:"The roles of the user that it has. Default: all." maxItems:"64" maxLength:"64" nullable:"false"`
	ExpiresIn string   `json:"expiresIn,omitempty" doc:"How long it lets in, such as 720h, at most five years. Default: 2160h, 90 days." maxLength:"16" example:"720h"`
}

// PasswordChange changes the password of who asks.
type PasswordChange struct {
	Old string `json:"old" doc:"The password so far." maxLength:"256" writeOnly:"true"`
	New string `json:"new" doc:"The new one." maxLength:"256" writeOnly:"true"`
}

// TOTPRequest begins a second step for logins of who asks.
type TOTPRequest struct {
	Password string `json:"password" doc:"The password." maxLength:"256" writeOnly:"true"`
}

// TOTPSecret is what an authenticator app makes codes of, as RFC 6238 says: six digits by SHA-1,
// others every 30 seconds.
type TOTPSecret struct {
	Secret string `json:"secret" doc:"In base32. Only this answer has it."`
	URI    string `json:"uri" doc:"The same as apps read it, mostly from a QR code."`
}

// TOTPConfirmation shows that the app has the secret.
type TOTPConfirmation struct {
	Code string `json:"code" doc:"The code that the app shows." minLength:"1" maxLength:"32" writeOnly:"true"`
}

// RecoveryCodes are for who has lost the app.
type RecoveryCodes struct {
	RecoveryCodes []string `json:"recoveryCodes" doc:"Each is good once in the place of a code. Only this answer has them." nullable:"false"`
}

// TOTPRemoval takes the second step of who asks away.
type TOTPRemoval struct {
	Password string `json:"password" doc:"The password." maxLength:"256" writeOnly:"true"`
	Code     string `json:"code" doc:"The code that the app shows, or a recovery code." maxLength:"32" writeOnly:"true"`
}

// Invitation lets somebody choose a password, once.
type Invitation struct {
	User      string    `json:"user" doc:"Who is invited."`
	Code      string    `json:"code" doc:"What lets choose a password. Only this answer has it."`
	Path      string    `json:"path" doc:"Where a browser does so, below the address of the server."`
	ExpiresAt time.Time `json:"expiresAt" doc:"Until when."`
}

// Acceptance is the body with which somebody who is invited chooses a password.
type Acceptance struct {
	Code     string `json:"code" doc:"The code of the invitation." minLength:"1" maxLength:"128" writeOnly:"true"`
	Password string `json:"password" doc:"The password." maxLength:"256" writeOnly:"true"`
}

// Accepted says whose password was chosen.
type Accepted struct {
	User string `json:"user" doc:"The name to log in with."`
}

// Me is who asks.
type Me struct {
	Name     string  `json:"name" doc:"As the audit trail has it."`
	TOTP     bool    `json:"totp" doc:"Whether this one's logins have a second step."`
	Password bool    `json:"password" doc:"Whether this one has a password here. Users of single sign-on have none."`
	User     string  `json:"user,omitempty" doc:"Name of the user. Absent for who has the admin token, and for clients of CB-Spider."`
	Rights   []Right `json:"rights" doc:"What this one may do: whatever one of them allows." nullable:"false"`
}

// Right is a rule of a role that somebody has.
type Right struct {
	Role             string   `json:"role" doc:"The role."`
	Verbs            []string `json:"verbs" doc:"Verbs." nullable:"false"`
	Kinds            []string `json:"kinds" doc:"Kinds." nullable:"false"`
	Connections      []string `json:"connections,omitempty" doc:"Names or patterns, in commas, of each of which one fits the connection. Absent: every connection."`
	ConnectionLabels []string `json:"connectionLabels,omitempty" doc:"What labels of the connection must be."`
	Labels           []string `json:"labels,omitempty" doc:"What labels must be."`
}

// LoginRequest is the body with which a program gets a token for a user with a password.
type LoginRequest struct {
	User      string `json:"user" doc:"Name of the user." minLength:"1" maxLength:"64"`
	Password  string `json:"password" doc:"The password." maxLength:"256" writeOnly:"true"`
	Code      string `json:"code,omitempty" doc:"For a user who has a second step: the code that the app shows, or a recovery code." maxLength:"32" writeOnly:"true"`
	Name      string `json:"name" doc:"What the token is called. One that is called so already is revoked." minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" patternDescription:"a letter or digit, then letters, digits, '.', '_' or '-'"`
	ExpiresIn string `json:"expiresIn,omitempty" doc:"How long it lets in, at most 720h. Default: 12h." maxLength:"16" example:"12h"`
}

// LoginWays are the ways to log in.
type LoginWays struct {
	Passwords    bool          `json:"passwords"`
	SingleSignOn *SingleSignOn `json:"singleSignOn,omitempty"` // absent if the server has none
}

// SingleSignOn is the way by a provider of single sign-on.
type SingleSignOn struct {
	Name   string `json:"name"`             // for people
	Path   string `json:"path"`             // where browsers begin
	Issuer string `json:"issuer"`           // the provider's address
	Client string `json:"client,omitempty"` // what the provider calls the command line; absent if that cannot log in so
}
