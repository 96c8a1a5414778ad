package resource

// CustomImage is the kind of images made from VMs.
var CustomImage = define[CustomImageSpec, CustomImageStatus](Kind{
	Name:  "customimage",
	Title: "Custom image",
	Doc:   "An image made from a VM, from which more VMs can be created.",
})

// CustomImageSpec is what a custom image is asked to be.
type CustomImageSpec struct {
	VM          string `json:"vm" doc:"Name of the VM to make the image from. Stop it first if nothing must be lost: a running VM is imaged as it is, without a restart." ref:"vm,weak" minLength:"1" maxLength:"512"`
	Description string `json:"description,omitempty" doc:"Free text." maxLength:"255"`
}

// CustomImageStatus is what the cloud reports of a custom image.
type CustomImageStatus struct {
	Architecture string `json:"architecture,omitempty" doc:"Processor architecture: x86_64 or arm64."`
	DiskSizeGiB  int    `json:"diskSizeGiB,omitempty" doc:"Smallest root disk that it fits on, in GiB."`
}
