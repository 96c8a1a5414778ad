package engine_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// keysOf are those that the cloud says it has given a VM.
func keysOf(t *testing.T, vm *resource.Resource) []string {
	t.Helper()
	var native struct{ AuthorizedKeys []string }
	require.NoError(t, json.Unmarshal(vm.Native, &native))
	return native.AuthorizedKeys
}

// withKey is the spec of a VM with a key pair.
func withKey(e *enginetest.Env, name string) string {
	return fmt.Sprintf(`{"image":%q,"spec":%q,"subnet":"s","keypair":%q}`, e.Image, e.Spec, name)
}

// A cloud without key pairs: the server keeps them, and what they are goes with what names
// them.
func TestAKindThatTheServerKeeps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		asked := newCalls()
		e := enginetest.New(t, enginetest.Options{Store: open(), Keyless: true, Observe: asked.observe})
		e.Network()
		d, err := e.Driver(t.Context(), "mock")
		require.NoError(t, err)
		require.True(t, d.Keeps("keypair"))

		asked.forget()
		op, err := e.Create(t.Context(), "mock", "keypair", []byte(`{"name":"k","labels":{"team":"infra"},"spec":{}}`))
		require.NoError(t, err)
		assert.NotEmpty(t, op.Secrets["privateKey"], "which is shown once, as ever")
		e.Succeeds(op)
		k, err := e.Get(t.Context(), "mock", "keypair", "k")
		require.NoError(t, err)
		assert.Equal(t, k.UID, k.CloudID)
		assert.Equal(t, resource.StateAvailable, k.State)
		assert.Equal(t, map[string]string{"team": "infra"}, k.Labels)
		spec, status := specAndStatus[resource.KeyPairSpec, resource.KeyPairStatus](t, e, "mock", "keypair", "k")
		assert.Contains(t, spec.PublicKey, "ssh-rsa ")
		assert.Equal(t, "rsa", spec.Algorithm)
		assert.Contains(t, status.Fingerprint, "SHA256:")
		assert.Equal(t, "map[]", asked.String(), "the driver is not asked")

		for _, name := range []string{"vm1", "vm2"} {
			vm := e.MustCreate("mock", "vm", name, withKey(e, "k"))
			assert.Equal(t, []string{spec.PublicKey}, keysOf(t, vm))
			shown, _ := specAndStatus[resource.VMSpec, resource.VMStatus](t, e, "mock", "vm", name)
			assert.Equal(t, "k", shown.KeyPair, "although the cloud does not know it")
		}
		check, err := e.CheckCreation(t.Context(), "mock", "vm", fmt.Appendf(nil, `{"name":"vm3","spec":%s}`, withKey(e, "k")))
		require.NoError(t, err)
		assert.True(t, check.Cloud)
		check, err = e.CheckCreation(t.Context(), "mock", "keypair", []byte(`{"name":"k2","spec":{}}`))
		require.NoError(t, err)
		assert.Contains(t, check.Reason, "no such object")

		cluster := e.MustCreate("mock", "cluster", "c", `{"vpc":"v","subnets":["s"]}`)
		op, err = e.Act(t.Context(), "mock", "cluster", cluster.Name, "addnodegroup", fmt.Appendf(nil, `{"name":"a","spec":%q,"keypair":"k"}`, e.Spec))
		require.NoError(t, err)
		e.Succeeds(op)

		_, err = e.Delete(t.Context(), "mock", "keypair", "k")
		require.Equal(t, resource.CodeDependency, resource.CodeOf(err))
		for _, user := range []string{"vm1", "vm2", "c"} {
			assert.ErrorContains(t, err, user)
		}
		op, err = e.DeleteTogether(t.Context(), "mock", []inventory.Named{{Kind: "keypair", Name: "k"}, {Kind: "vm", Name: "vm1"}, {Kind: "vm", Name: "vm2"}, {Kind: "cluster", Name: "c"}}, false)
		require.NoError(t, err)
		e.Succeeds(op)
		_, err = e.Get(t.Context(), "mock", "keypair", "k")
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	})
}

// There is nothing on the cloud that what the server keeps could be compared with.
func TestWhatTheServerKeepsIsNeverMissing(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Keyless: true})
	e.Connect("beside")
	k := e.MustCreate("mock", "keypair", "k", `{"algorithm":"ed25519"}`)
	e.MustCreate("beside", "keypair", "k", `{"algorithm":"ed25519"}`) // of the same account: it is another one

	require.NoError(t, e.Refresh(t.Context(), "mock", "keypair", 0))
	now, err := e.Get(t.Context(), "mock", "keypair", "k")
	require.NoError(t, err)
	assert.Equal(t, resource.StateAvailable, now.State)
	assert.Equal(t, map[api.Where]int{api.InKept: 1}, e.Places("mock", "keypair"))

	_, err = e.Adopt(t.Context(), "mock", "keypair", fmt.Appendf(nil, `{"cloudId":%q}`, k.CloudID))
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	assert.ErrorContains(t, err, "the server itself keeps every keypair")
	adopted, err := e.AdoptAll(t.Context(), "mock")
	require.NoError(t, err)
	assert.Empty(t, adopted.Items)
	assert.Empty(t, adopted.Unseen)
	_, err = e.Release(t.Context(), "mock", "keypair", "k")
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err), "of which nothing would stay")

	op, err := e.Act(t.Context(), "mock", "keypair", "k", "label", []byte(`{"set":{"team":"infra"}}`))
	require.NoError(t, err)
	e.Succeeds(op)
	require.NoError(t, e.Refresh(t.Context(), "mock", "keypair", 0))
	now, err = e.Get(t.Context(), "mock", "keypair", "k")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"team": "infra"}, now.Labels)

	_, err = e.Ask("mock", "keypair", "k", `{"algorithm":"ed25519"}`)
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
	permissions, err := e.Permissions(t.Context(), "mock")
	require.NoError(t, err)
	for _, p := range permissions {
		assert.NotContains(t, p.Name, "keypair")
	}

	op, err = e.ForceDelete(t.Context(), "mock", "keypair", "k")
	require.NoError(t, err)
	ended := e.Ends(op)
	assert.Equal(t, api.OperationSucceeded, ended.State)
	assert.Empty(t, ended.Steps[0].Message)
	assert.Equal(t, map[api.Where]int{api.InKept: 1}, e.Places("beside", "keypair"))
}

// A server that ends in the middle leaves what it keeps whole or gone.
func TestWhatTheServerKeepsOutlivesIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		const pairs = 20
		work, shared := t.TempDir(), open()
		first := enginetest.New(t, enginetest.Options{Store: shared, Work: work, Keyless: true})
		var ops []*api.Operation
		for i := range pairs {
			name := fmt.Sprintf("k%d", i)
			op, err := first.Ask("mock", "keypair", name, `{"algorithm":"ed25519"}`)
			require.NoError(t, err)
			ops = append(ops, op)
			if i%2 == 0 {
				first.Succeeds(op)
				op, err := first.Delete(t.Context(), "mock", "keypair", name)
				require.NoError(t, err)
				ops = append(ops, op)
			}
		}
		first.Stop()
		second := enginetest.Start(t, enginetest.Options{Store: shared, Work: work, Keyless: true})
		for _, op := range ops {
			second.Succeeds(op)
		}
		assert.Equal(t, map[api.Where]int{api.InKept: pairs / 2}, second.Places("mock", "keypair"))
		for i := range pairs {
			k, err := second.Get(t.Context(), "mock", "keypair", fmt.Sprintf("k%d", i))
			if i%2 == 0 {
				assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
				continue
			}
			require.NoError(t, err)
			assert.Equal(t, k.UID, k.CloudID)
			assert.Contains(t, string(k.Status), "SHA256:")
		}
	})
}
