package openstack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// changes are the calls of a fake cloud that were no looks, in order.
type changes struct {
	t    *testing.T
	seen []string
	sent []string
}

// note keeps a call, and answers whether it was a change.
func (c *changes) note(r *http.Request) bool {
	if r.Method == http.MethodGet {
		return false
	}
	body, err := io.ReadAll(r.Body)
	assert.NoError(c.t, err)
	c.seen = append(c.seen, r.Method+" "+r.URL.Path[strings.LastIndex(r.URL.Path, "/v2.0")+1:])
	c.sent = append(c.sent, string(body))
	return true
}

// step makes a call of an action, and answers what it waits for.
func step(t *testing.T, s driver.Session, kind, id, action, params string) string {
	t.Helper()
	pending, err := s.Act(driver.WithOperation(t.Context(), "op-1"), kind, id, action, []byte(params))
	require.NoError(t, err)
	if pending == nil {
		return ""
	}
	return pending.Reason
}

// A listener on another port: whatever process makes the next call goes on from what the
// cloud shows.
func TestListenerIsReplacedStepByStep(t *testing.T) {
	const old = `{"id": "l-1", "name": "x", "protocol": "TCP", "protocol_port": 80, "default_pool_id": "pool-1", "tags": []}`
	listeners, locked := []string{old}, false
	c := &changes{t: t}
	f := fake(t, func(r *http.Request) (int, string) {
		switch {
		case r.Method == http.MethodGet:
			assert.Equal(t, "b-1", r.URL.Query().Get("loadbalancer_id"))
			return http.StatusOK, `{"listeners": [` + strings.Join(listeners, ",") + `]}`
		case locked:
			return http.StatusConflict, `{"faultcode": "Client", "faultstring": "Load Balancer b-1 is immutable and cannot be updated.", "debuginfo": null}`
		}
		c.note(r)
		if locked = true; r.Method == http.MethodPost {
			listeners = append(listeners, `{"id": "l-2", "name": "x", "protocol": "TCP", "protocol_port": 8443, "default_pool_id": "pool-1", "tags": ["mcic-replaces=l-1"]}`)
			return http.StatusCreated, `{"listener": {"id": "l-2"}}`
		}
		listeners = listeners[1:]
		return http.StatusNoContent, ""
	})
	f.services = append(f.services, "load-balancer")
	const to = `{"port": 8443}`
	assert.Contains(t, step(t, open(t, f.config()).Session, "nlb", "b-1", "setlistener", to), "the old one goes next")
	require.Len(t, c.sent, 1)
	assert.Contains(t, c.sent[0], `"default_pool_id":"pool-1"`)
	assert.Contains(t, step(t, open(t, f.config()).Session, "nlb", "b-1", "setlistener", to), "immutable", "Octavia is at work")
	locked = false
	assert.Empty(t, step(t, open(t, f.config()).Session, "nlb", "b-1", "setlistener", to))
	locked = false
	assert.Empty(t, step(t, open(t, f.config()).Session, "nlb", "b-1", "setlistener", to), "again")
	assert.Equal(t, []string{"POST v2.0/lbaas/listeners", "DELETE v2.0/lbaas/listeners/l-1"}, c.seen)
}

// The port of the members is changed after that of the next ones, and what else they are
// stays.
func TestTargetIsChangedStepByStep(t *testing.T) {
	tag := "mcic-target=80"
	c := &changes{t: t}
	f := fake(t, func(r *http.Request) (int, string) {
		switch {
		case c.note(r):
			if tag = "mcic-target=8081"; strings.HasSuffix(r.URL.Path, "/members") {
				return http.StatusAccepted, ""
			}
			return http.StatusOK, `{"pool": {"id": "pool-1"}}`
		case strings.HasSuffix(r.URL.Path, "/members"):
			return http.StatusOK, `{"members": [{"id": "m", "name": "vm-1", "address": "10.0.0.5", "protocol_port": 80, "subnet_id": "s", "weight": 7, "monitor_port": 9090}]}`
		}
		return http.StatusOK, `{"pools": [{"id": "pool-1", "protocol": "TCP", "tags": ["` + tag + `"], "listeners": [{"id": "l-1"}]}]}`
	})
	f.services = append(f.services, "load-balancer")
	s := open(t, f.config())
	assert.Contains(t, step(t, s.Session, "nlb", "b-1", "settarget", `{"port": 8081}`), "its members follow")
	assert.Empty(t, step(t, s.Session, "nlb", "b-1", "settarget", `{"port": 8081}`))
	assert.Equal(t, []string{"PUT v2.0/lbaas/pools/pool-1", "PUT v2.0/lbaas/pools/pool-1/members"}, c.seen)
	assert.JSONEq(t, `{"members": [{"name": "vm-1", "address": "10.0.0.5", "protocol_port": 8081, "subnet_id": "s", "weight": 7, "monitor_port": 9090}]}`, c.sent[1])
}

// Octavia removes a monitor in its own time: it may be gone between the look at it and its
// removal, which is no failure.
func TestMonitorThatGoesMeanwhileIsReplaced(t *testing.T) {
	const monitor = `{"healthmonitor": {"id": "m-1", "type": "TCP", "delay": 10, "timeout": 5, "max_retries": 3}}`
	on := `"healthmonitor_id": "m-1",`
	c := &changes{t: t}
	f := fake(t, func(r *http.Request) (int, string) {
		switch noted := c.note(r); {
		case r.Method == http.MethodDelete:
			on = ""
			return http.StatusNotFound, `{"faultcode": "Client", "faultstring": "Health Monitor m-1 not found.", "debuginfo": null}`
		case noted:
			return http.StatusCreated, monitor
		case strings.HasSuffix(r.URL.Path, "/members"):
			return http.StatusOK, `{"members": []}`
		case strings.HasSuffix(r.URL.Path, "/healthmonitors/m-1"):
			return http.StatusOK, monitor
		}
		return http.StatusOK, `{"pools": [{"id": "pool-1", "protocol": "TCP", "tags": [], ` + on + ` "listeners": [{"id": "l-1"}]}]}`
	})
	f.services = append(f.services, "load-balancer")
	s := open(t, f.config())
	const to = `{"protocol": "http", "path": "/healthz"}`
	assert.Contains(t, step(t, s.Session, "nlb", "b-1", "sethealthcheck", to), "one of the type HTTP follows")
	assert.Empty(t, step(t, s.Session, "nlb", "b-1", "sethealthcheck", to))
	assert.Equal(t, []string{"DELETE v2.0/lbaas/healthmonitors/m-1", "POST v2.0/lbaas/healthmonitors"}, c.seen)
}

// A load balancer gets its address when it is there, by one call, and only one.
func TestAddressOfALoadBalancerFollowsIt(t *testing.T) {
	status, addresses := "", ""
	c := &changes{t: t}
	f := fake(t, func(r *http.Request) (int, string) {
		switch changed := c.note(r); {
		case changed && strings.HasSuffix(r.URL.Path, "/floatingips"):
			addresses = `{"id": "f-1", "floating_ip_address": "203.0.113.7", "port_id": "vip-1", "project_id": "p-1", "description": "[mcic-uid=t-1 of=nlb]"}`
			return http.StatusCreated, `{"floatingip": ` + addresses + `}`
		case changed:
			status = "PENDING_CREATE"
			return http.StatusCreated, `{"loadbalancer": {"id": "b-1"}}`
		case strings.HasSuffix(r.URL.Path, "/loadbalancers") && status != "":
			return http.StatusOK, fmt.Sprintf(`{"loadbalancers": [{"id": "b-1", "name": "x", "provisioning_status": %q, "vip_port_id": "vip-1", "vip_address": "10.0.0.9", "vip_subnet_id": "s-1", "tags": ["mcic-uid=t-1"]}]}`, status)
		case strings.HasSuffix(r.URL.Path, "/floatingips"):
			assert.Equal(t, "[mcic-uid=t-1 of=nlb]", r.URL.Query().Get("description"))
			return http.StatusOK, `{"floatingips": [` + addresses + `]}`
		}
		return http.StatusOK, `{"loadbalancers": [], "networks": [{"id": "public"}]}`
	})
	f.services = append(f.services, "load-balancer")
	s := open(t, f.config()).Session
	r := driver.ItemRequest{Token: "t-1", Name: "x"}
	var err error
	r.Spec, err = json.Marshal(resource.NLBSpec{VPC: "n-1", Protocol: "tcp", Port: 80, TargetPort: 80})
	require.NoError(t, err)
	create := func() (driver.Item, string) {
		item, pending, err := s.Create(t.Context(), "nlb", r)
		require.NoError(t, err)
		r.ID = item.ID
		if pending == nil {
			return item, ""
		}
		return item, pending.Reason
	}
	_, reason := create()
	assert.NotEmpty(t, reason)
	assert.Equal(t, "b-1", r.ID)
	before := len(f.asked)
	_, reason = create()
	assert.Contains(t, reason, "its address follows")
	assert.Len(t, f.asked, before+1, "one call to see how far it is")
	status = "ACTIVE"
	for range 2 { // and once more, with the same token
		item, reason := create()
		assert.Empty(t, reason)
		assert.Contains(t, string(item.Status), "203.0.113.7")
		assert.Contains(t, string(item.Spec), `"s-1"`, "the subnet that Octavia chose")
	}
	assert.Equal(t, []string{"POST v2.0/lbaas/loadbalancers", "POST v2.0/floatingips"}, c.seen)
	assert.Contains(t, c.sent[1], `"port_id":"vip-1"`)
}

// A resize is confirmed when it is done; one that no host has room for fails with that, and
// not the next one.
func TestResizeStepByStep(t *testing.T) {
	const small, large = "m1.small", "m1.large"
	flavor, status, task, tags := small, "SHUTOFF", "", `["mcic-uid=t-1", "mcic-resize=op-0"]`
	c := &changes{t: t}
	f := fake(t, func(r *http.Request) (int, string) {
		switch {
		case c.note(r):
			if strings.HasSuffix(r.URL.Path, "/tags") {
				tags = `["mcic-uid=t-1", "mcic-resize=op-1"]`
			} else if strings.Contains(c.sent[len(c.sent)-1], `"resize"`) {
				task = "resize_prep"
			}
			return http.StatusAccepted, `{}`
		case strings.HasSuffix(r.URL.Path, "/flavors/detail"):
			return http.StatusOK, `{"flavors": [{"id": "f-2", "name": "` + large + `"}]}`
		}
		return http.StatusOK, fmt.Sprintf(`{"server": {"id": "s-1", "status": %q, "OS-EXT-STS:task_state": %q, "flavor": {"original_name": %q}, "tags": %s}}`, status, task, flavor, tags)
	})
	s := open(t, f.config()).Session
	const to = `{"spec": "m1.large"}`
	assert.NotEmpty(t, step(t, s, "vm", "s-1", "resize", to))
	assert.Contains(t, c.sent[1], "mcic-uid=t-1", "the other tags stay")
	assert.NotContains(t, c.sent[1], "op-0")
	assert.Contains(t, step(t, s, "vm", "s-1", "resize", to), "resize_prep")

	task = "" // as before
	_, err := s.Act(driver.WithOperation(t.Context(), "op-1"), "vm", "s-1", "resize", []byte(to))
	assert.Equal(t, resource.CodeCapacity, resource.CodeOf(err), "%v", err)
	pending, err := s.Act(driver.WithOperation(t.Context(), "op-2"), "vm", "s-1", "resize", []byte(to))
	require.NoError(t, err)
	assert.NotNil(t, pending, "another change asks again")

	flavor, status, task = large, "VERIFY_RESIZE", ""
	assert.Empty(t, step(t, s, "vm", "s-1", "resize", to))
	assert.Contains(t, c.sent[len(c.sent)-1], "confirmResize")
	status = "SHUTOFF"
	assert.Empty(t, step(t, s, "vm", "s-1", "resize", to), "again")
	assert.Len(t, c.seen, 5)
}

// Of two servers of one token, the later one goes with its own port alone.
func TestSurplusServerLeavesTheOthersPort(t *testing.T) {
	gone := ""
	c := &changes{t: t}
	f := fake(t, func(r *http.Request) (int, string) {
		server := func(n string) string {
			return fmt.Sprintf(`{"id": "s-%s", "name": "x", "status": "BUILD", "created": "2026-11-25T01:00:0%sZ", "tags": ["mcic-uid=t-1", "mcic-port=p-%s"]}`, n, n, n)
		}
		switch {
		case c.note(r):
			gone += r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:] + " "
			return http.StatusNoContent, ""
		case strings.HasSuffix(r.URL.Path, "/servers/s-2"):
			return http.StatusOK, `{"server": ` + server("2") + `}`
		case strings.HasSuffix(r.URL.Path, "/servers/detail"):
			assert.Equal(t, "mcic-uid=t-1", r.URL.Query().Get("tags"))
			return http.StatusOK, `{"servers": [` + server("2") + "," + server("1") + `]}`
		}
		return http.StatusOK, `{"ports": []}`
	})
	item, err := tryCreate(t, open(t, f.config()), resource.VM, "t-1", "x", nil, resource.VMSpec{})
	require.NoError(t, err)
	assert.Equal(t, "s-1", item.ID)
	assert.Equal(t, "p-2 s-2 ", gone)
}

// What Nova writes of an image while it makes it would take its labels away.
func TestImageIsLabelledWhenItIsThere(t *testing.T) {
	status := "saving"
	c := &changes{t: t}
	f := fake(t, func(r *http.Request) (int, string) {
		if c.note(r) {
			return http.StatusOK, `{}`
		}
		return http.StatusOK, fmt.Sprintf(`{"images": [{"id": "i-1", "name": "x", "status": %q, "mcic_uid": "t-1", "tags": []}]}`, status)
	})
	s := open(t, f.config()).Session
	r := driver.ItemRequest{Token: "t-1", Name: "x", Labels: map[string]string{"team": "infra"}, Spec: []byte(`{"vm": "s-1"}`)}
	item, pending, err := s.Create(t.Context(), "customimage", r)
	require.NoError(t, err)
	require.NotNil(t, pending)
	assert.Equal(t, "i-1", item.ID)
	assert.Empty(t, c.seen)
	status = "active"
	item, pending, err = s.Create(t.Context(), "customimage", r)
	require.NoError(t, err)
	assert.Nil(t, pending)
	assert.Equal(t, r.Labels, item.Labels)
	require.Len(t, c.sent, 1)
	assert.Contains(t, c.sent[0], "team=infra")
}

// What Nova has not begun with may be another process's, which removes it when Nova refuses it:
// then the image that is made in its stead is the one.
func TestImageThatNovaHasNotBegunIsNotTheOneYet(t *testing.T) {
	shown := `{"id": "doomed", "name": "x", "status": "queued", "mcic_uid": "t-1"}`
	f := fake(t, func(*http.Request) (int, string) { return http.StatusOK, `{"images": [` + shown + `]}` })
	s := open(t, f.config()).Session
	r := driver.ItemRequest{Token: "t-1", Name: "x", Spec: []byte(`{"vm": "s-1"}`)}
	item, pending, err := s.Create(t.Context(), "customimage", r)
	require.NoError(t, err)
	require.NotNil(t, pending)
	assert.Equal(t, "doomed", item.ID)
	r = r.Again(item.ID, pending)
	shown = ""
	item, pending, err = s.Create(t.Context(), "customimage", r)
	require.NoError(t, err)
	require.NotNil(t, pending)
	assert.Empty(t, item.ID)
	shown = `{"id": "i-2", "name": "x", "status": "saving", "mcic_uid": "t-1"}`
	item, pending, err = s.Create(t.Context(), "customimage", r)
	require.NoError(t, err)
	assert.Nil(t, pending)
	assert.Equal(t, "i-2", item.ID)
}

// Nova answers 500 for an image of a server that it makes another one of just then, and leaves
// what it had begun. Only that is removed: the other one may have the same token.
func TestImageThatNovaCouldNotBeginIsRemoved(t *testing.T) {
	images := map[string]string{"other": `{"id": "other", "status": "queued", "mcic_uid": "t-1", "mcic_attempt": "of-another-process"}`}
	shown := func(has string) (int, string) {
		var all []string
		for _, id := range slices.Backward(slices.Sorted(maps.Keys(images))) { // as Glance does within one second
			if strings.Contains(images[id], has) {
				all = append(all, images[id])
			}
		}
		return http.StatusOK, `{"images": [` + strings.Join(all, ",") + `]}`
	}
	made := false
	f := fake(t, func(r *http.Request) (int, string) {
		id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		switch {
		case strings.HasSuffix(r.URL.Path, "/action"):
			var asked struct {
				CreateImage struct {
					Metadata map[string]string `json:"metadata"`
				} `json:"createImage"`
			}
			assert.NoError(t, json.NewDecoder(r.Body).Decode(&asked))
			images["left"] = fmt.Sprintf(`{"id": "left", "status": "queued", "mcic_uid": "t-1", "mcic_attempt": %q}`, asked.CreateImage.Metadata["mcic_attempt"])
			made = true
			return http.StatusInternalServerError, `{"computeFault": {"code": 500, "message": "Unexpected API Error."}}`
		case r.Method == http.MethodDelete:
			delete(images, id)
			return http.StatusNoContent, ""
		case id != "images":
			return http.StatusOK, images[id]
		case r.URL.Query().Has("mcic_attempt"):
			return shown(r.URL.Query().Get("mcic_attempt"))
		case made:
			return shown("")
		}
		return http.StatusOK, `{"images": []}`
	})
	_, err := tryCreate(t, open(t, f.config()), resource.CustomImage, "t-1", "x", nil, resource.CustomImageSpec{VM: "vm-1"})
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
	assert.Equal(t, []string{"other"}, slices.Collect(maps.Keys(images)))
}
