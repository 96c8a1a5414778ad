package mock

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// keylessArg makes the test's executable the driver of a cloud without key pairs.
const keylessArg = "driver-keyless"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == keylessArg {
		driver.ServeArgs(NewKeyless(), os.Args[2:])
		return
	}
	os.Exit(m.Run())
}

// TestConformanceWithoutKeyPairs runs the suite on a cloud whose key pairs the server keeps,
// through a driver's process.
func TestConformanceWithoutKeyPairs(t *testing.T) {
	if testing.Short() {
		t.Skip("it is one more run of the suite")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	drivertest.Run(t, drivertest.Target{
		Command: []string{self, keylessArg},
		Config:  driver.Config{Region: "mock-seoul", Settings: driver.Values{"latency": "2ms"}},
		Against: "the Mock cloud without key pairs", Type: driver.TestedSimulator,
		Image: imageID("ubuntu-24.04-x86_64"), Machine: "std3.large", OtherMachine: "std3.xlarge",
		Specs: map[string]any{
			"database": databaseOfConformance(), "broker": brokerOfConformance(),
			"cluster": map[string]any{
				"vpc": "vpc", "subnets": []string{"subnet"}, "version": "1.33",
				"nodeGroups": []map[string]any{{"name": "first", "spec": "std3.large", "keypair": "keypair"}},
			},
		},
		Params:   map[string]any{"cluster/upgrade": map[string]any{"version": "1.34"}},
		PageSize: "pageSize",
		Parallel: 4,
	})
}

// What a VM was given outlives the driver's process, with no key pair on the cloud.
func TestAMachineKeepsItsKey(t *testing.T) {
	dir := t.TempDir()
	open := func() driver.Session {
		s, err := newDriver(newCloud(dir).withoutKeyPairs()).Connect(t.Context(), driver.Config{Region: "mock-seoul"})
		require.NoError(t, err)
		return s
	}
	s := open()
	ctx := driver.WithContents(t.Context(), driver.Contents{"keypair": {{
		ID: "key-1", Name: "mine", State: resource.StateAvailable, Spec: json.RawMessage(`{"publicKey":"` + publicKey + `"}`), Status: json.RawMessage(`{}`),
	}}})
	create := func(ctx context.Context, kind, spec string) (driver.Item, error) {
		item, _, err := s.Create(ctx, kind, driver.ItemRequest{Token: kind + spec[len(spec)-8:], Name: kind, Spec: json.RawMessage(spec)})
		return item, err
	}
	vpc, err := create(t.Context(), "vpc", `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	subnet, err := create(t.Context(), "subnet", `{"vpc":"`+vpc.ID+`","cidr":"10.0.0.0/24"}`)
	require.NoError(t, err)
	spec := `{"image":"` + imageID("ubuntu-24.04-x86_64") + `","spec":"std3.large","subnet":"` + subnet.ID + `","keypair":"key-1"}`
	_, err = create(t.Context(), "vm", spec)
	require.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "of a key that did not come with it")
	assert.Equal(t, "spec.keypair", resource.AsError(err).Fields[0].Field)
	vm, err := create(ctx, "vm", spec)
	require.NoError(t, err)

	require.NoError(t, s.Close())
	s = open()
	shown, err := s.Get(t.Context(), "vm", vm.ID)
	require.NoError(t, err)
	native, err := json.Marshal(shown.Native)
	require.NoError(t, err)
	assert.Contains(t, string(native), publicKey)
	assert.NotContains(t, string(shown.Spec), "key-1")
}
