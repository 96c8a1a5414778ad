package resource

// Snapshot is the kind of copies of disks.
var Snapshot = define[SnapshotSpec, SnapshotStatus](Kind{
	Name:  "snapshot",
	Title: "Snapshot",
	Doc:   "What a disk held at one moment, from which new disks can be filled.",
})

// SnapshotSpec is what a snapshot is asked to be.
type SnapshotSpec struct {
	Disk        string `json:"disk" doc:"Name of the disk to copy. What a VM has not yet written to it is not in the copy. Most clouds let the disk be deleted afterwards." ref:"disk,weak" minLength:"1" maxLength:"512"`
	Description string `json:"description,omitempty" doc:"Free text." maxLength:"255"`
}

// SnapshotStatus is what the cloud reports of a snapshot.
type SnapshotStatus struct {
	SizeGiB int `json:"sizeGiB,omitempty" doc:"Size of the disk that was copied, in GiB. What is stored and charged is usually less."`
}
