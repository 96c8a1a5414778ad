package api

import "encoding/json"

// ManyRequest is the body of a change of several resources of a kind, each as by a request of
// its own.
type ManyRequest struct {
	Names    []string        `json:"names,omitempty" doc:"Names of the resources, where the path has the connection." minItems:"1" maxItems:"5000" minLength:"1" maxLength:"128" nullable:"false"`
	Items    []Target        `json:"items,omitempty" doc:"The resources, where the path has no connection." minItems:"1" maxItems:"5000" nullable:"false"`
	Matching *Matching       `json:"matching,omitempty" doc:"Instead of their names: what they have in common."`
	Params   json.RawMessage `json:"params,omitempty" doc:"Parameters of the action, as for one resource."`
	Force    bool            `json:"force,omitempty" doc:"For deletions: forget them here even if the cloud does not delete them. Default: false."`
}

// Target names a resource of a kind.
type Target struct {
	Connection string `json:"connection" doc:"Its connection." minLength:"1" maxLength:"128"`
	Name       string `json:"name" doc:"Its name." minLength:"1" maxLength:"128"`
}

// Matching says which resources are meant.
type Matching struct {
	Filter   []string `json:"filter,omitempty" doc:"Those that fit all of: field=value, field!=value, field~text, as for lists." maxItems:"20" maxLength:"1024" nullable:"false"`
	Search   string   `json:"q,omitempty" doc:"Those that have all of these words, as for lists." maxLength:"256"`
	Expected int      `json:"expected" doc:"How many were shown to whoever asks. If there are more by now, nothing is done (409)." minimum:"1" maximum:"5000"`
}
