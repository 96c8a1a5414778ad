package resource

import (
	"encoding/json"
	"time"
)

// Envelope is a resource as users see it. Every kind has the same envelope; only
// spec and status differ. Spec and Status are raw JSON in generic code, and the
// kind's own types where the kind is known.
type Envelope[S, T any] struct {
	Kind       string            `json:"kind" doc:"Type of the resource, such as vm."`
	Name       string            `json:"name" doc:"Name of the resource, unique within its connection and kind."`
	FacadeName string            `json:"facadeName,omitempty" doc:"Name that clients of CB-Spider's API use for the resource, where that is another one: any text of up to 270 characters, unique within its connection and kind, of a subnet within its VPC."`
	Connection string            `json:"connection" doc:"Connection that the resource lives in."`
	UID        string            `json:"uid" doc:"Our id of the resource: unique, never reused, and the idempotency token of its creation."`
	CloudID    string            `json:"cloudId,omitempty" doc:"The cloud's id. Empty until the cloud has accepted the creation."`
	State      State             `json:"state" doc:"Where the resource is in its life."`
	CloudState string            `json:"cloudState,omitempty" doc:"The cloud's own word for the state."`
	Labels     map[string]string `json:"labels,omitempty" doc:"Labels, kept as tags on the cloud where it has tags."`
	Spec       S                 `json:"spec" doc:"What was asked for: the specification of the creation, with what actions have changed since. A creation with it asks for the same again. Of what others made, the same as effective."`
	Effective  S                 `json:"effective" doc:"What there is: the specification as the cloud shows it, with what the cloud completed or changed, or somebody else did. References are names of resources here, or cloud ids of objects that are not managed here."`
	Status     T                 `json:"status" doc:"What the cloud reports."`
	Native     json.RawMessage   `json:"native,omitempty" doc:"The cloud's own fields, unchanged."`
	Error      *Error            `json:"error,omitempty" doc:"Why the resource failed, or why its last change did."`
	Operation  string            `json:"operation,omitempty" doc:"Id of the operation that is changing the resource now."`
	CreatedAt  time.Time         `json:"createdAt" doc:"When it was recorded here."`
	UpdatedAt  time.Time         `json:"updatedAt" doc:"When its record last changed."`
	SyncedAt   *time.Time        `json:"syncedAt,omitempty" doc:"When the cloud last showed it as it is here: how fresh this is. Absent until the cloud has shown it."`
	Secrets    map[string]string `json:"secrets,omitempty" doc:"Secrets that are shown once, in the answer to the creation, such as a key pair's privateKey."`
}

// Resource is an envelope whose kind is known only by name.
type Resource = Envelope[json.RawMessage, json.RawMessage]

// CreateRequest is the body of a create.
type CreateRequest[S any] struct {
	Name   string            `json:"name" doc:"Name of the resource, unique within its connection and kind: 1 to 128 letters, digits, dots, underscores and hyphens; it starts with a letter or digit." minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" patternDescription:"a letter or digit, then letters, digits, '.', '_' or '-'"`
	Labels map[string]string `json:"labels,omitempty" doc:"Labels, at most 40; kept as tags on the cloud where it has tags." maxProperties:"40"`
	Spec   S                 `json:"spec" doc:"What to create."`

	OnFailure OnFailure `json:"onFailure,omitempty" doc:"What becomes of it if the creation fails: keep it, to be looked at and tried again, or delete what there is of it, here and on the cloud. Default: keep." enum:"keep,delete"`

	Then []FollowUp `json:"then,omitempty" doc:"Actions on other resources that follow the creation, one after the other, such as attaching disks to a VM; until then nothing else changes those. If one fails, so do those after it and the whole, and onFailure says what becomes of what was created. The answer is one operation for all." maxItems:"64" nullable:"false"`

	Count int `json:"count,omitempty" doc:"Create so many that differ only in their names: name-1, name-2 and so on. The answer is one operation for all. Default: one, with the name as it is." minimum:"1" maximum:"1000"`
}

// CreationCheck is the answer to the check of a creation that would not be refused.
type CreationCheck struct {
	Cloud    bool      `json:"cloud" doc:"Whether the cloud was asked, too. What it would accept may still fail: nothing is kept free for it."`
	Reason   string    `json:"reason,omitempty" doc:"Why it was not."`
	Warnings []Warning `json:"warnings,omitempty" doc:"What the creation would warn of." nullable:"false"`
}

// OnFailure is what becomes of a resource whose creation fails.
type OnFailure string

// What can become of it.
const (
	OnFailureKeep   OnFailure = "keep"   // it stays, shown as failed
	OnFailureDelete OnFailure = "delete" // it is deleted, here and on the cloud
)

// AdoptRequest is the body of an adoption.
type AdoptRequest struct {
	CloudID string `json:"cloudId" doc:"The cloud's id of the resource to adopt." minLength:"1" maxLength:"512"`
	Name    string `json:"name,omitempty" doc:"Name to give it here, as in a creation. Default: its name on the cloud, made to fit." maxLength:"128" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" patternDescription:"a letter or digit, then letters, digits, '.', '_' or '-'"`
}

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

// Stale is a connection whose cloud could not be asked for a list that was to be
// fresh.
type Stale struct {
	Connection string `json:"connection" doc:"Connection that could not be asked. What the list shows of it is as old as its syncedAt says."`
	Error      *Error `json:"error" doc:"Why."`
}

// DestroyRequest is the body of the destruction of everything in a connection.
type DestroyRequest struct {
	DryRun bool `json:"dryRun" doc:"Whether only to tell what would be deleted. It must be given: false deletes."`
}

// Destruction is the answer to it.
type Destruction struct {
	Items     []Resource `json:"items" doc:"What is deleted, or would be: what uses others before what it uses." nullable:"false"`
	Operation *Operation `json:"operation,omitempty" doc:"The operation that deletes it. Its parts are those with it as parent. Absent if there is nothing to do, or with dryRun."`
}

// InventoryItem is a resource that the cloud has, that is recorded here, or both.
type InventoryItem struct {
	Kind       string `json:"kind" doc:"Kind of the resource."`
	Where      Where  `json:"where" doc:"both; cloud: not managed here; other: managed in another connection, which sees the same object; here: the cloud does not have it (yet, or any more); kept: the server keeps it, since the cloud has no such object." enum:"both,cloud,other,here,kept"`
	Name       string `json:"name,omitempty" doc:"Name here."`
	Connection string `json:"connection,omitempty" doc:"The other connection in which it is managed, under that name."`
	CloudID    string `json:"cloudId,omitempty" doc:"The cloud's id."`
	CloudName  string `json:"cloudName,omitempty" doc:"Name on the cloud."`
	State      State  `json:"state" doc:"State on the cloud, or here if the cloud does not have it."`
}

// Unseen is a kind that a cloud could not be asked for, so that an answer about all
// kinds is without it.
type Unseen struct {
	Kind  string `json:"kind" doc:"Kind that the cloud could not be asked for."`
	Error *Error `json:"error" doc:"Why."`
}

// Inventory compares what a cloud has with what is recorded here.
type Inventory struct {
	Items  []InventoryItem `json:"items" doc:"What the cloud has, what is recorded here, and what is both." nullable:"false"`
	Unseen []Unseen        `json:"unseen,omitempty" doc:"Of all kinds, those that the cloud could not be asked for; items has nothing of them."`
}

// Adoption is what was recorded of a cloud.
type Adoption struct {
	Items  []*Resource `json:"items" doc:"What was recorded, what is used before what uses it." nullable:"false"`
	Unseen []Unseen    `json:"unseen,omitempty" doc:"The kinds that the cloud could not be asked for, so that something of them may be left."`
}

// Where is where a resource is known.
type Where string

// The places.
const (
	InBoth  Where = "both"
	InCloud Where = "cloud"
	InOther Where = "other"
	InHere  Where = "here"
	InKept  Where = "kept"
)

// OperationState is where an operation is in its life.
type OperationState string

// The states of an operation.
const (
	OperationQueued    OperationState = "queued"    // recorded, not yet accepted by the cloud
	OperationRunning   OperationState = "running"   // accepted by the cloud, not yet settled
	OperationSucceeded OperationState = "succeeded" // done
	OperationFailed    OperationState = "failed"    // ended without reaching its goal; see error
	OperationCancelled OperationState = "cancelled" // ended before the cloud accepted it, because it was asked to
)

// Ended reports whether the operation will not change any more.
func (s OperationState) Ended() bool {
	return s == OperationSucceeded || s == OperationFailed || s == OperationCancelled
}

// Progress counts the parts of an operation.
type Progress struct {
	Total  int `json:"total" doc:"Number of parts."`
	Ended  int `json:"ended" doc:"Parts that have ended, well or not."`
	Failed int `json:"failed" doc:"Parts that failed or were cancelled."`
}

// Step is one thing that happened on an operation's way.
type Step struct {
	At        time.Time `json:"at" doc:"When it happened."`
	What      string    `json:"what" doc:"asked: the cloud gave no clear answer or is to be asked again; accepted: the cloud has accepted; unseen: something else that changed with it could not be looked at, and its record may be old until the next look; or how it ended." enum:"asked,accepted,unseen,succeeded,failed,cancelled"`
	Code      Code      `json:"code,omitempty" doc:"Code of the error, if there was one."`
	Message   string    `json:"message,omitempty" doc:"Message of the error."`
	RequestID string    `json:"requestId,omitempty" doc:"The cloud's id of the failed request."`
}

// Operation is the durable record of one change to one resource.
type Operation struct {
	ID         string         `json:"id" doc:"Id of the operation; later operations sort after earlier ones."`
	Verb       string         `json:"verb" doc:"create, delete, or the action's name."`
	Kind       string         `json:"kind" doc:"Kind of the resource."`
	Connection string         `json:"connection" doc:"Connection of the resource."`
	Name       string         `json:"name" doc:"Name of the resource."`
	UID        string         `json:"uid,omitempty" doc:"Uid of the resource. Absent for the creation of several at once."`
	State      OperationState `json:"state" doc:"Where the operation is in its life." enum:"queued,running,succeeded,failed,cancelled"`
	Pending    string         `json:"pending,omitempty" doc:"While it is running and takes several steps: what the cloud is waited for."`
	Attempts   int            `json:"attempts" doc:"How often the step that asks the cloud was tried."`
	Error      *Error         `json:"error,omitempty" doc:"Why it failed, or why the last attempt did."`
	By         string         `json:"by,omitempty" doc:"Who asked for it."`
	OnFailure  OnFailure      `json:"onFailure,omitempty" doc:"For a creation: delete, if what there is of the resource goes when it fails."`
	Force      bool           `json:"force,omitempty" doc:"For a deletion: whether the resource is forgotten here even if the cloud does not delete it."`
	Warnings   []Warning      `json:"warnings,omitempty" doc:"What to know about it although it is done, such as what a forced deletion may have left on the cloud." nullable:"false"`
	Parent     string         `json:"parent,omitempty" doc:"Operation that this one is a part of."`
	Items      *Progress      `json:"items,omitempty" doc:"For the creation of several resources at once, or of one with what follows it: how far their operations are. They are those with this one as parent."`
	Follows    string         `json:"follows,omitempty" doc:"Operation that this one begins after. If that does not succeed, this one fails."`
	Cancelling bool           `json:"cancelling,omitempty" doc:"Whether it was asked to be cancelled and has not ended yet."`
	Steps      []Step         `json:"steps,omitempty" doc:"What has happened, the newest last; at most the last 20."`
	CreatedAt  time.Time      `json:"createdAt" doc:"When it was asked for."`
	AcceptedAt *time.Time     `json:"acceptedAt,omitempty" doc:"When the cloud accepted it."`
	EndedAt    *time.Time     `json:"endedAt,omitempty" doc:"When it ended."`

	Secrets map[string]string `json:"secrets,omitempty" doc:"Secrets that are shown once, in the answer to the creation, such as a key pair's privateKey."`
}

// HostKey is the key by which an SSH server shows that it is the one that was seen
// before.
type HostKey struct {
	Port        int       `json:"port" doc:"Port of the SSH server."`
	Key         string    `json:"key" doc:"The public key, as in a line of a known_hosts file."`
	Fingerprint string    `json:"fingerprint" doc:"SHA-256 of the key, as ssh-keygen -l shows it."`
	By          string    `json:"by" doc:"Who was the first to log in."`
	SeenAt      time.Time `json:"seenAt" doc:"When it was seen first."`
}
