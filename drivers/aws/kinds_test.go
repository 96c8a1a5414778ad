package aws

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// These run on moto behind its stage, called by TestOnMoto.

func testPricesAndQuotas(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	all := catalog(t, s, resource.Prices, nil)
	assert.Len(t, all, 8, "two pages of machines, on demand and reserved, a disk, and two pages of spot prices")
	assert.Contains(t, all, resource.Price{
		ID: "t3.micro.T.R", Product: "vm", Spec: "t3.micro", OS: "linux", Contract: "onDemand", Currency: "USD", Amount: "0.0130000000", Unit: "hour", ValidFrom: &from, Doc: "per hour",
	})
	assert.Contains(t, all, resource.Price{
		ID: "t3.micro.N.R", Product: "vm", Spec: "t3.micro", OS: "linux", Contract: "reserved", Term: "1yr standard No Upfront", Currency: "USD", Amount: "0.0080000000", Unit: "hour", ValidFrom: &from, Doc: "reserved",
	})
	assert.Equal(t, []resource.Price{{ID: "S.T.R", Product: "disk", DiskType: "gp3", Contract: "onDemand", Currency: "USD", Amount: "0.0912000000", Unit: "GiB-month", ValidFrom: &from, Doc: "General purpose"}},
		catalog(t, s, resource.Prices, driver.Query{"product": "disk"}))
	one := catalog(t, s, resource.Prices, driver.Query{"spec": "m5.large", "contract": "onDemand"})
	require.Len(t, one, 1)
	assert.Equal(t, "m5.large", one[0].Spec)
	changed := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	assert.Equal(t, []resource.Price{{
		ID: "spot.ap-northeast-2b.t3.micro.Windows", Product: "vm", Spec: "t3.micro", OS: "windows", Zone: seoul + "b", Contract: "spot", Currency: "USD", Amount: "0.009000", Unit: "hour", ValidFrom: &changed, Doc: "Windows, spot",
	}}, catalog(t, s, resource.Prices, driver.Query{"contract": "spot", "os": "windows"}))
	here := catalog(t, s, resource.Prices, driver.Query{"zone": seoul + "a", "spec": "m5.large"})
	require.Len(t, here, 1, "only spot prices are of a zone")
	assert.Equal(t, "m5.large", here[0].Spec)
	assert.Empty(t, catalog(t, s, resource.Prices, driver.Query{"contract": "spot", "product": "disk"}))

	quotas := catalog(t, s, resource.Quotas, driver.Query{"service": "vpc"})
	assert.Equal(t, []resource.Quota{
		{ID: "L-F678F1CE", Name: "VPCs per Region", Service: "vpc", Kind: "vpc", Limit: 5, Used: quotas[0].Used, Adjustable: true},
		{ID: "L-407747CB", Name: "Subnets per VPC", Service: "vpc", Kind: "subnet", Limit: 200, Adjustable: true},
	}, quotas)
	assert.Len(t, catalog(t, s, resource.Quotas, nil), 7, "of all services but the one that the region has not")
	assert.NotNil(t, quotas[0].Used)
}

// What is used is counted where AWS does not tell it.
func testUsage(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, "eu-west-3"))
	used := func() map[string]float64 {
		counted := map[string]float64{}
		for _, quota := range catalog(t, s, resource.Quotas, nil) {
			if quota.Used != nil {
				counted[quota.ID] = *quota.Used
			}
		}
		return counted
	}
	before := used()
	assert.Len(t, before, 5, "but the subnets of one VPC, and what nobody counts: %v", before)
	vpc := create(t, s, resource.VPC, "usage", nil, resource.VPCSpec{CIDR: "10.1.0.0/16"})
	subnet := create(t, s, resource.Subnet, "usage", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.1.1.0/24", Zone: "eu-west-3a"})
	disk := create(t, s, resource.Disk, "usage", nil, resource.DiskSpec{SizeGiB: 512, Type: "gp3", Zone: "eu-west-3a"})
	create(t, s, resource.Snapshot, "usage", nil, resource.SnapshotSpec{Disk: disk.ID})
	create(t, s, resource.PublicIP, "usage", nil, resource.PublicIPSpec{})
	create(t, s, resource.VM, "usage", nil, resource.VMSpec{Image: anImage(t, s), Spec: "t3.large", Subnet: subnet.ID})
	after := used()
	for code, more := range map[string]float64{"L-F678F1CE": 1, "L-7A658B76": 0.5, "L-309BACF6": 1, "L-0263D0A3": 1} {
		assert.InDelta(t, before[code]+more, after[code], 0.02, code)
	}
	assert.NotContains(t, after, "L-1216C47A", "moto does not tell the vCPUs of instances, which AWS does")
}

// Who may not ask for a list, or asks while its service is down, gets the limits alone.
func TestQuotasWithoutUsage(t *testing.T) {
	for code, want := range map[string]resource.Code{"UnauthorizedOperation": "", "Unavailable": "", "InvalidAction": "", "RequestLimitExceeded": resource.CodeThrottled} {
		ec2, endpoint := fake(t, func(url.Values) (int, string) { return http.StatusBadRequest, errorXML(code, "no") })
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListServiceQuotas") {
				ec2.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			fmt.Fprint(w, `{"Quotas":[{"QuotaCode":"L-F678F1CE","QuotaName":"VPCs per Region","Value":5},{"QuotaCode":"L-407747CB","QuotaName":"Subnets per VPC","Value":200}]}`)
		}))
		t.Cleanup(server.Close)
		var found []string
		var last error
		for raw, err := range open(t, config(server.URL, seoul)).Catalog(t.Context(), "quota", driver.Query{"service": "vpc"}) {
			if last = err; err == nil {
				assert.NotContains(t, string(raw), "used")
				found = append(found, string(raw))
			}
		}
		assert.Equal(t, want, resource.CodeOf(last), "%s: %v", code, last)
		if want == "" {
			assert.Len(t, found, 2)
		}
		assert.Len(t, ec2.calls("DescribeVpcs"), 1, "%s at %s", code, endpoint)
	}
}

// Clouds that speak part of EC2's API have no spot prices; a permission that lacks is told.
func TestSpotPricesThatCannotBeAsked(t *testing.T) {
	for cloudCode, want := range map[string]resource.Code{"InvalidAction": "", "UnauthorizedOperation": resource.CodeDenied} {
		_, endpoint := fake(t, func(url.Values) (int, string) { return http.StatusBadRequest, errorXML(cloudCode, "no") })
		var last error
		for _, err := range open(t, config(endpoint, seoul)).Catalog(t.Context(), "price", driver.Query{"contract": "spot"}) {
			last = err
		}
		assert.Equal(t, want, resource.CodeOf(last), "%s: %v", cloudCode, last)
	}
}

func testNativeAndExtensions(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	answer, err := s.Native(t.Context(), driver.NativeRequest{Service: "ec2", Query: map[string][]string{"Action": {"DescribeVpcs"}, "Version": {"2016-11-15"}}})
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, answer.Status)
	assert.Contains(t, answer.Body, "DescribeVpcsResponse")
	assert.Contains(t, answer.Headers["Content-Type"], "xml")

	answer, err = s.Native(t.Context(), driver.NativeRequest{Service: "ec2", Method: http.MethodPost, Body: "Action=DescribeVpcs&Version=2016-11-15&VpcId.1=vpc-0123456789abcdef0"})
	require.NoError(t, err, "whatever the status")
	assert.Equal(t, http.StatusBadRequest, answer.Status)
	assert.Contains(t, answer.Body, "InvalidVpcID.NotFound")

	answer, err = s.Native(t.Context(), driver.NativeRequest{Service: "s3", Method: http.MethodPut, Path: "/mcic-native"})
	require.NoError(t, err)
	assert.Less(t, answer.Status, 500)

	_, err = s.Native(t.Context(), driver.NativeRequest{Service: "evil.example.com/x"})
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))

	vpc := create(t, s, resource.VPC, "extension", nil, resource.VPCSpec{CIDR: "10.20.0.0/16"})
	extend := func(name, input string) map[string]any {
		t.Helper()
		raw, err := s.Extend(t.Context(), name, json.RawMessage(input))
		require.NoError(t, err)
		var output map[string]any
		require.NoError(t, json.Unmarshal(raw, &output))
		return output
	}
	extend("createTags", `{"id":"`+vpc.ID+`","tags":{"by":"extension"}}`)
	assert.Equal(t, "extension", get(t, s, resource.VPC, vpc.ID).Labels["by"])
	info := extend("getRegionInfo", `{}`)
	assert.Equal(t, "Asia Pacific (Seoul)", info["title"])
	assert.Len(t, info["zones"], 4)
	require.NoError(t, s.Delete(t.Context(), "vpc", vpc.ID))
}

func testVMFields(t *testing.T, endpoint string) {
	s, cloud := open(t, config(endpoint, seoul)), client(endpoint, seoul)
	vpc := create(t, s, resource.VPC, "fields", nil, resource.VPCSpec{CIDR: "10.21.0.0/16"})
	subnet := create(t, s, resource.Subnet, "fields", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.21.1.0/24"})
	vm := create(t, s, resource.VM, "fields", nil, resource.VMSpec{Image: anImage(t, s), Spec: "t3.micro", Subnet: subnet.ID, RootDiskType: "gp2", RootDiskSizeGiB: 40, UserData: "#!/bin/sh\necho 안녕"})
	volumes, err := cloud.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{Filters: narrowed(driver.Filter{Token: "fields-vm"}, "").filters})
	require.NoError(t, err)
	require.Len(t, volumes.Volumes, 1)
	assert.Equal(t, "gp2", string(volumes.Volumes[0].VolumeType))
	data, err := cloud.DescribeInstanceAttribute(t.Context(), &ec2.DescribeInstanceAttributeInput{InstanceId: aws.String(vm.ID), Attribute: "userData"})
	require.NoError(t, err)
	plain, err := base64.StdEncoding.DecodeString(aws.ToString(data.UserData.Value))
	require.NoError(t, err)
	assert.Equal(t, "#!/bin/sh\necho 안녕", string(plain))

	image := create(t, s, resource.CustomImage, "fields", map[string]string{"team": "infra"}, resource.CustomImageSpec{VM: vm.ID, Description: "golden"})
	shown := get(t, s, resource.CustomImage, image.ID)
	assert.Equal(t, "fields", shown.Name)
	assert.Equal(t, "golden", shown.Spec.Description)
	second := create(t, s, resource.VM, "second", nil, resource.VMSpec{CustomImage: image.ID, Spec: "t3.micro", Subnet: subnet.ID})
	assert.Equal(t, image.ID, second.Spec.CustomImage, "shown as what it was asked as")
	assert.Empty(t, second.Spec.Image)
	assert.Equal(t, image.ID, get(t, s, resource.VM, second.ID).Spec.CustomImage)
	require.NoError(t, s.Delete(t.Context(), "customimage", image.ID))
	snapshots, err := cloud.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
	require.NoError(t, err)
	for _, left := range snapshots.Snapshots {
		assert.NotContains(t, aws.ToString(left.Description), image.ID, "the copies of its disks go with it")
	}
}

// Of a VM with two interfaces the first gets the address.
func testTwoInterfaces(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	vpc := create(t, s, resource.VPC, "two", nil, resource.VPCSpec{CIDR: "10.30.0.0/16"})
	subnet := create(t, s, resource.Subnet, "two", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.30.1.0/24"})
	vm := running(t, s, resource.VM, "two", resource.VMSpec{Image: anImage(t, s), Spec: "t3.micro", Subnet: subnet.ID})
	nic := create(t, s, resource.NIC, "two", nil, resource.NICSpec{Subnet: subnet.ID})
	require.NoError(t, s.Act(t.Context(), "nic", nic.ID, "attach", json.RawMessage(`{"vm":"`+vm.ID+`"}`)))
	ip := create(t, s, resource.PublicIP, "two", nil, resource.PublicIPSpec{})
	require.NoError(t, s.Act(t.Context(), "publicip", ip.ID, "associate", json.RawMessage(`{"vm":"`+vm.ID+`"}`)))
	shown := get(t, s, resource.PublicIP, ip.ID)
	assert.Equal(t, vm.ID, shown.Status.VM)
	assert.Empty(t, shown.Status.NIC, "it is the VM's own")
	assert.Empty(t, get(t, s, resource.NIC, nic.ID).Status.PublicAddress)
	require.NoError(t, s.Act(t.Context(), "publicip", ip.ID, "associate", json.RawMessage(`{"nic":"`+nic.ID+`"}`)))
	assert.Equal(t, nic.ID, get(t, s, resource.PublicIP, ip.ID).Status.NIC)
}

// What AWS bounds for each disk passes by itself, but for the changes of a day.
func testRatesOfADisk(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	disk := running(t, s, resource.Disk, "rates", resource.DiskSpec{SizeGiB: 1, Zone: seoul + "a"})
	_, _, err := s.Session.Create(t.Context(), "snapshot", driver.ItemRequest{Token: "rates-1", Name: "rates-1", Spec: must(json.Marshal(resource.SnapshotSpec{Disk: disk.ID}))})
	require.NoError(t, err)
	refusals := 0
	require.Eventually(t, func() bool {
		_, err := tryCreate(t, s, resource.Snapshot, "rates-2", "rates-2", nil, resource.SnapshotSpec{Disk: disk.ID})
		if err != nil {
			refusals++
			require.Equal(t, resource.CodeThrottled, resource.CodeOf(err), "%v", err)
		}
		return err == nil
	}, 20*time.Second, time.Millisecond)
	assert.NotZero(t, refusals)

	resize := func(sizeGiB int) func() error {
		return func() error {
			return s.Act(t.Context(), "disk", disk.ID, "resize", json.RawMessage(fmt.Sprintf(`{"sizeGiB":%d}`, sizeGiB)))
		}
	}
	require.NoError(t, resize(2)())
	require.NoError(t, resize(2)(), "the same change again, which the disk does not show yet")
	pending, err := s.Session.Act(t.Context(), "disk", disk.ID, "resize", json.RawMessage(`{"sizeGiB":3}`))
	require.NoError(t, err)
	require.NotNil(t, pending, "another one waits")
	for size := 3; size <= 5; size++ {
		require.NoError(t, resize(size)())
	}
	err = resize(6)()
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "%v", err)
	assert.ErrorContains(t, err, "four times in 24 hours")
}

// Load balancers hold what their tags cannot, and say which label they cannot hold.
func testLabelsOfLoadBalancers(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	vpc := create(t, s, resource.VPC, "labels", nil, resource.VPCSpec{CIDR: "10.31.0.0/16"})
	create(t, s, resource.Subnet, "labels", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.31.1.0/24"})
	labels := map[string]string{"team": "R&D", "owner": "김하늘, Zoë & 李 🚀", "port": "port=8080", "odd": "@=26@=3D26"}
	spec := resource.NLBSpec{VPC: vpc.ID, Protocol: "tcp", Port: 80, TargetPort: 80}
	made := create(t, s, resource.NLB, "labels", labels, spec)
	assert.Equal(t, labels, get(t, s, resource.NLB, made.ID).Labels)
	require.NoError(t, s.Act(t.Context(), "nlb", made.ID, "label", json.RawMessage(`{"set":{"team":"Q&A"},"remove":["owner","no&key"]}`)))
	assert.Equal(t, map[string]string{"team": "Q&A", "port": "port=8080", "odd": "@=26@=3D26"}, get(t, s, resource.NLB, made.ID).Labels)

	for _, value := range []string{strings.Repeat("&", 65), "AWS:own"} {
		_, err := tryCreate(t, s, resource.NLB, "labels-2", "labels-2", map[string]string{"note": value}, spec)
		require.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%v", err)
		assert.Equal(t, "labels.note", resource.AsError(err).Fields[0].Field)
		err = s.Act(t.Context(), "nlb", made.ID, "label", must(json.Marshal(map[string]any{"set": map[string]string{"note": value}})))
		require.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%v", err)
		assert.Equal(t, "set.note", resource.AsError(err).Fields[0].Field)
	}
}

// A cloud that passes over filters shows what others have made.
func TestWhatWasMadeWithAnotherTokenIsNotTaken(t *testing.T) {
	const tags = `<tagSet><item><key>` + tokenTag + `</key><value>somebody-elses</value></item></tagSet>`
	for kind, test := range map[string]struct{ spec, list, action, id string }{
		"vpc":           {`{"cidr":"10.0.0.0/16"}`, "DescribeVpcs/vpcSet", "CreateVpc", "vpcId"},
		"subnet":        {`{"vpc":"vpc-1","cidr":"10.0.0.0/24"}`, "DescribeSubnets/subnetSet", "CreateSubnet", "subnetId"},
		"securitygroup": {`{"vpc":"vpc-1"}`, "DescribeSecurityGroups/securityGroupInfo", "CreateSecurityGroup", "groupId"},
		"keypair":       {`{"publicKey":"` + publicKey + `"}`, "DescribeKeyPairs/keySet", "ImportKeyPair", "keyName"},
		"disk":          {`{"sizeGiB":1,"zone":"ap-northeast-2a"}`, "DescribeVolumes/volumeSet", "CreateVolume", "volumeId"},
		"snapshot":      {`{"disk":"vol-1"}`, "DescribeSnapshots/snapshotSet", "CreateSnapshot", "snapshotId"},
		"customimage":   {`{"vm":"i-1"}`, "DescribeImages/imagesSet", "CreateImage", "imageId"},
		"publicip":      {`{}`, "DescribeAddresses/addressesSet", "AllocateAddress", "allocationId"},
		"nic":           {`{"subnet":"subnet-1"}`, "DescribeNetworkInterfaces/networkInterfaceSet", "CreateNetworkInterface", "networkInterfaceId"},
	} {
		f, endpoint := fake(t, func(form url.Values) (int, string) {
			list, set, _ := strings.Cut(test.list, "/")
			if form.Get("Action") != list {
				return http.StatusBadRequest, errorXML("InvalidParameterValue", "no")
			}
			return http.StatusOK, fmt.Sprintf("<%sResponse><%s><item><%s>x-1</%[3]s>%[4]s</item></%[2]s></%[1]sResponse>", list, set, test.id, tags)
		})
		_, err := open(t, config(endpoint, seoul)).Create(t.Context(), kind, driver.ItemRequest{Token: "mine", Name: "name", Spec: json.RawMessage(test.spec)})
		require.Error(t, err, kind)
		assert.Len(t, f.calls(test.action), 1, kind)
	}
}

func TestNamesThatLoadBalancersTake(t *testing.T) {
	for _, name := range []string{"web", "a.b_c", strings.Repeat("x", 128), "internal-web", "7", "a..b", "a._-b--", "a-----------------------b", "a123456789012345678901-2"} {
		got := balancerName(name, "token-1")
		assert.LessOrEqual(t, len(got), 32)
		for _, one := range groupNames("arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/" + got + "/50dc6c495c0c9188") {
			assert.Regexp(t, `^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$`, one)
			assert.LessOrEqual(t, len(one), 32)
		}
		assert.NotContains(t, got[:9], "internal-")
		assert.Equal(t, got, balancerName(name, "token-1"))
		assert.NotEqual(t, got, balancerName(name, "token-2"))
	}
}

// AWS seals the password of Windows; moto makes none.
func TestPasswordOfWindows(t *testing.T) {
	password := ""
	_, endpoint := fake(t, func(form url.Values) (int, string) {
		assert.Equal(t, "i-1", form.Get("InstanceId"))
		return http.StatusOK, "<GetPasswordDataResponse><instanceId>i-1</instanceId><passwordData>" + password + "</passwordData></GetPasswordDataResponse>"
	})
	s := open(t, config(endpoint, seoul))
	_, err := s.View(t.Context(), "vm", "i-1", "password", nil)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	password = "\nc2VhbGVk\n"
	raw, err := s.View(t.Context(), "vm", "i-1", "password", nil)
	require.NoError(t, err)
	assert.JSONEq(t, `{"user":"Administrator","encryptedPassword":"c2VhbGVk"}`, string(raw))
}

// AWS keeps the console's output for a while and shows it as it was then; moto answers the same
// text always.
func TestConsoleOfAnInstance(t *testing.T) {
	output := ""
	_, endpoint := fake(t, func(form url.Values) (int, string) {
		assert.Equal(t, "i-1", form.Get("InstanceId"))
		return http.StatusOK, "<GetConsoleOutputResponse><instanceId>i-1</instanceId><timestamp>2026-01-02T03:04:05.000Z</timestamp><output>" + output + "</output></GetConsoleOutputResponse>"
	})
	s := open(t, config(endpoint, seoul))
	_, err := s.View(t.Context(), "vm", "i-1", "console", nil)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	output = base64.StdEncoding.EncodeToString([]byte("one\r\ntwo\r\nthree\r\n"))
	raw, err := s.View(t.Context(), "vm", "i-1", "console", json.RawMessage(`{"lines":2}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"output":"two\r\nthree\r","takenAt":"2026-01-02T03:04:05Z"}`, string(raw))
}

// imageServer answers 100 pages of 1,000 images.
func imageServer(t *testing.T) (*fakeEC2, string) {
	const pages, size = 100, 1000
	return fake(t, func(form url.Values) (int, string) {
		var page int
		_, _ = fmt.Sscan(form.Get("NextToken"), &page) // none is page 0
		var b strings.Builder
		b.WriteString("<DescribeImagesResponse><imagesSet>")
		for i := range size {
			fmt.Fprintf(&b, "<item><imageId>ami-%08d</imageId><name>ubuntu/images/ubuntu-noble-24.04-amd64-%d</name><architecture>x86_64</architecture></item>", page*size+i, i)
		}
		b.WriteString("</imagesSet>")
		if page+1 < pages {
			fmt.Fprintf(&b, "<nextToken>%d</nextToken>", page+1)
		}
		b.WriteString("</DescribeImagesResponse>")
		return http.StatusOK, b.String()
	})
}

func TestImagesStream(t *testing.T) {
	f, endpoint := imageServer(t)
	s := open(t, config(endpoint, seoul))
	n := 0
	for _, err := range s.Catalog(t.Context(), "image", driver.Query{"os": "ubuntu", "architecture": "arm64", "owner": ""}) {
		require.NoError(t, err)
		if n++; n%1000 == 1 {
			assert.Len(t, f.calls("DescribeImages"), n/1000+1, "a page is asked for when it is needed")
		}
	}
	assert.Equal(t, 100_000, n)
	asked := f.calls("DescribeImages")[0]
	assert.Contains(t, asked.Encode(), "arm64")
	assert.Contains(t, asked.Encode(), "099720109477", "Canonical's own")
	assert.NotContains(t, asked.Encode(), "136693071363", "not Debian's")
}

func TestFiveThousandVMsInFiveCalls(t *testing.T) {
	f, endpoint := fake(t, func(form url.Values) (int, string) {
		if form.Get("Action") == "DescribeImages" {
			return http.StatusOK, "<DescribeImagesResponse/>"
		}
		var page int
		_, _ = fmt.Sscan(form.Get("NextToken"), &page) // none is page 0
		assert.Equal(t, "1000", form.Get("MaxResults"))
		return http.StatusOK, instancesPage(page, 5, 1000)
	})
	s := open(t, config(endpoint, seoul))
	seen := map[string]bool{}
	for item, err := range s.List(t.Context(), "vm") {
		require.NoError(t, err)
		seen[item.ID] = true
	}
	assert.Len(t, seen, 5000)
	assert.Len(t, f.calls("DescribeInstances"), 5)
	assert.Len(t, f.calls("DescribeImages"), 1, "all are of one image")
}

// instancesPage is a page of DescribeInstances.
func instancesPage(page, pages, size int) string {
	var b strings.Builder
	b.WriteString("<DescribeInstancesResponse><reservationSet>")
	for i := range size {
		n := page*size + i
		fmt.Fprintf(&b, "<item><instancesSet><item><instanceId>i-%017x</instanceId><imageId>ami-1</imageId><instanceState><name>running</name></instanceState><instanceType>t3.micro</instanceType><subnetId>subnet-1</subnetId><privateIpAddress>10.0.%d.%d</privateIpAddress><tagSet><item><key>Name</key><value>vm-%d</value></item></tagSet></item></instancesSet></item>", n, n/250, n%250, n)
	}
	b.WriteString("</reservationSet>")
	if page+1 < pages {
		fmt.Fprintf(&b, "<nextToken>%d</nextToken>", page+1)
	}
	b.WriteString("</DescribeInstancesResponse>")
	return b.String()
}

// Each connection keeps its own endpoint and key, at the same time in one process.
func TestConnectionsDoNotMix(t *testing.T) {
	const rounds, atFirst = 20, 2 // zones and account
	type asked struct{ key, action string }
	serve := func(log chan<- asked) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			key, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
			_ = r.ParseForm() // the SDK's
			log <- asked{key, r.PostForm.Get("Action")}
			w.Header().Set("Content-Type", "text/xml")
			if r.PostForm.Get("Action") == "DescribeAvailabilityZones" {
				fmt.Fprint(w, zonesXML)
			} else {
				fmt.Fprintf(w, "<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-%s</vpcId></item></vpcSet></DescribeVpcsResponse>", key)
			}
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	d := New()
	errs := make(chan error, 2)
	logs := map[string]chan asked{"AKIAONE": make(chan asked, rounds+atFirst), "AKIATWO": make(chan asked, rounds+atFirst)}
	for key, log := range logs {
		c := config(serve(log), seoul)
		c.Credential["accessKeyId"] = key
		go func() { errs <- listOften(t.Context(), d, c, "vpc-"+key, rounds) }()
	}
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
	for key, log := range logs {
		close(log)
		n := 0
		for a := range log {
			assert.Equal(t, key, a.key)
			n++
		}
		assert.Equal(t, rounds+atFirst, n)
	}
}

func listOften(ctx context.Context, d *driver.Driver, c driver.Config, want string, rounds int) error {
	s, err := d.Connect(ctx, c)
	if err != nil {
		return err
	}
	for range rounds {
		for item, err := range s.List(ctx, "vpc", driver.Filter{}) {
			if err != nil || item.ID != want {
				return fmt.Errorf("%s instead of %s: %w", item.ID, want, err)
			}
		}
	}
	return s.Close()
}

func testDisksAtOnce(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	vpc := create(t, s, resource.VPC, "at-once", nil, resource.VPCSpec{CIDR: "10.29.0.0/16"})
	subnet := create(t, s, resource.Subnet, "at-once", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.29.1.0/24"})
	vm := running(t, s, resource.VM, "at-once", resource.VMSpec{Image: anImage(t, s), Spec: "t3.micro", Subnet: subnet.ID})
	const count = 4
	var ids []string
	for i := range count {
		ids = append(ids, create(t, s, resource.Disk, fmt.Sprintf("at-once-%d", i), nil, resource.DiskSpec{SizeGiB: 1, Zone: vm.Status.Zone}).ID)
	}
	var group sync.WaitGroup
	for _, id := range ids {
		group.Go(func() {
			assert.NoError(t, s.Act(t.Context(), "disk", id, "attach", json.RawMessage(`{"vm":"`+vm.ID+`"}`)))
		})
	}
	group.Wait()
	names := map[string]bool{}
	for _, id := range ids {
		item, err := s.Get(t.Context(), "disk", id)
		require.NoError(t, err)
		found := decoded[resource.DiskSpec, resource.DiskStatus](t, item)
		assert.Equal(t, vm.ID, found.Status.VM)
		names[found.Status.Device] = true
	}
	assert.Len(t, names, count, "each has a name of its own")
}
