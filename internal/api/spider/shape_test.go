package spider

import (
	"bufio"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStructs holds our structs against those of CB-Spider: no field is missing that
// it always has, and there is none that it does not have.
func TestStructs(t *testing.T) {
	ours := map[string]any{
		"IID": IID{}, "KeyValue": KeyValue{}, "VPCInfo": VPCInfo{}, "SubnetInfo": SubnetInfo{}, "SecurityInfo": SecurityInfo{},
		"SecurityRuleInfo": SecurityRule{}, "KeyPairInfo": KeyPairInfo{}, "VMInfo": VMInfo{}, "VMStatusInfo": VMStatusInfo{},
		"DiskInfo": DiskInfo{}, "MyImageInfo": MyImageInfo{}, "PublicIPInfo": PublicIPInfo{}, "NICInfo": NICInfo{}, "NLBInfo": NLBInfo{},
		"ListenerInfo": ListenerInfo{}, "VMGroupInfo": VMGroupInfo{}, "HealthCheckerInfo": HealthCheckerInfo{}, "HealthInfo": HealthInfo{}, "VMFavoriteInfo": VMFavoriteInfo{},
		"ClusterInfo": ClusterInfo{}, "NetworkInfo": NetworkInfo{}, "AccessInfo": AccessInfo{}, "NodeGroupInfo": NodeGroupInfo{},
		"ImageInfo": ImageInfo{}, "VMSpecInfo": VMSpecInfo{}, "VCpuInfo": VCPUInfo{}, "GpuInfo": GPUInfo{}, "RegionZoneInfo": RegionZoneInfo{},
		"ZoneInfo": ZoneInfo{}, "CloudPrice": PriceList{}, "Price": Price{}, "ProductInfo": ProductInfo{}, "PriceInfo": PriceInfo{},
		"OnDemand": OnDemand{}, "QuotaInfo": QuotaInfo{}, "Quota": Quota{}, "AnyCallInfo": AnyCall{}, "CloudOSMetaInfo": CloudInfo{},
		"CloudDriverInfo": DriverInfo{}, "CredentialInfo": CredentialInfo{}, "ConnectionConfigInfo": ConnectionInfo{},
		"DriverCapabilityInfo": Capability{}, "AllResourceList": AllList{}, "AllResourceInfoList": AllInfoList{}, "DestroyedInfo": Destroyed{},
		"DeletedResourceInfoList": DestroyedType{}, "RemainedErrorInfo": RemainedError{}, "VMUsingResources": VMUsing{},
		"NICOSConfigScriptResponse": OSConfigScript{}, "CountResponse": Count{}, "BooleanInfo": Result{}, "VMStatusResponse": VMStatus{},
	}
	reference := structs(t)
	for name, value := range ours {
		want, ok := reference[name]
		require.True(t, ok, "CB-Spider has no %s", name)
		have := map[string]bool{}
		for field := range reflect.TypeOf(value).Fields() {
			tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			key := field.Name
			if tag != "" {
				key = tag
			}
			have[key] = true
			optional, known := want[key]
			assert.True(t, known, "CB-Spider's %s has no %s", name, key)
			if known && !optional {
				assert.NotContains(t, options, "omitempty", "CB-Spider's %s always has %s", name, key)
			}
		}
		for key, optional := range want {
			assert.True(t, optional || have[key], "our %s lacks %s", name, key)
		}
	}
}

// structs reads CB-Spider's structs: for each field whether it may be left out. Of
// two of the same name the first that is no other's counts.
func structs(t *testing.T) map[string]map[string]bool {
	t.Helper()
	file, err := os.Open("testdata/structs.txt")
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	all := map[string]map[string]bool{}
	inner := regexp.MustCompile(`\{[^{}]*\}`)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, body, _ := strings.Cut(lines.Text(), " = ")
		body = strings.TrimSuffix(strings.TrimPrefix(body, "{"), "}")
		fields := map[string]bool{}
		for part := range strings.SplitSeq(inner.ReplaceAllString(body, ""), ", ") {
			field, _, _ := strings.Cut(part, ":")
			key, optional := strings.CutSuffix(field, "?")
			fields[key] = optional
		}
		all[name] = fields
	}
	return all
}

// TestRoutes checks that every route of CB-Spider that is taken over is there, if only
// to say what is missing.
func TestRoutes(t *testing.T) {
	have := map[string]bool{}
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	key := func(method, path string) string {
		return method + " " + strings.TrimRight(parameter.ReplaceAllString(path, "{}"), "/")
	}
	for _, r := range (&server{kinds: kinds()}).routes() {
		assert.True(t, (r.handle == nil) != (r.missing+r.refused == ""), "%s %s is neither answered nor missing", r.method, r.path)
		if r.missing != "" { // only what there is no kind for yet
			assert.Regexp(t, "^(file systems|databases|object storage|metrics) ", r.missing, r.path)
		}
		have[key(r.method, r.path)] = true
	}
	file, err := os.Open("testdata/routes.txt")
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	n := 0
	for lines := bufio.NewScanner(file); lines.Scan(); n++ {
		method, path, _ := strings.Cut(lines.Text(), " ")
		assert.True(t, have[key(method, path)], "%s %s is not there", method, path)
	}
	assert.Greater(t, n, 250)
}
