package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// ledger is what clients were told.
type ledger struct {
	mu         sync.Mutex
	accepted   []receipt
	creates    int
	clusters   int // of these
	deletes    int
	cancels    int
	halts      int // of these between two parts
	retries    int
	lost       int      // requests without an answer
	unexpected []string // answers that no client should get
}

// receipt is what a client knows of a change that the server has accepted.
type receipt struct {
	connection     string
	what           target
	verb           string
	uid, operation string // either may be missing, not both
}

func (l *ledger) note(connection string, c change, got answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case got.accepted:
		l.accepted = append(l.accepted, receipt{connection, c.target, c.verb, got.uid, got.operation})
		switch c.verb {
		case verbCreate:
			l.creates += len(c.makes())
			if c.kind == resource.Cluster.Name {
				l.clusters++
			}
		case verbDelete:
			l.deletes++
		}
	case got.unknown():
		l.lost++
	case got.code == resource.CodeInternal || got.code == resource.CodeUnsupported:
		l.unexpected = append(l.unexpected, connection+" "+c.kind+" "+c.name+": "+string(got.code)+": "+got.detail)
	}
}

func (l *ledger) noteCancel(got answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !got.accepted {
		return
	}
	l.cancels++
	var op api.Operation
	if json.Unmarshal(got.body, &op) == nil && op.Pending != "" {
		l.halts++
	}
}

func (l *ledger) noteRetry(got answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if got.accepted {
		l.retries++
		l.accepted = append(l.accepted, receipt{uid: got.uid, operation: got.operation})
	}
}

func (l *ledger) changes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.creates + l.deletes
}

// madeClusters is how many clusters were accepted, and how many of them cancelled between
// two parts.
func (l *ledger) madeClusters() (made, halted int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clusters, l.halts
}

// uids are those of what was accepted.
func (l *ledger) uids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var uids []string
	for _, one := range l.accepted {
		uids = append(uids, one.uid)
	}
	return uids
}

// client changes things in one connection, as somebody who does not know that the
// server has a bad day.
type client struct {
	caller  *caller
	ledger  *ledger
	machine machine
	trees   []*tree
	r       *rand.Rand
}

// run works until ctx ends.
func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		t := pick(c.r, c.trees)
		c.change(ctx, t, t.next(c.r, c.machine))
		_ = pause(ctx, between(c.r, 0, 150*time.Millisecond)) // the end of ctx ends the loop
	}
}

func (c *client) change(ctx context.Context, t *tree, ask change) {
	cloudID := ""
	if ask.verb == verbRelease {
		if cloudID = c.cloudID(ctx, t, ask.target); cloudID == "" {
			return // what is not known to be on the cloud could not be adopted again
		}
	}
	method, path := ask.request(t.connection)
	query := ""
	if ask.verb != verbRelease && c.r.IntN(8) == 0 { // a release does not take long
		query = "?wait=" + between(c.r, 100*time.Millisecond, 3*time.Second).String()
	}
	got := c.caller.request(ctx, method, path+query, ask.body)
	if ctx.Err() != nil && got.unknown() {
		return // the load ends: nobody is interested any more
	}
	c.ledger.note(t.connection, ask, got)
	switch {
	case got.unknown():
		for _, what := range ask.makes() {
			c.lookup(ctx, t, what)
		}
	case got.accepted && ask.verb == verbRelease:
		t.learn(ask.target, false)
		if c.r.IntN(2) == 0 { // else it is adopted when the load is over
			c.adopt(ctx, t, ask.target, cloudID)
		}
	case got.accepted:
		for _, what := range ask.makes() {
			t.learn(what, ask.verb != verbDelete)
		}
		doubt := 10
		if ask.kind == resource.Cluster.Name { // it takes several steps, between which minds change
			doubt = 3
		}
		if got.operation != "" && c.r.IntN(doubt) == 0 {
			c.changeMind(ctx, t, ask.target, got.operation)
		}
	case got.code == resource.CodeAlreadyExists && ask.many != nil:
		c.look(ctx, t)
	case got.code == resource.CodeAlreadyExists:
		t.learn(ask.target, true)
	case got.code == resource.CodeNotFound:
		t.learn(ask.target, false)
	case got.code == resource.CodeDependency || got.code == resource.CodeInvalid:
		c.look(ctx, t)
	}
}

// changeMind has an operation cancelled, and now and then tried again after all. It
// may have ended, or be accepted by the cloud, so that any answer is a good one.
func (c *client) changeMind(ctx context.Context, t *tree, what target, operation string) {
	path, body := "/v1/operations/"+operation, "{}"
	longest := 700 * time.Millisecond
	if what.kind == resource.Cluster.Name {
		longest = 3 * time.Second
	}
	if c.r.IntN(3) == 0 || what.kind == resource.Cluster.Name && c.r.IntN(2) == 0 {
		body = `{"thenDelete":true}`
	}
	if pause(ctx, between(c.r, 0, longest)) != nil {
		return
	}
	c.ledger.noteCancel(c.caller.request(ctx, http.MethodPost, path+":cancel", body))
	if pause(ctx, between(c.r, 0, 700*time.Millisecond)) != nil {
		return
	}
	switch c.r.IntN(4) {
	case 0:
		c.ledger.noteRetry(c.caller.request(ctx, http.MethodPost, path+":retry", ""))
	case 1:
		c.change(ctx, t, change{target: what, verb: verbDelete})
		return
	}
	c.lookup(ctx, t, what)
}

// cloudID is the cloud's id of a resource, "" if none is known.
func (c *client) cloudID(ctx context.Context, t *tree, what target) string {
	got, err := c.caller.insist(ctx, http.MethodGet, kindPath(t.connection, what.kind)+"/"+what.name, "")
	if err != nil || !got.accepted {
		return ""
	}
	var known resource.Resource
	if json.Unmarshal(got.body, &known) != nil {
		return ""
	}
	return known.CloudID
}

// adopt takes back what was released.
func (c *client) adopt(ctx context.Context, t *tree, what target, cloudID string) {
	got := c.caller.request(ctx, http.MethodPost, kindPath(t.connection, what.kind)+":adopt", fmt.Sprintf(`{"cloudId":%q,"name":%q}`, cloudID, what.name))
	if got.unknown() {
		c.lookup(ctx, t, what)
		return
	}
	if got.accepted {
		t.learn(what, true)
	}
}

// lookup finds out what came of a request that was not answered.
func (c *client) lookup(ctx context.Context, t *tree, what target) {
	got, err := c.caller.insist(ctx, http.MethodGet, kindPath(t.connection, what.kind)+"/"+what.name, "")
	if err == nil {
		t.learn(what, got.accepted)
	}
}

// look finds out what is there of a tree.
func (c *client) look(ctx context.Context, t *tree) {
	there := map[target]bool{}
	for _, kind := range resource.Kinds() {
		items, err := list[resource.Resource](ctx, c.caller, kindPath(t.connection, kind.Name), "name~"+t.root())
		if err != nil {
			return
		}
		for _, item := range items {
			there[target{item.Kind, item.Name}] = true
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.there = there
}
