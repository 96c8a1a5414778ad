package api

import (
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Credential is a set of sealed values for one cloud. The values are never shown.
type Credential struct {
	Name      string    `json:"name" doc:"Name of the credential."`
	Cloud     string    `json:"cloud" doc:"Cloud that it is for."`
	Fields    []string  `json:"fields" doc:"Names of the values that it holds. The values are sealed and never shown."`
	CreatedAt time.Time `json:"createdAt" doc:"When it was recorded."`

	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When it ends, if whoever recorded it said so."`
	Expiry    Expiry     `json:"expiry,omitempty" doc:"What to be warned of: soon, if it ends within 14 days, or over, if it has ended." enum:"soon,over"`
}

// Expiry is what people are warned of about the end of a credential.
type Expiry string

// What they are warned of.
const (
	ExpirySoon Expiry = "soon"
	ExpiryOver Expiry = "over"
)

// warnBefore is how long before a credential ends people are warned.
const warnBefore = 14 * 24 * time.Hour

// ExpiryOf is what there is to warn of when a credential ends at a time.
func ExpiryOf(ends *time.Time, now time.Time) Expiry {
	switch {
	case ends == nil || now.Before(ends.Add(-warnBefore)):
		return ""
	case now.Before(*ends):
		return ExpirySoon
	}
	return ExpiryOver
}

// CredentialRequest is the body of a credential's creation.
type CredentialRequest struct {
	Name   string            `json:"name" doc:"Name of the credential: 1 to 128 letters, digits, dots, underscores and hyphens; it starts with a letter or digit." minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" patternDescription:"a letter or digit, then letters, digits, '.', '_' or '-'"`
	Cloud  string            `json:"cloud" doc:"Cloud that it is for, such as aws; see the drivers." minLength:"1" maxLength:"64"`
	Values map[string]string `json:"values" doc:"Values of the credential's fields; the driver's description says which there are." maxProperties:"64"`

	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When the cloud will not take it any more, to be warned of beforehand."`
}

// CredentialChange changes a credential. What is absent stays as it is.
type CredentialChange struct {
	Values    map[string]string `json:"values,omitempty" doc:"Values to replace, by their fields; an empty one removes the old one." maxProperties:"64"`
	ExpiresAt *time.Time        `json:"expiresAt,omitempty" doc:"When the cloud will not take it any more, to be warned of beforehand. 0001-01-01T00:00:00Z for never."`
}

// Connection is a name for a cloud's driver with a credential, a region and
// settings.
type Connection struct {
	Name       string            `json:"name" doc:"Name of the connection."`
	Cloud      string            `json:"cloud" doc:"Cloud that it reaches."`
	Credential string            `json:"credential,omitempty" doc:"Credential that it uses."`
	Region     string            `json:"region,omitempty" doc:"Region that it works in."`
	Zone       string            `json:"zone,omitempty" doc:"Zone for what names none."`
	Settings   map[string]string `json:"settings,omitempty" doc:"Settings of the driver for this connection."`
	Patience   resource.Patience `json:"patience,omitempty" doc:"How long a change may take once the cloud has accepted it, by kind, such as 2h for cluster, where the usual time is too short or too long for this cloud: half an hour, for a kind that takes longer (cluster) an hour."`
	Labels     map[string]string `json:"labels,omitempty" doc:"Labels of the connection itself, by which rights can be given."`
	Account    string            `json:"account,omitempty" doc:"The cloud's id of the account that the credential opens, such as the project on OpenStack. Absent until the connection was used, and if the driver does not tell."`
	CreatedAt  time.Time         `json:"createdAt" doc:"When it was recorded."`
	UpdatedAt  time.Time         `json:"updatedAt" doc:"When it last changed."`
}

// ConnectionRequest is the body of a connection's creation.
type ConnectionRequest struct {
	Name       string            `json:"name" doc:"Name of the connection: 1 to 128 letters, digits, dots, underscores and hyphens; it starts with a letter or digit." minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" patternDescription:"a letter or digit, then letters, digits, '.', '_' or '-'"`
	Cloud      string            `json:"cloud" doc:"Cloud to reach, such as aws; see the drivers." minLength:"1" maxLength:"64"`
	Credential string            `json:"credential,omitempty" doc:"Name of a credential for that cloud. Left out only for clouds that need none." maxLength:"128"`
	Region     string            `json:"region,omitempty" doc:"Region to work in; see the catalog's regions. Left out only for clouds that have a single one." catalog:"region" maxLength:"128" pattern:"^(\\S(.*\\S)?)?$" patternDescription:"a name without white space around it"`
	Zone       string            `json:"zone,omitempty" doc:"Zone for what names none. Default: the cloud's choice." catalog:"zone" maxLength:"128" pattern:"^(\\S(.*\\S)?)?$" patternDescription:"a name without white space around it"`
	Settings   map[string]string `json:"settings,omitempty" doc:"Settings of the driver for this connection; its description says which there are." maxProperties:"64"`
	Patience   resource.Patience `json:"patience,omitempty" doc:"How long a change may take once the cloud has accepted it, by kind, such as 2h for cluster, where the usual time is too short or too long for this cloud: half an hour, for a kind that takes longer (cluster) an hour." maxProperties:"64"`
	Labels     map[string]string `json:"labels,omitempty" doc:"Labels of the connection itself, at most 40; rights can be given by them." maxProperties:"40"`
}

// ConnectionChange changes a connection. What is absent stays as it is.
type ConnectionChange struct {
	Credential *string           `json:"credential,omitempty" doc:"Another credential for the same account of the cloud." maxLength:"128"`
	Zone       *string           `json:"zone,omitempty" doc:"Zone for what names none; empty for the cloud's choice." catalog:"zone" maxLength:"128" pattern:"^(\\S(.*\\S)?)?$" patternDescription:"a name without white space around it"`
	Settings   map[string]string `json:"settings,omitzero" doc:"All settings, in place of those so far; {} for none." maxProperties:"64"`
	Patience   resource.Patience `json:"patience,omitzero" doc:"All of it, in place of what was set so far; {} for the usual times. Changes that are under way keep to it from now on." maxProperties:"64"`
	Labels     map[string]string `json:"labels,omitzero" doc:"All labels, in place of those so far; {} for none. Since rights can be given by them, only who may change all connections may change them." maxProperties:"40"`
}

// ConnectionDraft is a connection that is not recorded, to look at what it would offer.
type ConnectionDraft struct {
	Credential string            `json:"credential,omitempty" doc:"Name of a credential for the cloud." maxLength:"128"`
	Values     map[string]string `json:"values,omitempty" doc:"Instead of a credential's name: values of its fields. They are used once and kept nowhere." maxProperties:"64"`
	Region     string            `json:"region,omitempty" doc:"Region to work in. Regions can be looked up without one." catalog:"region" maxLength:"128" pattern:"^(\\S(.*\\S)?)?$" patternDescription:"a name without white space around it"`
	Zone       string            `json:"zone,omitempty" doc:"Zone for what names none." catalog:"zone" maxLength:"128" pattern:"^(\\S(.*\\S)?)?$" patternDescription:"a name without white space around it"`
	Settings   map[string]string `json:"settings,omitempty" doc:"Settings of the driver for the connection; its description says which there are." maxProperties:"64"`
}
