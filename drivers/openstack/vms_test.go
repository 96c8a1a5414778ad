package openstack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Whatever is shown as stopped can be started.
func TestStartOfWhatIsStopped(t *testing.T) {
	for status, action := range map[string]string{
		"SHUTOFF": "os-start", "PAUSED": "unpause", "SUSPENDED": "resume", "SHELVED": "unshelve", "SHELVED_OFFLOADED": "unshelve",
		"ACTIVE": "", "PAUSED/unpausing": "", "ERROR": "",
	} {
		t.Run(status, func(t *testing.T) {
			var done []string
			is, task, _ := strings.Cut(status, "/")
			s := open(t, fake(t, func(r *http.Request) (int, string) {
				if r.Method == http.MethodGet {
					if strings.HasSuffix(r.URL.Path, "/ports") {
						return http.StatusOK, `{"ports": []}`
					}
					if strings.HasSuffix(r.URL.Path, "/flavors/detail") {
						return http.StatusOK, `{"flavors": [{"id": "f-1", "name": "m1.tiny"}]}`
					}
					return http.StatusOK, fmt.Sprintf(`{"server": {"id": "s-1", "status": %q, "OS-EXT-STS:task_state": %q}}`, is, task)
				}
				body, err := io.ReadAll(r.Body)
				if err != nil || is != "SHUTOFF" && strings.Contains(string(body), "os-start") {
					return http.StatusConflict, `{"conflictingRequest": {"code": 409, "message": "Cannot 'start' instance s-1 while it is in vm_state ` + strings.ToLower(is) + `"}}`
				}
				done = append(done, string(body))
				return http.StatusAccepted, ""
			}).config())
			before, err := s.Get(t.Context(), "vm", "s-1")
			require.NoError(t, err)
			assert.Equal(t, action != "", before.State == resource.StateStopped)
			pending, err := s.Session.Act(t.Context(), "vm", "s-1", "start", nil)
			if action == "" {
				assert.Equal(t, is == "ERROR", resource.CodeOf(err) == resource.CodeConflict, "%v", err)
				assert.Equal(t, task != "", pending != nil)
				assert.Empty(t, done)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{`{"` + action + `":null}`}, done)
			if action != "os-start" {
				err = s.Act(t.Context(), "vm", "s-1", "resize", []byte(`{"spec": "m1.tiny"}`))
				assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "%v", err)
				assert.ErrorContains(t, err, "start it and stop it")
			}
		})
	}
}

// The parts of a VM, its port and its subnets with both IPv4 and IPv6, whatever comes first.
func TestIPv4AndIPv6AreApart(t *testing.T) {
	const (
		six  = `{"subnet_id": "six", "ip_address": "fd00::5"}`
		four = `{"subnet_id": "four", "ip_address": "10.0.0.5"}`
	)
	for addresses, subnet := range map[string]string{six + "," + four: "four", four + "," + six: "four", six: "six"} {
		f := fake(t, func(r *http.Request) (int, string) {
			port := `{"id": "p-1", "network_id": "n-1", "device_id": "s-1", "device_owner": "compute:nova", "status": "ACTIVE", "project_id": "p-1", "fixed_ips": [` + addresses + `]}`
			switch {
			case strings.HasSuffix(r.URL.Path, "/servers/s-1"):
				return http.StatusOK, `{"server": {"id": "s-1", "status": "ACTIVE"}}`
			case strings.HasSuffix(r.URL.Path, "/ports/p-1"):
				return http.StatusOK, `{"port": ` + port + `}`
			case strings.HasSuffix(r.URL.Path, "/subnets/four"):
				return http.StatusOK, `{"subnet": {"id": "four", "network_id": "n-1", "ip_version": 4, "cidr": "10.0.0.0/24", "project_id": "p-1"}}`
			case strings.HasSuffix(r.URL.Path, "/subnets/six"):
				return http.StatusOK, `{"subnet": {"id": "six", "network_id": "n-1", "ip_version": 6, "cidr": "fd00::/64", "project_id": "p-1"}}`
			}
			return http.StatusOK, `{"ports": [` + port + `]}`
		})
		s := open(t, f.config())
		primary := ""
		if subnet == "four" {
			primary = "10.0.0.5"
		}
		vm := settled(t, s, resource.VM, "s-1")
		assert.Equal(t, subnet, vm.Spec.Subnet, addresses)
		assert.Equal(t, resource.VMStatus{PrivateAddress: primary, IPv6Addresses: []string{"fd00::5"}}, vm.Status, addresses)
		nic := settled(t, s, resource.NIC, "p-1")
		assert.Equal(t, subnet, nic.Spec.Subnet, addresses)
		assert.Equal(t, resource.NICStatus{VM: "s-1", PrivateAddress: primary, IPv6Addresses: []string{"fd00::5"}}, nic.Status, addresses)

		assert.Equal(t, "10.0.0.0/24", settled(t, s, resource.Subnet, "four").Spec.CIDR)
		subnetOfSix := settled(t, s, resource.Subnet, "six")
		assert.Empty(t, subnetOfSix.Spec.CIDR)
		assert.Equal(t, "fd00::/64", subnetOfSix.Status.IPv6CIDR)
	}
}

// A port keeps its IPv6 addresses when its secondary ones change.
func TestSecondaryAddressesLeaveIPv6(t *testing.T) {
	var sent map[string]any
	s := open(t, fake(t, func(r *http.Request) (int, string) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/ports/p-1") {
			if json.NewDecoder(r.Body).Decode(&sent) != nil {
				return http.StatusBadRequest, `{}`
			}
		}
		return http.StatusOK, `{"port": {"id": "p-1", "project_id": "p-1", "fixed_ips": [{"subnet_id": "six", "ip_address": "fd00::5"}, {"subnet_id": "four", "ip_address": "10.0.0.5"}]}}`
	}).config())
	require.NoError(t, s.Act(t.Context(), "nic", "p-1", "addaddresses", []byte(`{"addresses": ["10.0.0.6"]}`)))
	var addresses []any
	for _, ip := range sent["port"].(map[string]any)["fixed_ips"].([]any) {
		addresses = append(addresses, ip.(map[string]any)["ip_address"])
	}
	assert.ElementsMatch(t, []any{"10.0.0.5", "10.0.0.6", "fd00::5"}, addresses)
}
