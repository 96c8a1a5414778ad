package mock

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type vms struct {
	table[resource.VMSpec, resource.VMStatus]
}

func openVMs(s *session) vms {
	collection := vms{table[resource.VMSpec, resource.VMStatus]{
		s: s, kind: resource.VM, prefix: "vm", ready: resource.StateRunning, built: true,
		show: func(v *sight[resource.VMSpec, resource.VMStatus]) any {
			for _, ip := range s.cloud.linkedTo(v.ID, resource.PublicIP.Name) {
				v.status.PublicAddress = ip.Status.(resource.PublicIPStatus).Address
			}
			v.status.IPv6Addresses = s.ipv6Of(v.ID, v.spec.Subnet)
			if s.cloud.keyless { // which has a key, and not whose
				v.spec.KeyPair = ""
			}
			native := showVM(v)
			if s.ssh.user != "" && v.status.PublicAddress != "" {
				v.status.PublicAddress, v.status.SSHPort, v.status.SSHUser = s.ssh.address.Addr().String(), int(s.ssh.address.Port()), s.ssh.user
			}
			return native
		},
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c vms) plan(d *draft[resource.VMSpec, resource.VMStatus]) error {
	if err := need("spec.subnet", d.spec.Subnet); err != nil {
		return err
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	key := ""
	if d.spec.KeyPair != "" {
		key = d.named[d.spec.KeyPair].Spec.(resource.KeyPairSpec).PublicKey
	}
	if err := c.checkMachine(&d.spec, key); err != nil {
		return err
	}
	if c.s.cloud.keyless && key != "" {
		d.keys = []string{key}
	}
	if err := c.s.checkSecurityGroups(d.spec.SecurityGroups, d.spec.Subnet); err != nil {
		return err
	}
	if d.spec.AdminPassword != "" {
		d.spec.AdminPassword = "set" // the cloud does not keep it
	}
	d.status.Zone = specOf(c.s, resource.Subnet, d.spec.Subnet).Zone
	return c.assignAddresses(d)
}

// Start implements resource.Starter.
func (c vms) Start(ctx context.Context, id string) error { return c.start(ctx, id) }

// Stop implements resource.Stopper.
func (c vms) Stop(ctx context.Context, id string) error { return c.stop(ctx, id) }

// Reboot implements resource.Rebooter.
func (c vms) Reboot(ctx context.Context, id string) error { return c.reboot(ctx, id) }

// mostTogether is how many VMs the cloud takes in one call.
const mostTogether = 100

// Batches implements driver.Batcher. As on AWS, a call changes all of them or none.
func (c vms) Batches() map[string]driver.Batch {
	return map[string]driver.Batch{
		driver.VerbGet:    {Most: mostTogether},
		driver.VerbDelete: driver.Together(mostTogether, c.deleteAll),
		"start":           driver.Together(mostTogether, c.start), "stop": driver.Together(mostTogether, c.stop), "reboot": driver.Together(mostTogether, c.reboot),
	}
}

// Resize implements resource.VMResizer.
func (c vms) Resize(ctx context.Context, id string, to resource.VMSize) error {
	return c.alter(ctx, id, "resize", resource.StateStopped, func(d *draft[resource.VMSpec, resource.VMStatus]) error {
		if d.spec.Spec == to.Spec {
			return nil
		}
		present, err := c.s.offer.spec("spec", d.spec.Spec)
		if err != nil {
			return err
		}
		next, err := c.s.offer.spec("spec", to.Spec)
		if err != nil {
			return err
		}
		if !slices.Equal(next.Architectures, present.Architectures) {
			return refuseField("spec", "InvalidParameterCombination", "the VM %s runs on %s, but the spec %s is for %s; choose another spec", d.id, strings.Join(present.Architectures, " and "), next.Name, strings.Join(next.Architectures, " and "))
		}
		d.spec.Spec = to.Spec
		d.change = c.s.update(d.now, resource.StateStopped)
		return nil
	})
}

// Password implements resource.PasswordReader, for Windows. Like AWS it seals the
// password with the key pair: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetPasswordData.html
func (c vms) Password(ctx context.Context, id string) (resource.VMPassword, error) {
	o, now, err := c.read(ctx, id)
	if err != nil {
		return resource.VMPassword{}, err
	}
	none := func(format string, args ...any) (resource.VMPassword, error) {
		return resource.VMPassword{}, refuse(resource.CodeNotFound, "PasswordDataNotFound", format, args...)
	}
	spec := o.Spec.(resource.VMSpec)
	image, err := c.s.offer.image("image", spec.Image)
	switch {
	case err != nil || image.OS != windows:
		return none("the VM %s does not run an image of Windows from the catalog, so that it has no first password", o.called())
	case o.Change.state(now) == resource.StateCreating:
		return none("the VM %s is still being created; its first password comes with it", o.called())
	}
	keys := o.Keys
	c.s.cloud.mu.RLock()
	if pair := c.s.cloud.find(c.s.shelfOf(resource.KeyPair.Name), spec.KeyPair, now); pair != nil {
		keys = []string{pair.Spec.(resource.KeyPairSpec).PublicKey}
	}
	c.s.cloud.mu.RUnlock()
	if len(keys) == 0 {
		return none("the key pair of the VM %s is gone or was never given, so that nobody could read its first password", o.called())
	}
	key := rsaKeyOf(keys[0])
	if key == nil {
		return none("the key pair of the VM %s is not RSA", o.called())
	}
	sum := sha256.Sum256([]byte("password of " + o.ID))                                                          // the same each time
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, key, []byte(base64.RawURLEncoding.EncodeToString(sum[:12]))) //nolint:staticcheck // the clouds seal it so
	if err != nil {
		return resource.VMPassword{}, resource.Errorf(resource.CodeInternal, "seal the password of the VM %s: %w", o.ID, err)
	}
	return resource.VMPassword{User: "Administrator", EncryptedPassword: base64.StdEncoding.EncodeToString(sealed)}, nil
}

// Console implements resource.ConsoleReader.
func (c vms) Console(ctx context.Context, id string, which resource.ConsoleLines) (resource.VMConsole, error) {
	o, now, err := c.read(ctx, id)
	if err != nil {
		return resource.VMConsole{}, err
	}
	state := o.Change.state(now)
	if state == resource.StateCreating || state == resource.StateFailed {
		return resource.VMConsole{}, refuse(resource.CodeNotFound, "ConsoleOutputNotFound", "the VM %s is %s and has written nothing yet; ask again when it is running", o.called(), state)
	}
	spec := o.Spec.(resource.VMSpec)
	lines := []string{"BIOS of the Mock cloud", "Booting " + cmp.Or(spec.Image, spec.CustomImage) + " on a " + spec.Spec}
	for i, service := range []string{"Network", "Time", "SSH Server", "Cloud Init"} {
		lines = append(lines, fmt.Sprintf("[%8.3f] Started %s.", float64(i+1)*0.7, service))
	}
	if spec.UserData != "" {
		lines = append(lines, fmt.Sprintf("[%8.3f] Ran %d bytes of user data.", 3.5, len(spec.UserData)))
	}
	lines = append(lines, "", cmp.Or(o.Name, o.ID)+" login: ")
	if state == resource.StateStopped {
		lines = append(lines, "Power off.")
	}
	return resource.VMConsole{Output: which.Of(strings.Join(lines, "\n") + "\n")}, nil
}

func (c vms) start(ctx context.Context, ids ...string) error {
	return c.power(ctx, ids, "start", resource.StateStopped, resource.StateStarting, resource.StateRunning)
}

func (c vms) stop(ctx context.Context, ids ...string) error {
	return c.power(ctx, ids, "stop", resource.StateRunning, resource.StateStopping, resource.StateStopped)
}

func (c vms) reboot(ctx context.Context, ids ...string) error {
	return c.power(ctx, ids, "reboot", resource.StateRunning, resource.StateRebooting, resource.StateRunning)
}

// rsaKeyOf is the key in a line of an authorized_keys file, or nil if it is not RSA.
func rsaKeyOf(line string) *rsa.PublicKey {
	parsed, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return nil
	}
	public, ok := parsed.(ssh.CryptoPublicKey)
	if !ok {
		return nil
	}
	key, _ := public.CryptoPublicKey().(*rsa.PublicKey)
	return key
}

// boot is what a VM boots from: an image of the catalog or a custom one.
type boot struct {
	name, os, architecture string
	diskGiB                int
}

// bootOf is what a VM that is asked for boots from.
func (c vms) bootOf(spec resource.VMSpec) (boot, error) {
	if spec.CustomImage != "" {
		custom := c.s.cloud.shelf(c.s.shelfOf(resource.CustomImage.Name)).live[spec.CustomImage]
		status := custom.Status.(resource.CustomImageStatus)
		return boot{custom.ID, "", status.Architecture, status.DiskSizeGiB}, nil
	}
	image, err := c.s.offer.image("spec.image", spec.Image)
	return boot{image.Name, image.OS, image.Architecture, image.DiskSizeGiB}, err
}

// checkMachine checks that image, spec and root disk exist and fit each other, and
// completes the root disk.
func (c vms) checkMachine(spec *resource.VMSpec, publicKey string) error {
	boot, err := c.bootOf(*spec)
	if err != nil {
		return err
	}
	machine, err := c.s.offer.spec("spec.spec", spec.Spec)
	if err != nil {
		return err
	}
	if !slices.Contains(machine.Architectures, boot.architecture) {
		return refuseField("spec.spec", "InvalidParameterCombination", "the image %s is for %s, but the spec %s runs %s; choose another image or spec", boot.name, boot.architecture, machine.Name, strings.Join(machine.Architectures, " and "))
	}
	if boot.os == windows && spec.KeyPair != "" && rsaKeyOf(publicKey) == nil {
		return refuseField("spec.keypair", "InvalidParameterCombination", "the key pair %s is not RSA, which Windows needs for its first password; choose another", spec.KeyPair)
	}
	if spec.RootDiskSizeGiB == 0 {
		spec.RootDiskSizeGiB = boot.diskGiB
	}
	if spec.RootDiskSizeGiB < boot.diskGiB {
		return refuseField("spec.rootDiskSizeGiB", "InvalidBlockDeviceMapping", "%d GiB are too few for the image %s; ask for at least %d GiB, or leave it out", spec.RootDiskSizeGiB, boot.name, boot.diskGiB)
	}
	return c.s.offer.checkRootDisk("spec", &spec.RootDiskType, spec.RootDiskSizeGiB)
}

// checkSecurityGroups checks that groups are of the VPC of a subnet.
func (s *session) checkSecurityGroups(groups []string, subnet string) error {
	return s.checkGroupsOf(groups, specOf(s, resource.Subnet, subnet).VPC, "the subnet "+subnet)
}

// checkGroupsOf checks that groups are of the VPC of whose they are to be.
func (s *session) checkGroupsOf(groups []string, vpc, whose string) error {
	for i, id := range groups {
		if group := specOf(s, resource.SecurityGroup, id); group.VPC != vpc {
			return refuseField(fmt.Sprintf("spec.securitygroups[%d]", i), "InvalidParameterCombination", "the security group %s belongs to the VPC %s, %s to %s; choose one of the same VPC", id, group.VPC, whose, vpc)
		}
	}
	return nil
}

func (c vms) assignAddresses(d *draft[resource.VMSpec, resource.VMStatus]) error {
	private, err := c.s.claimAddressIn(d.spec.Subnet)
	if err != nil {
		return err
	}
	d.status.PrivateAddress, d.claims = private.Value, []claim{private}
	if c.s.private(d.spec.Subnet) {
		return nil
	}
	public, err := c.s.cloud.claimPublicAddress()
	d.status.PublicAddress, d.claims = public.Value, append(d.claims, public)
	return err
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
	Keys         []string  `json:"authorizedKeys,omitempty"`

	PasswordLogin bool `json:"passwordLogin,omitempty"` // whether its administrator was given a password
}

func showVM(v *sight[resource.VMSpec, resource.VMStatus]) any {
	native := nativeVM{
		InstanceID: v.ID, ImageID: cmp.Or(v.spec.Image, v.spec.CustomImage), InstanceType: v.spec.Spec, Status: cloudState(v.state), Hypervisor: "mock", LaunchTime: v.CreatedAt,
		Keys: v.Keys, PasswordLogin: v.spec.AdminPassword != "",
	}
	v.spec.AdminPassword = ""
	switch v.state {
	case resource.StateRunning, resource.StateRebooting, resource.StateStopping:
		native.PowerState = 1
	case resource.StateCreating:
		v.status.PublicAddress = "" // comes with the machine
	case resource.StateFailed:
		v.status.PublicAddress = ""
		native.Fault = reasonOf(v.state)
	}
	return native
}
