package openstack_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
)

// The driver's own process lists 5,000 VMs of a fake Nova and Neutron: the real ones would
// take an hour to make them. The log says what memory it takes (docs/performance.md).
func TestMemoryOfTheProcess(t *testing.T) {
	const total, most = 5000, 1000
	f := fake(t, func(r *http.Request) (int, string) {
		key, entry := "servers", aServer
		if strings.HasSuffix(r.URL.Path, "/ports") {
			key, entry = "ports", aPort
		}
		from, _ := strconv.Atoi(r.URL.Query().Get("marker"))
		var page []string
		for i := from + 1; i <= min(from+most, total); i++ {
			page = append(page, strings.ReplaceAll(entry, "{n}", fmt.Sprintf("%012d", i)))
		}
		return http.StatusOK, fmt.Sprintf(`{%q: [%s], "%s_links": [{"rel": "next", "href": "?marker=%d"}]}`, key, strings.Join(page, ","), key, min(from+most, total))
	})
	binary := filepath.Join(t.TempDir(), "mcic-driver-openstack")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/mcic-driver-openstack").CombinedOutput()
	require.NoError(t, err, "%s", out)

	cmd := exec.CommandContext(t.Context(), binary)
	meeting := driver.Prepare(cmd, "", io.Discard, driver.Spoken())
	require.NoError(t, cmd.Start())
	client, end, err := meeting.Meet(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		end()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	start := memory(t, cmd.Process.Pid)
	s, err := client.Connect(t.Context(), f.config())
	require.NoError(t, err)
	idle := memory(t, cmd.Process.Pid)

	list := func() (n int) {
		for _, err := range s.List(t.Context(), "vm", driver.Filter{}) {
			require.NoError(t, err)
			n++
		}
		return n
	}
	assert.Equal(t, total, list())
	assert.Len(t, f.requests("/servers/detail"), total/most+1, "the last page is empty")
	assert.Len(t, f.requests("/ports"), total/most+1)
	once := memory(t, cmd.Process.Pid)
	for range 4 {
		list()
	}
	often := memory(t, cmd.Process.Pid)
	t.Logf("memory of the process (RSS): %d MB after its start, %d MB with a connection, %d MB after one list of %d VMs, %d MB after five", start, idle, once, total, often)
	assert.Less(t, often, 250, "it does not grow with each list")
}

// memory is what a process has in memory, in MB; 0 where that cannot be read.
func memory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if os.IsNotExist(err) {
		return 0
	}
	require.NoError(t, err)
	parts := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	require.Len(t, parts, 2)
	kB, err := strconv.Atoi(string(parts[1]))
	require.NoError(t, err)
	return kB * 1024 / 1000 / 1000
}

// A server and its port with the fields that Nova and Neutron of Zed answer; {n} is a
// number of twelve digits.
const (
	aServer = `{"id": "8f0a5a5e-0000-4000-8000-{n}", "name": "vm-{n}", "status": "ACTIVE", "tenant_id": "p-1", "user_id": "u-1",
		"metadata": {"team": "infra", "env": "test"}, "hostId": "29d3c8c896a45aa4c34e52247875d7fefc3d94bbcc9f622b5d204362",
		"image": {"id": "70a599e0-31e7-49b7-b260-868f441e862b", "links": [{"rel": "bookmark", "href": "http://nova.example.com/images/70a599e0-31e7-49b7-b260-868f441e862b"}]},
		"flavor": {"vcpus": 1, "ram": 2048, "disk": 20, "ephemeral": 0, "swap": 0, "original_name": "m1.small", "extra_specs": {}},
		"created": "2026-11-25T01:00:00Z", "updated": "2026-11-25T01:00:10Z", "accessIPv4": "", "accessIPv6": "", "progress": 0, "config_drive": "",
		"addresses": {"net": [{"version": 4, "addr": "10.0.1.5", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01"}]},
		"links": [{"rel": "self", "href": "http://nova.example.com/v2.1/servers/8f0a5a5e-0000-4000-8000-{n}"}, {"rel": "bookmark", "href": "http://nova.example.com/servers/8f0a5a5e-0000-4000-8000-{n}"}],
		"OS-DCF:diskConfig": "MANUAL", "OS-EXT-AZ:availability_zone": "nova", "key_name": "key", "OS-SRV-USG:launched_at": "2026-11-25T01:00:10.000000", "OS-SRV-USG:terminated_at": null,
		"security_groups": [{"name": "default"}], "OS-EXT-STS:task_state": null, "OS-EXT-STS:vm_state": "active", "OS-EXT-STS:power_state": 1,
		"os-extended-volumes:volumes_attached": [], "locked": false, "description": "vm-{n}", "tags": ["mcic-uid=0193{n}"], "trusted_image_certificates": null}`
	aPort = `{"id": "1e0a5a5e-0000-4000-8000-{n}", "name": "vm-{n}", "network_id": "d8f2b1a0-6d3b-4b5c-9c1c-0f6c3c1f6b7e", "tenant_id": "p-1", "project_id": "p-1",
		"mac_address": "fa:16:3e:00:00:01", "admin_state_up": true, "status": "ACTIVE", "device_id": "8f0a5a5e-0000-4000-8000-{n}", "device_owner": "compute:nova",
		"fixed_ips": [{"subnet_id": "b1c2d3e4-6d3b-4b5c-9c1c-0f6c3c1f6b7e", "ip_address": "10.0.1.5"}], "security_groups": ["5d0e8a9c-6d3b-4b5c-9c1c-0f6c3c1f6b7e"],
		"allowed_address_pairs": [], "extra_dhcp_opts": [], "description": "[mcic-uid=0193{n} of=vm]", "binding:vnic_type": "normal", "port_security_enabled": true,
		"tags": [], "created_at": "2026-11-25T01:00:00Z", "updated_at": "2026-11-25T01:00:10Z", "revision_number": 4}`
)
