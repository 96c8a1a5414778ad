package spider_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

// listed is what an answer about all of a kind holds, in either form.
type listed struct {
	AllList struct{ MappedList, OnlySpiderList, OnlyCSPList []iid }

	AllListInfo struct {
		MappedInfoList, OnlyCSPInfoList []json.RawMessage
		OnlySpiderList                  []iid
	}
}

func (a *facade) listed(path string) listed {
	a.t.Helper()
	var all listed
	require.NoError(a.t, json.Unmarshal([]byte(a.ok(http.MethodGet, path, in("{}")).body), &all))
	return all
}

// foreign answers the only one of a kind that nobody has registered, with its info.
func (a *facade) foreign(path string) (iid, string) {
	a.t.Helper()
	all, infos := a.listed("/all"+path).AllList, a.listed("/all"+path+"info").AllListInfo
	require.Len(a.t, all.OnlyCSPList, 1, path)
	require.Len(a.t, infos.OnlyCSPInfoList, 1, path)
	assert.Empty(a.t, all.MappedList, path)
	assert.Empty(a.t, infos.MappedInfoList, path)
	return all.OnlyCSPList[0], string(infos.OnlyCSPInfoList[0])
}

// everything makes one of each type, and answers their ids by path.
func (a *facade) everything() map[string]string {
	a.t.Helper()
	a.network()
	ids := map[string]string{}
	for _, one := range [][2]string{
		{"vm", a.vmBody("vm1")},
		{"disk", in(`{"Name":"d","DiskType":"","DiskSize":"50"}`)},
		{"myimage", in(`{"Name":"i","SourceVM":"vm1"}`)},
		{"nlb", in(`{"Name":"n","VPCName":"v","Type":"PUBLIC","Scope":"REGION","Listener":{"Protocol":"TCP","Port":"80"},"VMGroup":{"Protocol":"TCP","Port":"80","VMs":["vm1"]},"HealthChecker":{"Protocol":"TCP","Port":"80","Interval":"10","Timeout":"9","Threshold":"3"}}`)},
		{"cluster", in(`{"Name":"c","VPCName":"v","SubnetNames":["s"],"SecurityGroupNames":["g"],"NodeGroupList":[{"Name":"ng","VMSpecName":"` + a.Spec + `","KeyPairName":"k","DesiredNodeSize":"1","MinNodeSize":"1","MaxNodeSize":"1","OnAutoScaling":"false"}]}`)},
	} {
		a.ok(http.MethodPost, "/"+one[0], one[1])
	}
	a.ok(http.MethodPut, "/disk/d/attach", in(`{"VMName":"vm1"}`))
	for _, path := range []string{"vpc", "securitygroup", "keypair", "vm", "disk", "myimage", "nlb", "cluster"} {
		mapped := a.listed("/all" + path).AllList.MappedList
		require.Len(a.t, mapped, 1, path)
		ids[path] = mapped[0].SystemId
	}
	return ids
}

func TestOwnersOfWhatIsNotRegistered(t *testing.T) {
	a := registered(t, enginetest.Options{})
	ids := a.everything()
	ask := func(route, path string, check func(response)) {
		t.Helper()
		check(a.call(http.MethodPost, route, in(`{"CSPId":"`+ids[path]+`"}`)))
		check(a.call(http.MethodGet, route, in(`{"CSPId":"`+ids[path]+`"}`)))
		check(a.call(http.MethodGet, route+"?ConnectionName="+connection+"&CSPId="+ids[path], ""))
	}
	owners := map[string]string{"/getclusterowner": "cluster", "/getnlbowner": "nlb", "/getsecuritygroupowner": "securitygroup"}
	using := "/getvmusingresources"
	for route, path := range map[string]string{"/getclusterowner": "cluster", "/getnlbowner": "nlb", "/getsecuritygroupowner": "securitygroup", using: "vm"} {
		ask(route, path, func(r response) {
			assert.Equal(t, http.StatusConflict, r.status, "%s of what is registered: %s", route, r.body)
			assert.Contains(t, r.message(t), "already exists in connection '"+connection+"'")
		})
	}
	for _, one := range []string{"/regcluster/c", "/regnlb/n", "/regdisk/d", "/regmyimage/i", "/regvm/vm1", "/regsecuritygroup/g"} {
		a.ok(http.MethodDelete, one, in("{}"))
	}
	answers := func(vpc string) {
		t.Helper()
		owner, err := json.Marshal(iid{vpc, ids["vpc"]})
		require.NoError(t, err)
		for route, path := range owners {
			ask(route, path, func(r response) { assert.JSONEq(t, string(owner), r.body, route) })
		}
	}
	answers("v")
	ask(using, "vm", func(r response) {
		assert.JSONEq(t, `{"Resources":{"VPC":{"NameId":"v","SystemId":"`+ids["vpc"]+`"},"SGList":[{"NameId":"","SystemId":"`+ids["securitygroup"]+`"}],"VMKey":{"NameId":"k","SystemId":"`+ids["keypair"]+`"}}}`, r.body)
	})
	a.ok(http.MethodPost, "/regsecuritygroup", in(`{"Name":"g2","VPCName":"v","CSPId":"`+ids["securitygroup"]+`"}`))
	ask(using, "vm", func(r response) {
		assert.Contains(t, r.body, `"SGList":[{"NameId":"g2"`, "by the name of its registration")
	})

	for _, one := range []string{"/regsecuritygroup/g2", "/regkeypair/k", "/regvpc/v"} {
		a.ok(http.MethodDelete, one, in("{}"))
	}
	answers("")
	ask(using, "vm", func(r response) {
		assert.JSONEq(t, `{"Resources":{"VPC":{"NameId":"","SystemId":"`+ids["vpc"]+`"},"SGList":[{"NameId":"","SystemId":"`+ids["securitygroup"]+`"}],"VMKey":{"NameId":"","SystemId":"`+ids["keypair"]+`"}}}`, r.body)
	})
}

func TestWhatOnlyTheCloudHasIsShownUnderItsName(t *testing.T) {
	a := registered(t, enginetest.Options{})
	ids := a.everything()
	for _, one := range []string{"/regcluster/c", "/regnlb/n", "/regdisk/d", "/regmyimage/i", "/regvm/vm1", "/regkeypair/k", "/regsecuritygroup/g", "/regvpc/v"} {
		a.ok(http.MethodDelete, one, in("{}"))
	}
	named := func(path, name string) string {
		raw, err := json.Marshal(iid{name, ids[path]})
		require.NoError(t, err)
		return string(raw)
	}
	vm := []string{`"IId":` + named("vm", "vm1"), `"VpcIID":` + named("vpc", "v"), `"SubnetIID":{"NameId":"s",`, `"SecurityGroupIIds":[` + named("securitygroup", "g"), `"KeyPairIId":` + named("keypair", "k"), `"DataDiskIIDs":[` + named("disk", "d")}
	for path, shown := range map[string][]string{
		"vpc":           {`"IId":` + named("vpc", "v"), `"SubnetInfoList":[{"IId":{"NameId":"s",`},
		"securitygroup": {`"IId":` + named("securitygroup", "g"), `"VpcIID":` + named("vpc", "v")},
		"keypair":       {`"IId":` + named("keypair", "k")},
		"vm":            vm,
		"disk":          {`"IId":` + named("disk", "d"), `"OwnerVM":` + named("vm", "vm1")},
		"myimage":       {`"IId":` + named("myimage", "i")},
		"nlb":           {`"IId":` + named("nlb", "n"), `"VpcIID":` + named("vpc", "v"), `"VMs":[` + named("vm", "vm1")},
		"cluster":       {`"IId":` + named("cluster", "c"), `"VpcIID":` + named("vpc", "v"), `"SubnetIIDs":[{"NameId":"s",`, `"SecurityGroupIIDs":[` + named("securitygroup", "g")},
	} {
		id, info := a.foreign(path)
		assert.Equal(t, ids[path], id.SystemId)
		assert.Contains(t, shown[0], `"NameId":"`+id.NameId+`"`, path)
		for _, part := range shown {
			assert.Contains(t, info, part, path)
		}
	}
	on := a.ok(http.MethodGet, "/cspvm/"+ids["vm"], in("{}")).body
	for _, part := range vm {
		assert.Contains(t, on, part)
	}

	// One that is registered has the name of its registration, also where others refer to it.
	a.ok(http.MethodPost, "/regvpc", in(`{"Name":"mine","CSPId":"`+ids["vpc"]+`"}`))
	mapped := a.listed("/allvpcinfo").AllListInfo.MappedInfoList
	require.Len(t, mapped, 1)
	assert.Contains(t, string(mapped[0]), `"IId":`+named("vpc", "mine"))
	_, info := a.foreign("vm")
	assert.Contains(t, info, `"VpcIID":`+named("vpc", "mine"))
}

func TestTwoOfOneNameOnTheCloud(t *testing.T) {
	a := registered(t, enginetest.Options{})
	var ids []string
	for _, cidr := range []string{"10.0.0.0/16", "10.1.0.0/16"} {
		a.ok(http.MethodPost, "/vpc", in(`{"Name":"v","IPv4_CIDR":"`+cidr+`","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"`+strings.Replace(cidr, "0.0/16", "1.0/24", 1)+`"}]}`))
		a.ok(http.MethodPost, "/securitygroup", in(`{"Name":"g","VPCName":"v","SecurityRules":[{"Direction":"inbound","IPProtocol":"tcp","FromPort":"22","ToPort":"22"}]}`))
		ids = append(ids, a.listed("/allvpc").AllList.MappedList[0].SystemId)
		a.ok(http.MethodDelete, "/regsecuritygroup/g", in("{}"))
		a.ok(http.MethodDelete, "/regvpc/v", in("{}"))
	}
	assert.ElementsMatch(t, []iid{{"v", ids[0]}, {"v", ids[1]}}, a.listed("/allvpc").AllList.OnlyCSPList)
	var vpcs []string
	for _, raw := range a.listed("/allvpcinfo").AllListInfo.OnlyCSPInfoList {
		var info struct {
			IId            iid
			SubnetInfoList []struct{ IId iid }
		}
		require.NoError(t, json.Unmarshal(raw, &info))
		assert.Equal(t, "v", info.IId.NameId)
		assert.Len(t, info.SubnetInfoList, 1, "each has its own subnet")
		vpcs = append(vpcs, info.IId.SystemId)
	}
	assert.ElementsMatch(t, ids, vpcs)
	var owners []string
	groups := a.listed("/allsecuritygroup").AllList.OnlyCSPList
	require.Len(t, groups, 2)
	for _, group := range groups {
		var owner iid
		require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodPost, "/getsecuritygroupowner", in(`{"CSPId":"`+group.SystemId+`"}`)).body), &owner))
		owners = append(owners, owner.SystemId)
	}
	assert.ElementsMatch(t, ids, owners, "each has its own VPC")

	// One of them is registered under that name: the other stays the cloud's alone.
	a.ok(http.MethodPost, "/regvpc", in(`{"Name":"v","CSPId":"`+ids[1]+`"}`))
	all := a.listed("/allvpc").AllList
	assert.Equal(t, []iid{{"v", ids[1]}}, all.MappedList)
	assert.Equal(t, []iid{{"v", ids[0]}}, all.OnlyCSPList)
}

func TestACloudThatLacksAKindShowsTheOthers(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.Connect("lacking", "lacks", "disk")
	on := func(method, path, body string) response {
		return a.call(method, path, strings.Replace(body, connection, "lacking", 1))
	}
	require.Equal(t, http.StatusOK, on(http.MethodPost, "/vpc", in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24"}]}`)).status)
	made := on(http.MethodPost, "/vm", strings.Replace(a.vmBody("vm1"), `"SecurityGroupNames":["g"],"KeyPairName":"k"`, `"SecurityGroupNames":[]`, 1))
	require.Equal(t, http.StatusOK, made.status, made.body)
	all := on(http.MethodGet, "/allvminfo", in("{}"))
	assert.Equal(t, http.StatusOK, all.status, all.body)
	assert.Contains(t, all.body, `"NameId":"vm1"`)
	assert.Equal(t, http.StatusNotImplemented, on(http.MethodGet, "/alldiskinfo", in("{}")).status)
}

func TestWhatIsRegisteredIsInTheVPCThatIsNamed(t *testing.T) {
	a := registered(t, enginetest.Options{})
	ids := a.everything()
	a.ok(http.MethodPost, "/vpc", in(`{"Name":"둘","IPv4_CIDR":"10.9.0.0/16"}`))
	all := []string{"cluster/c", "nlb/n", "disk/d", "myimage/i", "vm/vm1", "securitygroup/g"}
	for _, one := range all {
		a.ok(http.MethodDelete, "/reg"+one, in("{}"))
	}
	for _, one := range all {
		path, _, _ := strings.Cut(one, "/")
		register := func(vpc string) response {
			return a.call(http.MethodPost, "/reg"+path, in(`{"Name":"`+path+`-2","VPCName":"`+vpc+`","CSPId":"`+ids[path]+`"}`))
		}
		if path == "cluster" || path == "nlb" || path == "securitygroup" { // of the others no caller says it
			r := register("nowhere")
			assert.Equal(t, http.StatusNotFound, r.status, r.body)
			assert.Equal(t, "VPC 'nowhere' does not exist in connection '"+connection+"'", r.message(t))
			r = register("둘")
			assert.Equal(t, http.StatusBadRequest, r.status, r.body)
			assert.Contains(t, r.message(t), "belongs to the vpc v")
		}
		assert.Equal(t, http.StatusOK, register("v").status, path)
		r := register("v")
		assert.Equal(t, http.StatusConflict, r.status, r.body)
		assert.Contains(t, r.message(t), "'"+path+"-2' already exists in connection")
	}
}
