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
	CreatedBy  string            `json:"createdBy,omitempty" doc:"Who had it created or took it over; absent of what an earlier version recorded."`
	UpdatedBy  string            `json:"updatedBy,omitempty" doc:"Who had it changed last."`
	Secrets    map[string]string `json:"secrets,omitempty" doc:"Secrets that are shown once, in the answer to the creation, such as a key pair's privateKey."`
	SyncedAt   *time.Time        `json:"syncedAt,omitempty" doc:"When the cloud last showed it as it is here: how fresh this is. Absent until the cloud has shown it."`
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

// OnFailure is what becomes of a resource whose creation fails.
type OnFailure string

// What can become of it.
const (
	OnFailureKeep   OnFailure = "keep"   // it stays, shown as failed
	OnFailureDelete OnFailure = "delete" // it is deleted, here and on the cloud
)
