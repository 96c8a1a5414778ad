package e2e

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// network makes a VPC with a subnet in each of two zones.
func (c *tumblebug) network(cloud walked, n *network) {
	c.t.Helper()
	name, first, second := uid(), uid(), uid()
	var made vpcInfo
	c.ok(http.MethodPost, "/vpc", c.in(object{"Name": name, "IPv4_CIDR": "10.10.0.0/16", "SubnetInfoList": []object{{"Name": first, "IPv4_CIDR": "10.10.1.0/24", "Zone": cloud.zones[0]}}}), &made)
	assert.Equal(c.t, name, made.IId.NameId)
	assert.NotEmpty(c.t, made.IId.SystemId)
	c.ok(http.MethodGet, "/vpc/"+name+"?ConnectionName="+c.connection, nil, &made)
	c.tag("vpc", name, made.IId.SystemId)
	c.ok(http.MethodPost, "/vpc/"+name+"/subnet", c.in(object{"Name": second, "IPv4_CIDR": "10.10.2.0/24", "Zone": cloud.zones[1]}), &made)
	require.Len(c.t, made.SubnetInfoList, 2)
	for i, subnet := range made.SubnetInfoList {
		assert.Equal(c.t, []string{first, second}[i], subnet.IId.NameId)
		assert.Equal(c.t, cloud.zones[i], subnet.Zone)
		c.tag("subnet", subnet.IId.NameId, subnet.IId.SystemId)
		n.subnets = append(n.subnets, subnet.IId)
	}
	n.vpc = made.IId
}

func (c *tumblebug) securityGroup(n *network) {
	c.t.Helper()
	rule := func(from, to, protocol string) object {
		return object{"FromPort": from, "ToPort": to, "IPProtocol": protocol, "Direction": "inbound", "CIDR": "0.0.0.0/0"}
	}
	name := uid()
	var made securityInfo
	c.ok(http.MethodPost, "/securitygroup", c.in(object{
		"Name": name, "VPCName": n.vpc.NameId, "CSPId": "", "SecurityRules": []object{rule("22", "22", "TCP"), rule("1", "65535", "UDP"), rule("-1", "-1", "ICMP")},
		"IId": iid{}, "VpcIID": iid{}, "Direction": "", "KeyValueList": nil,
	}), &made)
	assert.Equal(c.t, name, made.IId.NameId)
	assert.Equal(c.t, n.vpc, made.VpcIID)
	n.group = made.IId
	c.tag("sg", name, made.IId.SystemId)
	before := len(made.SecurityRules)
	change := c.in(object{"RuleInfoList": []object{rule("8080", "8090", "TCP")}})
	c.ok(http.MethodPost, "/securitygroup/"+name+"/rules", change, &made)
	assert.Len(c.t, made.SecurityRules, before+1)
	var done struct{ Result string }
	c.ok(http.MethodDelete, "/securitygroup/"+name+"/rules", change, &done)
	assert.Equal(c.t, "true", done.Result)
	c.ok(http.MethodGet, "/securitygroup/"+name, c.here(), &made)
	assert.Len(c.t, made.SecurityRules, before)
}

func (c *tumblebug) keyPair(n *network) {
	c.t.Helper()
	name := uid()
	var made keyInfo
	c.ok(http.MethodPost, "/keypair", c.in(object{
		"Name": name, "CSPId": "", "IId": iid{}, "Fingerprint": "", "PublicKey": "", "PrivateKey": "", "VMUserID": "", "KeyValueList": nil,
	}), &made)
	assert.Equal(c.t, name, made.IId.NameId)
	assert.Contains(c.t, made.PrivateKey, "PRIVATE KEY")
	n.key = made.IId
	c.tag("keypair", name, made.IId.SystemId)
}

// vmRequest is a VM as it is asked for, and as it is registered.
func vmRequest(name string) object {
	return object{
		"Name": name, "ImageName": "", "VPCName": "", "SubnetName": "", "SecurityGroupNames": nil, "KeyPairName": "", "CSPid": "", "DataDiskNames": nil,
		"VMSpecName": "", "VMUserId": "", "VMUserPasswd": "", "RootDiskType": "", "RootDiskSize": "", "ImageType": "",
	}
}

func (c *tumblebug) vm(cloud walked, n network) iid {
	c.t.Helper()
	asked := vmRequest(uid())
	asked["ImageName"], asked["VMSpecName"], asked["ImageType"] = n.image, cloud.spec, "PublicImage"
	asked["VPCName"], asked["SubnetName"], asked["SecurityGroupNames"], asked["KeyPairName"] = n.vpc.NameId, n.subnets[0].NameId, []string{n.group.NameId}, n.key.NameId
	asked["RootDiskType"], asked["RootDiskSize"] = "TYPE1", "50"
	var made, shown vmInfo
	c.ok(http.MethodPost, "/vm", c.in(asked), &made)
	c.complete(cloud, n, made)
	assert.Equal(c.t, asked["Name"], made.IId.NameId)
	assert.Equal(c.t, "50", made.RootDiskSize)
	assert.NotEqual(c.t, "TYPE1", made.RootDiskType)
	c.ok(http.MethodGet, "/vm/"+made.IId.NameId, c.here(), &shown)
	assert.Equal(c.t, made.IId, shown.IId)
	assert.Equal(c.t, "Running", c.status(made.IId))
	return made.IId
}

// complete checks that all is shown that CB-Tumblebug keeps of a VM.
func (c *tumblebug) complete(cloud walked, n network, vm vmInfo) {
	c.t.Helper()
	assert.NotEmpty(c.t, vm.IId.SystemId)
	assert.Equal(c.t, n.image, vm.ImageIId.NameId)
	assert.Equal(c.t, cloud.spec, vm.VMSpecName)
	assert.Equal(c.t, n.vpc, vm.VpcIID)
	assert.Equal(c.t, n.subnets[0], vm.SubnetIID)
	assert.Equal(c.t, []iid{n.group}, vm.SecurityGroupIIds)
	assert.Equal(c.t, n.key, vm.KeyPairIId)
	assert.Equal(c.t, cloud.region, vm.Region.Region)
	assert.Equal(c.t, cloud.zones[0], vm.Region.Zone)
	assert.NotEmpty(c.t, vm.PrivateIP)
	assert.Equal(c.t, vm.PublicIP+":22", vm.SSHAccessPoint)
	assert.False(c.t, vm.StartTime.IsZero())
}

func (c *tumblebug) status(vm iid) string {
	c.t.Helper()
	var is struct{ Status string }
	c.ok(http.MethodGet, "/vmstatus/"+vm.NameId, c.here(), &is)
	return is.Status
}

func (c *tumblebug) control(vm iid, action, becomes string) {
	c.t.Helper()
	c.ok(http.MethodGet, "/controlvm/"+vm.NameId+"?action="+action, c.here(), nil)
	c.eventually("after "+action+" it is "+becomes, func() bool { return c.status(vm) == becomes })
}

// disk makes one, gives it to a VM and makes it larger.
func (c *tumblebug) disk(cloud walked, vm iid) iid {
	c.t.Helper()
	name := uid()
	var made diskInfo
	c.ok(http.MethodPost, "/disk", c.in(object{
		"Name": name, "CSPid": "", "Zone": cloud.zones[0], "DiskType": cloud.disk, "DiskSize": "100", "IId": iid{}, "Status": "", "OwnerNode": iid{},
		"CreatedTime": time.Time{}, "KeyValueList": nil,
	}), &made)
	assert.Equal(c.t, name, made.IId.NameId)
	assert.Equal(c.t, "100", made.DiskSize)
	assert.Equal(c.t, "Available", made.Status)
	c.tag("disk", name, made.IId.SystemId)
	var done struct{ Result string }
	c.ok(http.MethodPut, "/disk/"+name+"/size", c.in(object{"Size": "150"}), &done)
	assert.Equal(c.t, "true", done.Result)
	c.ok(http.MethodPut, "/disk/"+name+"/attach", c.in(object{"VMName": vm.NameId}), &made)
	assert.Equal(c.t, vm, made.OwnerVM)
	var node vmInfo
	c.ok(http.MethodGet, "/node/"+vm.NameId, c.here(), &node)
	assert.Equal(c.t, []iid{made.IId}, node.DataDiskIIDs)
	c.ok(http.MethodGet, "/disk/"+name, c.here(), &made)
	assert.Equal(c.t, "Attached", made.Status)
	assert.Equal(c.t, "150", made.DiskSize)
	return made.IId
}

func (c *tumblebug) nlb(n network, vms []iid) {
	c.t.Helper()
	name := uid()
	group := func(vms ...iid) object {
		names := make([]string, len(vms))
		for i, vm := range vms {
			names[i] = vm.NameId
		}
		return object{"Protocol": "TCP", "Port": "80", "VMs": names}
	}
	var made nlbInfo
	c.ok(http.MethodPost, "/nlb", c.in(object{
		"Name": name, "VPCName": n.vpc.NameId, "Type": "PUBLIC", "Scope": "REGION", "Listener": object{"protocol": "TCP", "port": "80"}, "VMGroup": group(vms[:2]...),
		"HealthChecker": object{"protocol": "TCP", "port": "80", "interval": "10", "timeout": "9", "threshold": "3"},
	}), &made)
	assert.Equal(c.t, name, made.IId.NameId)
	assert.Equal(c.t, n.vpc, made.VpcIID)
	assert.ElementsMatch(c.t, vms[:2], made.VMGroup.VMs)
	assert.Equal(c.t, 10, made.HealthChecker.Interval)
	assert.NotEmpty(c.t, made.Listener.IP+made.Listener.DNSName)
	c.tag("nlb", name, made.IId.SystemId)
	c.ok(http.MethodPost, "/nlb/"+name+"/vms", c.in(group(vms[2])), &made)
	assert.ElementsMatch(c.t, vms, made.VMGroup.VMs)
	var health struct {
		Healthinfo struct{ AllVMs, HealthyVMs, UnHealthyVMs []iid }
	}
	c.ok(http.MethodGet, "/nlb/"+name+"/health", c.here(), &health)
	assert.ElementsMatch(c.t, vms, health.Healthinfo.AllVMs)
	var done struct{ Result string }
	c.ok(http.MethodDelete, "/nlb/"+name+"/vms", c.in(group(vms[2])), &done)
	assert.Equal(c.t, "true", done.Result)
	c.remove("nlb", made.IId)
}

func (c *tumblebug) myImage(vm iid) iid {
	c.t.Helper()
	name := uid()
	var made struct {
		IId, SourceVM iid
		Status        string
		CreatedTime   time.Time
	}
	c.ok(http.MethodPost, "/myimage", c.in(object{"Name": name, "SourceVM": vm.NameId}), &made)
	assert.Equal(c.t, name, made.IId.NameId)
	assert.Equal(c.t, vm, made.SourceVM)
	c.tag("myimage", name, made.IId.SystemId)
	c.eventually("the image can be used", func() bool {
		c.ok(http.MethodGet, "/myimage/"+name, c.here(), &made)
		return made.Status == "Available"
	})
	return made.IId
}

func (c *tumblebug) cluster(cloud walked, n network) {
	c.t.Helper()
	group := func(name string) object {
		return object{
			"Name": name, "ImageName": "", "VMSpecName": cloud.spec, "RootDiskType": "", "RootDiskSize": "", "KeyPairName": n.key.NameId,
			"OnAutoScaling": "true", "DesiredNodeSize": "1", "MinNodeSize": "1", "MaxNodeSize": "2",
		}
	}
	name := uid()
	var made clusterInfo
	c.ok(http.MethodPost, "/cluster", c.in(object{
		"Name": name, "Version": "", "VPCName": n.vpc.NameId, "SubnetNames": []string{n.subnets[0].NameId, n.subnets[1].NameId},
		"SecurityGroupNames": []string{n.group.NameId}, "NodeGroupList": []object{group("ng1")},
	}), &made)
	assert.Equal(c.t, name, made.IId.NameId)
	assert.Equal(c.t, n.vpc, made.Network.VpcIID)
	assert.Equal(c.t, n.subnets, made.Network.SubnetIIDs)
	assert.NotEmpty(c.t, made.Version)
	assert.Len(c.t, made.NodeGroupList, 1)
	c.tag("cluster", name, made.IId.SystemId)
	one := "/cluster/" + name
	c.ok(http.MethodPost, one+"/nodegroup", object{"NameSpace": "", "ConnectionName": c.connection, "ReqInfo": group("ng2")}, &made)
	require.Len(c.t, made.NodeGroupList, 2)
	assert.True(c.t, made.NodeGroupList[1].OnAutoScaling)
	var done struct{ Result string }
	if cloud.scales {
		c.ok(http.MethodPut, one+"/nodegroup/ng2/onautoscaling", c.in(object{"OnAutoScaling": "false"}), &done)
		assert.Equal(c.t, "true", done.Result)
		c.ok(http.MethodPut, one+"/nodegroup/ng2/autoscalesize", c.in(object{"DesiredNodeSize": "2", "MinNodeSize": "1", "MaxNodeSize": "3"}), nil)
	}
	c.ok(http.MethodGet, one+"?KubeconfigType=native", c.here(), &made)
	assert.Equal(c.t, "Active", made.Status)
	assert.Contains(c.t, made.AccessInfo.Kubeconfig, "clusters")
	var token struct {
		Kind   string
		Status struct{ Token, ExpirationTimestamp string }
	}
	c.ok(http.MethodGet, one+"/token?ConnectionName="+c.connection, nil, &token)
	assert.Equal(c.t, "ExecCredential", token.Kind)
	assert.NotEmpty(c.t, token.Status.Token)
	c.ok(http.MethodDelete, one+"/nodegroup/ng2", c.here(), &done)
	assert.Equal(c.t, "true", done.Result)
	c.remove("cluster", made.IId)
}
