package driver

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Found says how what a creation has made is found again when its answer is lost. It is
// what decides how this package keeps one token to one object.
type Found string

// The ways to find it again.
const (
	// ByTag is for objects that carry the token from the moment they exist, in a tag or
	// another field. It is looked for before and after a creation.
	ByTag Found = "tag"
	// ByToken is for clouds that themselves make one object of one client token, whoever
	// sends it and how often. Nothing is looked for.
	ByToken Found = "token"
	// ByName is for objects whose name only one can have, and that carry the token. It is
	// looked for only when the cloud refuses the creation.
	ByName Found = "name"
)

// confirmAfter is how long after a creation, at least, it is looked for others of the same
// token: what two processes make at the same moment may not be seen at once. Where the cloud
// says only in which second something was made, or not even that, all that was made in the
// same one must be seen: the other process could otherwise take its own for the earlier one.
const (
	confirmAfter       = 500 * time.Millisecond
	confirmAfterCoarse = time.Second + confirmAfter
)

// confirmation is when to look for others of the same token after a creation that took so
// long. The other process's may take as long, or twice as long on a busy cloud, and its object
// is said to have been made when its creation began, however late it is seen.
func confirmation(item Item, took time.Duration) time.Duration {
	after := confirmAfter
	if createdAt(item).Nanosecond() == 0 {
		after = confirmAfterCoarse
	}
	return after + 2*took
}

// create brings into being what a request asks for, or goes on with it. What it answers
// beside a Pending, as an error, is there by then; beside any other error it is what could
// not be removed again.
func (o *offer) create(ctx context.Context, c any, r ItemRequest) (Item, error) {
	ctx = WithToken(ctx, r.Token) // what is removed of it is its own
	if r.Failed != nil {
		return o.undo(ctx, c, r)
	}
	item, again, err := o.obtain(ctx, c, r)
	switch {
	case err != nil:
		return item, err
	case again > 0:
		return item, Wait(again, "the cloud has accepted it; next it is looked at again, to be sure that it is one")
	case o.untold(r, item):
		return Item{}, o.anew(ctx, c, item)
	}
	done, err := o.complete(ctx, c, r, item)
	pending, err := pendingIn(err)
	switch {
	case pending != nil:
		return item, wait{*pending}
	case err == nil:
		return done, nil
	case resource.CodeOf(err) == resource.CodeNotFound:
		// What was just made may not be seen everywhere at once.
		// https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
		return item, resource.Errorf(resource.CodeUnavailable, "the cloud does not show everywhere yet what it has just created: %w", err)
	case resource.AsError(err).Retryable || ctx.Err() != nil:
		return item, err
	}
	return item, wait{Pending{Reason: "it has failed, and what was created of it is removed again", After: time.Millisecond, Failed: resource.AsError(err)}}
}

// obtain answers the object of a request: what is there of it, or what is made now. That is
// to be looked at again after some time, if again is not 0.
func (o *offer) obtain(ctx context.Context, c any, r ItemRequest) (item Item, again time.Duration, err error) {
	switch {
	case o.found == ByTag:
		all, err := o.marked(ctx, c, r.Token)
		if err != nil {
			return Item{ID: r.ID}, 0, err
		}
		if len(all) > 0 {
			item, err = o.single(ctx, c, all)
			return item, 0, err
		}
		if r.ID != "" {
			return Item{}, 0, notSeenYet(r.ID)
		}
	case r.ID != "":
		item, err := o.get(ctx, c, r.ID)
		if resource.CodeOf(err) == resource.CodeNotFound {
			return Item{}, 0, notSeenYet(r.ID)
		}
		if err != nil {
			item = Item{ID: r.ID}
		}
		return item, 0, err
	}
	begun := time.Now()
	item, err = o.make(ctx, c, r)
	switch {
	case err == nil && o.found == ByTag:
		return item, confirmation(item, time.Since(begun)), nil
	case err == nil && o.tellsOnce: // what is told is recorded before anything else is done
		return item, confirmAfter, nil
	case o.found == ByToken || !refused(item, err):
		return item, 0, err
	}
	// What refuses it, a name that is taken or a range that overlaps, may be what another
	// process has just made with this token.
	if all, lookErr := o.marked(ctx, c, r.Token); lookErr == nil && len(all) > 0 {
		item, err = o.single(ctx, c, all)
	}
	return item, 0, err
}

// refused reports whether the cloud has made nothing and will not.
func refused(item Item, err error) bool {
	pending, err := pendingIn(err)
	return pending == nil && err != nil && item.ID == "" && !resource.AsError(err).Retryable
}

func notSeenYet(id string) error {
	return Wait(0, "the cloud does not show %s, which it has just created", id)
}

// marked are the objects that a token has made and that stay, the earliest first.
func (o *offer) marked(ctx context.Context, c any, token string) ([]Item, error) {
	var all []Item
	for item, err := range o.list(ctx, c, Filter{Token: token}) {
		if err != nil {
			return nil, fmt.Errorf("look for what the token has made: %w", err)
		}
		if item.State != resource.StateDeleting {
			all = append(all, item)
		}
	}
	slices.SortFunc(all, func(a, b Item) int {
		return cmp.Or(createdAt(a).Compare(createdAt(b)), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

func createdAt(item Item) time.Time {
	if item.CreatedAt == nil {
		return time.Time{}
	}
	return *item.CreatedAt
}

// single keeps the earliest of the objects that one token has made, and removes the
// others. Two processes that make one each at the same moment both see this later, in
// the call that follows a creation, and both keep the same.
func (o *offer) single(ctx context.Context, c any, all []Item) (Item, error) {
	for _, surplus := range all[1:] {
		err := o.remove(ctx, c, surplus.ID)
		pending, err := pendingIn(err)
		if err != nil {
			return all[0], resource.Errorf(resource.CodeUnavailable, "a second creation with the same token has made %s, which cannot be removed yet: %w", surplus.ID, err)
		}
		if pending != nil {
			return all[0], Wait(pending.After, "%s, which a second creation with the same token has made, is being removed: %s", surplus.ID, pending.Reason)
		}
	}
	return all[0], nil
}

// undo removes what could not be completed. Whoever asks has kept why, so that this can be
// gone on with after a kill. What cannot be removed is answered with its id.
func (o *offer) undo(ctx context.Context, c any, r ItemRequest) (Item, error) {
	if r.ID == "" { // nothing was said to be there
		return Item{}, r.Failed
	}
	pending, err := pendingIn(o.remove(ctx, c, r.ID))
	switch {
	case pending != nil:
		return Item{}, wait{Pending{Reason: "what was created of it is removed again: " + pending.Reason, After: pending.After, Failed: r.Failed}}
	case err == nil:
		return Item{}, r.Failed
	case resource.AsError(err).Retryable || ctx.Err() != nil:
		return Item{ID: r.ID}, err
	}
	return Item{ID: r.ID}, fmt.Errorf("%w; removing what was created before failed too: %w", r.Failed, err)
}

// remove deletes an object by means of its collection.
func (o *offer) remove(ctx context.Context, c any, id string) error {
	deleter, ok := c.(Deleter)
	if !ok || !o.abilities.Implements(reflect.TypeFor[Deleter]()) {
		return resource.Errorf(resource.CodeUnsupported, "this driver does not delete a %s", o.kind.Name)
	}
	if err := o.meant(ctx, c, id); err != nil {
		return Except(err, resource.CodeNotFound)
	}
	return Except(deleter.Delete(ctx, id), resource.CodeNotFound)
}

// tokens holds up creations with a token with which another one is running: drivers
// that look first for what a token has made would both find nothing.
type tokens struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed when the token is free again
}

// take waits for its turn.
func (t *tokens) take(ctx context.Context, token string) (free func(), err error) {
	for {
		t.mu.Lock()
		before, busy := t.taken[token]
		if !busy {
			mine := make(chan struct{})
			t.taken[token] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.taken, token)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another creation with the same token: %w", ctx.Err())
		}
	}
}

// StateOf translates a cloud's word for a state; one that is not known is unknown.
func StateOf[W ~string](word W, words map[W]resource.State) (resource.State, string) {
	if state, ok := words[word]; ok {
		return state, string(word)
	}
	return resource.StateUnknown, string(word)
}
