package spider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// TestBadInput sends what CB-Spider takes and should not. Each gets an error that
// names what is wrong, and nothing is stored.
func TestBadInput(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	before := a.recorded()
	subnets := func(cidr string) string {
		return in(fmt.Sprintf(`{"Name":"w","IPv4_CIDR":"10.1.0.0/16","SubnetInfoList":[{"Name":"w1","IPv4_CIDR":%q}]}`, cidr))
	}
	rule := func(fields string) string { return in(`{"Name":"h","VPCName":"v","SecurityRules":[{` + fields + `}]}`) }
	vm := func(old, with string) string { return strings.Replace(a.vmBody("vm1"), old, with, 1) }
	type bad struct {
		path, body string
		status     int
		says       string
	}
	var all []bad
	for _, name := range []string{"", `a\u0000b`, `a\nb`, `a\u007fb`, strings.Repeat("n", 271), strings.Repeat("가", 271)} {
		for path, body := range map[string]string{
			"/vpc": `"IPv4_CIDR":"10.1.0.0/16"`, "/keypair": "", "/publicip": "", "/vpc/v/subnet": `"IPv4_CIDR":"10.0.7.0/24"`, "/disk": `"DiskType":"","DiskSize":"50"`,
			"/securitygroup": `"VPCName":"v","SecurityRules":[{"Direction":"inbound","IPProtocol":"tcp","FromPort":"1","ToPort":"2"}]`, "/myimage": `"SourceVM":"none"`,
			"/vm":      `"ImageName":"` + a.Image + `","VMSpecName":"` + a.Spec + `","VPCName":"v","SubnetName":"s","SecurityGroupNames":["g"],"KeyPairName":"k"`,
			"/nic":     `"VPCName":"v","SubnetName":"s"`,
			"/nlb":     `"VPCName":"v","Listener":{"Protocol":"TCP","Port":"80"},"VMGroup":{"VMs":[]},"HealthChecker":{}`,
			"/cluster": `"VPCName":"v","SubnetNames":["s"]`,
		} {
			all = append(all, bad{path, in(strings.TrimSuffix(`{"Name":"`+name+`",`+body, ",") + "}"), 400, "Name"})
		}
	}
	all = append(
		all,
		bad{"/vpc", in(`{"Name":"w","IPv4_CIDR":"999.1.1.1/99"}`), 400, "IPv4_CIDR"},
		bad{"/vpc", in(`{"Name":"w","IPv4_CIDR":"10.1.0.1/16"}`), 400, "IPv4_CIDR"},
		bad{"/vpc", in(`{"Name":"w"}`), 400, "IPv4_CIDR"},
		bad{"/vpc", in(`{"Name":{},"IPv4_CIDR":"10.1.0.0/16"}`), 400, "ReqInfo"},
		bad{"/vpc", in(`"w"`), 400, "ReqInfo"},
		bad{"/vpc", `{"ConnectionName":"` + connection + `"}`, 400, "ReqInfo"},
		bad{"/vpc", `{"ReqInfo":{"Name":"w","IPv4_CIDR":"10.1.0.0/16"}}`, 400, "ConnectionName is empty!"},
		bad{"/vpc", `{"ConnectionName":"nope","ReqInfo":{"Name":"w","IPv4_CIDR":"10.1.0.0/16"}}`, 404, "does not exist"},
		bad{"/vpc", `{"ConnectionName":"a\u0000b","ReqInfo":{"Name":"w","IPv4_CIDR":"10.1.0.0/16"}}`, 400, "ConnectionName"},
		bad{"/vpc", `{"ConnectionName":`, 400, "body"},
		bad{"/vpc", `[]`, 400, "body"},
		bad{"/vpc", subnets("10.2.0.0/24"), 400, "IPv4_CIDR"},
		bad{"/vpc", subnets("junk"), 400, "IPv4_CIDR"},
		bad{"/vpc/v/subnet", in(`{"Name":"t","IPv4_CIDR":"192.168.0.0/24"}`), 400, "IPv4_CIDR"},
		bad{"/vpc/none/subnet", in(`{"Name":"t","IPv4_CIDR":"10.0.9.0/24"}`), 404, "VPC 'none' does not exist in connection"},
		bad{"/securitygroup", rule(`"Direction":"sideways","IPProtocol":"tcp","FromPort":"1","ToPort":"2"`), 400, "SecurityRules[0].Direction"},
		bad{"/securitygroup", rule(`"Direction":"inbound","IPProtocol":"carrier-pigeon","FromPort":"1","ToPort":"2"`), 400, "SecurityRules[0].IPProtocol"},
		bad{"/securitygroup", rule(`"Direction":"inbound","IPProtocol":"tcp","FromPort":"99999","ToPort":"99999"`), 400, "SecurityRules[0].FromPort"},
		bad{"/securitygroup", rule(`"Direction":"inbound","IPProtocol":"tcp","FromPort":"22","ToPort":"21"`), 400, "SecurityRules[0].ToPort"},
		bad{"/securitygroup", rule(`"Direction":"inbound","IPProtocol":"tcp","FromPort":"ssh","ToPort":"22"`), 400, "SecurityRules[0].FromPort"},
		bad{"/securitygroup", rule(`"Direction":"inbound","IPProtocol":"tcp","FromPort":"22","ToPort":"22","CIDR":"999.1.1.1/99"`), 400, "SecurityRules[0].CIDR"},
		bad{"/securitygroup", in(`{"Name":"h","VPCName":"v","SecurityRules":[]}`), 400, "SecurityRules"},
		bad{"/securitygroup", in(`{"Name":"h","VPCName":"none","SecurityRules":[{"Direction":"inbound","IPProtocol":"tcp","FromPort":"1","ToPort":"2"}]}`), 404, "VPC 'none' does not exist in connection"},
		bad{"/securitygroup/g/rules", in(`{"RuleInfoList":[]}`), 400, "RuleInfoList"},
		bad{"/securitygroup/none/rules", in(`{"RuleInfoList":[{"Direction":"inbound","IPProtocol":"tcp","FromPort":"1","ToPort":"2"}]}`), 404, "Security Group 'none' does not exist in connection"},
		bad{"/vm", vm(`"VPCName":"v"`, `"VPCName":"none"`), 404, "VPC 'none' does not exist in connection"},
		bad{"/vm", vm(`"VPCName":"v"`, `"VPCName":""`), 400, "VPCName"},
		bad{"/vm", vm(`"SubnetName":"s"`, `"SubnetName":"none"`), 404, "Subnet 'none' does not exist in connection"},
		bad{"/vm", vm(`["g"]`, `["none"]`), 404, "Security Group 'none' does not exist in connection"},
		bad{"/vm", vm(`["g"]`, `"g"`), 400, "SecurityGroupNames"},
		bad{"/vm", vm(`"Name":"vm1"`, `"Name":"vm1","RootDiskSize":"huge"`), 400, "RootDiskSize"},
		bad{"/vm", vm(`"Name":"vm1"`, `"Name":"vm1","RootDiskSize":"-5"`), 400, "RootDiskSize"},
		bad{"/vm", vm(`"Name":"vm1"`, `"Name":"vm1","ImageType":"Painting"`), 400, "ImageType"},
		bad{"/vm", vm(`"Name":"vm1"`, `"Name":"vm1","DataDiskNames":["none"]`), 404, "Disk 'none' does not exist in connection"},
		bad{"/vm", vm(a.Spec, "none"), 400, "VMSpecName"},
		bad{"/disk", in(`{"Name":"d","DiskType":"XXX","DiskSize":"50"}`), 400, "DiskType"},
		bad{"/disk", in(`{"Name":"d","DiskType":"","DiskSize":"9999999"}`), 400, "DiskSize"},
		bad{"/disk", in(`{"Name":"d","DiskType":"","DiskSize":"many"}`), 400, "DiskSize"},
		bad{"/nlb", in(`{"Name":"l","VPCName":"v","Listener":{"Protocol":"smoke","Port":"80"},"VMGroup":{"VMs":[]},"HealthChecker":{}}`), 400, "Listener.Protocol"},
		bad{"/nlb", in(`{"Name":"l","VPCName":"v","Listener":{"Protocol":"TCP","Port":"80"},"VMGroup":{"Port":"99999","VMs":[]},"HealthChecker":{}}`), 400, "VMGroup.Port"},
		bad{"/cluster", in(`{"Name":"c"}`), 400, "VPCName"},
		bad{"/cluster", in(`{"Name":"c","VPCName":"v","SubnetNames":["s"],"NodeGroupList":[{"Name":"ng","VMSpecName":"x","OnAutoScaling":"perhaps"}]}`), 400, "OnAutoScaling"},
		bad{"/tag", in(`{"ResourceType":"spaceship","ResourceName":"v","Tag":{"Key":"k","Value":"v"}}`), 400, "ResourceType"},
		bad{"/tag", in(`{"ResourceType":"vpc","ResourceName":"v","Tag":{"Key":"","Value":"v"}}`), 400, "Tag.Key"},
		bad{"/tag", in(`{"ResourceType":"vpc","ResourceName":"none","Tag":{"Key":"k","Value":"v"}}`), 404, "VPC 'none' does not exist in connection"},
		bad{"/regvpc", in(`{"Name":"w","CSPId":"none"}`), 404, "does not exist"},
		bad{"/regvpc", in(`{"Name":"w","CSPId":""}`), 400, "CSPId is empty!"},
		bad{"/anycall", in(`{"FID":"nope","IKeyValueList":[]}`), 501, "nope Function is not implemented!"},
		bad{"/region", `{"RegionName":"a\u0007b","ProviderName":"MOCK"}`, 400, "RegionName"},
		bad{"/driver", `{"DriverName":"` + strings.Repeat("d", 271) + `","ProviderName":"MOCK"}`, 400, "DriverName"},
		bad{"/credential", `{"CredentialName":"a/b","ProviderName":"MOCK","KeyValueInfoList":[]}`, 400, "CredentialName"},
		bad{"/region", `{"RegionName":"r","ProviderName":""}`, 400, "ProviderName is empty!"},
		bad{"/credential", `{"CredentialName":"c","ProviderName":"NOCLOUD","KeyValueInfoList":[]}`, 400, "ProviderName"},
		bad{"/connectionconfig", `{"ConfigName":"c","ProviderName":"MOCK","DriverName":"mock-driver01","CredentialName":"deleted","RegionName":"mock-region01"}`, 404, "deleted: does not exist!"},
		bad{"/connectionconfig", `{"ConfigName":"c","ProviderName":"MOCK","DriverName":"mock-driver01","CredentialName":"mock-credential01","RegionName":"none"}`, 404, "none: does not exist!"},
		bad{"/connectionconfig", `{"ConfigName":"c","ProviderName":"AWS","DriverName":"mock-driver01","CredentialName":"mock-credential01","RegionName":"mock-region01"}`, 400, "ProviderName"},
	)
	for _, b := range all {
		r := a.call(http.MethodPost, b.path, b.body)
		assert.Equal(t, b.status, r.status, "%s %.200s: %s", b.path, b.body, r.body)
		if assert.Equal(t, "application/json", r.header.Get("Content-Type"), b.path) {
			assert.Contains(t, r.message(t), b.says, "%s %.200s", b.path, b.body)
		}
	}
	for _, path := range []string{
		"/vpc/none", "/vpc/a%2Fb", "/vpc/a%00b", "/vpc/" + url.PathEscape("DROP TABLE"), "/vpc/%FF", "/vm/none", "/vpc/v/subnet/none", "/cluster/none", "/vmspec/none",
		"/tag/none?ResourceType=vpc&ResourceName=v", "/controlvm/none?action=suspend",
	} {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		r := a.call(http.MethodGet, path+sep+"ConnectionName="+connection, "")
		assert.Contains(t, []int{400, 404}, r.status, "%s: %s", path, r.body)
	}
	large := a.call(http.MethodPost, "/vpc", in(`{"Name":"`+strings.Repeat("n", 10<<20)+`"}`))
	assert.Equal(t, http.StatusRequestEntityTooLarge, large.status)
	assert.Equal(t, http.StatusNotFound, a.call(http.MethodGet, "/nothing/here", "").status)
	assert.Equal(t, http.StatusMethodNotAllowed, a.call(http.MethodPatch, "/vpc", "").status)
	assert.Equal(t, before, a.recorded(), "nothing is stored")
}

// recorded is how much is recorded of each kind.
func (a *facade) recorded() map[string]int {
	a.t.Helper()
	counts := map[string]int{}
	for _, k := range resource.Kinds() {
		s, err := a.Snapshot(a.t.Context(), connection, k.Name)
		require.NoError(a.t, err)
		for _, r := range s.Items {
			if r.State != resource.StateFailed {
				counts[k.Name]++
			}
		}
	}
	return counts
}
