package resource

import (
	"fmt"
)

// NATGateway is the kind of ways out of private subnets.
var NATGateway = define[NATGatewaySpec, NATGatewayStatus](Kind{
	Name:  "natgateway",
	Title: "NAT gateway",
	Doc:   "A way to the internet for private subnets: what is in them can begin connections, and cannot be reached from there.",
	Actions: []Action{
		changes(actionWith(Action{Name: "addsubnets", Doc: "Has private subnets leave through it; one that does already is left as it is.", From: []State{StateAvailable}}, SubnetAdder.AddSubnets),
			func(s *NATGatewaySpec, c SubnetChange) { s.Subnets = together(s.Subnets, c.Subnets) }),
		changes(actionWith(Action{Name: "removesubnets", Doc: "Takes the way to the internet from subnets; one that does not leave through it is passed over.", From: []State{StateAvailable}}, SubnetRemover.RemoveSubnets),
			func(s *NATGatewaySpec, c SubnetChange) { s.Subnets = without(s.Subnets, c.Subnets) }),
	},
})

// NATGatewaySpec is what a NAT gateway is asked to be.
type NATGatewaySpec struct {
	VPC           string   `json:"vpc" doc:"Name of the VPC that its subnets are in." ref:"vpc" minLength:"1" maxLength:"512"`
	Subnets       []string `json:"subnets" required:"false" doc:"Names of the private subnets that leave through it. A subnet leaves through one NAT gateway at most." ref:"subnet" flag:"subnet" maxItems:"64" minLength:"1" maxLength:"512" nullable:"false"`
	GatewaySubnet string   `json:"gatewaySubnet,omitempty" doc:"Name of the subnet that it stands in, which is not private: AWS wants one. Default: the cloud's choice, where it wants one." completed:"cloud" ref:"subnet" maxLength:"512"`
	PublicIP      string   `json:"publicip,omitempty" doc:"Name of the public IP that connections come from, which nothing else has. Default: an address of its own, which goes with it. OpenStack takes none." ref:"publicip" maxLength:"512"`
}

// NATGatewayStatus is what the cloud reports of a NAT gateway.
type NATGatewayStatus struct {
	Addresses []string `json:"addresses,omitempty" doc:"IPv4 addresses that its connections come from." nullable:"false"`
}

// Problems implements the rules beyond the schema.
func (s *NATGatewaySpec) Problems(at string) []Problem {
	if s.Subnets == nil {
		s.Subnets = []string{}
	}
	return doubleNames(join(at, "subnets"), s.Subnets)
}

// ProblemsAgainst checks that its subnets are of the VPC and private, that the one it stands
// in is not, and that nothing else has the public IP.
func (s *NATGatewaySpec) ProblemsAgainst(find Find) []Problem {
	const who = "the NAT gateway is to belong"
	problems := vpcProblems(find, Subnet.Kind, "spec.subnets", s.Subnets, who, s.VPC)
	problems = append(problems, vpcProblem(find, Subnet.Kind, "spec.gatewaySubnet", s.GatewaySubnet, who, s.VPC)...)
	for i, name := range s.Subnets {
		var subnet SubnetSpec
		if findSpec(find, Subnet.Kind, name, &subnet) && !subnet.Private {
			problems = append(problems, Problem{Field: fmt.Sprintf("spec.subnets[%d]", i), Message: fmt.Sprintf("the subnet %s is not private: it reaches the internet without a NAT gateway; choose one that was created as private", name)})
		}
	}
	problems = append(problems, publicProblems(find, "spec.gatewaySubnet", s.GatewaySubnet, "a NAT gateway needs a public address; choose a subnet that is not private")...)
	var ip PublicIPStatus
	findStatus(find, PublicIP.Kind, s.PublicIP, &ip)
	if ip != (PublicIPStatus{Address: ip.Address}) {
		problems = append(problems, Problem{Field: "spec.publicip", Message: fmt.Sprintf("the public IP %s is given to something already; disassociate it first, or choose another", s.PublicIP)})
	}
	return problems
}
