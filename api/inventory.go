package api

import "github.com/m-cmp/mc-infra-connector/resource"

// AdoptRequest is the body of an adoption.
type AdoptRequest struct {
	CloudID string `json:"cloudId" doc:"The cloud's id of the resource to adopt." minLength:"1" maxLength:"512"`
	Name    string `json:"name,omitempty" doc:"Name to give it here, as in a creation. Default: its name on the cloud, made to fit." maxLength:"128" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" patternDescription:"a letter or digit, then letters, digits, '.', '_' or '-'"`
}

// Stale is a connection whose cloud could not be asked for a list that was to be
// fresh.
type Stale struct {
	Connection string          `json:"connection" doc:"Connection that could not be asked. What the list shows of it is as old as its syncedAt says."`
	Error      *resource.Error `json:"error" doc:"Why."`
}

// InventoryItem is a resource that the cloud has, that is recorded here, or both.
type InventoryItem struct {
	Kind       string         `json:"kind" doc:"Kind of the resource."`
	Where      Where          `json:"where" doc:"both; cloud: not managed here; other: managed in another connection, which sees the same object; here: the cloud does not have it (yet, or any more); kept: the server keeps it, since the cloud has no such object." enum:"both,cloud,other,here,kept"`
	Name       string         `json:"name,omitempty" doc:"Name here."`
	Connection string         `json:"connection,omitempty" doc:"The other connection in which it is managed, under that name."`
	CloudID    string         `json:"cloudId,omitempty" doc:"The cloud's id."`
	CloudName  string         `json:"cloudName,omitempty" doc:"Name on the cloud."`
	State      resource.State `json:"state" doc:"State on the cloud, or here if the cloud does not have it."`
}

// Unseen is a kind that a cloud could not be asked for, so that an answer about all
// kinds is without it.
type Unseen struct {
	Kind  string          `json:"kind" doc:"Kind that the cloud could not be asked for."`
	Error *resource.Error `json:"error" doc:"Why."`
}

// Inventory compares what a cloud has with what is recorded here.
type Inventory struct {
	Items  []InventoryItem `json:"items" doc:"What the cloud has, what is recorded here, and what is both." nullable:"false"`
	Unseen []Unseen        `json:"unseen,omitempty" doc:"Of all kinds, those that the cloud could not be asked for; items has nothing of them."`
}

// Adoption is what was recorded of a cloud.
type Adoption struct {
	Items  []*resource.Resource `json:"items" doc:"What was recorded, what is used before what uses it." nullable:"false"`
	Unseen []Unseen             `json:"unseen,omitempty" doc:"The kinds that the cloud could not be asked for, so that something of them may be left."`
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
