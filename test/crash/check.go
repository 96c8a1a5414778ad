package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// check is one thing that must never be found.
type check string

const (
	checkOrphan    check = "orphans"       // on the cloud, and no record knows it
	checkDuplicate check = "duplicates"    // two on the cloud for one request, or one for two records
	checkHalf      check = "half made"     // an available cluster without all that it was to have, or with more
	checkLost      check = "lost"          // in the records, and not on the cloud
	checkStuck     check = "stuck"         // work that does not end
	checkForgotten check = "forgotten"     // accepted, and not in the records
	checkName      check = "names twice"   // two records of one name
	checkState     check = "wrong states"  // the record shows another state than the cloud
	checkAnswer    check = "wrong answers" // of a server that should have known better
	checkDeath     check = "deaths"        // of a server that nobody killed
	checkLeft      check = "left running"  // processes that outlive the run
)

func checks() []check {
	return []check{
		checkOrphan, checkDuplicate, checkHalf, checkLost, checkStuck, checkForgotten, checkName, checkState, checkAnswer, checkDeath, checkLeft,
	}
}

// finding is one thing that was found nevertheless.
type finding struct {
	check check
	text  string
}

// findings collects them.
type findings []finding

func (f *findings) add(c check, format string, args ...any) {
	*f = append(*f, finding{c, fmt.Sprintf(format, args...)})
}

// compare compares the records, the clouds and what clients were told, when nothing
// goes on any more.
func compare(r *records, objects []object, told []receipt) findings {
	var f findings
	compareClouds(&f, r, objects)
	compareOperations(&f, r)
	compareReceipts(&f, r, told)
	compareNames(&f, r)
	slices.SortFunc(f, func(a, b finding) int { return cmp.Or(cmp.Compare(a.check, b.check), cmp.Compare(a.text, b.text)) })
	return f
}

type place struct{ connection, kind, id string }

func compareClouds(f *findings, r *records, objects []object) {
	recorded := map[place]*store.Resource{}
	for _, row := range r.live() {
		if row.CloudID == "" {
			continue
		}
		at := place{row.Connection, row.Kind, row.CloudID}
		if other := recorded[at]; other != nil {
			f.add(checkDuplicate, "%s and %s share %s", shown(row), shown(other), row.CloudID)
		}
		recorded[at] = row
	}
	seen, tokens := map[place]object{}, map[place]object{}
	released := r.ended(verbRelease)
	for _, o := range objects {
		at := place{o.connection, o.kind, o.ID}
		seen[at] = o
		if token := (place{o.connection, o.kind, o.Token}); o.Token != "" {
			if other, twice := tokens[token]; twice {
				f.add(checkDuplicate, "%s and %s have the same token %s", other.ID, o.ID, o.Token)
			}
			tokens[token] = o
		}
		switch row := recorded[at]; {
		case row == nil:
			f.add(checkOrphan, "%s %s %s %q (%s) is on the cloud; its record: %s", o.connection, o.kind, o.ID, o.Name, o.State, shown(r.resources[o.Token]))
		case row.UID != o.Token && !released[o.Token]: // what was released and adopted again has another uid
			f.add(checkDuplicate, "%s has the cloud id of what was made for %s", shown(row), shown(r.resources[o.Token]))
		case row.Operation == "" && row.State != o.State:
			f.add(checkState, "%s is %s on the cloud", shown(row), o.State)
		case row.Operation == "" && row.Kind == resource.Cluster.Name && row.State == resource.StateAvailable:
			compareGroups(f, row, o)
		}
	}
	for at, row := range recorded {
		if _, there := seen[at]; !there {
			f.add(checkLost, "%s is not on the cloud", shown(row))
		}
	}
}

// compareGroups compares the node groups of a cluster with those that it was asked to have.
func compareGroups(f *findings, row *store.Resource, o object) {
	asked := nodeGroups(o.Name)
	for _, shows := range []struct {
		where        string
		spec, status json.RawMessage
	}{{"on the cloud", o.Spec, o.Status}, {"in the record", row.Effective, row.Status}} {
		var spec resource.ClusterSpec
		var status resource.ClusterStatus
		if err := errors.Join(json.Unmarshal(shows.spec, &spec), json.Unmarshal(shows.status, &status)); err != nil {
			f.add(checkHalf, "%s cannot be read %s: %v", shown(row), shows.where, err)
			continue
		}
		var wanted, ready []string
		for _, g := range spec.NodeGroups {
			wanted = append(wanted, g.Name)
		}
		for _, g := range status.NodeGroups {
			if g.State == resource.StateAvailable {
				ready = append(ready, g.Name)
			}
		}
		slices.Sort(wanted)
		slices.Sort(ready)
		if !slices.Equal(wanted, asked) || !slices.Equal(ready, asked) {
			f.add(checkHalf, "%s has %s the node groups %v, and %v are available, instead of %v", shown(row), shows.where, wanted, ready, asked)
		}
	}
}

func compareOperations(f *findings, r *records) {
	deleted, released := r.ended(verbDelete), r.ended(verbRelease)
	for i := range r.operations {
		op := &r.operations[i]
		row := r.resources[op.UID]
		if op.Verb == verbDelete && op.State == api.OperationSucceeded && row != nil && row.DeletedAt == 0 {
			f.add(checkLost, "%s: its deletion %s succeeded, and it is still recorded", shown(row), op.ID)
		}
		if !op.State.Ended() {
			f.add(checkStuck, "operation %s (%s) is %s after %d attempts: %v; its record: %s", op.ID, op.Verb, op.State, op.Attempts, op.Error, shown(row))
		}
		if row == nil && op.UID != "" { // one that only counts others has none
			f.add(checkForgotten, "the %s %s %s of the operation %s is not in the records", op.Connection, op.Kind, op.Name, op.ID)
		}
		made := op.Verb == verbCreate || op.Verb == api.VerbAdopt
		if made && op.State == api.OperationSucceeded && row != nil && row.DeletedAt != 0 && !deleted[op.UID] && !released[op.UID] {
			f.add(checkLost, "%s: it was there, and nothing deleted it", shown(row))
		}
	}
	for _, row := range r.live() {
		switch {
		case row.Operation != "" && ended(r, row.Operation):
			f.add(checkStuck, "%s waits for an operation that does not go on", shown(row))
		case row.Operation == "" && !row.State.Settled():
			f.add(checkStuck, "%s is not settled, and nothing is done about it", shown(row))
		case row.Operation == "" && row.State == resource.StateFailed: // those were to be deleted
			f.add(checkStuck, "%s cannot be deleted", shown(row))
		case row.Operation == "" && row.CloudID == "":
			f.add(checkLost, "%s has no cloud id", shown(row))
		}
	}
}

// ended reports whether an operation has ended or is not there.
func ended(r *records, id string) bool {
	i := slices.IndexFunc(r.operations, func(o store.Operation) bool { return o.ID == id })
	return i < 0 || r.operations[i].State.Ended()
}

func compareReceipts(f *findings, r *records, told []receipt) {
	operations := map[string]*store.Operation{}
	for i := range r.operations {
		operations[r.operations[i].ID] = &r.operations[i]
	}
	for _, one := range told {
		if one.uid != "" && r.resources[one.uid] == nil {
			f.add(checkForgotten, "%s %s %s with the uid %s was accepted, and is not in the records", one.connection, one.what.kind, one.what.name, one.uid)
		}
		if one.operation != "" && operations[one.operation] == nil {
			f.add(checkForgotten, "the operation %s on %s %s %s was accepted, and is not in the records", one.operation, one.connection, one.what.kind, one.what.name)
		}
	}
}

func compareNames(f *findings, r *records) {
	names := map[place]*store.Resource{}
	for _, row := range r.live() {
		at := place{row.Connection, row.Kind, row.Name}
		if other := names[at]; other != nil {
			f.add(checkName, "%s and %s", shown(other), shown(row))
		}
		names[at] = row
	}
}

// shown is a record for people.
func shown(row *store.Resource) string {
	if row == nil {
		return "none"
	}
	text := fmt.Sprintf("%s %s %s (uid %s, cloud id %q, %s", row.Connection, row.Kind, row.Name, row.UID, row.CloudID, row.State)
	if row.Uncertain {
		text += ", uncertain"
	}
	if row.Operation != "" {
		text += ", operation " + row.Operation
	}
	if row.DeletedAt != 0 {
		text += ", deleted " + row.DeletedAt.Time().Format("15:04:05.000")
	}
	if row.Error != nil {
		text += ", " + row.Error.Error()
	}
	return text + ")"
}
