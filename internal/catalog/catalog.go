// Package catalog answers what a connection offers: regions, zones, images, specs.
package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// keepFor is how long an answer of a cloud is used again. Catalogs change rarely.
const keepFor = 10 * time.Minute

// keepEntries limits what is kept of all answers together; larger ones are asked
// for anew.
const keepEntries = 20_000

// Sessions opens the session of a connection.
type Sessions func(ctx context.Context, connection string) (driver.Session, *api.Connection, error)

// Catalog answers from the cloud, and for a while from what the cloud answered. It
// is safe for concurrent use.
type Catalog struct {
	open   Sessions
	flight singleflight.Group

	mu   sync.Mutex
	kept map[string]answer
}

type answer struct {
	entries []entry
	until   time.Time
}

type entry struct {
	raw    json.RawMessage
	fields map[string]any
}

// New returns a catalog over the sessions of connections.
func New(open Sessions) *Catalog { return &Catalog{open: open, kept: map[string]answer{}} }

// List answers a page of a catalog.
func (c *Catalog) List(ctx context.Context, connection, catalog string, query store.Query) (items []json.RawMessage, next string, err error) {
	narrow, offset, err := check(catalog, query)
	if err != nil {
		return nil, "", err
	}
	all, err := c.entries(ctx, connection, catalog, narrow)
	if err != nil {
		return nil, "", err
	}
	items, next = page(all, query, offset)
	return items, next, nil
}

// LookUp answers a page of a catalog of which nothing is kept: each page asks anew.
func LookUp(catalog string, query store.Query, ask func(driver.Query) iter.Seq2[json.RawMessage, error]) (items []json.RawMessage, next string, err error) {
	narrow, offset, err := check(catalog, query)
	if err != nil {
		return nil, "", err
	}
	all, err := read(ask(narrow))
	if err != nil {
		return nil, "", fmt.Errorf("ask for the %ss: %w", catalog, err)
	}
	items, next = page(all, query, offset)
	return items, next, nil
}

// check refuses what a catalog's list cannot be asked for, and answers what of it the
// driver can narrow, and where the page begins.
func check(catalog string, query store.Query) (narrow driver.Query, offset int, err error) {
	k, err := resource.CatalogNamed(catalog)
	if err != nil {
		return nil, 0, err
	}
	known := fieldNames(k)
	narrow = driver.Query{}
	for _, f := range query.Filters {
		if !slices.Contains(known, f.Field) {
			return nil, 0, invalid("filter", "%.64q is not a field of %s; those are: %s", f.Field, k.Plural(), strings.Join(known, ", "))
		}
		if f.Op == store.FilterEqual {
			narrow[f.Field] = f.Value
		}
	}
	if field := strings.TrimPrefix(query.Sort, "-"); field != "" && !slices.Contains(known, field) {
		return nil, 0, invalid("sort", "%.64q is not a field of %s; those are: %s", field, k.Plural(), strings.Join(known, ", "))
	}
	if query.Token != "" {
		if offset, err = strconv.Atoi(query.Token); err != nil || offset < 0 {
			return nil, 0, invalid("pageToken", "is not one that this list answered; start again without it")
		}
	}
	return narrow, offset, nil
}

// page answers what of a whole catalog fits a query.
func page(all []entry, query store.Query, offset int) (items []json.RawMessage, next string) {
	var matching []entry
	for _, e := range all {
		if e.matches(query.Filters) {
			matching = append(matching, e)
		}
	}
	if field, desc := strings.CutPrefix(query.Sort, "-"); field != "" {
		slices.SortStableFunc(matching, func(a, b entry) int {
			if desc {
				a, b = b, a
			}
			return compare(a.fields[field], b.fields[field])
		})
	}
	items = []json.RawMessage{}
	for i := offset; i < len(matching) && len(items) < query.Limit; i++ {
		items = append(items, matching[i].raw)
	}
	if end := offset + len(items); end < len(matching) && len(items) > 0 {
		next = strconv.Itoa(end)
	}
	return items, next
}

// read reads a whole catalog.
func read(answers iter.Seq2[json.RawMessage, error]) ([]entry, error) {
	var entries []entry
	for raw, err := range answers {
		if err != nil {
			return nil, err
		}
		e := entry{raw: raw}
		if err := json.Unmarshal(raw, &e.fields); err != nil {
			return nil, resource.Errorf(resource.CodeInternal, "the driver answered an entry that is not a JSON object: %w", err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// entries answers a whole catalog in the cloud's order. Many who ask at once cost
// the cloud one call.
func (c *Catalog) entries(ctx context.Context, connection, catalog string, narrow driver.Query) ([]entry, error) {
	session, row, err := c.open(ctx, connection)
	if err != nil {
		return nil, err
	}
	key, err := json.Marshal([]any{connection, row.UpdatedAt, catalog, narrow})
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "name the answer: %w", err)
	}
	if kept, ok := c.lookup(string(key)); ok {
		return kept, nil
	}
	// The call goes on when the one who asked first goes away: others wait for it.
	result := c.flight.DoChan(string(key), func() (any, error) {
		entries, err := read(session.Catalog(context.WithoutCancel(ctx), catalog, narrow))
		if err != nil {
			return nil, fmt.Errorf("ask %s for its %ss: %w", connection, catalog, err)
		}
		c.keep(string(key), entries)
		return entries, nil
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.([]entry), nil //nolint:forcetypeassert // made above
	case <-ctx.Done():
		return nil, resource.Errorf(resource.CodeUnavailable, "ask %s for its %ss: %w", connection, catalog, ctx.Err())
	}
}

func (c *Catalog) lookup(key string) ([]entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, ok := c.kept[key]
	return kept.entries, ok && time.Now().Before(kept.until)
}

func (c *Catalog) keep(key string, entries []entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(c.kept, func(_ string, a answer) bool { return now.After(a.until) })
	if len(entries) > keepEntries {
		return
	}
	c.kept[key] = answer{entries, now.Add(keepFor)}
	for c.size() > keepEntries { // every filter makes an answer of its own
		oldest := slices.MinFunc(slices.Collect(maps.Keys(c.kept)), func(a, b string) int { return c.kept[a].until.Compare(c.kept[b].until) })
		delete(c.kept, oldest)
	}
}

// size is how much is kept. An empty answer counts, too.
func (c *Catalog) size() int {
	n := 0
	for _, a := range c.kept {
		n += 1 + len(a.entries)
	}
	return n
}

func (e entry) matches(filters []store.Filter) bool {
	for _, f := range filters {
		value := text(e.fields[f.Field])
		ok := false
		switch f.Op {
		case store.FilterEqual:
			ok = value == f.Value || contains(e.fields[f.Field], f.Value)
		case store.FilterNotEqual:
			ok = value != f.Value && !contains(e.fields[f.Field], f.Value)
		case store.FilterContains:
			ok = strings.Contains(strings.ToLower(value), strings.ToLower(f.Value))
		}
		if !ok {
			return false
		}
	}
	return true
}

// contains reports whether a list has the value.
func contains(field any, value string) bool {
	list, ok := field.([]any)
	return ok && slices.ContainsFunc(list, func(item any) bool { return text(item) == value })
}

// text is a value as it is written in a filter.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		raw, _ := json.Marshal(v) // it came from JSON
		return string(raw)
	}
}

func compare(a, b any) int {
	x, ok := a.(float64)
	y, ok2 := b.(float64)
	if ok || ok2 { // a missing number is 0
		return cmp.Compare(x, y)
	}
	return cmp.Compare(text(a), text(b))
}

func fieldNames(k *resource.Catalog) []string {
	var names []string
	for f := range k.EntryType().Fields() {
		names = append(names, resource.JSONName(f))
	}
	return names
}

func invalid(field, format string, args ...any) error {
	return resource.Invalid(resource.Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}
