package spider

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// NLBInfo is CB-Spider's load balancer.
type NLBInfo struct {
	IId           IID
	VpcIID        IID
	Type          string
	Scope         string
	Listener      ListenerInfo
	VMGroup       VMGroupInfo
	HealthChecker HealthCheckerInfo
	CreatedTime   time.Time
	TagList       []KeyValue `json:",omitempty"`
	KeyValueList  []KeyValue `json:",omitempty"`
}

// ListenerInfo is where it listens.
type ListenerInfo struct {
	Protocol string
	IP       string
	Port     string
	DNSName  string
	CspID    string `json:",omitempty"`
}

// VMGroupInfo is what it forwards to.
type VMGroupInfo struct {
	Protocol string
	Port     string
	VMs      []IID
	CspID    string `json:",omitempty"`
}

// HealthCheckerInfo is how it checks VMs.
type HealthCheckerInfo struct {
	Protocol  string
	Port      string
	Interval  int
	Timeout   int
	Threshold int
	CspID     string `json:",omitempty"`
}

type nlbRequest struct {
	named
	VPCName, Type, Scope text
	Listener             struct{ Protocol, Port text }
	VMGroup              struct {
		Protocol, Port text
		VMs            []text
	}
	HealthChecker healthCheckerRequest
}

type healthCheckerRequest struct{ Protocol, Port, Interval, Timeout, Threshold text }

func (h healthCheckerRequest) translate(at string, problems *[]resource.Problem) resource.HealthCheck {
	return resource.HealthCheck{
		Protocol: strings.ToLower(h.Protocol.chosen()), Port: number(at+"Port", h.Port, problems),
		IntervalSeconds: number(at+"Interval", h.Interval, problems), TimeoutSeconds: number(at+"Timeout", h.Timeout, problems),
		Threshold: number(at+"Threshold", h.Threshold, problems),
	}
}

// number reads a number for which -1 stands for the cloud's choice.
func number(field string, t text, problems *[]resource.Problem) int {
	if t == "-1" {
		return 0
	}
	return t.number(field, problems)
}

func nlb() *kind {
	k := &kind{
		of: resource.NLB.Kind, path: "nlb", envelope: "nlb", word: "nlb", title: "Network Load Balancer",
		fields: map[string]string{
			"vpc": "VPCName", "members": "VMs", "port": "Listener.Port", "targetPort": "VMGroup.Port", "healthCheck": "HealthChecker",
			"intervalSeconds": "Interval", "timeoutSeconds": "Timeout", "labels": "TagList",
		},
	}
	k.create = creates(k.of, func(t *translation, req nlbRequest) resource.NLBSpec {
		problems := &t.problems
		spec := resource.NLBSpec{
			VPC: t.ours(vpc(), "", req.VPCName), Protocol: oneOf("Listener.Protocol", string(req.Listener.Protocol), protocols(), problems),
			Port: port("Listener.Port", req.Listener.Port, problems), Members: t.allOurs(vm(), "", req.VMGroup.VMs),
			HealthCheck: req.HealthChecker.translate("HealthChecker.", problems),
		}
		if req.Type != "" {
			spec.Internal = oneOf("Type", string(req.Type), map[string]string{"public": "public", "internal": "internal"}, problems) == "internal"
		}
		if req.VMGroup.Port != "" {
			spec.TargetPort = port("VMGroup.Port", req.VMGroup.Port, problems)
		}
		return spec
	})
	k.info = nlbInfo
	vms := func(r *request) (any, error) {
		var req struct{ VMs []text }
		if err := r.decode(&req); err != nil {
			return nil, err
		}
		t, err := r.translation()
		if err != nil {
			return nil, err
		}
		return resource.MemberChange{Members: t.allOurs(vm(), "", req.VMs)}, t.done()
	}
	k.changes = []change{
		{method: http.MethodPost, path: "/vms", action: "addmembers", params: vms, info: true},
		{method: http.MethodDelete, path: "/vms", action: "removemembers", params: vms},
		{method: http.MethodPut, path: "/listener", action: "setlistener", info: true, params: func(r *request) (any, error) {
			var (
				req      struct{ Protocol, Port text }
				problems []resource.Problem
				to       resource.ListenerChange
			)
			if err := r.decode(&req); err != nil {
				return nil, err
			}
			if req.Protocol != "" {
				to.Protocol = oneOf("Protocol", string(req.Protocol), protocols(), &problems)
			}
			if req.Port != "" {
				to.Port = port("Port", req.Port, &problems)
			}
			return to, resource.Invalid(problems...)
		}},
		{method: http.MethodPut, path: "/vmgroup", action: "settarget", info: true, check: sameProtocol, params: func(r *request) (any, error) {
			var (
				req      struct{ Port text }
				problems []resource.Problem
			)
			if err := r.decode(&req); err != nil {
				return nil, err
			}
			if req.Port == "" {
				return nil, invalid("Port", "is empty!")
			}
			to := resource.TargetChange{Port: port("Port", req.Port, &problems)}
			return to, resource.Invalid(problems...)
		}},
		{method: http.MethodPut, path: "/healthchecker", action: "sethealthcheck", info: true, params: func(r *request) (any, error) {
			var (
				req      healthCheckerRequest
				problems []resource.Problem
			)
			if err := r.decode(&req); err != nil {
				return nil, err
			}
			check := req.translate("", &problems)
			return check, resource.Invalid(problems...)
		}},
	}
	return k
}

func protocols() map[string]string { return map[string]string{"tcp": "tcp", "udp": "udp"} }

// sameProtocol refuses another protocol between a load balancer and its VMs than the one
// that it listens to: no cloud translates.
func sameProtocol(r *request, found *resource.Resource) error {
	var req struct{ Protocol text }
	if err := r.decode(&req); err != nil {
		return err
	}
	if is := read[resource.NLBSpec](found.Effective).Protocol; req.Protocol != "" && !strings.EqualFold(string(req.Protocol), is) {
		return invalid("Protocol", "%q is not the protocol that the load balancer listens to, %s; change that with PUT /nlb/%s/listener", shorten(string(req.Protocol)), strings.ToUpper(is), url.PathEscape(called(found)))
	}
	return nil
}

func nlbInfo(v *view, r *resource.Resource, _ map[string]string) any {
	spec, status := read[resource.NLBSpec](r.Effective), read[resource.NLBStatus](r.Status)
	info := NLBInfo{
		IId: v.iidOf(r), VpcIID: v.iid(resource.VPC.Name, spec.VPC), Type: "PUBLIC", Scope: "REGION",
		Listener: ListenerInfo{Protocol: strings.ToUpper(spec.Protocol), IP: status.Address, Port: strconv.Itoa(spec.Port), DNSName: status.DNSName},
		VMGroup:  VMGroupInfo{Protocol: strings.ToUpper(spec.Protocol), Port: strconv.Itoa(spec.TargetPort), VMs: v.iids(resource.VM.Name, spec.Members)},
		HealthChecker: HealthCheckerInfo{
			Protocol: strings.ToUpper(spec.HealthCheck.Protocol), Port: strconv.Itoa(spec.HealthCheck.Port), Interval: spec.HealthCheck.IntervalSeconds,
			Timeout: spec.HealthCheck.TimeoutSeconds, Threshold: spec.HealthCheck.Threshold,
		},
		CreatedTime: r.CreatedAt, TagList: tags(r.Labels), KeyValueList: native(r),
	}
	if spec.Internal {
		info.Type = "INTERNAL"
	}
	return info
}

// HealthInfo is which VMs are healthy.
type HealthInfo struct{ AllVMs, HealthyVMs, UnHealthyVMs []IID }

func (k *kind) health(r *request) (any, error) {
	found, err := k.targeted(r)
	if err != nil {
		return nil, err
	}
	raw, err := r.server.Inventory.View(r.Context(), found.Connection, k.of.Name, found.Name, "health", nil)
	if err != nil {
		return nil, err
	}
	v := r.view(found.Connection)
	info := HealthInfo{AllVMs: []IID{}, HealthyVMs: []IID{}, UnHealthyVMs: []IID{}}
	for _, member := range read[resource.Health](raw).Members {
		id := v.iid(resource.VM.Name, member.VM)
		info.AllVMs = append(info.AllVMs, id)
		if member.State == "healthy" {
			info.HealthyVMs = append(info.HealthyVMs, id)
		} else {
			info.UnHealthyVMs = append(info.UnHealthyVMs, id)
		}
	}
	return map[string]any{"healthinfo": info}, v.err
}
