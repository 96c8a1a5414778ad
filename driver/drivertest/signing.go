package drivertest

import (
	"context"
	"crypto/md5" //nolint:gosec // what clouds check data with
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver/signed"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func (c *conn) sign(ctx context.Context, kind, id string, r resource.SignRequest) (s resource.SignedRequest, err error) {
	err = c.call(ctx, kind+"/sign", func(ctx context.Context) (err error) {
		s, err = c.open.Sign(ctx, kind, id, r)
		c.suite.search("what "+kind+"/sign shows", compact(s))
		return err
	})
	return s, err
}

// sign has a request signed, and ends the check if that fails.
func (h holder) sign(r resource.SignRequest) resource.SignedRequest {
	var s resource.SignedRequest
	err := h.t.again(func() (err error) {
		s, err = h.t.session().sign(h.t.ctx, h.t.kind, h.id, r)
		return err
	})
	switch {
	case err != nil && r.Link && resource.CodeOf(err) == resource.CodeUnsupported:
		h.t.Skipf("the cloud makes no links here: %v", said(err))
	case err != nil:
		h.t.Fatalf("sign %s: %v", compact(r), said(err))
	case !s.ExpiresAt.After(time.Now()):
		h.t.Errorf("%s is signed until %s, which is over", r.Do, s.ExpiresAt)
	}
	return s
}

// got is what a cloud answers a signed request.
type got struct {
	status int
	header http.Header
	body   string
	err    error // by its status
}

// send sends a request as the server does.
func (h holder) send(s resource.SignedRequest, body string, more http.Header) got {
	place, err := h.t.session().open.Place(h.t.ctx)
	if err != nil {
		h.t.Fatalf("%v", said(err))
	}
	client, err := signed.Client(place.Reach)
	if err != nil {
		h.t.Fatalf("%v", said(err))
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(h.t.ctx, h.t.target.Timeout)
	defer cancel()
	r, err := signed.Request(ctx, s, strings.NewReader(body), int64(len(body)))
	if err != nil {
		h.t.Fatalf("%v", said(err))
	}
	for name, values := range more {
		r.Header[name] = values
	}
	response, err := client.Do(r)
	if err != nil {
		h.t.Fatalf("%v", said(signed.Lost(s.Method+" what was signed", err)))
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatalf("read the answer: %v", err)
	}
	return got{response.StatusCode, response.Header, string(raw), signed.Failure(s.Method, response)}
}

func toPut(key, body string) resource.SignRequest {
	size := int64(len(body))
	return resource.SignRequest{Do: resource.SignPut, Key: key, Size: &size}
}

func toGet(key string) resource.SignRequest {
	return resource.SignRequest{Do: resource.SignGet, Key: key}
}

// oddKeys are keys that something on the way could take for something else, in the order of
// their bytes.
func oddKeys() []string {
	return slices.Sorted(slices.Values([]string{
		"plain", "a/b", "/leading", "a//b", "../../etc/passwd", "a/./b", "a/", "a b+c", "a%2Fb%20", "a?b#c", "a&b=c;d,e:f@g$h!i*j(k)l'", `a"b<c>d\e`, "여름/été/😀", strings.Repeat("k", 1024),
	}))
}

// checkOddKeys: a key is what it is, on the whole way there and back.
func checkOddKeys(t *try, h holder) {
	keys := slices.DeleteFunc(oddKeys(), func(key string) bool { // what a cloud cannot keep so is refused
		_, err := t.session().sign(t.ctx, t.kind, h.id, toPut(key, ""))
		return key != "plain" && key != "a/b" && resource.CodeOf(err) == resource.CodeInvalid
	})
	for i, key := range keys {
		h.put(key, fmt.Sprint("the data of ", i))
	}
	h.put("empty", "")
	for i, key := range keys {
		h.get(key, fmt.Sprint("the data of ", i))
	}
	h.get("empty", "")
	h.shows(resource.ObjectQuery{}, slices.Sorted(slices.Values(append(keys, "empty"))))
	h.put("empty", "no more")
	h.get("empty", "no more")
	for field, r := range map[string]resource.SignRequest{"NUL": toGet("a\x00b"), "1,025 bytes": toGet(strings.Repeat("k", 1025))} {
		if _, err := t.session().sign(t.ctx, t.kind, h.id, r); resource.CodeOf(err) != resource.CodeInvalid {
			t.Errorf("a key with %s: got %s; want invalid", field, said(err))
		}
	}
}

// checkRange: who wants a part of an object gets that and nothing else.
func checkRange(t *try, h holder) {
	h.put("digits", "0123456789")
	for asked, want := range map[string]string{"bytes=0-0": "0", "bytes=2-4": "234", "bytes=7-": "789", "bytes=-2": "89", "bytes=8-100": "89"} {
		r := toGet("digits")
		r.Range = asked
		if answer := h.send(h.sign(r), "", nil); answer.status != http.StatusPartialContent || answer.body != want {
			t.Errorf("%s: got %d, %.64q; want 206, %q", asked, answer.status, answer.body, want)
		}
	}
	r := toGet("digits")
	r.Range = "bytes=10-"
	if answer := h.send(h.sign(r), "", nil); answer.status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("%s: got %d, %.64q; want 416", r.Range, answer.status, answer.body)
	}
}

// checkMissingObject: what is not there is not there, and not empty.
func checkMissingObject(t *try, h holder) {
	if answer := h.send(h.sign(toGet("no-such-key")), "", nil); resource.CodeOf(answer.err) != resource.CodeNotFound {
		t.Errorf("get: got %d, %.64q; want 404", answer.status, answer.body)
	}
	if t.description.Offers(t.kind, "lookupobject") {
		err := t.session().data(t.ctx, t.kind, h.id, "lookupobject", resource.ObjectName{Key: "no-such-key"}, new(any))
		if resource.CodeOf(err) != resource.CodeNotFound {
			t.Errorf("lookupobject: got %s; want not_found", said(err))
		}
	}
}

// checkConditions: two that write at once must not take each other's object away.
func checkConditions(t *try, h holder) {
	first := toPut("lock", "mine")
	first.IfNoneMatch = "*"
	signedFirst, err := t.session().sign(t.ctx, t.kind, h.id, first)
	if resource.CodeOf(err) == resource.CodeUnsupported {
		t.Skipf("the cloud takes no conditions: %v", said(err))
	} else if err != nil {
		t.Fatalf("sign: %v", said(err))
	}
	if answer := h.send(signedFirst, "mine", nil); answer.err != nil {
		t.Fatalf("put what is not there yet: %v: %s", said(answer.err), answer.body)
	}
	if answer := h.send(h.sign(first), "mine", nil); resource.CodeOf(answer.err) != resource.CodeConflict {
		t.Errorf("put what is there, if it is not: got %d; want 412 or 409", answer.status)
	}
	r := toGet("lock")
	r.IfMatch = `"0123456789abcdef0123456789abcdef"`
	if answer := h.send(h.sign(r), "", nil); answer.status != http.StatusPreconditionFailed {
		t.Errorf("get it if it is another one: got %d; want 412", answer.status)
	}
}

// checkMD5: what is broken on the way is not kept.
func checkMD5(t *try, h holder) {
	sum := md5.Sum([]byte("hello")) //nolint:gosec // as above
	r := toPut("summed", "hello")
	r.MD5 = base64.StdEncoding.EncodeToString(sum[:])
	if answer := h.send(h.sign(r), "jello", nil); answer.status < 400 || answer.status >= 500 {
		t.Errorf("put something else than its MD5 says: got %d; want a refusal", answer.status)
	}
	if answer := h.send(h.sign(r), "hello", nil); answer.err != nil {
		t.Errorf("put what its MD5 says: %v: %s", said(answer.err), answer.body)
	}
	h.get("summed", "hello")
}

// link is a request for somebody else.
func link(r resource.SignRequest, seconds int) resource.SignRequest {
	r.Link, r.ExpiresSeconds = true, seconds
	return r
}

// checkLink: whoever has a link needs nothing else, can read a part, and save it by a name.
func checkLink(t *try, h holder) {
	put := toPut("linked", "0123456789")
	put.Size, put.Headers.ContentType = nil, "text/plain"
	if answer := h.send(h.sign(link(put, 300)), "0123456789", nil); answer.err != nil {
		t.Fatalf("put by a link: %v: %s", said(answer.err), answer.body)
	}
	get := link(toGet("linked"), 300)
	get.FileName = "여름 1.txt"
	before := time.Now()
	s := h.sign(get)
	if s.ExpiresAt.After(before.Add(6 * time.Minute)) {
		t.Errorf("a link for 5 minutes is good until %s", s.ExpiresAt)
	}
	answer := h.send(s, "", nil)
	if answer.err != nil || answer.body != "0123456789" {
		t.Errorf("get by a link: %q, %s", answer.body, said(answer.err))
	}
	if how := answer.header.Get("Content-Disposition"); !strings.Contains(how, "filename") {
		t.Errorf("it is to be saved by a name, and says %q", how)
	}
	part := h.send(h.sign(link(toGet("linked"), 300)), "", http.Header{"Range": {"bytes=2-4"}})
	if part.status != http.StatusPartialContent || part.body != "234" {
		t.Errorf("get a part by a link: got %d, %q; want 206, 234", part.status, part.body)
	}
}

// checkExpired: a link ends.
func checkExpired(t *try, h holder) {
	h.put("passing", "hello")
	s := h.sign(link(toGet("passing"), 1))
	t.wait(time.Until(s.ExpiresAt.Add(200 * time.Millisecond)))
	var answer got
	_ = t.until(func() (bool, error) { // clocks differ
		answer = h.send(s, "", nil)
		return answer.status >= 400, nil
	})
	if answer.status < 400 || answer.status >= 500 {
		t.Errorf("after its time: got %d, %q; want a refusal", answer.status, answer.body)
	}
}

// checkTampered: a link is for what it was made for.
func checkTampered(t *try, h holder) {
	h.put("shown", "hello")
	h.put("hidden", "secret")
	s := h.sign(link(toGet("shown"), 300))
	refused := func(what string, s resource.SignedRequest, body string) {
		if answer := h.send(s, body, nil); answer.status < 400 || answer.status >= 500 {
			t.Errorf("%s: got %d, %q; want a refusal", what, answer.status, answer.body)
		}
	}
	other := s
	if other.URL = strings.Replace(s.URL, "shown", "hidden", 1); other.URL == s.URL {
		t.Fatalf("the link does not name its object: %s", s.URL)
	}
	refused("another key", other, "")
	other = s
	other.Method = http.MethodPut
	refused("written instead of read", other, "other")
	other = s
	other.URL, _, _ = strings.Cut(s.URL, "?")
	refused("without its query", other, "")
	h.get("shown", "hello")
}
