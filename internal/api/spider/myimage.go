package spider

import (
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// MyImageInfo is CB-Spider's image made from a VM.
type MyImageInfo struct {
	IId          IID
	SourceVM     IID
	Status       string
	CreatedTime  time.Time
	TagList      []KeyValue `json:",omitempty"`
	KeyValueList []KeyValue `json:",omitempty"`
}

type myImageRequest struct {
	named
	SourceVM text
}

func myImage() *kind {
	k := &kind{
		of: resource.CustomImage.Kind, path: "myimage", envelope: "myImage", word: "myimage", title: "MyImage",
		fields: map[string]string{"vm": "SourceVM", "labels": "TagList"},
	}
	k.create = creates(k.of, func(t *translation, req myImageRequest) resource.CustomImageSpec {
		return resource.CustomImageSpec{VM: t.ours(vm(), "", req.SourceVM)}
	})
	k.info = func(v *view, r *resource.Resource, _ map[string]string) any {
		info := MyImageInfo{
			IId: v.iidOf(r), SourceVM: v.iid(resource.VM.Name, read[resource.CustomImageSpec](r.Effective).VM), Status: "Unavailable",
			CreatedTime: r.CreatedAt, TagList: tags(r.Labels), KeyValueList: native(r),
		}
		if r.State == resource.StateAvailable {
			info.Status = "Available"
		}
		return info
	}
	return k
}
