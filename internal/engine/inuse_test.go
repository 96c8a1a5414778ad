package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// patient is an engine that does everything again only after a time that no test waits
// for, so that what ends was not tried again, and was woken where it waited.
func patient() engine.Config {
	return engine.Config{PollFirst: 10 * time.Minute, PollMax: 10 * time.Minute, RetryFirst: 10 * time.Minute, RetryMax: 10 * time.Minute}
}

// foreignSubnet makes a subnet in a VPC that this server knows nothing of.
func foreignSubnet(t *testing.T, e *enginetest.Env, connection, vpc, cidr string) (driver.Session, driver.Item) {
	t.Helper()
	session, _, err := e.Session(t.Context(), connection)
	require.NoError(t, err)
	v, err := e.Get(t.Context(), connection, "vpc", vpc)
	require.NoError(t, err)
	made, _, err := session.Create(t.Context(), "subnet", enginetest.SubnetRequest("foreign-"+vpc, v.CloudID, cidr))
	require.NoError(t, err)
	return session, made
}

func TestAClearNoIsFinal(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: patient()})
	e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	others, foreign := foreignSubnet(t, e, "mock", "v", "10.0.1.0/24") // of which nothing here has a list

	op, err := e.Delete(t.Context(), "mock", "vpc", "v")
	require.NoError(t, err)
	failure := e.Fails(op)
	assert.Equal(t, resource.CodeDependency, failure.Code)
	assert.Contains(t, failure.Message, foreign.ID)
	vpc, err := e.Get(t.Context(), "mock", "vpc", "v")
	require.NoError(t, err)
	assert.Equal(t, resource.StateAvailable, vpc.State, "as the cloud shows it")
	require.NotNil(t, vpc.Error)
	assert.Equal(t, failure.Message, vpc.Error.Message, "the reason stays")

	_, err = others.Delete(t.Context(), "subnet", foreign.ID)
	require.NoError(t, err)
	mustDelete(t, e, "mock", "vpc", "v")
}

// TestWhatTheCloudRefusesIsShownAsTheCloudShowsIt has every second call fail, so that the
// looks after a refusal fail too.
func TestWhatTheCloudRefusesIsShownAsTheCloudShowsIt(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	const n = 12
	var ops [n]*api.Operation
	for i := range n {
		e.MustCreate("mock", "vpc", fmt.Sprint("v", i), `{"cidr":"10.0.0.0/16"}`)
	}
	others, _, err := e.Session(t.Context(), "mock")
	require.NoError(t, err)
	e.Connect("troubled", "failCall", "0.5", "seed", "3")
	for i := range n {
		name := fmt.Sprint("v", i)
		id := cloudIDOf(t, e, "vpc", name)
		_, err = e.Release(t.Context(), "mock", "vpc", name)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			_, err := e.Adopt(t.Context(), "troubled", "vpc", fmt.Appendf(nil, `{"cloudId":%q,"name":%q}`, id, name))
			return err == nil
		}, 10*time.Second, time.Millisecond)
		_, _, err = others.Create(t.Context(), "subnet", enginetest.SubnetRequest("foreign-"+name, id, "10.0.1.0/24"))
		require.NoError(t, err)
		ops[i], err = e.Delete(t.Context(), "troubled", "vpc", name)
		require.NoError(t, err)
	}
	for i, op := range ops {
		assert.Equal(t, resource.CodeDependency, e.Fails(op).Code)
		vpc, err := e.Get(t.Context(), "troubled", "vpc", fmt.Sprint("v", i))
		require.NoError(t, err)
		assert.Equal(t, resource.StateAvailable, vpc.State, vpc.Name)
	}
}

func TestADeletionThatIsDoneThoughTheCloudRefusedItSucceeds(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Others: []string{"late"}})
	_, err := e.CreateConnection(t.Context(), []byte(`{"name":"c","cloud":"late"}`), false)
	require.NoError(t, err)
	e.MustCreate("c", "vpc", goesRefused, `{"cidr":"10.0.0.0/16"}`)
	mustDelete(t, e, "c", "vpc", goesRefused)
}

func TestWhatOnlyTheCloudHasKeepsWhatItUses(t *testing.T) {
	var (
		mu    sync.Mutex
		calls []string
	)
	e := enginetest.New(t, enginetest.Options{Observe: func(_, verb string, _ resource.Code, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, verb)
	}})
	called := func() []string {
		mu.Lock()
		defer mu.Unlock()
		defer func() { calls = nil }()
		return slices.Clone(calls)
	}
	e.Network()
	vm := e.MustCreate("mock", "vm", "web", e.VMSpec())
	_, err := e.Release(t.Context(), "mock", "vm", "web")
	require.NoError(t, err)
	refused := func(kind, name, user string) {
		t.Helper()
		called()
		_, err := e.Delete(t.Context(), "mock", kind, name)
		require.Equal(t, resource.CodeDependency, resource.CodeOf(err), "%v", err)
		assert.ErrorContains(t, err, user)
		assert.Equal(t, []string{"get"}, called(), "one look, and no list")
		kept, err := e.Get(t.Context(), "mock", kind, name)
		require.NoError(t, err)
		assert.Equal(t, resource.StateAvailable, kept.State)
		assert.Empty(t, kept.Operation)
	}
	refused("subnet", "s", "vm web ("+vm.CloudID+")")

	e.MustCreate("mock", "vpc", "w", `{"cidr":"10.0.0.0/16"}`)
	others, foreign := foreignSubnet(t, e, "mock", "w", "10.0.1.0/24")
	_, err = e.Compare(t.Context(), "mock", "subnet")
	require.NoError(t, err)
	refused("vpc", "w", foreign.ID)
	_, err = e.DeleteTogether(t.Context(), "mock", []inventory.Named{{Kind: "vpc", Name: "w"}}, false)
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err))

	_, err = others.Delete(t.Context(), "vm", vm.CloudID)
	require.NoError(t, err)
	_, err = others.Delete(t.Context(), "subnet", foreign.ID)
	require.NoError(t, err)
	for _, one := range []inventory.Named{{Kind: "subnet", Name: "s"}, {Kind: "vpc", Name: "w"}, {Kind: "vpc", Name: "v"}} {
		mustDelete(t, e, "mock", one.Kind, one.Name) // nothing is refused for what is gone
	}

	e.Network()
	called()
	mustDelete(t, e, "mock", "subnet", "s")
	assert.NotContains(t, called(), "list", "where nothing is known to use it")
}

func TestWhatIsAdoptedAgainIsNoStranger(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	vm := e.MustCreate("mock", "vm", "web", e.VMSpec())
	_, err := e.Release(t.Context(), "mock", "vm", "web")
	require.NoError(t, err)
	_, err = e.Adopt(t.Context(), "mock", "vm", fmt.Appendf(nil, `{"cloudId":%q}`, vm.CloudID))
	require.NoError(t, err)
	op, err := e.DeleteTogether(t.Context(), "mock", []inventory.Named{{Kind: "vm", Name: "web"}, {Kind: "subnet", Name: "s"}}, false)
	require.NoError(t, err)
	e.Succeeds(op)
}

func TestADeletionWaitsForAStrangerThatGoes(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "400ms")
	e.Network()
	vm := e.MustCreate("mock", "vm", "web", e.VMSpec())
	_, err := e.Release(t.Context(), "mock", "vm", "web")
	require.NoError(t, err)
	_, err = onCloud(t, e).Delete(t.Context(), "vm", vm.CloudID)
	require.NoError(t, err)
	op, err := e.Delete(t.Context(), "mock", "subnet", "s")
	require.NoError(t, err)
	ended := e.Ends(op)
	require.Equal(t, api.OperationSucceeded, ended.State, "%v", ended.Error)
	assert.Positive(t, ended.Attempts, "the cloud refused it for as long as the VM was there")
}

func TestACloudThatNoticesLateIsAskedAgain(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Others: []string{"late"}})
	_, err := e.CreateConnection(t.Context(), []byte(`{"name":"c","cloud":"late"}`), false)
	require.NoError(t, err)
	network := func(name string) {
		e.MustCreate("c", "vpc", name, `{"cidr":"10.0.0.0/16"}`)
		e.MustCreate("c", "subnet", name, fmt.Sprintf(`{"vpc":%q,"cidr":"10.0.0.0/24"}`, name))
	}

	network("a")
	mustDelete(t, e, "c", "subnet", "a")
	op, err := e.Delete(t.Context(), "c", "vpc", "a")
	require.NoError(t, err)
	ended := e.Ends(op)
	require.Equal(t, api.OperationSucceeded, ended.State, "%v", ended.Error)
	assert.Positive(t, ended.Attempts)

	network("b")
	foreignSubnet(t, e, "c", "b", "10.0.1.0/24")
	mustDelete(t, e, "c", "subnet", "b")
	op, err = e.Delete(t.Context(), "c", "vpc", "b")
	require.NoError(t, err)
	assert.Equal(t, resource.CodeDependency, e.Fails(op).Code)

	again, err := e.Delete(t.Context(), "c", "vpc", "b")
	require.NoError(t, err)
	ended = e.Ends(again)
	require.Equal(t, api.OperationFailed, ended.State)
	assert.Equal(t, 1, ended.Attempts, "what has nothing to do with what was deleted lately is final")
}

func TestWhatWaitsForACreationThatFailsFailsAtOnce(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: patient()}, "failCreate", "1", "callLatency", "100ms")
	wanted := []engine.Wanted{{Kind: "vpc", Body: json.RawMessage(`{"name":"v","onFailure":"delete","spec":{"cidr":"10.0.0.0/16"}}`)}}
	for i := range 3 {
		wanted = append(wanted, engine.Wanted{Kind: "subnet", Body: fmt.Appendf(nil, `{"name":"s%d","onFailure":"delete","spec":{"vpc":"v","cidr":"10.0.%d.0/24"}}`, i, i)})
	}
	op, err := e.CreateTogether(t.Context(), "mock", wanted, resource.OnFailureDelete)
	require.NoError(t, err)
	assert.Equal(t, api.OperationFailed, e.Ends(op).State)
}

func TestWhatWaitsForADeletionThatFailsFailsAtOnce(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: patient()}, "callLatency", "50ms")
	e.Connect("unseen", "consistencyDelay", "1h") // what it makes is in no list
	e.Network()
	unseen, _, err := e.Session(t.Context(), "unseen")
	require.NoError(t, err)
	vm, _, err := unseen.Create(t.Context(), "vm", driver.ItemRequest{Token: "foreign", Name: "foreign", Spec: fmt.Appendf(nil, `{"image":%q,"spec":%q,"subnet":%q}`, e.Image, e.Spec, cloudIDOf(t, e, "subnet", "s"))})
	require.NoError(t, err)
	op, err := e.DeleteTogether(t.Context(), "mock", []inventory.Named{{Kind: "subnet", Name: "s"}, {Kind: "vpc", Name: "v"}}, false)
	require.NoError(t, err)
	assert.Equal(t, api.OperationFailed, e.Ends(op).State)
	_, err = onCloud(t, e).Delete(context.WithoutCancel(t.Context()), "vm", vm.ID)
	require.NoError(t, err)
}

// The cloud would refuse the VPC, when the subnet that was to go with it has gone.
func TestARefusalOfOneLeavesWhatWasToGoWithIt(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: patient()})
	e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	e.MustCreate("mock", "subnet", "s", `{"vpc":"v","cidr":"10.0.2.0/24"}`)
	others, foreign := foreignSubnet(t, e, "mock", "v", "10.0.1.0/24") // of which nothing here has a list
	together := []inventory.Named{{Kind: "subnet", Name: "s"}, {Kind: "vpc", Name: "v"}}

	_, err := e.DeleteTogether(t.Context(), "mock", together, false)
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err))
	assert.ErrorContains(t, err, foreign.ID)
	subnet, err := e.Get(t.Context(), "mock", "subnet", "s")
	require.NoError(t, err)
	assert.Equal(t, resource.StateAvailable, subnet.State)
	assert.Empty(t, subnet.Operation)

	_, err = others.Delete(t.Context(), "subnet", foreign.ID)
	require.NoError(t, err)
	op, err := e.DeleteTogether(t.Context(), "mock", together, false)
	require.NoError(t, err)
	e.Succeeds(op)
}

func TestATakenNameIsToldBeforeAKeyIsMade(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.MustCreate("mock", "keypair", "k", `{"algorithm":"ed25519"}`)
	began := time.Now()
	const times = 200
	for range times {
		_, err := e.Ask("mock", "keypair", "k", `{"algorithm":"rsa"}`)
		require.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
	}
	assert.Less(t, time.Since(began), times*100*time.Millisecond, "making a key takes far longer")
}

func TestATakenNameIsToldBeforeTheCloudIsAsked(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	_, err := e.CreateCredential(t.Context(), []byte(`{"name":"wrong","cloud":"mock","values":{"password":"wrong"}}`))
	require.NoError(t, err)
	for name, want := range map[string]resource.Code{"mock": resource.CodeAlreadyExists, "new": resource.CodeUnauthenticated} {
		_, err = e.CreateConnection(t.Context(), fmt.Appendf(nil, `{"name":%q,"cloud":"mock","region":"mock-seoul","credential":"wrong"}`, name), true)
		assert.Equal(t, want, resource.CodeOf(err), name)
	}
}
