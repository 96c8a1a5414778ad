package drivertest

import (
	"errors"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// objectChecks are those of what a kind holds by keys, as far as the driver offers it.
func (s *suite) objectChecks(kind *resource.Kind, offer driver.KindOffer) []check {
	if !hasData(offer, "sign", "listobjects", "deleteobjects") { // what has been put must go again
		return nil
	}
	var checks []check
	add := func(verb, name string, run func(*try, holder)) {
		checks = append(checks, check{kind.Name, verb, name, false, func(t *try) {
			h := t.holder()
			t.Cleanup(h.drain) // before it is deleted
			run(t, h)
		}})
	}
	add("sign", "works", checkOddKeys)
	add("sign", "range", checkRange)
	add("sign", "missing", checkMissingObject)
	add("sign", "conditions", checkConditions)
	add("sign", "checksum", checkMD5)
	add("sign", "link", checkLink)
	add("sign", "expired", checkExpired)
	add("sign", "tampered", checkTampered)
	add("listobjects", "works", checkListObjects)
	add("deleteobjects", "works", checkDeleteObjects)
	if hasData(offer, "lookupobject") {
		add("lookupobject", "works", checkHeaders)
	}
	if hasData(offer, "copyobject") {
		add("copyobject", "works", checkCopy)
	}
	if hasData(offer, "beginupload", "completeupload", "abortupload", "listuploads", "listparts") {
		add("completeupload", "works", checkUpload)
		add("abortupload", "works", checkAbort)
	}
	if slices.Contains(offer.Actions, "setversioning") {
		add("listobjects", "versions", checkVersions)
	}
	return checks
}

// put writes an object.
func (h holder) put(key, body string) {
	if answer := h.send(h.sign(toPut(key, body)), body, nil); answer.err != nil {
		h.t.Fatalf("put %q: %v: %s", key, said(answer.err), answer.body)
	}
}

// putPart writes a part of an upload.
func (h holder) putPart(key, upload string, part int, body string) resource.UploadPart {
	r := toPut(key, body)
	r.Do, r.Upload, r.Part = resource.SignPutPart, upload, part
	answer := h.send(h.sign(r), body, nil)
	if answer.err != nil {
		h.t.Fatalf("put the part %d of %q: %v: %s", part, key, said(answer.err), answer.body)
	}
	return resource.UploadPart{Part: part, ETag: answer.header.Get("ETag"), Size: int64(len(body))}
}

// get reads an object; clouds may lag.
func (h holder) get(key, want string) {
	var answer got
	_ = h.t.until(func() (bool, error) {
		answer = h.send(h.sign(toGet(key)), "", nil)
		return answer.err == nil && answer.body == want, nil
	})
	if answer.err != nil || answer.body != want {
		h.t.Errorf("get %q: %.64q, %s; want %.64q", key, answer.body, said(answer.err), want)
	}
}

// list lists all pages.
func (h holder) list(q resource.ObjectQuery) (objects []resource.Object, prefixes []string) {
	for {
		var page resource.ObjectPage
		h.ask("listobjects", q, &page)
		objects, prefixes = append(objects, page.Objects...), append(prefixes, page.Prefixes...)
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			return objects, prefixes
		}
	}
}

func keysOf(objects []resource.Object) []string {
	keys := []string{}
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	return keys
}

// shows waits until a list shows the keys that it should, and these prefixes.
func (h holder) shows(q resource.ObjectQuery, keys []string, prefixes ...string) {
	var objects []resource.Object
	var folders []string
	_ = h.t.until(func() (bool, error) {
		objects, folders = h.list(q)
		return slices.Equal(keysOf(objects), keys) && slices.Equal(folders, prefixes), nil
	})
	if !slices.Equal(keysOf(objects), keys) || !slices.Equal(folders, prefixes) {
		h.t.Errorf("a list of %s shows %q and the folders %q; want %q and %q", compact(q), keysOf(objects), folders, keys, prefixes)
	}
}

// drain deletes all that it holds, so that it can be deleted.
func (h holder) drain() {
	if h.t.description.Offers(h.t.kind, "abortupload") {
		var page resource.UploadPage
		h.ask("listuploads", resource.UploadQuery{}, &page)
		for _, u := range page.Uploads {
			h.ask("abortupload", resource.UploadName{Key: u.Key, Upload: u.Upload}, new(any))
		}
	}
	objects, _ := h.list(resource.ObjectQuery{Versions: true})
	var names resource.ObjectNames
	for _, o := range objects {
		names.Objects = append(names.Objects, resource.ObjectName{Key: o.Key, Version: o.Version})
	}
	if len(names.Objects) > 0 {
		h.delete(names)
	}
}

func (h holder) delete(names resource.ObjectNames) {
	var deleted resource.DeletedObjects
	h.ask("deleteobjects", names, &deleted)
	if len(deleted.Objects) != len(names.Objects) {
		h.t.Fatalf("of %d objects that were to be deleted %d are answered", len(names.Objects), len(deleted.Objects))
	}
	for i, o := range deleted.Objects {
		if o.Error != nil || o.Key != names.Objects[i].Key {
			h.t.Errorf("delete %q: %q, %s", names.Objects[i].Key, o.Key, said(errorOf(o.Error)))
		}
	}
}

// errorOf is an error that may be none.
func errorOf(e *resource.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// checkListObjects: by the beginning of keys, as folders, page by page.
func checkListObjects(t *try, h holder) {
	for _, key := range []string{"a/1", "a/2", "a/b/3", "a/b/4", "b", "a.txt"} {
		h.put(key, "x")
	}
	all := []string{"a.txt", "a/1", "a/2", "a/b/3", "a/b/4", "b"}
	h.shows(resource.ObjectQuery{}, all)
	h.shows(resource.ObjectQuery{PageSize: 1}, all)
	h.shows(resource.ObjectQuery{PageSize: 4}, all)
	h.shows(resource.ObjectQuery{Prefix: "a/"}, []string{"a/1", "a/2", "a/b/3", "a/b/4"})
	h.shows(resource.ObjectQuery{Delimiter: "/"}, []string{"a.txt", "b"}, "a/")
	h.shows(resource.ObjectQuery{Prefix: "a/", Delimiter: "/"}, []string{"a/1", "a/2"}, "a/b/")
	h.shows(resource.ObjectQuery{Prefix: "a/", Delimiter: "/", PageSize: 1}, []string{"a/1", "a/2"}, "a/b/")
	h.shows(resource.ObjectQuery{Prefix: "c"}, []string{})
	for _, o := range func() []resource.Object { o, _ := h.list(resource.ObjectQuery{}); return o }() {
		if o.Size != 1 || o.ETag == "" || o.ModifiedAt == nil {
			t.Errorf("%s shows the size %d, the ETag %q and the time %v", o.Key, o.Size, o.ETag, o.ModifiedAt)
		}
	}
}

// checkHeaders: what is kept beside the data comes back with it.
func checkHeaders(t *try, h holder) {
	r := toPut("headed", "hello")
	r.Headers = resource.ObjectHeaders{ContentType: "text/x-test", CacheControl: "max-age=60", ContentDisposition: "inline", Metadata: map[string]string{"colour": "blue", "made-by": "the suite"}}
	if answer := h.send(h.sign(r), "hello", nil); answer.err != nil {
		t.Fatalf("put: %v: %s", said(answer.err), answer.body)
	}
	var o resource.Object
	h.ask("lookupobject", resource.ObjectName{Key: "headed"}, &o)
	if o.Key != "headed" || o.Size != 5 || o.ETag == "" || o.Headers == nil || compact(*o.Headers) != compact(r.Headers) {
		t.Errorf("it shows %s; want 5 bytes and %s", compact(o), compact(r.Headers))
	}
	s := h.sign(toGet("headed"))
	answer := h.send(s, "", nil)
	if kept := answer.header.Get("Content-Type"); !strings.HasPrefix(kept, "text/x-test") {
		t.Errorf("it is read as %q", kept)
	}
	if kept := answer.header.Get(s.MetadataPrefix + "colour"); s.MetadataPrefix == "" || kept != "blue" {
		t.Errorf("the header %scolour of the answer says %q; want blue", s.MetadataPrefix, kept)
	}
}

// checkDeleteObjects: what is named is gone, and nothing else.
func checkDeleteObjects(t *try, h holder) {
	for _, key := range []string{"a", "a/1", "a/../b", "b", "c"} {
		h.put(key, "x")
	}
	h.delete(resource.ObjectNames{Objects: []resource.ObjectName{{Key: "a"}, {Key: "no-such-key"}, {Key: "a/../b"}}})
	h.shows(resource.ObjectQuery{}, []string{"a/1", "b", "c"})
	if answer := h.send(h.sign(toGet("a")), "", nil); resource.CodeOf(answer.err) != resource.CodeNotFound {
		t.Errorf("get what is deleted: got %d", answer.status)
	}
	h.get("a/1", "x")
}

// checkCopy: a copy is like what it is of, or has the headers that it was given.
func checkCopy(t *try, h holder) {
	r := toPut("from/../here", "hello")
	r.Headers.ContentType = "text/x-test"
	if answer := h.send(h.sign(r), "hello", nil); answer.err != nil {
		t.Fatalf("put: %v: %s", said(answer.err), answer.body)
	}
	copied := func(c resource.ObjectCopy) {
		for {
			var one resource.CopiedObject
			h.ask("copyobject", c, &one)
			if c.Continue = one.Continue; c.Continue != "" {
				continue
			}
			if one.Object == nil || one.Object.Key != c.ToKey {
				t.Errorf("the copy is %s; want %s", compact(one), c.ToKey)
			}
			return
		}
	}
	copied(resource.ObjectCopy{Key: "from/../here", ToKey: "to//there"})
	h.get("to//there", "hello")
	h.get("from/../here", "hello")
	copied(resource.ObjectCopy{Key: "from/../here", ToKey: "other", Headers: &resource.ObjectHeaders{ContentType: "text/x-other"}})
	for key, want := range map[string]string{"to//there": "text/x-test", "other": "text/x-other"} {
		if answer := h.send(h.sign(toGet(key)), "", nil); answer.header.Get("Content-Type") != want {
			t.Errorf("%s is %q; want %q", key, answer.header.Get("Content-Type"), want)
		}
	}
	err := t.session().data(t.ctx, t.kind, h.id, "copyobject", resource.ObjectCopy{Key: "no-such-key", ToKey: "x"}, new(any))
	if resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("copy what is not there: got %s; want not_found", said(err))
	}
}

// checkUpload: an object in parts is there when it is complete, in the right order.
func checkUpload(t *try, h holder) {
	const key = "parts/../of it"
	var begun resource.BegunUpload
	headers := resource.ObjectHeaders{ContentType: "text/x-test"}
	h.ask("beginupload", resource.NewUpload{Key: key, Headers: headers}, &begun)
	if begun.Upload == "" || begun.MaxParts < 2 {
		t.Fatalf("it answers %s", compact(begun))
	}
	first := strings.Repeat("1", int(max(begun.MinPartBytes, 1)))
	parts := []resource.UploadPart{h.putPart(key, begun.Upload, 2, "second")}
	parts = append([]resource.UploadPart{h.putPart(key, begun.Upload, 1, first)}, parts...)
	h.shows(resource.ObjectQuery{}, []string{})
	var page resource.PartPage
	err := t.until(func() (bool, error) {
		h.ask("listparts", resource.PartQuery{Key: key, Upload: begun.Upload}, &page)
		return len(page.Parts) == 2, nil
	})
	if err != nil || len(page.Parts) != 2 || page.Parts[0].Part != 1 || page.Parts[0].Size != int64(len(first)) || page.Parts[1].Size != 6 {
		t.Errorf("it has the parts %s", compact(page))
	}
	var uploads resource.UploadPage
	h.ask("listuploads", resource.UploadQuery{}, &uploads)
	if len(uploads.Uploads) != 1 || uploads.Uploads[0].Key != key || uploads.Uploads[0].Upload != begun.Upload {
		t.Errorf("the uploads are %s", compact(uploads))
	}
	var o resource.Object
	h.ask("completeupload", resource.CompletedUpload{Key: key, Upload: begun.Upload, Parts: parts, Headers: headers}, &o)
	if o.Key != key {
		t.Errorf("the object is %s", compact(o))
	}
	h.get(key, first+"second")
	h.shows(resource.ObjectQuery{}, []string{key})
	if answer := h.send(h.sign(toGet(key)), "", nil); answer.header.Get("Content-Type") != headers.ContentType {
		t.Errorf("it is %q", answer.header.Get("Content-Type"))
	}
}

// checkAbort: what is given up leaves nothing that is billed, and no object.
func checkAbort(t *try, h holder) {
	var begun resource.BegunUpload
	h.ask("beginupload", resource.NewUpload{Key: "k"}, &begun)
	h.putPart("k", begun.Upload, 1, "x")
	for range 2 { // the second time it is not there
		h.ask("abortupload", resource.UploadName{Key: "k", Upload: begun.Upload}, new(any))
	}
	h.shows(resource.ObjectQuery{}, []string{})
	var uploads resource.UploadPage
	err := t.until(func() (bool, error) {
		h.ask("listuploads", resource.UploadQuery{}, &uploads)
		if len(uploads.Uploads) > 0 {
			return false, errors.New("it is listed still")
		}
		return true, nil
	})
	if err != nil {
		t.Errorf("after it was given up: %v: %s", err, compact(uploads))
	}
}

// checkVersions: what is overwritten or deleted can be had again.
func checkVersions(t *try, h holder) {
	kind, err := resource.KindNamed(t.kind)
	if err != nil {
		t.Fatalf("%v", err)
	}
	action, err := kind.Action("setversioning")
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := t.act(action, h.id, []byte(`{"versioning":true}`)); err != nil {
		t.Fatalf("setversioning: %v", said(err))
	}
	if _, err := t.settled(t.session(), t.kind, h.id); err != nil {
		t.Fatalf("%v", said(err))
	}
	h.put("k", "first")
	h.put("k", "second")
	h.delete(resource.ObjectNames{Objects: []resource.ObjectName{{Key: "k"}}})
	h.shows(resource.ObjectQuery{}, []string{})
	h.shows(resource.ObjectQuery{Versions: true}, []string{"k", "k", "k"})
	versions, _ := h.list(resource.ObjectQuery{Versions: true})
	if len(versions) != 3 || !versions[0].Deleted || versions[0].Older || !versions[1].Older || versions[1].Deleted {
		t.Fatalf("the versions are %s; want the deletion first", compact(versions))
	}
	for i, want := range []string{"second", "first"} {
		r := toGet("k")
		r.Version = versions[i+1].Version
		if answer := h.send(h.sign(r), "", nil); answer.err != nil || answer.body != want {
			t.Errorf("the version %s is %q, %s; want %q", r.Version, answer.body, said(answer.err), want)
		}
	}
	h.delete(resource.ObjectNames{Objects: []resource.ObjectName{{Key: "k", Version: versions[0].Version}}})
	h.get("k", "second")
}
