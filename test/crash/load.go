package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// ledger is what clients were told.
type ledger struct {
	mu         sync.Mutex
	accepted   []receipt
	creates    int
	deletes    int
	cancels    int
	retries    int
	lost       int      // requests without an answer
	unexpected []string // answers that no client should get
}

// receipt is what a client knows of a change that the server has accepted.
type receipt struct {
	connection     string
	what           target
	create         bool
	uid, operation string // either may be missing, not both
}

func (l *ledger) note(connection string, c change, got answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case got.accepted:
		l.accepted = append(l.accepted, receipt{connection, c.target, c.create, got.uid, got.operation})
		if c.create {
			l.creates++
		} else {
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
	if got.accepted {
		l.cancels++
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

// client changes things in one connection, as somebody who does not know that the
// server has a bad day.
type client struct {
	api     *api
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
	method, path, query := http.MethodDelete, kindPath(t.connection, ask.kind)+"/"+ask.name, ""
	if ask.create {
		method, path = http.MethodPost, kindPath(t.connection, ask.kind)
	}
	if c.r.IntN(8) == 0 {
		query = "?wait=" + between(c.r, 100*time.Millisecond, 3*time.Second).String()
	}
	got := c.api.request(ctx, method, path+query, ask.body)
	if ctx.Err() != nil && got.unknown() {
		return // the load ends: nobody is interested any more
	}
	c.ledger.note(t.connection, ask, got)
	switch {
	case got.unknown():
		c.lookup(ctx, t, ask.target)
	case got.accepted:
		t.learn(ask.target, ask.create)
		if got.operation != "" && c.r.IntN(10) == 0 {
			c.changeMind(ctx, t, ask.target, got.operation)
		}
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
	if c.r.IntN(3) == 0 {
		body = `{"thenDelete":true}`
	}
	if pause(ctx, between(c.r, 0, 700*time.Millisecond)) != nil {
		return
	}
	c.ledger.noteCancel(c.api.request(ctx, http.MethodPost, path+":cancel", body))
	if pause(ctx, between(c.r, 0, 700*time.Millisecond)) != nil {
		return
	}
	switch c.r.IntN(4) {
	case 0:
		c.ledger.noteRetry(c.api.request(ctx, http.MethodPost, path+":retry", ""))
	case 1:
		c.change(ctx, t, change{target: what})
		return
	}
	c.lookup(ctx, t, what)
}

// lookup finds out what came of a request that was not answered.
func (c *client) lookup(ctx context.Context, t *tree, what target) {
	got, err := c.api.insist(ctx, http.MethodGet, kindPath(t.connection, what.kind)+"/"+what.name, "")
	if err == nil {
		t.learn(what, got.accepted)
	}
}

// look finds out what is there of a tree.
func (c *client) look(ctx context.Context, t *tree) {
	there := map[target]bool{}
	for _, kind := range resource.Kinds() {
		items, err := list[resource.Resource](ctx, c.api, kindPath(t.connection, kind.Name), "name~"+t.root())
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
