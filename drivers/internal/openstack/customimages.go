package openstack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	sdk "github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A custom image is an image that was made from a server; its properties say so, and
// carry the token.
type (
	customImages struct {
		collection[resource.CustomImageSpec, resource.CustomImageStatus, sdk.Image]
	}
	customImage = driver.Object[resource.CustomImageSpec, resource.CustomImageStatus]
)

const (
	propToken       = "mcic_uid"
	propAttempt     = "mcic_attempt" // one call to make an image
	propDescription = "mcic_description"
	propServer      = "instance_uuid"        // Nova's
	propMapping     = "block_device_mapping" // Nova's, if the server had booted from a volume
)

func (s *Session) customImages() customImages {
	return customImages{collection[resource.CustomImageSpec, resource.CustomImageStatus, sdk.Image]{
		Session: s, service: s.image, many: "images", path: "images", whose: "owner", meant: isCustom, show: showCustomImage,
		narrow: byToken(propToken, ""),
		setTags: func(ctx context.Context, id string, tags []string) error {
			glance := *s.image
			glance.MoreHeaders = map[string]string{"Content-Type": "application/openstack-images-v2.1-json-patch"}
			return request(ctx, &glance, http.MethodPatch, "images/"+id, []map[string]any{{"op": "replace", "path": "/tags", "value": tags}}, nil)
		},
	}}
}

// Make asks Nova for an image of a server. The properties come with the creation.
func (c customImages) Make(ctx context.Context, r driver.Request[resource.CustomImageSpec]) (customImage, error) {
	attempt := rand.Text()
	properties := map[string]string{propToken: r.Token, propAttempt: attempt}
	if r.Spec.Description != "" {
		properties[propDescription] = r.Spec.Description
	}
	id, err := servers.CreateImage(ctx, c.compute, r.Spec.VM, servers.CreateImageOpts{Name: r.Name, Metadata: properties}).ExtractImageID()
	if gophercloud.ResponseCodeIs(err, http.StatusInternalServerError) {
		return customImage{}, errors.Join(coded(err), c.abandon(ctx, attempt))
	}
	return customImage{ID: id, Name: r.Name, Token: r.Token, State: resource.StateCreating, Spec: r.Spec}, coded(err)
}

// Complete gives an image its labels, when it is there: what Nova writes of it at the same
// time would take them away again. Until Nova begins with an image, the process that has asked
// for it may yet hear that it cannot, and remove it ([customImages.abandon]).
func (c customImages) Complete(ctx context.Context, r driver.Request[resource.CustomImageSpec], o customImage) (customImage, error) {
	if o.CloudState == string(sdk.ImageStatusQueued) {
		return o, driver.Wait(pause, "Nova has not begun yet with the image %s", r.Name)
	}
	if tags, err := lacking(o, r.Labels); err == nil && len(tags) > 0 && !o.State.Settled() {
		return o, driver.Wait(pause, "the image %s is being made; its labels follow", r.Name)
	}
	return c.tag(ctx, o, r.Labels)
}

// Delete removes an image, and the snapshots that Nova has made for it if its server
// had booted from a volume. Those that are managed by themselves stay, and so do those that
// an image of others names: it may have been registered from them.
func (c customImages) Delete(ctx context.Context, id string) error {
	found, err := c.look(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	for _, snapshot := range snapshotsOf(found.is) {
		there, err := c.snapshots().Get(ctx, snapshot)
		if resource.CodeOf(err) == resource.CodeNotFound || err == nil && driver.WhoseIs(there.Token, property(found.is, propToken), true) == driver.Stranger {
			continue
		}
		if err == nil {
			err = c.snapshots().Delete(ctx, snapshot)
		}
		if err != nil {
			return err
		}
	}
	return c.collection.Delete(ctx, id)
}

// abandon deletes the image of an attempt that Nova could not begin. Nova makes the image
// first, finds out then that another one of the server is being made, and leaves the first
// as it is: a repeat would wait for it forever. The other one may have the same token.
func (c customImages) abandon(ctx context.Context, attempt string) error {
	left, found, err := driver.First(c.objects(ctx, url.Values{propAttempt: {attempt}}))
	if err != nil || !found {
		return err
	}
	return c.Delete(ctx, left.ID)
}

func isCustom(x shown[sdk.Image]) bool {
	return property(x.is, propServer) != "" || property(x.is, propToken) != "" || property(x.is, "image_type") == "snapshot"
}

func property(x sdk.Image, name string) string {
	text, _ := x.Properties[name].(string)
	return text
}

// snapshotsOf reads the ids of the snapshots that an image consists of.
func snapshotsOf(x sdk.Image) []string {
	var mapping []struct {
		SnapshotID string `json:"snapshot_id"`
	}
	_ = json.Unmarshal([]byte(property(x, propMapping)), &mapping) // most images have none
	var ids []string
	for _, device := range mapping {
		if device.SnapshotID != "" {
			ids = append(ids, device.SnapshotID)
		}
	}
	return ids
}

func showCustomImage(x shown[sdk.Image], o *customImage) {
	o.Token, o.Labels = property(x.is, propToken), readLabels(x.Tags)
	o.State, o.CloudState = driver.StateOf(x.is.Status, map[sdk.ImageStatus]resource.State{
		sdk.ImageStatusQueued: resource.StateCreating, sdk.ImageStatusSaving: resource.StateCreating, sdk.ImageStatusImporting: resource.StateCreating,
		"uploading": resource.StateCreating, sdk.ImageStatusActive: resource.StateAvailable, sdk.ImageStatusDeactivated: resource.StateFailed,
		sdk.ImageStatusKilled: resource.StateFailed, sdk.ImageStatusPendingDelete: resource.StateDeleting, sdk.ImageStatusDeleted: resource.StateDeleted,
	})
	if x.is.Status == sdk.ImageStatusDeactivated {
		o.Reason = "whoever runs the cloud has deactivated the image, and can activate it again"
	}
	o.Spec = resource.CustomImageSpec{VM: property(x.is, propServer), Description: property(x.is, propDescription)}
	o.Status = resource.CustomImageStatus{Architecture: architecture(property(x.is, "architecture")), DiskSizeGiB: imageGiB(x.is)}
}
