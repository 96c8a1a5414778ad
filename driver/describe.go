package driver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// About is what a driver says of itself.
type About struct {
	Name        string   `json:"name" doc:"The cloud's name in the API, such as aws."`
	Title       string   `json:"title" doc:"The cloud's name for people."`
	Version     string   `json:"version" doc:"Semantic version of the driver."`
	Doc         string   `json:"doc,omitempty" doc:"What the driver reaches, in a sentence or two."`
	Credential  []Field  `json:"credential" doc:"Fields of a credential."`
	Settings    []Field  `json:"settings" doc:"Settings of a connection."`
	Facts       Facts    `json:"facts,omitzero" doc:"What holds for the cloud everywhere."`
	Native      string   `json:"native,omitempty" doc:"How native calls are written: services and paths. Absent if the driver passes none."`
	LocalState  bool     `json:"localState,omitempty" doc:"Whether the driver keeps state in its working folder. Then never do two of its processes take calls at once, also during an upgrade."`
	Permissions []string `json:"permissions,omitempty" doc:"The least permissions that the credential needs, in the cloud's own terms."`

	// Texts are of all that is said here, or of nothing.
	Texts Texts `json:"texts,omitempty" doc:"Translations of what the description says for people, titles, docs, reasons and where to get a value: by language, such as ko, and by the English text. What has none is shown in English."`

	// UsedLagSeconds is for clouds that free what a deleted object used only later.
	UsedLagSeconds int `json:"usedLagSeconds,omitempty" doc:"For how many seconds after a deletion the cloud may still refuse the deletion of what the deleted one used, with the code dependency. Such a refusal is tried again for so long; any other is final. Default: 0."`

	// Missing and Tested are for the matrix of what works where. What Missing names must
	// be in the model and not be offered.
	Missing map[string]string `json:"missing,omitempty" doc:"Why kinds, catalogs, feeds, or verbs of them written as kind/verb are not offered, and what does instead."`
	Tested  []Tested          `json:"tested,omitempty" doc:"What the conformance suite has shown." nullable:"false"`
}

// Field is one value of a credential, or one setting of a connection.
type Field struct {
	Name     string    `json:"name" doc:"Name in the API."`
	Title    string    `json:"title" doc:"Name for people."`
	Doc      string    `json:"doc" doc:"What it is, with its default."`
	Where    string    `json:"where,omitempty" doc:"Where to get it."`
	Type     FieldType `json:"type" doc:"How the value is written." enum:"string,text,lines,bool,int,number,duration"`
	Secret   bool      `json:"secret,omitempty" doc:"Whether it is sealed and never shown again."`
	Required bool      `json:"required,omitempty" doc:"Whether it must be given."`
	Enum     []string  `json:"enum,omitempty" doc:"The values that it can have, if only some are possible."`
	Keys     Keys      `json:"keys,omitzero" doc:"What clients of CB-Spider call it. Absent if they do not know it."`
	Aliases  []string  `json:"aliases,omitempty" doc:"More names that /spider takes for it. Letters count alike in both cases."`
}

// FieldType says how a value is written.
type FieldType string

// The types of fields.
const (
	TypeString   FieldType = "string"   // without white space: what is pasted around it is taken off
	TypeText     FieldType = "text"     // one line in which spaces may be, such as a password
	TypeLines    FieldType = "lines"    // several lines, such as a key in PEM format
	TypeBool     FieldType = "bool"     // true or false
	TypeInt      FieldType = "int"      // 42
	TypeNumber   FieldType = "number"   // 0.25
	TypeDuration FieldType = "duration" // 1m30s
)

// Description is what a driver is and offers. Kinds, verbs and actions come from
// what the driver's collections implement.
type Description struct {
	About
	ProtocolVersions []int            `json:"protocolVersions" doc:"Versions of the driver protocol that it speaks."`
	Kinds            []KindOffer      `json:"kinds" doc:"Kinds of resources that it offers."`
	Catalogs         []string         `json:"catalogs" doc:"Catalogs that it offers."`
	Feeds            []FeedOffer      `json:"feeds,omitempty" doc:"Feeds that it offers."`
	Extensions       []ExtensionOffer `json:"extensions,omitempty" doc:"Operations that only this driver has."`

	// Installed is filled by the server.
	Installed *resource.DriverInstallation `json:"installed,omitempty" doc:"How the server came by the driver. Absent if it was not installed from a repository."`
}

// KindOffer is what a driver offers for one kind.
type KindOffer struct {
	Name    string   `json:"name" doc:"The kind."`
	Verbs   []string `json:"verbs" doc:"Of list, get, create, check (whether a creation would be accepted) and delete, those it has."`
	Actions []string `json:"actions,omitempty" doc:"The kind's actions that it has."`
	Views   []string `json:"views,omitempty" doc:"The kind's views that it has."`
	Data    []string `json:"data,omitempty" doc:"The kind's data calls that it has."`
	Found   Found    `json:"found,omitempty" doc:"How what a creation has made is found again when its answer is lost: tag, by the token that it carries; token, the cloud makes one object of one token; name, only one can have it." enum:"tag,token,name"`

	Kept bool `json:"kept,omitempty" doc:"Whether the server keeps its resources, because the cloud has no such object: what one is goes to the cloud with what names it."`

	ReusedIDs bool `json:"reusedIds,omitempty" doc:"Whether another object can have the id of one that is gone, as names are. What is meant then also carries the token of its creation."`

	TellsOnce bool `json:"tellsOnce,omitempty" doc:"Whether the cloud tells a secret of an object when it makes it, and never again. If that answer is lost, the object is made anew."`

	Many map[string]int `json:"many,omitempty" doc:"How many objects it takes in one call, by verb: get, delete and actions."`
}

// ExtensionOffer is an operation that only one driver has.
type ExtensionOffer struct {
	Name   string          `json:"name" doc:"Name of the extension."`
	Doc    string          `json:"doc" doc:"What it does."`
	Input  json.RawMessage `json:"input" doc:"JSON Schema of what it takes."`
	Output json.RawMessage `json:"output" doc:"JSON Schema of what it answers."`
}

// Capabilities is what one connection offers: what its driver does, without what the
// cloud does not have there.
type Capabilities struct {
	Cloud      string           `json:"cloud" doc:"The cloud, which is also the driver's name."`
	Kinds      []KindOffer      `json:"kinds" doc:"Kinds of resources with what the connection offers for each." nullable:"false"`
	Catalogs   []string         `json:"catalogs" doc:"Catalogs." nullable:"false"`
	Feeds      []FeedOffer      `json:"feeds" doc:"Feeds." nullable:"false"`
	Extensions []ExtensionOffer `json:"extensions" doc:"Operations that only this driver has." nullable:"false"`
	Native     string           `json:"native,omitempty" doc:"How native calls are written: services and paths. Absent if the driver passes none."`
	Lacks      []Lack           `json:"lacks" doc:"What the driver offers, but not here." nullable:"false"`
}

// Lack is a kind, a catalog or a feed that a connection does not have.
type Lack struct {
	Name   string `json:"name" doc:"The kind, the catalog or the feed."`
	Reason string `json:"reason" doc:"Why, for people."`
}

// Without is what is left of the description in a session that lacks some of it.
func (d *Description) Without(lacks map[string]string) *Capabilities {
	c := &Capabilities{
		Cloud: d.Name, Kinds: []KindOffer{}, Catalogs: []string{}, Feeds: []FeedOffer{}, Extensions: append([]ExtensionOffer{}, d.Extensions...), Native: d.Native, Lacks: []Lack{},
	}
	lacking := func(name string) bool {
		reason, lacking := lacks[name]
		if lacking {
			c.Lacks = append(c.Lacks, Lack{name, reason})
		}
		return lacking
	}
	for _, k := range d.Kinds {
		if !lacking(k.Name) {
			c.Kinds = append(c.Kinds, k)
		}
	}
	for _, catalog := range d.Catalogs {
		if !lacking(catalog) {
			c.Catalogs = append(c.Catalogs, catalog)
		}
	}
	for _, f := range d.Feeds {
		if !lacking(f.Name) {
			c.Feeds = append(c.Feeds, f)
		}
	}
	return c
}

// Offers reports whether the driver has a verb, an action or a view of a kind.
func (d *Description) Offers(kind, verb string) bool {
	for _, k := range d.Kinds {
		if k.Name == kind {
			return slices.Contains(k.Verbs, verb) || slices.Contains(k.Actions, verb) || slices.Contains(k.Views, verb) || slices.Contains(k.Data, verb)
		}
	}
	return false
}

// Keeps reports whether the server keeps the resources of a kind for the driver.
func (d *Description) Keeps(kind string) bool {
	return slices.ContainsFunc(d.Kinds, func(k KindOffer) bool { return k.Name == kind && k.Kept })
}

// Most is how many objects of a kind the driver takes in one call for a verb; 1 if it takes
// them one by one.
func (d *Description) Most(kind, verb string) int {
	for _, k := range d.Kinds {
		if k.Name == kind {
			return max(k.Many[verb], 1)
		}
	}
	return 1
}

// WhyNot answers why a verb, an action or a view of a kind is not offered; "" if the
// driver does not say.
func (d *Description) WhyNot(kind, verb string) string {
	return cmp.Or(d.Missing[kind+"/"+verb], d.Missing[kind])
}

// checkMissing finds what is given a reason for and is offered all the same, or is in
// no model.
func (d *Description) checkMissing() error {
	offered := map[string]bool{} // whether it is, of everything that there can be
	for _, c := range d.Capabilities() {
		offered[c.Kind+"/"+c.Verb] = c.Offered
		offered[c.Kind] = offered[c.Kind] || c.Offered
	}
	for _, name := range slices.Sorted(maps.Keys(d.Missing)) {
		if is, known := offered[name]; is || !known {
			return fmt.Errorf("the driver %s says why it does not offer %q, which it offers or nothing knows", d.Name, name)
		}
	}
	return nil
}

// CheckCredential checks a credential's values against the fields, and answers them
// without the white space around them that cannot be meant.
func (d *Description) CheckCredential(v Values) (Values, error) {
	return checkValues("values", "credential field", d.Credential, v)
}

// CheckSettings does the same for a connection's settings.
func (d *Description) CheckSettings(v Values) (Values, error) {
	return checkValues("settings", "setting", d.Settings, v)
}

func checkValues(at, what string, fields []Field, values Values) (Values, error) {
	var problems []resource.Problem
	values = maps.Clone(values)
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
		value, ok := values[f.Name]
		if ok && f.Type != TypeText { // around a text it may be meant
			value = strings.TrimSpace(value)
			values[f.Name] = value
		}
		switch value {
		case "":
			if f.Required {
				problems = append(problems, resource.Problem{Field: at + "." + f.Name, Message: "is required: " + f.Doc, Rule: resource.RuleRequired})
			}
		default:
			if p := f.problem(value); p.Message != "" {
				p.Field = at + "." + f.Name
				problems = append(problems, p)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(names, name) {
			problems = append(problems, resource.Problem{Field: at, Message: fmt.Sprintf("there is no %s %.64q; there are: %s", what, name, strings.Join(names, ", ")), Rule: resource.RuleEnum, Limit: strings.Join(names, ", ")})
		}
	}
	return values, resource.Invalid(problems...)
}

// pasted is where the white space in a value mostly comes from.
const pasted = "it may have been pasted with more than itself, give it anew"

// problem says what is wrong with a value, without repeating it: it may be secret.
func (f Field) problem(value string) (p resource.Problem) {
	var err error
	switch f.Type {
	case TypeBool:
		_, err = strconv.ParseBool(value)
	case TypeInt:
		_, err = strconv.Atoi(value)
	case TypeNumber:
		_, err = strconv.ParseFloat(value, 64)
	case TypeDuration:
		_, err = time.ParseDuration(value)
	}
	switch {
	case f.Type == TypeString && strings.ContainsFunc(value, unicode.IsSpace):
		p.Message, p.Rule = "has a space or a line break in it, which no such value has; "+pasted, resource.RuleCharacters
	case f.Type == TypeText && value != strings.TrimSpace(value):
		p.Message, p.Rule = "begins or ends with a space or a line break; "+pasted, resource.RuleCharacters
	case f.Type != TypeLines && strings.ContainsFunc(value, unicode.IsControl):
		p.Message, p.Rule = "has a line break or another control character in it; "+pasted, resource.RuleCharacters
	case err != nil:
		p.Message = fmt.Sprintf("is not a %s; %s", f.Type, f.Doc)
		p.Rule, p.Limit = resource.RuleType, string(f.Type)
	case len(f.Enum) > 0 && !slices.Contains(f.Enum, value):
		p.Rule, p.Limit = resource.RuleEnum, strings.Join(f.Enum, ", ")
		p.Message = "is not one of: " + p.Limit
	}
	return p
}

// Values are named values whose types have been checked against their fields, so
// that reading them cannot fail: what is missing is the zero value.
type Values map[string]string

// Bool reads a value of TypeBool.
func (v Values) Bool(name string) bool { b, _ := strconv.ParseBool(v[name]); return b }

// Int reads a value of TypeInt.
func (v Values) Int(name string) int { i, _ := strconv.Atoi(v[name]); return i }

// Number reads a value of TypeNumber.
func (v Values) Number(name string) float64 { f, _ := strconv.ParseFloat(v[name], 64); return f }

// Duration reads a value of TypeDuration.
func (v Values) Duration(name string) time.Duration { d, _ := time.ParseDuration(v[name]); return d }

// Secrets returns the values of the secret fields.
func (d *Description) Secrets(credential Values) []string {
	var secrets []string
	for _, f := range d.Credential {
		if value := strings.TrimSpace(credential[f.Name]); f.Secret && value != "" { // with what is around it or without
			secrets = append(secrets, value)
		}
	}
	return secrets
}
