package spider

import (
	"net/http"
	"strconv"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// DiskInfo is CB-Spider's disk.
type DiskInfo struct {
	IId          IID
	Zone         string
	DiskType     string
	DiskSize     string
	Status       string
	OwnerVM      IID
	CreatedTime  time.Time
	TagList      []KeyValue `json:",omitempty"`
	KeyValueList []KeyValue `json:",omitempty"`
}

type diskRequest struct {
	named
	Zone, DiskType, DiskSize text
}

// defaultDiskGiB is the size of a disk for which a client asks for the default.
const defaultDiskGiB = 50

func disk() *kind {
	k := &kind{
		of: resource.Disk.Kind, path: "disk", envelope: "disk", word: "disk", title: "Disk",
		fields: map[string]string{"sizeGiB": "DiskSize", "type": "DiskType", "vm": "VMName", "labels": "TagList"},
	}
	k.create = creates(k.of, func(t *translation, req diskRequest) resource.DiskSpec {
		spec := resource.DiskSpec{Type: req.DiskType.chosen(), Zone: req.Zone.chosen(), SizeGiB: defaultDiskGiB}
		if req.DiskSize.chosen() != "" {
			spec.SizeGiB = req.DiskSize.number("DiskSize", &t.problems)
		}
		return spec
	})
	k.info = func(v *view, r *resource.Resource, _ map[string]string) any {
		spec, status := read[resource.DiskSpec](r.Effective), read[resource.DiskStatus](r.Status)
		return DiskInfo{
			IId: v.iidOf(r), Zone: spec.Zone, DiskType: spec.Type, DiskSize: strconv.Itoa(spec.SizeGiB),
			Status: attachable(r.State, "Attached", status.VM != ""), OwnerVM: v.iid(resource.VM.Name, status.VM), CreatedTime: r.CreatedAt,
			TagList: tags(r.Labels), KeyValueList: native(r),
		}
	}
	k.changes = []change{
		{method: http.MethodPut, path: "/size", action: "resize", params: func(r *request) (any, error) {
			var (
				req      struct{ Size text }
				problems []resource.Problem
			)
			if err := r.decode(&req); err != nil {
				return nil, err
			}
			params := resource.DiskSize{SizeGiB: req.Size.number("Size", &problems)}
			return params, resource.Invalid(problems...)
		}},
		{method: http.MethodPut, path: "/attach", action: "attach", info: true, params: func(r *request) (any, error) {
			vm, err := r.existing(vm(), "VMName")
			return resource.DiskAttachment{VM: vm}, err
		}},
		{method: http.MethodPut, path: "/detach", action: "detach", check: func(r *request, found *resource.Resource) error {
			return r.attachedTo(found.Connection, read[resource.DiskStatus](found.Status).VM)
		}},
	}
	return k
}

// attachable is the state of what is attached to VMs in CB-Spider's words.
func attachable(s resource.State, used string, isUsed bool) string {
	switch s {
	case resource.StatePending, resource.StateCreating:
		return "Creating"
	case resource.StateDeleting, resource.StateDeleted:
		return "Deleting"
	case resource.StateFailed, resource.StateUnknown:
		return "Error"
	}
	if isUsed {
		return used
	}
	return "Available"
}

// existing reads the name of a resource that must be there, and answers that which it has
// here.
func (r *request) existing(k *kind, field string) (string, error) {
	name, err := r.need(field)
	if err != nil {
		return "", err
	}
	connection, err := r.connection()
	if err != nil {
		return "", err
	}
	if err := r.may(people.Read, k.of.Name, connection); err != nil {
		return "", err
	}
	found, err := k.find(r, connection, "", name)
	if err != nil {
		return "", err
	}
	return found.Name, nil
}

// attachedTo refuses a call that names another VM than the one that has it.
func (r *request) attachedTo(connection, owner string) error {
	name, err := r.existing(vm(), "VMName")
	if err == nil && owner != "" && owner != name {
		v := r.view(connection)
		err = resource.Errorf(resource.CodeConflict, "VMName: it is attached to the VM %s, not to %s", v.iid(resource.VM.Name, owner).NameId, v.iid(resource.VM.Name, name).NameId)
	}
	return err
}
