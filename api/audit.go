package api

import "time"

// AuditEntry says who did what. It is kept longer than what it is about.
type AuditEntry struct {
	ID         string    `json:"id" doc:"Id of the entry; later ones sort after earlier ones."`
	At         time.Time `json:"at" doc:"When it was done."`
	Who        string    `json:"who" doc:"Who asked for it: admin, spider (a client of CB-Spider), or system (the server itself)."`
	Verb       string    `json:"verb" doc:"create, update or delete of a credential, connection or repository; install, upgrade, downgrade or remove of a driver; delete, release or adopt of a resource; login to and logout from one by SSH, and forgethostkey; call of an extension or of the cloud's own API."`
	Kind       string    `json:"kind" doc:"Kind of the resource, or credential, connection, extension, native, driver or repository."`
	Connection string    `json:"connection,omitempty" doc:"Connection of the resource or the call."`
	Name       string    `json:"name" doc:"Name of what it is about; of native calls, the service."`
	UID        string    `json:"uid,omitempty" doc:"Uid of the resource."`
	CloudID    string    `json:"cloudId,omitempty" doc:"The cloud's id of the resource."`
	Operation  string    `json:"operation,omitempty" doc:"Operation that did it."`
	Outcome    string    `json:"outcome" doc:"ok, or the code of the error."`
	Detail     string    `json:"detail,omitempty" doc:"The error, what a forced deletion may have left on the cloud, or as whom and how somebody logged in; of a driver its version, digest, repository and key; of a repository its place and the keys that are trusted; of native calls, method, path and the status of the answer. Never what was sent or answered."`
}
