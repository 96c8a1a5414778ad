package spider

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// VMInfo is CB-Spider's VM.
type VMInfo struct {
	IId               IID
	StartTime         time.Time
	Region            RegionInfo
	ImageType         string
	ImageIId          IID
	VMSpecName        string
	VpcIID            IID
	SubnetIID         IID
	SecurityGroupIIds []IID
	KeyPairIId        IID
	RootDiskType      string
	RootDiskSize      string
	RootDeviceName    string
	DataDiskIIDs      []IID `json:",omitempty"`
	VMUserId          string
	NetworkInterface  string
	PublicIP          string
	PrivateIP         string
	Platform          string
	SSHAccessPoint    string `json:",omitempty"`
	AccessPoint       string
	TagList           []KeyValue `json:",omitempty"`
	KeyValueList      []KeyValue `json:",omitempty"`
}

// RegionInfo is where a VM runs.
type RegionInfo struct {
	Region string
	Zone   string `json:",omitempty"`
}

type vmRequest struct {
	named
	ImageType, ImageName, VMSpecName  text
	VPCName, SubnetName, KeyPairName  text
	SecurityGroupNames, DataDiskNames []text
	RootDiskType, RootDiskSize        text
	VMUserId                          text
}

// The types of images.
const (
	publicImage = "PublicImage"
	ownImage    = "MyImage"
)

// vmUser is the user that CB-Spider makes on every VM, and its clients log in as.
const vmUser = "cb-user"

// userData has a VM's system make that user. https://cloudinit.readthedocs.io/en/latest/reference/examples.html
const userData = `#cloud-config
users:
  - default
  - name: ` + vmUser + `
    shell: /bin/bash
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys:
      - %s
`

func vm() *kind {
	k := &kind{
		of: resource.VM.Kind, path: "vm", envelope: "vm", word: "vm", title: "VM", deleted: VMStatus{"Terminating"},
		fields: map[string]string{
			"image": "ImageName", "customimage": "ImageName", "spec": "VMSpecName", "subnet": "SubnetName", "keypair": "KeyPairName",
			"securitygroups": "SecurityGroupNames", "rootDiskSizeGiB": "RootDiskSize", "labels": "TagList", "then": "DataDiskNames",
		},
	}
	k.create = func(r *request) ([]wanted, error) {
		items, err := creates(k.of, vmSpec)(r)
		if err != nil {
			return nil, err
		}
		items[0].then, err = r.attachments(items[0])
		return items, err
	}
	k.info = vmInfo
	return k
}

func vmSpec(t *translation, req vmRequest) resource.VMSpec {
	if req.VPCName == "" {
		t.problems = append(t.problems, resource.Problem{Field: "VPCName", Message: "is required"})
	}
	spec := resource.VMSpec{
		Image: string(req.ImageName), Spec: string(req.VMSpecName), Subnet: t.subnet(req.VPCName, req.SubnetName),
		SecurityGroups: t.allOurs(securityGroup(), "", req.SecurityGroupNames), KeyPair: t.ours(keyPair(), "", req.KeyPairName),
		RootDiskType: t.rootDisk(req.RootDiskType), RootDiskSizeGiB: req.RootDiskSize.number("RootDiskSize", &t.problems),
	}
	switch {
	case strings.EqualFold(string(req.ImageType), ownImage):
		spec.Image, spec.CustomImage = "", t.ours(myImage(), "", req.ImageName)
	case req.ImageType != "" && !strings.EqualFold(string(req.ImageType), publicImage):
		t.problems = append(t.problems, resource.Problem{Field: "ImageType", Message: fmt.Sprintf("%q is neither %s nor %s", shorten(string(req.ImageType)), publicImage, ownImage)})
	}
	if key, err := t.server.Inventory.Get(t.Context(), t.connection, resource.KeyPair.Name, spec.KeyPair); err == nil {
		spec.UserData = fmt.Sprintf(userData, read[resource.KeyPairSpec](key.Effective).PublicKey)
	}
	return spec
}

// attachments give a new VM the disks that are asked for with it.
func (r *request) attachments(to wanted) ([]resource.FollowUp, error) {
	var req vmRequest
	if err := r.decode(&req); err != nil {
		return nil, err
	}
	params, err := resource.ParamsOf(resource.DiskAttachment{VM: resource.NameFrom(to.name, to.kind.Name)})
	if err != nil {
		return nil, err
	}
	t, err := r.translation()
	if err != nil {
		return nil, err
	}
	var then []resource.FollowUp
	for i, name := range req.DataDiskNames {
		if slices.Contains(req.DataDiskNames[:i], name) {
			return nil, invalid("DataDiskNames", "has %s twice", shorten(string(name)))
		}
		then = append(then, resource.FollowUp{Kind: resource.Disk.Name, Name: t.ours(disk(), "", name), Action: "attach", Params: params})
	}
	return then, t.done()
}

func vmInfo(v *view, r *resource.Resource, _ map[string]string) any {
	spec, status, place := read[resource.VMSpec](r.Effective), read[resource.VMStatus](r.Status), v.place()
	info := VMInfo{
		IId: v.iidOf(r), StartTime: r.CreatedAt, Region: RegionInfo{place.Region, status.Zone},
		ImageType: publicImage, ImageIId: IID{spec.Image, spec.Image}, VMSpecName: spec.Spec,
		VpcIID: v.vpcOf(spec.Subnet), SubnetIID: v.iid(resource.Subnet.Name, spec.Subnet),
		SecurityGroupIIds: v.iids(resource.SecurityGroup.Name, spec.SecurityGroups), KeyPairIId: v.iid(resource.KeyPair.Name, spec.KeyPair),
		RootDiskType: spec.RootDiskType, RootDiskSize: whole(spec.RootDiskSizeGiB), DataDiskIIDs: v.disksOf(r),
		PublicIP: status.PublicAddress, PrivateIP: status.PrivateAddress,
		TagList: tags(r.Labels), KeyValueList: native(r),
	}
	if spec.CustomImage != "" {
		info.ImageType, info.ImageIId = ownImage, v.iid(resource.CustomImage.Name, spec.CustomImage)
	}
	info.VMUserId = status.SSHUser
	if strings.Contains(spec.UserData, "name: "+vmUser) {
		info.VMUserId = vmUser
	}
	if status.PublicAddress != "" {
		info.SSHAccessPoint = fmt.Sprintf("%s:%d", status.PublicAddress, cmp.Or(status.SSHPort, 22))
	}
	return info
}

// disksOf answers the disks that a VM has.
func (v *view) disksOf(vm *resource.Resource) []IID {
	if v.owned == nil {
		v.owned = map[string][]IID{}
		v.look(resource.Disk.Name)
		for _, d := range v.all(resource.Disk.Name) {
			if owner := read[resource.DiskStatus](d.Status).VM; owner != "" {
				v.owned[owner] = append(v.owned[owner], v.iidOf(d))
			}
		}
		for _, ids := range v.owned {
			slices.SortFunc(ids, func(a, b IID) int { return strings.Compare(a.NameId, b.NameId) })
		}
	}
	return v.owned[referred(vm)]
}

// VMStatus is the state of a VM in CB-Spider's words.
type VMStatus struct{ Status string }

// VMStatusInfo is the same with the VM.
type VMStatusInfo struct {
	IId      IID
	VmStatus string
}

func vmStatus(r *resource.Resource) string {
	switch r.State {
	case resource.StatePending, resource.StateCreating:
		return "Creating"
	case resource.StateRunning:
		return "Running"
	case resource.StateStopping:
		return "Suspending"
	case resource.StateStopped, resource.StateUpdating: // it is changed while it is stopped
		return "Suspended"
	case resource.StateStarting:
		return "Resuming"
	case resource.StateRebooting:
		return "Rebooting"
	case resource.StateDeleting:
		return "Terminating"
	case resource.StateDeleted:
		return "Terminated"
	case resource.StateFailed:
		return "Failed"
	}
	return "Undefined" // as clients call what they do not know
}

// vmRoutes are those that only VMs have.
func (s *server) vmRoutes() []route {
	k := vm()
	return []route{
		{method: http.MethodGet, path: "/vmstatus", needs: right{people.Read, k.of.Name, connected}, handle: func(r *request) (any, error) {
			connection, err := r.connection()
			if err != nil {
				return nil, err
			}
			items, err := s.fresh(r.Context(), connection, k.of.Name)
			if err != nil {
				return nil, err
			}
			statuses := []VMStatusInfo{}
			v := r.view(connection)
			for _, item := range items {
				statuses = append(statuses, VMStatusInfo{v.iidOf(item), vmStatus(item)})
			}
			return map[string]any{"vmstatus": statuses}, nil
		}},
		{method: http.MethodGet, path: "/vmstatus/{Name}", needs: right{people.Read, k.of.Name, connected}, handle: func(r *request) (any, error) {
			found, err := k.fresh(r)
			if err != nil {
				return nil, err
			}
			return VMStatus{vmStatus(found)}, nil
		}},
		{method: http.MethodGet, path: "/node/{Name}", needs: right{people.Read, k.of.Name, connected}, handle: k.get}, // what a new client calls it
		{method: http.MethodGet, path: "/controlvm/{Name}", needs: right{people.Read, k.of.Name, connected}, handle: k.control, acts: true},
		{method: http.MethodPut, path: "/controlvm/{Name}", needs: right{people.Read, k.of.Name, connected}, handle: k.control},
		{method: http.MethodGet, path: "/cspvm/{Id}", needs: right{people.Read, k.of.Name, connected}, handle: k.getOnCloud},
	}
}

// settledSoon is how long the answer to a control waits for the VM to be there, once
// the cloud has accepted it.
const settledSoon = 2 * time.Second

// control runs suspend, resume and reboot. It answers when the cloud has accepted.
func (k *kind) control(r *request) (any, error) {
	found, err := k.targeted(r)
	if err != nil {
		return nil, err
	}
	action, err := r.need("action")
	if err != nil {
		return nil, err
	}
	ours, ok := map[string]struct{ action, word string }{
		"suspend": {"stop", "Suspending"}, "resume": {"start", "Resuming"}, "reboot": {"reboot", "Rebooting"},
	}[strings.ToLower(action)]
	if !ok {
		return nil, &resource.Error{Code: resource.CodeInvalid, Message: fmt.Sprintf("action: %s is not a valid action!! Use suspend, resume or reboot", shorten(action))}
	}
	op, err := k.act(r, found, ours.action, nil)
	if err != nil {
		return nil, err
	}
	if r.async() {
		return accepted(op), nil
	}
	for op.State == api.OperationQueued && r.Context().Err() == nil {
		if op, err = r.server.Engine.Wait(r.Context(), op.ID, settledSoon); err != nil {
			return nil, err
		}
	}
	if op.State == api.OperationFailed || op.State == api.OperationCancelled {
		return nil, op.Error
	}
	return VMStatus{ours.word}, nil
}

// getOnCloud answers what the cloud knows by an id, managed here or not.
func (k *kind) getOnCloud(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	id, err := r.param("Id")
	if err != nil {
		return nil, err
	}
	v := r.onCloud(connection)
	object, err := v.object(k.of.Name, id)
	if err != nil {
		return nil, err
	}
	if object != nil {
		return k.render(v, object, nil)
	}
	return nil, resource.Errorf(resource.CodeNotFound, "%s '%s' does not exist on the cloud of connection '%s'", k.title, id, connection)
}
