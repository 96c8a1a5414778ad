package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// found are the names of the resources of a kind that a search finds, by pages of
// two.
func found(t *testing.T, s *store.Store, connection, kind string, query store.Query) []string {
	t.Helper()
	query.Limit, query.Token = 2, ""
	names := []string{}
	for {
		rows, next, err := s.Read().ListResources(t.Context(), connection, kind, query)
		require.NoError(t, err)
		for _, r := range rows {
			names = append(names, r.Name)
		}
		if next == "" {
			return names
		}
		query.Token = next
	}
}

func TestSearch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		rows := map[string]*store.Resource{}
		add := func(connection, kind, name, cloudID, labels, status string) {
			row := &store.Resource{
				UID: fmt.Sprintf("019-%04d", len(rows)), Connection: connection, Kind: kind, Name: name, CloudID: cloudID, State: resource.StateRunning,
				Effective: json.RawMessage(`{"image":"ubuntu-22.04"}`), Status: json.RawMessage(status), Native: json.RawMessage(`{"secret.of.native":"x.y.z"}`),
			}
			require.NoError(t, json.Unmarshal([]byte(labels), &row.Labels))
			insert(t, s, row)
			rows[name] = row
		}
		add("c", "vm", "Web-1", "i-0aB", `{"env":"prod","team":"Net"}`, `{"privateAddress":"10.0.1.20","zone":"z"}`)
		add("c", "vm", "web-2", "i-0cd", `{"env":"dev"}`, `{"privateAddress":"10.0.1.21"}`)
		add("c", "vm", "db_1", "i-0ef", `{"env":"prod"}`, `{"nics":[{"address":"fd00::1:2"}],"url":"https://db.example.com:5432"}`)
		add("other", "vm", "한글-서버", "vm", `{}`, `{}`)
		add("c", "disk", "web-disk", "vol-1", `{"env":"prod"}`, `{}`)

		all := []string{"Web-1", "db_1", "web-2", "한글-서버"}
		for q, want := range map[string][]string{
			"":                    all,
			"web":                 {"Web-1", "web-2"},
			"WEB-1":               {"Web-1"},
			"eb-2":                {"web-2"},
			"w":                   {"Web-1", "web-2"},
			"-1":                  {"Web-1"},
			"_1":                  {"db_1"},
			"%":                   {},
			"i-0ab":               {"Web-1"},
			"019-":                all,
			"0003":                {"한글-서버"},
			"10.0.1":              {"Web-1", "web-2"},
			"10.0.1.21":           {"web-2"},
			"fd00::1":             {"db_1"},
			"db.example.com":      {"db_1"},
			"env=prod":            {"Web-1", "db_1"},
			"net":                 {"Web-1"},
			"prod web":            {"Web-1"},
			"  prod   10.0.1.20 ": {"Web-1"},
			"prod web-2":          {},
			"서버":                  {"한글-서버"},
			"한글-":                 {"한글-서버"},
			"ubuntu":              {}, // an image is no address
			"native":              {},
			"running":             {},
			"vm":                  {"한글-서버"}, // its cloud id; a kind is not text
			`"`:                   {},
			`web" OR "db`:         {},
			"web* NOT":            {},
			"' OR 1=1":            {},
		} {
			assert.ElementsMatch(t, want, found(t, s, "", "vm", store.Query{Search: q}), q)
		}
		assert.Equal(t, []string{"web-disk"}, found(t, s, "", "disk", store.Query{Search: "web"}))
		assert.Empty(t, found(t, s, "other", "vm", store.Query{Search: "web"}))
		assert.Equal(t, []string{"한글-서버"}, found(t, s, "other", "vm", store.Query{Search: "019"}))
		assert.Equal(t, []string{"web-2", "Web-1"}, found(t, s, "c", "vm", store.Query{Search: "web", Sort: "-name"}))
		prod := store.Filter{Field: "labels.env", Op: store.FilterEqual, Value: "prod"}
		assert.Equal(t, []string{"Web-1"}, found(t, s, "", "vm", store.Query{Search: "web", Filters: []store.Filter{prod}}))
		_, _, err := s.Read().ListResources(t.Context(), "", "vm", store.Query{Search: strings.Repeat("a ", 11), Limit: 1})
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))

		change := func(row *store.Resource) {
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.UpdateResource(ctx, row, "") }))
		}
		moved := rows["web-2"]
		moved.Status = json.RawMessage(`{"privateAddress":"10.9.9.9"}`)
		change(moved)
		assert.Empty(t, found(t, s, "", "vm", store.Query{Search: "10.0.1.21"}))
		assert.Equal(t, []string{"web-2"}, found(t, s, "", "vm", store.Query{Search: "10.9.9.9"}))
		moved.DeletedAt = 1
		change(moved)
		assert.Equal(t, []string{"Web-1"}, found(t, s, "", "vm", store.Query{Search: "web"}))
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.ForgetEnded(ctx, 2) }))
		assert.Equal(t, []string{"Web-1"}, found(t, s, "", "vm", store.Query{Search: "web"}))
	})
}

func TestWhatAnOlderVersionWroteIsFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		insert(t, s, vm(1), vm(2))
		require.NoError(t, s.ForgetSearch(t.Context()))
		assert.Empty(t, found(t, s, "", "vm", store.Query{Search: "vm-0001"}))
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			more, err := q.FillSearch(ctx)
			assert.False(t, more)
			return err
		}))
		assert.Equal(t, []string{"vm-0001"}, found(t, s, "", "vm", store.Query{Search: "vm-0001"}))
	})
}
