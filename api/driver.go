package api

import (
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Repository is a place that drivers are installed from.
type Repository struct {
	Name       string       `json:"name" doc:"Name of the repository, unique on the server."`
	URL        string       `json:"url" doc:"Where it is: oci://host/namespace for an OCI registry, file:///folder for a folder of OCI image layouts."`
	Priority   int          `json:"priority" doc:"Of several repositories that have a driver the one with the highest priority is used."`
	Keys       []TrustedKey `json:"keys,omitempty" doc:"Public keys whose signatures are trusted."`
	Insecure   bool         `json:"insecure,omitempty" doc:"Whether packages that are not signed by a trusted key are installed too. Whoever can write to the repository can then run programs on the server."`
	PlainHTTP  bool         `json:"plainHTTP,omitempty" doc:"Whether it is reached over HTTP without TLS."`
	Username   string       `json:"username,omitempty" doc:"The user to log in as."`
	Configured bool         `json:"configured,omitempty" doc:"Whether it comes from the server's configuration; it can be changed only there."`
	CreatedAt  *time.Time   `json:"createdAt,omitempty" doc:"When it was registered. Absent if it comes from the configuration."`
}

// TrustedKey is a key that signatures of packages are verified with.
type TrustedKey struct {
	Key    string `json:"key" doc:"Public key in PEM, as mcic driver keygen writes it." minLength:"1" maxLength:"4096"`
	Prefix string `json:"prefix,omitempty" doc:"The key is trusted only for drivers whose names begin so. Absent for all drivers of the repository." maxLength:"32"`

	Fingerprint string `json:"fingerprint,omitempty" readOnly:"true" doc:"Fingerprint of the key, as installed drivers and the audit trail name it. The server computes it; one that is given counts for nothing."`
}

// RepositoryRequest registers a repository.
type RepositoryRequest struct {
	Name      string       `json:"name" doc:"Name of the repository: lower-case letters, digits and hyphens, at most 63." minLength:"1" maxLength:"63" pattern:"^[a-z0-9][a-z0-9-]*$" patternDescription:"a lower-case letter or digit, then lower-case letters, digits or hyphens"`
	URL       string       `json:"url" doc:"Where it is: oci://host/namespace for an OCI registry, file:///folder for a folder of OCI image layouts on the server." minLength:"1" maxLength:"1024"`
	Priority  int          `json:"priority,omitempty" doc:"Of several repositories that have a driver the one with the highest priority is used. Default 0." minimum:"-1000000" maximum:"1000000"`
	Keys      []TrustedKey `json:"keys,omitempty" doc:"Public keys whose signatures are trusted. At least one, unless the repository is insecure." maxItems:"100"`
	Insecure  bool         `json:"insecure,omitempty" doc:"Install packages that are not signed by a trusted key too. Whoever can write to the repository can then run programs on the server."`
	PlainHTTP bool         `json:"plainHTTP,omitempty" doc:"Reach it over HTTP without TLS."`
	Username  string       `json:"username,omitempty" doc:"The user to log in as. Without it the login of Docker's configuration is used, if there is one for the host." maxLength:"256"`
	Password  string       `json:"password,omitempty" doc:"The user's password or token. It is sealed and never shown again." maxLength:"16384"`
}

// RepositoryChange changes a repository. What is absent stays as it is.
type RepositoryChange struct {
	URL       *string      `json:"url,omitempty" doc:"Where it is. With another URL a recorded password must be given again: it is not sent to a place that it was not meant for." minLength:"1" maxLength:"1024"`
	Priority  *int         `json:"priority,omitempty" doc:"Of several repositories that have a driver the one with the highest priority is used." minimum:"-1000000" maximum:"1000000"`
	Keys      []TrustedKey `json:"keys,omitzero" doc:"All public keys whose signatures are trusted, in place of those so far. Drivers that are installed stay, whatever key they were verified with." maxItems:"100"`
	Insecure  *bool        `json:"insecure,omitempty" doc:"Whether packages that are not signed by a trusted key are installed too. Whoever can write to the repository can then run programs on the server."`
	PlainHTTP *bool        `json:"plainHTTP,omitempty" doc:"Whether it is reached over HTTP without TLS."`
	Username  *string      `json:"username,omitempty" doc:"The user to log in as; an empty text for none." maxLength:"256"`
	Password  *string      `json:"password,omitempty" doc:"The user's password or token; an empty text for none. It is sealed and never shown again." maxLength:"16384"`
}

// DriverRelease is a driver that a repository has.
type DriverRelease struct {
	Name       string   `json:"name" doc:"The cloud's name."`
	Title      string   `json:"title" doc:"The cloud's name for people."`
	Doc        string   `json:"doc,omitempty" doc:"What the driver reaches."`
	Version    string   `json:"version" doc:"Its newest version that fits this server, or the newest of all if none does."`
	Versions   []string `json:"versions" doc:"All versions, the newest first."`
	Repository string   `json:"repository" doc:"The repository that has it."`
	Digest     string   `json:"digest" doc:"Digest of the package of this version."`
	Platforms  []string `json:"platforms" doc:"What it is built for, such as linux/amd64."`
	Protocols  []int    `json:"protocols" doc:"Versions of the driver protocol that it speaks."`
	Kinds      []string `json:"kinds" doc:"Kinds of resources that it offers."`
	Compatible bool     `json:"compatible" doc:"Whether this server can run it: a protocol and a platform fit."`
	Installed  string   `json:"installed,omitempty" doc:"The version that is installed here, from whichever repository."`
	Upgrade    string   `json:"upgrade,omitempty" doc:"The version that an upgrade would move to: the driver was installed from this repository, which has a newer one that fits this server."`
	Source     string   `json:"source,omitempty" doc:"Where its source code is."`
	Licenses   string   `json:"licenses,omitempty" doc:"Its licence, as an SPDX expression."`
}

// RepositoryProblem is a repository that could not be searched.
type RepositoryProblem struct {
	Repository string `json:"repository" doc:"Its name."`
	Message    string `json:"message" doc:"Why not."`
}

// DriverRequest asks for a driver to be installed.
type DriverRequest struct {
	Name       string `json:"name" doc:"The cloud's name." minLength:"1" maxLength:"32"`
	Version    string `json:"version,omitempty" doc:"Semantic version. Default: the newest that is no pre-release and fits this server." maxLength:"128"`
	Repository string `json:"repository,omitempty" maxLength:"63" doc:"Name of the repository. Default: the one with the highest priority that has the driver."`
}

// DriverChange asks for another version of an installed driver.
type DriverChange struct {
	Version    string `json:"version,omitempty" doc:"Semantic version. Default for an upgrade: the newest that is no pre-release and fits this server; for a downgrade: the one that was installed before." maxLength:"128"`
	Repository string `json:"repository,omitempty" doc:"Name of the repository. Default: the one that the driver was installed from." maxLength:"63"`
}

// DriverStep is a step of the way of a driver to work.
type DriverStep string

// The steps, in their order.
const (
	DriverFind     DriverStep = "find"     // its release is looked for in the repositories
	DriverVerify   DriverStep = "verify"   // its signature is verified
	DriverDownload DriverStep = "download" // its archive is fetched
	DriverUnpack   DriverStep = "unpack"   // the archive is unpacked and its files are noted
	DriverProbe    DriverStep = "probe"    // it is started and says what it is
	DriverReady    DriverStep = "ready"    // it is used
	DriverFailed   DriverStep = "failed"   // everything is as it was
)

// DriverProgress is how far the installation of a driver is, or its move to another
// version. It is told as an event and kept nowhere.
type DriverProgress struct {
	ID         string          `json:"id" doc:"Of this change."`
	Name       string          `json:"name" doc:"The cloud's name."`
	Verb       string          `json:"verb" doc:"What is done." enum:"install,upgrade,downgrade"`
	Version    string          `json:"version,omitempty" doc:"The version that was found."`
	Repository string          `json:"repository,omitempty" doc:"The repository that it comes from."`
	Step       DriverStep      `json:"step" doc:"Where it is." enum:"find,verify,download,unpack,probe,ready,failed"`
	Done       int64           `json:"done,omitempty" doc:"Bytes of the archive that have been fetched."`
	Total      int64           `json:"total,omitempty" doc:"Bytes of the archive."`
	Error      *resource.Error `json:"error,omitempty" doc:"Why it failed."`
	StartedAt  time.Time       `json:"startedAt" doc:"When it began."`
	UpdatedAt  time.Time       `json:"updatedAt" doc:"When this was so."`
}

// Ended reports whether nothing more happens.
func (p *DriverProgress) Ended() bool { return p.Step == DriverReady || p.Step == DriverFailed }

// DriverVerification is what a check of an installed driver has found.
type DriverVerification struct {
	Name    string `json:"name" doc:"The cloud's name."`
	Version string `json:"version" doc:"The installed version."`
	Digest  string `json:"digest" doc:"Digest of its package."`
	Files   string `json:"files" doc:"Digest of the files on this server, which are as they were installed."`
	Key     string `json:"key,omitempty" doc:"Fingerprint of the trusted key that the package in the repository is signed with now."`
}
