package mock

import (
	"cmp"
	"context"
	"reflect"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// buckets belong to the account in all its regions, and their names are those of all
// accounts together. What they hold is in objects.go.
type buckets struct {
	table[resource.BucketSpec, resource.BucketStatus]
}

type bucketDraft = draft[resource.BucketSpec, resource.BucketStatus]

func openBuckets(s *session) buckets {
	collection := buckets{table[resource.BucketSpec, resource.BucketStatus]{
		s: s, kind: resource.Bucket, prefix: "bkt", ready: resource.StateAvailable, drop: s.cloud.objects.drop,
	}}
	collection.prepare, collection.show, collection.holds = collection.plan, collection.shown, collection.holding
	return collection
}

// plan completes and checks a draft.
func (c buckets) plan(d *bucketDraft) error {
	d.spec.Region = cmp.Or(d.spec.Region, c.s.Region)
	if _, err := c.s.cloud.offerIn(d.spec.Region, c.s.offer.anyPlace); err != nil {
		return refuseField("spec.region", "InvalidLocationConstraint", "there is no region %.64q; the regions are: %s", d.spec.Region, c.s.offer.regionNames())
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	d.claims = []claim{{"buckets", d.name}}
	return nil
}

// holding says what keeps a bucket from being deleted.
func (c buckets) holding(id string) error {
	f, err := c.s.cloud.objects.of(id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.things {
		if o.Upload == "" {
			return refuse(resource.CodeDependency, "BucketNotEmpty", "the bucket %s holds objects, or versions of some; delete them first, or empty it", id)
		}
	}
	return nil
}

// SetVersioning implements resource.VersioningSetter.
func (c buckets) SetVersioning(ctx context.Context, id string, to resource.BucketVersioning) error {
	return c.set(ctx, id, "setversioning", func(s *resource.BucketSpec) { s.Versioning = to.Versioning })
}

// SetPublic implements resource.PublicSetter.
func (c buckets) SetPublic(ctx context.Context, id string, to resource.BucketAccess) error {
	return c.set(ctx, id, "setpublic", func(s *resource.BucketSpec) { s.Public = to.Public })
}

// SetCORS implements resource.CORSSetter.
func (c buckets) SetCORS(ctx context.Context, id string, to resource.BucketCORS) error {
	return c.set(ctx, id, "setcors", func(s *resource.BucketSpec) { s.CORS = to.CORS })
}

// SetLifecycle implements resource.LifecycleSetter.
func (c buckets) SetLifecycle(ctx context.Context, id string, to resource.BucketLifecycle) error {
	return c.set(ctx, id, "setlifecycle", func(s *resource.BucketSpec) { s.Lifecycle = to.Lifecycle })
}

// Empty implements resource.Emptier.
func (c buckets) Empty(ctx context.Context, id string) error {
	return c.alter(ctx, id, "empty", resource.StateAvailable, func(*bucketDraft) error { return c.drop(id) })
}

// Usage implements resource.UsageReader.
func (c buckets) Usage(ctx context.Context, id string) (resource.BucketUsage, error) {
	_, now, err := c.read(ctx, id)
	if err != nil {
		return resource.BucketUsage{}, err
	}
	objects, bytes := c.count(id)
	return resource.BucketUsage{Objects: objects, Bytes: bytes, At: now}, nil
}

// set changes the specification of a bucket.
func (c buckets) set(ctx context.Context, id, action string, change func(*resource.BucketSpec)) error {
	return c.alter(ctx, id, action, resource.StateAvailable, func(d *bucketDraft) error {
		before := d.spec
		if change(&d.spec); !reflect.DeepEqual(before, d.spec) {
			d.change = c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// count is how much a bucket holds. What cannot be read is not counted.
func (c buckets) count(id string) (objects, bytes int64) {
	f, err := c.s.cloud.objects.of(id)
	if err != nil {
		return 0, 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.things {
		if o.Upload == "" && !o.Deleted {
			objects++
			bytes += o.Size
		}
	}
	return objects, bytes
}

// nativeBucket is a bucket in the cloud's own words.
type nativeBucket struct {
	BucketID     string    `json:"bucketId"`
	BucketName   string    `json:"bucketName"`
	Location     string    `json:"location"`
	CreationDate time.Time `json:"creationDate"`
}

func (c buckets) shown(v *sight[resource.BucketSpec, resource.BucketStatus]) any {
	objects, bytes := c.count(v.ID)
	v.status.Objects, v.status.Bytes = &objects, &bytes
	return nativeBucket{BucketID: v.ID, BucketName: v.Name, Location: v.spec.Region, CreationDate: v.CreatedAt}
}
