package openstack

import (
	"context"
	"iter"
	"net/url"

	sdk "github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// images answers the images that VMs of the project can boot, without those made from
// servers, which are custom images. What an image holds is what its publisher says in
// the common properties.
// https://docs.openstack.org/glance/latest/admin/useful-image-properties.html
func (s *Session) images(ctx context.Context, q driver.Query) iter.Seq2[resource.Image, error] {
	query := url.Values{"status": {"active"}}
	for _, field := range []string{"id", "name", "owner"} {
		if value := q[field]; value != "" {
			query.Set(field, value)
		}
	}
	all := list[sdk.Image](ctx, s, s.image, "images", "images", query)
	return driver.Items(only(all, func(x shown[sdk.Image]) bool { return !isCustom(x) }), func(x shown[sdk.Image]) resource.Image {
		return resource.Image{
			ID: x.ID, Name: x.Name, Description: property(x.is, "description"),
			OS: property(x.is, "os_distro"), OSVersion: property(x.is, "os_version"), Architecture: architecture(property(x.is, "architecture")),
			DiskSizeGiB: imageGiB(x.is), Owner: x.is.Owner, CreatedAt: x.createdAt(),
		}
	})
}

// architecture translates the words that images use.
func architecture(word string) string {
	return map[string]string{"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[word]
}

// imageGiB is the least disk for an image: what it asks for, or what it holds.
func imageGiB(x sdk.Image) int {
	const gib = 1 << 30
	return max(x.MinDiskGigabytes, int((max(x.VirtualSize, x.SizeBytes)+gib-1)/gib))
}
