package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Sees is which rows of a list somebody may see: those of any of the parts. Who may see all of
// them has none.
type Sees struct {
	Any []Part
	Who string // who asks: what he began himself he sees whatever labels that has, or had
}

type seesKey struct{}

// WithSees returns a context in which a list has what somebody may see.
func WithSees(ctx context.Context, s *Sees) context.Context {
	return context.WithValue(ctx, seesKey{}, s)
}

// SeesOf answers what may be seen in a context, and whether it says so.
func SeesOf(ctx context.Context) (s *Sees, said bool) {
	s, said = ctx.Value(seesKey{}).(*Sees)
	return s, said
}

// Part are the rows of a kind in some connections, with some labels.
type Part struct {
	Kind        string      // "": of every kind
	Connections []string    // names; nil: all
	Patterns    [][]string  `json:",omitempty"` // by which they were found, with *, of each of which one fits: for what is kept longer than its connection
	Labels      []LabelTest `json:",omitempty"` // all of which hold
}

// LabelTest is what a label must be, or must not be.
type LabelTest struct {
	Key, Value string
	Not        bool
}

// String is the test as a role has it.
func (t LabelTest) String() string {
	if t.Not {
		return t.Key + "!=" + t.Value
	}
	return t.Key + "=" + t.Value
}

// Key is a text that is the same for those who see the same.
func (s *Sees) Key() string {
	if s == nil {
		return ""
	}
	raw, _ := json.Marshal(s) // texts always encode
	return string(raw)
}

// merged has those parts in one that differ in their connections alone: several conditions, one
// of which must hold, keep databases from their indexes.
func (s *Sees) merged() *Sees {
	if s == nil {
		return nil
	}
	made := &Sees{Who: s.Who}
	for _, p := range s.Any {
		i := slices.IndexFunc(made.Any, func(m Part) bool { return m.Kind == p.Kind && slices.Equal(m.Labels, p.Labels) })
		switch {
		case i < 0:
			made.Any = append(made.Any, p)
		case p.Connections == nil:
			made.Any[i].Connections = nil
		case made.Any[i].Connections != nil:
			names := slices.Concat(made.Any[i].Connections, p.Connections)
			slices.Sort(names)
			made.Any[i].Connections = slices.Compact(names)
		}
	}
	return made
}

// narrow keeps the rows of resources that may be seen.
func (s *Sees) narrow(sel *bun.SelectQuery) *bun.SelectQuery {
	return s.merged().keep(sel, inConnections, withLabels)
}

// narrowOperations keeps the operations on resources that may be seen. One on several has no
// labels; those who look by labels see it if they began it.
func (s *Sees) narrowOperations(q *Queries, sel *bun.SelectQuery) *bun.SelectQuery {
	if s == nil {
		return sel
	}
	return sel.WhereGroup(" AND ", func(sel *bun.SelectQuery) *bun.SelectQuery {
		if s.Who != "" { // one on resources of several connections is of none
			sel = sel.WhereOr("connection = '' AND asked_by = ?", s.Who)
		}
		return sel.WhereGroup(" OR ", func(sel *bun.SelectQuery) *bun.SelectQuery { return s.keepOperations(q, sel) })
	})
}

func (s *Sees) keepOperations(q *Queries, sel *bun.SelectQuery) *bun.SelectQuery {
	where := func(sel *bun.SelectQuery, p Part) *bun.SelectQuery {
		if p.Patterns == nil {
			return inConnections(sel, p)
		}
		for _, patterns := range p.Patterns {
			sel = q.fitting(sel, patterns)
		}
		return sel
	}
	return s.keep(sel, where, func(sel *bun.SelectQuery, labels []LabelTest) *bun.SelectQuery {
		there := withLabels(q.db.NewSelect().Model((*Resource)(nil)).ModelTableExpr("resources").ColumnExpr("1").Where("resources.uid = operations.uid"), labels)
		return sel.WhereGroup(" AND ", func(sel *bun.SelectQuery) *bun.SelectQuery {
			if sel = sel.Where("EXISTS (?)", there); s.Who == "" { // nobody began those whose beginner was not recorded
				return sel
			}
			return sel.WhereOr("asked_by = ?", s.Who)
		})
	})
}

// inConnections keeps the rows of a part's connections.
func inConnections(sel *bun.SelectQuery, p Part) *bun.SelectQuery {
	switch {
	case p.Connections == nil:
		return sel
	case len(p.Connections) == 0:
		return sel.Where("1 = 0")
	}
	return sel.Where("connection IN (?)", bun.List(p.Connections))
}

func (s *Sees) keep(sel *bun.SelectQuery, where func(*bun.SelectQuery, Part) *bun.SelectQuery, labels func(*bun.SelectQuery, []LabelTest) *bun.SelectQuery) *bun.SelectQuery {
	if s == nil {
		return sel
	}
	if len(s.Any) == 0 {
		return sel.Where("1 = 0")
	}
	return sel.WhereGroup(" AND ", func(sel *bun.SelectQuery) *bun.SelectQuery {
		for _, p := range s.Any {
			sel = sel.WhereGroup(" OR ", func(sel *bun.SelectQuery) *bun.SelectQuery {
				sel = sel.Where("1 = 1")
				if p.Kind != "" {
					sel = sel.Where("kind = ?", p.Kind)
				}
				sel = where(sel, p)
				if len(p.Labels) > 0 {
					sel = labels(sel, p.Labels)
				}
				return sel
			})
		}
		return sel
	})
}

// fitting keeps the rows of connections that one of the patterns stands for.
func (q *Queries) fitting(sel *bun.SelectQuery, patterns []string) *bun.SelectQuery {
	var names []string
	var wild []string
	for _, p := range patterns {
		if strings.Contains(p, "*") {
			wild = append(wild, p)
		} else {
			names = append(names, p)
		}
	}
	return sel.WhereGroup(" AND ", func(sel *bun.SelectQuery) *bun.SelectQuery {
		if len(names) > 0 {
			sel = sel.Where("connection IN (?)", bun.List(names))
		}
		for _, p := range wild {
			if q.postgres {
				sel = sel.WhereOr("connection LIKE ? ESCAPE '!'", strings.ReplaceAll(likeEscaper().Replace(p), "*", "%"))
			} else { // whose LIKE ignores case; no name has other wildcards
				sel = sel.WhereOr("connection GLOB ?", p)
			}
		}
		return sel
	})
}

// withLabels keeps the rows of resources whose labels pass the tests.
func withLabels(sel *bun.SelectQuery, labels []LabelTest) *bun.SelectQuery {
	for _, l := range labels {
		compare := " = ?"
		if l.Not {
			compare = " <> ?"
		}
		sel = sel.Where("coalesce(CAST(resources.labels ->> ? AS text), '')"+compare, l.Key, l.Value)
	}
	return sel
}

// SeesResource reports whether a resource is among what may be seen.
func (q *Queries) SeesResource(ctx context.Context, s *Sees, connection, kind, name string) (bool, error) {
	sel := q.db.NewSelect().Model((*Resource)(nil)).Where("connection = ?", connection).Where("kind = ?", kind).Where("name = ?", name).Where("deleted_at = 0")
	seen, err := s.narrow(sel).Exists(ctx)
	return seen, failure(err, "look for the %s %s", kind, name)
}

// SeesOperation reports whether an operation is among what may be seen.
func (q *Queries) SeesOperation(ctx context.Context, s *Sees, id string) (bool, error) {
	seen, err := s.narrowOperations(q, q.db.NewSelect().Model((*Operation)(nil)).Where("id = ?", id)).Exists(ctx)
	return seen, failure(err, "look for the operation %s", id)
}

// NoResource is the error of one that is not there.
func NoResource(kind, name, connection string) error {
	return resource.Errorf(resource.CodeNotFound, noResource, kind, name, connection)
}

// NoOperation is the error of one that is not there.
func NoOperation(id string) error { return resource.Errorf(resource.CodeNotFound, noOperation, id) }

const (
	noResource  = "there is no %s %s in the connection %s"
	noOperation = "there is no operation %s; list them with: mcic operation list"
)

// WithoutLabels leaves out what is seen by its labels.
func (s *Sees) WithoutLabels() *Sees {
	if s == nil {
		return nil
	}
	return &Sees{Who: s.Who, Any: slices.DeleteFunc(slices.Clone(s.Any), func(p Part) bool { return len(p.Labels) > 0 })}
}
