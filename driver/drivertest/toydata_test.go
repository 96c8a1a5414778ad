package drivertest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	bucketAbilities interface {
		checked[resource.BucketSpec, resource.BucketStatus]
		resource.VersioningSetter
		resource.ObjectSigner
		resource.ObjectLister
		resource.ObjectFinder
		resource.ObjectCopier
		resource.ObjectDeleter
		resource.Uploader
	}
	queueAbilities interface {
		checked[resource.QueueSpec, resource.QueueStatus]
		resource.Sender
		resource.Receiver
		resource.VisibilitySetter
	}
)

// Reach implements driver.Reacher.
func (s *toySession) Reach() driver.Reach {
	u, err := url.Parse(s.url)
	if err != nil {
		return driver.Reach{}
	}
	return driver.Reach{Hosts: []string{u.Host}}
}

// dataCall makes a data call of the toy cloud.
func dataCall[R any](ctx context.Context, s *toySession, kind, id, call string, params any) (answer R, err error) {
	err = s.call(ctx, http.MethodPost, "/data/"+kind+"/"+url.PathEscape(id)+"/"+call, params, &answer)
	if s.has("data of anything") && resource.CodeOf(err) == resource.CodeNotFound {
		err = nil
	}
	return answer, err
}

type buckets struct {
	things[resource.BucketSpec, resource.BucketStatus]
}

// SetVersioning implements resource.VersioningSetter.
func (b buckets) SetVersioning(ctx context.Context, id string, to resource.BucketVersioning) error {
	var t toyThing
	if err := b.call(ctx, http.MethodGet, b.path(id), nil, &t); err != nil {
		return b.unlessItAlwaysWorks(err)
	}
	return b.call(ctx, http.MethodPatch, b.path(id), toyThing{Spec: fmt.Appendf(nil, `{"versioning":%t}`, to.Versioning)}, &t)
}

// Sign implements resource.ObjectSigner.
func (b buckets) Sign(_ context.Context, id string, r resource.SignRequest) (resource.SignedRequest, error) {
	s := resource.SignedRequest{Method: http.MethodPut, Headers: map[string]string{}, ExpiresAt: time.Now().Add(5 * time.Minute), MetadataPrefix: "Toy-Meta-"}
	if r.Do == resource.SignGet {
		s.Method = http.MethodGet
	}
	if r.Link {
		s.ExpiresAt = driver.Expiry(r)
	}
	until, key := s.ExpiresAt, r.Key
	if b.has("links for ever") {
		until = until.Add(time.Hour)
	}
	if b.has("refuses all keys") || b.has("refuses odd keys") && r.Key != path.Clean(r.Key) {
		return s, resource.Errorf(resource.CodeInvalid, "the key %q cannot be kept", r.Key)
	}
	if b.has("tidies keys") {
		key = path.Clean(key)
	}
	set := func(name, value string) {
		if value != "" {
			s.Headers[name] = value
		}
	}
	if !b.has("signs no range") {
		set("Range", r.Range)
	}
	if !b.has("signs no conditions") {
		set("If-Match", r.IfMatch)
		set("If-None-Match", r.IfNoneMatch)
	}
	if !b.has("signs no md5") {
		set("Content-Md5", r.MD5)
	}
	if !b.has("signs no headers") {
		maps.Copy(s.Headers, driver.HTTPHeaders(r.Headers, "Toy-Meta-"))
	}
	q := url.Values{"until": {fmt.Sprint(until.UnixMilli())}, "version": {r.Version}, "upload": {r.Upload}, "part": {fmt.Sprint(r.Part)}, "filename": {r.FileName}}
	q.Set("headers", strings.Join(slices.Sorted(maps.Keys(s.Headers)), ","))
	if b.has("signs too much") {
		q.Set("all", "1")
	}
	if b.has("missing is empty") {
		q.Set("lenient", "1")
	}
	if r.Link && b.has("links with a token") {
		s.Headers["Authorization"] = "token"
	}
	way := (&url.URL{Path: "/objects/" + id + "/" + key}).EscapedPath()
	q.Set("signature", toySignature(b.key, s.Method, way, q, func(name string) string { return s.Headers[name] }))
	s.URL = b.url + way + "?" + q.Encode()
	return s, nil
}

// ListObjects implements resource.ObjectLister.
func (b buckets) ListObjects(ctx context.Context, id string, q resource.ObjectQuery) (resource.ObjectPage, error) {
	if b.has("lists no folders") {
		q.Delimiter = ""
	}
	if b.has("shows no versions") {
		q.Versions = false
	}
	page, err := dataCall[resource.ObjectPage](ctx, b.toySession, "bucket", id, "listobjects", q)
	if b.has("lists one page of objects") {
		page.NextPageToken = ""
	}
	return page, err
}

// LookUpObject implements resource.ObjectFinder.
func (b buckets) LookUpObject(ctx context.Context, id string, name resource.ObjectName) (resource.Object, error) {
	return dataCall[resource.Object](ctx, b.toySession, "bucket", id, "lookupobject", name)
}

// CopyObject implements resource.ObjectCopier. The toy cloud copies in two calls.
func (b buckets) CopyObject(ctx context.Context, id string, c resource.ObjectCopy) (resource.CopiedObject, error) {
	if b.has("copies halves") {
		c.Continue = ""
		done, err := dataCall[resource.CopiedObject](ctx, b.toySession, "bucket", id, "copyobject", c)
		done.Continue = ""
		return done, err
	}
	return dataCall[resource.CopiedObject](ctx, b.toySession, "bucket", id, "copyobject", c)
}

// DeleteObjects implements resource.ObjectDeleter.
func (b buckets) DeleteObjects(ctx context.Context, id string, names resource.ObjectNames) (resource.DeletedObjects, error) {
	deleted, err := dataCall[resource.DeletedObjects](ctx, b.toySession, "bucket", id, "deleteobjects", names)
	if err == nil && b.has("deletes what begins so") {
		for _, name := range names.Objects {
			page, _ := dataCall[resource.ObjectPage](ctx, b.toySession, "bucket", id, "listobjects", resource.ObjectQuery{Prefix: name.Key})
			for _, o := range page.Objects {
				_, _ = dataCall[any](ctx, b.toySession, "bucket", id, "deleteobjects", resource.ObjectNames{Objects: []resource.ObjectName{{Key: o.Key}}})
			}
		}
	}
	return deleted, err
}

// BeginUpload implements resource.Uploader.
func (b buckets) BeginUpload(ctx context.Context, id string, u resource.NewUpload) (resource.BegunUpload, error) {
	return dataCall[resource.BegunUpload](ctx, b.toySession, "bucket", id, "beginupload", u)
}

// CompleteUpload implements resource.Uploader.
func (b buckets) CompleteUpload(ctx context.Context, id string, u resource.CompletedUpload) (resource.Object, error) {
	if b.has("forgets the last part") {
		u.Parts = u.Parts[:max(1, len(u.Parts)-1)]
	}
	return dataCall[resource.Object](ctx, b.toySession, "bucket", id, "completeupload", u)
}

// AbortUpload implements resource.Uploader.
func (b buckets) AbortUpload(ctx context.Context, id string, u resource.UploadName) (resource.AbortedUpload, error) {
	if b.has("keeps parts") {
		return resource.AbortedUpload{}, nil
	}
	return dataCall[resource.AbortedUpload](ctx, b.toySession, "bucket", id, "abortupload", u)
}

// ListUploads implements resource.Uploader.
func (b buckets) ListUploads(ctx context.Context, id string, q resource.UploadQuery) (resource.UploadPage, error) {
	return dataCall[resource.UploadPage](ctx, b.toySession, "bucket", id, "listuploads", q)
}

// ListParts implements resource.Uploader.
func (b buckets) ListParts(ctx context.Context, id string, q resource.PartQuery) (resource.PartPage, error) {
	return dataCall[resource.PartPage](ctx, b.toySession, "bucket", id, "listparts", q)
}

type queues struct {
	things[resource.QueueSpec, resource.QueueStatus]
}

// Send implements resource.Sender.
func (q queues) Send(ctx context.Context, id string, m resource.NewMessages) (resource.SentMessages, error) {
	for i := range m.Messages {
		if q.has("garbles messages") {
			m.Messages[i].Body = strings.TrimSpace(strings.ReplaceAll(m.Messages[i].Body, "\n", " "))
		}
		if q.has("sends at once") {
			m.Messages[i].DelaySeconds = nil
		}
		if q.has("knows nothing again") {
			m.Messages[i].DedupID = ""
		}
	}
	sent, err := dataCall[resource.SentMessages](ctx, q.toySession, "queue", id, "send", m)
	if len(sent.Failures()) > 0 && q.has("blames all messages") {
		return sent, resource.Errorf(resource.CodeInvalid, "one is bad")
	}
	for i := range sent.Messages {
		if q.has("hides what fails") {
			sent.Messages[i].Error = nil
		}
	}
	return sent, err
}

// Receive implements resource.Receiver.
func (q queues) Receive(ctx context.Context, id string, m resource.MessageQuery) (resource.Messages, error) {
	if q.has("keeps nothing back") {
		m.VisibilitySeconds = new(int)
	}
	if q.has("keeps all back") {
		long := 3600
		m.VisibilitySeconds = &long
	}
	received, err := dataCall[resource.Messages](ctx, q.toySession, "queue", id, "receive", m)
	if err == nil && len(received.Messages) == 0 && q.has("nothing is an error") {
		return received, resource.Errorf(resource.CodeNotFound, "there is nothing")
	}
	return received, err
}

// DeleteMessages implements resource.Receiver.
func (q queues) DeleteMessages(ctx context.Context, id string, r resource.Receipts) (resource.HandledMessages, error) {
	if q.has("keeps messages") {
		return resource.HandledMessages{Messages: make([]resource.HandledMessage, len(r.Receipts))}, nil
	}
	return dataCall[resource.HandledMessages](ctx, q.toySession, "queue", id, "deletemessages", r)
}

// SetVisibility implements resource.VisibilitySetter.
func (q queues) SetVisibility(ctx context.Context, id string, v resource.VisibilityChanges) (resource.HandledMessages, error) {
	if q.has("gives nothing back") {
		v.VisibilitySeconds = 30
	}
	handled, err := dataCall[resource.HandledMessages](ctx, q.toySession, "queue", id, "setvisibility", v)
	for i := range handled.Messages {
		if q.has("takes any receipt") {
			handled.Messages[i].Error = nil
		}
	}
	return handled, err
}
