package drivertest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// catalogChecks are those of one catalog.
func (s *suite) catalogChecks(name string) []check {
	catalog, err := resource.CatalogNamed(name)
	if err != nil { // newSuite has refused it
		return nil
	}
	return []check{
		{name, "list", "entries", false, func(t *try) { checkEntries(t, catalog) }},
		{name, "list", "filter", false, func(t *try) { checkFilter(t, catalog) }},
		{name, "list", "since", s.target.Changing[name] != nil, func(t *try) { checkSince(t, catalog) }},
	}
}

// keyOf is the field that tells the entries of a catalog apart: id, or name.
func keyOf(c *resource.Catalog) string {
	for f := range c.EntryType().Fields() {
		if resource.JSONName(f) == "id" {
			return "id"
		}
	}
	return "name"
}

// entries lists a catalog and checks the shape of each entry.
func (t *try) entries(c *conn, catalog *resource.Catalog, q driver.Query) []map[string]any {
	raws, err := c.catalog(t.ctx, catalog.Name, q)
	if err != nil {
		t.Fatalf("list the catalog %s: %v", catalog.Name, said(err))
	}
	entries := make([]map[string]any, len(raws))
	for i, raw := range raws {
		if err := strictly(raw, catalog.EntryType()); err != nil {
			t.Fatalf("the entry %s is not one of the catalog %s: %v", raw, catalog.Name, err)
		}
		if err := json.Unmarshal(raw, &entries[i]); err != nil {
			t.Fatalf("read the entry %s: %v", raw, err)
		}
	}
	return entries
}

// strictly reports whether JSON has the shape of a type and no other fields.
func strictly(raw json.RawMessage, t reflect.Type) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return decoder.Decode(reflect.New(t).Interface())
}

// entriesOf is entries for a catalog whose type is known.
func entriesOf[E any](t *try, c *conn, catalog resource.CatalogOf[E], q driver.Query) []E {
	raws, err := c.catalog(t.ctx, catalog.Name, q)
	if err != nil {
		t.Fatalf("list the catalog %s: %v", catalog.Name, said(err))
	}
	entries := make([]E, len(raws))
	for i, raw := range raws {
		if err := json.Unmarshal(raw, &entries[i]); err != nil {
			t.Fatalf("read the entry %s: %v", raw, err)
		}
	}
	return entries
}

// checkEntries: each is there once, and what the target uses is among them.
func checkEntries(t *try, catalog *resource.Catalog) {
	key := keyOf(catalog)
	seen := map[any]bool{}
	for _, entry := range t.entries(t.session(), catalog, nil) {
		id := entry[key]
		if id == nil || id == "" {
			t.Errorf("an entry has no %s: %v", key, entry)
		}
		if seen[id] {
			t.Errorf("the entry %v is there twice", id)
		}
		seen[id] = true
	}
	if len(seen) == 0 {
		t.Errorf("the catalog is empty; leave out of the driver what the cloud does not have")
	}
	for _, wanted := range map[string][]string{
		resource.Images.Name: {t.target.Image}, resource.Specs.Name: {t.target.Machine, t.target.OtherMachine}, resource.Regions.Name: {t.target.Config.Region},
	}[catalog.Name] {
		if wanted != "" && !seen[wanted] {
			t.Errorf("%s, which the target uses, is not in the catalog", wanted)
		}
	}
}

// checkFilter: a driver may use a query or ignore it, but must not lose an entry by
// it.
func checkFilter(t *try, catalog *resource.Catalog) {
	key := keyOf(catalog)
	all := t.entries(t.session(), catalog, nil)
	if len(all) == 0 {
		t.Skipf("the catalog is empty")
	}
	for _, entry := range []map[string]any{all[0], all[len(all)-1]} {
		id, _ := entry[key].(string)
		found := t.entries(t.session(), catalog, driver.Query{key: id})
		if !slices.ContainsFunc(found, func(e map[string]any) bool { return e[key] == id }) {
			t.Errorf("the entry %s is not found by its %s", id, key)
		}
	}
	for _, entry := range t.entries(t.session(), catalog, driver.Query{key: wrongValue}) {
		if entry[key] == wrongValue {
			t.Errorf("the query for %s finds %v", wrongValue, entry)
		}
	}
}
