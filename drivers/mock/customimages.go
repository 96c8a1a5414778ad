package mock

import (
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type customImages struct {
	table[resource.CustomImageSpec, resource.CustomImageStatus]
}

func openCustomImages(s *session) customImages {
	collection := customImages{table[resource.CustomImageSpec, resource.CustomImageStatus]{
		s: s, kind: resource.CustomImage, prefix: "cimg", ready: resource.StateAvailable, built: true, show: showCustomImage,
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c customImages) plan(d *draft[resource.CustomImageSpec, resource.CustomImageStatus]) error {
	if err := need("spec.vm", d.spec.VM); err != nil {
		return err
	}
	vm := specOf(c.s, resource.VM, d.spec.VM)
	machine, err := c.s.offer.spec("spec.vm", vm.Spec)
	if err != nil {
		return err
	}
	d.status = resource.CustomImageStatus{Architecture: machine.Architectures[0], DiskSizeGiB: vm.RootDiskSizeGiB}
	return nil
}

// nativeCustomImage is a custom image in the cloud's own words.
type nativeCustomImage struct {
	ImageID          string    `json:"imageId"`
	Name             string    `json:"name"`
	SourceInstanceID string    `json:"sourceInstanceId"`
	Architecture     string    `json:"architecture"`
	State            string    `json:"state"`
	CreationDate     time.Time `json:"creationDate"`
}

func showCustomImage(v *sight[resource.CustomImageSpec, resource.CustomImageStatus]) any {
	return nativeCustomImage{
		ImageID: v.ID, Name: v.Name, SourceInstanceID: v.spec.VM, Architecture: v.status.Architecture, State: cloudState(v.state), CreationDate: v.CreatedAt,
	}
}
