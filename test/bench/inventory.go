package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

// inventoryAim is how long the 99th of 100 lists of an inventory may take, in the median
// of three rounds: other work on the machine shows in one.
const inventoryAim = 50 * time.Millisecond

// inventory measures lists of a database with so many VMs, and so many other
// resources beside them, in 20 connections. It answers an error if one is slower than
// the aim.
func inventory(ctx context.Context, bin, dir string, count int) error {
	data := filepath.Join(dir, "inventory")
	if err := fill(ctx, data, count); err != nil {
		return err
	}
	s, err := mcic.Start(ctx, bin, data, "--log-level", "error", "--sync-every", "24h") // the clouds are not looked at meanwhile
	if err != nil {
		return err
	}
	b := newBench(ctx, s)
	defer func() { _ = s.Stop() }() // what it says then is of no interest here

	fmt.Printf("\nLists of 100 of %d VMs, with as many other resources beside them, 1 client, the median of three rounds:\n\n", count)
	fmt.Println("| list | p50 | p99 | items |\n| --- | --- | --- | --- |")
	slow := 0
	for _, one := range []struct {
		what  string
		query func() url.Values
	}{
		{"as it is", values()},
		{"of one connection", func() url.Values { return url.Values{"connection": {connectionOf(rand.N(1000))}} }},
		{"by state, common", values("filter", "state=running")},
		{"by state, rare", values("filter", "state=failed")},
		{"by label, of half", values("filter", "labels.env=prod")},
		{"by label, of 1 in 1,000", func() url.Values { return values("filter", fmt.Sprintf("labels.team=team-%d", rand.N(1000)))() }},
		{"by label, of none", values("filter", "labels.env=none")},
		{"by state, connection and label", values("filter", "state=running", "filter", "connection=conn-7", "filter", "labels.env=prod")},
		{"sorted by name, backwards", values("sort", "-name")},
		{"sorted by creation, newest first", values("sort", "-createdAt")},
		{"sorted by change, newest first", values("sort", "-updatedAt")},
		{"sorted by state", values("sort", "state")},
		{"search: a name", func() url.Values { return values("q", nameOf(rand.N(count)))() }},
		{"search: a cloud id", func() url.Values { return values("q", cloudIDOf(rand.N(count)))() }},
		{"search: an address", func() url.Values { return values("q", addressOf(rand.N(count)))() }},
		{"search: what all have", values("q", "vm-")},
		{"search: two words", func() url.Values { return values("q", fmt.Sprintf("env=prod team-%d", rand.N(1000)))() }},
		{"search: two letters, common", values("q", "vm")},
		{"search: nothing found", values("q", "nowhere")},
		{"search in one state", func() url.Values { return values("q", nameOf(rand.N(count))[:7], "filter", "state=running")() }},
		{"search, newest first", values("q", "prod", "sort", "-createdAt")},
	} {
		items := 0
		r, err := medianOf3(100, func(int) error {
			query := one.query()
			path := "/v1/vms"
			if c := query.Get("connection"); c != "" {
				path = "/v1/connections/" + c + "/vms"
				query.Del("connection")
			}
			var page struct{ Items []json.RawMessage }
			err := s.JSON(ctx, b.http, http.MethodGet, path+"?"+query.Encode(), "", &page)
			items = len(page.Items)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", one.what, err)
		}
		note := ""
		if r.p99 > inventoryAim {
			slow++
			note = ", too slow"
		}
		fmt.Printf("| %s | %.1f ms | %.1f ms%s | %d |\n", one.what, ms(r.p50), ms(r.p99), note, items)
	}
	token, next, pages := "", time.Duration(0), 0
	for i := range 100 { // deep pages cost what the first does
		began := time.Now()
		var page struct{ NextPageToken string }
		if err := s.JSON(ctx, b.http, http.MethodGet, "/v1/vms?pageSize=1000&pageToken="+token, "", &page); err != nil {
			return err
		}
		if took := time.Since(began); i > 0 {
			next = max(next, took)
		}
		pages++
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	fmt.Printf("\n%d pages of 1,000 one after the other: at most %.1f ms each.\n", pages, ms(next))
	if slow > 0 {
		return fmt.Errorf("%d lists had a p99 over %s", slow, inventoryAim)
	}
	return nil
}

// medianOf3 measures three rounds and answers the one in the middle.
func medianOf3(n int, do func(i int) error) (result, error) {
	var rounds []result
	for range 3 {
		r, err := measure(n, 1, do)
		if err != nil {
			return result{}, err
		}
		rounds = append(rounds, r)
	}
	slices.SortFunc(rounds, func(a, b result) int { return cmp.Compare(a.p99, b.p99) })
	return rounds[1], nil
}

func values(pairs ...string) func() url.Values {
	return func() url.Values {
		v := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Add(pairs[i], pairs[i+1])
		}
		return v
	}
}

func nameOf(i int) string       { return fmt.Sprintf("vm-%06d", i*7919%1_000_000) }
func cloudIDOf(i int) string    { return fmt.Sprintf("i-%017x", uint64(i)*0x9E3779B97F4A7C15>>4) }
func addressOf(i int) string    { return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255) }
func connectionOf(i int) string { return fmt.Sprintf("conn-%d", i%20) }

// fill writes a database as a server would after years.
func fill(ctx context.Context, data string, count int) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	return fillInto(ctx, count, func() (*store.Store, error) { return store.OpenSQLite(ctx, data) })
}

func fillInto(ctx context.Context, count int, open func() (*store.Store, error)) error {
	db, err := open()
	if err != nil {
		return err
	}
	now := store.MicrosOf(time.Now())
	for i := range 20 {
		err := db.Update(ctx, func(ctx context.Context, q *store.Queries) error {
			return q.InsertConnection(ctx, &store.Connection{
				Name: connectionOf(i), Cloud: "mock", Region: "mock-seoul", CreatedAt: now, UpdatedAt: now, SyncedAt: now,
				Labels: map[string]string{"stage": []string{"test", "prod"}[i/10], "site": []string{"even", "odd"}[i/2%2]},
			})
		})
		if err != nil {
			return err
		}
	}
	// SQLite's cost of a statement grows with the pages that its transaction has changed before.
	const batch = 20
	for from := 0; from < count; from += batch {
		err := db.Update(ctx, func(ctx context.Context, q *store.Queries) error {
			for i := from; i < min(from+batch, count); i++ {
				for _, row := range []*store.Resource{vmRow(i, now), diskRow(i, now)} {
					if err := q.InsertResource(ctx, row, nil); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return db.Close()
}

func vmRow(i int, now store.Micros) *store.Resource {
	row := &store.Resource{
		UID: uuid.Must(uuid.NewV7()).String(), Connection: connectionOf(i), Kind: "vm", Name: nameOf(i), CloudID: cloudIDOf(i),
		State: resource.StateRunning, CloudState: "running",
		Labels:    map[string]string{"env": []string{"prod", "dev"}[i%2], "team": fmt.Sprintf("team-%d", i%1000), "owner": fmt.Sprintf("user-%d", i%377)},
		Effective: json.RawMessage(fmt.Sprintf(`{"image":"img-ubuntu-22.04","spec":"m1.small","subnet":"subnet-%d","securitygroups":["web","ssh"],"keypair":"key-%d"}`, i%50, i%9)),
		Status:    json.RawMessage(fmt.Sprintf(`{"zone":"mock-seoul-a","privateAddress":%q,"publicAddress":"203.0.113.%d","vcpus":2,"memoryMiB":4096}`, addressOf(i), i%256)),
		Native:    json.RawMessage(fmt.Sprintf(`{"instanceId":%q,"launchedAt":"2026-01-01T00:00:00Z","hypervisor":"xen","rootDevice":"/dev/sda1","monitoring":{"state":"disabled"},"tags":[{"key":"env","value":"prod"}]}`, cloudIDOf(i))),
		CreatedAt: now - store.Micros(i)*1_000_000, UpdatedAt: now - store.Micros(i*7919%1_000_000)*1000, SyncedAt: now,
	}
	switch {
	case i%2000 == 7:
		row.State = resource.StateFailed
	case i%10 == 3:
		row.State = resource.StateStopped
	}
	return row
}

func diskRow(i int, now store.Micros) *store.Resource {
	return &store.Resource{
		UID: uuid.Must(uuid.NewV7()).String(), Connection: connectionOf(i), Kind: "disk", Name: "disk-of-" + nameOf(i), CloudID: "vol-" + cloudIDOf(i)[2:],
		State: resource.StateAvailable, Labels: map[string]string{"env": "prod"},
		Effective: json.RawMessage(`{"sizeGiB":100}`), Status: json.RawMessage(`{}`), Native: json.RawMessage(`null`),
		CreatedAt: now, UpdatedAt: now, SyncedAt: now,
	}
}
