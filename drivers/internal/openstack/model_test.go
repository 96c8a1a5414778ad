package openstack

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	magnum "github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/clusters"
	"github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/nodegroups"
	sdk "github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestMarksThereAndBack(t *testing.T) {
	for written, m := range map[string]mark{
		"[mcic-uid=t-1]":                              {token: "t-1"},
		"[mcic-uid=t-1 of=vm]":                        {token: "t-1", more: "of=vm"},
		"웹 [서버]\nof us [mcic-uid=t-1 of=nlb]":         {text: "웹 [서버]\nof us", token: "t-1", more: "of=nlb"},
		"written elsewhere":                           {text: "written elsewhere"},
		"[mcic-uid=t-1] in the middle":                {text: "[mcic-uid=t-1] in the middle"},
		"[mcic-uid=other] and ours [mcic-uid=t-2]":    {text: "[mcic-uid=other] and ours", token: "t-2"},
		"ssh-rsa AAAA me@example.com [mcic-uid=t-12]": {text: "ssh-rsa AAAA me@example.com", token: "t-12"},
	} {
		assert.Equal(t, m, readMark(written))
		if m.token != "" {
			assert.Equal(t, written, m.String())
		}
	}
}

func TestLabelsThereAndBack(t *testing.T) {
	labels := map[string]string{"team": "인프라", "empty": "", "equation": "a=b"}
	tags := ours().Texts(labels)
	assert.Equal(t, []string{"empty", "equation=a=b", "team=인프라"}, tags)
	assert.Equal(t, labels, readLabels(append(tags, secondaryTag+"10.0.0.1")))
	assert.Nil(t, readLabels(nil))

	changed := ours().ChangeTexts(append(tags, secondaryTag+"10.0.0.1"), resource.LabelChange{Set: map[string]string{"empty": "no"}, Remove: []string{"team", "equation"}})
	assert.Equal(t, []string{"empty=no", secondaryTag + "10.0.0.1"}, changed)

	long := map[string]string{"key": strings.Repeat("x", 252)}
	require.ErrorContains(t, (&Session{network: &gophercloud.ServiceClient{}}).vpcs().CheckLabels("set", long), "set.key: is too long")
	require.NoError(t, (&Session{}).vms().CheckLabels("set", long), "are no tags")
}

func TestRulesOfGroups(t *testing.T) {
	for raw, want := range map[string]resource.Rule{
		`{"protocol": "tcp"}`: {Protocol: "tcp", FromPort: 1, ToPort: 65535, CIDR: "0.0.0.0/0"},
		`{"protocol": "6", "port_range_min": 22, "port_range_max": 22}`: {Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "0.0.0.0/0"},
		`{"protocol": "17", "port_range_min": 1, "port_range_max": 9}`:  {Protocol: "udp", FromPort: 1, ToPort: 9, CIDR: "0.0.0.0/0"},
		`{"protocol": "icmp", "port_range_min": null}`:                  {Protocol: "icmp", CIDR: "0.0.0.0/0"},
		`{"protocol": "1"}`:   {Protocol: "icmp", CIDR: "0.0.0.0/0"},
		`{"protocol": null}`:  {Protocol: "all", CIDR: "0.0.0.0/0"},
		`{"protocol": "any"}`: {Protocol: "all", CIDR: "0.0.0.0/0"},
		`{"protocol": "0"}`:   {Protocol: "all", CIDR: "0.0.0.0/0"},
		`{"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.0.0.7/24"}`: {Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "10.0.0.0/24"},
		`{"protocol": "icmp", "remote_ip_prefix": "10.0.0.7"}`:                                               {Protocol: "icmp", CIDR: "10.0.0.7/32"},
	} {
		has := groupRule{Direction: "ingress", EtherType: "IPv4"}
		require.NoError(t, json.Unmarshal([]byte(raw), &has), raw)
		want.Direction = "in"
		got, ok := has.rule()
		assert.True(t, ok, raw)
		assert.Equal(t, want, got, raw)
	}
	for raw, says := range map[string]string{
		`{"protocol": "icmp", "port_range_min": 0, "port_range_max": 0}`:                                "in: icmp type 0 code 0 from 0.0.0.0/0",
		`{"protocol": "1", "port_range_min": 8}`:                                                        "in: 1 type 8 from 0.0.0.0/0",
		`{"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_group_id": "g"}`:       "in: tcp 22 from the security group g",
		`{"ethertype": "IPv6", "remote_group_id": "g"}`:                                                 "in: all from the security group g over IPv6",
		`{"protocol": "udp", "port_range_min": 1, "port_range_max": 9, "remote_address_group_id": "a"}`: "in: udp 1-9 from the address group a",
		`{"direction": "egress", "ethertype": "IPv6"}`:                                                  "out: all to ::/0",
		`{"ethertype": "IPv6", "protocol": "tcp", "remote_ip_prefix": "fd00::/8"}`:                      "in: tcp from fd00::/8",
		`{"protocol": "vrrp", "remote_ip_prefix": "10.0.0.0/8"}`:                                        "in: vrrp from 10.0.0.0/8",
	} {
		has := groupRule{ID: "r-1", Direction: "ingress", EtherType: "IPv4"}
		require.NoError(t, json.Unmarshal([]byte(raw), &has), raw)
		_, ok := has.rule()
		assert.False(t, ok, raw)
		assert.Equal(t, resource.OtherRule{CloudID: "r-1", Description: says}, has.other(), raw)
	}
}

func TestStatesOfVMs(t *testing.T) {
	for word, state := range map[string]resource.State{
		"ACTIVE": resource.StateRunning, "ACTIVE/powering-off": resource.StateStopping, "SHUTOFF": resource.StateStopped, "SHUTOFF/powering-on": resource.StateStarting,
		"BUILD/spawning": resource.StateCreating, "REBOOT/reboot_started": resource.StateRebooting, "SHUTOFF/resize_prep": resource.StateUpdating,
		"VERIFY_RESIZE": resource.StateUpdating, "ERROR": resource.StateFailed, "ACTIVE/deleting": resource.StateDeleting, "SOMETHING": resource.StateUnknown,
		"PAUSED": resource.StateStopped, "SUSPENDED": resource.StateStopped, "SHELVED": resource.StateStopped, "SHELVED_OFFLOADED": resource.StateStopped, "SHUTOFF/image_snapshot": resource.StateStopped,
		"ACTIVE/pausing": resource.StateStopping, "ACTIVE/suspending": resource.StateStopping, "ACTIVE/shelving_image_uploading": resource.StateStopping, "SHELVED/shelving_offloading": resource.StateStopping,
		"PAUSED/unpausing": resource.StateStarting, "SUSPENDED/resuming": resource.StateStarting, "SHELVED/unshelving": resource.StateStarting, "SHELVED_OFFLOADED/spawning": resource.StateStarting,
		"RESCUE": resource.StateUpdating, "ACTIVE/rescuing": resource.StateUpdating, "RESCUE/unrescuing": resource.StateUpdating, "REBUILD/rebuild_spawning": resource.StateUpdating,
	} {
		status, task, _ := strings.Cut(word, "/")
		got, shown := vmState(servers.Server{Status: status, TaskState: task})
		assert.Equal(t, state, got, word)
		assert.Equal(t, word, shown)
	}
}

func TestImageThatIsDeactivatedCannotBeUsed(t *testing.T) {
	image := (&Session{}).customImages().object(shown[sdk.Image]{is: sdk.Image{Status: sdk.ImageStatusDeactivated}})
	assert.False(t, image.State.Usable(), image.State)
	assert.Contains(t, image.Reason, "deactivated")
}

func TestAddressOfALoadBalancerIsOfNoVM(t *testing.T) {
	for owner, vm := range map[string]string{"compute:nova": "x-1", "Octavia": "", "network:router_interface": ""} {
		near := []ports.Port{{ID: "p-1", DeviceID: "x-1", DeviceOwner: owner}}
		address := (&Session{}).publicIPs().object(shown[floatingIP]{is: floatingIP{near: near}})
		assert.Equal(t, vm, address.Status.VM, owner)
	}
}

// What Nova could not launch has failed, with what it says and a code that fits.
func TestAServerThatCouldNotBeLaunchedSaysWhy(t *testing.T) {
	for message, code := range map[string]resource.Code{
		"No valid host was found. There are not enough hosts available.":                                                 resource.CodeCapacity,
		"Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance x.":  resource.CodeCapacity,
		"Build of instance x aborted: Quota exceeded for resources: ['volumes']":                                         resource.CodeQuota,
		"Build of instance x aborted: VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota": resource.CodeQuota,
		"Something else": "",
	} {
		o := (&Session{}).vms().object(shown[server]{is: server{Server: servers.Server{Status: "ERROR", Fault: servers.Fault{Code: 500, Message: message}}}})
		assert.Equal(t, resource.StateFailed, o.State, message)
		assert.Equal(t, message, o.Reason)
		assert.Equal(t, code, o.Code, message)
	}
}

func TestPartsThatFailedGiveTheReason(t *testing.T) {
	groups := []nodegroups.NodeGroup{
		{Name: "default-worker", IsDefault: true, Status: "CREATE_COMPLETE", StatusReason: "Stack CREATE completed successfully"},
		{Name: "big", Status: "CREATE_FAILED", StatusReason: "No valid host was found."},
	}
	for status, reason := range map[string]string{
		"UPDATE_FAILED":   "Stack failed; its node group big failed: No valid host was found.",
		"UPDATE_COMPLETE": "its node group big failed: No valid host was found.",
	} {
		shownCluster := (&Session{}).clusters().object(shown[magnumCluster]{is: magnumCluster{Cluster: magnum.Cluster{Status: status, StatusReason: "Stack failed"}, groups: groups}})
		assert.Equal(t, reason, shownCluster.Reason)
		assert.Equal(t, resource.CodeCapacity, shownCluster.Code)
		assert.Empty(t, shownCluster.Status.NodeGroups[0].Reason)
		assert.Equal(t, "No valid host was found.", shownCluster.Status.NodeGroups[1].Reason)
		assert.Equal(t, resource.CodeCapacity, shownCluster.Status.NodeGroups[1].Code)
	}

	failing := (&Session{}).nlbs().object(shown[balancer]{is: balancer{
		LoadBalancer: loadbalancers.LoadBalancer{ID: "b", VipAddress: "fd00::5"},
		listener:     listeners.Listener{ID: "l", Name: "web", ProvisioningStatus: "ACTIVE"},
		pool:         pools.Pool{ID: "p", ProvisioningStatus: "ERROR"},
		members:      []pools.Member{{Name: "vm-1", ProvisioningStatus: "ACTIVE"}, {Name: "vm-2", ProvisioningStatus: "ERROR"}},
	}})
	assert.Equal(t, "in the state ERROR: its pool, member vm-2", failing.Reason)
	assert.Equal(t, resource.CodeUnavailable, failing.Code)
	assert.Equal(t, resource.NLBStatus{
		IPv6Address: "fd00::5",
		Listeners:   []resource.Part{{Name: "web", CloudID: "l", State: resource.StateFailed, CloudState: "ERROR", Reason: "in the state ERROR: its pool", Code: resource.CodeUnavailable}},
		Members: []resource.Part{
			{Name: "vm-1", State: resource.StateAvailable, CloudState: "ACTIVE"},
			{Name: "vm-2", State: resource.StateFailed, CloudState: "ERROR", Reason: "in the state ERROR: its member vm-2", Code: resource.CodeUnavailable},
		},
	}, failing.Status)
}

func TestRootDisk(t *testing.T) {
	image, flavor := sdk.Image{ID: "i", MinDiskGigabytes: 3, SizeBytes: 5<<30 + 1}, flavors.Flavor{Disk: 20}
	assert.Nil(t, rootDisk(resource.VMSpec{}, image, flavor), "the flavor's own")
	assert.Equal(t, 30, rootDisk(resource.VMSpec{RootDiskSizeGiB: 30}, image, flavor)[0].VolumeSize)
	assert.Equal(t, 20, rootDisk(resource.VMSpec{RootDiskType: "ssd"}, image, flavor)[0].VolumeSize)
	assert.Equal(t, 6, rootDisk(resource.VMSpec{}, image, flavors.Flavor{})[0].VolumeSize, "a flavor without a disk")
	assert.True(t, rootDisk(resource.VMSpec{}, image, flavors.Flavor{})[0].DeleteOnTermination)
}

func TestPrimaryAddressStaysFirst(t *testing.T) {
	port := ports.Port{
		FixedIPs: []ports.IP{{IPAddress: "10.0.0.2"}, {IPAddress: "fd00::1"}, {IPAddress: "10.0.0.9"}, {IPAddress: "10.0.0.1"}},
		Tags:     []string{secondaryTag + "10.0.0.2", secondaryTag + "10.0.0.1"},
	}
	var four []string
	for _, ip := range addressesOf(port).four {
		four = append(four, ip.IPAddress)
	}
	assert.Equal(t, []string{"10.0.0.9", "10.0.0.2", "10.0.0.1"}, four)
	assert.Equal(t, []string{"fd00::1"}, addressesOf(port).six)
	assert.Empty(t, addressesOf(ports.Port{}).primary())
}

// The services' own words, as they answer them.
func TestErrorsOfTheServices(t *testing.T) {
	for _, test := range []struct {
		status    int
		body      string
		code      resource.Code
		cloud     string
		says      string
		retryable bool
	}{
		{status: 401, body: `{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}`, code: resource.CodeUnauthenticated, cloud: "Unauthorized"},
		{status: 403, body: `{"forbidden": {"code": 403, "message": "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances"}}`, code: resource.CodeQuota, cloud: "forbidden", says: "a higher quota"},
		{status: 403, body: `{"forbidden": {"code": 403, "message": "Policy doesn't allow os_compute_api:servers:create to be performed."}}`, code: resource.CodeDenied, cloud: "forbidden"},
		{status: 404, body: `{"itemNotFound": {"code": 404, "message": "Instance x could not be found."}}`, code: resource.CodeNotFound, cloud: "itemNotFound"},
		{status: 409, body: `{"conflictingRequest": {"code": 409, "message": "Cannot 'start' instance x while it is in vm_state active"}}`, code: resource.CodeConflict, cloud: "conflictingRequest"},
		{status: 409, body: `{"conflictingRequest": {"code": 409, "message": "Key pair 'x' already exists."}}`, code: resource.CodeAlreadyExists, cloud: "conflictingRequest"},
		{status: 409, body: `{"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for resources: ['network'].", "detail": ""}}`, code: resource.CodeQuota, cloud: "OverQuota"},
		{status: 409, body: `{"NeutronError": {"type": "SubnetInUse", "message": "Unable to complete operation on subnet x", "detail": ""}}`, code: resource.CodeDependency, cloud: "SubnetInUse"},
		{status: 404, body: `{"NeutronError": {"type": "PortNotFound", "message": "Port x could not be found.", "detail": ""}}`, code: resource.CodeNotFound, cloud: "PortNotFound"},
		{status: 413, body: `{"overLimit": {"code": 413, "message": "VolumeLimitExceeded: Maximum number of volumes allowed (1) exceeded for quota 'volumes'.", "retryAfter": "0"}}`, code: resource.CodeQuota, cloud: "overLimit"},
		{status: 400, body: `{"badRequest": {"code": 400, "message": "Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots or be disassociated from snapshots after volume transfer."}}`, code: resource.CodeDependency, cloud: "badRequest"},
		{status: 403, body: `{"faultcode": "Client", "faultstring": "Quota has been met for resources: Load Balancer", "debuginfo": null}`, code: resource.CodeQuota, cloud: "Forbidden"},
		{status: 409, body: `{"errors": [{"request_id": "", "code": "client", "status": 409, "title": "Operation not allowed", "detail": "Cluster is in status UPDATE_IN_PROGRESS", "links": []}]}`, code: resource.CodeConflict, cloud: "Conflict", says: "UPDATE_IN_PROGRESS"},
		{status: 400, body: `{"errors": [{"request_id": "", "code": "client", "status": 400, "title": "Invalid input for field/attribute master_count", "detail": "Invalid input for field/attribute master_count. Value: '0'. Value should be greater or equal to 1", "links": []}]}`, code: resource.CodeUnavailable, cloud: "BadRequest", retryable: true},
		{status: 404, body: `{"message": "No image found with ID x<br /><br />", "code": "404 Not Found", "title": "Not Found"}`, code: resource.CodeNotFound, cloud: "NotFound"},
		{status: 406, body: `{"computeFault": {"code": 406, "message": "Version 2.92 is not supported by the API. Minimum is 2.1 and maximum is 2.87."}}`, code: resource.CodeUnsupported, cloud: "computeFault"},
		{status: 429, body: `{"error": {"message": "Too many"}}`, code: resource.CodeThrottled, cloud: "TooManyRequests", retryable: true},
		{status: 500, body: `{"computeFault": {"code": 500, "message": "Unexpected API Error."}}`, code: resource.CodeUnavailable, cloud: "computeFault", retryable: true},
		{status: 503, body: `The server is down`, code: resource.CodeUnavailable, cloud: "ServiceUnavailable", retryable: true},
	} {
		err := resource.AsError(Door{Title: "OpenStack"}.says(t.Context(), gophercloud.ErrUnexpectedResponseCode{
			Actual: test.status, Body: []byte(test.body), ResponseHeader: http.Header{"X-Openstack-Request-Id": {"req-42"}},
		}))
		assert.Equal(t, test.code, err.Code, test.body)
		assert.Equal(t, test.cloud, err.Cloud.Code, test.body)
		assert.Equal(t, "req-42", err.Cloud.RequestID)
		assert.Equal(t, test.retryable, err.Retryable, test.body)
		assert.Contains(t, err.Message, test.says)
	}
}

// What the cloud cannot do yet, because it is at work on the same object, is no failure.
func TestRefusalsThatPassArePending(t *testing.T) {
	for _, body := range []string{
		`{"conflictingRequest": {"code": 409, "message": "Cannot 'createImage' instance x while it is in task_state image_uploading"}}`,
		`{"NeutronError": {"type": "SubnetInUse", "message": "Unable to complete operation on subnet x: This subnet is being modified by another concurrent operation.", "detail": ""}}`,
		`{"faultcode": "Client", "faultstring": "Load Balancer x is immutable and cannot be updated.", "debuginfo": null}`,
		`{"faultcode": "Client", "faultstring": "Invalid state PENDING_UPDATE of loadbalancer resource x", "debuginfo": null}`,
	} {
		err := Door{Title: "OpenStack"}.says(t.Context(), gophercloud.ErrUnexpectedResponseCode{Actual: http.StatusConflict, Body: []byte(body)})
		assert.ErrorContains(t, err, "pending: the cloud is at work on it; OpenStack: ", body)
	}
}

func TestReasonsOfFailures(t *testing.T) {
	for reason, code := range map[string]resource.Code{
		"No valid host was found. There are not enough hosts available.":                                   resource.CodeCapacity,
		"Resource CREATE failed: ResourceInError: Went to status ERROR due to \"No valid host was found\"": resource.CodeCapacity,
		"schedule allocate volume:Could not find any available weighed backend. No valid backend":          resource.CodeCapacity,
		"Quota exceeded for cores: Requested 8, but already used 20 of 20 cores":                           resource.CodeQuota,
		"Build of instance aborted: the image cannot be read":                                              "",
		"": "",
	} {
		assert.Equal(t, code, reasonCode(reason), reason)
	}
}

func TestLinksToTheNextPage(t *testing.T) {
	for body, query := range map[string]url.Values{
		`{"ports": [], "ports_links": [{"rel": "previous", "href": "http://x/p"}, {"rel": "next", "href": "http://inside:9696/v2.0/ports?limit=2&marker=m"}]}`: {"limit": {"2"}, "marker": {"m"}},
		`{"ports": [], "next": "/v2/ports?marker=m"}`: {"marker": {"m"}},
		`{"ports": [], "next": null}`:                 nil,
		`{"ports": []}`:                               nil,
	} {
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(body), &fields))
		assert.Equal(t, query, nextPage(fields, "ports"), body)
	}
}
