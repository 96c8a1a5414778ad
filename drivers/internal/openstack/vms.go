package openstack

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	sdk "github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A VM is a server of Nova on a port of its own: Nova by itself chooses only networks, not
// subnets. To create one costs calls for its flavor, its image, its subnet and the port.
type (
	vms struct {
		collection[resource.VMSpec, resource.VMStatus, server]
	}
	vm     = driver.Object[resource.VMSpec, resource.VMStatus]
	server struct {
		servers.Server
		near []ports.Port // the first one before the others
	}
)

// Tags of a server. Nova takes them with the creation, and lists can be asked for them.
const (
	portTag   = "mcic-port="       // the port that it was created with
	customTag = "mcic-customimage" // what it booted is one of ours
	userTag   = "mcic-user="       // who logs in to it, as its image says
	resizeTag = "mcic-resize="     // the change that has asked for its last resize
	maxUser   = 32                 // characters of a name: https://man7.org/linux/man-pages/man8/useradd.8.html
)

// propUser is the property of an image that says who logs in to what booted it.
// https://docs.openstack.org/glance/latest/admin/useful-image-properties.html
const propUser = "os_admin_user"

const deleted = "DELETED" // the status of what Nova and Octavia still show for a moment

func (s *Session) vms() vms {
	v := vms{collection[resource.VMSpec, resource.VMStatus, server]{
		Session: s, service: s.compute, one: "server", many: "servers", path: "servers", list: "servers/detail", narrow: byToken("tags", tokenTag), show: showVM,
	}}
	v.beside = func(ctx context.Context, query url.Values) func([]shown[server]) ([]shown[server], error) {
		return portsBeside(ctx, s.nics(), query, "device_id", deviceOf, func(x shown[server]) string { return x.ID }, func(x *server, near []ports.Port) { x.near = near })
	}
	return v
}

// Make boots a server on a port that it makes before, or finds: it is marked with the token,
// too.
func (v vms) Make(ctx context.Context, r driver.Request[resource.VMSpec]) (vm, error) {
	flavor, err := v.flavor(ctx, r.Spec.Spec)
	if err != nil {
		return vm{}, err
	}
	image, err := get[sdk.Image](ctx, v.image, "", "images", cmp.Or(r.Spec.Image, r.Spec.CustomImage))
	if err != nil { // before anything is made
		return vm{}, err
	}
	port, err := v.port(ctx, r)
	if err != nil {
		return vm{}, err
	}
	id, err := v.boot(ctx, r, flavor, image.is, port.ID)
	if err != nil {
		return vm{}, v.letGo(ctx, port, err)
	}
	return vm{ID: id, Name: r.Name, Token: r.Token, State: resource.StateCreating, Spec: r.Spec}, nil
}

// Delete removes a server and the port that it was created with, which Nova would leave. The
// port goes first: afterwards nobody would know whose it was. A tag says which it is: a server
// that could not be booted has it no more.
func (v vms) Delete(ctx context.Context, id string) error {
	found, err := v.look(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	if found.is.Locked != nil && *found.is.Locked {
		return resource.Errorf(resource.CodeConflict, "the server %s is locked; unlock it first", id)
	}
	if port := tagOf(found.Tags, portTag); port != "" {
		if err := v.nics().collection.Delete(ctx, port); err != nil {
			return err
		}
	}
	return driver.Except(coded(servers.Delete(ctx, v.compute, id).Err), resource.CodeNotFound)
}

// Start powers a server on. Nova has an action of its own for each way to be stopped, and
// refuses the others; most servers are shut off.
// https://docs.openstack.org/api-guide/compute/server_concepts.html#server-status
func (v vms) Start(ctx context.Context, id string) error {
	refused := coded(servers.Start(ctx, v.compute, id).Err)
	if resource.CodeOf(refused) != resource.CodeConflict {
		return refused
	}
	found, err := v.look(ctx, id)
	switch {
	case err != nil:
		return err
	case found.is.TaskState != "":
		return driver.Wait(pause, "Nova is at work on the server %s: %s", id, found.is.TaskState)
	}
	switch found.is.Status {
	case "ACTIVE":
		return nil
	case "PAUSED":
		return coded(servers.Unpause(ctx, v.compute, id).Err)
	case "SUSPENDED":
		return coded(servers.Resume(ctx, v.compute, id).Err)
	case "SHELVED", "SHELVED_OFFLOADED":
		return coded(servers.Unshelve(ctx, v.compute, id, servers.UnshelveOpts{}).Err)
	default:
		return refused
	}
}

// Stop shuts a server down.
func (v vms) Stop(ctx context.Context, id string) error {
	return coded(servers.Stop(ctx, v.compute, id).Err)
}

// Reboot restarts a server.
func (v vms) Reboot(ctx context.Context, id string) error {
	return coded(servers.Reboot(ctx, v.compute, id, servers.RebootOpts{Type: servers.SoftReboot}).Err)
}

// Resize changes the flavor. Nova keeps the old server until the new one is confirmed. A
// server that no host has room for is as it was before; that this change has asked for it
// already is in a tag.
// https://docs.openstack.org/api-ref/compute/#resize-server-resize-action
func (v vms) Resize(ctx context.Context, id string, to resource.VMSize) error {
	found, err := v.look(ctx, id)
	if err != nil {
		return err
	}
	if found.is.TaskState != "" || found.is.Status == "RESIZE" {
		return driver.Wait(pause, "the server %s is being changed: %s", id, cmp.Or(found.is.TaskState, found.is.Status))
	}
	flavor, err := v.flavor(ctx, to.Spec)
	if err != nil {
		return err
	}
	is := found.is.Flavor["original_name"] == flavor.Name
	asked := tagOf(found.Tags, resizeTag)
	switch {
	case found.is.Status == "VERIFY_RESIZE" && is:
		return coded(servers.ConfirmResize(ctx, v.compute, id).Err)
	case slices.Contains(frozen(), found.is.Status):
		return resource.Errorf(resource.CodeConflict, "the server is %s, and Nova resizes only what is shut off; start it and stop it, and try again", found.is.Status)
	case found.is.Status == "ERROR":
		reason := cmp.Or(found.is.Fault.Message, "Nova does not say why")
		return resource.Errorf(cmp.Or(reasonCode(reason), resource.CodeConflict), "the server could not be resized: %s", reason)
	case is:
		return nil
	case asked != "" && asked == driver.Operation(ctx):
		return resource.Errorf(resource.CodeCapacity, "no host has room for the server with the spec %s; %s", to.Spec, adviceCapacity)
	}
	if err := coded(servers.Resize(ctx, v.compute, id, servers.ResizeOpts{FlavorRef: flavor.ID}).Err); err != nil {
		return err
	}
	tags := slices.DeleteFunc(found.Tags, func(tag string) bool { return strings.HasPrefix(tag, resizeTag) })
	err = put(ctx, v.compute, map[string]any{"tags": append(tags, resizeTag+driver.Operation(ctx))}, "servers", id, "tags")
	return driver.Then(err, pause, "the server %s is being resized, which is confirmed next", id)
}

// Label changes the metadata.
func (v vms) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return inMetadata().Apply(change, func(set []driver.Tag) error {
		return coded(servers.UpdateMetadata(ctx, v.compute, id, servers.MetadataOpts(driver.TagMap(set))).Err)
	}, func(keys []string) error {
		for _, key := range keys {
			if err := driver.Except(coded(servers.DeleteMetadatum(ctx, v.compute, id, key).Err), resource.CodeNotFound); err != nil {
				return err
			}
		}
		return nil
	})
}

// Password answers what the guest has put into Nova: cloudbase-init does so on Windows.
func (v vms) Password(ctx context.Context, id string) (resource.VMPassword, error) {
	sealed, err := servers.GetPassword(ctx, v.compute, id).ExtractPassword(nil)
	switch {
	case err != nil:
		return resource.VMPassword{}, coded(err)
	case sealed == "":
		return resource.VMPassword{}, resource.Errorf(resource.CodeNotFound, "the server has set no password yet; Windows images with cloudbase-init do so some minutes after the first start")
	}
	return resource.VMPassword{User: "Admin", EncryptedPassword: sealed}, nil
}

// Console answers what Nova keeps: it is asked for no more lines than are wanted, and some of
// its hypervisors answer all.
func (v vms) Console(ctx context.Context, id string, which resource.ConsoleLines) (resource.VMConsole, error) {
	text, err := servers.ShowConsoleOutput(ctx, v.compute, id, servers.ShowConsoleOutputOpts{Length: which.Lines}).Extract()
	switch {
	case err != nil:
		return resource.VMConsole{}, coded(err)
	case text == "":
		return resource.VMConsole{}, resource.Errorf(resource.CodeNotFound, "the server has written nothing to its console yet; ask again when it has booted")
	}
	return resource.VMConsole{Output: which.Of(text)}, nil
}

// port answers the port that a server is to boot on. One that has a server already is of a
// creation that Nova did not list yet.
func (v vms) port(ctx context.Context, r driver.Request[resource.VMSpec]) (nic, error) {
	m := mark{token: r.Token, more: firstOfVM}
	for found, err := range v.nics().bare(ctx, m.query()) {
		if err == nil && found.Status.VM != "" {
			err = driver.Wait(pause, "Nova does not list the server %s yet, which the port %s has", found.Status.VM, found.ID)
		}
		return found, err
	}
	return v.nics().port(ctx, m, r.Name, resource.NICSpec{Subnet: r.Spec.Subnet, SecurityGroups: r.Spec.SecurityGroups})
}

// letGo removes the port of a server that cannot be booted, unless a repeat may need it.
func (v vms) letGo(ctx context.Context, port nic, why error) error {
	if resource.CodeOf(why) == resource.CodeDependency { // it has a server by now
		return driver.Wait(pause, "another try to create the VM is under way: %s", why)
	}
	if resource.AsError(why).Retryable || ctx.Err() != nil {
		return why
	}
	if err := v.nics().collection.Delete(ctx, port.ID); err != nil {
		return fmt.Errorf("%w; its port could not be removed: %w", why, err)
	}
	return why
}

func (v vms) boot(ctx context.Context, r driver.Request[resource.VMSpec], flavor flavors.Flavor, image sdk.Image, port string) (string, error) {
	opts := servers.CreateOpts{
		Name: r.Name, FlavorRef: flavor.ID, ImageRef: image.ID, BlockDevice: rootDisk(r.Spec, image, flavor), AvailabilityZone: v.zone,
		Networks: []servers.Network{{Port: port}}, Metadata: driver.TagMap(inMetadata().Write("", "", r.Labels)), Tags: []string{tokenTag + r.Token, portTag + port}, AdminPass: r.Spec.AdminPassword,
	}
	if r.Spec.CustomImage != "" {
		opts.Tags = append(opts.Tags, customTag)
	}
	if user := property(image, propUser); user != "" && len(user) <= maxUser && !strings.ContainsAny(user, "/,") { // which tags cannot have
		opts.Tags = append(opts.Tags, userTag+user)
	}
	if r.Spec.UserData != "" {
		opts.UserData = []byte(r.Spec.UserData)
	}
	if v.settings.Bool(settingDrive) {
		opts.ConfigDrive = new(true)
	}
	nova := *v.compute
	if disk := opts.BlockDevice; disk != nil {
		opts.ImageRef = "" // the disk says it
		if disk[0].VolumeType != "" {
			nova.Microversion = "2.67" // the first that chooses the type
		}
	}
	made, err := answer[struct{}](servers.Create(ctx, &nova, keypairs.CreateOptsExt{CreateOptsBuilder: opts, KeyName: r.Spec.KeyPair}, nil).Result, "server")
	return made.ID, err // the rest of Nova's answer is a password
}

// rootDisk answers the volume to boot from: if one is asked for, or if the flavor brings
// no disk. nil is the flavor's own disk.
func rootDisk(s resource.VMSpec, image sdk.Image, flavor flavors.Flavor) []servers.BlockDevice {
	if s.RootDiskSizeGiB == 0 && s.RootDiskType == "" && flavor.Disk > 0 {
		return nil
	}
	return []servers.BlockDevice{{
		SourceType: servers.SourceImage, DestinationType: servers.DestinationVolume, UUID: image.ID,
		VolumeSize: cmp.Or(s.RootDiskSizeGiB, max(flavor.Disk, imageGiB(image), 1)), VolumeType: s.RootDiskType, DeleteOnTermination: true,
	}}
}

// flavor finds a flavor by its name: Nova wants the id.
func (v vms) flavor(ctx context.Context, name string) (flavors.Flavor, error) {
	for flavor, err := range items[flavors.Flavor](ctx, v.Session, v.compute, "flavors/detail", "flavors", nil) {
		if err != nil || flavor.Name == name || flavor.ID == name {
			return flavor, err
		}
	}
	return flavors.Flavor{}, resource.Errorf(resource.CodeNotFound, "the cloud has no spec (flavor) %s for this project", name)
}

func showVM(x shown[server], o *vm) {
	o.State, o.CloudState = vmState(x.is.Server)
	o.Reason = x.is.Fault.Message
	o.Code = reasonCode(o.Reason)
	_, _, o.Labels = inMetadata().Read(maps.All(x.is.Metadata))
	image, _ := x.is.Image["id"].(string) // none if it booted from a volume
	o.Spec.Spec, _ = x.is.Flavor["original_name"].(string)
	o.Spec.KeyPair, o.Spec.Image = x.is.KeyName, image
	o.Token, o.Status.SSHUser = tagOf(x.Tags, tokenTag), tagOf(x.Tags, userTag)
	if slices.Contains(x.Tags, customTag) {
		o.Spec.Image, o.Spec.CustomImage = "", image
	}
	o.Status.Zone = x.is.AvailabilityZone
	o.Status.PublicAddress = publicAddress(x.is.Server)
	if len(x.is.near) > 0 {
		own := x.is.near[0]
		a := addressesOf(own)
		o.Spec.SecurityGroups, o.Spec.Subnet = own.SecurityGroups, a.subnet()
		o.Status.PrivateAddress, o.Status.IPv6Addresses = a.primary(), a.six
	}
}

// inMetadata are the labels: Nova takes no slash in keys, and labels have no colon. The token
// is in a tag.
func inMetadata() driver.Tags { return driver.Tags{Slash: ":"} }

// frozen are the states of a server that is stopped, but not shut off.
func frozen() []string { return []string{"PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED"} }

// vmState translates Nova's words: what it does at the moment goes before what the
// server is. A server in RESCUE runs another system, to be repaired: nothing can be done
// with it until that is over.
// https://docs.openstack.org/nova/latest/reference/vm-states.html
func vmState(x servers.Server) (resource.State, string) {
	word, task := x.Status, x.TaskState
	if task != "" {
		word += "/" + task
	}
	switch {
	case slices.Contains([]string{"powering-on", "unpausing", "resuming", "unshelving"}, task), task == "spawning" && x.Status == "SHELVED_OFFLOADED":
		return resource.StateStarting, word
	case slices.Contains([]string{"powering-off", "pausing", "suspending"}, task), strings.HasPrefix(task, "shelving"):
		return resource.StateStopping, word
	case task == "deleting" || task == "soft-deleting":
		return resource.StateDeleting, word
	case strings.HasPrefix(task, "reboot"):
		return resource.StateRebooting, word
	case strings.HasPrefix(task, "resize"), strings.HasPrefix(task, "rebuild"), task == "rescuing" || task == "unrescuing" || task == "restoring" || task == "migrating":
		return resource.StateUpdating, word
	case slices.Contains(frozen(), x.Status):
		return resource.StateStopped, word
	}
	state, _ := driver.StateOf(x.Status, map[string]resource.State{
		"ACTIVE": resource.StateRunning, "PASSWORD": resource.StateRunning, "BUILD": resource.StateCreating, "ERROR": resource.StateFailed, "SHUTOFF": resource.StateStopped,
		"REBOOT": resource.StateRebooting, "HARD_REBOOT": resource.StateRebooting, "RESCUE": resource.StateUpdating,
		"RESIZE": resource.StateUpdating, "VERIFY_RESIZE": resource.StateUpdating, "REVERT_RESIZE": resource.StateUpdating, "MIGRATING": resource.StateUpdating, "REBUILD": resource.StateUpdating,
		deleted: resource.StateDeleted, "SOFT_DELETED": resource.StateDeleting,
	})
	return state, word
}

// publicAddress reads the floating IP of a server.
func publicAddress(x servers.Server) string {
	for _, name := range slices.Sorted(maps.Keys(x.Addresses)) {
		entries, _ := x.Addresses[name].([]any)
		for _, entry := range entries {
			fields, _ := entry.(map[string]any)
			if address, ok := fields["addr"].(string); ok && fields["OS-EXT-IPS:type"] == "floating" {
				return address
			}
		}
	}
	return ""
}
