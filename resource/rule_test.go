package resource_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// everyType has a field for each rule of the JSON Schema.
type everyType struct {
	Short  string   `json:"short,omitempty" maxLength:"3" minLength:"2"`
	Number int      `json:"number,omitempty" minimum:"1" maximum:"9"`
	List   []string `json:"list,omitempty" minItems:"1" maxItems:"2"`
	One    string   `json:"one,omitempty" enum:"a,b"`
	Like   string   `json:"like,omitempty" pattern:"^x+$"`
	Yes    bool     `json:"yes,omitempty"`
	Must   string   `json:"must"`

	Share *float64          `json:"share" minimum:"0.5" required:"false"`
	At    time.Time         `json:"at,omitzero"`
	Blob  []byte            `json:"blob,omitempty"`
	Pairs map[string]string `json:"pairs,omitempty" minProperties:"1" maxProperties:"2"`
	Parts []struct {
		Name string `json:"name" pattern:"^[a-z]+$" patternDescription:"small letters"`
		Made string `json:"made" readOnly:"true"`
	} `json:"parts,omitempty" nullable:"false"`
	Any  any      `json:"any,omitempty"`
	Some []string `json:"some,omitempty" enum:"a,b" minLength:"1"`
}

func TestTwoTypesOfOneNameHaveNoSchema(t *testing.T) {
	type pair struct {
		One struct {
			A string `json:"a"`
		} `json:"one"`
		Two struct {
			B string `json:"b"`
		} `json:"two"`
	}
	assert.Panics(t, func() { resource.JSONSchema(reflect.TypeFor[pair]()) }, "the second would be checked as the first")
}

func TestProblemsNameTheirRule(t *testing.T) {
	seen := map[resource.ProblemRule]bool{}
	check := func(t *testing.T, err error, field string, rule resource.ProblemRule, limit string) {
		t.Helper()
		e, ok := errors.AsType[*resource.Error](err)
		require.True(t, ok, "%v", err)
		require.Len(t, e.Fields, 1)
		p := e.Fields[0]
		assert.Equal(t, field, p.Field)
		assert.Equal(t, rule, p.Rule, p.Message)
		assert.Equal(t, limit, p.Limit, p.Message)
		seen[rule] = true
	}
	for _, tc := range []struct {
		value, field string
		rule         resource.ProblemRule
		limit        string
	}{
		{`"short":"x"`, "short", resource.RuleMinLength, "2"},
		{`"short":"long"`, "short", resource.RuleMaxLength, "3"},
		{`"number":0`, "number", resource.RuleMinimum, "1"},
		{`"number":10`, "number", resource.RuleMaximum, "9"},
		{`"list":[]`, "list", resource.RuleMinItems, "1"},
		{`"list":["a","b","c"]`, "list", resource.RuleMaxItems, "2"},
		{`"one":"c"`, "one", resource.RuleEnum, "a, b"},
		{`"like":"y"`, "like", resource.RulePattern, "^x+$"},
		{`"yes":1`, "yes", resource.RuleType, "boolean"},
		{`"short":1`, "short", resource.RuleType, "string"},
		{`"number":"x"`, "number", resource.RuleType, "integer"},
		{`"list":{}`, "list", resource.RuleType, "array"},
		{`"number":1.5`, "number", resource.RuleType, "integer"},
		{`"share":0.25`, "share", resource.RuleMinimum, "0.5"},
		{`"share":"much"`, "share", resource.RuleType, "number"},
		{`"pairs":{"a":1}`, "pairs.a", resource.RuleType, "string"},
		{`"pairs":[]`, "pairs", resource.RuleType, "object"},
		{`"some":["a","c"]`, "some[1]", resource.RuleEnum, "a, b"},
		{`"list":[null]`, "list[0]", resource.RuleType, "string"},
		{`"parts":[{"name":"A"}]`, "parts[0].name", resource.RulePattern, "small letters"},
		{`"parts":[{"name":"a"},{}]`, "parts[1].name", resource.RuleRequired, ""},
		{`"parts":[{"name":"a","Name":"b"}]`, "parts[0].Name", resource.RuleUnknown, ""},
		{`"parts":[null]`, "parts[0]", resource.RuleType, "object"},
		{`"Short":"ab"`, "Short", resource.RuleUnknown, ""},
		{`"pairs":{}`, "pairs", "", ""},
		{`"pairs":{"a":"","b":"","c":""}`, "pairs", "", ""},
		{`"at":"yesterday"`, "at", "", ""},
		{`"blob":"*"`, "blob", "", ""},
		{`"other":1`, "other", resource.RuleUnknown, ""},
		{`"short":"a\u0001"`, "short", resource.RuleCharacters, ""},
		{`"short":"ab","short":"cd"`, "short", resource.RuleDuplicate, "short"},
	} {
		check(t, resource.Decode([]byte(`{"must":"x",`+tc.value+`}`), &everyType{}), tc.field, tc.rule, tc.limit)
	}
	check(t, resource.Decode([]byte(`{}`), &everyType{}), "must", resource.RuleRequired, "")
	check(t, resource.Decode([]byte(`[]`), &map[string]any{}), "body", resource.RuleType, "object")
	require.NoError(t, resource.Decode([]byte(`{"any":{"thing":[1]}}`), &map[string]any{}))
	for _, fine := range []string{
		`"share":null`, `"share":0.5`, `"short":null`, `"list":null`, `"at":"2026-01-02T03:04:05.6+09:00"`,
		`"blob":"AAAA"`, `"pairs":{"a":"b"}`, `"parts":[{"name":"a"}]`, `"any":[1,{"a":null}]`,
	} {
		require.NoError(t, resource.Decode([]byte(`{"must":"x",`+fine+`}`), &everyType{}), fine)
	}

	for _, tc := range []struct {
		kind, spec, field string
		rule              resource.ProblemRule
		limit             string
	}{
		{"vpc", `{"cidr":"10.0.0.0/99"}`, "spec.cidr", resource.RuleFormat, "10.0.0.0/16"},
		{"vpc", `{"cidr":"10.0.0.1/16"}`, "spec.cidr", resource.RulePrefix, "10.0.0.0/16"},
		{"vpc", `{"cidr":"10.0.0.0/30"}`, "spec.cidr", resource.RuleOutside, "/8 – /29"},
		{"keypair", `{"algorithm":"rsa","publicKey":"` + publicKey + `"}`, "spec.algorithm", resource.RuleExclusive, "publicKey"},
		{"vm", `{"spec":"small","subnet":"sub1"}`, "spec.image", resource.RuleRequired, ""},
		{"vm", `{"image":"i","spec":"small","subnet":"s","securitygroups":["a","a"]}`, "spec.securitygroups[1]", resource.RuleDuplicate, "securitygroups[0]"},
		{"securitygroup", `{"vpc":"v","rules":[{"direction":"in","protocol":"tcp","fromPort":9,"toPort":8,"cidr":"10.0.0.0/8"}]}`, "spec.rules[0].toPort", resource.RuleMinimum, "9"},
	} {
		kind, err := resource.KindNamed(tc.kind)
		require.NoError(t, err)
		_, err = kind.ParseCreate([]byte(body("a", tc.spec)))
		check(t, err, tc.field, tc.rule, tc.limit)
	}
	_, _, err := resource.VPC.ParseCreates([]byte(`{"items":[` + body("a", `{"cidr":"10.0.0.1/16"}`) + `]}`))
	check(t, err, "items[0].spec.cidr", resource.RulePrefix, "10.0.0.0/16")
	_, err = resource.VM.ParseCreate([]byte(`{"name":"vm1","spec":` + minimal("vm") + `,"then":[{"kind":"disk","name":"d","action":"attach"}]}`))
	check(t, err, "then[0].params.vm", resource.RuleRequired, "")
	seen[resource.RuleMissing] = true // what is missing only the engine knows
	for _, rule := range resource.ProblemRules() {
		assert.True(t, seen[rule], "nothing here breaks the rule %s", rule)
	}
}

func TestTheSchemaOfProblemsHasEveryRule(t *testing.T) {
	field, ok := reflect.TypeFor[resource.Problem]().FieldByName("Rule")
	require.True(t, ok)
	assert.Equal(t, strings.Split(field.Tag.Get("enum"), ","), strings.Fields(strings.Trim(fmt.Sprint(resource.ProblemRules()), "[]")))
}
