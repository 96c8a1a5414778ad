package openstack_test

import (
	"maps"
	"os"
	"testing"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	driverpkg "github.com/m-cmp/mc-infra-connector/drivers/openstack"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/openstack"
)

// allTrouble is a variable of the environment: with "all" every kind is checked with the
// cloud in trouble, which takes much longer.
const allTrouble = "MCIC_TROUBLE"

func TestConformance(t *testing.T) {
	t.Parallel()
	trouble := []string{"securitygroup", "disk"}
	if os.Getenv(allTrouble) == "all" {
		trouble = nil
	}
	cloud := openstack.Open(t)
	main, other := config(cloud.Project(t), cloud), config(cloud.Project(t), cloud)
	wrong := func(field, value string) driver.Config {
		c := main
		c.Credential = maps.Clone(main.Credential)
		c.Credential[field] = value
		return c
	}
	elsewhere := main
	elsewhere.Region = "RegionNine"
	type object = map[string]any
	drivertest.Run(t, drivertest.Target{
		Driver: driverpkg.New,
		Config: main,
		Other:  &other,
		Refused: []drivertest.Refused{
			{Name: "unknown-user", Config: wrong("username", "nobody"), Codes: []string{"unauthenticated"}},
			{Name: "unknown-project", Config: wrong("project_name", "nothing"), Codes: []string{"unauthenticated"}},
			{Name: "unknown-region", Config: elsewhere, Codes: []string{"invalid"}},
		},
		Against: "OpenStack Zed (Debian 12)", Type: driver.TestedService,
		Image: anImage(t, open(t, main)), Machine: "m1.tiny", OtherMachine: "m1.small",
		Specs: object{
			"cluster": resource.ClusterSpec{
				VPC: "vpc", Subnets: []string{"subnet"}, Version: "v1.27.8",
				NodeGroups: []resource.NodeGroup{{Name: "first", Spec: "m1.small", KeyPair: "keypair", DesiredNodes: 1, MinNodes: 1, MaxNodes: 2}},
			},
		},
		Params: object{
			"cluster/addnodegroup": resource.NodeGroup{Name: "second", Spec: "m1.small", DesiredNodes: 1, MinNodes: 1, MaxNodes: 2},
			"cluster/upgrade":      object{"version": "v1.28.9"},
		},
		Native: []driver.NativeRequest{
			{Service: "compute", Path: "/servers/detail", Query: map[string][]string{"limit": {"1"}}},
			{Service: "network", Path: "/v2.0/networks", Method: "GET"},
		},
		Quota:      stingy(t, cloud),
		PageSize:   "pageSize",
		Proxy:      "proxy",
		Parallel:   8,
		Settle:     5 * time.Minute,
		Timeout:    2 * time.Minute,
		Trouble:    trouble,
		Deviations: "testdata/deviations.yaml", Budget: "testdata/calls.json", Report: "conformance.json",
	})
}

// stingy are connections whose projects may have few of each kind.
func stingy(t *testing.T, cloud *openstack.Cloud) map[string]driver.Config {
	t.Helper()
	p := cloud.Project(t)
	type object = map[string]any
	p.Limit(t, "network", "v2.0/quotas/"+p.ID, object{"quota": object{"network": 1, "subnet": 1, "security_group": 2, "floatingip": 1, "router": 2}})
	p.Limit(t, "compute", "os-quota-sets/"+p.ID, object{"quota_set": object{"instances": 1}})
	p.Limit(t, "block-storage", "os-quota-sets/"+p.ID, object{"quota_set": object{"volumes": 1, "snapshots": 1}})
	c := config(p, cloud)
	return map[string]driver.Config{
		"vpc": c, "subnet": c, "securitygroup": c, "publicip": c, "vm": c, "disk": c, "snapshot": c,
	}
}
