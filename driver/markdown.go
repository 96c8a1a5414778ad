package driver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Markdown is the driver's reference page, generated from its description.
func (d *Description) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s (`%s`)\n\n", d.Title, d.Name)
	if d.Doc != "" {
		fmt.Fprintf(&b, "%s\n\n", d.Doc)
	}
	fmt.Fprintf(&b, "Driver version %s.\n\n", d.Version)
	fields(&b, "Credential", "--set", d.Credential)
	fields(&b, "Connection settings", "--setting", d.Settings)
	if len(d.Permissions) > 0 {
		b.WriteString("## Least permissions\n\n")
		for _, p := range d.Permissions {
			fmt.Fprintf(&b, "- `%s`\n", p)
		}
		b.WriteString("\n")
	}
	b.WriteString("## Kinds\n\n| kind | verbs | actions | views | data calls |\n| --- | --- | --- | --- | --- |\n")
	for _, k := range d.Kinds {
		verbs := strings.Join(k.Verbs, ", ")
		if k.Kept {
			verbs += " (kept by the server)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, verbs, listed(k.Actions), listed(k.Views), listed(k.Data))
	}
	fmt.Fprintf(&b, "\nCatalogs: %s.\n", strings.Join(d.Catalogs, ", "))
	if len(d.Feeds) > 0 {
		b.WriteString("\n## Feeds\n\n| feed | closest points | kept for | points in one answer |\n| --- | --- | --- | --- |\n")
		for _, f := range d.Feeds {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, counted(f.StepSeconds, "s"), counted(f.KeptSeconds/3600, "h"), counted(f.Points, ""))
		}
	}
	if len(d.Missing) > 0 {
		b.WriteString("\n## Not offered\n\n")
		for _, name := range slices.Sorted(maps.Keys(d.Missing)) {
			fmt.Fprintf(&b, "- `%s`: %s\n", name, d.Missing[name])
		}
	}
	if len(d.Extensions) > 0 {
		b.WriteString("\n## Extensions\n\nWhat only this driver can do.\n\n| name | description |\n| --- | --- |\n")
		for _, e := range d.Extensions {
			fmt.Fprintf(&b, "| `%s` | %s |\n", e.Name, e.Doc)
		}
	}
	if d.Native != "" {
		fmt.Fprintf(&b, "\n## Native calls\n\n%s\n", d.Native)
	}
	if len(d.Tested) > 0 {
		b.WriteString("\n## Tested\n\n")
		for _, t := range d.Tested {
			fmt.Fprintf(&b, "- against %s (%s)\n", t.Against, t.Type)
		}
	}
	return b.String()
}

// tests say what the conformance suite has shown.
func (d *Description) tests() string {
	if len(d.Tested) == 0 {
		return "The driver carries no report of the conformance suite. Run it with: mcic driver conformance\n"
	}
	var b strings.Builder
	for _, t := range d.Tested {
		fmt.Fprintf(&b, "Against %s (%s):\n\n| kind | verb | checks passed | left out, or otherwise there |\n| --- | --- | --- | --- |\n", t.Against, t.Type)
		for _, v := range t.Verbs {
			fmt.Fprintf(&b, "| `%s` | %s | %d | %s |\n", v.Kind, v.Verb, v.Passed, strings.Join(v.Reasons, "; "))
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// counted is a number with its unit, where there is one.
func counted(n int, unit string) string {
	if n == 0 {
		return "–"
	}
	return strings.TrimSpace(fmt.Sprint(n, " ", unit))
}

func listed(names []string) string {
	if len(names) == 0 {
		return "–"
	}
	return strings.Join(names, ", ")
}

func fields(b *strings.Builder, title, flag string, fields []Field) {
	fmt.Fprintf(b, "## %s\n\n", title)
	if len(fields) == 0 {
		b.WriteString("None.\n\n")
		return
	}
	fmt.Fprintf(b, "Given as `%s name=value`.\n\n| name | type | | description |\n| --- | --- | --- | --- |\n", flag)
	for _, f := range fields {
		var marks []string
		if f.Required {
			marks = append(marks, "required")
		}
		if f.Secret {
			marks = append(marks, "secret")
		}
		doc := f.Doc
		if len(f.Enum) > 0 {
			doc += " One of: " + strings.Join(f.Enum, ", ") + "."
		}
		if f.Keys != (Keys{}) {
			doc += " In CB-Spider: " + strings.Join(slices.Compact([]string{f.Keys.Spider, f.Keys.Cloud}), " or ") + "."
		}
		if f.Where != "" {
			doc += " Where to get it: " + f.Where
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, strings.Join(marks, ", "), doc)
	}
	b.WriteString("\n")
}
