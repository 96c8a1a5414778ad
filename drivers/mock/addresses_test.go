package mock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestPublicIPMoves(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	one, two := create(t, s, "vm", "one", n.vm()), create(t, s, "vm", "two", n.vm())
	nic := create(t, s, "nic", "nic", resource.NICSpec{Subnet: n.subnet}).ID
	ip, other := create(t, s, "publicip", "ip", resource.PublicIPSpec{}), create(t, s, "publicip", "other", resource.PublicIPSpec{}).ID
	address := decoded[resource.PublicIPStatus](t, ip.Status).Address
	require.NotEmpty(t, address)
	own := decoded[resource.VMStatus](t, one.Status).PublicAddress
	require.NotEqual(t, address, own)

	associate := func(ip string, with resource.Association) {
		t.Helper()
		require.NoError(t, act(t, s, "publicip", ip, "associate", with))
	}
	status := func(id string) resource.PublicIPStatus {
		t.Helper()
		status := decoded[resource.PublicIPStatus](t, get(t, s, "publicip", id).Status)
		require.Equal(t, status, decoded[resource.PublicIPStatus](t, get(t, r.reopened().connect(), "publicip", id).Status))
		return status
	}
	public := func(vm string) string {
		t.Helper()
		return decoded[resource.VMStatus](t, get(t, s, "vm", vm).Status).PublicAddress
	}
	associate(ip.ID, resource.Association{VM: one.ID})
	associate(ip.ID, resource.Association{VM: one.ID})
	require.Equal(t, resource.PublicIPStatus{Address: address, VM: one.ID}, status(ip.ID))
	require.Equal(t, address, public(one.ID))
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "publicip", ip.ID)).Code)

	associate(ip.ID, resource.Association{VM: two.ID})
	require.Equal(t, two.ID, status(ip.ID).VM, "taken from one")
	require.Equal(t, own, public(one.ID))
	associate(other, resource.Association{VM: two.ID})
	require.Equal(t, two.ID, status(other).VM)
	require.Empty(t, status(ip.ID).VM, "one address for each")

	associate(ip.ID, resource.Association{NIC: nic})
	require.Equal(t, resource.PublicIPStatus{Address: address, NIC: nic}, status(ip.ID))
	require.NoError(t, act(t, s, "nic", nic, "attach", resource.NICAttachment{VM: one.ID}))
	require.Equal(t, resource.PublicIPStatus{Address: address, NIC: nic, VM: one.ID}, status(ip.ID))
	require.Equal(t, address, decoded[resource.NICStatus](t, get(t, s, "nic", nic).Status).PublicAddress)
	require.Equal(t, own, public(one.ID), "it is not the first interface's")

	require.NoError(t, act(t, s, "publicip", ip.ID, "disassociate", nil))
	require.NoError(t, act(t, s, "publicip", ip.ID, "disassociate", nil))
	require.Equal(t, resource.PublicIPStatus{Address: address}, status(ip.ID))
	require.NoError(t, s.Delete(t.Context(), "publicip", ip.ID))
	require.NoError(t, s.Delete(t.Context(), "vm", two.ID))
	require.Empty(t, status(other).VM)
	require.NoError(t, s.Delete(t.Context(), "publicip", other))

	third := create(t, s, "publicip", "third", resource.PublicIPSpec{}).ID
	for _, bad := range []resource.Association{{}, {VM: one.ID, NIC: nic}, {VM: "vm-x"}, {NIC: "nic-x"}} {
		require.Equal(t, resource.CodeInvalid, cloudError(t, act(t, s, "publicip", third, "associate", bad)).Code)
	}
}

func TestNIC(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	vm := create(t, s, "vm", "one", n.vm())
	taken := decoded[resource.VMStatus](t, vm.Status).PrivateAddress
	free := decoded[resource.SubnetStatus](t, get(t, s, "subnet", n.subnet).Status).AvailableAddresses
	for _, test := range []struct{ name, address, code string }{
		{"outside", "10.0.200.1", "InvalidParameterValue"},
		{"nonsense", "ten", "InvalidParameterValue"},
		{"kept by the cloud", "10.0.0.3", "InvalidParameterValue"},
		{"the last one", "10.0.127.255", "InvalidParameterValue"},
		{"taken", taken, "InvalidIPAddress.InUse"},
	} {
		e := refused(t, s, "nic", test.name, resource.NICSpec{Subnet: n.subnet, PrivateAddress: test.address})
		require.Equal(t, test.code, e.Cloud.Code, test.name)
	}
	foreign := create(t, s, "securitygroup", "foreign", resource.SecurityGroupSpec{VPC: create(t, s, "vpc", "elsewhere", vpcSpec()).ID}).ID
	require.Equal(t, "InvalidParameterCombination", refused(t, s, "nic", "bad", resource.NICSpec{Subnet: n.subnet, SecurityGroups: []string{foreign}}).Cloud.Code)

	chosen := create(t, s, "nic", "chosen", resource.NICSpec{Subnet: n.subnet, PrivateAddress: "10.0.0.77", SecurityGroups: []string{n.group}})
	require.Equal(t, "10.0.0.77", decoded[resource.NICStatus](t, chosen.Status).PrivateAddress)
	nic := create(t, s, "nic", "nic", resource.NICSpec{Subnet: n.subnet}).ID
	status := func() resource.NICStatus {
		t.Helper()
		status := decoded[resource.NICStatus](t, get(t, s, "nic", nic).Status)
		require.Equal(t, status, decoded[resource.NICStatus](t, get(t, r.reopened().connect(), "nic", nic).Status))
		return status
	}
	primary := status().PrivateAddress
	require.Regexp(t, "^02(:[0-9a-f]{2}){5}$", status().MACAddress)
	change := func(action string, addresses ...string) error {
		return act(t, s, "nic", nic, action, resource.AddressChange{Addresses: addresses})
	}
	require.NoError(t, change("addaddresses", "10.0.0.80", "10.0.0.81"))
	require.NoError(t, change("addaddresses", "10.0.0.81", primary, "10.0.0.82"), "those that are there are passed over")
	require.Equal(t, []string{"10.0.0.80", "10.0.0.81", "10.0.0.82"}, status().SecondaryAddresses)
	require.Equal(t, free-5, decoded[resource.SubnetStatus](t, get(t, s, "subnet", n.subnet).Status).AvailableAddresses)
	e := cloudError(t, change("addaddresses", "10.0.0.90", "10.0.0.77"))
	require.Equal(t, resource.CodeAlreadyExists, e.Code)
	require.Contains(t, e.Message, chosen.ID)
	require.Len(t, status().SecondaryAddresses, 3, "all or none")
	require.Equal(t, resource.CodeInvalid, cloudError(t, change("removeaddresses", primary)).Code)
	require.NoError(t, change("removeaddresses", "10.0.0.80", "10.0.0.99"))
	require.Equal(t, []string{"10.0.0.81", "10.0.0.82"}, status().SecondaryAddresses)

	require.NoError(t, act(t, s, "nic", nic, "attach", resource.NICAttachment{VM: vm.ID}))
	require.Equal(t, vm.ID, status().VM)
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "nic", nic)).Code)
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "securitygroup", n.group)).Code)
	far := create(t, s, "subnet", "far", resource.SubnetSpec{VPC: n.vpc, CIDR: "10.0.192.0/24", Zone: "mock-seoul-b"}).ID
	remote := create(t, s, "nic", "remote", resource.NICSpec{Subnet: far}).ID
	require.Equal(t, "InvalidZone.Mismatch", cloudError(t, act(t, s, "nic", remote, "attach", resource.NICAttachment{VM: vm.ID})).Cloud.Code)
	require.NoError(t, act(t, s, "nic", nic, "detach", nil))
	require.Empty(t, status().VM)
	require.NoError(t, s.Delete(t.Context(), "nic", nic))
	require.Equal(t, free-1, decoded[resource.SubnetStatus](t, get(t, s, "subnet", n.subnet).Status).AvailableAddresses, "its addresses are free again")
	require.NoError(t, s.Delete(t.Context(), "vm", vm.ID))
	require.ErrorContains(t, s.Delete(t.Context(), "subnet", n.subnet), chosen.ID)
}

// TestWhatIsClaimedAgainStaysClaimed takes an address of a VM that lists still show
// through a journal that is rewritten and read again.
func TestWhatIsClaimedAgainStaysClaimed(t *testing.T) {
	r := newRig(t)
	s := r.connect("consistencyDelay", "1h")
	n := build(t, s)
	vm := create(t, s, "vm", "one", n.vm())
	address := decoded[resource.VMStatus](t, vm.Status).PrivateAddress
	nic := create(t, s, "nic", "nic", resource.NICSpec{Subnet: n.subnet}).ID
	r.advance(time.Hour) // until lists show it
	require.NoError(t, s.Delete(t.Context(), "vm", vm.ID))
	require.NoError(t, act(t, s, "nic", nic, "addaddresses", resource.AddressChange{Addresses: []string{address}}))
	check := func(r *rig) {
		t.Helper()
		require.Equal(t, "InvalidIPAddress.InUse", refused(t, r.connect(), "nic", "other", resource.NICSpec{Subnet: n.subnet, PrivateAddress: address}).Cloud.Code)
	}
	check(r.reopened())
	for i := range journalSlack + 10*journalWaste {
		require.NoError(t, act(t, s, "nic", nic, "label", resource.LabelChange{Set: map[string]string{"n": string(rune('a' + i%26))}}))
	}
	require.Less(t, r.cloud.journal.lines, journalSlack, "it was rewritten")
	require.Contains(t, list(t, r.reopened().connect(), "vm"), vm.ID)
	check(r.reopened())
}

func TestVPCOfTwoRanges(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	vpc := create(t, s, "vpc", "vpc", vpcSpec()).ID
	ranges := func() []string {
		t.Helper()
		return decoded[resource.VPCStatus](t, get(t, r.reopened().connect(), "vpc", vpc).Status).CIDRs
	}
	change := func(action, cidr string) error {
		t.Helper()
		return act(t, s, "vpc", vpc, action, resource.CIDRChange{CIDR: cidr})
	}
	require.Equal(t, []string{"10.0.0.0/16"}, ranges())
	require.Equal(t, resource.CodeInvalid, refused(t, s, "subnet", "early", resource.SubnetSpec{VPC: vpc, CIDR: "10.1.1.0/24"}).Code)
	require.Equal(t, resource.CodeInvalid, cloudError(t, change("addcidr", "10.0.128.0/17")).Code, "it overlaps")
	for range 2 {
		require.NoError(t, change("addcidr", "10.1.0.0/16"))
		require.Equal(t, []string{"10.0.0.0/16", "10.1.0.0/16"}, ranges())
	}
	subnet := create(t, s, "subnet", "subnet", resource.SubnetSpec{VPC: vpc, CIDR: "10.1.1.0/24"}).ID
	require.Equal(t, resource.CodeDependency, resource.CodeOf(change("removecidr", "10.1.0.0/16")))
	require.NoError(t, s.Delete(t.Context(), "subnet", subnet))
	requireGone(t, s, "subnet", subnet)
	for range 2 {
		require.NoError(t, change("removecidr", "10.1.0.0/16"))
		require.Equal(t, []string{"10.0.0.0/16"}, ranges())
	}
	require.Equal(t, resource.CodeInvalid, cloudError(t, change("removecidr", "10.0.0.0/16")).Code, "its own")
}
