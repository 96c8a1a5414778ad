package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/resource/resourcetest"
)

// kindSpecs are specs of every kind, each built on those of the others that are named
// like their kinds.
func kindSpecs(e *enginetest.Env) map[string]string {
	return map[string]string{
		"vpc":           `{"cidr":"10.0.0.0/16"}`,
		"subnet":        `{"vpc":"vpc","cidr":"10.0.1.0/24"}`,
		"securitygroup": `{"vpc":"vpc"}`,
		"keypair":       `{"algorithm":"ed25519"}`,
		"vm":            fmt.Sprintf(`{"image":%q,"spec":%q,"subnet":"subnet","securitygroups":["securitygroup"],"keypair":"keypair"}`, e.Image, e.Spec),
		"disk":          `{"sizeGiB":10}`,
		"snapshot":      `{"disk":"disk"}`,
		"customimage":   `{"vm":"vm"}`,
		"publicip":      `{}`,
		"bucket":        `{"region":"mock-seoul"}`,
		"queue":         `{"visibilitySeconds":30,"retentionSeconds":345600,"maxMessageBytes":262144}`,
		"natgateway":    `{"vpc":"vpc","gatewaySubnet":"subnet"}`,
		"vpcpeering":    `{"vpc":"vpc","peerCloudId":"vpc-elsewhere","peerAccount":"somebody","peerCidrs":["10.9.0.0/16"]}`,
		"vpngateway":    `{"vpc":"vpc"}`,
		"vpnconnection": `{"vpngateway":"vpngateway","peerAddresses":["203.0.113.5"],"peerCidrs":["192.168.0.0/16"]}`,
		"routetable":    `{"vpc":"vpc","subnets":["subnet"],"routes":[{"cidr":"10.9.0.0/16","vpcpeering":"vpcpeering"}]}`,
		"certificate":   certificate(),
		"alb":           `{"vpc":"vpc","subnets":["subnet"],"listeners":[{"port":443,"protocol":"https","certificate":"certificate","group":"web"}],"groups":[{"name":"web","port":80}]}`,
		"fileshare":     `{"vpc":"vpc","subnets":["subnet"],"sizeGiB":100}`,
		"database":      `{"engine":"mysql","spec":"db-burst.small","vpc":"vpc","subnets":["subnet"],"securitygroups":["securitygroup"]}`,
		"dbbackup":      `{"database":"database"}`,
		"broker":        fmt.Sprintf(`{"engine":"kafka","spec":%q,"vpc":"vpc","subnets":["subnet"]}`, e.Spec),
		"nic":           `{"subnet":"subnet","securitygroups":["securitygroup"]}`,
		"nlb":           `{"vpc":"vpc","subnets":["subnet"],"protocol":"tcp","port":80,"members":["vm"]}`,
		"cluster":       fmt.Sprintf(`{"vpc":"vpc","subnets":["subnet"],"nodeGroups":[{"name":"a","spec":%q,"keypair":"keypair"}]}`, e.Spec),
	}
}

// certificate is the specification of one that signs itself.
func certificate() string {
	c := resourcetest.Certificate("www.example.com", time.Hour, nil)
	return fmt.Sprintf(`{"certificate":%q,"privateKey":%q}`, c.Certificate, c.PrivateKey)
}

// oneOfEach creates one of every kind, named like its kind, and answers their specs.
func oneOfEach(t *testing.T, e *enginetest.Env) (specs map[string]string) {
	t.Helper()
	specs = kindSpecs(e)
	for _, k := range resource.Kinds() {
		require.Contains(t, specs, k.Name, "a new kind needs a line here")
		e.MustCreate("mock", k.Name, k.Name, specs[k.Name])
	}
	return specs
}

func mustAct(t *testing.T, e *enginetest.Env, kind, name, action, params string) {
	t.Helper()
	op, err := e.Act(t.Context(), "mock", kind, name, action, []byte(params))
	require.NoError(t, err)
	e.Succeeds(op)
}

func specAndStatus[S, T any](t *testing.T, e *enginetest.Env, connection, kind, name string) (spec S, status T) {
	t.Helper()
	r, err := e.Get(t.Context(), connection, kind, name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(r.Effective, &spec))
	require.NoError(t, json.Unmarshal(r.Status, &status))
	return spec, status
}

func mustDelete(t *testing.T, e *enginetest.Env, connection, kind, name string) {
	t.Helper()
	op, err := e.Delete(t.Context(), connection, kind, name)
	require.NoError(t, err)
	e.Succeeds(op)
}

func TestOneOfEveryKindComesAndGoes(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "10ms")
	oneOfEach(t, e)
	for kind, users := range map[string][]string{
		"vpc": {"subnet", "securitygroup", "nlb", "cluster"}, "subnet": {"vm", "nic", "nlb", "cluster"},
		"securitygroup": {"vm", "nic"}, "keypair": {"vm", "cluster"}, "vm": {"nlb"}, "certificate": {"alb"}, "vpngateway": {"vpnconnection"},
	} {
		_, err := e.Delete(t.Context(), "mock", kind, kind)
		require.Equal(t, resource.CodeDependency, resource.CodeOf(err), kind)
		for _, user := range users {
			assert.ErrorContains(t, err, user+" "+user, kind)
		}
	}
	for _, k := range resource.Kinds() {
		mustAct(t, e, k.Name, k.Name, "label", `{"set":{"team":"blue","env":"test"}}`)
		mustAct(t, e, k.Name, k.Name, "label", `{"set":{"team":"red"},"remove":["env"]}`)
		r, err := e.Get(t.Context(), "mock", k.Name, k.Name)
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"team": "red"}, r.Labels, k.Name)
		assert.Equal(t, map[string]string{"team": "red"}, e.OnCloud("mock", k.Name)[0].Labels, k.Name)
	}
	for _, k := range slices.Backward(resource.Kinds()) {
		mustDelete(t, e, "mock", k.Name, k.Name)
		assert.Empty(t, e.OnCloud("mock", k.Name), k.Name)
	}
}

func TestWhatIsAttachedIsShownAndKeepsNothing(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "10ms")
	oneOfEach(t, e)
	mustDelete(t, e, "mock", "nlb", "nlb")
	mustAct(t, e, "disk", "disk", "attach", `{"vm":"vm"}`)
	mustAct(t, e, "nic", "nic", "attach", `{"vm":"vm"}`)
	mustAct(t, e, "publicip", "publicip", "associate", `{"nic":"nic"}`)
	_, disk := specAndStatus[resource.DiskSpec, resource.DiskStatus](t, e, "mock", "disk", "disk")
	assert.Equal(t, "vm", disk.VM, "by its name here")
	assert.NotEmpty(t, disk.Device)
	_, ip := specAndStatus[resource.PublicIPSpec, resource.PublicIPStatus](t, e, "mock", "publicip", "publicip")
	assert.Equal(t, "nic", ip.NIC)
	assert.Equal(t, "vm", ip.VM)

	op, err := e.Delete(t.Context(), "mock", "disk", "disk")
	require.NoError(t, err, "only the cloud knows that it is attached")
	assert.Equal(t, resource.CodeDependency, e.Fails(op).Code)
	r, err := e.Get(t.Context(), "mock", "disk", "disk")
	require.NoError(t, err)
	assert.Equal(t, resource.StateAvailable, r.State, "it is as it was")

	mustDelete(t, e, "mock", "vm", "vm")
	for _, kind := range []string{"disk", "nic", "publicip"} {
		require.NoError(t, e.Refresh(t.Context(), "mock", kind, 0))
	}
	_, disk = specAndStatus[resource.DiskSpec, resource.DiskStatus](t, e, "mock", "disk", "disk")
	assert.Equal(t, resource.DiskStatus{}, disk)
	_, ip = specAndStatus[resource.PublicIPSpec, resource.PublicIPStatus](t, e, "mock", "publicip", "publicip")
	assert.Equal(t, "nic", ip.NIC)
	assert.Empty(t, ip.VM)
	op, err = e.Act(t.Context(), "mock", "disk", "disk", "attach", []byte(`{"vm":"vm"}`))
	require.NoError(t, err)
	assert.Equal(t, resource.CodeNotFound, e.Fails(op).Code, "the VM is gone")
	mustDelete(t, e, "mock", "disk", "disk")
}

func TestWeakReferencesKeepTheNameOfWhatIsGone(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	oneOfEach(t, e)
	mustDelete(t, e, "mock", "nlb", "nlb")
	e.MustCreate("mock", "disk", "copy", `{"sizeGiB":10,"snapshot":"snapshot"}`)
	e.MustCreate("mock", "vm", "booted", fmt.Sprintf(`{"customimage":"customimage","spec":%q,"subnet":"subnet"}`, e.Spec))
	for _, one := range [][2]string{{"disk", "disk"}, {"vm", "vm"}, {"snapshot", "snapshot"}, {"customimage", "customimage"}} {
		if one[0] == "snapshot" { // these outlive what they were made of
			require.NoError(t, e.Refresh(t.Context(), "mock", "snapshot", 0))
			require.NoError(t, e.Refresh(t.Context(), "mock", "customimage", 0))
			snapshot, _ := specAndStatus[resource.SnapshotSpec, resource.SnapshotStatus](t, e, "mock", "snapshot", "snapshot")
			assert.Equal(t, "disk", snapshot.Disk)
			image, _ := specAndStatus[resource.CustomImageSpec, resource.CustomImageStatus](t, e, "mock", "customimage", "customimage")
			assert.Equal(t, "vm", image.VM)
		}
		mustDelete(t, e, "mock", one[0], one[1])
	}
	require.NoError(t, e.Refresh(t.Context(), "mock", "disk", 0))
	require.NoError(t, e.Refresh(t.Context(), "mock", "vm", 0))
	disk, _ := specAndStatus[resource.DiskSpec, resource.DiskStatus](t, e, "mock", "disk", "copy")
	assert.Equal(t, "snapshot", disk.Snapshot)
	vm, _ := specAndStatus[resource.VMSpec, resource.VMStatus](t, e, "mock", "vm", "booted")
	assert.Equal(t, "customimage", vm.CustomImage)
	_, err := e.Ask("mock", "disk", "late", `{"sizeGiB":10,"snapshot":"snapshot"}`)
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "what is gone cannot be used any more")
}

func TestACreationWaitsForWhatItRefersToWeakly(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "100ms")
	var ops []*api.Operation
	for _, one := range [][3]string{
		{"disk", "d", `{"sizeGiB":10}`}, {"snapshot", "s", `{"disk":"d"}`}, {"disk", "copy", `{"sizeGiB":10,"snapshot":"s"}`},
	} {
		op, err := e.Ask("mock", one[0], one[1], one[2])
		require.NoError(t, err)
		ops = append(ops, op)
	}
	for _, op := range ops {
		e.Succeeds(op)
	}
}

func TestEveryKindIsAdopted(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	oneOfEach(t, e)
	e.MustCreate("mock", "disk", "copy", `{"sizeGiB":10,"snapshot":"snapshot"}`)
	mustAct(t, e, "disk", "disk", "attach", `{"vm":"vm"}`)
	mustAct(t, e, "publicip", "publicip", "associate", `{"vm":"vm"}`)
	e.Connect("other")
	adopted, err := e.AdoptAll(t.Context(), "other")
	require.NoError(t, err)
	other, err := e.Store.Read().Connection(t.Context(), "other")
	require.NoError(t, err)
	kinds := slices.DeleteFunc(resource.Kinds(), func(k *resource.Kind) bool { return other.Scopes[k.Name] != "" }) // those are managed in one
	assert.Less(t, len(kinds), len(resource.Kinds()))
	assert.Len(t, adopted.Items, len(kinds)+1)
	for _, k := range kinds { // what refers to kinds that come after it is named by the next look
		require.NoError(t, e.Refresh(t.Context(), "other", k.Name, 0))
		mine, err := e.Get(t.Context(), "mock", k.Name, k.Name)
		require.NoError(t, err)
		theirs, err := e.Get(t.Context(), "other", k.Name, k.Name)
		require.NoError(t, err)
		assert.Equal(t, mine.CloudID, theirs.CloudID)
		wanted, err := k.Refs(mine.Spec)
		require.NoError(t, err)
		got, err := k.Refs(theirs.Spec)
		require.NoError(t, err)
		assert.Equal(t, wanted, got, k.Name)
	}
	_, status := specAndStatus[resource.DiskSpec, resource.DiskStatus](t, e, "other", "disk", "disk")
	assert.Equal(t, "vm", status.VM)
	disk, _ := specAndStatus[resource.DiskSpec, resource.DiskStatus](t, e, "other", "disk", "copy")
	assert.Equal(t, "snapshot", disk.Snapshot)
	_, err = e.Release(t.Context(), "other", "vm", "vm")
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err))
	for _, k := range slices.Backward(kinds) {
		_, err := e.Release(t.Context(), "other", k.Name, k.Name)
		require.NoError(t, err, k.Name)
	}
}

// onCloud acts on an object as others would, without this server.
func onCloud(t *testing.T, e *enginetest.Env) driver.Session {
	t.Helper()
	s, _, err := e.Session(t.Context(), "mock")
	require.NoError(t, err)
	return s
}

func cloudIDOf(t *testing.T, e *enginetest.Env, kind, name string) string {
	t.Helper()
	r, err := e.Get(t.Context(), "mock", kind, name)
	require.NoError(t, err)
	return r.CloudID
}

func TestWhatOthersChangeIsSeen(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	oneOfEach(t, e)
	others := onCloud(t, e)
	act := func(kind, action string, params any) {
		t.Helper()
		raw, err := json.Marshal(params)
		require.NoError(t, err)
		_, err = others.Act(t.Context(), kind, cloudIDOf(t, e, kind, kind), action, raw)
		require.NoError(t, err)
		require.NoError(t, e.Refresh(t.Context(), "mock", kind, 0))
	}
	act("disk", "attach", resource.DiskAttachment{VM: cloudIDOf(t, e, "vm", "vm")})
	_, disk := specAndStatus[resource.DiskSpec, resource.DiskStatus](t, e, "mock", "disk", "disk")
	assert.Equal(t, "vm", disk.VM)
	act("disk", "label", resource.LabelChange{Set: map[string]string{"by": "others"}})
	r, err := e.Get(t.Context(), "mock", "disk", "disk")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"by": "others"}, r.Labels)

	// A member that others removed is kept by nothing any more; one that they added is.
	e.MustCreate("mock", "vm", "second", fmt.Sprintf(`{"image":%q,"spec":%q,"subnet":"subnet"}`, e.Image, e.Spec))
	act("nlb", "addmembers", resource.MemberChange{Members: []string{cloudIDOf(t, e, "vm", "second")}})
	_, err = e.Delete(t.Context(), "mock", "vm", "second")
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err))
	act("nlb", "removemembers", resource.MemberChange{Members: []string{cloudIDOf(t, e, "vm", "vm")}})
	nlb, _ := specAndStatus[resource.NLBSpec, resource.NLBStatus](t, e, "mock", "nlb", "nlb")
	assert.Equal(t, []string{"second"}, nlb.Members)
	mustDelete(t, e, "mock", "vm", "vm")

	_, err = others.Delete(t.Context(), "vm", cloudIDOf(t, e, "vm", "second"))
	require.NoError(t, err)
	require.NoError(t, e.Refresh(t.Context(), "mock", "nlb", 0))
	nlb, _ = specAndStatus[resource.NLBSpec, resource.NLBStatus](t, e, "mock", "nlb", "nlb")
	assert.Empty(t, nlb.Members)
}

// TestReferencesOfAListFollowIt removes the first of two, of which only one is managed
// here: what moves to its place is another one.
func TestReferencesOfAListFollowIt(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	oneOfEach(t, e)
	stranger, _, err := onCloud(t, e).Create(t.Context(), "keypair", driver.ItemRequest{
		Token: "stranger", Name: "stranger", Spec: json.RawMessage(`{"publicKey":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"}`),
	})
	require.NoError(t, err)
	group, err := json.Marshal(resource.NodeGroup{Name: "b", Spec: e.Spec, KeyPair: stranger.ID})
	require.NoError(t, err)
	_, err = onCloud(t, e).Act(t.Context(), "cluster", cloudIDOf(t, e, "cluster", "cluster"), "addnodegroup", group)
	require.NoError(t, err)
	mustAct(t, e, "cluster", "cluster", "removenodegroup", `{"name":"a"}`)
	cluster, _ := specAndStatus[resource.ClusterSpec, resource.ClusterStatus](t, e, "mock", "cluster", "cluster")
	require.Len(t, cluster.NodeGroups, 1)
	assert.Equal(t, stranger.ID, cluster.NodeGroups[0].KeyPair)
	mustDelete(t, e, "mock", "nlb", "nlb")
	mustDelete(t, e, "mock", "vm", "vm")
	mustDelete(t, e, "mock", "keypair", "keypair")
}

func TestAClusterChangesAndGoesWithItsNodeGroups(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "50ms")
	oneOfEach(t, e)
	mustDelete(t, e, "mock", "nlb", "nlb")
	mustDelete(t, e, "mock", "vm", "vm")
	_, err := e.Delete(t.Context(), "mock", "keypair", "keypair")
	assert.ErrorContains(t, err, "used by: cluster", "a reference inside of a node group")
	mustAct(t, e, "cluster", "cluster", "addnodegroup", fmt.Sprintf(`{"name":"b","spec":%q,"desiredNodes":2}`, e.Spec))
	mustAct(t, e, "cluster", "cluster", "scalenodegroup", `{"name":"b","autoscaling":true,"minNodes":1,"maxNodes":4}`)
	spec, status := specAndStatus[resource.ClusterSpec, resource.ClusterStatus](t, e, "mock", "cluster", "cluster")
	require.Len(t, status.NodeGroups, 2)
	assert.Equal(t, resource.StateAvailable, status.NodeGroups[1].State)
	assert.True(t, spec.NodeGroups[1].Autoscaling)
	mustAct(t, e, "cluster", "cluster", "removenodegroup", `{"name":"a"}`)
	mustDelete(t, e, "mock", "keypair", "keypair")
	mustDelete(t, e, "mock", "cluster", "cluster")
	assert.Empty(t, e.OnCloud("mock", "cluster"))
}

func TestWhatFailedIsStillLabelled(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "failSettle", "1", "latency", "20ms")
	op, err := e.Ask("mock", "disk", "d", `{"sizeGiB":10}`)
	require.NoError(t, err)
	require.Equal(t, resource.CodeCapacity, e.Fails(op).Code)
	mustAct(t, e, "disk", "d", "label", `{"set":{"why":"unknown"}}`)
	r, err := e.Get(t.Context(), "mock", "disk", "d")
	require.NoError(t, err)
	assert.Equal(t, resource.StateFailed, r.State)
	assert.NotNil(t, r.Error, "it still says why")
	assert.Equal(t, map[string]string{"why": "unknown"}, r.Labels)
	op, err = e.Act(t.Context(), "mock", "disk", "d", "resize", []byte(`{"sizeGiB":20}`))
	require.NoError(t, err)
	assert.Equal(t, resource.CodeConflict, e.Fails(op).Code, "nothing else is possible")
}
