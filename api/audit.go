package api

import "time"

// AuditEntry says who did what. It is kept longer than what it is about.
type AuditEntry struct {
	ID         string    `json:"id" doc:"Id of the entry; later ones sort after earlier ones."`
	At         time.Time `json:"at" doc:"When it was done."`
	Who        string    `json:"who" doc:"Who asked for it: admin, spider (a client of CB-Spider), or system (the server itself)."`
	Address    string    `json:"address,omitempty" doc:"Address that it was asked for from."`
	TokenID    string    `json:"tokenId,omitempty" doc:"Id of the token that was used: of an API token, admin for the admin token, spider for the password of CB-Spider's clients, or sso for a token of the provider of single sign-on. Absent for logins in browsers."`
	TokenName  string    `json:"tokenName,omitempty" doc:"What the token is called, or was."`
	Verb       string    `json:"verb" doc:"create, update or delete of a credential, connection or repository; install, upgrade, downgrade or remove of a driver; delete, release or any other verb or action of a resource, when it has ended; login and logout of the console, and login with a token or password that is wrong; reading of a secret, such as kubeconfig; login to and logout from one by SSH, and forgethostkey; call of an extension or of the cloud's own API."`
	Kind       string    `json:"kind" doc:"Kind of the resource, or credential, connection, session, extension, native, driver or repository."`
	Connection string    `json:"connection,omitempty" doc:"Connection of the resource or the call."`
	Name       string    `json:"name" doc:"Name of what it is about; of native calls, the service."`
	UID        string    `json:"uid,omitempty" doc:"Uid of the resource."`
	CloudID    string    `json:"cloudId,omitempty" doc:"The cloud's id of the resource."`
	Operation  string    `json:"operation,omitempty" doc:"Operation that did it."`
	Outcome    string    `json:"outcome" doc:"ok, or the code of the error."`
	Detail     string    `json:"detail,omitempty" doc:"The error, what a forced deletion may have left on the cloud, or as whom and how somebody logged in; of a driver its version, digest, repository and key; of a repository its place and the keys that are trusted; of native calls, method, path and the status of the answer. Never what was sent or answered."`
	Seq        int64     `json:"seq,omitempty" doc:"Number of the entry, once it is sealed, which takes some seconds."`
	Seal       string    `json:"seal,omitempty" doc:"Hash of the entry and of the seal before it."`
}

// AuditProof says whether the audit trail is what was written.
type AuditProof struct {
	Holds    bool       `json:"holds" doc:"Whether every sealed entry is there and is what was sealed."`
	Broken   string     `json:"broken,omitempty" doc:"Where it does not hold."`
	First    int64      `json:"first" doc:"Number of the oldest sealed entry that is kept."`
	Last     int64      `json:"last" doc:"Number of the newest sealed entry."`
	Seal     string     `json:"seal" doc:"Seal of that one, to be compared with a copy that is kept elsewhere."`
	SealedAt *time.Time `json:"sealedAt,omitempty" doc:"When it was sealed."`
	Open     int        `json:"open" doc:"Entries that are not sealed yet."`
}
