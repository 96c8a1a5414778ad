package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// structFlags are the flags of a struct of the model: one for each field.
type structFlags struct {
	at     string // where the struct is in the request: "spec", or "" for the request itself
	fields []*structField
	body   json.RawMessage // the request, once it is made
}

// structField is the flag of one field. It implements pflag.Value.
type structField struct {
	flag     string
	json     string
	doc      string
	required bool
	ref      string   // kind that the value names
	enum     []string // of the field or of the items of a list
	value    reflect.Value
	given    bool
	read     func(value string) (string, error) // of a text that is mostly in a file
}

// flagParser is implemented by structs that can be written in one flag, and the
// same text back.
type flagParser interface{ ParseFlag(text string) error }

// flagDescriber is implemented by those that say in the help how.
type flagDescriber interface{ FlagUsage() string }

// addStructFlags defines the flags of a struct, nil for none.
func (a *app) addStructFlags(cmd *cobra.Command, at string, t reflect.Type) *structFlags {
	s := &structFlags{at: at}
	if t == nil {
		return s
	}
	value := reflect.New(t).Elem()
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || !writable(f.Type) {
			continue // only through --file
		}
		field := &structField{
			flag:     f.Tag.Get("flag"),
			json:     name,
			doc:      f.Tag.Get("doc"),
			required: !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") && f.Tag.Get("required") != "false",
			ref:      resource.RefKind(f),
			value:    value.FieldByIndex(f.Index),
		}
		if field.flag == "" {
			field.flag = kebab(name)
		}
		if f.Tag.Get("file") != "" {
			field.read = func(value string) (string, error) { return a.textOf("--"+field.flag, value) }
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			field.enum = strings.Split(enum, ",")
		}
		s.fields = append(s.fields, field)
		flag := cmd.Flags().VarPF(field, field.flag, "", field.usage())
		if f.Type.Kind() == reflect.Bool {
			flag.NoOptDefVal = "true"
		}
		switch {
		case field.enum != nil:
			must(cmd.RegisterFlagCompletionFunc(field.flag, cobra.FixedCompletions(field.enum, cobra.ShellCompDirectiveNoFileComp)))
		case field.ref != "":
			must(cmd.RegisterFlagCompletionFunc(field.flag, a.completeResources(field.ref)))
		default:
			must(cmd.RegisterFlagCompletionFunc(field.flag, cobra.NoFileCompletions))
		}
	}
	return s
}

// String is the flag's default: none is known here, the server decides.
func (f *structField) String() string { return "" }

// Type is the flag's placeholder in the help.
func (f *structField) Type() string {
	if f.enum != nil {
		return strings.Join(f.enum, "|")
	}
	t := f.value.Type()
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if f.ref != "" {
		return f.ref
	}
	switch t.Kind() {
	case reflect.Map:
		return "key=value"
	case reflect.Struct:
		return strings.ToLower(t.Name())
	default:
		return t.Kind().String()
	}
}

// Set reads the flag; a list grows with each.
func (f *structField) Set(text string) error {
	if f.enum != nil && !slices.Contains(f.enum, text) {
		return fmt.Errorf("%q is not one of: %s", text, strings.Join(f.enum, ", "))
	}
	if f.read != nil {
		var err error
		if text, err = f.read(text); err != nil {
			return err
		}
	}
	if err := parseInto(f.value, text); err != nil {
		return err
	}
	f.given = true
	return nil
}

func (f *structField) usage() string {
	usage := f.doc
	if syntax := f.syntax(); syntax != "" {
		usage += " Written " + syntax + "."
	}
	if f.read != nil {
		usage += " @FILE is the content of a file, @- standard input, @@ begins a text with an @."
	}
	switch f.value.Kind() {
	case reflect.Slice, reflect.Map:
		usage += " May be repeated."
	}
	if f.required {
		usage += " (required)"
	}
	return usage
}

// syntax is how a struct is written in one flag: in its own words, else by example.
func (f *structField) syntax() string {
	item := itemOf(f.value.Type())
	if _, ok := item.Interface().(flagParser); !ok {
		if item.Elem().Kind() == reflect.Struct {
			return "as field=value,field=value" + pairsOf(item.Elem().Type())
		}
		return ""
	}
	if d, ok := item.Interface().(flagDescriber); ok {
		return "as " + d.FlagUsage()
	}
	if s, ok := sampleStruct(item); ok {
		return "such as " + s
	}
	return ""
}

// pairsOf names the fields of a struct that is written in pairs.
func pairsOf(t reflect.Type) string {
	var names []string
	for f := range t.Fields() {
		if name := resource.JSONName(f); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return " with " + strings.Join(names, ", ")
}

// itemOf is a pointer to a new value of a type, or of a list's items.
func itemOf(t reflect.Type) reflect.Value {
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return reflect.New(t)
}

// writable reports whether a flag can hold a value of the type.
func writable(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[flagParser]()) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Pointer, reflect.Slice:
		return t.Elem().Kind() != reflect.Slice && t.Elem().Kind() != reflect.Pointer && writable(t.Elem())
	case reflect.Map:
		return t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String
	case reflect.Struct:
		for f := range t.Fields() {
			switch f.Type.Kind() {
			case reflect.Struct, reflect.Slice, reflect.Map:
				return false // does not fit into pairs
			}
		}
		return t.PkgPath() != "time"
	default:
		return false
	}
}

// parseInto reads text into a value whose type is writable.
func parseInto(v reflect.Value, text string) error {
	if p, ok := v.Addr().Interface().(flagParser); ok {
		return p.ParseFlag(text)
	}
	bad := func(what string) error { return fmt.Errorf("%q is not %s", text, what) }
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return bad("true or false")
		}
		v.SetBool(b)
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil {
			return bad("a number")
		}
		v.SetFloat(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return bad("a whole number from 0")
		}
		v.SetUint(n)
	case reflect.Pointer:
		item := reflect.New(v.Type().Elem())
		if err := parseInto(item.Elem(), text); err != nil {
			return err
		}
		v.Set(item)
	case reflect.Slice:
		item := reflect.New(v.Type().Elem()).Elem()
		if err := parseInto(item, text); err != nil {
			return err
		}
		v.Set(reflect.Append(v, item))
	case reflect.Struct:
		return parsePairs(v, text)
	case reflect.Map:
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return bad("key=value")
		}
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), reflect.ValueOf(value).Convert(v.Type().Elem()))
	default:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return bad("a whole number")
		}
		v.SetInt(n)
	}
	return nil
}

// parsePairs reads field=value,field=value into a struct.
func parsePairs(v reflect.Value, text string) error {
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("%q is not field=value", pair)
		}
		known := false
		for f := range v.Type().Fields() {
			if resource.JSONName(f) == name {
				known = true
				if err := parseInto(v.FieldByIndex(f.Index), value); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
		if !known {
			return fmt.Errorf("there is no field %q;%s", name, pairsOf(v.Type()))
		}
	}
	return nil
}

// fill puts the flags that were given into a JSON object.
func (s *structFlags) fill(object map[string]json.RawMessage) error {
	for _, f := range s.fields {
		if !f.given {
			continue
		}
		raw, err := json.Marshal(f.value.Interface())
		if err != nil {
			return usageError("--%s: %w", f.flag, err)
		}
		object[f.json] = raw
	}
	return nil
}

// query is what the flags that were given are in the query of an address.
func (s *structFlags) query() url.Values {
	query := url.Values{}
	for _, f := range s.fields {
		value := reflect.Indirect(f.value)
		switch {
		case !f.given:
		case value.Kind() == reflect.Slice:
			for i := range value.Len() {
				query.Add(f.json, fmt.Sprint(value.Index(i)))
			}
		default:
			query.Set(f.json, fmt.Sprint(value))
		}
	}
	return query
}

// missing names the flags that an object still lacks.
func (s *structFlags) missing(object map[string]json.RawMessage) error {
	var problems []resource.Problem
	for _, f := range s.fields {
		if _, ok := object[f.json]; f.required && !ok {
			problems = append(problems, resource.Problem{Field: "--" + f.flag, Message: "is required: " + f.doc})
		}
	}
	return resource.Invalid(problems...)
}

// name is the flag of a field of the request, or "".
func (s *structFlags) name(field string) string {
	if s.at != "" {
		below, ok := strings.CutPrefix(field, s.at+".")
		if !ok {
			return requestFlag(field)
		}
		field = below
	}
	field, _, _ = strings.Cut(field, ".")
	field, index, _ := strings.Cut(field, "[")
	for _, f := range s.fields {
		if f.json == field {
			if i, err := strconv.Atoi(strings.TrimSuffix(index, "]")); err == nil {
				return fmt.Sprintf("--%s (number %d)", f.flag, i+1)
			}
			return "--" + f.flag
		}
	}
	return requestFlag(field)
}

// requestFlag is the flag of what every request has.
func requestFlag(field string) string {
	for _, m := range []struct{ field, flag string }{{"name", "NAME"}, {"labels", "--label"}, {"values", "--set"}, {"settings", "--setting"}, {"patience", "--patience"}} {
		if field == m.field {
			return m.flag
		}
		if key, ok := strings.CutPrefix(field, m.field+"."); ok {
			return m.flag + " " + key
		}
	}
	return ""
}

// example is the flags that are required, with values that could be.
func (s *structFlags) example() string {
	var b strings.Builder
	for _, f := range s.fields {
		if f.required {
			fmt.Fprintf(&b, " --%s %s", f.flag, f.sample())
		}
	}
	return b.String()
}

func (f *structField) sample() string {
	if f.ref != "" {
		return "my-" + f.ref
	}
	if s := suchAs(f.syntax()); s != "" {
		return s
	}
	if len(f.enum) > 0 {
		return f.enum[0]
	}
	if s := suchAs(f.doc); s != "" {
		return s
	}
	return strings.ToUpper(f.flag)
}

// sampleStruct fills what a struct requires from the docs of its fields, and writes
// it in its short form.
func sampleStruct(item reflect.Value) (string, bool) {
	s, ok := item.Interface().(fmt.Stringer)
	if !ok || item.Elem().Kind() != reflect.Struct {
		return "", false
	}
	for f := range item.Elem().Type().Fields() {
		if strings.Contains(f.Tag.Get("json"), ",omitempty") || f.Type.Kind() != reflect.String {
			continue
		}
		sample, _, _ := strings.Cut(f.Tag.Get("enum"), ",")
		if sample == "" {
			sample = suchAs(f.Tag.Get("doc"))
		}
		item.Elem().FieldByIndex(f.Index).SetString(sample)
	}
	text := s.String()
	return text, reflect.New(item.Elem().Type()).Interface().(flagParser).ParseFlag(text) == nil
}

// suchAs is the value that a doc gives as an example.
func suchAs(doc string) string {
	m := regexp.MustCompile(`such as (\S+)`).FindStringSubmatch(doc)
	if m == nil {
		return ""
	}
	return strings.TrimRight(m[1], ".,;)")
}

// kebab writes a JSON name as a flag: rootDiskSizeGiB becomes root-disk-size-gib.
func kebab(name string) string {
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB", "GHz"} { // one word, not two
		name = strings.ReplaceAll(name, unit, unit[:1]+strings.ToLower(unit[1:]))
	}
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 {
			before, after := runes[i-1], 'A'
			if i+1 < len(runes) {
				after = runes[i+1]
			}
			if !unicode.IsUpper(before) || unicode.IsLower(after) {
				b.WriteByte('-')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
