package mock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// TestEveryKind goes through what all kinds have in common.
func TestEveryKind(t *testing.T) {
	for _, k := range resource.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			r := newRig(t)
			ids := oneOfEach(t, r)
			spec := func() any {
				for _, one := range specOfEach(ids) {
					if one.kind == k.Name {
						if subnet, ok := one.spec.(resource.SubnetSpec); ok {
							subnet.CIDR = "10.0.200.0/24" // beside the one that is there
							return subnet
						}
						return one.spec
					}
				}
				return nil
			}()
			t.Run("faults", func(t *testing.T) {
				require.Equal(t, resource.CodeCapacity, refused(t, r.connect("failCreate", "1"), k.Name, "never", spec).Code)
				require.Equal(t, resource.CodeUnavailable, refused(t, r.connect("failCall", "1"), k.Name, "never", spec).Code)
				require.Equal(t, resource.CodeQuota, refused(t, r.connect("quotas", k.Name+"=1"), k.Name, "never", spec).Code)
				require.Len(t, list(t, r.connect(), k.Name), 1, "nothing was done")
			})

			s := r.connect("latency", "10s", "consistencyDelay", "30s")
			lost := refused(t, r.connect("ambiguousCreate", "1", "latency", "10s", "consistencyDelay", "30s"), k.Name, "one", spec)
			require.Equal(t, resource.CodeUnavailable, lost.Code)
			made := create(t, s, k.Name, "one", spec)
			require.Equal(t, resource.StateCreating, made.State)
			require.Equal(t, "token-one", made.Token)
			require.Len(t, list(t, s, k.Name), 1, "lists lag behind")
			again := r.reopened()
			require.Equal(t, made, create(t, again.connect(), k.Name, "one", spec), "a token makes one object, also for another process")
			r.advance(time.Minute)
			for _, s := range []drivertest.Patient{s, again.connect(), r.reopened().connect()} {
				require.Len(t, list(t, s, k.Name), 2)
				shown := get(t, s, k.Name, made.ID)
				require.True(t, shown.State.Usable(), shown.State)
				require.Equal(t, shown, list(t, s, k.Name)[made.ID])
				require.NoError(t, k.CheckObject(shown.Spec, shown.Status))
				require.NotEmpty(t, shown.Native)
			}
			for _, other := range []driver.Config{{Region: "mock-tokyo"}, {Region: "mock-seoul", Credential: driver.Values{"account": "other"}}} {
				elsewhere := r.connectTo(other)
				if place, err := elsewhere.Place(t.Context()); err == nil && place.Scopes[k.Name] == "account default" { // it is the account's
					require.Contains(t, list(t, elsewhere, k.Name), made.ID)
					continue
				}
				requireGone(t, elsewhere, k.Name, made.ID)
				require.Empty(t, list(t, elsewhere, k.Name))
			}

			require.NoError(t, s.Delete(t.Context(), k.Name, made.ID))
			require.NoError(t, s.Delete(t.Context(), k.Name, made.ID), "again")
			require.Contains(t, list(t, s, k.Name), made.ID, "lists lag behind")
			r.advance(10 * time.Second)
			requireGone(t, s, k.Name, made.ID)
			r.advance(time.Minute)
			for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
				requireGone(t, s, k.Name, made.ID)
				require.Len(t, list(t, s, k.Name), 1)
				require.NoError(t, s.Delete(t.Context(), k.Name, made.ID), "what is gone")
			}
			require.Equal(t, resource.CodeNotFound, cloudError(t, act(t, s, k.Name, made.ID, "label", resource.LabelChange{Remove: []string{"a"}})).Code)
		})
	}
}

// TestWhatEveryKindNeedsIsKept deletes all in the wrong order, then in the right one.
func TestWhatEveryKindNeedsIsKept(t *testing.T) {
	r := newRig(t)
	ids := oneOfEach(t, r)
	s := r.connect()
	for kind, user := range map[string]string{
		"vpc": "alb", "subnet": "vm", "securitygroup": "vm",
	} {
		e := cloudError(t, s.Delete(t.Context(), kind, ids[kind]))
		require.Equal(t, resource.CodeDependency, e.Code, kind)
		require.Contains(t, e.Message, "is used by")
		require.Contains(t, r.cloud.users[ids[kind]], ids[user], "which the message names as one of several")
	}
	kinds := resource.Kinds()
	for i := range kinds {
		kind := kinds[len(kinds)-1-i].Name
		require.NoError(t, s.Delete(t.Context(), kind, ids[kind]), kind)
		requireGone(t, s, kind, ids[kind])
	}
	for _, k := range kinds {
		require.Empty(t, list(t, r.reopened().connect(), k.Name))
	}
	require.Empty(t, r.cloud.users)
	require.Empty(t, r.cloud.linked)
	require.Empty(t, r.cloud.claims)
}

func TestEveryKindIsLabelled(t *testing.T) {
	r := newRig(t)
	s := r.connect("latency", "10s")
	for kind, id := range oneOfEach(t, r) {
		before := get(t, s, kind, id)
		require.NoError(t, act(t, s, kind, id, "label", resource.LabelChange{Set: map[string]string{"team": "blue", "env": "한글"}}))
		require.NoError(t, act(t, s, kind, id, "label", resource.LabelChange{Set: map[string]string{"team": "red"}, Remove: []string{"env", "none"}}))
		for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
			after := get(t, s, kind, id)
			require.Equal(t, map[string]string{"team": "red"}, after.Labels, kind)
			after.Labels = before.Labels
			require.Equal(t, before, after, "nothing else changes")
		}
	}
	disk := create(t, s, "disk", "new", resource.DiskSpec{SizeGiB: 10}).ID
	require.NoError(t, act(t, s, "disk", disk, "label", resource.LabelChange{Set: map[string]string{"a": "b"}}), "also while it is made")
	require.Equal(t, resource.StateCreating, get(t, s, "disk", disk).State)
	r.advance(10 * time.Second)
	require.NoError(t, s.Delete(t.Context(), "disk", disk))
	require.Equal(t, resource.CodeConflict, cloudError(t, act(t, s, "disk", disk, "label", resource.LabelChange{Remove: []string{"a"}})).Code)
}
