package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// format is how a command shows its result. It is a flag's value.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
	formatYAML  format = "yaml"
	formatName  format = "name"
)

func formats() []string {
	return []string{string(formatTable), string(formatJSON), string(formatYAML), string(formatName)}
}

func (f *format) String() string { return string(*f) }

// Type is the flag's placeholder in the help.
func (f *format) Type() string { return strings.Join(formats(), "|") }

// Set implements pflag.Value.
func (f *format) Set(text string) error {
	if !slices.Contains(formats(), text) {
		return fmt.Errorf("%q is not one of: %s", text, strings.Join(formats(), ", "))
	}
	*f = format(text)
	return nil
}

func addOutput(cmd *cobra.Command, f *format) {
	*f = formatTable
	cmd.Flags().VarP(f, "output", "o", "how the result is shown")
	must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats(), cobra.ShellCompDirectiveNoFileComp)))
}

// printObject shows one thing; table shows it for people.
func (a *app) printObject(f format, v any, name string, table func() error) error {
	switch f {
	case formatJSON:
		return a.printJSON(v, "  ")
	case formatYAML:
		raw, err := yaml.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode the result: %w", err)
		}
		return a.write(string(raw))
	case formatName:
		return a.write(clean(name) + "\n")
	default:
		return table()
	}
}

// printMore shows one of several things that come one after the other, as documents
// of their own.
func (a *app) printMore(f format, v any, name string, table func() error) error {
	if f == formatYAML {
		if err := a.write("---\n"); err != nil {
			return err
		}
	}
	return a.printObject(f, v, name, table)
}

// printJSON escapes in strings what could drive a terminal; encoding/json leaves
// some of it, such as the control sequence introducer U+009B.
func (a *app) printJSON(v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	return a.write(escapeJSON(b.String()))
}

func escapeJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || unicode.IsGraphic(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func (a *app) write(text string) error {
	_, err := io.WriteString(a.env.Stdout, text)
	return err
}

// clean escapes what would move the cursor, change colours or turn the direction of
// writing: names and messages come from clouds and must not drive the terminal.
func clean(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		i += size
	}
	return b.String()
}

// cleanLines does the same to text of several lines.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// column is one column of a table.
type column[T any] struct {
	header string
	cell   func(T) string
}

// printItems shows a list: for people a table, or a word on stderr if it is empty.
func printItems[T any](a *app, f format, items []T, none string, name func(T) string, columns []column[T]) error {
	switch f {
	case formatJSON, formatYAML:
		return a.printObject(f, items, "", nil)
	case formatName:
		for _, item := range items {
			if err := a.write(clean(name(item)) + "\n"); err != nil {
				return err
			}
		}
		return nil
	}
	if len(items) == 0 {
		fmt.Fprintln(a.env.Stderr, none)
		return nil
	}
	return newTable(a.env.Stdout, columns).print(items...)
}

// table writes aligned rows. text/tabwriter would count a Korean letter as one
// place instead of two, and could not go on with the same columns while watching.
type table[T any] struct {
	out     io.Writer
	columns []column[T]
	least   []int // of the first columns, for rows that are not known yet
	widths  []int // nil before the first rows
}

func newTable[T any](out io.Writer, columns []column[T]) *table[T] {
	return &table[T]{out: out, columns: columns}
}

// print adds rows. The first ones fix how wide the columns are at least.
func (t *table[T]) print(items ...T) error {
	var rows [][]string
	if t.widths == nil {
		t.widths = make([]int, len(t.columns))
		copy(t.widths, t.least)
		header := make([]string, len(t.columns))
		for i, c := range t.columns {
			header[i] = c.header
		}
		rows = append(rows, header)
	}
	for _, item := range items {
		row := make([]string, len(t.columns))
		for i, c := range t.columns {
			row[i] = clean(c.cell(item))
			if row[i] == "" {
				row[i] = "-"
			}
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		for i, cell := range row {
			t.widths[i] = max(t.widths[i], width(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", t.widths[i]-width(cell)+2))
			}
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(t.out, b.String())
	return err
}

// width is how many places of a terminal a text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case unicode.In(r, unicode.Hangul, unicode.Han, unicode.Hiragana, unicode.Katakana):
			n += 2
		default:
			n++
		}
	}
	return n
}

// maxCell is where the table cuts what a cloud or a user may have written at length.
const maxCell = 40

func cut(s string) string {
	if runes := []rune(s); len(runes) > maxCell {
		return string(runes[:maxCell-1]) + "…"
	}
	return s
}

// age is how long ago t was, in the one or two units that matter.
func age(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := max(now.Sub(t), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 10*time.Minute:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 10*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}

// The most columns that a table takes from a kind's spec, from its status, and from
// a catalog's entry.
const (
	maxSpecColumns    = 3
	maxStatusColumns  = 3
	maxCatalogColumns = 8
)

// cellFields are the fields of a struct that fit a table: short ones, in order.
func cellFields(t reflect.Type, lists bool, limit int) []reflect.StructField {
	var fields []reflect.StructField
	for f := range t.Fields() {
		if len(fields) == limit {
			break
		}
		longest, _ := strconv.Atoi(f.Tag.Get("maxLength"))
		if resource.JSONName(f) == "description" || longest > 1024 {
			continue // free text, and what nobody reads in a table, such as a public key
		}
		switch f.Type.Kind() {
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
			fields = append(fields, f)
		case reflect.Slice:
			if lists && f.Type.Elem().Kind() == reflect.String {
				fields = append(fields, f)
			}
		}
	}
	return fields
}

// kindColumns derives a table's columns from the kind's types.
func (a *app) kindColumns(k *resource.Kind, connections bool) []column[resource.Resource] {
	columns := []column[resource.Resource]{
		{"NAME", func(r resource.Resource) string { return r.Name }},
		{"STATE", func(r resource.Resource) string { return string(r.State) }},
	}
	seen := map[string]bool{}
	add := func(fields []reflect.StructField, part func(resource.Resource) json.RawMessage) {
		for _, f := range fields {
			name := resource.JSONName(f)
			if !seen[name] {
				seen[name] = true
				columns = append(columns, column[resource.Resource]{header(name), func(r resource.Resource) string {
					return cut(member(part(r), name))
				}})
			}
		}
	}
	add(cellFields(k.SpecType(), false, maxSpecColumns), func(r resource.Resource) json.RawMessage { return r.Effective })
	add(cellFields(k.StatusType(), false, maxStatusColumns), func(r resource.Resource) json.RawMessage { return r.Status })
	if connections {
		columns = append(columns, column[resource.Resource]{"CONNECTION", func(r resource.Resource) string { return r.Connection }})
	}
	return append(columns, column[resource.Resource]{"AGE", func(r resource.Resource) string { return age(a.env.Now(), r.CreatedAt) }})
}

func catalogColumns(c *resource.Catalog) []column[json.RawMessage] {
	var columns []column[json.RawMessage]
	for i, f := range cellFields(c.EntryType(), true, maxCatalogColumns) {
		name := resource.JSONName(f)
		columns = append(columns, column[json.RawMessage]{header(name), func(entry json.RawMessage) string {
			if i == 0 { // what other commands take must be whole
				return member(entry, name)
			}
			return cut(member(entry, name))
		}})
	}
	return columns
}

func header(jsonName string) string { return strings.ToUpper(kebab(jsonName)) }

// member is one field of a JSON object as text.
func member(object json.RawMessage, name string) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(object, &fields) != nil || len(fields[name]) == 0 {
		return ""
	}
	n, err := parseNode(fields[name])
	if err != nil {
		return ""
	}
	return n.line()
}
