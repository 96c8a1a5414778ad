package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
)

// matrix is the page that says what works on which cloud, and how that is known.
func matrix(clouds []driver.Description) string {
	var b strings.Builder
	b.WriteString(generated + `# What works on which cloud

Each driver is tested by the [conformance suite](driver-author.md#the-conformance-suite), and carries its last
report with it. This page follows from what the drivers offer and from these reports; for one cloud a server
answers the same at ` + "`/v1/drivers/{name}/capabilities` (`mcic driver capabilities NAME`)" + `.

| mark | meaning |
| --- | --- |
| **S** | tested against the cloud's own service or software |
| **E** | tested against an emulator that others wrote |
| **M** | tested against a simulator of this project |
| * | with exceptions, which are listed below |
| kept | the server has it in the cloud's place: the cloud has no such object |
| untested | offered, but not covered by a report |
| – | not offered |

`)
	b.WriteString("Tested against:\n\n")
	for _, d := range clouds {
		for _, t := range d.Tested {
			fmt.Fprintf(&b, "- [%s](clouds/%s.md) against %s (%s)\n", d.Title, d.Name, t.Against, t.Type)
		}
	}
	b.WriteString("\n| kind | verb |")
	for _, d := range clouds {
		fmt.Fprintf(&b, " %s |", d.Name)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" --- |", len(clouds)) + "\n")
	capabilities := make([][]driver.Capability, len(clouds))
	for i := range clouds {
		capabilities[i] = clouds[i].Capabilities()
	}
	for row := range capabilities[0] { // the same verbs for every cloud
		c := capabilities[0][row]
		fmt.Fprintf(&b, "| `%s` | %s |", c.Kind, c.Verb)
		for i := range clouds {
			fmt.Fprintf(&b, " %s |", mark(capabilities[i][row]))
		}
		b.WriteString("\n")
	}
	for i, d := range clouds {
		exceptions(&b, d, capabilities[i])
	}
	return b.String()
}

// mark says in a word what is known of a capability.
func mark(c driver.Capability) string {
	if !c.Offered {
		return "–"
	}
	if c.Kept {
		return "kept"
	}
	marks := ""
	for _, t := range c.Tested {
		if t.Passed == 0 {
			continue
		}
		marks += map[string]string{driver.TestedService: "S", driver.TestedEmulator: "E", driver.TestedSimulator: "M"}[t.Type]
		if slices.ContainsFunc(t.Reasons, deviates) {
			marks += "*"
		}
	}
	if marks == "" {
		return "untested"
	}
	return marks
}

func deviates(reason string) bool { return strings.HasPrefix(reason, string(driver.Deviates)) }

// exceptions lists what is otherwise on a cloud, and why something is missing.
func exceptions(b *strings.Builder, d driver.Description, capabilities []driver.Capability) {
	var lines []string
	for _, c := range capabilities {
		switch c.Reason {
		case "":
		case d.Missing[c.Kind]: // of all its verbs
			if line := fmt.Sprintf("- %#q is not offered: %s", c.Kind, c.Reason); !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		default:
			lines = append(lines, fmt.Sprintf("- %#q %s is not offered: %s", c.Kind, c.Verb, c.Reason))
		}
		for _, t := range c.Tested {
			for _, reason := range t.Reasons {
				if deviates(reason) {
					lines = append(lines, fmt.Sprintf("- %#q %s %s (%s)", c.Kind, c.Verb, reason, t.Against))
				}
			}
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "\n## %s\n\n%s\n", d.Title, strings.Join(lines, "\n"))
	}
}
