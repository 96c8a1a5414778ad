package drivertest

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// toyObject is a version of an object, or with an upload a part of one.
type toyObject struct {
	resource.Object

	data   string
	plain  bool
	upload string // with part 0 the upload itself
	part   int
}

type toyMessage struct {
	resource.Message

	visible time.Time
	nonce   int
	done    bool
}

// toyData is what the things of the toy cloud hold.
type toyData struct {
	objects  []*toyObject  // in the order in which they were written
	messages []*toyMessage // in the order in which they were sent
}

// dataOf is what a thing holds; the caller holds the lock.
func (c *toyCloud) dataOf(id string) *toyData {
	if c.data == nil {
		c.data = map[string]*toyData{}
	}
	if c.data[id] == nil {
		c.data[id] = &toyData{}
	}
	return c.data[id]
}

// toyRefusal is an answer that is no success.
type toyRefusal struct {
	status int
	text   string
}

func (r *toyRefusal) Error() string { return r.text }

func toyMissing(what string) error {
	return &toyRefusal{http.StatusNotFound, "there is no such " + what}
}

// serveData answers data calls.
func (c *toyCloud) serveData(w http.ResponseWriter, r *http.Request, account string) {
	raw, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	thing := c.find(account, r.PathValue("kind"), r.PathValue("id"))
	if thing == nil {
		answer(w, http.StatusNotFound, "there is no such thing")
		return
	}
	d, call := c.dataOf(thing.ID), r.PathValue("call")
	handle := map[string]func() (any, error){
		"listobjects":  func() (any, error) { return with1(raw, d.list) },
		"lookupobject": func() (any, error) { return with1(raw, d.lookUp) },
		"copyobject": func() (any, error) {
			return with1(raw, func(q resource.ObjectCopy) (any, error) { return d.copy(thing, q) })
		},
		"deleteobjects": func() (any, error) {
			return with1(raw, func(q resource.ObjectNames) (any, error) { return d.delete(thing, q) })
		},
		"beginupload": func() (any, error) { return with1(raw, d.begin) },
		"listuploads": func() (any, error) { return d.uploads(), nil },
		"listparts":   func() (any, error) { return with1(raw, d.parts) },
		"completeupload": func() (any, error) {
			return with1(raw, func(q resource.CompletedUpload) (any, error) { return d.complete(thing, q) })
		},
		"abortupload": func() (any, error) { return with1(raw, d.abort) },
		"send": func() (any, error) {
			return with1(raw, func(q resource.NewMessages) (any, error) { return d.send(thing, q) })
		},
		"receive": func() (any, error) {
			return with1(raw, func(q resource.MessageQuery) (any, error) { return c.receive(thing, q) })
		},
		"deletemessages": func() (any, error) { return with1(raw, d.deleteMessages) },
		"setvisibility":  func() (any, error) { return with1(raw, d.setVisibility) },
	}[call]
	body, err := handle()
	if refused, ok := errors.AsType[*toyRefusal](err); ok {
		answer(w, refused.status, refused.text)
		return
	}
	answer(w, http.StatusOK, body)
}

func with1[P any](raw []byte, do func(P) (any, error)) (any, error) {
	var params P
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, &toyRefusal{http.StatusBadRequest, err.Error()}
	}
	return do(params)
}

// versions are those of a key, the latest first.
func (d *toyData) versions(key string) []*toyObject {
	var all []*toyObject
	for _, o := range slices.Backward(d.objects) {
		if o.Key == key && o.upload == "" {
			all = append(all, o)
		}
	}
	return all
}

func (d *toyData) version(key, version string) *toyObject {
	for _, o := range d.versions(key) {
		if (version == "" || o.Version == version) && !o.Deleted {
			return o
		}
		if version == "" {
			return nil
		}
	}
	return nil
}

func keepsVersions(thing *toyThing) bool {
	return strings.Contains(string(thing.Spec), `"versioning":true`)
}

func (d *toyData) drop(gone func(*toyObject) bool) { d.objects = slices.DeleteFunc(d.objects, gone) }

// keep makes a version.
func (d *toyData) keep(thing *toyThing, o toyObject) *toyObject {
	now := time.Now()
	o.ModifiedAt, o.Size, o.plain = &now, int64(len(o.data)), !keepsVersions(thing)
	sum := md5.Sum([]byte(o.data))
	o.ETag = strconv.Quote(hex.EncodeToString(sum[:]))
	if o.plain {
		d.drop(func(old *toyObject) bool { return old.Key == o.Key && old.upload == "" && old.plain })
	} else {
		o.Version = fmt.Sprint("v", now.UnixNano())
	}
	d.objects = append(d.objects, &o)
	return &o
}

func (d *toyData) list(q resource.ObjectQuery) (any, error) {
	page := resource.ObjectPage{Objects: []resource.Object{}}
	all := slices.DeleteFunc(slices.Clone(d.objects), func(o *toyObject) bool { return o.upload != "" || !strings.HasPrefix(o.Key, q.Prefix) })
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b *toyObject) int { return strings.Compare(a.Key, b.Key) })
	skip, _ := strconv.Atoi(q.PageToken)
	n, before := 0, ""
	for i, o := range all {
		shown := o.Object
		shown.Headers, shown.Older = nil, i > 0 && all[i-1].Key == o.Key
		if !q.Versions && (shown.Older || o.Deleted) {
			continue
		}
		folder := ""
		if end := strings.Index(o.Key[len(q.Prefix):], q.Delimiter); q.Delimiter != "" && end >= 0 {
			folder = o.Key[:len(q.Prefix)+end+len(q.Delimiter)]
			if folder == before {
				continue
			}
			before = folder
		}
		if n++; n <= skip {
			continue
		}
		if n > skip+cmp.Or(q.PageSize, 1000) {
			page.NextPageToken = strconv.Itoa(n - 1)
			break
		}
		if folder != "" {
			page.Prefixes = append(page.Prefixes, folder)
		} else {
			page.Objects = append(page.Objects, shown)
		}
	}
	return page, nil
}

func (d *toyData) lookUp(q resource.ObjectName) (any, error) {
	if o := d.version(q.Key, q.Version); o != nil {
		return o.Object, nil
	}
	return nil, toyMissing("object")
}

func (d *toyData) copy(thing *toyThing, q resource.ObjectCopy) (any, error) {
	o := d.version(q.Key, q.Version)
	if o == nil {
		return nil, toyMissing("object")
	}
	if q.Continue == "" {
		return resource.CopiedObject{Continue: "half"}, nil
	}
	made := d.keep(thing, toyObject{Object: resource.Object{Key: q.ToKey, Headers: cmp.Or(q.Headers, o.Headers)}, data: o.data})
	return resource.CopiedObject{Object: &made.Object}, nil
}

func (d *toyData) delete(thing *toyThing, q resource.ObjectNames) (any, error) {
	deleted := resource.DeletedObjects{}
	for _, name := range q.Objects {
		deleted.Objects = append(deleted.Objects, resource.DeletedObject{Key: name.Key, Version: name.Version})
		switch {
		case name.Version == "" && keepsVersions(thing) && d.version(name.Key, "") != nil:
			d.keep(thing, toyObject{Object: resource.Object{Key: name.Key, Deleted: true}})
		default:
			d.drop(func(o *toyObject) bool { return o.Key == name.Key && o.upload == "" && o.Version == name.Version })
		}
	}
	return deleted, nil
}

func (d *toyData) upload(key, upload string, part int) *toyObject {
	for _, o := range d.objects {
		if o.Key == key && o.upload == upload && upload != "" && o.part == part {
			return o
		}
	}
	return nil
}

func (d *toyData) begin(q resource.NewUpload) (any, error) {
	o := &toyObject{Object: resource.Object{Key: q.Key, Headers: &q.Headers}, upload: fmt.Sprint("up-", time.Now().UnixNano())}
	d.objects = append(d.objects, o)
	return resource.BegunUpload{Upload: o.upload, MinPartBytes: 4, MaxParts: 10}, nil
}

func (d *toyData) uploads() any {
	page := resource.UploadPage{Uploads: []resource.Upload{}}
	for _, o := range d.objects {
		if o.upload != "" && o.part == 0 {
			page.Uploads = append(page.Uploads, resource.Upload{Key: o.Key, Upload: o.upload})
		}
	}
	return page
}

func (d *toyData) parts(q resource.PartQuery) (any, error) {
	if d.upload(q.Key, q.Upload, 0) == nil {
		return nil, toyMissing("upload")
	}
	page := resource.PartPage{Parts: []resource.UploadPart{}}
	for part := range 10 {
		if o := d.upload(q.Key, q.Upload, part+1); o != nil {
			page.Parts = append(page.Parts, resource.UploadPart{Part: o.part, ETag: o.ETag, Size: o.Size})
		}
	}
	return page, nil
}

func (d *toyData) complete(thing *toyThing, q resource.CompletedUpload) (any, error) {
	begun := d.upload(q.Key, q.Upload, 0)
	if begun == nil {
		return nil, toyMissing("upload")
	}
	o := toyObject{Object: resource.Object{Key: q.Key, Headers: begun.Headers}}
	for _, p := range q.Parts {
		part := d.upload(q.Key, q.Upload, p.Part)
		if part == nil {
			return nil, toyMissing("part")
		}
		o.data += part.data
	}
	made := d.keep(thing, o)
	_, _ = d.abort(resource.UploadName{Key: q.Key, Upload: q.Upload})
	return made.Object, nil
}

func (d *toyData) abort(q resource.UploadName) (any, error) {
	d.drop(func(o *toyObject) bool { return o.Key == q.Key && o.upload == q.Upload })
	return resource.AbortedUpload{}, nil
}

// toySignature is that of a request for an object.
func toySignature(key, method, path string, q url.Values, header func(string) string) string {
	mac := hmac.New(sha256.New, []byte(key))
	if q.Get("all") == "" {
		_, _ = fmt.Fprintln(mac, method, path, q.Get("until"), q.Get("version"), q.Get("upload"), q.Get("part"), q.Get("filename"))
		for name := range strings.SplitSeq(q.Get("headers"), ",") {
			_, _ = fmt.Fprintln(mac, name, header(name))
		}
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// serveObject reads and writes an object by a signed request.
func (c *toyCloud) serveObject(w http.ResponseWriter, r *http.Request) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	q, _ := url.ParseQuery(query)
	account := ""
	for key, of := range toyAccounts() {
		if hmac.Equal([]byte(toySignature(key, r.Method, path, q, r.Header.Get)), []byte(q.Get("signature"))) {
			account = of
		}
	}
	until, _ := strconv.ParseInt(q.Get("until"), 10, 64)
	id, rawKey, _ := strings.Cut(strings.TrimPrefix(path, "/objects/"), "/")
	key, err := url.PathUnescape(rawKey)
	c.mu.Lock()
	defer c.mu.Unlock()
	thing := c.find(account, "bucket", id)
	switch {
	case err != nil || account == "" || time.Now().UnixMilli() > until:
		answer(w, http.StatusForbidden, "no")
		return
	case thing == nil:
		answer(w, http.StatusNotFound, "there is no such bucket")
		return
	}
	d := c.dataOf(id)
	if r.Method == http.MethodPut {
		c.putObject(w, r, d, thing, key, q)
		return
	}
	o := d.version(key, q.Get("version"))
	if o == nil {
		if q.Get("lenient") == "" {
			answer(w, http.StatusNotFound, "there is no such object")
		}
		return
	}
	w.Header().Set("ETag", o.ETag)
	w.Header().Set("Content-Type", cmp.Or(o.Headers.ContentType, "application/octet-stream"))
	if name := q.Get("filename"); name != "" {
		w.Header().Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(name))
	}
	for name, value := range o.Headers.Metadata {
		w.Header().Set("Toy-Meta-"+name, value)
	}
	http.ServeContent(w, r, "", *o.ModifiedAt, strings.NewReader(o.data))
}

func (c *toyCloud) putObject(w http.ResponseWriter, r *http.Request, d *toyData, thing *toyThing, key string, q url.Values) {
	body, _ := io.ReadAll(r.Body)
	sum := md5.Sum(body)
	if wanted := r.Header.Get("Content-Md5"); wanted != "" && wanted != base64.StdEncoding.EncodeToString(sum[:]) {
		answer(w, http.StatusBadRequest, "broken")
		return
	}
	if r.Header.Get("If-None-Match") == "*" && d.version(key, "") != nil {
		answer(w, http.StatusPreconditionFailed, "it is there")
		return
	}
	if upload := q.Get("upload"); upload != "" {
		part, _ := strconv.Atoi(q.Get("part"))
		d.drop(func(o *toyObject) bool { return o.Key == key && o.upload == upload && o.part == part })
		etag := strconv.Quote(hex.EncodeToString(sum[:]))
		d.objects = append(d.objects, &toyObject{Object: resource.Object{Key: key, Size: int64(len(body)), ETag: etag}, data: string(bytes.Clone(body)), upload: upload, part: part})
		w.Header().Set("ETag", etag)
		return
	}
	headers := driver.ObjectHeaders(r.Header, "Toy-Meta-")
	w.Header().Set("ETag", d.keep(thing, toyObject{Object: resource.Object{Key: key, Headers: &headers}, data: string(body)}).ETag)
}

func queueOf(thing *toyThing) (spec resource.QueueSpec) {
	_ = json.Unmarshal(thing.Spec, &spec)
	return spec
}

func (d *toyData) send(thing *toyThing, q resource.NewMessages) (any, error) {
	sent := resource.SentMessages{}
	for _, m := range q.Messages {
		switch i := slices.IndexFunc(d.messages, func(before *toyMessage) bool { return m.DedupID != "" && before.DedupID == m.DedupID }); {
		case len(m.Body) > cmp.Or(queueOf(thing).MaxMessageBytes, 1<<20):
			sent.Messages = append(sent.Messages, resource.SentMessage{Error: resource.Errorf(resource.CodeInvalid, "it is too long")})
			continue
		case i >= 0:
			sent.Messages = append(sent.Messages, resource.SentMessage{ID: d.messages[i].ID})
			continue
		}
		kept := &toyMessage{Message: resource.Message{ID: fmt.Sprint("m-", len(d.messages)), Body: m.Body, Attributes: m.Attributes, Group: m.Group, DedupID: m.DedupID}, visible: time.Now()}
		if m.DelaySeconds != nil {
			kept.visible = kept.visible.Add(time.Duration(*m.DelaySeconds) * time.Second)
		}
		d.messages = append(d.messages, kept)
		sent.Messages = append(sent.Messages, resource.SentMessage{ID: kept.ID})
	}
	return sent, nil
}

func (m *toyMessage) receipt() resource.Receipt {
	return resource.Receipt(fmt.Sprint(m.ID, "/", m.nonce))
}

func (c *toyCloud) receive(thing *toyThing, q resource.MessageQuery) (any, error) {
	received := resource.Messages{Messages: []resource.Message{}}
	spec, d := queueOf(thing), c.dataOf(thing.ID)
	busy, now := map[string]bool{}, time.Now()
	for _, m := range d.messages {
		if m.done || busy[m.Group] {
			continue
		}
		if now.Before(m.visible) {
			busy[m.Group] = m.Group != ""
			continue
		}
		if len(received.Messages) == cmp.Or(q.Max, 1) {
			break
		}
		if spec.DeadLetter.Queue != "" && m.Receives >= spec.DeadLetter.Receives {
			grave := c.dataOf(spec.DeadLetter.Queue)
			moved := *m
			moved.Receives, m.done = 0, true
			grave.messages = append(grave.messages, &moved)
			continue
		}
		m.Receives++
		m.nonce++
		m.visible = now.Add(30 * time.Second)
		if q.VisibilitySeconds != nil {
			m.visible = now.Add(time.Duration(*q.VisibilitySeconds) * time.Second)
		}
		m.Receipt = m.receipt()
		received.Messages = append(received.Messages, m.Message)
		busy[m.Group] = m.Group != "" && q.Max <= 1
	}
	return received, nil
}

func (d *toyData) handled(receipts []resource.Receipt, do func(*toyMessage)) resource.HandledMessages {
	all := resource.HandledMessages{}
	for _, receipt := range receipts {
		one := resource.HandledMessage{Error: resource.Errorf(resource.CodeNotFound, "there is no such receipt")}
		for _, m := range d.messages {
			if m.receipt() == receipt {
				one.Error = nil
				do(m)
			}
		}
		all.Messages = append(all.Messages, one)
	}
	return all
}

func (d *toyData) deleteMessages(q resource.Receipts) (any, error) {
	return d.handled(q.Receipts, func(m *toyMessage) { m.done = true }), nil
}

func (d *toyData) setVisibility(q resource.VisibilityChanges) (any, error) {
	return d.handled(q.Receipts, func(m *toyMessage) {
		m.visible = time.Now().Add(time.Duration(q.VisibilitySeconds) * time.Second)
	}), nil
}
