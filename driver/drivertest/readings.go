package drivertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// reading is a catalog as one who follows its changes has it: entries by their keys.
type reading map[string]string

func (c *conn) changes(ctx context.Context, catalog, since string) (head driver.Head, all []driver.Change, err error) {
	err = c.call(ctx, catalog+"/list", func(ctx context.Context) error {
		all = nil
		for change, err := range c.open.Changes(ctx, catalog, since, func(h driver.Head) { head = h }) {
			if err != nil {
				return err
			}
			all = append(all, change)
		}
		return nil
	})
	return head, all, err
}

// follow asks for what has changed and answers what the catalog is by that.
func (t *try) follow(catalog *resource.Catalog, before reading, since string) (now reading, head driver.Head, err error) {
	head, all, err := t.session().changes(t.ctx, catalog.Name, since)
	if err != nil {
		return nil, head, err
	}
	now = reading{}
	if head.Changes {
		maps.Copy(now, before)
	}
	for _, change := range all {
		if change.Gone != "" {
			delete(now, change.Gone)
			continue
		}
		var entry map[string]any
		if err := json.Unmarshal(change.Entry, &entry); err != nil {
			return nil, head, err
		}
		now[fmt.Sprint(entry[keyOf(catalog)])] = compact(entry)
	}
	return now, head, nil
}

// checkSince: who follows the changes of a catalog has what is in it.
func checkSince(t *try, catalog *resource.Catalog) {
	first, head, err := t.follow(catalog, nil, "")
	switch {
	case err != nil:
		t.Fatalf("read the catalog: %v", said(err))
	case head.Changes:
		t.Fatalf("a first reading answers only what has changed")
	}
	if change := t.target.Changing[catalog.Name]; change != nil {
		undo, err := change(t.ctx)
		if err != nil {
			t.Fatalf("change the catalog: %v", err)
		}
		t.Cleanup(func() {
			if err := undo(t.ctx); err != nil {
				t.Errorf("change the catalog back: %v", err)
			}
		})
	}
	listed, now := reading{}, reading{}
	err = t.until(func() (bool, error) { // it may change meanwhile
		clear(listed)
		for _, entry := range t.entries(t.session(), catalog, nil) {
			listed[fmt.Sprint(entry[keyOf(catalog)])] = compact(entry)
		}
		now, _, err = t.follow(catalog, first, head.Cursor)
		return err == nil && maps.Equal(now, listed), err
	})
	if err != nil || !maps.Equal(now, listed) {
		t.Errorf("by its changes the catalog is %v, listed is %v, %s", now, listed, said(err))
	}
	lost, head, err := t.follow(catalog, nil, wrongValue)
	if err != nil || head.Changes || len(lost) == 0 {
		t.Errorf("after a cursor that it does not know it answers %d entries, changes only: %v, %s; want all", len(lost), head.Changes, said(err))
	}
}
