package spider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/drivers/aws"
	"github.com/m-cmp/mc-infra-connector/drivers/mock"
	"github.com/m-cmp/mc-infra-connector/drivers/openstack"
	"github.com/m-cmp/mc-infra-connector/internal/api/spider"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func metainfo(t *testing.T, a *facade, cloud string) spider.CloudInfo {
	t.Helper()
	var info spider.CloudInfo
	require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodGet, "/cloudos/metainfo/"+cloud, "").body), &info))
	return info
}

func TestEveryCloudIsKnownBeforeItsDriverComes(t *testing.T) {
	a := start(t, enginetest.Options{})
	clouds := []string{"ALIBABA", "AWS", "AZURE", "CLOUDTWIN", "GCP", "IBM", "KT", "KTCLASSIC", "MOCK", "NCP", "NHN", "OPENSTACK", "ORACLE", "TENCENT"}
	assert.JSONEq(t, `{"cloudos":["`+strings.Join(clouds, `","`)+`"]}`, a.ok(http.MethodGet, "/cloudos", "").body)
	for _, cloud := range clouds {
		assert.NotEmpty(t, metainfo(t, a, cloud).Credential, cloud)
	}
	assert.Equal(t, spider.CloudInfo{
		Region: []string{"Region", "Zone"}, Credential: []string{"TenantId", "ClientId", "ClientSecret", "StsToken", "ProjectID"},
		CredentialCSP: []string{"tenancy_ocid", "user_ocid", "private_key_pem", "fingerprint", "compartment_ocid"},
		RootDiskType:  []string{"default"}, RootDiskSize: []string{"default|50|32768|GB"}, DiskType: []string{"default"}, DiskSize: []string{"default|50|32768|GB"},
		IdMaxLength: []string{"255", "255", "255", "255", "255", "255", "255", "255", "0", "0", "255"}, DefaultRegionToQuery: []string{"ap-chuncheon-1", "PEGr:AP-CHUNCHEON-1-AD-1"},
	}, metainfo(t, a, "oracle"))
	azure := metainfo(t, a, "Azure")
	assert.Equal(t, []string{"clientId", "clientSecret", "tenantId", "subscriptionId"}, azure.CredentialCSP)
	assert.Equal(t, []string{""}, azure.DiskSize)
}

func TestDriversSayOfTheirCloudsWhatCBSpiderDoes(t *testing.T) {
	for _, d := range []*driver.Driver{mock.New(), aws.New(), openstack.New()} {
		described, err := d.Describe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, spider.CloudBefore(described.Name), spider.CloudOf(described), described.Name)
	}
}

func TestACredentialIsTakenInBothVocabularies(t *testing.T) {
	a := start(t, enginetest.Options{})
	var clouds struct{ CloudOS []string }
	require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodGet, "/cloudos", "").body), &clouds))
	require.Greater(t, len(clouds.CloudOS), 11)
	for _, cloud := range clouds.CloudOS {
		info := metainfo(t, a, cloud)
		require.Len(t, info.CredentialCSP, len(info.Credential), cloud)
		for i, keys := range [][]string{info.Credential, info.CredentialCSP} {
			name := fmt.Sprintf("%s-%d", cloud, i)
			var values, shown []map[string]string
			for j, key := range keys {
				values = append(values, map[string]string{"Key": strings.ToUpper(key), "Value": "s3cret-" + key})
				shown = append(shown, map[string]string{"Key": info.Credential[j], "Value": "Hidden for security."})
			}
			values = append(values, map[string]string{"Key": "nobody-knows", "Value": "this"})
			body, err := json.Marshal(map[string]any{"CredentialName": name, "ProviderName": cloud, "KeyValueInfoList": values})
			require.NoError(t, err)
			answer := a.ok(http.MethodPost, "/credential", string(body))
			var got struct{ KeyValueInfoList []map[string]string }
			require.NoError(t, json.Unmarshal([]byte(answer.body), &got))
			assert.ElementsMatch(t, shown, got.KeyValueInfoList, name)
			assert.NotContains(t, answer.body, "s3cret")
			if cloud != "MOCK" { // which asks for nothing
				without, err := json.Marshal(map[string]any{"CredentialName": name + "-less", "ProviderName": cloud, "KeyValueInfoList": []any{}})
				require.NoError(t, err)
				r := a.call(http.MethodPost, "/credential", string(without))
				assert.Equal(t, http.StatusBadRequest, r.status, r.body)
				assert.Contains(t, r.message(t), info.Credential[0])
			}
		}
	}
	r := a.call(http.MethodPost, "/credential", `{"CredentialName":"n","ProviderName":"NOWHERE","KeyValueInfoList":[{"Key":"ClientId","Value":"1"}]}`)
	assert.Equal(t, http.StatusBadRequest, r.status)
	assert.Contains(t, r.message(t), `there is no driver for the cloud "nowhere"`)

	a.ok(http.MethodPost, "/driver", `{"DriverName":"azure","ProviderName":"AZURE","DriverLibFileName":"azure.so"}`)
	a.ok(http.MethodPost, "/region", `{"RegionName":"azure","ProviderName":"AZURE","KeyValueInfoList":[{"Key":"Region","Value":"koreacentral"}]}`)
	r = a.call(http.MethodPost, "/connectionconfig", `{"ConfigName":"azure","ProviderName":"AZURE","DriverName":"azure","CredentialName":"AZURE-0","RegionName":"azure"}`)
	assert.Equal(t, http.StatusBadRequest, r.status)
	assert.Contains(t, r.message(t), `there is no driver for the cloud "azure"`)
}

func TestRootDisksGoByNumber(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.ok(http.MethodPost, "/vpc", in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24"}]}`))
	a.ok(http.MethodPost, "/cluster", in(`{"Name":"c","VPCName":"v","SubnetNames":["s"],"NodeGroupList":[{"Name":"type1","VMSpecName":"`+a.Spec+`","RootDiskType":"Type1"}]}`))
	for asked, want := range map[string]string{"TYPE1": "SSD", "type2": "HDD", "default": "SSD", "": "SSD", "HDD": "HDD"} {
		name := "x" + strings.ToLower(asked)
		a.ok(http.MethodPost, "/vm", in(`{"Name":"`+name+`","ImageName":"`+a.Image+`","VMSpecName":"`+a.Spec+`","VPCName":"v","SubnetName":"s","RootDiskType":"`+asked+`"}`))
		vm, err := a.Get(t.Context(), connection, resource.VM.Name, name)
		require.NoError(t, err)
		assert.Equal(t, want, readAs[resource.VMSpec](t, vm.Effective).RootDiskType, asked)
		a.ok(http.MethodPost, "/cluster/c/nodegroup", in(`{"Name":"`+name+`","VMSpecName":"`+a.Spec+`","RootDiskType":"`+asked+`"}`))
	}
	cluster, err := a.Get(t.Context(), connection, resource.Cluster.Name, "c")
	require.NoError(t, err)
	types := map[string]string{}
	for _, group := range readAs[resource.ClusterSpec](t, cluster.Effective).NodeGroups {
		types[group.Name] = group.RootDiskType
	}
	assert.Equal(t, map[string]string{"type1": "SSD", "xtype1": "SSD", "xtype2": "HDD", "xdefault": "SSD", "x": "SSD", "xhdd": "HDD"}, types)
}

func TestTheMockIsThatOfCBSpider(t *testing.T) {
	for _, region := range []string{"default", "mars", "earth"} {
		a := registered(t, enginetest.Options{})
		a.connect(region)
		a.ok(http.MethodPost, "/vpc", in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24","Zone":"any-zone"}]}`))
		a.ok(http.MethodPost, "/disk", in(`{"Name":"d","DiskType":"SSD","DiskSize":"10","Zone":"another-zone"}`))
		a.ok(http.MethodPost, "/vm", in(`{"Name":"vm","ImageName":"mock-vmimage-01","VMSpecName":"mock-vmspec-04","VPCName":"v","SubnetName":"s","RootDiskType":"type9","RootDiskSize":"100","DataDiskNames":["d"]}`))
		got := a.ok(http.MethodGet, "/vm/vm?ConnectionName="+connection, "").body
		assert.Contains(t, got, `"Region":{"Region":"`+region+`","Zone":"any-zone"}`)
		assert.Contains(t, got, `"RootDiskType":"MEM"`, "the last of the types")
		assert.Contains(t, a.ok(http.MethodGet, "/orgzone?ConnectionName="+connection, "").body, `"Name":"`+region+`-z3"`)
		assert.Contains(t, a.ok(http.MethodGet, "/regionzone?ConnectionName="+connection, "").body, `{"Name":"mercury-z2","DisplayName":"Mercury Zone 2, Mercury"`)
	}
}

func readAs[T any](t *testing.T, raw json.RawMessage) (value T) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, &value))
	return value
}
