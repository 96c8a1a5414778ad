package spider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// odd are names that CB-Spider takes.
func odd(what string) string { return "운영 " + what + "/1?a=b#c%2Fd;'&.." }

// at is the path of a resource with such a name.
func at(path, what, below string) string {
	return path + url.PathEscape(odd(what)) + below + "?ConnectionName=" + connection
}

// reqInfo asks for something by fields.
func reqInfo(fields map[string]any) string {
	raw, _ := json.Marshal(map[string]any{"ConnectionName": connection, "ReqInfo": fields})
	return string(raw)
}

type iid struct{ NameId, SystemId string }

// into reads an answer.
func into[T any](t *testing.T, r response) (value T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(r.body), &value), r.body)
	return value
}

func TestNamesAreAnyText(t *testing.T) {
	a := registered(t, enginetest.Options{})
	type m = map[string]any
	post := func(path string, fields m) string { return a.ok(http.MethodPost, path, reqInfo(fields)).body }
	named := func(body, what string) {
		t.Helper()
		name, _ := json.Marshal(odd(what))
		assert.Contains(t, body, `{"NameId":`+string(name)+`,"SystemId":"`, what)
	}
	vpc := post("/vpc", m{"Name": odd("v"), "IPv4_CIDR": "10.0.0.0/16", "SubnetInfoList": []m{{"Name": odd("s"), "IPv4_CIDR": "10.0.1.0/24"}}})
	named(vpc, "v")
	named(vpc, "s")
	named(post("/vpc/"+url.PathEscape(odd("v"))+"/subnet", m{"Name": odd("s2"), "IPv4_CIDR": "10.0.2.0/24"}), "s2")
	named(post("/securitygroup", m{"Name": odd("g"), "VPCName": odd("v"), "SecurityRules": []m{{"Direction": "inbound", "IPProtocol": "tcp", "FromPort": "22", "ToPort": "22"}}}), "v")
	assert.Contains(t, post("/keypair", m{"Name": odd("k")}), "PRIVATE KEY")
	post("/disk", m{"Name": odd("d"), "DiskType": "", "DiskSize": "50"})
	vm := post("/vm", m{
		"Name": odd("vm"), "ImageName": a.Image, "VMSpecName": a.Spec, "VPCName": odd("v"), "SubnetName": odd("s"),
		"SecurityGroupNames": []string{odd("g")}, "KeyPairName": odd("k"), "DataDiskNames": []string{odd("d")},
	})
	for _, what := range []string{"vm", "v", "s", "g", "k", "d"} {
		named(vm, what)
	}
	post("/disk", m{"Name": odd("d2"), "DiskType": "", "DiskSize": "50"})
	named(a.ok(http.MethodPut, at("/disk/", "d2", "/attach"), reqInfo(m{"VMName": odd("vm")})).body, "vm")
	a.ok(http.MethodPut, at("/disk/", "d2", "/detach"), reqInfo(m{"VMName": odd("vm")}))
	named(post("/nic", m{"Name": odd("n"), "VPCName": odd("v"), "SubnetName": odd("s2"), "SecurityGroupNames": []string{odd("g")}}), "s2")
	assert.Contains(t, a.ok(http.MethodGet, at("/nic/", "n", "/osconfigscript"), "").body, "/24 dev")
	post("/publicip", m{"Name": odd("ip")})
	named(a.ok(http.MethodPut, at("/publicip/", "ip", "/associate"), reqInfo(m{"NICName": odd("n")})).body, "n")
	named(post("/nlb", m{
		"Name": odd("l"), "VPCName": odd("v"), "Listener": m{"Protocol": "TCP", "Port": "80"}, "HealthChecker": m{},
		"VMGroup": m{"Protocol": "TCP", "Port": "80", "VMs": []string{odd("vm")}},
	}), "vm")
	named(a.ok(http.MethodGet, at("/nlb/", "l", "/health"), "").body, "vm")
	a.ok(http.MethodDelete, at("/nlb/", "l", "/vms"), reqInfo(m{"VMs": []string{odd("vm")}}))
	named(post("/cluster", m{
		"Name": odd("c"), "VPCName": odd("v"), "SubnetNames": []string{odd("s"), odd("s2")}, "SecurityGroupNames": []string{odd("g")},
		"NodeGroupList": []m{{"Name": "ng", "VMSpecName": a.Spec, "KeyPairName": odd("k"), "DesiredNodeSize": "1", "MinNodeSize": "1", "MaxNodeSize": "2"}},
	}), "s2")
	for part, secret := range map[string]string{"": `"Kubeconfig":"`, "/token": "token"} {
		got := a.call(http.MethodGet, at("/cluster/", "c", part), "", "Accept-Encoding", "zstd, gzip")
		assert.Contains(t, got.body, secret)
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
		assert.Empty(t, got.header.Get("Content-Encoding")+got.header.Get("ETag"))
	}
	named(post("/myimage", m{"Name": odd("i"), "SourceVM": odd("vm")}), "vm")

	for path, what := range map[string]string{"vpc": "v", "securitygroup": "g", "keypair": "k", "vm": "vm", "disk": "d", "nic": "n", "publicip": "ip", "nlb": "l", "cluster": "c", "myimage": "i"} {
		named(a.ok(http.MethodGet, "/"+path, in("{}")).body, what)
		named(a.ok(http.MethodGet, at("/"+path+"/", what, ""), "").body, what)
	}
	for _, path := range []string{"/allvpc", "/allvm", "/vmstatus", "/destroy?dryrun=true"} {
		method := http.MethodGet
		if strings.HasPrefix(path, "/destroy") {
			method = http.MethodDelete
		}
		body := a.ok(method, path, in("{}")).body
		assert.Contains(t, body, `"NameId":"운영 v`, path)
		assert.NotContains(t, body, "unyeong", "%s: names of /v1 are not seen", path)
	}
	tag := reqInfo(m{"ResourceType": "subnet", "ResourceName": odd("s"), "VPCName": odd("v"), "Tag": m{"Key": "k", "Value": "1"}})
	a.ok(http.MethodPost, "/tag", tag)
	assert.Contains(t, a.ok(http.MethodGet, "/tag", tag).body, `{"Key":"k","Value":"1"}`)
	assert.Equal(t, `{"Status":"Suspending"}`, a.ok(http.MethodGet, at("/controlvm/", "vm", "")+"&action=suspend", "").body)
	assert.Equal(t, `{"Status":"Suspended"}`, a.ok(http.MethodGet, at("/vmstatus/", "vm", ""), "").body)
	assert.Equal(t, `{"Name":"unyeong-vm-1-a-b-c-2Fd"}`, a.ok(http.MethodGet, at("/cspresourcename/", "vm", "")+"&ResourceType=vm", "").body)
	a.ok(http.MethodGet, at("/cspresourceinfo/", "vm", "")+"&ResourceType=vm", "")

	inUse := a.call(http.MethodDelete, at("/vpc/", "v", ""), "")
	assert.Equal(t, http.StatusConflict, inUse.status)
	assert.Contains(t, inUse.message(t), odd("vm"), "messages have the client's names")
	assert.Contains(t, a.call(http.MethodPost, "/keypair", reqInfo(m{"Name": odd("k")})).message(t), "VM KeyPair '"+odd("k")+"' already exists in connection")
	found, _, err := a.List(t.Context(), connection, "vm", store.Query{Limit: 2, Search: "운영"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "unyeong-vm-1-a-b-c-2Fd", found[0].Name)
	assert.Equal(t, odd("vm"), found[0].FacadeName)

	for _, one := range [][2]string{{"cluster", "c"}, {"nlb", "l"}, {"publicip", "ip"}, {"nic", "n"}, {"vm", "vm"}, {"myimage", "i"}, {"disk", "d"}, {"disk", "d2"}, {"keypair", "k"}, {"securitygroup", "g"}, {"vpc", "v"}} {
		if one[0] == "publicip" {
			a.ok(http.MethodPut, at("/publicip/", "ip", "/disassociate"), "")
		}
		a.ok(http.MethodDelete, at("/"+one[0]+"/", one[1], ""), "")
	}
	assert.Equal(t, map[string]int{}, a.recorded())
}

func TestDriversAndRegionsHaveAnyName(t *testing.T) {
	a := registered(t, enginetest.Options{})
	const name = "서울 리전/1 %"
	a.ok(http.MethodPost, "/driver", `{"DriverName":"`+name+`","ProviderName":"MOCK","DriverLibFileName":"mock.so"}`)
	a.ok(http.MethodPost, "/region", `{"RegionName":"`+name+`","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"Region","Value":"default"}]}`)
	a.ok(http.MethodPost, "/connectionconfig", `{"ConfigName":"seoul","ProviderName":"MOCK","DriverName":"`+name+`","CredentialName":"mock-credential01","RegionName":"`+name+`"}`)
	for _, path := range []string{"/driver/", "/region/"} {
		assert.Contains(t, a.ok(http.MethodGet, path+url.PathEscape(name), "").body, `Name":"`+name+`"`)
		r := a.call(http.MethodDelete, path+url.PathEscape(name), "")
		assert.Equal(t, http.StatusConflict, r.status, r.body)
	}
	assert.Contains(t, a.ok(http.MethodGet, "/connectionconfig/seoul", "").body, `"RegionName":"`+name+`"`)
}

func TestASubnetIsNamedInItsVPC(t *testing.T) {
	a := registered(t, enginetest.Options{})
	var group sync.WaitGroup
	ids := make([]string, 10)
	for i := range ids {
		group.Go(func() {
			r := a.call(http.MethodPost, "/vpc", in(fmt.Sprintf(`{"Name":"vpc-%d","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"subnet-01","IPv4_CIDR":"10.0.1.0/24"}]}`, i)))
			if assert.Equal(t, http.StatusOK, r.status, r.body) {
				made := into[struct{ SubnetInfoList []struct{ IId iid } }](t, r)
				assert.Equal(t, "subnet-01", made.SubnetInfoList[0].IId.NameId)
				ids[i] = made.SubnetInfoList[0].IId.SystemId
			}
		})
	}
	group.Wait()
	for i, id := range ids {
		assert.Equal(t, id, into[struct{ IId iid }](t, a.ok(http.MethodGet, fmt.Sprintf("/vpc/vpc-%d/subnet/subnet-01", i), in("{}"))).IId.SystemId)
	}
	vm := func(vpc string) response {
		return a.call(http.MethodPost, "/vm", in(fmt.Sprintf(`{"Name":"in-%s","ImageName":%q,"VMSpecName":%q,"VPCName":%q,"SubnetName":"subnet-01"}`, vpc, a.Image, a.Spec, vpc)))
	}
	made := vm("vpc-7")
	require.Equal(t, http.StatusOK, made.status, made.body)
	assert.Contains(t, made.body, `"SubnetIID":{"NameId":"subnet-01","SystemId":"`+ids[7]+`"}`)
	assert.Equal(t, "Subnet 'subnet-02' does not exist in connection 'mock-config01'", a.call(http.MethodGet, "/vpc/vpc-1/subnet/subnet-02", in("{}")).message(t))
	again := a.call(http.MethodPost, "/vpc/vpc-1/subnet", in(`{"Name":"subnet-01","IPv4_CIDR":"10.0.2.0/24"}`))
	assert.Equal(t, "Subnet 'subnet-01' already exists in connection 'mock-config01'", again.message(t))
	which := a.call(http.MethodDelete, "/regsubnet/subnet-01", in("{}"))
	assert.Equal(t, http.StatusConflict, which.status, which.body)
	assert.Contains(t, which.message(t), "say which with VPCName")

	a.ok(http.MethodDelete, "/regsubnet/subnet-01", in(`{"VPCName":"vpc-2"}`))
	gone := a.call(http.MethodGet, "/vpc/vpc-2/subnet/subnet-01", in("{}"))
	assert.Equal(t, http.StatusNotFound, gone.status)
	twice := a.call(http.MethodPost, "/vpc", in(`{"Name":"twice","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s 1","IPv4_CIDR":"10.0.1.0/24"},{"Name":"s 1","IPv4_CIDR":"10.0.2.0/24"}]}`))
	assert.Equal(t, http.StatusBadRequest, twice.status, "nothing has the name yet: %s", twice.body)
	assert.Equal(t, "s 1: the request has two subnets of this name; give each its own", twice.message(t))
	elsewhere := a.call(http.MethodPost, "/regsubnet", in(`{"Name":"again","VPCName":"vpc-3","CSPId":"`+ids[2]+`"}`))
	assert.Equal(t, http.StatusBadRequest, elsewhere.status, "it is no subnet of that VPC: %s", elsewhere.body)
	elsewhere = a.call(http.MethodDelete, "/vpc/vpc-3/cspsubnet/"+ids[2], in("{}"))
	assert.Equal(t, http.StatusBadRequest, elsewhere.status, "it is no subnet of that VPC: %s", elsewhere.body)
	back := a.ok(http.MethodPost, "/regsubnet", in(`{"Name":"다시","VPCName":"vpc-2","CSPId":"`+ids[2]+`"}`))
	assert.Contains(t, back.body, `"SubnetInfoList":[{"IId":{"NameId":"다시","SystemId":"`+ids[2]+`"}`)
	elsewhere = a.call(http.MethodDelete, "/vpc/vpc-3/cspsubnet/"+ids[2], in("{}"))
	assert.Equal(t, http.StatusBadRequest, elsewhere.status, "nor is it when it is registered: %s", elsewhere.body)
	a.ok(http.MethodDelete, "/vpc/vpc-2/subnet/"+url.PathEscape("다시"), in("{}"))
	a.ok(http.MethodDelete, "/vpc/vpc-3/subnet/subnet-01", in("{}"))
	assert.Len(t, a.OnCloud(connection, "subnet"), 8)
}

func TestDisksGoToTheVMThatTheyCameWith(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	a.ok(http.MethodPost, "/vm", a.vmBody("vm 1")) // vm-1 in /v1
	a.ok(http.MethodPost, "/disk", in(`{"Name":"d","DiskType":"","DiskSize":"50"}`))
	made := a.ok(http.MethodPost, "/vm", strings.Replace(a.vmBody("vm-1"), `"Name":`, `"DataDiskNames":["d"],"Name":`, 1))
	assert.Contains(t, made.body, `{"IId":{"NameId":"vm-1",`)
	assert.Contains(t, made.body, `"DataDiskIIDs":[{"NameId":"d"`)
	assert.Contains(t, a.ok(http.MethodGet, "/disk/d", in("{}")).body, `"OwnerVM":{"NameId":"vm-1"`)
	other := a.call(http.MethodPut, "/disk/d/detach", in(`{"VMName":"vm 1"}`))
	assert.Equal(t, "VMName: it is attached to the VM vm-1, not to vm 1", other.message(t))
}

func TestAVPCComesAndGoesWithItsSubnets(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	a.ok(http.MethodPost, "/vpc/v/subnet", in(`{"Name":"운영망","IPv4_CIDR":"10.0.2.0/24"}`))
	vm := into[struct{ IId, VpcIID, SubnetIID iid }](t, a.ok(http.MethodPost, "/vm", a.vmBody("vm1")))
	used := a.call(http.MethodDelete, "/regvpc/v", in("{}"))
	assert.Equal(t, http.StatusConflict, used.status, "the VM would be left without it: %s", used.body)
	a.ok(http.MethodDelete, "/regvm/vm1", in("{}"))
	a.ok(http.MethodDelete, "/regsecuritygroup/g", in("{}"))
	a.ok(http.MethodDelete, "/regvpc/v", in("{}"))
	assert.Equal(t, map[string]int{"keypair": 1}, a.recorded())

	taken := a.ok(http.MethodPost, "/regvpc", in(`{"Name":"내 VPC","CSPId":"`+vm.VpcIID.SystemId+`"}`))
	assert.Contains(t, taken.body, `"NameId":"s","SystemId":"`+vm.SubnetIID.SystemId+`"`, "with its subnets")
	assert.Equal(t, map[string]int{"keypair": 1, "vpc": 1, "subnet": 2}, a.recorded())
	back := into[struct{ VpcIID, SubnetIID iid }](t, a.ok(http.MethodPost, "/regvm", in(`{"Name":"vm1","CSPId":"`+vm.IId.SystemId+`"}`)))
	assert.Equal(t, iid{"내 VPC", vm.VpcIID.SystemId}, back.VpcIID)
	assert.Equal(t, iid{"s", vm.SubnetIID.SystemId}, back.SubnetIID)
}
