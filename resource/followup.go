package resource

import (
	"encoding/json"
	"fmt"
	"strings"
)

// FollowUp is an action on a resource that follows the creation of another one.
type FollowUp struct {
	Kind   string                     `json:"kind" doc:"Kind of the resource, such as disk." minLength:"1" maxLength:"64"`
	Name   string                     `json:"name" doc:"Name of the resource, which exists already, in the same connection." minLength:"1" maxLength:"128"`
	Action string                     `json:"action" doc:"Name of the action, such as attach." minLength:"1" maxLength:"64"`
	Params map[string]json.RawMessage `json:"params,omitempty" doc:"The action's parameters, such as vm. They can name what is created."`
}

// ParamsOf answers the fields of a struct as parameters.
func ParamsOf(value any) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, Errorf(CodeInternal, "encode the parameters: %w", err)
	}
	var params map[string]json.RawMessage
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, Errorf(CodeInternal, "encode the parameters: %w", err)
	}
	return params, nil
}

// ParseParams checks the parameters, and answers them as the action is called with.
func (f *FollowUp) ParseParams() (json.RawMessage, error) {
	k, err := KindNamed(f.Kind)
	if err != nil {
		return nil, Invalid(Problem{Field: "kind", Message: AsError(err).Message})
	}
	action, err := k.Action(f.Action)
	if err != nil {
		return nil, Invalid(Problem{Field: "action", Message: AsError(err).Message})
	}
	var body []byte
	if len(f.Params) > 0 {
		if body, err = json.Marshal(f.Params); err != nil {
			return nil, Errorf(CodeInternal, "encode the parameters: %w", err)
		}
	}
	params, err := action.ParseParams(body)
	if err != nil {
		problems := AsError(err).Fields
		for i, p := range problems {
			problems[i].Field = strings.TrimSuffix(join("params", p.Field), ".body")
		}
		return nil, Invalid(problems...)
	}
	return params, nil
}

// MapRefs returns checked parameters with each reference replaced by what replace answers.
func (f *FollowUp) MapRefs(params json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	k, err := KindNamed(f.Kind)
	if err != nil {
		return nil, err
	}
	action, err := k.Action(f.Action)
	if err != nil {
		return nil, err
	}
	return action.MapRefs(params, replace)
}

// followUpProblems checks what is to follow the creation of a resource.
func followUpProblems(kind, name string, list []FollowUp) []Problem {
	var problems []Problem
	first := map[string]int{}
	for i, f := range list {
		at := fmt.Sprintf("then[%d]", i)
		one := f.Kind + "/" + f.Name
		if before, double := first[one]; double {
			problems = append(problems, Problem{Field: at + ".name", Message: fmt.Sprintf("the %s %s is changed by then[%d] already; give each resource one action", f.Kind, f.Name, before)})
		}
		first[one] = i
		if f.Kind == kind && f.Name == name {
			problems = append(problems, Problem{Field: at + ".name", Message: "is what is created; name another resource that is to be changed then"})
		}
		if _, err := f.ParseParams(); err != nil {
			for _, p := range AsError(err).Fields {
				p.Field = join(at, p.Field)
				problems = append(problems, p)
			}
		}
	}
	return problems
}
