package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
	"github.com/m-cmp/mc-infra-connector/test/postgres"
)

// rightsAim is how many times longer a request may take at most for who sees a part, by the 99th
// of 100 in the median of three rounds; what takes less than rightsFloor longer is within the noise.
const (
	rightsAim   = 1.5
	rightsFloor = 2 * time.Millisecond
)

// somebody is a user of whom requests are measured.
type somebody struct{ what, token string }

// rights measures lists, counts and searches of so many VMs, in turns as who sees all of them and
// as users who see a part by each kind of right. It answers an error if a part is slower than the
// aim.
func rights(ctx context.Context, bin, dir, data string, count int, onPostgres bool) (err error) {
	args := []string{"--log-level", "error", "--sync-every", "24h"} // the clouds are not looked at meanwhile
	if onPostgres {
		db, err := postgres.New(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close(false)) }()
		args = append(args, "--database-url", db.URL)
		if err := fillInto(ctx, count, func() (*store.Store, error) { return store.OpenPostgres(ctx, db.URL) }); err != nil {
			return err
		}
		data = filepath.Join(dir, "rights")
	} else if data == "" {
		data = filepath.Join(dir, "rights")
		if err := fill(ctx, data, count); err != nil {
			return err
		}
	}
	s, err := mcic.Start(ctx, bin, data, args...)
	if err != nil {
		return err
	}
	defer func() { _ = s.Stop() }() // what it says then is of no interest here
	b := newBench(ctx, s)
	all := []somebody{{"everything", s.Token}}
	for i, one := range []struct {
		what  string
		rule  api.RoleRule
		grant api.GrantRequest
	}{
		{what: "one connection of 20", grant: api.GrantRequest{Connections: []string{"conn-7"}}},
		{what: "three connections", grant: api.GrantRequest{Connections: []string{"conn-3", "conn-7", "conn-11"}}},
		{what: "a pattern, 11 connections", grant: api.GrantRequest{Connections: []string{"conn-1*"}}},
		{what: "a label of connections, 10", grant: api.GrantRequest{ConnectionLabels: []string{"stage=test"}}},
		{what: "a label, of half", rule: api.RoleRule{Labels: []string{"env=prod"}}},
		{what: "a label, of 1 in 1,000", rule: api.RoleRule{Labels: []string{"team=team-7"}}},
		{what: "a label that must not be", rule: api.RoleRule{Labels: []string{"env!=prod"}}},
		{what: "a label of half, in 10 connections", rule: api.RoleRule{Labels: []string{"env=prod"}, ConnectionLabels: []string{"site=even"}}},
	} {
		token, err := b.somebody(fmt.Sprintf("u%d.%d", i, time.Now().UnixNano()), one.rule, one.grant)
		if err != nil {
			return err
		}
		all = append(all, somebody{one.what, token})
	}

	fmt.Printf("\n%d VMs with as many other resources beside them, in 20 connections; p50/p99 of 100 in turns, the median of three rounds, and how many times longer than for who sees everything:\n", count)
	slow := 0
	for _, one := range []struct {
		what, path string
		query      func() url.Values
	}{
		{"list of 100", "/v1/vms", values()},
		{"list of 100, newest first", "/v1/vms", values("sort", "-createdAt")},
		{"list of 100, by state", "/v1/vms", values("filter", "state=running")},
		{"count", "/v1/vms:count", values()},
		{"count by state", "/v1/vms:count", values("groupBy", "state")},
		{"search: a name", "/v1/vms", func() url.Values { return values("q", nameOf(rand.N(count)))() }},
		{"search: what all have", "/v1/vms", values("q", "vm-")},
		{"search: two words", "/v1/vms", func() url.Values { return values("q", fmt.Sprintf("env=prod team-%d", rand.N(1000)))() }},
		{"search: nothing found", "/v1/vms", values("q", "nowhere")},
	} {
		results, err := b.inTurns(one.path, one.query, all)
		if err != nil {
			return fmt.Errorf("%s: %w", one.what, err)
		}
		fmt.Printf("\n| %s | p50 | p99 | p50, times | p99, times |\n| --- | --- | --- | --- | --- |\n", one.what)
		for i, who := range all {
			r, base := results[i], results[0]
			times := float64(r.p99) / float64(base.p99)
			note := ""
			if times > rightsAim && r.p99-base.p99 > rightsFloor {
				note = ", too slow"
				slow++
			}
			fmt.Printf("| %s | %.1f ms | %.1f ms | %.2f | %.2f%s |\n", who.what, ms(r.p50), ms(r.p99), float64(r.p50)/float64(base.p50), times, note)
		}
	}
	if slow > 0 {
		return fmt.Errorf("%d requests took more than %.1f times as long at p99", slow, rightsAim)
	}
	return nil
}

// somebody makes a user who may read what a rule and a grant say, and answers a token.
func (b *bench) somebody(name string, rule api.RoleRule, grant api.GrantRequest) (string, error) {
	rule.Verbs, rule.Kinds = []string{"read"}, []string{"resource"}
	grant.User, grant.Role = name, name
	var made api.IssuedToken
	for _, one := range []struct {
		path string
		body any
		into any
	}{
		{"users", api.UserRequest{Name: name}, nil},
		{"roles", api.RoleRequest{Name: name, Rules: []api.RoleRule{rule}}, nil},
		{"grants", grant, nil},
		{"tokens", api.APITokenRequest{Name: "bench", User: name}, &made},
	} {
		if err := b.server.JSON(b.ctx, b.http, http.MethodPost, "/v1/"+one.path, encoded(one.body), one.into); err != nil {
			return "", err
		}
	}
	return made.Token, nil
}

// inTurns measures a request as each, one after the other, so that other work on the machine
// meets all of them. Each is asked something that was not asked before.
func (b *bench) inTurns(path string, query func() url.Values, all []somebody) ([]result, error) {
	rounds := make([][]result, len(all))
	for round := range 3 {
		times := make([][]time.Duration, len(all))
		for i := range 102 {
			asked := query()
			asked.Add("filter", fmt.Sprintf("name!=none-%d-%d", round, i))
			for who, one := range all {
				began := time.Now()
				if err := b.as(path+"?"+asked.Encode(), http.StatusOK, "Authorization", "Bearer "+one.token); err != nil {
					return nil, err
				}
				if i >= 2 { // the first ones prepare statements
					times[who] = append(times[who], time.Since(began))
				}
			}
		}
		for who := range all {
			slices.Sort(times[who])
			rounds[who] = append(rounds[who], result{p50: times[who][50], p99: times[who][98]})
		}
	}
	medians := make([]result, len(all))
	for who := range all {
		slices.SortFunc(rounds[who], func(a, b result) int { return cmp.Compare(a.p99, b.p99) })
		medians[who] = rounds[who][1]
	}
	return medians, nil
}

func encoded(body any) string {
	raw, _ := json.Marshal(body) // what is encoded always encodes
	return string(raw)
}
