package resource

import (
	"context"
	"fmt"
	"slices"
)

// VM is the kind of virtual machines.
var VM = define[VMSpec, VMStatus](Kind{
	Name:  "vm",
	Title: "VM",
	Doc:   "A virtual machine.",
	Actions: []Action{
		action(Action{Name: "start", Doc: "Powers the VM on.", From: []State{StateStopped}, Until: []State{StateRunning}}, Starter.Start),
		action(Action{Name: "stop", Doc: "Shuts the VM down and keeps it. Most clouds still charge for its disks.", From: []State{StateRunning}, Until: []State{StateStopped}}, Stopper.Stop),
		action(Action{Name: "reboot", Doc: "Restarts the VM.", From: []State{StateRunning}, Until: []State{StateRunning}}, Rebooter.Reboot),
	},
})

// Starter is implemented by collections whose objects can be powered on.
type Starter interface {
	Start(ctx context.Context, id string) error
}

// Stopper is implemented by collections whose objects can be powered off.
type Stopper interface {
	Stop(ctx context.Context, id string) error
}

// Rebooter is implemented by collections whose objects can be restarted.
type Rebooter interface {
	Reboot(ctx context.Context, id string) error
}

// VMSpec is what a VM is asked to be.
type VMSpec struct {
	Image           string   `json:"image" doc:"Cloud id of the image to boot, such as ami-0c9c942bd7bf113a2 on AWS; see the catalog's images." minLength:"1" maxLength:"512"`
	Spec            string   `json:"spec" doc:"Name of the machine type, such as t3.micro on AWS; see the catalog's specs." minLength:"1" maxLength:"128"`
	Subnet          string   `json:"subnet" doc:"Name of the subnet to place the VM in. The zone follows from it." ref:"subnet" minLength:"1" maxLength:"512"`
	SecurityGroups  []string `json:"securitygroups,omitempty" doc:"Names of the security groups of the VM, all of the subnet's VPC. Default: the cloud's default group of the VPC." ref:"securitygroup" flag:"securitygroup" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	KeyPair         string   `json:"keypair,omitempty" doc:"Name of the key pair for the image's default user. Without it nobody can log in by SSH." ref:"keypair" maxLength:"512"`
	RootDiskSizeGiB int      `json:"rootDiskSizeGiB,omitempty" doc:"Size of the root disk in GiB. Default: the image's size." minimum:"1" maximum:"65536"`
}

// VMStatus is what the cloud reports of a VM.
type VMStatus struct {
	Zone           string `json:"zone,omitempty" doc:"Zone that the VM runs in."`
	PrivateAddress string `json:"privateAddress,omitempty" doc:"First IPv4 address inside the VPC."`
	PublicAddress  string `json:"publicAddress,omitempty" doc:"IPv4 address that the internet reaches it by. It may change when the VM is stopped and started."`
}

// Problems implements the rules beyond the schema.
func (s *VMSpec) Problems(at string) []Problem {
	var problems []Problem
	for i, name := range s.SecurityGroups {
		if before := slices.Index(s.SecurityGroups, name); before < i {
			problems = append(problems, Problem{
				Field:   fmt.Sprintf("%s[%d]", join(at, "securitygroups"), i),
				Message: fmt.Sprintf("the same as securitygroups[%d]; leave one out", before),
			})
		}
	}
	return problems
}

// ProblemsAgainst checks that the security groups are of the subnet's VPC.
func (s *VMSpec) ProblemsAgainst(find Find) []Problem {
	var subnet SubnetSpec
	if !findSpec(find, Subnet.Kind, s.Subnet, &subnet) {
		return nil
	}
	var problems []Problem
	for i, name := range s.SecurityGroups {
		var group SecurityGroupSpec
		if findSpec(find, SecurityGroup.Kind, name, &group) && group.VPC != subnet.VPC {
			problems = append(problems, Problem{
				Field:   fmt.Sprintf("spec.securitygroups[%d]", i),
				Message: fmt.Sprintf("%s belongs to the VPC %s, the subnet %s to %s; they must be of the same VPC", name, group.VPC, s.Subnet, subnet.VPC),
			})
		}
	}
	return problems
}
