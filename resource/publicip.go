package resource

import "context"

// PublicIP is the kind of addresses that stay the same.
var PublicIP = define[PublicIPSpec, PublicIPStatus](Kind{
	Name:  "publicip",
	Title: "Public IP",
	Doc:   "An address on the internet that stays the same and can be moved between VMs.",
	Actions: []Action{
		actionWith(Action{Name: "associate", Doc: "Gives the address to a VM or a network interface. Nothing happens if that has it already; another one loses it.", From: []State{StateAvailable}}, Associator.Associate),
		action(Action{Name: "disassociate", Doc: "Takes the address away from what has it. Nothing happens if nothing has it.", From: []State{StateAvailable}}, Disassociator.Disassociate),
	},
})

// Associator is implemented by collections that give addresses to VMs and network
// interfaces. Associating what is associated so already is no error.
type Associator interface {
	Associate(ctx context.Context, id string, with Association) error
}

// Disassociator is implemented by collections that take addresses away again. An
// address that nothing has is no error.
type Disassociator interface {
	Disassociate(ctx context.Context, id string) error
}

// PublicIPSpec is what a public IP is asked to be: the cloud chooses the address.
type PublicIPSpec struct{}

// PublicIPStatus is what the cloud reports of a public IP.
type PublicIPStatus struct {
	Address string `json:"address,omitempty" address:"true" doc:"The IPv4 address."`
	VM      string `json:"vm,omitempty" doc:"VM that has the address." ref:"vm,only"`
	NIC     string `json:"nic,omitempty" doc:"Network interface that has the address, unless it is a VM's first." ref:"nic,only"`
}

// Association is the parameter of associate.
type Association struct {
	VM  string `json:"vm,omitempty" doc:"Name of the VM, for its first network interface." ref:"vm" maxLength:"512"`
	NIC string `json:"nic,omitempty" doc:"Name of the network interface. Give either a VM or a network interface." ref:"nic" maxLength:"512"`
}

// Problems implements the rules beyond the schema.
func (a *Association) Problems(string) []Problem {
	if (a.VM == "") == (a.NIC == "") {
		return []Problem{{Field: "vm", Message: "give either a VM or a network interface (nic), not both", Rule: RuleExclusive, Limit: "nic"}}
	}
	return nil
}

// ProblemsAgainst refuses what is in a private subnet.
func (a *Association) ProblemsAgainst(find Find) []Problem {
	var in struct {
		Subnet string `json:"subnet"`
	}
	field := "vm"
	if !findSpec(find, VM.Kind, a.VM, &in) {
		field = "nic"
		findSpec(find, NIC.Kind, a.NIC, &in)
	}
	return publicProblems(find, field, in.Subnet, "let it reach the internet through a NAT gateway, or choose what is in another subnet")
}
