package resource

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ALB is the kind of load balancers for HTTP and HTTPS.
var ALB = define[ALBSpec, ALBStatus](Kind{
	Name:  "alb",
	Title: "ALB",
	Doc:   "An application load balancer: it spreads HTTP and HTTPS requests over groups of VMs, by their hosts and paths.",

	Patience: 2, // an application gateway of Azure takes long to begin with
	Actions: []Action{
		changes(actionWith(Action{Name: "setrouting", Doc: "Replaces listeners and groups as a whole. Connections that are open may break.", From: []State{StateAvailable}}, RoutingSetter.SetRouting),
			func(s *ALBSpec, to ALBRouting) { s.Listeners, s.Groups = to.Listeners, to.Groups }),
		changes(actionWith(Action{Name: "addmembers", Doc: "Adds VMs to a group; one that is a member of it already is left as it is.", From: []State{StateAvailable}}, GroupMemberAdder.AddMembers),
			func(s *ALBSpec, c GroupMembers) { s.changeMembers(c, together) }),
		changes(actionWith(Action{Name: "removemembers", Doc: "Removes VMs from a group; one that is no member of it is passed over.", From: []State{StateAvailable}}, GroupMemberRemover.RemoveMembers),
			func(s *ALBSpec, c GroupMembers) { s.changeMembers(c, without) }),
	},
	Views: []View{
		view(View{Name: "health", Doc: "Which members of which group are healthy, as the cloud sees it now."}, HealthReader.Health),
	},
})

// RoutingSetter is implemented by collections whose listeners and groups can be replaced.
type RoutingSetter interface {
	SetRouting(ctx context.Context, id string, to ALBRouting) error
}

// GroupMemberAdder is implemented by collections that add members to groups.
type GroupMemberAdder interface {
	AddMembers(ctx context.Context, id string, change GroupMembers) error
}

// GroupMemberRemover is implemented by collections that remove members from groups.
type GroupMemberRemover interface {
	RemoveMembers(ctx context.Context, id string, change GroupMembers) error
}

// ALBSpec is what an ALB is asked to be.
type ALBSpec struct {
	VPC            string        `json:"vpc" doc:"Name of the VPC that its members are in." ref:"vpc" minLength:"1" maxLength:"512"`
	Subnets        []string      `json:"subnets,omitempty" doc:"Names of the subnets that it has its own addresses in. AWS wants two in different zones, Azure one for nothing else. Default: the cloud's choice among those of the VPC." completed:"cloud" ref:"subnet" flag:"subnet" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	Internal       bool          `json:"internal,omitempty" doc:"Whether it can be reached only from inside the VPC. Default: it has a public address."`
	SecurityGroups []string      `json:"securitygroups,omitempty" doc:"Names of its security groups, where the cloud takes them. Default: one of its own that lets the ports of its listeners in, which goes with it." completed:"cloud" ref:"securitygroup" flag:"securitygroup" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	Listeners      []ALBListener `json:"listeners" doc:"What it listens to, and where requests go." minItems:"1" maxItems:"10" nullable:"false"`
	Groups         []ALBGroup    `json:"groups" doc:"The groups of VMs that requests go to." minItems:"1" maxItems:"20" nullable:"false"`
}

// ALBListener is a port that an ALB listens on.
type ALBListener struct {
	Port            int       `json:"port" doc:"Port that it listens on, such as 443. Each listener has its own." minimum:"1" maximum:"65535"`
	Protocol        string    `json:"protocol" doc:"Protocol that clients speak." enum:"http,https"`
	Certificate     string    `json:"certificate,omitempty" doc:"Name of the certificate that clients are shown. Required for https, and only for that." ref:"certificate" maxLength:"512"`
	RedirectToHTTPS bool      `json:"redirectToHTTPS,omitempty" doc:"Whether clients are sent to the same address by HTTPS instead: to the port of the first HTTPS listener. Only for http, and without rules and group. Default: false."`
	Rules           []ALBRule `json:"rules,omitempty" doc:"Which requests go elsewhere than to the group; the first that fits counts. Default: none." maxItems:"50" nullable:"false"`
	Group           string    `json:"group,omitempty" doc:"Name of the group that requests go to which fit no rule. Required, unless clients are redirected." maxLength:"32"`
}

// ALBRule sends some requests to a group. What rules can say is what the clouds have in common.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
// https://learn.microsoft.com/azure/application-gateway/url-route-overview
// https://cloud.google.com/load-balancing/docs/url-map-concepts
type ALBRule struct {
	Hosts []string `json:"hosts,omitempty" doc:"Hosts that requests are for, such as www.example.com, or *.example.com for all below. Default: all." maxItems:"5" minLength:"1" maxLength:"128" nullable:"false"`
	Paths []string `json:"paths,omitempty" doc:"Paths that requests are for, such as /healthz, or /api/* for all that begins with /api/. Default: all." maxItems:"5" minLength:"1" maxLength:"128" nullable:"false"`
	Group string   `json:"group" doc:"Name of the group that they go to." minLength:"1" maxLength:"32"`
}

// ALBGroup is a group of VMs that do the same.
type ALBGroup struct {
	Name        string      `json:"name" doc:"Name of the group, unique within the ALB: 1 to 20 lower-case letters, digits and hyphens, beginning with a letter." minLength:"1" maxLength:"20"`
	Protocol    string      `json:"protocol,omitempty" doc:"Protocol that its members speak. Default: http." enum:"http,https"`
	Port        int         `json:"port" doc:"Port of its members." minimum:"1" maximum:"65535"`
	Members     []string    `json:"members" required:"false" doc:"Names of the VMs." ref:"vm,loose" flag:"member" maxItems:"100" minLength:"1" maxLength:"512" nullable:"false"`
	HealthCheck HealthCheck `json:"healthCheck,omitzero" doc:"How members are checked: by http or https. Default: a GET of / by the group's protocol and port."`
	Sticky      bool        `json:"sticky,omitempty" doc:"Whether a client goes on with the member that it began with, by a cookie. Default: false."`
}

// ALBStatus is what the cloud reports of an ALB.
type ALBStatus struct {
	Address   string `json:"address,omitempty" address:"true" doc:"IPv4 address that it listens on, where it has a fixed one."`
	DNSName   string `json:"dnsName,omitempty" address:"true" doc:"Name to reach it by, where the cloud gives it one."`
	Listeners []Part `json:"listeners,omitempty" doc:"What the cloud reports of each listener, by protocol and port." part:"listener" nullable:"false"`
	Members   []Part `json:"members,omitempty" doc:"What the cloud reports of each member, by group and VM. Whether they are healthy the view health tells." part:"member" nullable:"false"`
}

// ALBRouting is the parameter of setrouting.
type ALBRouting struct {
	Listeners []ALBListener `json:"listeners" doc:"All that it is to listen to." minItems:"1" maxItems:"10" nullable:"false"`
	Groups    []ALBGroup    `json:"groups" doc:"All groups, with their members." minItems:"1" maxItems:"20" nullable:"false"`
}

// GroupMembers is the parameter of the actions that change members of a group.
type GroupMembers struct {
	Group   string   `json:"group" doc:"Name of the group." minLength:"1" maxLength:"32"`
	Members []string `json:"members" doc:"Names of the VMs." ref:"vm" flag:"member" minItems:"1" maxItems:"100" minLength:"1" maxLength:"512" nullable:"false"`
}

// Problems implements the rules beyond the schema, and fills the defaults that are the same on
// every cloud.
func (s *ALBSpec) Problems(at string) []Problem {
	problems := doubleNames(join(at, "subnets"), s.Subnets)
	problems = append(problems, doubleNames(join(at, "securitygroups"), s.SecurityGroups)...)
	return append(problems, routingProblems(at, s.Listeners, s.Groups)...)
}

// Problems implements the rules beyond the schema, and fills the defaults.
func (r *ALBRouting) Problems(at string) []Problem {
	return routingProblems(at, r.Listeners, r.Groups)
}

// Problems implements the rules beyond the schema.
func (c *GroupMembers) Problems(at string) []Problem {
	return doubleNames(join(at, "members"), c.Members)
}

// routingProblems checks listeners and groups, which it completes.
func routingProblems(at string, listeners []ALBListener, groups []ALBGroup) []Problem {
	var problems []Problem
	names := make([]string, len(groups))
	for i := range groups {
		names[i] = groups[i].Name
		problems = append(problems, groups[i].complete(fmt.Sprintf("%s[%d]", join(at, "groups"), i))...)
	}
	problems = append(problems, doubleNames(join(at, "groups"), names)...)
	secure := slices.ContainsFunc(listeners, func(l ALBListener) bool { return l.Protocol == "https" })
	for i, l := range listeners {
		field := fmt.Sprintf("%s[%d]", join(at, "listeners"), i)
		if before := slices.IndexFunc(listeners, func(other ALBListener) bool { return other.Port == l.Port }); before < i {
			problems = append(problems, Problem{Field: field + ".port", Message: fmt.Sprintf("listeners[%d] has the port %d already; choose another", before, l.Port), Rule: RuleDuplicate, Limit: fmt.Sprintf("listeners[%d]", before)})
		}
		problems = append(problems, l.problems(field, names, secure)...)
	}
	return problems
}

// problems checks one listener, given the names of the groups and whether another one speaks
// HTTPS.
func (l *ALBListener) problems(at string, groups []string, secure bool) []Problem {
	var problems []Problem
	wrong := func(when bool, field, message string, rule ProblemRule) {
		if when {
			problems = append(problems, Problem{Field: join(at, field), Message: message, Rule: rule})
		}
	}
	https := l.Protocol == "https"
	wrong(https && l.Certificate == "", "certificate", "is required for https: the certificate that clients are shown", RuleRequired)
	wrong(!https && l.Certificate != "", "certificate", "is only for https; leave it out or choose that protocol", "")
	wrong(l.RedirectToHTTPS && https, "redirectToHTTPS", "is only for http: this listener speaks https already", "")
	wrong(l.RedirectToHTTPS && !secure, "redirectToHTTPS", "there is no HTTPS listener to send clients to; add one", "")
	wrong(l.RedirectToHTTPS && l.Group != "", "group", "no request comes here, since clients are redirected; leave it out", "")
	wrong(l.RedirectToHTTPS && len(l.Rules) > 0, "rules", "no request comes here, since clients are redirected; leave them out", "")
	wrong(!l.RedirectToHTTPS && l.Group == "", "group", "is required: where requests go that fit no rule", RuleRequired)
	known := func(field, name string) {
		if name != "" && !slices.Contains(groups, name) {
			problems = append(problems, Problem{Field: field, Message: fmt.Sprintf("there is no group %q; the groups are: %s", printable(name), strings.Join(groups, ", ")), Rule: RuleMissing, Limit: "group " + printable(name)})
		}
	}
	known(join(at, "group"), l.Group)
	for i, r := range l.Rules {
		field := fmt.Sprintf("%s[%d]", join(at, "rules"), i)
		known(field+".group", r.Group)
		found := r.problems(field)
		if by := l.shadow(i); len(found) == 0 && by != "" {
			found = []Problem{{Field: field, Message: "no request ever comes to it, since all that it is for fits " + by + " before; put it first, or leave it out"}}
		}
		problems = append(problems, found...)
	}
	return problems
}

var (
	ruleHost = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	rulePath = regexp.MustCompile(`^/([A-Za-z0-9._~!$&'()+,;=:@%/-]*/)?([A-Za-z0-9._~!$&'()+,;=:@%-]*|\*)$`)
)

func (r *ALBRule) problems(at string) []Problem {
	if len(r.Hosts) == 0 && len(r.Paths) == 0 {
		return []Problem{{Field: join(at, "hosts"), Message: "fits every request; give hosts or paths, or have requests go to the listener's group", Rule: RuleRequired}}
	}
	problems := doubleNames(join(at, "hosts"), r.Hosts)
	for i, host := range r.Hosts {
		if !ruleHost.MatchString(host) {
			problems = append(problems, Problem{Field: fmt.Sprintf("%s[%d]", join(at, "hosts"), i), Message: fmt.Sprintf("%q is not a host in lower-case letters, such as www.example.com or *.example.com", printable(host)), Rule: RuleFormat, Limit: "www.example.com"})
		}
	}
	problems = append(problems, doubleNames(join(at, "paths"), r.Paths)...)
	for i, path := range r.Paths {
		if !rulePath.MatchString(path) {
			problems = append(problems, Problem{Field: fmt.Sprintf("%s[%d]", join(at, "paths"), i), Message: fmt.Sprintf("%q is not a path that begins with a slash, and has at most an asterisk after the last one, such as /api/*", printable(path)), Rule: RuleFormat, Limit: "/api/*"})
		}
	}
	return problems
}

// shadow names what comes before a rule and takes all requests that it is for, "" if some are
// left. Several rules together may do so.
func (l *ALBListener) shadow(i int) string {
	var by []string
	for _, host := range orAll(l.Rules[i].Hosts) {
		for _, path := range orAll(l.Rules[i].Paths) {
			before := slices.IndexFunc(l.Rules[:i], func(r ALBRule) bool {
				return slices.ContainsFunc(orAll(r.Hosts), func(h string) bool { return coversHost(h, host) }) &&
					slices.ContainsFunc(orAll(r.Paths), func(p string) bool { return coversPath(p, path) })
			})
			if before < 0 {
				return ""
			}
			by = together(by, []string{fmt.Sprintf("rules[%d]", before)})
		}
	}
	return strings.Join(by, " and ")
}

// orAll are the patterns, or one that everything fits.
func orAll(patterns []string) []string {
	if len(patterns) == 0 {
		return []string{"*"}
	}
	return patterns
}

// coversHost reports whether all hosts that fit one pattern fit another.
func coversHost(wide, narrow string) bool {
	below, wild := strings.CutPrefix(wide, "*")
	return wide == narrow || wild && strings.HasSuffix(narrow, below)
}

// coversPath reports the same of paths.
func coversPath(wide, narrow string) bool {
	below, wild := strings.CutSuffix(wide, "*")
	return wide == narrow || wild && (strings.HasPrefix(narrow, below) || below == "/" && narrow == "*")
}

// complete fills the defaults of a group and says what is wrong.
func (g *ALBGroup) complete(at string) []Problem {
	problems := groupNameProblems(join(at, "name"), g.Name)
	if g.Members == nil {
		g.Members = []string{}
	}
	problems = append(problems, doubleNames(join(at, "members"), g.Members)...)
	g.Protocol = cmp.Or(g.Protocol, "http")
	if g.HealthCheck.Protocol = cmp.Or(g.HealthCheck.Protocol, g.Protocol); g.HealthCheck.Protocol == "tcp" {
		return append(problems, Problem{Field: join(at, "healthCheck.protocol"), Message: "an ALB checks members by http or https; choose one of them", Rule: RuleEnum, Limit: "http,https"})
	}
	return append(problems, g.HealthCheck.complete(join(at, "healthCheck"), g.Port)...)
}

// changeMembers changes the members of a group.
func (s *ALBSpec) changeMembers(c GroupMembers, change func(members, of []string) []string) {
	for i := range s.Groups {
		if g := &s.Groups[i]; g.Name == c.Group {
			g.Members = change(g.Members, c.Members)
		}
	}
}

// ProblemsAgainst checks that subnets and security groups are of the VPC, and that the internet
// reaches none that is private.
func (s *ALBSpec) ProblemsAgainst(find Find) []Problem {
	const who = "the load balancer is to belong"
	problems := vpcProblems(find, Subnet.Kind, "spec.subnets", s.Subnets, who, s.VPC)
	problems = append(problems, vpcProblems(find, SecurityGroup.Kind, "spec.securitygroups", s.SecurityGroups, who, s.VPC)...)
	return append(problems, reachedProblems(find, s.Subnets, s.Internal)...)
}
