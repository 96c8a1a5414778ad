package drivertest

import (
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource/resourcetest"
)

// What the suite knows of single kinds is data, and all of it is here.

// defaultSpecs are specifications that most clouds take.
func (t *Target) defaultSpecs() map[string]any {
	type object = map[string]any
	specs := map[string]any{
		"vpc":           object{"cidr": "10.0.0.0/16"},
		"subnet":        object{"vpc": "vpc", "cidr": "10.0.{n}.0/24"},
		"subnet:share":  object{"vpc": "vpc", "cidr": "10.0.224.0/20"},
		"subnet:nic":    object{"vpc": "vpc", "cidr": "10.0.240.0/20"}, // so large that 10.0.250.{n} stays free, in whatever order addresses are given
		"securitygroup": object{"vpc": "vpc", "rules": []object{{"direction": "in", "protocol": "tcp", "fromPort": 22, "toPort": 22, "cidr": "0.0.0.0/0"}}},
		"keypair":       object{"algorithm": "ed25519"},
		"disk":          object{"sizeGiB": 10},
		"snapshot":      object{"disk": "disk"},
		"customimage":   object{"vm": "vm"},
		"publicip":      object{},
		"nic":           object{"subnet": "subnet:nic", "securitygroups": []string{"securitygroup"}},
		"bucket":        object{},
		"queue":         object{},
		"fileshare":     object{"vpc": "vpc", "subnets": []string{"subnet"}, "securitygroups": []string{"securitygroup"}, "sizeGiB": 1024},
		"dbbackup":      object{"database": "database"},
		"nlb":           object{"vpc": "vpc", "subnets": []string{"subnet"}, "protocol": "tcp", "port": 80, "members": []string{"vm"}},

		// A subnet has one NAT gateway and one route table, and two VPCs have one peering.
		"vpc:peer":       object{"cidr": "10.{n}.0.0/16"},
		"vpc:routed":     object{"cidr": "10.240.0.0/16"},
		"subnet:private": object{"vpc": "vpc:routed", "cidr": "10.240.{n}.0/25", "private": true},
		"subnet:routed":  object{"vpc": "vpc:routed", "cidr": "10.240.{n}.128/25"},
		"natgateway":     object{"vpc": "vpc:routed", "subnets": []string{"subnet:private#{n}"}},
		"vpcpeering":     object{"vpc": "vpc:routed", "peer": "vpc:peer#{n}"},
		"vpngateway":     object{"vpc": "vpc:routed"},
		"vpnconnection":  object{"vpngateway": "vpngateway", "peerAddresses": []string{"198.51.100.{n}"}, "peerCidrs": []string{"192.168.{n}.0/24"}, "presharedKey": "Conformance.key.{n}"},
		"routetable":     object{"vpc": "vpc:routed", "subnets": []string{"subnet:routed#{n}"}, "routes": []object{{"cidr": "203.0.113.0/24", "natgateway": "natgateway"}}},
		"certificate":    certified("www.example.com"),
		"alb": object{
			"vpc": "vpc", "subnets": []string{"subnet"},
			"listeners": []object{
				{"port": 80, "protocol": "http", "redirectToHTTPS": true},
				{"port": 443, "protocol": "https", "certificate": "certificate", "group": "web", "rules": []object{{"hosts": []string{"www.example.com"}, "paths": []string{"/api/*"}, "group": "api"}}},
			},
			"groups": []object{{"name": "web", "port": 8080, "members": []string{"vm"}, "sticky": true}, {"name": "api", "port": 8081}},
		},
	}
	if t.Image != "" && t.Machine != "" {
		specs["vm"] = object{"image": t.Image, "spec": t.Machine, "subnet": "subnet", "securitygroups": []string{"securitygroup"}, "keypair": "keypair"}
		specs["cluster"] = object{
			"vpc": "vpc", "subnets": []string{"subnet"}, "securitygroups": []string{"securitygroup"},
			"nodeGroups": []object{{"name": "first", "spec": t.Machine, "keypair": "keypair"}},
		}
	}
	return specs
}

// certified is the specification of a certificate that signs itself.
func certified(host string) map[string]any {
	c := resourcetest.Certificate(host, 24*time.Hour, nil)
	return map[string]any{"certificate": c.Certificate, "privateKey": c.PrivateKey}
}

// defaultFilters are filters of feeds for what can be made.
func (t *Target) defaultFilters() map[string]any {
	filters := map[string]any{}
	if t.Specs["vm"] != nil {
		filters["metric"] = map[string]any{"vms": []string{"vm"}}
	}
	return filters
}

// defaultParams are parameters of actions and views that most clouds take.
func (t *Target) defaultParams() map[string]any {
	type object = map[string]any
	rule := object{"rules": []object{{"direction": "in", "protocol": "udp", "fromPort": 5000, "toPort": 5010, "cidr": "10.0.0.0/8"}}}
	params := map[string]any{
		"vpc/addcidr":               object{"cidr": "10.100.{n}.0/24"},
		"vpc/removecidr":            object{"cidr": "10.100.{n}.0/24"},
		"securitygroup/addrules":    rule,
		"securitygroup/removerules": rule,
		"vm/console":                object{"lines": 2},
		"disk/attach":               object{"vm": "vm"},
		"disk/resize":               object{"sizeGiB": 20},
		"publicip/associate":        object{"vm": "vm"},
		"nic/attach":                object{"vm": "vm"},
		"nic/addaddresses":          object{"addresses": []string{"10.0.250.{n}"}},
		"nic/removeaddresses":       object{"addresses": []string{"10.0.250.{n}"}},
		"nlb/addmembers":            object{"members": []string{"vm"}},
		"nlb/removemembers":         object{"members": []string{"vm"}},
		"nlb/setlistener":           object{"port": 8443},
		"nlb/settarget":             object{"port": 8081},
		"nlb/sethealthcheck":        object{"protocol": "http", "path": "/healthz", "intervalSeconds": 30},
		"natgateway/addsubnets":     object{"subnets": []string{"subnet:private#more-{n}"}},
		"natgateway/removesubnets":  object{"subnets": []string{"subnet:private#more-{n}"}},
		"routetable/addsubnets":     object{"subnets": []string{"subnet:routed#more-{n}"}},
		"routetable/removesubnets":  object{"subnets": []string{"subnet:routed#more-{n}"}},
		"routetable/setroutes":      object{"routes": []object{{"cidr": "198.18.{n}.0/24", "natgateway": "natgateway"}, {"cidr": "203.0.113.0/24", "natgateway": "natgateway"}}},
		"vpnconnection/setkey":      object{"presharedKey": "Conformance.other.{n}"},
		"certificate/replace":       certified("other.example.com"),
		"alb/addmembers":            object{"group": "web", "members": []string{"vm"}},
		"alb/removemembers":         object{"group": "web", "members": []string{"vm"}},
		"alb/setrouting": object{
			"listeners": []object{{"port": 8443, "protocol": "https", "certificate": "certificate", "group": "all"}},
			"groups":    []object{{"name": "all", "port": 8080, "members": []string{"vm"}}},
		},
		"cluster/removenodegroup": object{"name": "second"},
		"bucket/setversioning":    object{"versioning": true},
		"bucket/setpublic":        object{"public": true},
		"bucket/setcors":          object{"cors": []object{{"origins": []string{"https://www.example.com"}, "methods": []string{"GET"}}}},
		"bucket/setlifecycle":     object{"lifecycle": []object{{"prefix": "tmp/", "expireDays": 7}}},
		"cluster/scalenodegroup":  object{"name": "first", "desiredNodes": 2, "maxNodes": 3},
		"fileshare/resize":        object{"sizeGiB": 2048},
		"fileshare/addsubnets":    object{"subnets": []string{"subnet:share"}},
		"fileshare/removesubnets": object{"subnets": []string{"subnet:share"}},
		"database/resize":         object{"storageGiB": 100},
		"database/setpassword":    object{"adminPassword": "Written-anew-1"},
		"database/createdatabase": object{"name": "shop"},
		"database/dropdatabase":   object{"name": "shop"},
		"broker/resize":           object{"storageGiB": 100},
		"broker/setpassword":      object{"adminPassword": "Written-anew-1"},
	}
	if t.OtherMachine != "" {
		params["vm/resize"] = object{"spec": t.OtherMachine}
	}
	if t.Machine != "" {
		params["cluster/addnodegroup"] = object{"name": "second", "spec": t.Machine, "keypair": "keypair"}
	}
	return params
}

// invalidSpecs are changes to a good specification that every cloud refuses.
func invalidSpecs(kind string) map[string]map[string]any {
	return map[string]map[string]map[string]any{
		"subnet":  {"range-outside-of-vpc": {"cidr": "192.168.77.0/24"}},
		"vm":      {"unknown-image": {"image": "mcic-no-such-image"}, "unknown-machine": {"spec": "mcic-no-such-machine"}},
		"disk":    {"unknown-type": {"type": "mcic-no-such-type"}},
		"cluster": {"unknown-version": {"version": "0.1"}},
		"database": {
			"unknown-version": {"version": "0.1"}, "unknown-engine": {"engine": "mcic-no-such-engine"}, "unknown-machine": {"spec": "mcic-no-such-machine"},
		},
		"broker": {"unknown-version": {"version": "0.1"}, "unknown-machine": {"spec": "mcic-no-such-machine"}},
	}[kind]
}

// reaction is what an action needs before it and what shows that it worked.
type reaction struct {
	after string // action of the same kind that must have been done, with its own parameters
	shows func(before, after shown, params map[string]any) bool
	once  bool // whether doing it again may be refused
}

// shown is an object's JSON.
type shown map[string]any

// at is the value at a path of names, nil if there is none.
func (s shown) at(path ...string) any {
	var value any = map[string]any(s)
	for _, name := range path {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[name]
	}
	return value
}

// list is the list at a path.
func (s shown) list(path ...string) []any {
	items, _ := s.at(path...).([]any)
	return items
}

// reactionTo says what is known of an action, or of a view with parameters, beside what the kind's description
// says. An action that is not here is checked by the states of its description.
func reactionTo(action string) reaction {
	became := func(path ...string) func(shown, shown, map[string]any) bool {
		return func(_, after shown, params map[string]any) bool {
			return after.at(path...) != nil && after.at(path...) == params[path[len(path)-1]]
		}
	}
	empty := func(path ...string) func(shown, shown, map[string]any) bool {
		return func(_, after shown, _ map[string]any) bool {
			return after.at(path...) == nil || after.at(path...) == ""
		}
	}
	grew := func(by int, path ...string) func(shown, shown, map[string]any) bool {
		return func(before, after shown, _ map[string]any) bool {
			return len(after.list(path...)) == len(before.list(path...))+by
		}
	}
	return map[string]reaction{
		"vpc/addcidr":               {shows: grew(1, "status", "cidrs")},
		"vpc/removecidr":            {after: "addcidr", shows: grew(-1, "status", "cidrs")},
		"securitygroup/addrules":    {shows: grew(1, "spec", "rules")},
		"securitygroup/removerules": {after: "addrules", shows: grew(-1, "spec", "rules")},
		"vm/resize":                 {shows: became("spec", "spec")},
		"vm/console": {shows: func(_, after shown, params map[string]any) bool {
			text, _ := after.at("output").(string)
			return float64(len(strings.Split(strings.TrimSuffix(text, "\n"), "\n"))) <= params["lines"].(float64)
		}},
		"disk/attach":           {shows: became("status", "vm")},
		"disk/detach":           {after: "attach", shows: empty("status", "vm")},
		"disk/resize":           {shows: became("spec", "sizeGiB"), once: true},
		"publicip/associate":    {shows: became("status", "vm")},
		"publicip/disassociate": {after: "associate", shows: empty("status", "vm")},
		"nic/attach":            {shows: became("status", "vm")},
		"nic/detach":            {after: "attach", shows: empty("status", "vm")},
		"nic/addaddresses":      {shows: grew(1, "status", "secondaryAddresses")},
		"nic/removeaddresses":   {after: "addaddresses", shows: grew(-1, "status", "secondaryAddresses")},
		"nlb/addmembers":        {after: "removemembers", shows: grew(1, "spec", "members")},
		"nlb/removemembers":     {shows: grew(-1, "spec", "members")},
		"nlb/setlistener":       {shows: became("spec", "port")},
		"nlb/settarget": {shows: func(_, after shown, params map[string]any) bool {
			return after.at("spec", "targetPort") == params["port"]
		}},
		"nlb/sethealthcheck": {shows: func(_, after shown, params map[string]any) bool {
			return after.at("spec", "healthCheck", "path") == params["path"]
		}},
		"natgateway/addsubnets":    {shows: grew(1, "spec", "subnets")},
		"natgateway/removesubnets": {after: "addsubnets", shows: grew(-1, "spec", "subnets")},
		"routetable/addsubnets":    {shows: grew(1, "spec", "subnets")},
		"routetable/removesubnets": {after: "addsubnets", shows: grew(-1, "spec", "subnets")},
		"routetable/setroutes":     {shows: grew(1, "spec", "routes")},
		"certificate/replace": {shows: func(before, after shown, _ map[string]any) bool {
			return after.at("status", "fingerprint") != before.at("status", "fingerprint")
		}},
		"alb/addmembers":    {after: "removemembers", shows: grew(1, "status", "members")},
		"alb/removemembers": {shows: grew(-1, "status", "members")},
		"alb/setrouting": {shows: func(_, after shown, _ map[string]any) bool {
			return len(after.list("spec", "listeners")) == 1 && len(after.list("spec", "groups")) == 1
		}},
		"cluster/addnodegroup":    {shows: grew(1, "spec", "nodeGroups")},
		"cluster/removenodegroup": {after: "addnodegroup", shows: grew(-1, "spec", "nodeGroups")},
		"cluster/scalenodegroup": {shows: func(_, after shown, params map[string]any) bool {
			for _, group := range after.list("spec", "nodeGroups") {
				if g, ok := group.(map[string]any); ok && g["name"] == params["name"] {
					return g["desiredNodes"] == params["desiredNodes"]
				}
			}
			return false
		}},
		"cluster/upgrade":         {shows: became("status", "version"), once: true},
		"bucket/setversioning":    {shows: became("spec", "versioning")},
		"fileshare/resize":        {shows: became("spec", "sizeGiB"), once: true},
		"fileshare/addsubnets":    {shows: grew(1, "status", "mounts")},
		"fileshare/removesubnets": {after: "addsubnets", shows: grew(-1, "status", "mounts")},
		"database/resize":         {shows: became("spec", "storageGiB"), once: true},
		"database/upgrade":        {shows: became("spec", "version"), once: true},
		"database/dropdatabase":   {after: "createdatabase"},
		"broker/resize":           {shows: became("spec", "storageGiB"), once: true},
		"bucket/setpublic":        {shows: became("spec", "public")},
		"bucket/setcors":          {shows: func(_, after shown, _ map[string]any) bool { return len(after.list("spec", "cors")) == 1 }},
		"bucket/setlifecycle":     {shows: func(_, after shown, _ map[string]any) bool { return len(after.list("spec", "lifecycle")) == 1 }},
	}[action]
}

// mayLack are views whose answer may be not_found: what they show comes into being
// for some objects only.
func mayLack(view string) bool { return view == "vm/password" || view == "vm/console" }
