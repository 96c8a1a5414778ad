package resource

import (
	"context"
	"fmt"
	"strings"
)

// FileShare is the kind of file shares.
var FileShare = define[FileShareSpec, FileShareStatus](Kind{
	Name:  "fileshare",
	Title: "File share",
	Doc:   "A file system that many VMs mount over the network at once.",
	Actions: []Action{
		changes(actionWith(Action{Name: "resize", Doc: "Changes its size. Most clouds do not shrink one.", From: []State{StateAvailable}}, FileShareResizer.Resize),
			func(s *FileShareSpec, to FileShareSize) { s.SizeGiB = to.SizeGiB }),
		changes(actionWith(Action{Name: "addsubnets", Doc: "Makes mount targets in more subnets; a subnet that has one already is left as it is.", From: []State{StateAvailable}}, SubnetAdder.AddSubnets),
			func(s *FileShareSpec, c SubnetChange) { s.Subnets = together(s.Subnets, c.Subnets) }),
		changes(actionWith(Action{Name: "removesubnets", Doc: "Removes the mount targets of subnets: what has mounted the share there loses it. A subnet that has none is passed over.", From: []State{StateAvailable}}, SubnetRemover.RemoveSubnets),
			func(s *FileShareSpec, c SubnetChange) { s.Subnets = without(s.Subnets, c.Subnets) }),
	},
})

// FileShareResizer is implemented by collections whose file shares change their size.
type FileShareResizer interface {
	Resize(ctx context.Context, id string, to FileShareSize) error
}

// FileShareSpec is what a file share is asked to be.
type FileShareSpec struct {
	VPC            string   `json:"vpc" doc:"Name of the VPC that it can be reached from." ref:"vpc" minLength:"1" maxLength:"512"`
	Subnets        []string `json:"subnets" required:"false" doc:"Names of the subnets that it has mount targets in. AWS allows one of each zone." ref:"subnet" flag:"subnet" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	SecurityGroups []string `json:"securitygroups,omitempty" doc:"Names of the security groups that say who reaches its mount targets, where the cloud takes them. Default: the cloud's default group of the VPC." completed:"cloud" ref:"securitygroup" flag:"securitygroup" maxItems:"5" minLength:"1" maxLength:"512" nullable:"false"`
	Protocol       string   `json:"protocol,omitempty" doc:"Protocol that it is mounted by. Default: nfs." enum:"nfs,smb"`
	SizeGiB        int      `json:"sizeGiB,omitempty" doc:"Size in GiB. Default: 0, it grows with what is in it, where the cloud has that; where not, the least that the cloud has." completed:"cloud" minimum:"0" maximum:"1048576"`
	Tier           string   `json:"tier,omitempty" doc:"The cloud's name of how fast and durable it is, such as BASIC_HDD on Google Cloud. Default: the cloud's choice." completed:"cloud" maxLength:"128"`
	Zone           string   `json:"zone,omitempty" doc:"Zone that it lives in, where the cloud has it in one alone. Default: all zones of the region, or the cloud's choice." completed:"cloud" catalog:"zone" maxLength:"64"`
	Encrypted      bool     `json:"encrypted,omitempty" doc:"Whether it is encrypted on the cloud's disks, where that can be chosen. Default: as the cloud does."`
}

// FileShareStatus is what the cloud reports of a file share.
type FileShareStatus struct {
	Mounts []MountTarget `json:"mounts,omitempty" doc:"Its mount targets." part:"mount target" nullable:"false"`
}

// MountTarget is where a file share is mounted from.
type MountTarget struct {
	Part

	Subnet  string `json:"subnet,omitempty" doc:"The subnet that it is in." ref:"subnet,weak"`
	Address string `json:"address,omitempty" doc:"IPv4 address or name that it is mounted from."`
	Export  string `json:"export,omitempty" doc:"What is mounted there, such as / or /share1."`
	Command string `json:"command,omitempty" doc:"A command that mounts it at /mnt on Linux, as root."`
}

// FileShareSize is the parameter of a file share's resize.
type FileShareSize struct {
	SizeGiB int `json:"sizeGiB" doc:"New size in GiB." minimum:"1" maximum:"1048576"`
}

// Problems implements the rules beyond the schema, and fills the defaults that are the same on
// every cloud.
func (s *FileShareSpec) Problems(at string) []Problem {
	if s.Subnets == nil {
		s.Subnets = []string{}
	}
	if s.Protocol == "" {
		s.Protocol = "nfs"
	}
	problems := doubleNames(join(at, "subnets"), s.Subnets)
	return append(problems, doubleNames(join(at, "securitygroups"), s.SecurityGroups)...)
}

// ProblemsAgainst checks that subnets and security groups are of the VPC.
func (s *FileShareSpec) ProblemsAgainst(find Find) []Problem {
	return networkProblems(find, s.Subnets, s.SecurityGroups, s.VPC, "the file share is to belong")
}

// MountCommand is how Linux mounts a share at /mnt.
func MountCommand(protocol, address, export string) string {
	if protocol == "smb" {
		return fmt.Sprintf("mount -t cifs -o username=USER //%s/%s /mnt", address, strings.TrimPrefix(export, "/"))
	}
	return fmt.Sprintf("mount -t nfs -o nfsvers=4.1,hard %s:%s /mnt", address, export)
}
