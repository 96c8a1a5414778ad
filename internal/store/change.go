package store

import (
	"context"
	"encoding/json"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Change is what an operation does, with what it is asked with: there is one type for each
// sort of verb. An operation for several has that of its parts; an action's parameters are
// theirs alone.
type Change interface {
	// Verb is how the operation is called.
	Verb() string

	params() any // as the column of that name has it; nil for none
}

// Creation makes a resource, of what its row asks for. Of one of several at once OnFailure is
// about all of them: they stay together or not at all.
type Creation struct {
	OnFailure resource.OnFailure `json:"onFailure,omitempty"` // "" for keep
}

// Deletion deletes a resource.
type Deletion struct {
	Force bool `json:"force,omitempty"` // it is forgotten here even if the cloud does not delete it
}

// Adoption records what is on the cloud.
type Adoption struct{}

// Release forgets what stays on the cloud.
type Release struct{}

// Action is everything else that is done with a resource.
type Action struct {
	Name   string
	Params json.RawMessage // nil for none
}

// Verb is api.VerbCreate.
func (Creation) Verb() string { return api.VerbCreate }

// Verb is api.VerbDelete.
func (Deletion) Verb() string { return api.VerbDelete }

// Verb is api.VerbAdopt.
func (Adoption) Verb() string { return api.VerbAdopt }

// Verb is api.VerbRelease.
func (Release) Verb() string { return api.VerbRelease }

// Verb is the name of the action.
func (a Action) Verb() string { return a.Name }

func (c Creation) params() any {
	if c == (Creation{}) {
		return nil
	}
	return c
}

func (d Deletion) params() any {
	if d == (Deletion{}) {
		return nil
	}
	return d
}

func (Adoption) params() any { return nil }

func (Release) params() any { return nil }

func (a Action) params() any { return a.Params }

// Labels is the change of labels that an action of that name is.
func (a Action) Labels() (change *resource.LabelChange, err error) {
	if err := json.Unmarshal(a.Params, &change); err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "decode the change of labels: %w", err)
	}
	return change, nil
}

// BeforeAppendModel writes the columns that a change has. Nothing else does.
func (o *Operation) BeforeAppendModel(context.Context, bun.Query) (err error) {
	if o.Change == nil {
		return nil
	}
	o.Verb = o.Change.Verb()
	if o.Params, err = json.Marshal(o.Change.params()); err != nil {
		return resource.Errorf(resource.CodeInternal, "encode what the operation %s is asked with: %w", o.ID, err)
	}
	return nil
}

// AfterScanRow reads the change of its columns. Nothing else does.
func (o *Operation) AfterScanRow(context.Context) (err error) {
	switch params := unlessNull(o.Params); o.Verb {
	case api.VerbCreate:
		o.Change, err = decoded[Creation](params)
	case api.VerbDelete:
		o.Change, err = decoded[Deletion](params)
	case api.VerbAdopt:
		o.Change = Adoption{}
	case api.VerbRelease:
		o.Change = Release{}
	case "": // a statement without these columns
	default:
		o.Change = Action{Name: o.Verb, Params: params}
	}
	if err != nil {
		return resource.Errorf(resource.CodeInternal, "decode what the operation %s is asked with: %w", o.ID, err)
	}
	return nil
}

func decoded[T Change](params json.RawMessage) (change T, err error) {
	if len(params) > 0 {
		err = json.Unmarshal(params, &change)
	}
	return change, err
}

// Creates reports whether the operation makes a resource.
func (o *Operation) Creates() bool { _, is := o.Change.(Creation); return is }

// Deletes reports whether the operation deletes a resource.
func (o *Operation) Deletes() bool { _, is := o.Change.(Deletion); return is }

// OnFailure says what becomes of the resource if its creation fails, "" for the default.
func (o *Operation) OnFailure() resource.OnFailure {
	creation, _ := o.Change.(Creation)
	return creation.OnFailure
}

// Force reports whether the resource is forgotten even if the cloud does not delete it.
func (o *Operation) Force() bool {
	deletion, _ := o.Change.(Deletion)
	return deletion.Force
}

// SameChange reports whether two operations do the same with the same.
func (o *Operation) SameChange(other *Operation) bool {
	return o.Verb == other.Verb && SameJSON(o.Params, other.Params)
}
