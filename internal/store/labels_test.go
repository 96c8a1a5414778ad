package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// may reports whether somebody sees a row, by the words of the documents.
func may(s *store.Sees, r *store.Resource) bool {
	return s == nil || slices.ContainsFunc(s.Any, func(p store.Part) bool {
		for _, l := range p.Labels {
			if (r.Labels[l.Key] == l.Value) == l.Not {
				return false
			}
		}
		return p.Connections == nil || slices.Contains(p.Connections, r.Connection)
	})
}

// Whichever way a list or a count takes, it has what somebody may see and nothing else, after
// whatever has happened to the resources.
func TestListsHaveWhatMayBeSeen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		var rows []*store.Resource
		for i := range 60 {
			r := vm(i)
			r.Connection, r.Name = fmt.Sprintf("c%d", i%4), fmt.Sprintf("vm-%02d", i*37%60)
			r.Labels = map[string]string{"env": []string{"prod", "test", "Prod"}[i%3], "team": fmt.Sprintf("team-%d", i%20)}
			if i%7 == 0 {
				r.Labels = nil
			}
			rows = append(rows, r)
		}
		insert(t, s, rows...)
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			for i, r := range rows {
				switch i % 5 {
				case 0:
					r.Labels = map[string]string{"env": "prod", "new": "é"}
				case 1:
					r.State = resource.StateStopped
				case 2:
					r.DeletedAt = 1
				case 3:
					continue
				case 4:
					r.Labels, r.State = nil, resource.StateFailed
				}
				if err := q.UpdateResource(ctx, r, ""); err != nil {
					return err
				}
			}
			return nil
		}))
		rows = slices.DeleteFunc(rows, func(r *store.Resource) bool { return r.DeletedAt != 0 })
		slices.SortFunc(rows, func(a, b *store.Resource) int { return strings.Compare(a.Name, b.Name) })
		label := func(key, value string, not ...bool) store.LabelTest {
			return store.LabelTest{Key: key, Value: value, Not: len(not) > 0}
		}
		part := func(connections []string, labels ...store.LabelTest) store.Part {
			return store.Part{Kind: "vm", Connections: connections, Labels: labels}
		}
		for name, parts := range map[string][]store.Part{
			"nothing":                  {},
			"connections":              {part([]string{"c1", "c3"})},
			"connections of two parts": {part([]string{"c1"}), part([]string{"c2", "c1"})},
			"no connection":            {part([]string{})},
			"a label":                  {part(nil, label("env", "prod"))},
			"a label that is new":      {part(nil, label("new", "é"))},
			"a label of nobody":        {part(nil, label("env", "none"))},
			"a label that must not be": {part(nil, label("env", "prod", true))},
			"a label in connections":   {part([]string{"c0", "c2"}, label("env", "prod"))},
			"one not in connections":   {part([]string{"c0", "c2"}, label("env", "prod", true))},
			"two labels":               {part(nil, label("env", "prod"), label("team", "team-3", true))},
			"two parts":                {part(nil, label("env", "prod")), part(nil, label("team", "team-1"))},
			"a part of each":           {part([]string{"c1"}), part(nil, label("env", "prod"))},
			"the same part twice":      {part([]string{"c1"}, label("env", "prod")), part([]string{"c2"}, label("env", "prod"))},
			"everything and a part":    {part(nil), part([]string{"c2"})},
		} {
			for _, filter := range []store.Filter{{}, {Field: "state", Op: "=", Value: "running"}, {Field: "name", Op: "~", Value: "1"}, {Field: "connection", Op: "!=", Value: "c0"}, {Field: "labels.env", Op: "=", Value: "prod"}} {
				for _, sort := range []string{"", "-name", "-createdAt", "state"} {
					for _, search := range []string{"", "vm-"} {
						for _, connection := range []string{"", "c2"} {
							about := fmt.Sprintf("%s, %v, by %q, %q in %q", name, filter, sort, search, connection)
							query := store.Query{Sees: &store.Sees{Any: parts}, Sort: sort, Search: search, Limit: 7}
							if filter.Field != "" {
								query.Filters = []store.Filter{filter}
							}
							var want, got []string
							states := map[string]int{}
							for _, r := range rows {
								fits := map[string]bool{
									"": true, "state": r.State == "running", "name": strings.Contains(r.Name, "1"), "connection": r.Connection != "c0", "labels.env": r.Labels["env"] == "prod",
								}[filter.Field]
								if fits && may(query.Sees, r) {
									states[string(r.State)]++
									if connection == "" || r.Connection == connection {
										want = append(want, r.UID)
									}
								}
							}
							for {
								page, next, err := s.Read().ListResources(t.Context(), connection, "vm", query)
								require.NoError(t, err, about)
								for _, r := range page {
									got = append(got, r.UID)
								}
								if query.Token = next; next == "" {
									break
								}
							}
							if sort == "-name" {
								slices.Reverse(want)
							}
							if strings.HasSuffix(sort, "name") || sort == "" {
								assert.Equal(t, want, got, about)
							} else {
								assert.ElementsMatch(t, want, got, about)
							}
							if connection != "" || sort != "" {
								continue
							}
							query.Limit = 0
							total, _, err := s.Read().CountResources(t.Context(), "vm", "", query)
							require.NoError(t, err, about)
							assert.Equal(t, len(want), total, about)
							total, groups, err := s.Read().CountResources(t.Context(), "vm", "state", query)
							require.NoError(t, err, about)
							assert.Equal(t, len(want), total, about)
							counted := map[string]int{}
							for _, g := range groups {
								counted[g.Value] = g.Count
							}
							assert.Equal(t, states, counted, about)
						}
					}
				}
			}
		}
	})
}

// What somebody sees is decided by indexes: of a list of names without reading a row that is not
// shown, of labels by their own table.
func TestRightsAreDecidedByIndexes(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	insert(t, s, vm(1), vm(2))
	names := []store.Part{{Kind: "vm", Connections: []string{"a", "b", "c"}}, {Kind: "vm", Connections: []string{"d"}}}
	label := []store.Part{{Kind: "vm", Labels: []store.LabelTest{{Key: "env", Value: "prod"}}}}
	page := func(parts []store.Part, sort string) func(q *store.Queries) error {
		return func(q *store.Queries) error {
			_, _, err := q.ListResources(t.Context(), "", "vm", store.Query{Sees: &store.Sees{Any: parts}, Sort: sort, Limit: 100})
			return err
		}
	}
	count := func(parts []store.Part, field string) func(q *store.Queries) error {
		return func(q *store.Queries) error {
			_, _, err := q.CountResources(t.Context(), "vm", field, store.Query{Sees: &store.Sees{Any: parts}})
			return err
		}
	}
	for name, test := range map[string]struct {
		run  func(q *store.Queries) error
		uses string
	}{
		"a list":                    {page(names, ""), "USING INDEX resources_by_name (kind=?)"},
		"a list, newest first":      {page(names, "-createdAt"), "USING INDEX resources_by_created (kind=?)"},
		"a count":                   {count(names, ""), "(connection=? AND kind=?)"},
		"a count by state":          {count(names, "state"), "USING COVERING INDEX resources_by_state (kind=?)"},
		"a list by a label":         {page(label, ""), "SEARCH resources USING PRIMARY KEY (kind=? AND key=? AND value=?)"},
		"few by a label":            {page(label, "-createdAt"), "SEARCH resources USING PRIMARY KEY (kind=? AND key=? AND value=?)"},
		"rows by a label":           {page(label, ""), "SEARCH resources USING INDEX sqlite_autoindex_resources_1 (uid=?)"},
		"a count by a label":        {count(label, ""), "SEARCH resources USING PRIMARY KEY (kind=? AND key=? AND value=?)"},
		"a count by state by label": {count(label, "state"), "SEARCH resources USING PRIMARY KEY (kind=? AND key=? AND value=?)"},
	} {
		plan, err := s.Plan(t.Context(), test.run)
		require.NoError(t, err, name)
		assert.Contains(t, strings.Join(plan, "\n"), test.uses, name)
	}
}
