package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Micros is a time as the database keeps it: microseconds since 1970, 0 for none.
type Micros int64

// MicrosOf converts a time.
func MicrosOf(t time.Time) Micros { return Micros(t.UnixMicro()) }

// Time converts back; none is the zero time.
func (m Micros) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}

func (m Micros) pointer() *time.Time {
	if m == 0 {
		return nil
	}
	t := m.Time()
	return &t
}

// Credential is a row of sealed values.
type Credential struct {
	bun.BaseModel `bun:"table:credentials"`

	Name      string   `bun:",pk"`
	Cloud     string   //
	Fields    []string `bun:"type:jsonb"`
	Sealed    []byte
	CreatedAt Micros
	ExpiresAt Micros // as whoever recorded it said; 0: unknown, or never
}

// Resource converts to what users see.
func (c *Credential) Resource() api.Credential {
	ends := c.ExpiresAt.pointer()
	return api.Credential{Name: c.Name, Cloud: c.Cloud, Fields: c.Fields, CreatedAt: c.CreatedAt.Time(), ExpiresAt: ends, Expiry: api.ExpiryOf(ends, time.Now())}
}

// Identity is what its values are sealed for.
func (c *Credential) Identity() string { return "credential/" + c.Name }

// Connection is a row.
type Connection struct {
	bun.BaseModel `bun:"table:connections,alias:connections"`

	Name       string `bun:",pk"`
	Cloud      string
	Credential string
	Region     string
	Zone       string
	Settings   map[string]string `bun:"type:jsonb"`
	Patience   resource.Patience `bun:"type:jsonb"`
	Labels     map[string]string `bun:"type:jsonb"`
	Account    string            // that its credential opens, as its last session said, or ''
	Lacks      map[string]string `bun:"type:jsonb"` // what its cloud does not have there, likewise
	Scopes     map[string]string `bun:"type:jsonb"` // what the objects of kinds belong to there, if not to the account in the region, likewise
	CreatedAt  Micros
	UpdatedAt  Micros
	SyncedAt   Micros
}

// Resource converts to what users see.
func (c *Connection) Resource() api.Connection {
	return api.Connection{
		Name: c.Name, Cloud: c.Cloud, Credential: c.Credential, Region: c.Region, Zone: c.Zone, Settings: c.Settings, Patience: c.Patience, Labels: c.Labels, Account: c.Account,
		CreatedAt: c.CreatedAt.Time(), UpdatedAt: c.UpdatedAt.Time(),
	}
}

// Resource is a row. UID, connection, kind and name never change.
type Resource struct {
	bun.BaseModel `bun:"table:resources,alias:resources"`

	UID        string `bun:"uid,pk"`
	Connection string
	Kind       string
	Name       string
	FacadeName string // name for clients of CB-Spider's API; "" stands for Name
	Owner      string // what it is a part of, as its spec names it; written as Search is
	CloudID    string
	State      resource.State
	CloudState string
	Labels     map[string]string `bun:"type:jsonb"`
	Asked      json.RawMessage   `bun:"type:jsonb,nullzero"` // the spec that was asked for; null: as it is
	Effective  json.RawMessage   `bun:"spec,type:jsonb"`     // the spec that there is
	Status     json.RawMessage   `bun:"type:jsonb"`
	Native     json.RawMessage   `bun:"type:jsonb"`
	Error      *resource.Error   `bun:"type:jsonb"`
	Uncertain  bool              // a creation failed without a clear no: something may exist on the cloud
	Operation  string            // id of the operation that changes it now
	CreatedAt  Micros
	CreatedBy  string // who recorded it
	UpdatedAt  Micros
	UpdatedBy  string // who changed it last; what the server sees on the cloud is nobody's change
	SyncedAt   Micros
	DeletedAt  Micros
	LeaseOwner string
	LeaseUntil Micros
	Search     string // what it is found by; written by InsertResource and UpdateResource
	Addresses  string // what the table addresses has of it, in spaces; written as Search is
}

// ownerOf is what a resource is a part of.
func ownerOf(r *Resource) string {
	k, err := resource.KindNamed(r.Kind)
	if err != nil { // a kind of a newer version
		return r.Owner
	}
	owner, err := k.Owner(r.Effective)
	if err != nil { // what a row holds is JSON
		return r.Owner
	}
	return owner
}

// Called is how messages call the resource: by the names of all who may read them.
func (r *Resource) Called() string {
	if r.FacadeName == "" {
		return r.Kind + " " + r.Name
	}
	return fmt.Sprintf("%s '%s' (in /v1 %s)", r.Kind, r.FacadeName, r.Name)
}

// Envelope converts to what users see.
func (r *Resource) Envelope() *resource.Resource {
	return &resource.Resource{
		Kind: r.Kind, Name: r.Name, FacadeName: r.FacadeName, Connection: r.Connection, UID: r.UID, CloudID: r.CloudID,
		State: r.State, CloudState: r.CloudState, Labels: r.Labels, Spec: r.Spec(), Effective: r.Effective, Status: r.Status, Native: unlessNull(r.Native),
		Error: r.Error, Operation: r.Operation,
		CreatedAt: r.CreatedAt.Time(), UpdatedAt: max(r.CreatedAt, r.UpdatedAt).Time(), SyncedAt: r.SyncedAt.pointer(),
		CreatedBy: r.CreatedBy, UpdatedBy: r.UpdatedBy,
	}
}

// Spec is what was asked for.
func (r *Resource) Spec() json.RawMessage {
	if asked := unlessNull(r.Asked); len(asked) > 0 {
		return asked
	}
	return r.Effective
}

// Token is the one that it was created with, "" if others have made it.
func (r *Resource) Token() string {
	if len(unlessNull(r.Asked)) == 0 {
		return ""
	}
	return r.UID
}

// unlessNull leaves out a field that the cloud did not fill.
func unlessNull(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// Ref is a row: From uses To.
type Ref struct {
	bun.BaseModel `bun:"table:refs"`

	From  string `bun:"from_uid,pk"`
	Field string `bun:",pk"`
	To    string `bun:"to_uid"`
}

// Operation is a row.
type Operation struct {
	bun.BaseModel `bun:"table:operations,alias:operations"`

	ID         string `bun:"id,pk"`
	Verb       string
	Kind       string
	Connection string
	Name       string
	UID        string          `bun:"uid"`
	Params     json.RawMessage `bun:"type:jsonb"` // as Verb, of Change
	Change     Change          `bun:"-"`
	Hidden     []byte          // what was given with it and is never shown, sealed; Wiped once it has ended
	State      api.OperationState
	Attempts   int
	Error      *resource.Error `bun:"type:jsonb"`
	Parent     string
	Follows    string // id of the operation that this one begins after, or ''
	Total      int
	Ended      int
	Failed     int
	Cancel     Cancel
	Steps      []api.Step         `bun:"type:jsonb"`
	Warnings   []resource.Warning `bun:"type:jsonb"`
	Concerned  []string           `bun:"type:jsonb"` // what the resource's status named when the cloud was first asked, as kind/name; nil: it was not asked
	CreatedAt  Micros
	AskedAt    Micros // when the cloud was first asked; of what is pending, since when that or another trouble goes on
	AcceptedAt Micros
	Pending    string // what is waited for before the cloud is called again, or ''
	EndedAt    Micros
	Asked      auth.Asker `bun:"embed:asked_"`

	IdempotencyKey string // that the client gave the request, or ''
	Request        string // hash of the request that had the key
}

// Identity is what is hidden in it is sealed for.
func (o *Operation) Identity() string { return "operation/" + o.ID }

// Wiped stands for what was given with an operation and never shown, once that is gone.
const Wiped = "-"

// NewOperation makes what is done with a resource, now and by who asks.
func (s *Store) NewOperation(ctx context.Context, change Change, row *Resource) *Operation {
	return &Operation{
		ID: uuid.Must(uuid.NewV7()).String(), Verb: change.Verb(), Change: change, Kind: row.Kind, Connection: row.Connection, Name: row.Name, UID: row.UID,
		State: api.OperationQueued, CreatedAt: MicrosOf(s.Now()), Asked: auth.AskerOf(ctx),
	}
}

// maxWarnings is how many warnings an operation keeps.
const maxWarnings = 20

// Warn keeps a warning, once. In a change that takes several calls it may come in each.
func (o *Operation) Warn(w resource.Warning) {
	if len(o.Warnings) < maxWarnings && !slices.Contains(o.Warnings, w) {
		o.Warnings = append(o.Warnings, w)
	}
}

// Count notes that a part has ended, and what it warns of; the last one ends the whole. That has failed if parts have,
// with the error of the first of them, and was cancelled if some were and none has failed.
func (o *Operation) Count(part *Operation, first *resource.Error) {
	o.Ended++
	if part.State != api.OperationSucceeded {
		o.Failed++
	}
	for _, w := range part.Warnings {
		o.Warn(w)
	}
	if o.Ended < o.Total {
		return
	}
	o.State, o.EndedAt = api.OperationSucceeded, part.EndedAt
	see := "see: mcic operation list --filter parent=" + o.ID
	switch {
	case first != nil:
		o.State, o.Error = api.OperationFailed, resource.Errorf(first.Code, "%d of %d failed, the first because: %s; %s", o.Failed, o.Total, first.Message, see)
	case o.Failed > 0:
		o.State, o.Error = api.OperationCancelled, resource.Errorf(resource.CodeConflict, "%d of %d were cancelled; %s", o.Failed, o.Total, see)
	}
}

// Cancel is what was asked for of an operation that has not ended.
type Cancel string

// What can be asked for.
const (
	CancelEarly  Cancel = "cancel" // end it if the cloud has not accepted it yet
	CancelDelete Cancel = "delete" // end it, or delete what it creates
)

// Resource converts to what users see.
func (o *Operation) Resource() *api.Operation {
	var items *api.Progress
	if o.Total > 0 {
		items = &api.Progress{Total: o.Total, Ended: o.Ended, Failed: o.Failed}
	}
	return &api.Operation{
		Parent: o.Parent, Follows: o.Follows, Items: items, By: o.Asked.By, OnFailure: o.OnFailure(), Force: o.Force(), Warnings: o.Warnings,
		ID: o.ID, Verb: o.Verb, Kind: o.Kind, Connection: o.Connection, Name: o.Name, UID: o.UID,
		State: o.State, Pending: o.Pending, Attempts: o.Attempts, Error: o.Error, Cancelling: o.Cancel != "" && !o.State.Ended(), Steps: o.Steps,
		CreatedAt: o.CreatedAt.Time(), AcceptedAt: o.AcceptedAt.pointer(), EndedAt: o.EndedAt.pointer(),
	}
}

// Secret is a row: a value that belongs to a resource, sealed.
type Secret struct {
	bun.BaseModel `bun:"table:secrets"`

	UID    string `bun:"uid,pk"`
	Name   string `bun:",pk"`
	Sealed []byte
}

// Identity is what its value is sealed for.
func (s *Secret) Identity() string { return "resource/" + s.UID + "/" + s.Name }
