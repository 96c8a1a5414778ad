package openstack_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// A subnet is taken from the router at its gateway, and from no other one.
func TestRouterOfSomebodyElse(t *testing.T) {
	const port = `{"id": "port-%d", "device_id": "router-%[1]d", "device_owner": %q, "fixed_ips": [{"subnet_id": "s-1", "ip_address": %q}]}`
	for name, test := range map[string]struct {
		ports []string
		want  []string // that is changed; nothing if the deletion is refused
	}{
		"its own":               {[]string{fmt.Sprintf(port, 1, "network:router_interface", "10.0.0.1")}, []string{"PUT v2.0/routers/router-1/remove_router_interface", "DELETE v2.0/subnets/s-1"}},
		"its own, in two hosts": {[]string{fmt.Sprintf(port, 1, "network:ha_router_replicated_interface", "10.0.0.1")}, []string{"PUT v2.0/routers/router-1/remove_router_interface", "DELETE v2.0/subnets/s-1"}},
		"another one, too":      {[]string{fmt.Sprintf(port, 1, "network:router_interface", "10.0.0.1"), fmt.Sprintf(port, 2, "network:router_interface", "10.0.0.9")}, nil},
	} {
		c := &changes{t: t}
		f := fake(t, func(r *http.Request) (int, string) {
			switch {
			case c.note(r) && r.Method == http.MethodDelete:
				return http.StatusNoContent, ""
			case strings.HasSuffix(r.URL.Path, "/ports"):
				return http.StatusOK, `{"ports": [` + strings.Join(test.ports, ",") + `]}`
			}
			return http.StatusOK, `{"subnet": {"id": "s-1", "network_id": "n-1", "project_id": "p-1", "cidr": "10.0.0.0/24", "ip_version": 4, "gateway_ip": "10.0.0.1"}}`
		})
		err := open(t, f.config()).Delete(t.Context(), "subnet", "s-1")
		if test.want == nil {
			assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "%s: %v", name, err)
			assert.ErrorContains(t, err, "router-2")
		} else {
			require.NoError(t, err, name)
		}
		assert.Equal(t, test.want, c.seen, name)
	}
}

// With an image go the snapshots that Nova made for it, and none that it was registered from.
func TestSnapshotsThatAnImageWasRegisteredFrom(t *testing.T) {
	for name, test := range map[string]struct {
		image string // properties
		want  []string
	}{
		"made by us":     {`"mcic_uid": "t-1"`, []string{"DELETE v3/p-1/snapshots/plain", "DELETE v2/images/i-1"}},
		"made by others": {`"image_type": "snapshot"`, []string{"DELETE v2/images/i-1"}},
	} {
		var seen []string
		f := fake(t, func(r *http.Request) (int, string) {
			_, path, _ := strings.Cut(r.URL.Path[1:], "/")
			switch {
			case r.Method == http.MethodDelete:
				seen = append(seen, "DELETE "+path)
				return http.StatusNoContent, ""
			case strings.HasSuffix(path, "snapshots/managed"):
				return http.StatusOK, `{"snapshot": {"id": "managed", "status": "available", "metadata": {"mcic-uid": "t-2"}}}`
			case strings.HasSuffix(path, "snapshots/plain"):
				return http.StatusOK, `{"snapshot": {"id": "plain", "status": "available", "metadata": {}}}`
			case strings.Contains(path, "snapshots/"):
				return http.StatusNotFound, `{"itemNotFound": {"code": 404, "message": "no"}}`
			}
			return http.StatusOK, `{"id": "i-1", "status": "active", "owner": "p-1", "block_device_mapping": "[{\"snapshot_id\": \"managed\"}, {\"snapshot_id\": \"plain\"}, {\"snapshot_id\": \"gone\"}]", ` + test.image + `}`
		})
		f.services = append(f.services, "image", "volumev3")
		require.NoError(t, open(t, f.config()).Delete(t.Context(), "customimage", "i-1"), name)
		assert.Equal(t, test.want, seen, name)
	}
}
