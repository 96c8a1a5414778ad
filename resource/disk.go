package resource

import "context"

// Disk is the kind of block storage that outlives VMs.
var Disk = define[DiskSpec, DiskStatus](Kind{
	Name:  "disk",
	Title: "Disk",
	Doc:   "A block storage device that VMs can be given; it outlives them.",
	Actions: []Action{
		actionWith(Action{Name: "attach", Doc: "Gives the disk to a VM. Nothing happens if that has it already.", From: []State{StateAvailable}}, DiskAttacher.Attach),
		action(Action{Name: "detach", Doc: "Takes the disk from the VM that has it. Unmount it there first. Nothing happens if none has it.", From: []State{StateAvailable}}, Detacher.Detach),
		changes(actionWith(Action{Name: "resize", Doc: "Makes the disk larger. Its file system is grown inside the VM. Some clouds want it detached.", From: []State{StateAvailable}}, DiskResizer.Resize),
			func(s *DiskSpec, to DiskSize) { s.SizeGiB = to.SizeGiB }),
	},
})

// DiskAttacher is implemented by collections that give disks to VMs. Attaching to
// the VM that has the disk already is no error.
type DiskAttacher interface {
	Attach(ctx context.Context, id string, to DiskAttachment) error
}

// Detacher is implemented by collections that take what is attached away again.
// What is not attached is no error.
type Detacher interface {
	Detach(ctx context.Context, id string) error
}

// DiskResizer is implemented by collections that make disks larger. Resizing to the
// size that the disk has already is no error.
type DiskResizer interface {
	Resize(ctx context.Context, id string, to DiskSize) error
}

// DiskSpec is what a disk is asked to be.
type DiskSpec struct {
	SizeGiB  int    `json:"sizeGiB" doc:"Size in GiB, such as 50. Every cloud has its own least and most." minimum:"1" maximum:"65536"`
	Type     string `json:"type,omitempty" doc:"The cloud's name of the type of disk, such as gp3 on AWS; see the catalog's disktypes. Default: the cloud's choice." completed:"cloud" catalog:"disktype" maxLength:"128"`
	Zone     string `json:"zone,omitempty" doc:"Zone that the disk lives in; only VMs of that zone can have it. Default: the connection's zone, otherwise the cloud's choice." completed:"cloud" catalog:"zone" maxLength:"64"`
	Snapshot string `json:"snapshot,omitempty" doc:"Name of a snapshot to fill the disk from. Default: an empty disk." ref:"snapshot,weak" maxLength:"512"`
}

// DiskStatus is what the cloud reports of a disk.
type DiskStatus struct {
	VM     string `json:"vm,omitempty" doc:"VM that has the disk." ref:"vm"`
	Device string `json:"device,omitempty" doc:"Name that the cloud gives the disk on that VM, such as /dev/sdf. The VM's own name for it may differ."`
}

// DiskAttachment is the parameter of a disk's attach.
type DiskAttachment struct {
	VM string `json:"vm" doc:"Name of the VM, in the disk's zone." ref:"vm" minLength:"1" maxLength:"512"`
}

// DiskSize is the parameter of a disk's resize.
type DiskSize struct {
	SizeGiB int `json:"sizeGiB" doc:"New size in GiB, more than the disk has now, such as 100." minimum:"1" maximum:"65536"`
}
