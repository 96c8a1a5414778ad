package resource

import (
	"context"
	"fmt"
	"net/netip"
)

// NIC is the kind of network interfaces beyond a VM's first.
var NIC = define[NICSpec, NICStatus](Kind{
	Name:  "nic",
	Title: "NIC",
	Doc:   "A network interface that VMs can be given beside their first one; it keeps its addresses.",
	Actions: []Action{
		actionWith(Action{Name: "attach", Doc: "Gives the interface to a VM. Nothing happens if that has it already.", From: []State{StateAvailable}}, NICAttacher.Attach),
		action(Action{Name: "detach", Doc: "Takes the interface from the VM that has it. Nothing happens if none has it.", From: []State{StateAvailable}}, Detacher.Detach),
		actionWith(Action{Name: "addaddresses", Doc: "Adds secondary addresses; one that is there already is left as it is."}, AddressAdder.AddAddresses),
		actionWith(Action{Name: "removeaddresses", Doc: "Removes secondary addresses; one that is not there is passed over."}, AddressRemover.RemoveAddresses),
	},
})

// NICAttacher is implemented by collections that give interfaces to VMs. Attaching
// to the VM that has the interface already is no error.
type NICAttacher interface {
	Attach(ctx context.Context, id string, to NICAttachment) error
}

// AddressAdder is implemented by collections that add secondary addresses.
type AddressAdder interface {
	AddAddresses(ctx context.Context, id string, change AddressChange) error
}

// AddressRemover is implemented by collections that remove secondary addresses.
type AddressRemover interface {
	RemoveAddresses(ctx context.Context, id string, change AddressChange) error
}

// NICSpec is what a NIC is asked to be.
type NICSpec struct {
	Subnet         string   `json:"subnet" doc:"Name of the subnet that the interface has its addresses in." ref:"subnet" minLength:"1" maxLength:"512"`
	SecurityGroups []string `json:"securitygroups,omitempty" doc:"Names of its security groups, all of the subnet's VPC. Default: the cloud's default group of the VPC." completed:"cloud" ref:"securitygroup" flag:"securitygroup" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	PrivateAddress string   `json:"privateAddress,omitempty" doc:"Its IPv4 address, such as 10.0.1.20. Default: the cloud's choice." completed:"cloud" maxLength:"15"`
}

// NICStatus is what the cloud reports of a NIC.
type NICStatus struct {
	VM                 string   `json:"vm,omitempty" doc:"VM that has the interface." ref:"vm"`
	PrivateAddress     string   `json:"privateAddress,omitempty" address:"true" doc:"Primary IPv4 address."`
	SecondaryAddresses []string `json:"secondaryAddresses,omitempty" address:"true" doc:"Further IPv4 addresses. The VM's system must be told of them." nullable:"false"`
	IPv6Addresses      []string `json:"ipv6Addresses,omitempty" address:"true" doc:"IPv6 addresses, where its subnet has some." nullable:"false"`
	PublicAddress      string   `json:"publicAddress,omitempty" address:"true" doc:"IPv4 address that the internet reaches it by."`
	MACAddress         string   `json:"macAddress,omitempty" doc:"Hardware address."`
}

// NICAttachment is the parameter of a NIC's attach.
type NICAttachment struct {
	VM string `json:"vm" doc:"Name of the VM, in the subnet's zone." ref:"vm" minLength:"1" maxLength:"512"`
}

// AddressChange is the parameter of the actions that change secondary addresses.
type AddressChange struct {
	Addresses []string `json:"addresses" doc:"IPv4 addresses of the subnet, such as 10.0.1.21." flag:"address" minItems:"1" maxItems:"50" minLength:"7" maxLength:"15" nullable:"false"`
}

// Problems implements the rules beyond the schema.
func (s *NICSpec) Problems(at string) []Problem {
	problems := doubleNames(join(at, "securitygroups"), s.SecurityGroups)
	if s.PrivateAddress != "" {
		problems = append(problems, addressProblems(join(at, "privateAddress"), s.PrivateAddress)...)
	}
	return problems
}

// ProblemsAgainst checks that the address is in the subnet and that the security
// groups are of its VPC.
func (s *NICSpec) ProblemsAgainst(find Find) []Problem {
	var subnet SubnetSpec
	if !findSpec(find, Subnet.Kind, s.Subnet, &subnet) {
		return nil
	}
	problems := groupProblems(find, s.SecurityGroups, s.Subnet)
	address, err := netip.ParseAddr(s.PrivateAddress)
	within, err2 := netip.ParsePrefix(subnet.CIDR)
	if err == nil && err2 == nil && !within.Contains(address) {
		problems = append(problems, Problem{Field: "spec.privateAddress", Message: fmt.Sprintf("%s is not in the range %s of the subnet %s", address, within, s.Subnet), Rule: RuleOutside, Limit: within.String()})
	}
	return problems
}

// Problems implements the rules beyond the schema.
func (c *AddressChange) Problems(at string) []Problem {
	return listedAddressProblems(join(at, "addresses"), c.Addresses)
}

func addressProblems(field, address string) []Problem {
	if parsed, err := netip.ParseAddr(address); err != nil || !parsed.Is4() {
		return []Problem{{Field: field, Message: fmt.Sprintf("%q is not an IPv4 address; write it like 10.0.1.20", printable(address)), Rule: RuleFormat, Limit: "10.0.1.20"}}
	}
	return nil
}
