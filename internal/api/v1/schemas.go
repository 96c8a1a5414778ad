package v1

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Names count as they are written, as in bodies.
//
//nolint:gochecknoinits // huma knows this only as a package variable, and it must hold before any check
func init() { huma.ValidateStrictCasing = true }

// annotateSchemas says in the schemas of structs what their fields are chosen from:
// x-kind is the kind of the resources that a field names, x-catalog the catalog whose
// entries it names; and who may complete them: x-completed. prefix is what the registry's
// references begin with.
func annotateSchemas(registry huma.Registry, prefix string) {
	for name, s := range registry.Map() {
		t := registry.TypeFromRef(prefix + name)
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		for f := range t.Fields() {
			property := s.Properties[resource.JSONName(f)]
			if property != nil {
				property.Description = resource.FieldDoc(f)
			}
			for extension, value := range map[string]string{"x-kind": resource.RefKind(f), "x-catalog": f.Tag.Get("catalog"), "x-completed": resource.CompletedBy(f)} {
				if property == nil || value == "" {
					continue
				}
				if property.Extensions == nil {
					property.Extensions = map[string]any{}
				}
				property.Extensions[extension] = value
			}
		}
	}
}

// schemaProblem is what huma's validation found at a field.
func schemaProblem(field, message string) resource.Problem {
	p := resource.Problem{Field: field, Message: message}
	var missing string
	if n, _ := fmt.Sscanf(message, validation.MsgExpectedRequiredProperty, &missing); n == 1 {
		return resource.Problem{Field: strings.TrimPrefix(field+"."+missing, "."), Message: "is required", Rule: resource.RuleRequired}
	}
	for _, said := range []struct {
		template string
		rule     resource.ProblemRule
	}{
		{validation.MsgUnexpectedProperty, resource.RuleUnknown},
		{validation.MsgExpectedMinLength, resource.RuleMinLength},
		{validation.MsgExpectedMaxLength, resource.RuleMaxLength},
		{validation.MsgExpectedMinimumNumber, resource.RuleMinimum},
		{validation.MsgExpectedMaximumNumber, resource.RuleMaximum},
		{validation.MsgExpectedMinItems, resource.RuleMinItems},
		{validation.MsgExpectedMaxItems, resource.RuleMaxItems},
		{validation.MsgExpectedOneOf, resource.RuleEnum},
		{validation.MsgExpectedMatchPattern, resource.RulePattern},
		{validation.MsgExpectedBePattern, resource.RulePattern},
	} {
		if limit, ok := filledIn(said.template, message); ok {
			p.Rule, p.Limit = said.rule, limit
			return p
		}
	}
	for typ, text := range map[string]string{
		"string": validation.MsgExpectedString, "number": validation.MsgExpectedNumber, "integer": validation.MsgExpectedInteger,
		"boolean": validation.MsgExpectedBoolean, "array": validation.MsgExpectedArray, "object": validation.MsgExpectedObject,
	} {
		if message == text {
			p.Rule, p.Limit = resource.RuleType, typ
		}
	}
	return p
}

// filledIn answers what stands in a text for the one verb of its template.
func filledIn(template, text string) (string, bool) {
	before, after, has := strings.Cut(template, "%")
	if !has {
		return "", text == template
	}
	value, ok := strings.CutPrefix(text, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(value, after[1:]) // behind the verb's letter
}
