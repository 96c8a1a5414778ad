package openstack_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	driverpkg "github.com/m-cmp/mc-infra-connector/drivers/openstack"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/openstack"
)

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNsOcYWyw8Cl5g9XyqKFaGDXg9EVz8ItSOTjYvMbmrB test"

const (
	patience = 2 * time.Minute        // with a machine that is busy
	tick     = 250 * time.Millisecond // between two looks at the cloud
)

// typed is an object of the cloud with the kind's own types.
type typed[S, T any] = driver.Object[S, T]

// config is a connection to a project.
func config(p *openstack.Project, c *openstack.Cloud) driver.Config {
	return driver.Config{Credential: p.Values(), Region: c.Region, Settings: driver.Values{}}
}

func open(t *testing.T, c driver.Config) drivertest.Patient {
	t.Helper()
	s, err := driverpkg.New().Connect(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return drivertest.Patient{Session: s}
}

// fresh opens a session of a project of its own.
func fresh(t *testing.T) drivertest.Patient {
	t.Helper()
	cloud := openstack.Open(t)
	return open(t, config(cloud.Project(t), cloud))
}

func decoded[S, T any](t *testing.T, item driver.Item) typed[S, T] {
	t.Helper()
	assert.NotEmpty(t, item.Native, "the cloud's own fields")
	o := typed[S, T]{ID: item.ID, Name: item.Name, Token: item.Token, State: item.State, CloudState: item.CloudState, Reason: item.Reason, Labels: item.Labels, CreatedAt: item.CreatedAt}
	require.NoError(t, json.Unmarshal(item.Spec, &o.Spec))
	require.NoError(t, json.Unmarshal(item.Status, &o.Status))
	return o
}

func tryCreate[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], token, name string, labels map[string]string, spec S) (driver.Item, error) {
	t.Helper()
	raw, err := json.Marshal(spec)
	require.NoError(t, err)
	return s.Create(t.Context(), kind.Name, driver.ItemRequest{Token: token, Name: name, Labels: labels, Spec: raw})
}

// create makes an object and waits until it has settled.
func create[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], name string, labels map[string]string, spec S) typed[S, T] {
	t.Helper()
	item, err := tryCreate(t, s, kind, name+"-"+kind.Name, name, labels, spec)
	require.NoError(t, err)
	assert.Equal(t, name+"-"+kind.Name, item.Token)
	return settled(t, s, kind, item.ID)
}

// until polls on the test's own goroutine, so that the condition may end the test.
func until(t *testing.T, condition func() bool, what string, args ...any) {
	t.Helper()
	for deadline := time.After(patience); !condition(); {
		select {
		case <-deadline:
			require.FailNow(t, "in vain: "+fmt.Sprintf(what, args...))
		case <-time.After(tick):
		}
	}
}

// settled waits until nothing more happens to an object by itself.
func settled[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], id string) typed[S, T] {
	t.Helper()
	var item driver.Item
	until(t, func() bool {
		var err error
		item, err = s.Get(t.Context(), kind.Name, id)
		require.NoError(t, err)
		return item.State.Settled()
	}, "%s %s does not settle", kind.Name, id)
	require.NotEqual(t, resource.StateFailed, item.State, "%s: %s", item.CloudState, item.Reason)
	return decoded[S, T](t, item)
}

// act runs an action and waits until its object has settled.
func act[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], id, action string, params any) typed[S, T] {
	t.Helper()
	raw, err := json.Marshal(params)
	require.NoError(t, err)
	require.NoError(t, s.Act(t.Context(), kind.Name, id, action, raw), action)
	return settled(t, s, kind, id)
}

// remove deletes an object, twice, and waits until it is gone.
func remove[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], id string) {
	t.Helper()
	until(t, func() bool {
		err := s.Delete(t.Context(), kind.Name, id)
		require.True(t, err == nil || resource.AsError(err).Retryable, "%v", err)
		return err == nil
	}, "%s %s is not deleted", kind.Name, id)
	gone(t, s, kind, id)
	require.NoError(t, s.Delete(t.Context(), kind.Name, id), "%s again", kind.Name)
}

func gone[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], id string) {
	t.Helper()
	until(t, func() bool {
		item, err := s.Get(t.Context(), kind.Name, id)
		if err == nil {
			return item.State == resource.StateDeleted
		}
		if resource.AsError(err).Retryable {
			return false
		}
		require.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "%v", err)
		return true
	}, "%s %s does not go", kind.Name, id)
	require.NotContains(t, all(t, s, kind), id)
}

// all answers the objects of a kind by id.
func all[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T]) map[string]typed[S, T] {
	t.Helper()
	found := map[string]typed[S, T]{}
	for item, err := range s.List(t.Context(), kind.Name) {
		require.NoError(t, err)
		require.NotContains(t, found, item.ID, "twice in one list")
		found[item.ID] = decoded[S, T](t, item)
	}
	return found
}

func entries[E any](t *testing.T, s drivertest.Patient, c resource.CatalogOf[E], q driver.Query) []E {
	t.Helper()
	var all []E
	for raw, err := range s.Catalog(t.Context(), c.Name, q) {
		require.NoError(t, err)
		var entry E
		require.NoError(t, json.Unmarshal(raw, &entry))
		all = append(all, entry)
	}
	return all
}

func anImage(t *testing.T, s drivertest.Patient) string {
	t.Helper()
	found := entries(t, s, resource.Images, driver.Query{"name": "ubuntu-22.04"})
	require.Len(t, found, 1)
	return found[0].ID
}

// place makes what VMs need.
func place(t *testing.T, s drivertest.Patient, name string) (vpc, subnet, group string) {
	t.Helper()
	vpc = create(t, s, resource.VPC, name, nil, resource.VPCSpec{CIDR: "10.1.0.0/16"}).ID
	subnet = create(t, s, resource.Subnet, name, nil, resource.SubnetSpec{VPC: vpc, CIDR: "10.1.1.0/24"}).ID
	group = create(t, s, resource.SecurityGroup, name, nil, resource.SecurityGroupSpec{VPC: vpc}).ID
	return vpc, subnet, group
}

func TestCatalogs(t *testing.T) {
	t.Parallel()
	cloud := openstack.Open(t)
	c := config(cloud.Project(t), cloud)
	c.Region = ""
	assert.Equal(t, []resource.Region{{Name: "RegionOne"}}, entries(t, open(t, c), resource.Regions, nil))

	c.Region = cloud.Region
	s := open(t, c)
	assert.Equal(t, []resource.Zone{{Name: "nova", Region: "RegionOne", Available: true}}, entries(t, s, resource.Zones, nil))
	ubuntu := entries(t, s, resource.Images, driver.Query{"name": "ubuntu-22.04"})
	require.Len(t, ubuntu, 1)
	assert.Equal(t, "ubuntu", ubuntu[0].OS)
	assert.Equal(t, "22.04", ubuntu[0].OSVersion)
	assert.GreaterOrEqual(t, len(entries(t, s, resource.Images, nil)), 4)
	assert.Contains(t, entries(t, s, resource.Specs, nil), resource.Spec{Name: "m1.small", VCPUs: 1, MemoryMiB: 2048, DiskSizeGiB: 20})
	types := entries(t, s, resource.DiskTypes, nil)
	assert.True(t, slices.ContainsFunc(types, func(x resource.DiskType) bool { return x.Name == "ssd" && x.RootDisk }), "%v", types)
	used := map[string]float64{}
	for _, quota := range entries(t, s, resource.Quotas, nil) {
		if quota.Used != nil {
			used[quota.ID] = *quota.Used
		}
	}
	for _, id := range []string{"compute/instances", "volume/volumes", "network/port"} {
		assert.Contains(t, used, id, "%v", slices.Sorted(maps.Keys(used)))
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	labels := map[string]string{"team": "인프라", "empty": "", "example.com/owner": "하늘"}

	vpc := create(t, s, resource.VPC, "life", labels, resource.VPCSpec{CIDR: "10.1.0.0/16"})
	assert.Equal(t, "life", vpc.Name)
	assert.Equal(t, labels, vpc.Labels)
	assert.Equal(t, resource.VPCSpec{CIDR: "10.1.0.0/16"}, vpc.Spec)
	assert.NotNil(t, vpc.CreatedAt)
	assert.Equal(t, map[string]string{"team": "infra"}, act(t, s, resource.VPC, vpc.ID, "label",
		resource.LabelChange{Set: map[string]string{"team": "infra"}, Remove: []string{"empty", "nobody", "example.com/owner"}}).Labels)

	subnet := create(t, s, resource.Subnet, "life", labels, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.1.1.0/24"})
	assert.Equal(t, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.1.1.0/24"}, subnet.Spec)
	assert.Equal(t, labels, subnet.Labels)

	ssh := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "0.0.0.0/0"}
	ping := resource.Rule{Direction: "in", Protocol: "icmp", CIDR: "10.0.0.0/8"}
	everything := resource.Rule{Direction: "out", Protocol: "all", CIDR: "0.0.0.0/0"}
	dns := resource.Rule{Direction: "out", Protocol: "udp", FromPort: 53, ToPort: 53, CIDR: "0.0.0.0/0"}
	group := create(t, s, resource.SecurityGroup, "life", labels, resource.SecurityGroupSpec{VPC: vpc.ID, Description: "웹 서버", Rules: []resource.Rule{ssh, ping}})
	assert.Equal(t, resource.SecurityGroupSpec{VPC: vpc.ID, Description: "웹 서버", Rules: []resource.Rule{ping, ssh, everything}}, group.Spec)
	group = act(t, s, resource.SecurityGroup, group.ID, "addrules", resource.RuleChange{Rules: []resource.Rule{ssh, dns}})
	assert.Equal(t, []resource.Rule{ping, ssh, everything, dns}, group.Spec.Rules)
	group = act(t, s, resource.SecurityGroup, group.ID, "removerules", resource.RuleChange{Rules: []resource.Rule{ping, everything, ping}})
	assert.Equal(t, []resource.Rule{ssh, dns}, group.Spec.Rules)
	closed := create(t, s, resource.SecurityGroup, "closed", nil, resource.SecurityGroupSpec{VPC: vpc.ID, Rules: []resource.Rule{dns}})
	assert.Equal(t, []resource.Rule{dns}, closed.Spec.Rules, "the rules say what may go out")

	key := create(t, s, resource.KeyPair, "life.key", nil, resource.KeyPairSpec{PublicKey: publicKey})
	assert.Equal(t, resource.KeyPairSpec{Algorithm: "ed25519", PublicKey: publicKey}, key.Spec)
	assert.NotEmpty(t, key.Status.Fingerprint)

	asked := resource.VMSpec{Image: anImage(t, s), Spec: "m1.small", Subnet: subnet.ID, SecurityGroups: []string{group.ID}, KeyPair: key.ID, UserData: "#!/bin/sh\ntrue\n"}
	vm := create(t, s, resource.VM, "life", labels, asked)
	assert.Equal(t, resource.StateRunning, vm.State)
	asked.UserData = "" // Nova does not show it
	assert.Equal(t, asked, vm.Spec)
	assert.Equal(t, labels, vm.Labels)
	assert.Equal(t, "nova", vm.Status.Zone)
	assert.Equal(t, "ubuntu", vm.Status.SSHUser, "as the image says")
	assert.Regexp(t, `^10\.1\.1\.\d+$`, vm.Status.PrivateAddress)
	assert.Equal(t, vm, all(t, s, resource.VM)[vm.ID], "a list shows what a look at one shows")
	assert.Empty(t, all(t, s, resource.NIC), "the port that the VM was created with is none")

	assert.Equal(t, resource.StateStopped, act(t, s, resource.VM, vm.ID, "stop", nil).State)
	assert.Equal(t, "m1.medium", act(t, s, resource.VM, vm.ID, "resize", resource.VMSize{Spec: "m1.medium"}).Spec.Spec)
	assert.Equal(t, "m1.medium", act(t, s, resource.VM, vm.ID, "resize", resource.VMSize{Spec: "m1.medium"}).Spec.Spec, "again")
	assert.Equal(t, resource.StateRunning, act(t, s, resource.VM, vm.ID, "start", nil).State)
	assert.Equal(t, resource.StateRunning, act(t, s, resource.VM, vm.ID, "reboot", nil).State)
	assert.Equal(t, map[string]string{"team": "infra"}, act(t, s, resource.VM, vm.ID, "label",
		resource.LabelChange{Set: map[string]string{"team": "infra"}, Remove: []string{"empty", "nobody", "example.com/owner"}}).Labels)
	_, err := s.View(t.Context(), "vm", vm.ID, "password", nil)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "%v", err)
	console, err := s.View(t.Context(), "vm", vm.ID, "console", json.RawMessage(`{"lines":1}`))
	require.NoError(t, err)
	assert.NotContains(t, string(console), `\n`, "one line")

	for _, used := range []struct{ kind, id string }{{"vpc", vpc.ID}, {"subnet", subnet.ID}, {"securitygroup", group.ID}} {
		err := s.Delete(t.Context(), used.kind, used.id)
		assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "%s: %v", used.kind, err)
	}
	assert.Equal(t, vm.Status.PrivateAddress, settled(t, s, resource.VM, vm.ID).Status.PrivateAddress, "unharmed")

	remove(t, s, resource.VM, vm.ID)
	remove(t, s, resource.KeyPair, key.ID)
	remove(t, s, resource.SecurityGroup, closed.ID)
	remove(t, s, resource.SecurityGroup, group.ID)
	remove(t, s, resource.Subnet, subnet.ID)
	remove(t, s, resource.VPC, vpc.ID)
}

func TestLifeOfDisks(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	_, subnet, _ := place(t, s, "disks")
	vm := create(t, s, resource.VM, "disks", nil, resource.VMSpec{Image: anImage(t, s), Spec: "m1.tiny", Subnet: subnet})
	labels := map[string]string{"team": "인프라"}

	disk := create(t, s, resource.Disk, "data", labels, resource.DiskSpec{SizeGiB: 2, Type: "ssd"})
	assert.Equal(t, resource.DiskSpec{SizeGiB: 2, Type: "ssd", Zone: "nova"}, disk.Spec)
	assert.Equal(t, labels, disk.Labels)
	disk = act(t, s, resource.Disk, disk.ID, "attach", resource.DiskAttachment{VM: vm.ID})
	assert.Equal(t, vm.ID, disk.Status.VM)
	assert.NotEmpty(t, disk.Status.Device)
	assert.Equal(t, disk, act(t, s, resource.Disk, disk.ID, "attach", resource.DiskAttachment{VM: vm.ID}), "again")
	assert.Equal(t, 3, act(t, s, resource.Disk, disk.ID, "resize", resource.DiskSize{SizeGiB: 3}).Spec.SizeGiB)
	err := s.Delete(t.Context(), "disk", disk.ID)
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "%v", err)

	snapshot := create(t, s, resource.Snapshot, "copy", labels, resource.SnapshotSpec{Disk: disk.ID, Description: "복사본"})
	assert.Equal(t, resource.SnapshotSpec{Disk: disk.ID, Description: "복사본"}, snapshot.Spec)
	assert.Equal(t, 3, snapshot.Status.SizeGiB)
	assert.Equal(t, map[string]string{"stage": "test"}, act(t, s, resource.Snapshot, snapshot.ID, "label",
		resource.LabelChange{Set: map[string]string{"stage": "test"}, Remove: []string{"team"}}).Labels)
	assert.Equal(t, "copy-snapshot", settled(t, s, resource.Snapshot, snapshot.ID).Token, "labels leave the token")

	assert.Empty(t, act(t, s, resource.Disk, disk.ID, "detach", nil).Status.VM)
	assert.Empty(t, act(t, s, resource.Disk, disk.ID, "detach", nil).Status.VM, "again")
	err = s.Delete(t.Context(), "disk", disk.ID)
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "it has a snapshot: %v", err)
	filled := create(t, s, resource.Disk, "filled", nil, resource.DiskSpec{SizeGiB: 3, Snapshot: snapshot.ID})
	assert.Equal(t, snapshot.ID, filled.Spec.Snapshot)

	image := create(t, s, resource.CustomImage, "golden", labels, resource.CustomImageSpec{VM: vm.ID, Description: "황금"})
	assert.Equal(t, resource.CustomImageSpec{VM: vm.ID, Description: "황금"}, image.Spec)
	assert.Equal(t, labels, image.Labels)
	assert.NotContains(t, entries(t, s, resource.Images, nil), image.ID)
	second := create(t, s, resource.VM, "second", nil, resource.VMSpec{CustomImage: image.ID, Spec: "m1.tiny", Subnet: subnet, RootDiskSizeGiB: 5, RootDiskType: "ssd"})
	assert.Equal(t, "ubuntu", second.Status.SSHUser, "as the image of the image says")
	disks := all(t, s, resource.Disk)
	root := slices.Collect(maps.Keys(disks))
	root = slices.DeleteFunc(root, func(id string) bool { return disks[id].Status.VM != second.ID })
	require.Len(t, root, 1, "it boots from a volume")
	assert.Equal(t, 5, disks[root[0]].Spec.SizeGiB)
	assert.Equal(t, "ssd", disks[root[0]].Spec.Type)

	copied := create(t, s, resource.CustomImage, "of-volume", nil, resource.CustomImageSpec{VM: second.ID})
	assert.Len(t, all(t, s, resource.Snapshot), 2, "Nova makes a snapshot of the volume")
	remove(t, s, resource.CustomImage, copied.ID)
	until(t, func() bool { return len(all(t, s, resource.Snapshot)) == 1 }, "it goes with the image")

	remove(t, s, resource.VM, second.ID)
	gone(t, s, resource.Disk, root[0])
	third := create(t, s, resource.VM, "third", nil, resource.VMSpec{CustomImage: image.ID, Spec: "m1.tiny", Subnet: subnet})
	assert.Equal(t, image.ID, third.Spec.CustomImage)
	assert.Empty(t, third.Spec.Image)
	remove(t, s, resource.VM, third.ID)
	remove(t, s, resource.CustomImage, image.ID)
	remove(t, s, resource.Disk, filled.ID)
	remove(t, s, resource.Snapshot, snapshot.ID)
	remove(t, s, resource.Disk, disk.ID)
	remove(t, s, resource.VM, vm.ID)
}

func TestImagesOfOneServerAtTheSameTime(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	_, subnet, _ := place(t, s, "images")
	vm := create(t, s, resource.VM, "copied", nil, resource.VMSpec{Image: anImage(t, s), Spec: "m1.tiny", Subnet: subnet})
	spec, err := json.Marshal(resource.CustomImageSpec{VM: vm.ID})
	require.NoError(t, err)
	ids := make([]string, 6)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for again := time.NewTicker(tick); ids[i] == ""; {
				item, err := s.Create(ctx, "customimage", driver.ItemRequest{Token: fmt.Sprint("copy", i), Name: fmt.Sprint("copy", i), Spec: spec})
				if ids[i] = item.ID; err != nil && !assert.True(t, resource.AsError(err).Retryable, "%v", err) {
					return
				}
				select {
				case <-ctx.Done():
					return
				case <-again.C:
				}
			}
		})
	}
	group.Wait()
	for _, id := range ids {
		require.NotEmpty(t, id)
		assert.Equal(t, resource.StateAvailable, settled(t, s, resource.CustomImage, id).State)
	}
	require.Len(t, all(t, s, resource.CustomImage), len(ids), "what could not begin is not left behind")
	for _, id := range ids {
		remove(t, s, resource.CustomImage, id)
	}
	remove(t, s, resource.VM, vm.ID)
}

func TestLifeOfAddresses(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	_, subnet, group := place(t, s, "addresses")
	vm := create(t, s, resource.VM, "addresses", nil, resource.VMSpec{Image: anImage(t, s), Spec: "m1.tiny", Subnet: subnet, SecurityGroups: []string{group}})
	labels := map[string]string{"team": "인프라"}

	nic := create(t, s, resource.NIC, "second", labels, resource.NICSpec{Subnet: subnet, SecurityGroups: []string{group}, PrivateAddress: "10.1.1.77"})
	assert.Equal(t, resource.NICSpec{Subnet: subnet, SecurityGroups: []string{group}, PrivateAddress: "10.1.1.77"}, nic.Spec)
	assert.NotEmpty(t, nic.Status.MACAddress)
	assert.Equal(t, labels, nic.Labels)
	nic = act(t, s, resource.NIC, nic.ID, "addaddresses", resource.AddressChange{Addresses: []string{"10.1.1.5", "10.1.1.99", "10.1.1.77"}})
	assert.Equal(t, "10.1.1.77", nic.Status.PrivateAddress)
	assert.ElementsMatch(t, []string{"10.1.1.5", "10.1.1.99"}, nic.Status.SecondaryAddresses)
	assert.Equal(t, labels, nic.Labels)
	nic = act(t, s, resource.NIC, nic.ID, "removeaddresses", resource.AddressChange{Addresses: []string{"10.1.1.5", "10.1.1.200", "10.1.1.77"}})
	assert.Equal(t, []string{"10.1.1.99"}, nic.Status.SecondaryAddresses)
	assert.Equal(t, "10.1.1.77", nic.Status.PrivateAddress, "the primary one stays")

	require.NoError(t, s.Act(t.Context(), "nic", nic.ID, "attach", []byte(`{"vm":"`+vm.ID+`"}`)))
	until(t, func() bool { return settled(t, s, resource.NIC, nic.ID).Status.VM == vm.ID }, "it is attached")
	act(t, s, resource.NIC, nic.ID, "attach", resource.NICAttachment{VM: vm.ID})
	err := s.Delete(t.Context(), "nic", nic.ID)
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "%v", err)
	assert.Equal(t, vm.Status.PrivateAddress, settled(t, s, resource.VM, vm.ID).Status.PrivateAddress, "the first port's, still")

	address := create(t, s, resource.PublicIP, "door", labels, resource.PublicIPSpec{})
	assert.Equal(t, "door", address.Name)
	assert.Regexp(t, `^203\.0\.113\.\d+$`, address.Status.Address)
	assert.Equal(t, labels, address.Labels)
	address = act(t, s, resource.PublicIP, address.ID, "associate", resource.Association{VM: vm.ID})
	assert.Equal(t, vm.ID, address.Status.VM)
	assert.Empty(t, address.Status.NIC)
	assert.Equal(t, address, all(t, s, resource.PublicIP)[address.ID])
	act(t, s, resource.PublicIP, address.ID, "associate", resource.Association{VM: vm.ID})
	until(t, func() bool {
		return settled(t, s, resource.VM, vm.ID).Status.PublicAddress == address.Status.Address
	}, "the VM shows it")
	err = s.Delete(t.Context(), "publicip", address.ID)
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "%v", err)
	address = act(t, s, resource.PublicIP, address.ID, "associate", resource.Association{NIC: nic.ID})
	assert.Equal(t, nic.ID, address.Status.NIC, "moved")
	assert.Empty(t, act(t, s, resource.PublicIP, address.ID, "disassociate", nil).Status.NIC)
	act(t, s, resource.PublicIP, address.ID, "disassociate", nil)
	remove(t, s, resource.PublicIP, address.ID)

	require.NoError(t, s.Act(t.Context(), "nic", nic.ID, "detach", nil))
	until(t, func() bool { return settled(t, s, resource.NIC, nic.ID).Status.VM == "" }, "it is detached")
	act(t, s, resource.NIC, nic.ID, "detach", nil)
	remove(t, s, resource.NIC, nic.ID)
	remove(t, s, resource.VM, vm.ID)
	assert.Empty(t, all(t, s, resource.NIC), "its port went with it")
}

func TestLifeOfNLBs(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	vpc, subnet, _ := place(t, s, "nlb")
	var members []string
	for _, name := range []string{"one", "two"} {
		members = append(members, create(t, s, resource.VM, name, nil, resource.VMSpec{Image: anImage(t, s), Spec: "m1.tiny", Subnet: subnet}).ID)
	}
	check := resource.HealthCheck{Protocol: "http", Port: 8080, Path: "/healthz", IntervalSeconds: 10, TimeoutSeconds: 5, Threshold: 3}
	labels := map[string]string{"team": "인프라"}
	nlb := create(t, s, resource.NLB, "front", labels, resource.NLBSpec{VPC: vpc, Protocol: "tcp", Port: 80, TargetPort: 8080, Members: members[:1], HealthCheck: check})
	assert.Equal(t, resource.NLBSpec{VPC: vpc, Subnets: []string{subnet}, Protocol: "tcp", Port: 80, TargetPort: 8080, Members: members[:1], HealthCheck: check}, nlb.Spec)
	assert.Equal(t, labels, nlb.Labels)
	assert.Regexp(t, `^203\.0\.113\.\d+$`, nlb.Status.Address)
	assert.Equal(t, nlb, all(t, s, resource.NLB)[nlb.ID])
	assert.Empty(t, all(t, s, resource.PublicIP), "its address is not one to be given away")
	assert.Empty(t, all(t, s, resource.NIC))

	again, err := tryCreate(t, s, resource.NLB, "front-nlb", "front", labels, resource.NLBSpec{VPC: vpc, Protocol: "tcp", Port: 80, TargetPort: 8080, Members: members[:1], HealthCheck: check})
	require.NoError(t, err)
	assert.Equal(t, nlb.ID, again.ID)

	slices.Sort(members)
	assert.Equal(t, members, act(t, s, resource.NLB, nlb.ID, "addmembers", resource.MemberChange{Members: members}).Spec.Members)
	raw, err := s.View(t.Context(), "nlb", nlb.ID, "health", nil)
	require.NoError(t, err)
	var health resource.Health
	require.NoError(t, json.Unmarshal(raw, &health))
	assert.Len(t, health.Members, 2)
	assert.Equal(t, members[:1], act(t, s, resource.NLB, nlb.ID, "removemembers", resource.MemberChange{Members: members[1:]}).Spec.Members)

	check.IntervalSeconds, check.Threshold = 20, 2
	assert.Equal(t, check, act(t, s, resource.NLB, nlb.ID, "sethealthcheck", check).Spec.HealthCheck)
	other := resource.HealthCheck{Protocol: "tcp", Port: 9090, IntervalSeconds: 10, TimeoutSeconds: 5, Threshold: 3}
	assert.Equal(t, other, act(t, s, resource.NLB, nlb.ID, "sethealthcheck", other).Spec.HealthCheck, "another type is another monitor")
	moved := act(t, s, resource.NLB, nlb.ID, "setlistener", resource.ListenerChange{Port: 8443}).Spec
	assert.Equal(t, []any{"tcp", 8443, 8080, other, members[:1]}, []any{moved.Protocol, moved.Port, moved.TargetPort, moved.HealthCheck, moved.Members})
	assert.Equal(t, moved, act(t, s, resource.NLB, nlb.ID, "setlistener", resource.ListenerChange{Port: 8443}).Spec, "again")
	moved.Protocol, moved.Port = "udp", 53
	assert.Equal(t, moved, act(t, s, resource.NLB, nlb.ID, "setlistener", resource.ListenerChange{Protocol: "udp", Port: 53}).Spec, "another protocol is another pool, with the same members and monitor")
	moved.TargetPort = 5353
	assert.Equal(t, moved, act(t, s, resource.NLB, nlb.ID, "settarget", resource.TargetChange{Port: 5353}).Spec, "a check of another port stays")
	require.Empty(t, act(t, s, resource.NLB, nlb.ID, "removemembers", resource.MemberChange{Members: members}).Spec.Members)
	assert.Equal(t, 5454, act(t, s, resource.NLB, nlb.ID, "settarget", resource.TargetChange{Port: 5454}).Spec.TargetPort, "it is kept without members")
	assert.Equal(t, 5454, act(t, s, resource.NLB, nlb.ID, "addmembers", resource.MemberChange{Members: members[:1]}).Spec.TargetPort)
	assert.Equal(t, map[string]string{"stage": "test"}, act(t, s, resource.NLB, nlb.ID, "label",
		resource.LabelChange{Set: map[string]string{"stage": "test"}, Remove: []string{"team"}}).Labels)

	require.NoError(t, s.Act(t.Context(), "nlb", nlb.ID, "label", []byte(`{"set":{"a":"b"}}`)))
	if err := s.Act(t.Context(), "nlb", nlb.ID, "label", []byte(`{"set":{"a":"c"}}`)); err != nil { // unless the machine is slow
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "it takes one change after another: %v", err)
		assert.True(t, resource.AsError(err).Retryable)
	}
	settled(t, s, resource.NLB, nlb.ID)
	err = s.Delete(t.Context(), "subnet", subnet)
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "%v", err)

	inside := create(t, s, resource.NLB, "inside", nil, resource.NLBSpec{VPC: vpc, Subnets: []string{subnet}, Internal: true, Protocol: "udp", Port: 53, TargetPort: 53, Members: []string{}, HealthCheck: other})
	assert.Regexp(t, `^10\.1\.1\.\d+$`, inside.Status.Address)
	remove(t, s, resource.NLB, inside.ID)
	remove(t, s, resource.NLB, nlb.ID)
}

func TestLifeOfClusters(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	vpc, subnet, _ := place(t, s, "cluster")
	key := create(t, s, resource.KeyPair, "cluster", nil, resource.KeyPairSpec{PublicKey: publicKey}).ID
	first := resource.NodeGroup{Name: "first", Spec: "m1.small", KeyPair: key, DesiredNodes: 2, MinNodes: 1, MaxNodes: 3, RootDiskSizeGiB: 20, Autoscaling: true}
	asked := resource.ClusterSpec{VPC: vpc, Subnets: []string{subnet}, Version: "v1.27.8", NodeGroups: []resource.NodeGroup{first}}
	cluster := create(t, s, resource.Cluster, "life", nil, asked)
	require.Len(t, cluster.Spec.NodeGroups, 1)
	assert.Equal(t, "v1.27.8", cluster.Spec.Version)
	assert.Equal(t, vpc, cluster.Spec.VPC)
	assert.Equal(t, []string{subnet}, cluster.Spec.Subnets)
	group := cluster.Spec.NodeGroups[0]
	assert.Equal(t, []any{"first", "m1.small", key, 2, 20, true}, []any{group.Name, group.Spec, group.KeyPair, group.DesiredNodes, group.RootDiskSizeGiB, group.Autoscaling})
	assert.Equal(t, resource.StateAvailable, cluster.Status.NodeGroups[0].State)
	assert.NotEmpty(t, cluster.Status.Endpoint)
	assert.Equal(t, cluster, all(t, s, resource.Cluster)[cluster.ID])

	again, err := tryCreate(t, s, resource.Cluster, "life-cluster", "life", nil, asked)
	require.NoError(t, err)
	assert.Equal(t, cluster.ID, again.ID)
	asked.Version = "v0.1"
	_, err = tryCreate(t, s, resource.Cluster, "old", "old", nil, asked)
	assert.ErrorContains(t, err, "v1.28.9, v1.27.8")
	asked.Version, asked.VPC = "v1.27.8", "nowhere"
	_, err = tryCreate(t, s, resource.Cluster, "lost", "lost", nil, asked)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "Magnum itself would take it: %v", err)
	err = s.Act(t.Context(), "cluster", "nothing", "removenodegroup", []byte(`{"name":"second"}`))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "%v", err)

	raw, err := s.View(t.Context(), "cluster", cluster.ID, "kubeconfig", nil)
	require.NoError(t, err)
	var kubeconfig resource.Kubeconfig
	require.NoError(t, json.Unmarshal(raw, &kubeconfig))
	assert.NotNil(t, kubeconfig.ExpiresAt)
	checkKubeconfig(t, kubeconfig.Kubeconfig, cluster.Status.Endpoint)

	second := resource.NodeGroup{Name: "second", Spec: "m1.medium", DesiredNodes: 1, MinNodes: 1, MaxNodes: 4}
	cluster = act(t, s, resource.Cluster, cluster.ID, "addnodegroup", second)
	cluster = act(t, s, resource.Cluster, cluster.ID, "addnodegroup", second)
	require.Len(t, cluster.Spec.NodeGroups, 2)
	assert.Equal(t, "second", cluster.Spec.NodeGroups[1].Name)
	cluster = act(t, s, resource.Cluster, cluster.ID, "scalenodegroup", resource.NodeGroupScale{Name: "second", DesiredNodes: 5, MaxNodes: 6})
	assert.Equal(t, 5, cluster.Spec.NodeGroups[1].DesiredNodes)
	assert.Equal(t, 6, cluster.Spec.NodeGroups[1].MaxNodes)
	grown := act(t, s, resource.Cluster, cluster.ID, "scalenodegroup", resource.NodeGroupScale{Name: "second", DesiredNodes: 8}).Spec.NodeGroups[1]
	assert.Equal(t, []int{1, 8, 8}, []int{grown.MinNodes, grown.DesiredNodes, grown.MaxNodes}, "without autoscaling the limits follow")
	shrunk := act(t, s, resource.Cluster, cluster.ID, "scalenodegroup", resource.NodeGroupScale{Name: "second", DesiredNodes: 2, MinNodes: 2, MaxNodes: 2}).Spec.NodeGroups[1]
	assert.Equal(t, []int{2, 2, 2}, []int{shrunk.MinNodes, shrunk.DesiredNodes, shrunk.MaxNodes})
	scaled := act(t, s, resource.Cluster, cluster.ID, "scalenodegroup", resource.NodeGroupScale{Name: "first", MinNodes: 2}).Spec.NodeGroups[0]
	assert.Equal(t, []int{2, 2, 3}, []int{scaled.MinNodes, scaled.DesiredNodes, scaled.MaxNodes}, "with autoscaling what is not named stays")
	assert.Equal(t, 1, act(t, s, resource.Cluster, cluster.ID, "scalenodegroup", resource.NodeGroupScale{Name: "first", MinNodes: 1}).Spec.NodeGroups[0].MinNodes)
	assert.Equal(t, 3, act(t, s, resource.Cluster, cluster.ID, "scalenodegroup", resource.NodeGroupScale{Name: "first", DesiredNodes: 3}).Spec.NodeGroups[0].DesiredNodes)
	assert.Len(t, act(t, s, resource.Cluster, cluster.ID, "removenodegroup", resource.NodeGroupName{Name: "second"}).Spec.NodeGroups, 1)
	act(t, s, resource.Cluster, cluster.ID, "removenodegroup", resource.NodeGroupName{Name: "second"})
	err = s.Act(t.Context(), "cluster", cluster.ID, "removenodegroup", []byte(`{"name":"first"}`))
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "%v", err)
	assert.Equal(t, "v1.28.9", act(t, s, resource.Cluster, cluster.ID, "upgrade", resource.ClusterVersion{Version: "1.28.9"}).Spec.Version)
	remove(t, s, resource.Cluster, cluster.ID)
}

// checkKubeconfig checks what a client makes of a kubeconfig: the key belongs to the
// certificate, and that is of the cluster's authority.
func checkKubeconfig(t *testing.T, file, server string) {
	t.Helper()
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server    string
				Authority string `yaml:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Certificate string `yaml:"client-certificate-data"`
				Key         string `yaml:"client-key-data"`
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(file), &config))
	assert.Equal(t, server, config.Clusters[0].Cluster.Server)
	plain := func(text string) []byte {
		raw, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		return raw
	}
	pair, err := tls.X509KeyPair(plain(config.Users[0].User.Certificate), plain(config.Users[0].User.Key))
	require.NoError(t, err)
	authority := x509.NewCertPool()
	require.True(t, authority.AppendCertsFromPEM(plain(config.Clusters[0].Cluster.Authority)))
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: authority, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	assert.NoError(t, err)
	assert.Equal(t, []string{"system:masters"}, pair.Leaf.Subject.Organization)
}
