package mock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// privateIn creates a private subnet.
func privateIn(t testing.TB, s drivertest.Patient, vpc, name, cidr string) string {
	t.Helper()
	return create(t, s, "subnet", name, resource.SubnetSpec{VPC: vpc, CIDR: cidr, Private: true}).ID
}

func TestNothingInAPrivateSubnetIsPublic(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	closed := privateIn(t, s, n.vpc, "closed", "10.0.200.0/24")
	require.False(t, get(t, s, "subnet", closed).Native.(nativeSubnet).MapPublicIP)
	spec := n.vm()
	spec.Subnet = closed
	vm := create(t, s, "vm", "inside", spec)
	require.Empty(t, decoded[resource.VMStatus](t, vm.Status).PublicAddress)
	nic := create(t, s, "nic", "inside", resource.NICSpec{Subnet: closed}).ID
	ip := create(t, s, "publicip", "ip", resource.PublicIPSpec{}).ID
	for field, with := range map[string]resource.Association{"vm": {VM: vm.ID}, "nic": {NIC: nic}} {
		e := cloudError(t, act(t, s, "publicip", ip, "associate", with))
		require.Equal(t, resource.CodeInvalid, e.Code)
		require.Equal(t, field, e.Fields[0].Field)
	}
	require.Equal(t, "spec.subnets[0]", refused(t, s, "nlb", "open", resource.NLBSpec{VPC: n.vpc, Subnets: []string{closed}, Protocol: "tcp", Port: 80}).Fields[0].Field)
	create(t, s, "nlb", "inside", resource.NLBSpec{VPC: n.vpc, Subnets: []string{closed}, Protocol: "tcp", Port: 80, Internal: true})
}

func TestNATGateway(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	one, two := privateIn(t, s, n.vpc, "one", "10.0.200.0/24"), privateIn(t, s, n.vpc, "two", "10.0.201.0/24")
	elsewhere := create(t, s, "vpc", "elsewhere", vpcSpec()).ID
	far := privateIn(t, s, elsewhere, "far", "10.0.1.0/24")
	ip := create(t, s, "publicip", "ip", resource.PublicIPSpec{})
	taken := create(t, s, "publicip", "taken", resource.PublicIPSpec{}).ID
	require.NoError(t, act(t, s, "publicip", taken, "associate", resource.Association{VM: create(t, s, "vm", "vm", n.vm()).ID}))
	for field, spec := range map[string]resource.NATGatewaySpec{
		"spec.subnets[0]":    {VPC: n.vpc, Subnets: []string{n.subnet}},
		"spec.subnets[1]":    {VPC: n.vpc, Subnets: []string{one, far}},
		"spec.gatewaySubnet": {VPC: n.vpc, GatewaySubnet: one},
		"spec.publicip":      {VPC: n.vpc, PublicIP: taken},
		"spec.vpc":           {},
	} {
		e := refused(t, s, "natgateway", "bad", spec)
		require.Equal(t, resource.CodeInvalid, e.Code, field)
		require.Equal(t, field, e.Fields[0].Field)
	}
	nat := create(t, s, "natgateway", "nat", resource.NATGatewaySpec{VPC: n.vpc, Subnets: []string{one}, GatewaySubnet: n.subnet, PublicIP: ip.ID})
	require.Equal(t, []string{decoded[resource.PublicIPStatus](t, ip.Status).Address}, decoded[resource.NATGatewayStatus](t, nat.Status).Addresses)
	require.Equal(t, resource.CodeConflict, cloudError(t, act(t, s, "publicip", ip.ID, "associate", resource.Association{NIC: create(t, s, "nic", "nic", resource.NICSpec{Subnet: n.subnet}).ID})).Code)
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "publicip", ip.ID)).Code)
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "subnet", one)).Code)

	other := create(t, s, "natgateway", "other", resource.NATGatewaySpec{VPC: n.vpc}).ID
	change := func(id, action string, subnets ...string) error {
		return act(t, s, "natgateway", id, action, resource.SubnetChange{Subnets: subnets})
	}
	require.Equal(t, resource.CodeConflict, cloudError(t, change(other, "addsubnets", one)).Code)
	require.Equal(t, "subnets[0]", cloudError(t, change(other, "addsubnets", n.subnet)).Fields[0].Field)
	require.Equal(t, "subnets[0]", cloudError(t, change(other, "addsubnets", "subnet-x")).Fields[0].Field)
	require.NoError(t, change(nat.ID, "addsubnets", one, two))
	require.NoError(t, change(nat.ID, "removesubnets", one, far))
	require.NoError(t, change(other, "addsubnets", one))
	for id, subnet := range map[string]string{nat.ID: two, other: one} {
		require.Equal(t, []string{subnet}, decoded[resource.NATGatewaySpec](t, get(t, r.reopened().connect(), "natgateway", id).Spec).Subnets)
	}
	require.NoError(t, s.Delete(t.Context(), "natgateway", nat.ID))
	require.NoError(t, s.Delete(t.Context(), "subnet", two))
}

func TestRouteTable(t *testing.T) {
	s := newRig(t).connect()
	n := build(t, s)
	elsewhere := create(t, s, "vpc", "elsewhere", resource.VPCSpec{CIDR: "10.1.0.0/16"}).ID
	far := create(t, s, "natgateway", "far", resource.NATGatewaySpec{VPC: elsewhere}).ID
	nat := create(t, s, "natgateway", "nat", resource.NATGatewaySpec{VPC: n.vpc}).ID
	peering := create(t, s, "vpcpeering", "peering", resource.VPCPeeringSpec{VPC: elsewhere, Peer: n.vpc}).ID
	routes := func(routes ...resource.Route) []resource.Route { return routes }
	for field, to := range map[string]resource.Route{
		"natgateway": {CIDR: "0.0.0.0/0", NATGateway: far}, "address": {CIDR: "0.0.0.0/0", Address: "10.1.0.9"}, "vpngateway": {CIDR: "0.0.0.0/0", VPNGateway: "vgw-x"},
	} {
		require.Equal(t, "spec.routes[0]."+field, refused(t, s, "routetable", "bad", resource.RouteTableSpec{VPC: n.vpc, Routes: routes(to)}).Fields[0].Field)
	}
	table := create(t, s, "routetable", "table", resource.RouteTableSpec{VPC: n.vpc, Subnets: []string{n.subnet}, Routes: routes(resource.Route{CIDR: "0.0.0.0/0", NATGateway: nat})}).ID
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "natgateway", nat)).Code)
	require.Equal(t, resource.CodeConflict, refused(t, s, "routetable", "second", resource.RouteTableSpec{VPC: n.vpc, Subnets: []string{n.subnet}}).Code)
	require.Equal(t, "routes[0].nic", cloudError(t, act(t, s, "routetable", table, "setroutes", resource.Routes{Routes: routes(resource.Route{CIDR: "0.0.0.0/0", NIC: "nic-x"})})).Fields[0].Field)
	to := routes(resource.Route{CIDR: "10.1.0.0/16", VPCPeering: peering}, resource.Route{CIDR: "192.168.0.0/16", Address: "10.0.0.9"})
	require.NoError(t, act(t, s, "routetable", table, "setroutes", resource.Routes{Routes: to}))
	require.Equal(t, to, decoded[resource.RouteTableSpec](t, get(t, s, "routetable", table).Spec).Routes)
	require.NoError(t, s.Delete(t.Context(), "natgateway", nat), "no route leads there any more")
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "vpcpeering", peering)).Code)
	require.NoError(t, act(t, s, "routetable", table, "removesubnets", resource.SubnetChange{Subnets: []string{n.subnet}}))
	second := create(t, s, "routetable", "second", resource.RouteTableSpec{VPC: n.vpc}).ID
	require.NoError(t, act(t, s, "routetable", second, "addsubnets", resource.SubnetChange{Subnets: []string{n.subnet}}))
}

func TestCertificateIsReplacedWhileItIsUsed(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	ids := oneOfEach(t, r)
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "certificate", ids["certificate"])).Code)
	before := decoded[resource.CertificateStatus](t, get(t, s, "certificate", ids["certificate"]).Status)
	require.Equal(t, []string{"www.example.com"}, before.Domains)
	next := certificateSpec()
	require.NoError(t, act(t, s, "certificate", ids["certificate"], "replace", next))
	after := get(t, r.reopened().connect(), "certificate", ids["certificate"])
	require.NotEqual(t, before.Fingerprint, decoded[resource.CertificateStatus](t, after.Status).Fingerprint)
	next.PrivateKey = ""
	require.Equal(t, next, decoded[resource.CertificateSpec](t, after.Spec))
	wrong := certificateSpec()
	wrong.PrivateKey = certificateSpec().PrivateKey
	require.Equal(t, "privateKey", cloudError(t, act(t, s, "certificate", ids["certificate"], "replace", wrong)).Fields[0].Field)
	require.Equal(t, "spec.privateKey", refused(t, s, "certificate", "bad", wrong).Fields[0].Field)
}

func TestALB(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s, quick := r.connect("latency", "10s"), r.connect()
	one, two := create(t, quick, "vm", "one", n.vm()).ID, create(t, quick, "vm", "two", n.vm()).ID
	certificate := create(t, quick, "certificate", "c", certificateSpec()).ID
	web := resource.ALBGroup{Name: "web", Port: 80, Members: []string{one}}
	spec := resource.ALBSpec{
		VPC: n.vpc, Subnets: []string{n.subnet}, SecurityGroups: []string{n.group}, Groups: []resource.ALBGroup{web, {Name: "api", Port: 81, Members: []string{one, two}}},
		Listeners: []resource.ALBListener{
			{Port: 80, Protocol: "http", RedirectToHTTPS: true},
			{Port: 443, Protocol: "https", Certificate: certificate, Group: "web", Rules: []resource.ALBRule{{Paths: []string{"/api/*"}, Group: "api"}}},
		},
	}
	for field, change := range map[string]func(*resource.ALBSpec){
		"spec.groups[0].members[0]": func(s *resource.ALBSpec) {
			s.Groups = []resource.ALBGroup{{Name: "web", Port: 80, Members: []string{"vm-x"}}, s.Groups[1]}
		},
		"spec.listeners[0].certificate": func(s *resource.ALBSpec) {
			s.Listeners = []resource.ALBListener{{Port: 443, Protocol: "https", Certificate: "cert-x", Group: "web"}}
		},
		"spec.listeners[0].group": func(s *resource.ALBSpec) {
			s.Listeners = []resource.ALBListener{{Port: 80, Protocol: "http", Group: "x"}}
		},
		"spec.vpc": func(s *resource.ALBSpec) { s.VPC = "" },
	} {
		bad := spec
		change(&bad)
		require.Equal(t, field, refused(t, s, "alb", "bad", bad).Fields[0].Field)
	}
	alb := create(t, s, "alb", "web", spec).ID
	health := func() map[string]string {
		t.Helper()
		states := map[string]string{}
		for _, m := range view[resource.Health](t, r.reopened().connect(), "alb", alb, "health").Members {
			states[m.Group+" "+m.VM] = m.State
		}
		return states
	}
	require.Equal(t, resource.StateCreating, decoded[resource.ALBStatus](t, get(t, s, "alb", alb).Status).Listeners[0].State)
	require.Equal(t, map[string]string{"web " + one: "unknown", "api " + one: "unknown", "api " + two: "unknown"}, health())
	r.advance(20 * time.Second)
	require.Equal(t, map[string]string{"web " + one: "healthy", "api " + one: "healthy", "api " + two: "healthy"}, health())
	shown := get(t, s, "alb", alb)
	require.Equal(t, []string{one, two}, decoded[resource.ALBSpec](t, shown.Spec).Groups[1].Members)
	require.Equal(t, "https:443", decoded[resource.ALBStatus](t, shown.Status).Listeners[1].Name)
	failing := decoded[resource.ALBStatus](t, get(t, r.connect("failGroups", "api"), "alb", alb).Status).Members
	require.Equal(t, []resource.State{resource.StateAvailable, resource.StateFailed, resource.StateFailed}, []resource.State{failing[0].State, failing[1].State, failing[2].State})

	members := resource.GroupMembers{Group: "web", Members: []string{two}}
	require.NoError(t, act(t, quick, "alb", alb, "addmembers", members))
	require.NoError(t, quick.Delete(t.Context(), "vm", one), "members are not kept")
	require.Equal(t, map[string]string{"web " + two: "healthy", "api " + two: "healthy"}, health())
	require.NoError(t, act(t, quick, "alb", alb, "removemembers", members))
	require.Equal(t, map[string]string{"api " + two: "healthy"}, health(), "it stays in the other group")
	require.Equal(t, "group", cloudError(t, act(t, quick, "alb", alb, "addmembers", resource.GroupMembers{Group: "x", Members: []string{two}})).Fields[0].Field)

	plain := resource.ALBRouting{Listeners: []resource.ALBListener{{Port: 8080, Protocol: "http", Group: "web"}}, Groups: []resource.ALBGroup{{Name: "web", Port: 80, Members: []string{two}}}}
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "certificate", certificate)).Code)
	require.NoError(t, act(t, s, "alb", alb, "setrouting", plain))
	require.Equal(t, resource.StateUpdating, get(t, s, "alb", alb).State)
	r.advance(10 * time.Second)
	require.Equal(t, map[string]string{"web " + two: "unknown"}, health())
	require.NoError(t, act(t, s, "alb", alb, "setrouting", plain))
	require.Equal(t, resource.StateAvailable, get(t, s, "alb", alb).State, "nothing happens")
	require.NoError(t, s.Delete(t.Context(), "certificate", certificate), "nothing shows it any more")
	plain.Listeners[0].Certificate = "cert-x"
	require.Equal(t, "listeners[0].certificate", cloudError(t, act(t, s, "alb", alb, "setrouting", plain)).Fields[0].Field)
}

func TestVPCPeering(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	a := create(t, s, "vpc", "a", vpcSpec()).ID
	b := create(t, s, "vpc", "b", resource.VPCSpec{CIDR: "10.1.0.0/16"}).ID
	require.NoError(t, act(t, s, "vpc", b, "addcidr", resource.CIDRChange{CIDR: "10.9.0.0/16"}))
	alike := create(t, s, "vpc", "alike", vpcSpec()).ID
	wide := create(t, s, "vpc", "wide", resource.VPCSpec{CIDR: "10.9.128.0/17"}).ID
	for _, peer := range []string{alike, "vpc-x"} {
		require.Equal(t, "spec.peer", refused(t, s, "vpcpeering", "bad", resource.VPCPeeringSpec{VPC: a, Peer: peer}).Fields[0].Field)
	}
	require.Equal(t, "OverlappingCidrs", refused(t, s, "vpcpeering", "bad", resource.VPCPeeringSpec{VPC: wide, Peer: b}).Cloud.Code, "of any of their ranges")
	halves := func(s drivertest.Patient, id string) []string {
		t.Helper()
		var states []string
		for _, h := range decoded[resource.VPCPeeringStatus](t, get(t, s, "vpcpeering", id).Status).Halves {
			states = append(states, h.Side+" "+h.State)
		}
		return states
	}
	both := create(t, s, "vpcpeering", "both", resource.VPCPeeringSpec{VPC: a, Peer: b}).ID
	require.Equal(t, []string{"local active", "peer active"}, halves(s, both))
	require.NoError(t, act(t, s, "vpcpeering", both, "accept", nil), "it is")
	require.Equal(t, resource.CodeAlreadyExists, refused(t, s, "vpcpeering", "again", resource.VPCPeeringSpec{VPC: b, Peer: a}).Code)
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "vpc", b)).Code)

	other := r.connectTo(driver.Config{Region: "mock-tokyo", Credential: driver.Values{"account": "other"}})
	far := create(t, other, "vpc", "far", resource.VPCSpec{CIDR: "10.2.0.0/16"}).ID
	spec := resource.VPCPeeringSpec{VPC: a, PeerCloudID: far, PeerAccount: "other", PeerRegion: "mock-tokyo", PeerCIDRs: []string{"10.2.0.0/16"}}
	asked := create(t, s, "vpcpeering", "asked", spec).ID
	require.Equal(t, []string{"local active", "peer pending"}, halves(s, asked))
	require.Equal(t, resource.CodeConflict, cloudError(t, act(t, s, "vpcpeering", asked, "accept", nil)).Code, "that is for the other side")
	seen := get(t, other, "vpcpeering", asked)
	require.Empty(t, seen.Token)
	require.Equal(t, seen, list(t, other, "vpcpeering")[asked])
	require.Equal(t, resource.VPCPeeringSpec{VPC: far, PeerCloudID: a, PeerAccount: "default", PeerRegion: "mock-seoul"}, decoded[resource.VPCPeeringSpec](t, seen.Spec))
	require.Equal(t, []string{"local pending", "peer active"}, halves(other, asked))
	for range 2 {
		require.NoError(t, act(t, other, "vpcpeering", asked, "accept", nil))
		require.Equal(t, []string{"local active", "peer active"}, halves(r.reopened().connect(), asked))
	}
	require.NoError(t, other.Delete(t.Context(), "vpcpeering", asked), "either side may")
	requireGone(t, s, "vpcpeering", asked)
	requireGone(t, other, "vpcpeering", asked)
}

func TestVPNBetweenTwoAccounts(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	other := r.connectTo(driver.Config{Region: "mock-tokyo", Credential: driver.Values{"account": "other"}})
	gateway := func(s drivertest.Patient, cidr string) (id, address string) {
		vpc := create(t, s, "vpc", "vpc", resource.VPCSpec{CIDR: cidr}).ID
		g := create(t, s, "vpngateway", "g", resource.VPNGatewaySpec{VPC: vpc})
		return g.ID, decoded[resource.VPNGatewayStatus](t, g.Status).Addresses[0]
	}
	here, hereAt := gateway(s, "10.0.0.0/16")
	there, thereAt := gateway(other, "10.1.0.0/16")
	spec := resource.VPNConnectionSpec{VPNGateway: here, PeerAddresses: []string{thereAt}, PeerCIDRs: []string{"10.1.0.0/16"}, PresharedKey: "Both.sides.have.it", BGP: &resource.BGP{PeerASN: 65010, InsideCIDRs: []string{"169.254.10.0/30"}}}
	bad := spec
	bad.PeerCIDRs = []string{"10.0.7.0/24"}
	require.Equal(t, "spec.peerCidrs[0]", refused(t, s, "vpnconnection", "bad", bad).Fields[0].Field)
	made := create(t, s, "vpnconnection", "c", spec)
	require.NotContains(t, string(made.Spec), "Both.sides")
	require.Equal(t, []string{"10.0.0.0/16"}, decoded[resource.VPNConnectionSpec](t, made.Spec).LocalCIDRs)
	tunnel := func(s drivertest.Patient, id string) resource.VPNTunnel {
		t.Helper()
		return decoded[resource.VPNConnectionStatus](t, get(t, s, "vpnconnection", id).Status).Tunnels[0]
	}
	require.Equal(t, resource.VPNTunnel{LocalAddress: hereAt, PeerAddress: thereAt, InsideAddresses: []string{"169.254.10.1", "169.254.10.2"}, State: "down", Reason: "the other side does not answer"}, tunnel(s, made.ID))
	back := create(t, other, "vpnconnection", "c", resource.VPNConnectionSpec{VPNGateway: there, PeerAddresses: []string{hereAt}, PeerCIDRs: []string{"10.0.0.0/16"}, PresharedKey: "Another.key"}).ID
	require.Equal(t, "the other side has another pre-shared key", tunnel(s, made.ID).Reason)
	require.NoError(t, act(t, other, "vpnconnection", back, "setkey", resource.PresharedKey{PresharedKey: "Both.sides.have.it"}))
	require.Equal(t, "up", tunnel(s, made.ID).State)
	require.Equal(t, "up", tunnel(r.reopened().connectTo(driver.Config{Region: "mock-tokyo", Credential: driver.Values{"account": "other"}}), back).State)
	config := view[resource.PeerConfig](t, s, "vpnconnection", made.ID, "peerconfig")
	require.Equal(t, []resource.PeerTunnel{{LocalAddress: thereAt, RemoteAddress: hereAt, InsideAddresses: []string{"169.254.10.2", "169.254.10.1"}}}, config.Tunnels)
	require.Contains(t, config.StrongSwan, "remote_addrs = "+hereAt)
	require.NotContains(t, config.StrongSwan, "Both.sides")
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "vpngateway", here)).Code)
	require.NoError(t, other.Delete(t.Context(), "vpnconnection", back))
	require.Equal(t, "down", tunnel(s, made.ID).State)
}
