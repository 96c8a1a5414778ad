package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// shelf is a cloud of VPCs that does what the test says. It may be that of several
// processes.
type shelf struct {
	mu      sync.Mutex
	objects map[string]vpcObject
	lists   int

	fraction int                     // nanoseconds in what says when objects were made
	unique   bool                    // whether names are
	make     func(n int) error       // fails the creation of the object n, after it was made
	complete func(o vpcObject) error // nil completes at once
	delete   func(id string) error   // nil deletes
	hidden   func(o vpcObject) bool  // what lists do not show
}

type (
	vpcObject = Object[resource.VPCSpec, resource.VPCStatus]
	shelfVPCs struct{ *shelf }
)

func (s shelfVPCs) List(context.Context, Filter) iter.Seq2[vpcObject, error] {
	return func(yield func(vpcObject, error) bool) {
		s.mu.Lock()
		s.lists++
		all := slices.Collect(maps.Values(s.objects))
		s.mu.Unlock()
		for _, o := range all {
			if s.hidden != nil && s.hidden(o) {
				continue
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (s shelfVPCs) Get(_ context.Context, id string) (vpcObject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[id]
	if !ok {
		return o, resource.Errorf(resource.CodeNotFound, "there is no %s", id)
	}
	return o, nil
}

func (s shelfVPCs) Make(_ context.Context, r Request[resource.VPCSpec]) (vpcObject, error) {
	o, n, err := s.put(r)
	if err == nil && s.make != nil {
		err = s.make(n)
	}
	return o, err
}

func (s shelfVPCs) put(r Request[resource.VPCSpec]) (vpcObject, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if s.unique && o.Name == r.Name {
			return vpcObject{}, 0, resource.Errorf(resource.CodeAlreadyExists, "the name %s is taken", r.Name)
		}
	}
	n := len(s.objects) + 1
	at := time.Unix(int64(n), int64(s.fraction))
	o := vpcObject{ID: fmt.Sprintf("vpc-%d", n), Token: r.Token, Name: r.Name, State: resource.StateAvailable, Spec: r.Spec, CreatedAt: &at}
	s.objects[o.ID] = o
	return o, n, nil
}

func (s shelfVPCs) Complete(_ context.Context, _ Request[resource.VPCSpec], o vpcObject) (vpcObject, error) {
	if s.complete == nil {
		return o, nil
	}
	return o, s.complete(o)
}

func (s shelfVPCs) Delete(_ context.Context, id string) error {
	if s.delete != nil {
		return s.delete(id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, id)
	return nil
}

// process opens a session of a driver of its own over the cloud.
func (s *shelf) process(t *testing.T, traits ...Trait) Session {
	t.Helper()
	if s.objects == nil {
		s.objects = map[string]vpcObject{}
	}
	d := New(About{Name: "shelf", Title: "Shelf"}, func(context.Context, Config) (*shelf, error) { return s, nil },
		Kind(resource.VPC, func(s *shelf) Stepwise[resource.VPCSpec, resource.VPCStatus] { return shelfVPCs{s} }, traits...))
	session, err := d.Connect(t.Context(), Config{})
	require.NoError(t, err)
	return session
}

func wanted(token, id string) ItemRequest {
	return ItemRequest{Token: token, ID: id, Name: "net", Spec: json.RawMessage(`{"cidr":"10.0.0.0/16"}`)}
}

// create makes the calls that a creation takes.
func create(t *testing.T, s Session, token string) (Item, error) {
	t.Helper()
	return createInTime(t, s, token, func(time.Duration) {})
}

// createInTime is create with waits between the calls.
func createInTime(t *testing.T, s Session, token string, wait func(time.Duration)) (Item, error) {
	t.Helper()
	r := wanted(token, "")
	for range 10 {
		item, pending, err := s.Create(t.Context(), "vpc", r)
		if pending == nil {
			return item, err
		}
		assert.NotEmpty(t, pending.Reason)
		wait(pending.After)
		r = r.Again(item.ID, pending)
	}
	t.Fatal("it stays pending")
	return Item{}, nil
}

func TestWhatATokenHasMadeIsAnsweredAgain(t *testing.T) {
	for _, found := range []Found{ByTag, ByName} {
		cloud := &shelf{unique: found == ByName}
		first, err := create(t, cloud.process(t, found), "t-1")
		require.NoError(t, err)
		again, err := create(t, cloud.process(t, found), "t-1")
		require.NoError(t, err, found)
		assert.Equal(t, first.ID, again.ID, found)
		assert.Len(t, cloud.objects, 1, found)
	}
}

// Of two processes that create at the same moment, the second may be refused because of what
// the first has made: a subnet overlaps with itself.
func TestWhatRefusesACreationMayBeItsOwnObject(t *testing.T) {
	cloud := &shelf{unique: true}
	first, err := create(t, cloud.process(t, ByTag), "t-1")
	require.NoError(t, err)
	looks := cloud.lists
	cloud.hidden = func(vpcObject) bool { return cloud.lists == looks+1 }
	second, err := create(t, cloud.process(t, ByTag), "t-1")
	require.NoError(t, err)
	assert.Equal(t, first.ID, second.ID)

	cloud.hidden = nil
	_, err = create(t, cloud.process(t, ByTag), "t-2")
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err), "a stranger's name")
}

// What a busy cloud makes may be seen only when the creation ends, and be said to have been
// made when it began: then the other process must not have looked too early.
func TestASlowCreationOfAnotherProcessIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes, begun := []time.Duration{5 * time.Second, 2 * time.Second}, time.Now()
		cloud := &shelf{
			make: func(n int) error {
				<-time.After(takes[n-1])
				return nil
			},
			hidden: func(o vpcObject) bool { return time.Since(begun) < takes[o.CreatedAt.Unix()-1] },
		}
		var (
			work sync.WaitGroup
			ids  [2]string
		)
		for i := range ids {
			s := cloud.process(t)
			work.Go(func() {
				item, err := createInTime(t, s, "t-1", func(d time.Duration) { <-time.After(d) })
				assert.NoError(t, err)
				ids[i] = item.ID
			})
		}
		work.Wait()
		assert.Equal(t, [2]string{"vpc-1", "vpc-1"}, ids)
	})
}

func TestATakenNameIsNoTokenOfOurs(t *testing.T) {
	cloud := &shelf{unique: true}
	_, err := create(t, cloud.process(t, ByName), "t-1")
	require.NoError(t, err)
	_, err = create(t, cloud.process(t, ByName), "t-2")
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
	assert.Len(t, cloud.objects, 1)
}

func TestACloudWithClientTokensIsNotLookedThrough(t *testing.T) {
	cloud := &shelf{}
	_, err := create(t, cloud.process(t, ByToken), "t-1")
	require.NoError(t, err)
	assert.Zero(t, cloud.lists)
}

// The answer was lost after the cloud had made the object.
func TestALostAnswerIsFoundByItsTag(t *testing.T) {
	cloud := &shelf{make: func(int) error { return resource.Errorf(resource.CodeUnavailable, "lost") }}
	s := cloud.process(t)
	_, _, err := s.Create(t.Context(), "vpc", wanted("t-1", ""))
	require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	item, err := create(t, s, "t-1")
	require.NoError(t, err)
	assert.Equal(t, "vpc-1", item.ID)
	assert.Len(t, cloud.objects, 1)
}

// Two processes look, find nothing, and make one object each. In whatever order they
// look again, both answer the earlier one, and the other goes.
func TestTwoProcessesKeepTheEarlierObject(t *testing.T) {
	for _, order := range [][]int{{0, 1, 0}, {1, 0, 1}} {
		cloud := &shelf{hidden: func(vpcObject) bool { return true }}
		processes := []Session{cloud.process(t), cloud.process(t)}
		made := make([]Item, 2)
		for i, s := range processes {
			item, pending, err := s.Create(t.Context(), "vpc", wanted("t-1", ""))
			require.NoError(t, err)
			require.NotNil(t, pending, "it is looked again")
			made[i] = item
		}
		require.Len(t, cloud.objects, 2)
		cloud.hidden = nil
		for _, i := range order {
			item, pending, err := processes[i].Create(t.Context(), "vpc", wanted("t-1", made[i].ID))
			require.NoError(t, err)
			require.Nil(t, pending)
			assert.Equal(t, "vpc-1", item.ID)
		}
		assert.Equal(t, []string{"vpc-1"}, slices.Collect(maps.Keys(cloud.objects)))
	}
}

// All that was made in the same second must be seen before one is taken for the earliest.
func TestTheSecondLookWaitsForTheCloudsClock(t *testing.T) {
	for fraction, after := range map[int]time.Duration{0: 1500 * time.Millisecond, 1000: 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			cloud := &shelf{fraction: fraction}
			_, pending, err := cloud.process(t).Create(t.Context(), "vpc", wanted("t-1", ""))
			require.NoError(t, err)
			require.NotNil(t, pending)
			assert.Equal(t, after, pending.After)
		})
	}
}

func TestWhatCannotBeRemovedYetKeepsACreationPending(t *testing.T) {
	cloud := &shelf{delete: func(id string) error { return Wait(time.Minute, "%s is busy", id) }}
	s := cloud.process(t)
	for _, at := range []int64{1, 2} {
		made := time.Unix(at, 0)
		id := fmt.Sprint("vpc-", at)
		cloud.objects[id] = vpcObject{ID: id, Token: "t-1", State: resource.StateAvailable, CreatedAt: &made}
	}
	item, pending, err := s.Create(t.Context(), "vpc", wanted("t-1", ""))
	require.NoError(t, err)
	require.NotNil(t, pending)
	assert.Equal(t, "vpc-1", item.ID)
	assert.Equal(t, time.Minute, pending.After)
	assert.Contains(t, pending.Reason, "vpc-2 is busy")
}

func TestWhatIsNotShownYetIsWaitedFor(t *testing.T) {
	cloud := &shelf{}
	for _, found := range []Found{ByTag, ByToken} {
		item, pending, err := cloud.process(t, found).Create(t.Context(), "vpc", wanted("t-1", "vpc-7"))
		require.NoError(t, err)
		require.NotNil(t, pending)
		assert.Empty(t, item.ID)
		assert.Contains(t, pending.Reason, "vpc-7")
	}
	assert.Empty(t, cloud.objects)
}

func TestACreationIsCompletedByLaterCalls(t *testing.T) {
	steps := 0
	cloud := &shelf{complete: func(vpcObject) error {
		if steps++; steps < 3 {
			return Wait(time.Second, "step %d", steps)
		}
		return nil
	}}
	s := cloud.process(t, ByToken)
	item, pending, err := s.Create(t.Context(), "vpc", wanted("t-1", ""))
	require.NoError(t, err)
	assert.Equal(t, &Pending{Reason: "step 1", After: time.Second}, pending)
	for _, reason := range []string{"step 2", ""} {
		item, pending, err = s.Create(t.Context(), "vpc", wanted("t-1", item.ID))
		require.NoError(t, err)
		if reason != "" {
			assert.Equal(t, reason, pending.Reason)
			continue
		}
		assert.Nil(t, pending)
	}
	assert.Len(t, cloud.objects, 1, "nothing is made twice")
}

func TestWhatCannotBeCompletedIsRemoved(t *testing.T) {
	quota := resource.Errorf(resource.CodeQuota, "too many")
	for name, test := range map[string]struct {
		complete, remove error
		code             resource.Code
		left             string
		says             string
	}{
		"for good":                      {quota, nil, resource.CodeQuota, "", "too many"},
		"and not removed":               {quota, resource.Errorf(resource.CodeDenied, "no"), resource.CodeQuota, "vpc-1", "removing what was created before failed too"},
		"a repeat can help":             {resource.Errorf(resource.CodeUnavailable, "down"), nil, resource.CodeUnavailable, "vpc-1", "down"},
		"not seen everywhere: a repeat": {resource.Errorf(resource.CodeNotFound, "no such thing"), nil, resource.CodeUnavailable, "vpc-1", "does not show everywhere"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := &shelf{complete: func(vpcObject) error { return test.complete }}
			if test.remove != nil {
				cloud.delete = func(string) error { return test.remove }
			}
			item, err := create(t, cloud.process(t, ByToken), "t-1")
			assert.Equal(t, test.code, resource.CodeOf(err))
			assert.ErrorContains(t, err, test.says)
			assert.Equal(t, test.left, item.ID)
			if test.left == "" {
				assert.Empty(t, cloud.objects)
			}
		})
	}
}

// Why it failed is told before anything is removed, and a process that knows nothing of it
// goes on from there.
func TestAnotherProcessGoesOnRemovingWithTheReason(t *testing.T) {
	busy := true
	cloud := &shelf{
		complete: func(vpcObject) error { return resource.Errorf(resource.CodeQuota, "too many, "+toySecret) },
	}
	cloud.delete = func(id string) error {
		if busy {
			return Wait(time.Second, "%s is busy", id)
		}
		delete(cloud.objects, id)
		return nil
	}
	for _, found := range []Found{ByToken, ByName} {
		busy, cloud.objects = true, nil
		r := wanted("t-1", "")
		item, pending, err := cloud.process(t, found).Create(t.Context(), "vpc", r)
		require.NoError(t, err)
		require.NotNil(t, pending.Failed)
		assert.Equal(t, resource.CodeQuota, pending.Failed.Code)
		assert.Len(t, cloud.objects, 1, "nothing is removed before that is known")

		r = r.Again(item.ID, pending)
		_, pending, err = cloud.process(t, found).Create(t.Context(), "vpc", r)
		require.NoError(t, err)
		assert.Contains(t, pending.Reason, "vpc-1 is busy")
		assert.Equal(t, resource.CodeQuota, pending.Failed.Code)

		busy = false
		for range 2 { // the answer may be lost
			item, pending, err = cloud.process(t, found).Create(t.Context(), "vpc", r)
			assert.Nil(t, pending)
			assert.Equal(t, resource.CodeQuota, resource.CodeOf(err))
			assert.ErrorContains(t, err, "too many")
			assert.Empty(t, item.ID)
			assert.Empty(t, cloud.objects)
		}
	}
}

func TestNothingIsRemovedForACallerWhoHasGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cloud := &shelf{complete: func(vpcObject) error {
		cancel()
		return resource.Errorf(resource.CodeQuota, "too many")
	}}
	_, _, err := cloud.process(t, ByToken).Create(ctx, "vpc", wanted("t-1", ""))
	require.Error(t, err)
	assert.Len(t, cloud.objects, 1, "whoever asks again goes on with it")
}

// What a creation leaves, what is pending and which operation a call belongs to cross the
// boundary of the process.
func TestPendingAndWhatIsLeftCrossTheWire(t *testing.T) {
	var operation string
	cloud := &shelf{
		complete: func(vpcObject) error { return resource.Errorf(resource.CodeCapacity, "no room") },
		delete:   func(id string) error { return Wait(1500*time.Millisecond, "%s goes, hunter2-and-more", id) },
	}
	toy := &toy{delete: func(ctx context.Context, id string) error {
		operation = Operation(ctx)
		return Wait(1500*time.Millisecond, "%s goes, "+toySecret, id)
	}}
	client, _ := over(t, toy.driver())
	pending, err := connect(t, client).Delete(WithOperation(t.Context(), "op-1"), "vpc", "vpc-1")
	require.NoError(t, err)
	assert.Equal(t, &Pending{Reason: "vpc-1 goes, [secret]", After: 1500 * time.Millisecond}, pending, "without secrets")
	assert.Equal(t, "op-1", operation)

	cloud.process(t)
	other, _ := over(t, New(About{Name: "shelf", Title: "Shelf"}, func(context.Context, Config) (*shelf, error) { return cloud, nil },
		Kind(resource.VPC, func(s *shelf) Stepwise[resource.VPCSpec, resource.VPCStatus] { return shelfVPCs{s} }, ByToken)))
	session, err := other.Connect(t.Context(), Config{})
	require.NoError(t, err)
	r := wanted("t-1", "")
	item, pending, err := session.Create(t.Context(), "vpc", r)
	require.NoError(t, err)
	require.NotNil(t, pending.Failed)
	assert.Equal(t, resource.CodeCapacity, pending.Failed.Code)
	assert.Equal(t, "vpc-1", item.ID)
	cloud.delete = func(string) error { return resource.Errorf(resource.CodeDenied, "no") }
	item, _, err = session.Create(t.Context(), "vpc", r.Again(item.ID, pending))
	assert.Equal(t, resource.CodeCapacity, resource.CodeOf(err))
	assert.Equal(t, "vpc-1", item.ID)
}
