package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/test/moto"
)

// walked is a cloud as CB-Tumblebug knows it.
type walked struct {
	provider string
	region   string
	zones    []string
	keys     [][2]string // of a credential, by the cloud's own names
	fits     func(image) bool
	spec     string
	disk     string // a type of disk
	scales   bool   // whether node groups of clusters scale; moto has none of the tags that AWS's have
}

func mockWalked() walked {
	return walked{
		provider: "mock", region: "default", zones: []string{"default-z1", "default-z2"}, keys: [][2]string{{"MockName", "tumblebug"}},
		fits: func(i image) bool { return i.IId.NameId == "mock-vmimage-01" }, spec: "mock-vmspec-01", disk: "SSD", scales: true,
	}
}

func awsWalked() walked {
	return walked{
		provider: "aws", region: "ap-northeast-2", zones: []string{"ap-northeast-2a", "ap-northeast-2b"},
		keys: [][2]string{{"aws_access_key_id", "AKIAEXAMPLE"}, {"aws_secret_access_key", "a-very-secret-key"}},
		fits: func(i image) bool {
			return i.OSArchitecture == "x86_64" && strings.Contains(strings.ToLower(i.OSDistribution), "ubuntu")
		},
		spec: "t3.medium", disk: "gp3",
	}
}

// stock is how many regions and zones CB-Tumblebug registers for each cloud at its start.
// https://github.com/cloud-barista/cb-tumblebug/blob/440b798/assets/cloudinfo.yaml
var stock = []struct { //nolint:gochecknoglobals // a table
	name, platform string
	regions, zones int
}{
	{"alibaba", "alibaba", 32, 103},
	{"aws", "aws", 33, 103},
	{"azure", "azure", 48, 114},
	{"gcp", "gcp", 43, 130},
	{"ibm", "ibm", 13, 39},
	{"kt", "kt", 1, 1},
	{"ncp", "ncp", 3, 6},
	{"nhn", "nhn", 4, 8},
	{"openstack", "openstack", 1, 1},
	{"openstack-ex01", "openstack", 1, 1},
	{"tencent", "tencent", 17, 37},
}

// TestTheWalkOfCBTumblebug does what CB-Tumblebug does, in its order and by its requests.
func TestTheWalkOfCBTumblebug(t *testing.T) {
	t.Setenv("SPIDER_USERNAME", spiderUser)
	t.Setenv("SPIDER_PASSWORD", spiderPassword)
	t.Run("mock", func(t *testing.T) {
		c := newTumblebug(newWorld(t, "--dev"))
		c.prompt = true
		began := time.Now()
		c.start()
		cloud := mockWalked()
		c.connect(cloud)
		c.walk(cloud)
		t.Logf("%d calls took %s, the longest of them %s", c.calls, time.Since(began), c.longest)
	})
	t.Run("aws", func(t *testing.T) {
		w := newWorld(t)
		c := newTumblebug(w)
		cloud := awsWalked()
		c.credential(cloud)
		// It is moto that is asked: a connection that is there keeps its settings.
		w.do("connection create %s --cloud aws --credential aws --region %s --zone %s --setting endpoint=%s", cloud.connection(), cloud.region, cloud.zones[0], moto.Start(t).URL)
		c.connect(cloud)
		c.walk(cloud)
		noSecretOnDisk(t, w.data, "a-very-secret-key")
	})
}

// start is what happens at the start of CB-Tumblebug, and at each further one.
func (c *tumblebug) start() {
	c.t.Helper()
	c.ok(http.MethodGet, "/readyz", nil, nil)
	for range 2 {
		before, began := c.calls, time.Now()
		for _, cloud := range stock {
			c.driver(cloud.platform)
			for i := range cloud.regions {
				region := fmt.Sprintf("region-%d", i)
				var zones []string
				for j := i; j < cloud.zones; j += cloud.regions {
					zones = append(zones, fmt.Sprintf("%s-zone-%d", region, j))
				}
				c.region(cloud.name, cloud.platform, region, zones)
			}
		}
		took := time.Since(began)
		assert.Equal(c.t, 750, c.calls-before)
		c.t.Logf("%d registrations took %s", c.calls-before, took)
		if took > 3*time.Second {
			assert.Less(c.t, took, c.quiet(3*time.Second), "the registrations took too long")
		}
	}
	var known struct{ Region []struct{ RegionName string } }
	c.ok(http.MethodGet, "/region", nil, &known)
	assert.Len(c.t, known.Region, 739)
}

func (c *tumblebug) driver(platform string) {
	c.t.Helper()
	library := platform + "-driver-v1.0.so"
	c.ok(http.MethodPost, "/driver", object{"ProviderName": strings.ToUpper(platform), "DriverName": library, "DriverLibFileName": library}, nil)
}

// region registers a region, which stands for its first zone, and each of its zones.
func (c *tumblebug) region(name, platform, region string, zones []string) {
	c.t.Helper()
	register := func(as, zone string, available []string) {
		c.ok(http.MethodPost, "/region", object{
			"ProviderName": strings.ToUpper(platform), "RegionName": as, "AvailableZoneList": available,
			"KeyValueInfoList": []keyValue{{"Region", region}, {"Zone", zone}},
		}, nil)
	}
	first := ""
	if len(zones) > 0 {
		first = zones[0]
	}
	register(name+"-"+region, first, nil)
	for _, zone := range zones {
		register(name+"-"+region+"-"+zone, zone, zones)
	}
}

// connection is the name of the region's connection.
func (w walked) connection() string { return w.provider + "-" + w.region }

func (c *tumblebug) credential(cloud walked) {
	c.t.Helper()
	var keys []keyValue
	for _, key := range cloud.keys {
		keys = append(keys, keyValue{key[0], key[1]})
	}
	var made struct{ CredentialName, ProviderName string }
	c.ok(http.MethodPost, "/credential", object{"CredentialName": cloud.provider, "ProviderName": strings.ToUpper(cloud.provider), "KeyValueInfoList": keys}, &made)
	assert.Equal(c.t, cloud.provider, made.CredentialName)
	assert.Equal(c.t, strings.ToUpper(cloud.provider), made.ProviderName)
}

// connect registers a cloud as far as it takes to use it, and finds out whether the
// credential is good.
func (c *tumblebug) connect(cloud walked) {
	c.t.Helper()
	c.driver(cloud.provider)
	c.region(cloud.provider, cloud.provider, cloud.region, cloud.zones)
	c.credential(cloud)
	c.connection = cloud.connection()
	type config struct{ ConfigName, ProviderName, DriverName, CredentialName, RegionName string }
	asked := config{c.connection, strings.ToUpper(cloud.provider), cloud.provider + "-driver-v1.0.so", cloud.provider, c.connection}
	var made config
	c.ok(http.MethodPost, "/connectionconfig", asked, &made)
	assert.Equal(c.t, asked, made)
	var region struct {
		RegionName       string
		KeyValueInfoList []keyValue
	}
	c.ok(http.MethodGet, "/region/"+made.RegionName, nil, &region)
	assert.Equal(c.t, []keyValue{{"Region", cloud.region}, {"Zone", cloud.zones[0]}}, region.KeyValueInfoList)
	c.ok(http.MethodGet, "/allkeypair", c.here(), nil)
}

// network is what VMs of a connection share.
type network struct {
	vpc     iid
	subnets []iid
	group   iid
	key     iid
	image   string
}

// walk does everything that CB-Tumblebug does in a connection.
func (c *tumblebug) walk(cloud walked) {
	c.t.Helper()
	n := network{image: c.choose(cloud)}
	c.network(cloud, &n)
	c.securityGroup(&n)
	c.keyPair(&n)

	var (
		first [2]iid
		both  sync.WaitGroup
	)
	for i := range first {
		both.Go(func() { first[i] = c.vm(cloud, n) })
	}
	both.Wait()
	require.False(c.t, c.t.Failed())
	for _, vm := range first {
		c.tag("vm", vm.NameId, vm.SystemId)
		c.control(vm, "suspend", "Suspended")
		c.control(vm, "resume", "Running")
		c.control(vm, "reboot", "Running")
	}
	vms := append(first[:], c.vm(cloud, n)) // scaled out

	disk := c.disk(cloud, vms[0])
	c.nlb(n, vms)
	image := c.myImage(vms[0])
	c.cluster(cloud, n)
	c.inspect(n, vms, disk, image)
	vms, disk, image = c.reregister(cloud, &n, vms, disk, image)

	c.ok(http.MethodPut, "/disk/"+disk.NameId+"/detach", c.in(object{"VMName": vms[0].NameId}), nil)
	c.remove("disk", disk)
	c.remove("myimage", image)
	for _, vm := range vms {
		c.remove("vm", vm)
	}
	c.remove("keypair", n.key)
	c.remove("securitygroup", n.group)
	for _, subnet := range n.subnets[1:] {
		var done struct{ Result string }
		c.ok(http.MethodDelete, "/vpc/"+n.vpc.NameId+"/subnet/"+subnet.NameId, c.here(), &done)
		assert.Equal(c.t, "true", done.Result)
	}
	c.remove("vpc", n.vpc)
	for _, path := range []string{"vpc", "securitygroup", "keypair", "vm", "disk", "myimage", "nlb"} {
		assert.Empty(c.t, c.all(path).MappedList, path)
		assert.Empty(c.t, c.all(path).OnlySpiderList, path)
	}
}

// choose looks at what there is to choose from, and answers an image.
func (c *tumblebug) choose(cloud walked) string {
	c.t.Helper()
	var specs struct{ VMSpec []spec }
	c.ok(http.MethodGet, "/vmspec", c.here(), &specs)
	require.NotEmpty(c.t, specs.VMSpec)
	var one spec
	c.ok(http.MethodGet, "/vmspec/"+cloud.spec, c.here(), &one)
	assert.Equal(c.t, cloud.spec, one.Name)
	assert.NotEmpty(c.t, one.VCpu.Count)
	assert.NotEmpty(c.t, one.MemSizeMib)
	var prices struct {
		PriceList []struct {
			ProductInfo struct{ VMSpecName string }
			PriceInfo   struct {
				OnDemand struct{ PricingId, Unit, Currency, Price, Description string }
			}
		}
	}
	status, said := c.call(http.MethodGet, "/priceinfo/vm/"+cloud.region+"?ConnectionName="+c.connection+"&simple=true", nil, &prices)
	if cloud.provider == "mock" {
		require.Equal(c.t, http.StatusOK, status, said)
		assert.NotEmpty(c.t, prices.PriceList)
	}
	var images struct{ Image []image }
	c.ok(http.MethodGet, "/vmimage", c.here(), &images)
	for _, i := range images.Image {
		if cloud.fits(i) {
			var same image
			c.ok(http.MethodGet, "/vmimage/"+url.QueryEscape(i.IId.NameId), c.here(), &same)
			assert.Equal(c.t, i, same)
			return i.IId.NameId
		}
	}
	require.Fail(c.t, "no image fits")
	return ""
}

// inspect compares what is known here with what the cloud has.
func (c *tumblebug) inspect(n network, vms []iid, disk, image iid) {
	c.t.Helper()
	for path, want := range map[string][]iid{"vpc": {n.vpc}, "securitygroup": {n.group}, "keypair": {n.key}, "vm": vms, "disk": {disk}, "myimage": {image}, "nlb": {}} {
		all := c.all(path)
		assert.ElementsMatch(c.t, want, all.MappedList, path)
		assert.Empty(c.t, all.OnlySpiderList, path)
	}
	var infos struct {
		AllListInfo struct{ MappedInfoList, OnlyCSPInfoList []vpcInfo }
	}
	c.ok(http.MethodGet, "/allvpcinfo?ConnectionName="+c.connection, nil, &infos)
	require.Len(c.t, infos.AllListInfo.MappedInfoList, 1)
	mapped := infos.AllListInfo.MappedInfoList[0]
	assert.Equal(c.t, n.vpc, mapped.IId)
	var again vpcInfo
	c.ok(http.MethodGet, "/vpc/"+mapped.IId.NameId+"?ConnectionName="+c.connection, nil, &again)
	assert.Equal(c.t, again, mapped)
}

// reregister has everything unregistered, finds it on the cloud alone, and registers all
// of it anew under new names.
func (c *tumblebug) reregister(cloud walked, n *network, vms []iid, disk, image iid) (_ []iid, _, _ iid) {
	c.t.Helper()
	unregister := func(path string, one iid) {
		c.t.Helper()
		var done struct{ Result string }
		c.ok(http.MethodDelete, "/reg"+path+"/"+one.NameId, c.here(), &done)
		assert.Equal(c.t, "true", done.Result, path)
	}
	unregister("myimage", image)
	unregister("disk", disk)
	for _, vm := range vms {
		unregister("vm", vm)
	}
	unregister("keypair", n.key)
	unregister("securitygroup", n.group)
	unregister("vpc", n.vpc)

	before := *n
	c.onlyOnCloud("myimage", image.NameId, image.SystemId)
	var registered struct{ IId iid }
	c.ok(http.MethodPost, "/regmyimage", c.in(object{"Name": uid(), "CSPId": image.SystemId}), &registered)
	image = registered.IId

	var vpc vpcInfo
	c.ok(http.MethodPost, "/regvpc", c.in(object{"Name": uid(), "CSPId": c.onlyOnCloud("vpc", n.vpc.NameId, n.vpc.SystemId)}), &vpc)
	assert.Equal(c.t, before.vpc.SystemId, vpc.IId.SystemId)
	require.Len(c.t, vpc.SubnetInfoList, 2, "a VPC comes with its subnets")
	n.vpc, n.subnets = vpc.IId, nil
	for _, was := range before.subnets {
		for _, is := range vpc.SubnetInfoList { // in any order
			if is.IId.SystemId == was.SystemId {
				assert.Equal(c.t, was.NameId, is.IId.NameId)
				n.subnets = append(n.subnets, is.IId)
			}
		}
	}
	require.Len(c.t, n.subnets, 2)

	group := c.onlyOnCloud("securitygroup", n.group.NameId, n.group.SystemId)
	var owner iid
	c.ok(http.MethodPost, "/getsecuritygroupowner", c.in(object{"CSPId": group}), &owner)
	assert.Equal(c.t, n.vpc, owner)
	var security securityInfo
	c.ok(http.MethodPost, "/regsecuritygroup", c.in(object{
		"Name": uid(), "VPCName": n.vpc.NameId, "CSPId": group, "SecurityRules": nil, "IId": iid{}, "VpcIID": iid{}, "Direction": "", "KeyValueList": nil,
	}), &security)
	assert.Equal(c.t, n.vpc, security.VpcIID)
	n.group = security.IId
	status, said := c.call(http.MethodPost, "/getsecuritygroupowner", c.in(object{"CSPId": group}), nil)
	assert.GreaterOrEqual(c.t, status, http.StatusBadRequest)
	assert.Contains(c.t, said, "already exists")

	var key keyInfo
	c.ok(http.MethodPost, "/regkeypair", c.in(object{"Name": uid(), "CSPId": c.onlyOnCloud("keypair", n.key.NameId, n.key.SystemId)}), &key)
	n.key = key.IId

	var again []iid
	for _, vm := range vms {
		asked := vmRequest(uid())
		asked["CSPid"] = c.onlyOnCloud("vm", vm.NameId, vm.SystemId)
		var made vmInfo
		c.ok(http.MethodPost, "/regvm", c.in(asked), &made)
		assert.Equal(c.t, asked["Name"], made.IId.NameId)
		c.complete(cloud, *n, made)
		var called struct{ Name string }
		c.ok(http.MethodGet, "/cspresourcename/"+made.IId.NameId, object{"ConnectionName": c.connection, "ResourceType": "vm"}, &called)
		assert.Equal(c.t, vm.NameId, called.Name, "its name on the cloud is the old one")
		again = append(again, made.IId)
	}
	var shown diskInfo
	c.ok(http.MethodPost, "/regdisk", c.in(object{
		"Name": uid(), "CSPid": c.onlyOnCloud("disk", disk.NameId, disk.SystemId), "DiskType": "", "DiskSize": "", "IId": iid{}, "Status": "", "OwnerNode": iid{},
		"CreatedTime": time.Time{}, "KeyValueList": nil,
	}), &shown)
	assert.Equal(c.t, again[0], shown.OwnerVM)
	c.inspect(*n, again, shown.IId, image)
	return again, shown.IId, image
}
