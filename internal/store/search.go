package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/uptrace/bun"
)

// What a resource can be found by is one text in its row: names, ids, labels as
// key=value, addresses, in small letters, each between line feeds. A search is a
// LIKE on that text, and so is exact on both databases. What makes it fast is an
// index of groups of three characters: on SQLite a table of FTS5, on PostgreSQL an
// index of pg_trgm where that extension can be had. See search_*.sql.

// maxAddresses is how many bytes of addresses a resource is found by. Some have
// thousands of rules.
const maxAddresses = 4096

// searchText makes the text that a resource is found by. A deleted one is not found.
func searchText(r *Resource) string {
	if r.DeletedAt != 0 {
		return ""
	}
	parts := []string{r.Name, r.UID, r.CloudID}
	if r.FacadeName != "" {
		parts = append(parts, r.FacadeName)
	}
	for _, key := range slices.Sorted(maps.Keys(r.Labels)) {
		parts = append(parts, key+"="+r.Labels[key])
	}
	var addresses []string
	for _, raw := range []json.RawMessage{r.Effective, r.Status} {
		var value any
		if json.Unmarshal(raw, &value) == nil { // what a row holds is JSON, or absent
			addresses = appendAddresses(addresses, value)
		}
	}
	size := 0
	for _, address := range addresses {
		if size += len(address); size > maxAddresses {
			break
		}
		parts = append(parts, address)
	}
	return searchEdge + strings.ToLower(strings.Join(parts, searchEdge)) + searchEdge
}

// searchEdge stands around what is found. Nobody can search for it.
const searchEdge = "\n"

// appendAddresses appends the texts in a JSON value that look like an address, a
// range, a host name or a URL: words with two dots or colons. That holds for every
// kind, also for those to come.
func appendAddresses(parts []string, value any) []string {
	switch v := value.(type) {
	case string:
		if (strings.Count(v, ".") >= 2 || strings.Count(v, ":") >= 2) && !strings.ContainsAny(v, " \t\r\n") {
			parts = append(parts, v)
		}
	case []any:
		for _, one := range v {
			parts = appendAddresses(parts, one)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = appendAddresses(parts, v[key])
		}
	}
	return parts
}

// fewFound is up to how many resources the index is the way to a page. Of more, the
// first of a page are found sooner in the order that is asked for.
const fewFound = 2000

// search narrows a list to what contains every word of the query's search. Where the
// index knows of only few, few are the numbers in search_ids of all that can be
// in the list.
func (q *Queries) search(ctx context.Context, sel *bun.SelectQuery, connection, kind string, query Query) (narrowed *bun.SelectQuery, few []int64, err error) {
	words := strings.Fields(strings.ToLower(query.Search))
	if len(words) > maxSearchWords {
		return nil, nil, invalidParam("q", "has %d words; give at most %d", len(words), maxSearchWords)
	}
	for _, word := range words {
		sel = sel.Where("search LIKE ? ESCAPE '!'", containing(word))
	}
	if q.postgres { // its planner knows the way
		return sel, nil, nil
	}
	for _, f := range query.Filters {
		if text := f.needs(); text != "" {
			words = append(words, text)
		}
	}
	if len(words) > 0 && connection != "" {
		words = append(words, searchConnection(connection))
	}
	for range 2 {
		match := trigrams(words...)
		if match == "" {
			break
		}
		few = []int64{}
		err = q.db.NewSelect().TableExpr("resources_search").ColumnExpr("rowid").
			Where("resources_search MATCH ?", match).Limit(fewFound+1).Scan(ctx, &few)
		if err != nil {
			return nil, nil, failure(err, "search")
		}
		if len(few) <= fewFound {
			return sel, few, nil
		}
		words = append(words, "\x02"+kind+"\x02") // which mostly tells little
	}
	return sel, nil, nil
}

// telling is how many groups of a word are looked up: they mostly tell enough, and each
// costs about a millisecond with 100,000 resources.
const telling = 4

const maxSearchWords = 10

// searchConnection is how 00005_search_sqlite.sql writes the connection beside the text, and
// before it the kind.
func searchConnection(name string) string { return "\x03" + strings.ToLower(name) + "\x03" }

// needs is a text that the search text of every resource contains that the filter
// keeps, or "".
func (f Filter) needs() string {
	value := strings.ToLower(f.Value)
	label, isLabel := strings.CutPrefix(f.Field, "labels.")
	switch {
	case f.Op == FilterNotEqual:
		return ""
	case f.Value == "": // also of what has no such label
		return ""
	case f.Op == FilterEqual && f.Field == "connection":
		return searchConnection(f.Value)
	case f.Op == FilterEqual && isLabel:
		return searchEdge + strings.ToLower(label) + "=" + value + searchEdge
	case f.Field == "name" || f.Field == "facadeName" || f.Field == "cloudId" || f.Field == "uid":
		return value
	case isLabel && f.Op == FilterContains:
		return value
	}
	return ""
}

// trigrams is the FTS5 query for what has the most telling groups of three characters of
// some texts: those with digits, and those at the end.
func trigrams(texts ...string) string {
	var all []string
	for _, text := range texts {
		var groups []string
		runes := []rune(text)
		for i := len(runes) - 3; i >= 0; i-- {
			groups = append(groups, string(runes[i:i+3]))
		}
		slices.SortStableFunc(groups, func(a, b string) int { return digits(b) - digits(a) })
		all = append(all, groups[:min(telling, len(groups))]...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for i := range all {
		all[i] = `"` + strings.ReplaceAll(all[i], `"`, `""`) + `"`
	}
	return strings.Join(all, " AND ")
}

func digits(text string) (n int) {
	for _, r := range text {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// containing is the pattern of LIKE for what contains a text.
func containing(text string) string { return "%" + likeEscaper().Replace(text) + "%" }

// fillBatch is how many search texts are written in one transaction.
const fillBatch = 500

// FillSearch writes the search texts of resources that have none, because a version
// wrote them that made none. It answers whether there may be more.
func (q *Queries) FillSearch(ctx context.Context) (more bool, err error) {
	var rows []Resource
	err = q.db.NewSelect().Model(&rows).Where("search = ''").Where("deleted_at = 0").Limit(fillBatch).Scan(ctx)
	if err != nil {
		return false, failure(err, "look for resources that are not found by a search")
	}
	for i := range rows {
		_, err := q.db.NewUpdate().Model((*Resource)(nil)).Set("search = ?", searchText(&rows[i])).
			Where("uid = ?", rows[i].UID).Where("updated_at = ?", rows[i].UpdatedAt).Exec(ctx)
		if err != nil {
			return false, failure(err, "have the %s %s found by a search", rows[i].Kind, rows[i].Name)
		}
	}
	return len(rows) == fillBatch, nil
}
