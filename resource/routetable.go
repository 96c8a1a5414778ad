package resource

import (
	"context"
	"fmt"
	"slices"
)

// RouteTable is the kind of routes of subnets.
var RouteTable = define[RouteTableSpec, RouteTableStatus](Kind{
	Name:  "routetable",
	Title: "Route table",
	Doc:   "Routes of subnets beyond those that follow from the VPC, NAT gateways, peerings and VPNs.",
	Actions: []Action{
		changes(actionWith(Action{Name: "setroutes", Doc: "Replaces the routes as a whole. Connections that are open may break.", From: []State{StateAvailable}}, RouteSetter.SetRoutes),
			func(s *RouteTableSpec, to Routes) { s.Routes = to.Routes }),
		changes(actionWith(Action{Name: "addsubnets", Doc: "Has the routes hold for more subnets; one that they hold for already is left as it is.", From: []State{StateAvailable}}, SubnetAdder.AddSubnets),
			func(s *RouteTableSpec, c SubnetChange) { s.Subnets = together(s.Subnets, c.Subnets) }),
		changes(actionWith(Action{Name: "removesubnets", Doc: "Gives subnets back the routes of the VPC; one that the routes do not hold for is passed over.", From: []State{StateAvailable}}, SubnetRemover.RemoveSubnets),
			func(s *RouteTableSpec, c SubnetChange) { s.Subnets = without(s.Subnets, c.Subnets) }),
	},
})

// RouteSetter is implemented by collections whose routes can be replaced.
type RouteSetter interface {
	SetRoutes(ctx context.Context, id string, to Routes) error
}

// RouteTableSpec is what a route table is asked to be.
type RouteTableSpec struct {
	VPC     string   `json:"vpc" doc:"Name of the VPC that its subnets are in." ref:"vpc" minLength:"1" maxLength:"512"`
	Subnets []string `json:"subnets" required:"false" doc:"Names of the subnets that the routes hold for. A subnet has one route table at most." ref:"subnet" flag:"subnet" maxItems:"64" minLength:"1" maxLength:"512" nullable:"false"`
	Routes  []Route  `json:"routes" required:"false" doc:"The routes. Of several that fit an address the narrowest range counts." flag:"route" maxItems:"50" nullable:"false"`
}

// RouteTableStatus is what the cloud reports of a route table.
type RouteTableStatus struct{}

// Route says where packets go that are for a range.
type Route struct {
	CIDR       string `json:"cidr" doc:"IPv4 range that packets are for, such as 192.168.0.0/16, or 0.0.0.0/0 for all that is not routed otherwise." maxLength:"18"`
	NATGateway string `json:"natgateway,omitempty" doc:"Name of the NAT gateway that they go to. Give exactly one of natgateway, vpcpeering, vpngateway, nic and address." ref:"natgateway" maxLength:"512"`
	VPCPeering string `json:"vpcpeering,omitempty" doc:"Name of the VPC peering that they go through." ref:"vpcpeering" maxLength:"512"`
	VPNGateway string `json:"vpngateway,omitempty" doc:"Name of the VPN gateway that they go to." ref:"vpngateway" maxLength:"512"`
	NIC        string `json:"nic,omitempty" doc:"Name of the network interface that they go to, of a VM that routes." ref:"nic" maxLength:"512"`
	Address    string `json:"address,omitempty" doc:"IPv4 address in the VPC that they go to, where the cloud takes one; AWS takes a nic." maxLength:"15"`
}

// Routes is the parameter of setroutes.
type Routes struct {
	Routes []Route `json:"routes" doc:"All routes; none ends them." flag:"route" maxItems:"50" nullable:"false"`
}

// Problems implements the rules beyond the schema.
func (s *RouteTableSpec) Problems(at string) []Problem {
	if s.Subnets == nil {
		s.Subnets = []string{}
	}
	if s.Routes == nil {
		s.Routes = []Route{}
	}
	return append(doubleNames(join(at, "subnets"), s.Subnets), routeProblems(join(at, "routes"), s.Routes)...)
}

// Problems implements the rules beyond the schema.
func (r *Routes) Problems(at string) []Problem {
	return routeProblems(join(at, "routes"), r.Routes)
}

func routeProblems(at string, routes []Route) []Problem {
	var problems []Problem
	for i, r := range routes {
		field := fmt.Sprintf("%s[%d]", at, i)
		problems = append(problems, rangeProblems(field+".cidr", r.CIDR)...)
		if before := slices.IndexFunc(routes, func(other Route) bool { return other.CIDR == r.CIDR }); before < i {
			problems = append(problems, Problem{Field: field + ".cidr", Message: fmt.Sprintf("%s is routed by routes[%d] already; leave one out", printable(r.CIDR), before), Rule: RuleDuplicate, Limit: fmt.Sprintf("routes[%d]", before)})
		}
		targets := without([]string{r.NATGateway, r.VPCPeering, r.VPNGateway, r.NIC, r.Address}, []string{""})
		if len(targets) != 1 {
			problems = append(problems, Problem{Field: field, Message: fmt.Sprintf("has %d targets; give exactly one of natgateway, vpcpeering, vpngateway, nic and address", len(targets))})
		}
		if r.Address != "" {
			problems = append(problems, addressProblems(field+".address", r.Address)...)
		}
	}
	return problems
}

// ProblemsAgainst checks that subnets and targets are of the VPC.
func (s *RouteTableSpec) ProblemsAgainst(find Find) []Problem {
	const who = "the route table is to belong"
	problems := vpcProblems(find, Subnet.Kind, "spec.subnets", s.Subnets, who, s.VPC)
	for i, r := range s.Routes {
		field := fmt.Sprintf("spec.routes[%d]", i)
		problems = append(problems, vpcProblem(find, NATGateway.Kind, field+".natgateway", r.NATGateway, who, s.VPC)...)
		problems = append(problems, vpcProblem(find, VPNGateway.Kind, field+".vpngateway", r.VPNGateway, who, s.VPC)...)
		var peering VPCPeeringSpec
		if findSpec(find, VPCPeering.Kind, r.VPCPeering, &peering) && !slices.Contains([]string{peering.VPC, peering.Peer}, s.VPC) {
			problems = append(problems, Problem{Field: field + ".vpcpeering", Message: fmt.Sprintf("%s does not lead out of the VPC %s; choose a peering of that", r.VPCPeering, s.VPC)})
		}
		var nic NICSpec
		if findSpec(find, NIC.Kind, r.NIC, &nic) {
			problems = append(problems, vpcProblem(find, Subnet.Kind, field+".nic", nic.Subnet, who, s.VPC)...)
		}
	}
	return problems
}
