package driver

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// rack is a cloud whose calls take several VMs and refuse all because of one. Ids that
// begin with bad are such ones.
type rack struct {
	mu      sync.Mutex
	calls   [][]string // ids of each call
	all     error      // what calls for several answer
	batches map[string]Batch
}

func (r *rack) call(ids ...string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, ids)
	if r.all != nil && len(ids) > 1 {
		return r.all
	}
	if i := slices.IndexFunc(ids, func(id string) bool { return strings.HasPrefix(id, "bad") }); i >= 0 {
		return resource.Errorf(resource.CodeConflict, "%s is not in the right state, says %s", ids[i], toySecret)
	}
	return nil
}

type (
	rackVM  = Object[resource.VMSpec, resource.VMStatus]
	rackVMs struct{ *rack }

	rackVMAbilities interface {
		Collection[resource.VMSpec, resource.VMStatus]
		ManyGetter[resource.VMSpec, resource.VMStatus]
		Batcher
		Deleter
		resource.Stopper
	}
)

func (v rackVMs) List(context.Context, Filter) iter.Seq2[rackVM, error] { return fail[rackVM](nil) }

func (v rackVMs) Get(_ context.Context, id string) (rackVM, error) {
	if err := v.call(id); err != nil {
		return rackVM{}, err
	}
	return rackVM{ID: id, State: resource.StateRunning}, nil
}

func (v rackVMs) GetMany(_ context.Context, ids []string) iter.Seq2[rackVM, error] {
	return func(yield func(rackVM, error) bool) {
		if err := v.call(ids...); err != nil {
			yield(rackVM{}, err)
			return
		}
		for _, id := range append(slices.Clone(ids), "not asked for") {
			if !strings.HasPrefix(id, "gone") && !yield(rackVM{ID: id, State: resource.StateStopped}, nil) {
				return
			}
		}
	}
}

func (v rackVMs) Delete(_ context.Context, id string) error { return v.call(id) }

func (v rackVMs) Stop(ctx context.Context, id string) error {
	return v.call(id + " of " + Operation(ctx))
}

func (v rackVMs) Batches() map[string]Batch {
	if v.rack != nil && v.batches != nil {
		return v.batches
	}
	return map[string]Batch{
		VerbGet: {Most: 8}, VerbDelete: Together(8, func(_ context.Context, ids ...string) error { return v.call(ids...) }),
		"stop": Together(8, func(_ context.Context, ids ...string) error { return v.call(ids...) }),
	}
}

// opened is a session with the rack, as the server has it.
func (r *rack) opened(t *testing.T) Session {
	t.Helper()
	about := About{Name: "rack", Title: "Rack", Credential: []Field{{Name: "key", Title: "Key", Doc: "A key.", Type: TypeString, Secret: true}}}
	d := New(about, func(context.Context, Config) (*rack, error) { return r, nil },
		Kind(resource.VM, func(r *rack) rackVMAbilities { return rackVMs{r} }))
	client, end, err := Pipe(d, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(end)
	session, err := client.Connect(t.Context(), Config{Credential: Values{"key": toySecret}})
	require.NoError(t, err)
	description, err := client.Describe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 8, description.Most("vm", "stop"))
	assert.Equal(t, 1, description.Most("vm", "start"))
	return session
}

func members(ids ...string) []Member {
	all := make([]Member, len(ids))
	for i, id := range ids {
		all[i] = Member{ID: id, Operation: "op-" + id}
	}
	return all
}

func TestABatchIsOneCall(t *testing.T) {
	r := &rack{}
	answers, err := r.opened(t).Batch(t.Context(), "vm", "stop", members("a", "b", "a", "c"), nil)
	require.NoError(t, err)
	assert.Equal(t, make([]Answer, 4), answers)
	assert.Equal(t, [][]string{{"a", "b", "c"}}, r.calls, "one that is named twice is asked for once")
}

func TestABadMemberStandsAlone(t *testing.T) {
	for _, verb := range []string{"stop", VerbDelete, VerbGet} {
		r := &rack{}
		answers, err := r.opened(t).Batch(t.Context(), "vm", verb, members("a", "b", "c", "bad", "e", "f", "g", "h"), nil)
		require.NoError(t, err)
		require.Len(t, answers, 8)
		for i, a := range answers {
			if i != 3 {
				require.NoError(t, a.Err, "%s %d", verb, i)
				continue
			}
			assert.Equal(t, resource.CodeConflict, resource.CodeOf(a.Err))
			assert.ErrorContains(t, a.Err, "bad")
			assert.ErrorContains(t, a.Err, "says [secret]")
		}
		assert.LessOrEqual(t, len(r.calls), 7, "all, two halves, two quarters, two of one")
		if verb == "stop" {
			assert.Contains(t, r.calls, []string{"bad of op-bad"}, "a single one goes its own way, with its operation")
		}
	}
}

func TestWhatIsNobodysFaultIsNotSplit(t *testing.T) {
	for _, code := range []resource.Code{resource.CodeThrottled, resource.CodeUnavailable, resource.CodeUnauthenticated} {
		r := &rack{all: resource.Errorf(code, "not now")}
		answers, err := r.opened(t).Batch(t.Context(), "vm", "stop", members("a", "b", "c"), nil)
		require.NoError(t, err)
		for _, a := range answers {
			assert.Equal(t, code, resource.CodeOf(a.Err))
		}
		assert.Len(t, r.calls, 1)
	}
}

func TestMembersHaveAnswersOfTheirOwn(t *testing.T) {
	r := &rack{all: Each{"b": Wait(0, "b is busy"), "c": resource.Errorf(resource.CodeCapacity, "no room for c")}}
	answers, err := r.opened(t).Batch(t.Context(), "vm", "stop", members("a", "b", "c"), nil)
	require.NoError(t, err)
	assert.Equal(t, Answer{}, answers[0])
	assert.Equal(t, "b is busy", answers[1].Pending.Reason)
	assert.Equal(t, resource.CodeCapacity, resource.CodeOf(answers[2].Err))

	r = &rack{all: Wait(0, "all are busy")}
	answers, err = r.opened(t).Batch(t.Context(), "vm", "stop", members("a", "b"), nil)
	require.NoError(t, err)
	assert.Equal(t, "all are busy", answers[1].Pending.Reason)
}

// What a call for several warns of is told of each, and what one warns of that stands alone of
// that one.
func TestMembersAreWarnedOf(t *testing.T) {
	r := &rack{}
	r.batches = map[string]Batch{
		VerbGet: {Most: 8}, VerbDelete: Together(8, func(context.Context, ...string) error { return nil }),
		"stop": Together(8, func(ctx context.Context, ids ...string) error {
			Warn(ctx, resource.WarnLeft, "%d keep their disks, says %s", len(ids), toySecret)
			return r.call(ids...)
		}),
	}
	answers, err := r.opened(t).Batch(t.Context(), "vm", "stop", members("a", "b", "bad", "d"), nil)
	require.NoError(t, err)
	two := []resource.Warning{{Rule: resource.WarnLeft, Message: "2 keep their disks, says [secret]"}}
	for i, want := range [][]resource.Warning{two, two, nil, nil} {
		assert.Equal(t, want, answers[i].Warnings, i)
	}
}

func TestManyAreGotten(t *testing.T) {
	answers, err := (&rack{}).opened(t).Batch(t.Context(), "vm", VerbGet, members("a", "gone", "c"), nil)
	require.NoError(t, err)
	assert.Equal(t, "a", answers[0].Item.ID)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(answers[1].Err))
	assert.Equal(t, resource.StateStopped, answers[2].Item.State)
}

func TestABatchThatIsTooLargeOrNotOfferedIsRefused(t *testing.T) {
	r := &rack{}
	s := r.opened(t)
	_, err := s.Batch(t.Context(), "vm", "stop", members("1", "2", "3", "4", "5", "6", "7", "8", "9"), nil)
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	_, err = s.Batch(t.Context(), "vm", "start", members("1", "2"), nil)
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	answers, err := s.Batch(t.Context(), "vm", "stop", nil, nil)
	require.NoError(t, err)
	assert.Empty(t, answers)
	assert.Empty(t, r.calls)
}

func TestBatchesAreCheckedWhenTheDriverIsMade(t *testing.T) {
	do := Together(8, func(context.Context, ...string) error { return nil })
	for name, batches := range map[string]map[string]Batch{
		"a verb that is not offered": {"start": do}, "one at a time": {"stop": {Most: 1, Do: do.Do}}, "too many": {"stop": {Most: MostMembers + 1, Do: do.Do}},
		"nothing to do": {"stop": {Most: 8}}, "a list": {"list": do},
	} {
		zero := rackVMs{&rack{batches: batches}}
		o := &offer{kind: resource.VM.Kind}
		assert.PanicsWithValue(t, fmt.Sprintf("driver.Kind(vm): the batch %s is of a verb that is not offered, has no Do (get: no GetMany), or takes not 2 to 200", slices.Collect(maps.Keys(batches))[0]),
			func() { o.batches(zero, KindOffer{Verbs: []string{"list", "get"}, Actions: []string{"stop"}}) }, name)
	}
}
