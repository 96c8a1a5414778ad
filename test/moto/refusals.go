package moto

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// refuses answers the error of AWS for what moto lets pass.
// https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html
func (s *Stage) refuses(in *request) (code, message string) {
	switch form := in.form; in.operation {
	case "DeleteSubnet":
		if s.used(in, "subnet-id", form.Get("SubnetId")) {
			return "DependencyViolation", "The subnet has dependencies and cannot be deleted."
		}
	case "DeleteSecurityGroup":
		if s.used(in, "group-id", form.Get("GroupId")) {
			return "DependencyViolation", "resource " + form.Get("GroupId") + " has a dependent object"
		}
	case "CreateSecurityGroup":
		if id := form.Get("VpcId"); !strings.HasPrefix(id, "vpc-") {
			return "InvalidVpcID.NotFound", "The vpc ID '" + id + "' does not exist"
		}
	case "CreateNetworkInterface":
		if id := form.Get("SecurityGroupId.1"); id != "" && !strings.HasPrefix(id, "sg-") {
			return "InvalidGroup.NotFound", "The security group '" + id + "' does not exist"
		}
	case "RegisterTargets":
		return s.refusesTargets(in)
	case "CreateVolume":
		known := append(types.VolumeType("").Values(), "")
		if typ := form.Get("VolumeType"); !slices.Contains(known, types.VolumeType(typ)) {
			return "UnknownVolumeType", "Unsupported volume type '" + typ + "' for volume creation."
		}
	case "AssociateAddress":
		// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html
		if instance, found := s.instance(in, form.Get("InstanceId")); form.Has("InstanceId") && found && len(instance.NetworkInterfaces) > 1 {
			return "InvalidInstanceID", "There are multiple interfaces attached to instance '" + form.Get("InstanceId") + "'. Please specify an interface ID for the operation instead."
		}
	case "ReleaseAddress":
		out, err := s.behind(in.region).DescribeAddresses(in.Context(), &ec2.DescribeAddressesInput{AllocationIds: []string{form.Get("AllocationId")}})
		if err == nil && len(out.Addresses) == 1 && out.Addresses[0].AssociationId != nil {
			return "InvalidIPAddress.InUse", "Address is in use."
		}
	case "DeleteNetworkInterface":
		id := form.Get("NetworkInterfaceId")
		if found := s.interfaces(in.Context(), in.region, "network-interface-id", id); len(found) == 1 && found[0].Attachment != nil {
			return "InvalidParameterValue", "Network interface '" + id + "' is currently in use."
		}
	}
	return "", ""
}

// refusesTargets refuses members that do not run.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
func (s *Stage) refusesTargets(in *request) (code, message string) {
	for n := 1; in.form.Has(fmt.Sprintf("Targets.member.%d.Id", n)); n++ {
		id := in.form.Get(fmt.Sprintf("Targets.member.%d.Id", n))
		if !strings.HasPrefix(id, "i-") || s.lags.lagging(id) {
			return "InvalidTarget", "The following targets are not in a running state and cannot be registered: '" + id + "'"
		}
	}
	return "", ""
}

// used reports whether an interface uses something; moto keeps those of VMs that are
// terminated.
func (s *Stage) used(in *request, name, value string) bool {
	return slices.ContainsFunc(s.interfaces(in.Context(), in.region, name, value), func(x types.NetworkInterface) bool {
		if x.Attachment == nil || x.Attachment.InstanceId == nil {
			return true
		}
		instance, found := s.instance(in, aws.ToString(x.Attachment.InstanceId))
		return !found || instance.State.Name != types.InstanceStateNameTerminated
	})
}

// rates are what AWS bounds for each volume. Time passes here fifty times as fast as there.
// https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html (SnapshotCreationPerVolumeRateExceeded)
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html
type rates struct {
	mu       *sync.Mutex
	copied   map[string]time.Time   // when the last snapshot of a volume was begun
	modified map[string][]time.Time // when the changes of a volume were begun
}

const (
	speed         = 50
	betweenCopies = 15 * time.Second / speed
	modifying     = 15 * time.Second / speed // as long as a small change may take
	modifications = 4                        // in a day
	day           = 24 * time.Hour / speed
)

func newRates() rates {
	return rates{mu: &sync.Mutex{}, copied: map[string]time.Time{}, modified: map[string][]time.Time{}}
}

func (r rates) refuse(in *request) (code, message string) {
	if in.operation != "CreateSnapshot" && in.operation != "ModifyVolume" {
		return "", ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id, now := in.form.Get("VolumeId"), time.Now()
	if in.operation == "CreateSnapshot" {
		if now.Sub(r.copied[id]) < betweenCopies {
			return "SnapshotCreationPerVolumeRateExceeded", "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep interval between requests."
		}
		r.copied[id] = now
		return "", ""
	}
	begun := r.modified[id]
	switch {
	case len(begun) > 0 && now.Sub(begun[len(begun)-1]) < modifying:
		return "IncorrectModificationState", "Volume " + id + " in state 'modifying' cannot be modified."
	case len(begun) >= modifications && now.Sub(begun[len(begun)-modifications]) < day:
		return "VolumeModificationRateExceeded", "You've reached the maximum modification rate per volume limit."
	}
	r.modified[id] = append(begun, now)
	return "", ""
}
