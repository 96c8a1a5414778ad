package resource

import (
	"encoding/json"
	"fmt"
	"strings"
)

// BulkRequest is the body of a create of several resources that differ.
type BulkRequest[S any] struct {
	Items []CreateRequest[S] `json:"items" doc:"What to create, at most 1000." minItems:"1" maxItems:"1000" nullable:"false"`
}

// ParseCreates checks the body of a create as a user sent it. The body is that of
// one resource; or of one with a count, for as many that differ only in a number at
// the end of their names; or a list of items. many says that it was one of the
// latter.
func (k *Kind) ParseCreates(body []byte) (requests []*CreateRequest[json.RawMessage], many bool, err error) {
	var top struct {
		Items json.RawMessage `json:"items"`
	}
	if json.Unmarshal(body, &top) == nil && top.Items != nil {
		requests, err = k.parseItems(body)
		return requests, true, err
	}
	one, err := k.ParseCreate(body)
	if err != nil || one.Count == 0 {
		return []*CreateRequest[json.RawMessage]{one}, false, err
	}
	if len(one.Then) > 0 {
		return nil, true, Invalid(Problem{Field: "then", Message: "is not possible with count; create each by itself"})
	}
	if length := len(one.Name) + len(fmt.Sprint("-", one.Count)); length > maxName {
		return nil, true, Invalid(Problem{Field: "name", Message: fmt.Sprintf("is too long for %d resources: with the number it would have %d characters, more than %d", one.Count, length, maxName), Rule: RuleMaxLength, Limit: fmt.Sprint(maxName)})
	}
	for i := range one.Count {
		requests = append(requests, &CreateRequest[json.RawMessage]{Name: fmt.Sprintf("%s-%d", one.Name, i+1), Labels: one.Labels, Spec: one.Spec, OnFailure: one.OnFailure})
	}
	return requests, true, nil
}

// maxName is how long a name can be.
const maxName = 128

func (k *Kind) parseItems(body []byte) ([]*CreateRequest[json.RawMessage], error) {
	var list struct {
		Items []json.RawMessage `json:"items" minItems:"1" maxItems:"1000" nullable:"false"`
	}
	if err := Decode(body, &list); err != nil {
		return nil, err
	}
	var (
		requests []*CreateRequest[json.RawMessage]
		problems []Problem
		first    = map[string]int{}
	)
	for i, raw := range list.Items {
		at := fmt.Sprintf("items[%d]", i)
		one, err := k.ParseCreate(raw)
		if err != nil {
			for _, p := range AsError(err).Fields {
				p.Field = strings.TrimSuffix(at+"."+p.Field, ".body")
				problems = append(problems, p)
			}
			continue
		}
		if before, double := first[one.Name]; double {
			problems = append(problems, Problem{Field: at + ".name", Message: fmt.Sprintf("the same as items[%d].name; names are unique", before), Rule: RuleDuplicate, Limit: fmt.Sprintf("items[%d].name", before)})
		}
		if one.Count != 0 {
			problems = append(problems, Problem{Field: at + ".count", Message: "is not possible in a list; write the items out"})
		}
		if len(one.Then) > 0 {
			problems = append(problems, Problem{Field: at + ".then", Message: "is not possible in a list; create it by itself"})
		}
		first[one.Name] = i
		requests = append(requests, one)
	}
	return requests, Invalid(problems[:min(len(problems), maxProblems)]...)
}
