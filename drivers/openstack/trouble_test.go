package openstack_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/openstack"
)

func TestLogins(t *testing.T) {
	t.Parallel()
	cloud := openstack.Open(t)
	p := cloud.Project(t)
	c := config(p, cloud)
	c.Credential = p.ApplicationCredential(t)
	assert.NotEmpty(t, entries(t, open(t, c), resource.Zones, nil), "with an application credential")

	c.Credential["application_credential_secret"] = "wrong"
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(refuse(t, c)))
	c = config(p, cloud)
	c.Credential["project_name"] = "service" // which exists, and is not his
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(refuse(t, c)))
	c = config(p, cloud)
	c.Credential["project_id"] = p.ID
	delete(c.Credential, "project_name")
	c.Zone = "nova"
	open(t, c)
}

func TestProjectsDoNotMix(t *testing.T) {
	t.Parallel()
	one, other := fresh(t), fresh(t)
	vpc := create(t, one, resource.VPC, "mine", nil, resource.VPCSpec{CIDR: "10.1.0.0/16"})
	same := create(t, other, resource.VPC, "mine", nil, resource.VPCSpec{CIDR: "10.1.0.0/16"})
	assert.NotEqual(t, vpc.ID, same.ID, "the same token, in another project")
	assert.NotContains(t, all(t, other, resource.VPC), vpc.ID)
	_, err := other.Get(t.Context(), "vpc", vpc.ID)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "%v", err)
	require.NoError(t, other.Delete(t.Context(), "vpc", vpc.ID))
	settled(t, one, resource.VPC, vpc.ID)
	remove(t, one, resource.VPC, vpc.ID)
	remove(t, other, resource.VPC, same.ID)
}

// A network of another project that is shared with this one: VMs can be in it.
func TestNetworksThatAreShared(t *testing.T) {
	t.Parallel()
	cloud := openstack.Open(t)
	host, guest := cloud.Project(t), cloud.Project(t)
	theirs, ours := open(t, config(host, cloud)), open(t, config(guest, cloud))
	vpc := create(t, theirs, resource.VPC, "shared", nil, resource.VPCSpec{CIDR: "10.1.0.0/16"})
	subnet := create(t, theirs, resource.Subnet, "shared", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.1.1.0/24"})
	assert.NotContains(t, all(t, ours, resource.VPC), vpc.ID)

	type object = map[string]any
	neutron := host.Client(t, "network")
	var policy struct {
		Policy struct{ ID string } `json:"rbac_policy"`
	}
	_, err := neutron.Post(t.Context(), neutron.Endpoint+"v2.0/rbac-policies", object{"rbac_policy": object{"object_type": "network", "object_id": vpc.ID, "action": "access_as_shared", "target_tenant": guest.ID}}, &policy, nil) //nolint:bodyclose // the SDK closes it
	require.NoError(t, err)

	shown := all(t, ours, resource.VPC)[vpc.ID]
	assert.Equal(t, "shared", shown.Name)
	assert.Empty(t, shown.Token, "which is of the other project")
	assert.Equal(t, vpc.Spec, shown.Spec)
	assert.Equal(t, subnet.Spec, all(t, ours, resource.Subnet)[subnet.ID].Spec)
	assert.Equal(t, vpc.Token, all(t, theirs, resource.VPC)[vpc.ID].Token)

	vm := create(t, ours, resource.VM, "guest", nil, resource.VMSpec{Image: anImage(t, ours), Spec: "m1.tiny", Subnet: subnet.ID})
	listed := all(t, ours, resource.VM)[vm.ID]
	assert.Equal(t, vm, listed)
	assert.Equal(t, subnet.ID, listed.Spec.Subnet)
	assert.Regexp(t, `^10\.1\.1\.\d+$`, listed.Status.PrivateAddress)
	assert.Empty(t, all(t, theirs, resource.VM))

	for kind, id := range map[string]string{"vpc": vpc.ID, "subnet": subnet.ID} {
		err := ours.Delete(t.Context(), kind, id)
		assert.Equal(t, resource.CodeDenied, resource.CodeOf(err), "%s: %v", kind, err)
	}
	settled(t, theirs, resource.Subnet, subnet.ID)
	remove(t, ours, resource.VM, vm.ID)
	_, err = neutron.Delete(t.Context(), neutron.Endpoint+"v2.0/rbac-policies/"+policy.Policy.ID, nil) //nolint:bodyclose // the SDK closes it
	require.NoError(t, err)
	remove(t, theirs, resource.Subnet, subnet.ID)
	remove(t, theirs, resource.VPC, vpc.ID)
}

func TestQuotasThatAreReached(t *testing.T) {
	t.Parallel()
	cloud := openstack.Open(t)
	p := cloud.Project(t)
	type object = map[string]any
	p.Limit(t, "network", "v2.0/quotas/"+p.ID, object{"quota": object{"router": 1, "security_group": 1, "floatingip": 0}})
	p.Limit(t, "compute", "os-quota-sets/"+p.ID, object{"quota_set": object{"instances": 0}})
	p.Limit(t, "block-storage", "os-quota-sets/"+p.ID, object{"quota_set": object{"volumes": 0}})
	s := open(t, config(p, cloud))
	vpc := create(t, s, resource.VPC, "one", nil, resource.VPCSpec{CIDR: "10.1.0.0/16"})
	subnet := create(t, s, resource.Subnet, "one", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.1.1.0/24"})
	full := func(err error) {
		t.Helper()
		assert.Equal(t, resource.CodeQuota, resource.CodeOf(err), "%v", err)
	}
	_, err := tryCreate(t, s, resource.VPC, "two", "two", nil, resource.VPCSpec{CIDR: "10.2.0.0/16"})
	full(err)
	assert.Len(t, all(t, s, resource.VPC), 1, "the network of the router that there cannot be is removed")
	_, err = tryCreate(t, s, resource.SecurityGroup, "two", "two", nil, resource.SecurityGroupSpec{VPC: vpc.ID})
	full(err)
	_, err = tryCreate(t, s, resource.PublicIP, "two", "two", nil, resource.PublicIPSpec{})
	full(err)
	_, err = tryCreate(t, s, resource.Disk, "two", "two", nil, resource.DiskSpec{SizeGiB: 1})
	full(err)
	_, err = tryCreate(t, s, resource.VM, "two", "two", nil, resource.VMSpec{Image: anImage(t, s), Spec: "m1.tiny", Subnet: subnet.ID})
	full(err)
	_, err = tryCreate(t, s, resource.NLB, "two", "two", nil, resource.NLBSpec{VPC: vpc.ID, Protocol: "tcp", Port: 80, TargetPort: 80, HealthCheck: resource.HealthCheck{Protocol: "tcp", IntervalSeconds: 10, TimeoutSeconds: 5, Threshold: 3}})
	full(err)
	until(t, func() bool {
		_, left, err := driver.First(s.List(t.Context(), "nlb"))
		require.True(t, err == nil || resource.AsError(err).Retryable, "%v", err) // Octavia shows no parts of what is being deleted
		return err == nil && !left
	}, "the load balancer that there is no address for does not go")
	remove(t, s, resource.Subnet, subnet.ID) // no port of the VM is left in it
	remove(t, s, resource.VPC, vpc.ID)
}

// Two creations with one token at the same time, in two processes: both end with the
// same object, and no other one is left.
func TestOneTokenInTwoSessionsMakesOneObject(t *testing.T) {
	t.Parallel()
	cloud := openstack.Open(t)
	p := cloud.Project(t)
	one, other := open(t, config(p, cloud)), open(t, config(p, cloud))
	items := make([]driver.Item, 2)
	errs := make([]error, 2)
	var work sync.WaitGroup
	for i, s := range []drivertest.Patient{one, other} { // of two drivers
		work.Go(func() {
			assert.Eventually(t, func() bool { // as the server does
				items[i], errs[i] = tryCreate(t, s, resource.Disk, "token", "same", nil, resource.DiskSpec{SizeGiB: 1})
				return errs[i] == nil || !resource.AsError(errs[i]).Retryable
			}, patience, tick)
		})
	}
	work.Wait()
	require.NoError(t, errors.Join(errs...))
	assert.Equal(t, items[0].ID, items[1].ID)
	item, err := tryCreate(t, one, resource.Disk, "token", "same", nil, resource.DiskSpec{SizeGiB: 1})
	require.NoError(t, err)
	assert.Equal(t, items[0].ID, item.ID)
	until(t, func() bool { return len(all(t, other, resource.Disk)) == 1 }, "the surplus disk does not go")
	settled(t, one, resource.Disk, item.ID)
	remove(t, one, resource.Disk, item.ID)
}

func TestTwoThousandPortsAreListedCompletely(t *testing.T) {
	t.Parallel()
	const total, batch = 2000, 200
	cloud := openstack.Open(t)
	p := cloud.Project(t)
	type object = map[string]any
	p.Limit(t, "network", "v2.0/quotas/"+p.ID, object{"quota": object{"port": -1}})
	c := config(p, cloud)
	vpc := create(t, open(t, c), resource.VPC, "many", nil, resource.VPCSpec{CIDR: "10.1.0.0/16"})
	neutron := p.Client(t, "network")
	for range total / batch {
		var ports []object
		for range batch {
			ports = append(ports, object{"network_id": vpc.ID, "name": "port"})
		}
		_, err := neutron.Post(t.Context(), neutron.Endpoint+"v2.0/ports", object{"ports": ports}, nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusCreated}}) //nolint:bodyclose // the SDK closes it
		require.NoError(t, err)
	}
	proxy, calls := counting(t, "/v2.0/ports")
	c.Settings["proxy"] = proxy
	for size, pages := range map[string]int64{"": 3, "500": 5, "1999": 2} { // full pages have a link to another
		c.Settings["pageSize"] = size
		s := open(t, c)
		calls.Store(0)
		assert.Len(t, all(t, s, resource.NIC), total)
		assert.Equal(t, pages, calls.Load(), "pages of %q", size)
	}
}

// counting is an HTTP proxy that counts the calls to a path.
func counting(t *testing.T, path string) (string, *atomic.Int64) {
	t.Helper()
	calls := &atomic.Int64{}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL = r.In.URL }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, path) {
			calls.Add(1)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}
