package mock

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type vms struct {
	table[resource.VMSpec, resource.VMStatus]
}

func openVMs(s *session) vms {
	return vms{table[resource.VMSpec, resource.VMStatus]{
		s: s, kind: resource.VM, prefix: "vm", ready: resource.StateRunning, lingers: true, show: showVM,
		made: func(token string) {
			if s.chance(s.crashCreate, "crashCreate", token) {
				s.cloud.exit(crashed)
			}
		},
	}}
}

// crashed is the exit code of a process that the setting crashCreate ended.
const crashed = 3

// Create implements driver.Creator.
func (c vms) Create(ctx context.Context, r driver.Request[resource.VMSpec]) (driver.Object[resource.VMSpec, resource.VMStatus], error) {
	if c.s.hang {
		return driver.Object[resource.VMSpec, resource.VMStatus]{}, c.s.stay(ctx)
	}
	return c.create(ctx, r, func(d *draft[resource.VMSpec, resource.VMStatus]) error {
		if err := need("spec.subnet", d.spec.Subnet); err != nil {
			return err
		}
		if err := c.checkMachine(&d.spec); err != nil {
			return err
		}
		subnet := specOf(c.s, resource.Subnet, d.spec.Subnet)
		if err := c.checkSecurityGroups(d.spec, subnet); err != nil {
			return err
		}
		if have := len(c.s.cloud.shelf(c.key()).live); c.s.quotaVMs > 0 && have >= c.s.quotaVMs {
			return refuse(resource.CodeQuota, "InstanceLimitExceeded", "the account %s has %d VMs in the region %s and may have %d (setting quotaVMs); delete some, or raise the quota", c.s.Account, have, c.s.Region, c.s.quotaVMs)
		}
		d.status.Zone = subnet.Zone
		d.fails = c.s.chance(c.s.failSettle, "failSettle", r.Token)
		return c.assignAddresses(d, netip.MustParsePrefix(subnet.CIDR))
	})
}

// Start implements resource.Starter.
func (c vms) Start(ctx context.Context, id string) error {
	return c.power(ctx, id, "start", resource.StateStopped, resource.StateStarting, resource.StateRunning)
}

// Stop implements resource.Stopper.
func (c vms) Stop(ctx context.Context, id string) error {
	return c.power(ctx, id, "stop", resource.StateRunning, resource.StateStopping, resource.StateStopped)
}

// Reboot implements resource.Rebooter.
func (c vms) Reboot(ctx context.Context, id string) error {
	return c.power(ctx, id, "reboot", resource.StateRunning, resource.StateRebooting, resource.StateRunning)
}

func (c vms) power(ctx context.Context, id, action string, from, during, then resource.State) error {
	return c.alter(ctx, id, action, from, func(o *object, now time.Time) {
		o.Change = c.s.change(now, from, during, then)
	})
}

// checkMachine checks that image, spec and root disk exist and fit each other, and
// completes the size of the disk.
func (c vms) checkMachine(spec *resource.VMSpec) error {
	image, err := c.s.cloud.image(spec.Image)
	if err != nil {
		return err
	}
	machine, err := c.s.cloud.spec(spec.Spec)
	if err != nil {
		return err
	}
	if !slices.Contains(machine.Architectures, image.Architecture) {
		return refuseField("spec.spec", "InvalidParameterCombination", "the image %s is for %s, but the spec %s runs %s; choose another image or spec", image.Name, image.Architecture, machine.Name, strings.Join(machine.Architectures, " and "))
	}
	if spec.RootDiskSizeGiB == 0 {
		spec.RootDiskSizeGiB = image.DiskSizeGiB
	}
	if spec.RootDiskSizeGiB < image.DiskSizeGiB {
		return refuseField("spec.rootDiskSizeGiB", "InvalidBlockDeviceMapping", "%d GiB are too few for the image %s; ask for at least %d GiB, or leave it out", spec.RootDiskSizeGiB, image.Name, image.DiskSizeGiB)
	}
	return nil
}

func (c vms) checkSecurityGroups(spec resource.VMSpec, subnet resource.SubnetSpec) error {
	for i, id := range spec.SecurityGroups {
		if group := specOf(c.s, resource.SecurityGroup, id); group.VPC != subnet.VPC {
			return refuseField(fmt.Sprintf("spec.securitygroups[%d]", i), "InvalidParameterCombination", "the security group %s belongs to the VPC %s, the subnet %s to %s; choose one of the same VPC", id, group.VPC, spec.Subnet, subnet.VPC)
		}
	}
	return nil
}

// assignAddresses gives the VM its addresses. The public ones are from the range for
// carriers' own use, which is never routed, so that nobody reaches a stranger.
func (c vms) assignAddresses(d *draft[resource.VMSpec, resource.VMStatus], subnet netip.Prefix) error {
	private, ok := c.s.cloud.claimAddress(d.spec.Subnet, subnet, reservedAddresses)
	if !ok {
		return refuse(resource.CodeQuota, "InsufficientFreeAddressesInSubnet", "the subnet %s has no free address in %s; use another subnet, or delete VMs", d.spec.Subnet, subnet)
	}
	public, ok := c.s.cloud.claimAddress("public", netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10), 1)
	if !ok {
		return refuse(resource.CodeQuota, "AddressLimitExceeded", "the mock cloud has no free public address; delete VMs")
	}
	d.status.PrivateAddress, d.status.PublicAddress = private.Value, public.Value
	d.claims = []claim{private, public}
	return nil
}

// nativeVM is a VM in the cloud's own words.
type nativeVM struct {
	InstanceID   string    `json:"instanceId"`
	ImageID      string    `json:"imageId"`
	InstanceType string    `json:"instanceType"`
	Status       string    `json:"status"`
	PowerState   int       `json:"powerState"`
	Hypervisor   string    `json:"hypervisor"`
	LaunchTime   time.Time `json:"launchTime"`
	Fault        string    `json:"fault,omitempty"`
}

func showVM(o *object, state resource.State, spec resource.VMSpec, status *resource.VMStatus) any {
	native := nativeVM{
		InstanceID: o.ID, ImageID: spec.Image, InstanceType: spec.Spec, Status: cloudState(state), Hypervisor: "mock", LaunchTime: o.CreatedAt,
	}
	switch state {
	case resource.StateRunning, resource.StateRebooting, resource.StateStopping:
		native.PowerState = 1
	case resource.StateCreating:
		status.PublicAddress = "" // comes with the machine
	case resource.StateFailed:
		status.PublicAddress = ""
		native.Fault = "No valid host was found (setting failSettle)."
	}
	return native
}
