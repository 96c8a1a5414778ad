package resource

import (
	"cmp"
	"context"
	"strings"
)

// NLB is the kind of load balancers for TCP and UDP.
var NLB = define[NLBSpec, NLBStatus](Kind{
	Name:  "nlb",
	Title: "NLB",
	Doc:   "A network load balancer: it spreads the connections to one port over VMs that are healthy.",
	Actions: []Action{
		changes(actionWith(Action{Name: "addmembers", Doc: "Adds VMs; one that is a member already is left as it is.", From: []State{StateAvailable}}, MemberAdder.AddMembers),
			func(s *NLBSpec, c MemberChange) { s.Members = together(s.Members, c.Members) }),
		changes(actionWith(Action{Name: "removemembers", Doc: "Removes VMs; one that is no member is passed over.", From: []State{StateAvailable}}, MemberRemover.RemoveMembers),
			func(s *NLBSpec, c MemberChange) { s.Members = without(s.Members, c.Members) }),
		changes(actionWith(Action{Name: "setlistener", Doc: "Changes where it listens; the port of the members stays. Connections that are open may break.", From: []State{StateAvailable}}, ListenerSetter.SetListener), (*NLBSpec).setListener),
		changes(actionWith(Action{Name: "settarget", Doc: "Changes the port of the members. A health check of that port follows it. Connections that are open may break.", From: []State{StateAvailable}}, TargetSetter.SetTarget), (*NLBSpec).setTarget),
		changes(actionWith(Action{Name: "sethealthcheck", Doc: "Changes how members are checked.", From: []State{StateAvailable}}, HealthCheckSetter.SetHealthCheck), (*NLBSpec).setHealthCheck),
	},
	Views: []View{
		view(View{Name: "health", Doc: "Which members are healthy, as the cloud sees it now."}, HealthReader.Health),
	},
})

// MemberAdder is implemented by collections that add members to load balancers.
type MemberAdder interface {
	AddMembers(ctx context.Context, id string, change MemberChange) error
}

// MemberRemover is implemented by collections that remove members.
type MemberRemover interface {
	RemoveMembers(ctx context.Context, id string, change MemberChange) error
}

// ListenerSetter is implemented by collections that change where load balancers listen.
type ListenerSetter interface {
	SetListener(ctx context.Context, id string, to ListenerChange) error
}

// TargetSetter is implemented by collections that change the port of the members.
type TargetSetter interface {
	SetTarget(ctx context.Context, id string, to TargetChange) error
}

// HealthCheckSetter is implemented by collections that change health checks.
type HealthCheckSetter interface {
	SetHealthCheck(ctx context.Context, id string, to HealthCheck) error
}

// HealthReader is implemented by collections that know which members are healthy.
type HealthReader interface {
	Health(ctx context.Context, id string) (Health, error)
}

// NLBSpec is what a load balancer is asked to be.
type NLBSpec struct {
	VPC         string      `json:"vpc" doc:"Name of the VPC that its members are in." ref:"vpc" minLength:"1" maxLength:"512"`
	Subnets     []string    `json:"subnets,omitempty" doc:"Names of the subnets that it has its own addresses in, at most one of each zone. Default: the cloud's choice among those of the VPC." completed:"cloud" ref:"subnet" flag:"subnet" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	Internal    bool        `json:"internal,omitempty" doc:"Whether it can be reached only from inside the VPC. Default: it has a public address."`
	Protocol    string      `json:"protocol" doc:"Protocol that it listens to and forwards." enum:"tcp,udp"`
	Port        int         `json:"port" doc:"Port that it listens on, such as 80." minimum:"1" maximum:"65535"`
	TargetPort  int         `json:"targetPort,omitempty" doc:"Port of the members. Default: the port that it listens on." minimum:"1" maximum:"65535"`
	Members     []string    `json:"members" required:"false" doc:"Names of the VMs that it forwards to." ref:"vm,loose" flag:"member" maxItems:"100" minLength:"1" maxLength:"512" nullable:"false"`
	HealthCheck HealthCheck `json:"healthCheck,omitzero" doc:"How members are checked. Default: a TCP connection to the target port." flag:"health-check"`
}

// HealthCheck is how a load balancer finds out whether a member is healthy, and the
// parameter of sethealthcheck.
type HealthCheck struct {
	Protocol        string `json:"protocol,omitempty" doc:"tcp: a connection is enough; http and https: an answer with a status from 200 to 399. Default: tcp." enum:"tcp,http,https"`
	Port            int    `json:"port,omitempty" doc:"Port to check. Default: the target port." minimum:"1" maximum:"65535"`
	Path            string `json:"path,omitempty" doc:"Path to ask for, such as /healthz; only for http and https. Default: /." maxLength:"512"`
	IntervalSeconds int    `json:"intervalSeconds,omitempty" doc:"Seconds between two checks. Default: 10." minimum:"5" maximum:"300"`
	TimeoutSeconds  int    `json:"timeoutSeconds,omitempty" doc:"Seconds that a member has to answer, at most the interval. Default: 5, or the interval if that is shorter; where the cloud fixes it, its own." completed:"cloud" minimum:"2" maximum:"120"`
	Threshold       int    `json:"threshold,omitempty" doc:"Number of equal results in a row that change a member's health. Default: 3." minimum:"2" maximum:"10"`
}

// NLBStatus is what the cloud reports of a load balancer.
type NLBStatus struct {
	Address     string `json:"address,omitempty" address:"true" doc:"IPv4 address that it listens on, where it has a fixed one."`
	IPv6Address string `json:"ipv6Address,omitempty" address:"true" doc:"IPv6 address that it listens on, where it has a fixed one."`
	DNSName     string `json:"dnsName,omitempty" address:"true" doc:"Name to reach it by, where the cloud gives it one."`
	Listeners   []Part `json:"listeners,omitempty" doc:"What the cloud reports of what listens, with what stands behind it." part:"listener" nullable:"false"`
	Members     []Part `json:"members,omitempty" doc:"What the cloud reports of each member. Whether they are healthy the view health tells." part:"member" nullable:"false"`
}

// MemberChange is the parameter of the actions that change members.
type MemberChange struct {
	Members []string `json:"members" doc:"Names of the VMs." ref:"vm" flag:"member" minItems:"1" maxItems:"100" minLength:"1" maxLength:"512" nullable:"false"`
}

// ListenerChange is the parameter of setlistener.
type ListenerChange struct {
	Protocol string `json:"protocol,omitempty" doc:"Protocol that it listens to and forwards. Default: as before." enum:"tcp,udp"`
	Port     int    `json:"port,omitempty" doc:"Port that it listens on. Default: as before." minimum:"1" maximum:"65535"`
}

// TargetChange is the parameter of settarget.
type TargetChange struct {
	Port int `json:"port" doc:"Port of the members." minimum:"1" maximum:"65535"`
}

// Health is what the view health answers.
type Health struct {
	Members []MemberHealth `json:"members" doc:"One entry for each member." nullable:"false"`
}

// MemberHealth is the health of one member.
type MemberHealth struct {
	Group  string `json:"group,omitempty" doc:"Name of the group that it is a member of, where the load balancer has groups."`
	VM     string `json:"vm" doc:"The VM." ref:"vm"`
	State  string `json:"state" doc:"healthy; unhealthy; or unknown: not checked yet, or not to be told." enum:"healthy,unhealthy,unknown"`
	Reason string `json:"reason,omitempty" doc:"What the cloud says about it."`
}

// Problems implements the rules beyond the schema, and fills the defaults that are
// the same on every cloud.
func (s *NLBSpec) Problems(at string) []Problem {
	if s.Members == nil {
		s.Members = []string{}
	}
	if s.TargetPort == 0 {
		s.TargetPort = s.Port
	}
	problems := doubleNames(join(at, "subnets"), s.Subnets)
	problems = append(problems, doubleNames(join(at, "members"), s.Members)...)
	return append(problems, s.HealthCheck.complete(join(at, "healthCheck"), s.TargetPort)...)
}

// Problems implements the rules beyond the schema.
func (c *MemberChange) Problems(at string) []Problem {
	return doubleNames(join(at, "members"), c.Members)
}

// Problems implements the rules beyond the schema.
func (c *ListenerChange) Problems(at string) []Problem {
	if *c == (ListenerChange{}) {
		return []Problem{{Field: join(at, "port"), Message: "nothing is given; give a port, a protocol or both", Rule: RuleRequired}}
	}
	return nil
}

// Problems implements the rules beyond the schema of sethealthcheck. Without a port a
// driver takes the target port.
func (c *HealthCheck) Problems(at string) []Problem {
	if *c == (HealthCheck{}) {
		return []Problem{{Field: join(at, "protocol"), Message: "nothing is given; say how members are to be checked", Rule: RuleRequired}}
	}
	return c.complete(at, c.Port)
}

// complete fills the defaults and says what is wrong.
func (c *HealthCheck) complete(at string, port int) []Problem {
	var problems []Problem
	if c.Protocol == "" {
		c.Protocol = "tcp"
	}
	if c.Port == 0 {
		c.Port = port
	}
	if c.IntervalSeconds == 0 {
		c.IntervalSeconds = 10
	}
	if c.TimeoutSeconds == 0 {
		c.TimeoutSeconds = min(5, c.IntervalSeconds)
	}
	if c.Threshold == 0 {
		c.Threshold = 3
	}
	switch {
	case c.Protocol == "tcp" && c.Path != "":
		problems = append(problems, Problem{Field: join(at, "path"), Message: "is only for http and https; leave it out or choose another protocol"})
	case c.Protocol != "tcp" && c.Path == "":
		c.Path = "/"
	case c.Path != "" && !strings.HasPrefix(c.Path, "/"):
		problems = append(problems, Problem{Field: join(at, "path"), Message: "begins with a slash, such as /healthz", Rule: RuleFormat, Limit: "/healthz"})
	}
	if c.TimeoutSeconds > c.IntervalSeconds {
		problems = append(problems, Problem{Field: join(at, "timeoutSeconds"), Message: "is longer than the interval; make it shorter"})
	}
	return problems
}

func (s *NLBSpec) setListener(to ListenerChange) {
	s.Protocol, s.Port = cmp.Or(to.Protocol, s.Protocol), cmp.Or(to.Port, s.Port)
}

func (s *NLBSpec) setTarget(to TargetChange) {
	if s.HealthCheck.Port == s.TargetPort {
		s.HealthCheck.Port = to.Port
	}
	s.TargetPort = to.Port
}

func (s *NLBSpec) setHealthCheck(to HealthCheck) {
	s.HealthCheck = to
	s.HealthCheck.Port = cmp.Or(to.Port, s.TargetPort)
}

// ProblemsAgainst checks that the subnets are of the VPC, and that the internet reaches none
// that is private.
func (s *NLBSpec) ProblemsAgainst(find Find) []Problem {
	problems := vpcProblems(find, Subnet.Kind, "spec.subnets", s.Subnets, "the load balancer is to belong", s.VPC)
	return append(problems, reachedProblems(find, s.Subnets, s.Internal)...)
}
