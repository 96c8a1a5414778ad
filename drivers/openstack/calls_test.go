package openstack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// still is a cloud in which nothing ever changes: what it answers to looks, by the end of their
// path. Two of each kind are there, the second one of others.
func still() map[string]string {
	two := func(key, one, other string) string { return fmt.Sprintf(`{%q: [%s, %s]}`, key, one, other) }
	neutron := func(id, more, tags string) string {
		return fmt.Sprintf(`{"id": %q, "name": "x", "status": "ACTIVE", "project_id": "p-1", "description": "[mcic-uid=t-1%s]", "created_at": "2026-11-25T01:00:00Z", "tags": ["team=web"%s]`, id, more, tags)
	}
	const foreign = `{"id": "o-2", "name": "y", "status": "DOWN", "tenant_id": "p-9", "description": "by others", "tags": [], "created_at": "2026-11-25T01:00:00"`
	network := neutron("n-1", "", `, "mcic-cidr=10.0.0.0/16"`) + `}`
	stateless := func(shown string) string { return strings.Replace(shown, `"status": "ACTIVE", `, "", 1) }
	subnet := stateless(neutron("s-1", "", "")) + `, "network_id": "n-1", "ip_version": 4, "cidr": "10.0.1.0/24", "gateway_ip": "10.0.1.1"}`
	group := stateless(neutron("g-1", "", `, "mcic-vpc=n-1"`)) + `, "security_group_rules": [{"id": "r-1", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}, {"id": "r-2", "direction": "egress", "ethertype": "IPv4"}]}`
	const fixed = `"fixed_ips": [{"subnet_id": "s-1", "ip_address": "10.0.1.5"}, {"subnet_id": "s-1", "ip_address": "10.0.1.6"}]`
	port := neutron("i-1", "", `, "mcic-secondary=10.0.1.6"`) + `, "network_id": "n-1", "device_id": "", "device_owner": "", "mac_address": "fa:16:3e:00:00:01", ` + fixed + `}`
	used := neutron("i-2", " of=vm", "") + `, "network_id": "n-1", "device_id": "v-1", "device_owner": "compute:nova", "security_groups": ["g-1"], ` + fixed + `}`
	address := neutron("f-1", "", `, "mcic-name=front"`) + `, "floating_ip_address": "203.0.113.7", "port_id": ""}`
	taken := neutron("f-2", " of=nlb", "") + `, "floating_ip_address": "203.0.113.8", "port_id": "vip-1"}`
	given := foreign + `, "floating_ip_address": "203.0.113.9", "port_id": "i-2"}`
	const server = `{"id": "v-1", "name": "x", "status": "SHUTOFF", "created": "2026-11-25T01:00:00Z", "tenant_id": "p-1", "tags": ["mcic-uid=t-1", "mcic-port=i-2", "mcic-user=ubuntu"], "metadata": {"team": "web"}, "image": {"id": "img-1"}, "flavor": {"original_name": "m1.small"}, "key_name": "k", "addresses": {"x": [{"addr": "203.0.113.9", "OS-EXT-IPS:type": "floating"}]}}`
	const gone = `{"id": "v-2", "name": "y", "status": "DELETED", "tags": []}`
	volume := func(id, more string) string {
		return fmt.Sprintf(`{"id": %q, "name": "x", "status": "available", "size": 3, "volume_type": "ssd", "created_at": "2026-11-25T01:00:00.250000", "metadata": {"mcic-uid": "t-1", "team": "web"}%s}`, id, more)
	}
	key := `{"name": "k", "fingerprint": "aa:bb", "created_at": "2026-11-25T01:00:00.000000", "id": 7, "public_key": "` + publicKey + ` [mcic-uid=t-1]"}`
	const image = `{"id": "img-2", "name": "x", "status": "active", "owner": "p-1", "created_at": "2026-11-25T01:00:00Z", "mcic_uid": "t-1", "instance_uuid": "v-1", "tags": ["team=web"], "size": 5, "min_disk": 2, "uuid": "odd"}`
	const system = `{"id": "img-1", "name": "ubuntu", "status": "active", "owner": "p-0", "os_distro": "ubuntu", "os_admin_user": "ubuntu", "tags": [], "size": 5}`
	balancer := func(id, status string) string {
		return fmt.Sprintf(`{"id": %q, "name": "x", "provisioning_status": %q, "project_id": "p-1", "created_at": "2026-11-25T01:00:00", "tags": ["mcic-uid=t-1", "team=web"], "vip_port_id": "vip-1", "vip_address": "10.0.1.9", "vip_subnet_id": "s-1", "vip_network_id": "n-1", "pools": [{"id": "pool-1"}]}`, id, status)
	}
	const pool = `{"id": "pool-1", "protocol": "TCP", "provisioning_status": "ACTIVE", "tags": ["mcic-target=80"], "healthmonitor_id": "m-1", "listeners": [{"id": "l-1"}], "loadbalancers": [{"id": "b-1"}]}`
	const monitor = `{"id": "m-1", "type": "TCP", "delay": 10, "timeout": 5, "max_retries": 3, "provisioning_status": "ACTIVE", "pools": [{"id": "pool-1"}]}`
	const cluster = `{"uuid": "c-1", "name": "x", "status": "CREATE_COMPLETE", "cluster_template_id": "tpl-1", "keypair": "k", "created_at": "2026-11-25T01:00:00+00:00", "fixed_network": "n-1", "fixed_subnet": "s-1", "api_address": "https://203.0.113.7:6443", "labels": {"mcic_uid": "t-1", "mcic_group": "first"}}`
	const worker = `{"uuid": "w-1", "id": 3, "name": "default-worker", "is_default": true, "role": "worker", "node_count": 1, "min_node_count": 1, "max_node_count": 2, "status": "CREATE_COMPLETE", "flavor_id": "m1.small", "labels": {}}`
	return map[string]string{
		"/networks": two("networks", network, foreign+"}"), "/networks/n-1": `{"network": ` + network + `}`, "/networks/o-2": `{"network": ` + foreign + `}}`,
		"/subnets": two("subnets", subnet, strings.Replace(foreign, `"status": "DOWN", `, "", 1)+"}"), "/subnets/s-1": `{"subnet": ` + subnet + `}`,
		"/security-groups": `{"security_groups": [` + group + `]}`, "/security-groups/g-1": `{"security_group": ` + group + `}`,
		"/ports": two("ports", port, used), "/ports/i-1": `{"port": ` + port + `}`,
		"/floatingips": fmt.Sprintf(`{"floatingips": [%s, %s, %s]}`, address, taken, given), "/floatingips/f-1": `{"floatingip": ` + address + `}`, "/floatingips/o-2": `{"floatingip": ` + given + `}`,
		"/routers":        `{"routers": [` + neutron("router-1", "", "") + `}]}`,
		"/servers/detail": two("servers", server, gone), "/servers/v-1": `{"server": ` + server + `}`, "/servers/v-2": `{"server": ` + gone + `}`,
		"/flavors/detail": `{"flavors": [{"id": "f-s", "name": "m1.small", "disk": 20}, {"id": "f-l", "name": "m1.large", "disk": 20}]}`,
		"/os-keypairs":    two("keypairs", `{"keypair": `+key+`}`, `{"keypair": {"name": "other", "public_key": "ssh-rsa AAAA me"}}`), "/os-keypairs/k": `{"keypair": ` + key + `}`,
		"/volumes/detail": two("volumes", volume("d-1", `, "attachments": []`), volume("d-2", `, "attachments": [{"server_id": "v-1", "device": "/dev/vdb"}]`)),
		"/volumes/d-1":    `{"volume": ` + volume("d-1", "") + `}`, "/volumes/d-2": `{"volume": ` + volume("d-2", `, "attachments": [{"server_id": "v-1", "device": "/dev/vdb"}]`) + `}`,
		"/snapshots/detail": two("snapshots", volume("sn-1", `, "volume_id": "d-1", "description": "why"`), `{"id": "sn-2", "status": "deleting", "metadata": {}}`), "/snapshots/sn-1": `{"snapshot": ` + volume("sn-1", `, "volume_id": "d-1"`) + `}`,
		"/images": two("images", system, image), "/images/img-1": system, "/images/img-2": image,
		"/lbaas/loadbalancers": two("loadbalancers", balancer("b-1", "ACTIVE"), balancer("b-2", "DELETED")), "/lbaas/loadbalancers/b-1": `{"loadbalancer": ` + balancer("b-1", "ACTIVE") + `}`,
		"/lbaas/listeners": `{"listeners": [{"id": "l-1", "name": "x", "protocol": "TCP", "protocol_port": 80, "default_pool_id": "pool-1", "provisioning_status": "ACTIVE", "tags": [], "loadbalancers": [{"id": "b-1"}]}]}`,
		"/lbaas/pools":     `{"pools": [` + pool + `]}`, "/lbaas/pools/pool-1/members": `{"members": [{"id": "mem-1", "name": "v-1", "address": "10.0.1.5", "protocol_port": 80, "subnet_id": "s-1", "operating_status": "ONLINE", "provisioning_status": "ACTIVE"}]}`,
		"/lbaas/healthmonitors": `{"healthmonitors": [` + monitor + `]}`, "/lbaas/healthmonitors/m-1": `{"healthmonitor": ` + monitor + `}`,
		"/clusters/detail": `{"clusters": [` + cluster + `]}`, "/clusters/c-1": cluster,
		"/clusters/c-1/nodegroups":     `{"nodegroups": [` + worker + `, {"uuid": "w-2", "name": "default-master", "role": "master"}, {"uuid": "w-3", "name": "gone", "role": "worker"}]}`,
		"/clusters/c-1/nodegroups/w-1": worker,
		"/clustertemplates":            `{"clustertemplates": [{"uuid": "tpl-1", "name": "k8s", "coe": "kubernetes", "labels": {"kube_tag": "v1.27.8"}}, {"uuid": "tpl-2", "name": "newer", "coe": "kubernetes", "labels": {"kube_tag": "v1.28.9"}}]}`,
		"/types":                       `{"volume_types": [{"id": "ty-1", "name": "ssd", "description": "fast"}]}`,
		"/os-quota-sets/p-1/detail":    `{"quota_set": {"id": "p-1", "instances": {"limit": 10, "in_use": 1, "reserved": 0}, "ram": {"limit": 51200, "in_use": 512}}}`,
		"/os-quota-sets/p-1":           `{"quota_set": {"id": "p-1", "volumes": {"limit": 10, "in_use": 2}}}`,
		"/quotas/p-1/details.json":     `{"quota": {"port": {"limit": 500, "used": 3}}}`,
		"/lbaas/quotas/p-1":            `{"quota": {"loadbalancer": 10}}`,
	}
}

// Every verb asks the services for the same, in the same order, whatever the code looks like, and
// shows the same.
func TestCallsOfTheVerbs(t *testing.T) {
	const golden = "testdata/verbs.txt"
	var said strings.Builder
	sees := still()
	attempt := regexp.MustCompile(`"mcic_attempt":"[A-Z0-9]+"`)
	f := fake(t, func(r *http.Request) (int, string) {
		raw, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		query := r.URL.Query()
		query.Del("limit")
		fmt.Fprintf(&said, "  %s %s", r.Method, r.URL.Path)
		if len(query) > 0 {
			fmt.Fprint(&said, "?", query.Encode())
		}
		fmt.Fprintln(&said, strings.TrimRight(" "+attempt.ReplaceAllString(string(raw), `"mcic_attempt":"…"`), " "))
		end := pathIn(r)
		body, ok := sees[end]
		switch {
		case r.Method == http.MethodGet && !ok:
			return http.StatusNotFound, `{"itemNotFound": {"code": 404, "message": "There is none."}}`
		case r.Method == http.MethodGet:
			return http.StatusOK, asked(t, body, r)
		case r.Method == http.MethodDelete:
			return http.StatusNoContent, ""
		case r.Method == http.MethodPut && strings.HasSuffix(end, "_router_interface"):
			return http.StatusOK, `{}`
		case r.Method == http.MethodPost:
			status := http.StatusAccepted
			if ends := []string{"/os-keypairs", "/os-volume_attachments", "/os-interface", "/metadata"}; slices.ContainsFunc(ends, func(path string) bool { return strings.HasSuffix(end, path) }) || strings.Contains(string(raw), "os-getConsoleOutput") {
				status = http.StatusOK
			}
			made := `{"id": "new", "uuid": "new", "name": "x", "project_id": "p-1", "description": "[mcic-uid=t-2]"}`
			return status, `{"uuid": "new", "image_id": "new", "network": ` + made + `, "subnet": ` + made + `, "security_group": ` + made + `, "port": ` + made + `, "floatingip": ` + made + `, "router": ` + made + `, "server": ` + made + `, "keypair": ` + made + `, "volume": ` + made + `, "snapshot": ` + made + `, "loadbalancer": ` + made + `, "security_group_rules": []}`
		}
		if strings.HasSuffix(end, "/members") || strings.HasPrefix(end, "/clusters/") {
			return http.StatusAccepted, `{"uuid": "c-1"}`
		}
		return http.StatusOK, `{"subnet_id": "s-1"}`
	})
	f.services = []string{"compute", "network", "image", "volumev3", "load-balancer", "container-infra"}
	s := open(t, f.config())
	said.Reset()
	ends := func(items any, pending *driver.Pending, err error) {
		raw, _ := json.Marshal(items) // what came as JSON
		if items != nil {
			fmt.Fprintln(&said, "  =", string(raw))
		}
		if pending != nil {
			fmt.Fprintln(&said, "  … "+pending.Reason)
		}
		if err != nil {
			fmt.Fprintln(&said, "  !", resource.CodeOf(err), strings.ReplaceAll(err.Error(), f.url, ""))
		}
	}
	for _, c := range []string{"region", "zone", "image", "spec", "disktype", "quota"} {
		fmt.Fprintln(&said, c)
		var all []json.RawMessage
		for entry, err := range s.Catalog(t.Context(), c, driver.Query{"name": "ubuntu"}) {
			require.NoError(t, err)
			all = append(all, entry)
		}
		ends(all, nil, nil)
	}
	for _, k := range verbsTried() {
		lists := []driver.Filter{{}, {Token: "t-1"}, {IDs: k.ids}, {IDs: append([]string{"a", "b", "c", "d", "e"}, k.ids...)}}
		for _, filter := range lists {
			fmt.Fprintln(&said, k.kind, "list", filter.Token, filter.IDs)
			var all []driver.Item
			for item, err := range s.Session.List(t.Context(), k.kind, filter) {
				require.NoError(t, err, said.String())
				all = append(all, item)
			}
			ends(all, nil, nil)
		}
		for _, id := range append(slices.Clone(k.ids), "none") {
			fmt.Fprintln(&said, k.kind, "get", id)
			item, err := s.Get(t.Context(), k.kind, id)
			ends(item, nil, err)
			fmt.Fprintln(&said, k.kind, "delete", id)
			pending, err := s.Session.Delete(t.Context(), k.kind, id)
			ends(nil, pending, err)
		}
		for _, token := range []string{"t-1", "t-2"} {
			fmt.Fprintln(&said, k.kind, "create", token)
			r := driver.ItemRequest{Token: token, Name: "x", Labels: map[string]string{"team": "web", "stage": "test"}, Spec: json.RawMessage(k.spec)}
			item, pending, err := s.Session.Create(t.Context(), k.kind, r)
			ends(item, pending, err)
		}
		for _, a := range k.acts {
			action, params, _ := strings.Cut(a, " ")
			fmt.Fprintln(&said, k.kind, a)
			pending, err := s.Session.Act(driver.WithOperation(t.Context(), "op-1"), k.kind, k.ids[0], action, json.RawMessage(params))
			ends(nil, pending, err)
		}
		for _, view := range k.views {
			fmt.Fprintln(&said, k.kind, view)
			answer, err := s.View(t.Context(), k.kind, k.ids[0], view, nil)
			ends(answer, nil, err)
		}
	}
	if os.Getenv(drivertest.EnvUpdate) != "" {
		require.NoError(t, os.WriteFile(filepath.FromSlash(golden), []byte(said.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), said.String())
}

// pathIn is the path of a request in its service.
func pathIn(r *http.Request) string {
	_, path, _ := strings.Cut(r.URL.Path[1:], "/")
	return regexp.MustCompile(`^v[0-9.]+(/p-1)?`).ReplaceAllString(path, "")
}

// A list that lacks something that its objects need is no list without them.
func TestClustersWithoutTheListOfTheirTemplates(t *testing.T) {
	sees := still()
	delete(sees, "/clustertemplates")
	f := fake(t, func(r *http.Request) (int, string) {
		if body, ok := sees[pathIn(r)]; ok {
			return http.StatusOK, body
		}
		return http.StatusNotFound, `{"itemNotFound": {"code": 404, "message": "There is none."}}`
	})
	f.services = []string{"compute", "network", "image", "volumev3", "container-infra"}
	_, err := driver.Collect(open(t, f.config()).Session.List(t.Context(), "cluster", driver.Filter{}))
	assert.ErrorContains(t, err, "There is none", "and not an empty list")
}

// asked leaves of a list what a query asks for by an id, and the shared ones if it wants those.
func asked(t *testing.T, body string, r *http.Request) string {
	t.Helper()
	var lists map[string][]json.RawMessage
	ids, query := r.URL.Query()["id"], r.URL.Query()
	if json.Unmarshal([]byte(body), &lists) != nil || len(ids) == 0 && !query.Has("device_id") && !query.Has("project_id") {
		return body
	}
	for key, all := range lists {
		lists[key] = slices.DeleteFunc(all, func(raw json.RawMessage) bool {
			var of struct {
				ID     string
				Device string `json:"device_id"`
				Tenant string `json:"tenant_id"`
			}
			_ = json.Unmarshal(raw, &of) // not everything has all of it
			return len(ids) > 0 && !slices.Contains(ids, of.ID) || query.Has("device_id") && !slices.Contains(query["device_id"], of.Device) || query.Has("project_id") && of.Tenant == "p-9" && key != "floatingips"
		})
	}
	left, err := json.Marshal(lists)
	require.NoError(t, err)
	return string(left)
}

// tried is what is tried of a kind; the actions are of the first of the ids.
type tried struct {
	kind  string
	ids   []string
	spec  string
	acts  []string
	views []string
}

func verbsTried() []tried {
	const label = `label {"set": {"stage": "test"}, "remove": ["team"]}`
	return []tried{
		{kind: "vpc", ids: []string{"n-1", "o-2"}, spec: `{"cidr": "10.0.0.0/16"}`, acts: []string{label}},
		{kind: "subnet", ids: []string{"s-1"}, spec: `{"vpc": "n-1", "cidr": "10.0.2.0/24"}`, acts: []string{label}},
		{
			kind: "securitygroup", ids: []string{"g-1"}, spec: `{"vpc": "n-1", "description": "why", "rules": [{"direction": "in", "protocol": "tcp", "fromPort": 80, "toPort": 80, "cidr": "0.0.0.0/0"}, {"direction": "out", "protocol": "udp", "fromPort": 53, "toPort": 53, "cidr": "0.0.0.0/0"}]}`,
			acts: []string{label, `addrules {"rules": [{"direction": "in", "protocol": "icmp", "cidr": "0.0.0.0/0"}]}`, `removerules {"rules": [{"direction": "in", "protocol": "tcp", "fromPort": 22, "toPort": 22, "cidr": "0.0.0.0/0"}]}`},
		},
		{kind: "keypair", ids: []string{"k"}, spec: `{"publicKey": "` + publicKey + `"}`},
		{
			kind: "vm", ids: []string{"v-1", "v-2"}, spec: `{"image": "img-1", "spec": "m1.small", "subnet": "s-1", "securityGroups": ["g-1"], "keypair": "k", "userData": "#!/bin/sh"}`,
			acts: []string{"start", "stop", "reboot", `resize {"spec": "m1.large"}`, `resize {"spec": "m1.small"}`, label}, views: []string{"password", "console"},
		},
		{kind: "disk", ids: []string{"d-1", "d-2"}, spec: `{"sizeGiB": 3, "type": "ssd"}`, acts: []string{`attach {"vm": "v-1"}`, "detach", `resize {"sizeGiB": 5}`, label}},
		{kind: "snapshot", ids: []string{"sn-1"}, spec: `{"disk": "d-1", "description": "why"}`, acts: []string{label}},
		{kind: "customimage", ids: []string{"img-2"}, spec: `{"vm": "v-1", "description": "why"}`, acts: []string{label}},
		{kind: "publicip", ids: []string{"f-1", "o-2"}, spec: `{}`, acts: []string{`associate {"vm": "v-1"}`, `associate {"nic": "i-1"}`, "disassociate", label}},
		{
			kind: "nic", ids: []string{"i-1"}, spec: `{"subnet": "s-1", "securityGroups": ["g-1"]}`,
			acts: []string{`attach {"vm": "v-1"}`, "detach", `addaddresses {"addresses": ["10.0.1.6", "10.0.1.7"]}`, `removeaddresses {"addresses": ["10.0.1.6", "10.0.1.5"]}`, `removeaddresses {"addresses": ["10.0.1.9"]}`, label},
		},
		{
			kind: "nlb", ids: []string{"b-1"}, spec: `{"vpc": "n-1", "protocol": "tcp", "port": 80, "targetPort": 80, "members": ["v-1"], "healthCheck": {"protocol": "tcp", "intervalSeconds": 10, "timeoutSeconds": 5, "threshold": 3}}`,
			acts: []string{
				`addmembers {"members": ["v-1"]}`, `removemembers {"members": ["v-1"]}`, `setlistener {"port": 8080}`, `setlistener {"protocol": "udp"}`, `settarget {"port": 80}`, `settarget {"port": 81}`,
				`sethealthcheck {"protocol": "http", "path": "/"}`, `sethealthcheck {"protocol": "tcp", "intervalSeconds": 20}`, `sethealthcheck {"protocol": "tcp", "port": 90}`, label,
			},
			views: []string{"health"},
		},
		{
			kind: "cluster", ids: []string{"c-1"}, spec: `{"vpc": "n-1", "subnets": ["s-1"], "version": "1.27.8", "nodeGroups": [{"name": "first", "spec": "m1.small", "desiredNodes": 1, "minNodes": 1, "maxNodes": 2}]}`,
			acts: []string{
				`addnodegroup {"name": "second", "spec": "m1.small", "desiredNodes": 1, "minNodes": 1, "maxNodes": 2, "autoscaling": true}`, `addnodegroup {"name": "first", "spec": "m1.small"}`, `removenodegroup {"name": "gone"}`, `removenodegroup {"name": "first"}`, `removenodegroup {"name": "none"}`,
				`scalenodegroup {"name": "first", "desiredNodes": 2}`, `scalenodegroup {"name": "first", "desiredNodes": 3, "maxNodes": 3}`, `scalenodegroup {"name": "first", "minNodes": 1, "maxNodes": 4}`, `upgrade {"version": "1.28.9"}`, `upgrade {"version": "1.27.8"}`,
			},
		},
	}
}
