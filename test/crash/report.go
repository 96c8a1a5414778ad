package main

import (
	"fmt"
	"io"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// report is what a run comes to.
type report struct {
	options
	kills    kills
	rounds   int
	lost     int // requests without an answer
	cancels  int // accepted
	retries  int // accepted
	load     time.Duration
	total    time.Duration
	records  *records // of the last comparison
	findings findings
	folders  []string // kept, if something was found
}

func (r *report) failed() bool { return len(r.findings) > 0 }

const mostShown = 20 // findings of one check

func (r *report) print(w io.Writer) {
	creates, together, deletes, releases, adoptions, actions := 0, 0, 0, 0, 0, 0
	failed, cancelled, repeated := 0, 0, 0
	clusters, halted := 0, 0
	if r.records != nil {
		for i := range r.records.operations {
			op := &r.records.operations[i]
			switch {
			case op.UID == "": // it only counts others
			case op.Verb == verbCreate:
				creates++
				if op.Parent != "" {
					together++
				}
				if op.Kind == resource.Cluster.Name {
					clusters++
					if op.State == api.OperationCancelled && op.AcceptedAt != 0 {
						halted++
					}
				}
			case op.Verb == verbDelete:
				deletes++
			case op.Verb == verbRelease:
				releases++
			case op.Verb == api.VerbAdopt:
				adoptions++
			default:
				actions++
			}
			switch op.State {
			case api.OperationFailed:
				failed++
			case api.OperationCancelled:
				cancelled++
			}
			repeated += op.Attempts
		}
	}
	fmt.Fprintf(w, "\n| %s, seed %d | |\n| --- | ---: |\n", r.database, r.seed)
	row := func(what string, value any) { fmt.Fprintf(w, "| %s | %v |\n", what, value) }
	row("kill -9 of the server", r.kills.server+r.kills.starting)
	row("… of these while it started", r.kills.starting)
	row("kill -9 of a driver", r.kills.driver)
	if r.database == postgres {
		row("crashes of the database", r.kills.database)
		row("all connections to the database cut", r.kills.cut)
	}
	row("creates", creates)
	row("… of these several in one request", together)
	row("… of these clusters of several parts", clusters)
	row("… … cancelled between two parts", halted)
	row("deletes", deletes)
	row("actions", actions)
	row("releases", releases)
	row("adoptions", adoptions)
	row("… of all ended failed, as the clouds had it", failed)
	row("… of all ended cancelled", cancelled)
	row("cancellations accepted", r.cancels)
	row("operations tried again on request", r.retries)
	row("attempts that had to be repeated", repeated)
	row("requests that clients got no answer to", r.lost)
	row("rounds", r.rounds)
	row("time under load", r.load.Round(time.Second))
	row("time in all", r.total.Round(time.Second))
	for _, c := range checks() {
		if r.records == nil {
			row(string(c), "not compared")
			continue
		}
		row(string(c), r.count(c))
	}
	for _, c := range checks() {
		n := 0
		for _, f := range r.findings {
			if f.check != c {
				continue
			}
			if n++; n <= mostShown {
				fmt.Fprintf(w, "\nFOUND %s: %s\n", c, f.text)
			}
		}
		if n > mostShown {
			fmt.Fprintf(w, "\n… and %d more %s\n", n-mostShown, c)
		}
	}
	if len(r.folders) > 0 {
		fmt.Fprintf(w, "\nKept to look at: %v\nReplay with: go run ./test/crash %s\n", r.folders, r.replay())
	}
}

func (r *report) count(c check) int {
	n := 0
	for _, f := range r.findings {
		if f.check == c {
			n++
		}
	}
	return n
}

func (o options) replay() string {
	text := fmt.Sprintf("-db %s -seed %d -kills %d -changes %d", o.database, o.seed, o.kills, o.changes)
	if o.clusters > 0 {
		text += fmt.Sprintf(" -clusters %d", o.clusters)
	}
	if o.duration > 0 {
		text += fmt.Sprintf(" -duration %s", o.duration)
	}
	return text
}
