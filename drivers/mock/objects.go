package mock

import (
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // names contents, as clouds' ETags do
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// storedObject is a version of an object, an upload, or a part of one. Its data is in a file
// beside.
type storedObject struct {
	resource.Object

	Plain  bool   `json:"plain,omitempty"`  // whether it was written when the bucket kept no versions; there is one of a key at a time
	Upload string `json:"upload,omitempty"` // of an upload and its parts
	Part   int    `json:"part,omitempty"`   // its number
}

type (
	objectFolder = folder[storedObject]
	heldObjects  = held[storedObject]
)

// name is that of its files.
func (o storedObject) name() string {
	sum := sha256.Sum256([]byte(o.Key + "\x00" + o.Upload))
	if o.Upload != "" {
		return fmt.Sprintf("upload-%x-%d", sum[:16], o.Part)
	}
	return fmt.Sprintf("object-%x-%s", sum[:16], o.Version)
}

// shown is an object as it is listed.
func (o storedObject) shown(headers bool) resource.Object {
	shown := o.Object
	if o.Plain {
		shown.Version = ""
	}
	if !headers {
		shown.Headers = nil
	}
	return shown
}

// versionsOf are those of a key, the latest first. The folder is held.
func versionsOf(f *objectFolder, key string) []storedObject {
	var all []storedObject
	for _, o := range f.things {
		if o.Key == key && o.Upload == "" {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, newestFirst)
	return all
}

func newestFirst(a, b storedObject) int {
	return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(b.Version, a.Version))
}

// versionNamed is a version of a key, or the latest. The folder is held.
func versionNamed(f *objectFolder, key, version string) (storedObject, bool) {
	for _, o := range versionsOf(f, key) {
		if version == "" || version == o.Version {
			return o, !o.Deleted
		}
	}
	return storedObject{}, false
}

func noSuchKey(key string) error {
	return refuse(resource.CodeNotFound, "NoSuchKey", "there is no object %.256q, or no such version of it", key)
}

func noSuchUpload(key string) error {
	return refuse(resource.CodeNotFound, "NoSuchUpload", "there is no such upload of %.256q; it was completed or aborted, or never begun", key)
}

// keep makes a version of what was written to a file, or of a deletion without one. The
// folder is held.
func (c *cloud) keep(f *objectFolder, o storedObject, data string, versioning bool) (storedObject, error) {
	now := c.time()
	o.ModifiedAt, o.Plain = &now, !versioning
	o.Version = fmt.Sprintf("%016x%s", now.UnixNano(), rand.Text()[:4])
	before := versionsOf(f, o.Key)
	if len(before) > 0 && before[0].Version >= o.Version { // of the same moment
		o.Version = before[0].Version + "1"
	}
	if data != "" {
		if err := os.Rename(data, filepath.Join(f.path, o.name())); err != nil {
			return o, lostData(err)
		}
	}
	if err := f.put(o.name(), o); err != nil {
		return o, err
	}
	for _, old := range before {
		if old.Plain && o.Plain {
			if err := f.remove(old.name()); err != nil {
				return o, err
			}
		}
	}
	return o, nil
}

// bucket is a bucket that a call is about, with what it holds.
func (c buckets) bucket(ctx context.Context, do, id string) (*objectFolder, resource.BucketSpec, error) {
	return heldBy(ctx, c.table, c.s.cloud.objects, do, id)
}

// ListObjects implements resource.ObjectLister.
func (c buckets) ListObjects(ctx context.Context, id string, q resource.ObjectQuery) (resource.ObjectPage, error) {
	page := resource.ObjectPage{Objects: []resource.Object{}}
	f, _, err := c.bucket(ctx, toRead, id)
	if err != nil {
		return page, err
	}
	last, err := placeOf(q.PageToken)
	if err != nil {
		return page, err
	}
	f.mu.Lock()
	all := slices.SortedFunc(maps.Values(f.things), newestFirst)
	f.mu.Unlock()
	before := storedObject{}
	for _, o := range all {
		if o.Upload != "" || !strings.HasPrefix(o.Key, q.Prefix) {
			continue
		}
		o.Older, before = o.Key == before.Key, o
		if newestFirst(o, last) <= 0 || !q.Versions && (o.Older || o.Deleted) {
			continue
		}
		if len(page.Objects)+len(page.Prefixes) >= c.most(q.PageSize) {
			page.NextPageToken = tokenOf(last)
			return page, nil
		}
		last = o
		if end := strings.Index(o.Key[len(q.Prefix):], q.Delimiter); q.Delimiter != "" && end >= 0 {
			folder := o.Key[:len(q.Prefix)+end+len(q.Delimiter)]
			page.Prefixes = append(page.Prefixes, folder)
			last = storedObject{Object: resource.Object{Key: folder + "\U0010ffff"}} // behind all that begins so
			continue
		}
		page.Objects = append(page.Objects, o.shown(false))
	}
	return page, nil
}

// most is how many things one page has.
func (c buckets) most(asked int) int { return min(cmp.Or(asked, defaultPageSize), c.s.pageSize) }

// tokenOf names the last thing of a page.
func tokenOf(o storedObject) string { return hex.EncodeToString([]byte(o.Key + "\x00" + o.Version)) }

func placeOf(token string) (storedObject, error) {
	place, err := placeIn(token)
	key, version, _ := strings.Cut(place, "\x00")
	return storedObject{Object: resource.Object{Key: key, Version: version}}, err
}

// placeIn is what a token says of the place where a page ended.
func placeIn(token string) (string, error) {
	place, err := hex.DecodeString(token)
	if err != nil {
		return "", refuseField("pageToken", "InvalidArgument", "this is no token of a page; give the one of the page before")
	}
	return string(place), nil
}

// LookUpObject implements resource.ObjectFinder.
func (c buckets) LookUpObject(ctx context.Context, id string, name resource.ObjectName) (resource.Object, error) {
	f, _, err := c.bucket(ctx, toRead, id)
	if err != nil {
		return resource.Object{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o, found := versionNamed(f, name.Key, name.Version)
	if !found {
		return resource.Object{}, noSuchKey(name.Key)
	}
	return o.shown(true), nil
}

// CopyObject implements resource.ObjectCopier.
func (c buckets) CopyObject(ctx context.Context, id string, r resource.ObjectCopy) (resource.CopiedObject, error) {
	to, spec, err := c.bucket(ctx, toWrite, id)
	if err != nil {
		return resource.CopiedObject{}, err
	}
	if _, err := c.specNow(cmp.Or(r.FromBucket, id)); err != nil {
		return resource.CopiedObject{}, err
	}
	from, err := c.s.cloud.objects.of(cmp.Or(r.FromBucket, id))
	if err != nil {
		return resource.CopiedObject{}, err
	}
	from.mu.Lock()
	o, found := versionNamed(from, r.Key, r.Version)
	var data io.ReadCloser
	if found {
		data, err = os.Open(filepath.Join(from.path, o.name()))
	}
	from.mu.Unlock()
	if !found {
		return resource.CopiedObject{}, noSuchKey(r.Key)
	}
	if err != nil {
		return resource.CopiedObject{}, lostData(err)
	}
	defer data.Close()
	written, err := write(to, data)
	if err != nil {
		return resource.CopiedObject{}, err
	}
	o.Key, o.Headers = r.ToKey, cmp.Or(r.Headers, o.Headers)
	to.mu.Lock()
	defer to.mu.Unlock()
	o, err = c.s.cloud.keep(to, o, written.file, spec.Versioning)
	copied := o.shown(true)
	return resource.CopiedObject{Object: &copied}, err
}

// DeleteObjects implements resource.ObjectDeleter.
func (c buckets) DeleteObjects(ctx context.Context, id string, names resource.ObjectNames) (resource.DeletedObjects, error) {
	f, spec, err := c.bucket(ctx, toWrite, id)
	if err != nil {
		return resource.DeletedObjects{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	deleted := resource.DeletedObjects{Objects: make([]resource.DeletedObject, len(names.Objects))}
	for i, name := range names.Objects {
		one := &deleted.Objects[i]
		one.Key = name.Key
		if one.Version, err = c.deleteObject(f, name, spec.Versioning); err != nil {
			one.Error = resource.AsError(err)
		}
	}
	return deleted, nil
}

// deleteObject deletes a version for good, or an object, of which a bucket with versions
// keeps the older ones. The folder is held.
func (c buckets) deleteObject(f *objectFolder, name resource.ObjectName, versioning bool) (version string, err error) {
	for _, o := range versionsOf(f, name.Key) {
		switch {
		case name.Version == "" && versioning:
			gone, err := c.s.cloud.keep(f, storedObject{Object: resource.Object{Key: name.Key, Deleted: true}}, "", true)
			return gone.Version, err
		case name.Version == "" && o.Plain, name.Version == o.Version:
			return o.Version, f.remove(o.name())
		}
	}
	return "", nil
}

// written is data in a file that is not named yet.
type written struct {
	file string
	size int64
	sum  []byte
}

// write writes data to the disk of a bucket.
func write(f *objectFolder, data io.Reader) (written, error) {
	file, err := f.temporary()
	if err != nil {
		return written{}, lostData(err)
	}
	sum := md5.New() //nolint:gosec // as above
	w := written{file: file.Name()}
	w.size, err = io.Copy(io.MultiWriter(file, sum), data)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(w.file) // nothing of it counts
		return written{}, lostData(err)
	}
	w.sum = sum.Sum(nil)
	return w, nil
}

func etag(sum []byte) string { return `"` + hex.EncodeToString(sum) + `"` }

// What an upload must be like, as on S3.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const (
	minPart  = 5 << 20
	maxPart  = 5 << 30
	maxParts = 10000
)

// BeginUpload implements resource.Uploader.
func (c buckets) BeginUpload(ctx context.Context, id string, u resource.NewUpload) (resource.BegunUpload, error) {
	f, _, err := c.bucket(ctx, toWrite, id)
	if err != nil {
		return resource.BegunUpload{}, err
	}
	if err := refuseProblems(u.Headers.Problems("headers")); err != nil {
		return resource.BegunUpload{}, err
	}
	now := c.s.cloud.time()
	begun := storedObject{Object: resource.Object{Key: u.Key, Headers: &u.Headers, ModifiedAt: &now}, Upload: rand.Text()}
	f.mu.Lock()
	defer f.mu.Unlock()
	return resource.BegunUpload{Upload: begun.Upload, MinPartBytes: minPart, MaxPartBytes: maxPart, MaxParts: maxParts}, f.put(begun.name(), begun)
}

// ListUploads implements resource.Uploader.
func (c buckets) ListUploads(ctx context.Context, id string, q resource.UploadQuery) (resource.UploadPage, error) {
	page := resource.UploadPage{Uploads: []resource.Upload{}}
	f, _, err := c.bucket(ctx, toRead, id)
	if err != nil {
		return page, err
	}
	all, next, err := c.listed(f, q.PageSize, q.PageToken, func(o storedObject) bool { return o.Part == 0 && strings.HasPrefix(o.Key, q.Prefix) })
	for _, o := range all {
		page.Uploads = append(page.Uploads, resource.Upload{Key: o.Key, Upload: o.Upload, BegunAt: o.ModifiedAt})
	}
	page.NextPageToken = next
	return page, err
}

// ListParts implements resource.Uploader.
func (c buckets) ListParts(ctx context.Context, id string, q resource.PartQuery) (resource.PartPage, error) {
	page := resource.PartPage{Parts: []resource.UploadPart{}}
	f, _, err := c.bucket(ctx, toRead, id)
	if err != nil {
		return page, err
	}
	f.mu.Lock()
	_, begun := uploadOf(f, q.Key, q.Upload)
	f.mu.Unlock()
	if !begun {
		return page, noSuchUpload(q.Key)
	}
	all, next, err := c.listed(f, q.PageSize, q.PageToken, func(o storedObject) bool { return o.Part > 0 && o.Key == q.Key && o.Upload == q.Upload })
	for _, o := range all {
		page.Parts = append(page.Parts, resource.UploadPart{Part: o.Part, ETag: o.ETag, Size: o.Size})
	}
	page.NextPageToken = next
	return page, err
}

// listed is a page of what belongs to uploads.
func (c buckets) listed(f *objectFolder, size int, token string, fits func(storedObject) bool) (page []storedObject, next string, err error) {
	place := func(o storedObject) string { return fmt.Sprintf("%s\x00%s\x00%06d", o.Key, o.Upload, o.Part) }
	last, err := placeIn(token)
	if err != nil {
		return nil, "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range slices.SortedFunc(maps.Values(f.things), func(a, b storedObject) int { return strings.Compare(place(a), place(b)) }) {
		if o.Upload == "" || !fits(o) || place(o) <= last {
			continue
		}
		if len(page) >= c.most(size) {
			return page, hex.EncodeToString([]byte(place(page[len(page)-1]))), nil
		}
		page = append(page, o)
	}
	return page, "", nil
}

// uploadOf is one that is neither completed nor aborted. The folder is held.
func uploadOf(f *objectFolder, key, upload string) (storedObject, bool) {
	o, found := f.things[storedObject{Object: resource.Object{Key: key}, Upload: upload}.name()]
	return o, found
}

// CompleteUpload implements resource.Uploader.
func (c buckets) CompleteUpload(ctx context.Context, id string, u resource.CompletedUpload) (resource.Object, error) {
	f, spec, err := c.bucket(ctx, toWrite, id)
	if err != nil {
		return resource.Object{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o, begun := uploadOf(f, u.Key, u.Upload)
	if !begun {
		return resource.Object{}, noSuchUpload(u.Key)
	}
	var (
		parts []io.Reader
		files []io.Closer
		sums  []byte
	)
	defer func() {
		for _, file := range files {
			_ = file.Close() // it was read
		}
	}()
	for i, p := range u.Parts {
		part, there := f.things[storedObject{Object: resource.Object{Key: u.Key}, Upload: u.Upload, Part: p.Part}.name()]
		switch {
		case !there || p.ETag != "" && p.ETag != part.ETag:
			return resource.Object{}, refuseField(fmt.Sprintf("parts[%d]", i), "InvalidPart", "there is no part %d, or it has another ETag; write it again", p.Part)
		case part.Size < minPart && i < len(u.Parts)-1:
			return resource.Object{}, refuseField(fmt.Sprintf("parts[%d]", i), "EntityTooSmall", "it has %d bytes, and each part but the last has %d at least", part.Size, minPart)
		}
		file, err := os.Open(filepath.Join(f.path, part.name()))
		if err != nil {
			return resource.Object{}, lostData(err)
		}
		parts, files, sums = append(parts, file), append(files, file), append(sums, part.ETag...)
		o.Size += part.Size
	}
	w, err := write(f, io.MultiReader(parts...))
	if err != nil {
		return resource.Object{}, err
	}
	sum := md5.Sum(sums) //nolint:gosec // as above
	o.ETag, o.Upload = strings.TrimSuffix(etag(sum[:]), `"`)+fmt.Sprintf(`-%d"`, len(parts)), ""
	if o, err = c.s.cloud.keep(f, o, w.file, spec.Versioning); err != nil {
		return resource.Object{}, err
	}
	return o.shown(true), c.forget(f, u.Key, u.Upload)
}

// AbortUpload implements resource.Uploader.
func (c buckets) AbortUpload(ctx context.Context, id string, u resource.UploadName) (resource.AbortedUpload, error) {
	f, _, err := c.bucket(ctx, toWrite, id)
	if err != nil {
		return resource.AbortedUpload{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return resource.AbortedUpload{}, c.forget(f, u.Key, u.Upload)
}

// forget removes an upload with its parts. The folder is held.
func (c buckets) forget(f *objectFolder, key, upload string) error {
	for _, o := range f.things {
		if o.Upload == upload && o.Key == key {
			if err := f.remove(o.name()); err != nil {
				return err
			}
		}
	}
	return nil
}
