package openstack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"net/http"
	"net/url"

	"github.com/gophercloud/gophercloud/v2"
	snap "github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	sdk "github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A custom image is an image that was made from a server; its properties say so, and
// carry the token.
type (
	customImages struct{ *Session }
	customImage  = driver.Object[resource.CustomImageSpec, resource.CustomImageStatus]
)

const (
	propToken       = "mcic_uid"
	propAttempt     = "mcic_attempt" // one call to make an image
	propDescription = "mcic_description"
	propServer      = "instance_uuid"        // Nova's
	propMapping     = "block_device_mapping" // Nova's, if the server had booted from a volume
)

// List answers the project's images that were made from servers.
func (c customImages) List(ctx context.Context, f driver.Filter) iter.Seq2[customImage, error] {
	switch {
	case f.Token != "":
		return c.describe(ctx, url.Values{propToken: {f.Token}})
	case few(f):
		return each(ctx, f.IDs, c.Get)
	}
	return c.describe(ctx, nil)
}

// Get answers one image.
func (c customImages) Get(ctx context.Context, id string) (customImage, error) {
	found, err := c.raw(ctx, id)
	if err != nil {
		return customImage{}, err
	}
	return c.object(found), nil
}

// Make asks Nova for an image of a server. The properties come with the creation.
func (c customImages) Make(ctx context.Context, r driver.Request[resource.CustomImageSpec]) (customImage, error) {
	if _, err := ours().Texts(r.Labels); err != nil {
		return customImage{}, err
	}
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
	tags, err := complete(o, r.Labels)
	switch {
	case err != nil || len(tags) == 0:
		return o, err
	case !o.State.Settled():
		return o, driver.Wait(pause, "the image %s is being made; its labels follow", r.Name)
	}
	o.Labels = r.Labels
	return o, c.tag(ctx, o.ID, tags)
}

// Delete removes an image, and the snapshots that Nova has made for it if its server
// had booted from a volume. Those that are managed by themselves stay, and so do those that
// an image of others names: it may have been registered from them.
func (c customImages) Delete(ctx context.Context, id string) error {
	found, err := c.raw(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	for _, snapshot := range snapshotsOf(found.is) {
		there, err := snapshots(c).Get(ctx, snapshot)
		if resource.CodeOf(err) == resource.CodeNotFound || err == nil && driver.WhoseIs(there.Token, property(found.is, propToken), true) == driver.Stranger {
			continue
		}
		if err == nil {
			err = coded(snap.Delete(ctx, c.volume, snapshot).Err)
		}
		if err := removed(ctx, snapshot, err, snapshots(c).Get); err != nil {
			return err
		}
	}
	return driver.Except(coded(sdk.Delete(ctx, c.image, id).Err), resource.CodeNotFound)
}

// Label changes the tags.
func (c customImages) Label(ctx context.Context, id string, change resource.LabelChange) error {
	found, err := c.raw(ctx, id)
	if err != nil {
		return err
	}
	tags, err := ours().ChangeTexts(found.is.Tags, change)
	if err != nil {
		return err
	}
	return c.tag(ctx, id, tags)
}

// abandon deletes the image of an attempt that Nova could not begin. Nova makes the image
// first, finds out then that another one of the server is being made, and leaves the first
// as it is: a repeat would wait for it forever. The other one may have the same token.
func (c customImages) abandon(ctx context.Context, attempt string) error {
	for left, err := range c.describe(ctx, url.Values{propAttempt: {attempt}}) {
		if err != nil {
			return err
		}
		return c.Delete(ctx, left.ID)
	}
	return nil
}

func (c customImages) tag(ctx context.Context, id string, tags []string) error {
	body := []map[string]any{{"op": "replace", "path": "/tags", "value": tags}}
	glance := *c.image
	glance.MoreHeaders = map[string]string{"Content-Type": "application/openstack-images-v2.1-json-patch"}
	return request(ctx, &glance, http.MethodPatch, "images/"+id, body, nil)
}

// raw answers an image that is gone as not found: Glance may still show it.
func (c customImages) raw(ctx context.Context, id string) (shown[sdk.Image], error) {
	found, err := get[sdk.Image](ctx, c.image, "", "images", id)
	if err == nil && found.is.Status == sdk.ImageStatusDeleted {
		err = resource.Errorf(resource.CodeNotFound, "the image %s is deleted", id)
	}
	return found, err
}

func (c customImages) describe(ctx context.Context, query url.Values) iter.Seq2[customImage, error] {
	mine := url.Values{"owner": {c.project}}
	maps.Copy(mine, query)
	return driver.Items(only(list[sdk.Image](ctx, c.Session, c.image, "images", "images", mine), isCustom), c.object)
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

func (customImages) object(x shown[sdk.Image]) customImage {
	o := object[resource.CustomImageSpec, resource.CustomImageStatus](x.is.ID, x.is.Name, x)
	o.Token, o.Labels, o.CreatedAt = property(x.is, propToken), readLabels(x.is.Tags), at(x.is.CreatedAt)
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
	return o
}
