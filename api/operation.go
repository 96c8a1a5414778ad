package api

import (
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// CreationCheck is the answer to the check of a creation that would not be refused.
type CreationCheck struct {
	Cloud    bool               `json:"cloud" doc:"Whether the cloud was asked, too. What it would accept may still fail: nothing is kept free for it."`
	Reason   string             `json:"reason,omitempty" doc:"Why it was not."`
	Warnings []resource.Warning `json:"warnings,omitempty" doc:"What the creation would warn of." nullable:"false"`
}

// DestroyRequest is the body of the destruction of everything in a connection.
type DestroyRequest struct {
	DryRun bool `json:"dryRun" doc:"Whether only to tell what would be deleted. It must be given: false deletes."`
}

// Destruction is the answer to it.
type Destruction struct {
	Items     []resource.Resource `json:"items" doc:"What is deleted, or would be: what uses others before what it uses." nullable:"false"`
	Operation *Operation          `json:"operation,omitempty" doc:"The operation that deletes it. Its parts are those with it as parent. Absent if there is nothing to do, or with dryRun."`
}

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

// The verbs that every kind can have, beside its actions.
const (
	VerbCreate  = "create"
	VerbDelete  = "delete"
	VerbAdopt   = "adopt"   // what the cloud has comes under management here
	VerbRelease = "release" // it is forgotten here, and stays on the cloud
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
	At        time.Time     `json:"at" doc:"When it happened."`
	What      string        `json:"what" doc:"asked: the cloud gave no clear answer or is to be asked again; accepted: the cloud has accepted; unseen: something else that changed with it could not be looked at, and its record may be old until the next look; or how it ended." enum:"asked,accepted,unseen,succeeded,failed,cancelled"`
	Code      resource.Code `json:"code,omitempty" doc:"Code of the error, if there was one."`
	Message   string        `json:"message,omitempty" doc:"Message of the error."`
	RequestID string        `json:"requestId,omitempty" doc:"The cloud's id of the failed request."`
}

// Operation is the durable record of one change to one resource.
type Operation struct {
	ID         string             `json:"id" doc:"Id of the operation; later operations sort after earlier ones."`
	Verb       string             `json:"verb" doc:"create, delete, or the action's name."`
	Kind       string             `json:"kind" doc:"Kind of the resource."`
	Connection string             `json:"connection" doc:"Connection of the resource."`
	Name       string             `json:"name" doc:"Name of the resource."`
	UID        string             `json:"uid,omitempty" doc:"Uid of the resource. Absent for the creation of several at once."`
	State      OperationState     `json:"state" doc:"Where the operation is in its life." enum:"queued,running,succeeded,failed,cancelled"`
	Pending    string             `json:"pending,omitempty" doc:"While it is running and takes several steps: what the cloud is waited for."`
	Attempts   int                `json:"attempts" doc:"How often the step that asks the cloud was tried."`
	Error      *resource.Error    `json:"error,omitempty" doc:"Why it failed, or why the last attempt did."`
	By         string             `json:"by,omitempty" doc:"Who asked for it."`
	OnFailure  resource.OnFailure `json:"onFailure,omitempty" doc:"For a creation: delete, if what there is of the resource goes when it fails."`
	Force      bool               `json:"force,omitempty" doc:"For a deletion: whether the resource is forgotten here even if the cloud does not delete it."`
	Warnings   []resource.Warning `json:"warnings,omitempty" doc:"What to know about it although it is done, such as what a forced deletion may have left on the cloud; of an operation for several what its parts say, the first 20 of it." nullable:"false"`
	Parent     string             `json:"parent,omitempty" doc:"Operation that this one is a part of."`
	Items      *Progress          `json:"items,omitempty" doc:"For the creation of several resources at once, or of one with what follows it: how far their operations are. They are those with this one as parent."`
	Follows    string             `json:"follows,omitempty" doc:"Operation that this one begins after. If that does not succeed, this one fails."`
	Cancelling bool               `json:"cancelling,omitempty" doc:"Whether it was asked to be cancelled and has not ended yet."`
	Steps      []Step             `json:"steps,omitempty" doc:"What has happened, the newest last; at most the last 20."`
	CreatedAt  time.Time          `json:"createdAt" doc:"When it was asked for."`
	AcceptedAt *time.Time         `json:"acceptedAt,omitempty" doc:"When the cloud accepted it."`
	EndedAt    *time.Time         `json:"endedAt,omitempty" doc:"When it ended."`

	Secrets map[string]string `json:"secrets,omitempty" doc:"Secrets that are shown once, in the answer to the creation, such as a key pair's privateKey."`
}
