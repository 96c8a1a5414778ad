package resource

// VPNGateway is the kind of a VPC's ends of VPN connections.
var VPNGateway = define[VPNGatewaySpec, VPNGatewayStatus](Kind{
	Name:  "vpngateway",
	Title: "VPN gateway",
	Doc:   "The end of VPN connections (IPsec) in a VPC.",

	Patience: 2, // Azure says 45 minutes or more: https://learn.microsoft.com/azure/vpn-gateway/vpn-gateway-howto-site-to-site-resource-manager-portal
})

// VPNGatewaySpec is what a VPN gateway is asked to be.
type VPNGatewaySpec struct {
	VPC    string `json:"vpc" doc:"Name of the VPC that is reached through it." ref:"vpc" minLength:"1" maxLength:"512"`
	Subnet string `json:"subnet,omitempty" doc:"Name of the subnet that it stands in, where the cloud wants one (Azure: one for nothing else; IBM). Default: none." ref:"subnet" maxLength:"512"`
	ASN    int64  `json:"asn,omitempty" doc:"Number of the VPC's side as an autonomous system, for connections with BGP, such as 64512. Default: the cloud's choice." completed:"cloud" minimum:"1" maximum:"4294967294"`
}

// VPNGatewayStatus is what the cloud reports of a VPN gateway.
type VPNGatewayStatus struct {
	Addresses []string `json:"addresses,omitempty" address:"true" doc:"Public addresses of it. Empty where they arise with each connection (AWS), which then shows them." nullable:"false"`
}

// ProblemsAgainst checks that the subnet is of the VPC.
func (s *VPNGatewaySpec) ProblemsAgainst(find Find) []Problem {
	return vpcProblem(find, Subnet.Kind, "spec.subnet", s.Subnet, "the VPN gateway is to belong", s.VPC)
}
