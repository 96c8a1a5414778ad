package resource_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestRequestsToSign(t *testing.T) {
	size, now := int64(1), time.Now()
	for _, good := range []resource.SignRequest{
		{Do: "get", Key: "a/../b//"},
		{Do: "get", Key: strings.Repeat("k", 1024), Range: "bytes=-1", IfModifiedSince: &now, Version: "v"},
		{Do: "get", Key: "k", Link: true, FileName: "여름.txt"},
		{Do: "put", Key: "k", Size: new(int64), MD5: "1B2M2Y8AsgTpgAmY7PhCfg==", IfNoneMatch: "*"},
		{Do: "put", Key: "k", Link: true, ExpiresSeconds: 604800},
		{Do: "putpart", Key: "k", Upload: "u", Part: 1, Size: &size},
	} {
		r, err := resource.ParseSign(good)
		if err != nil {
			t.Errorf("%+v: %v", good, err)
		}
		if good.Link && r.ExpiresSeconds == 0 {
			t.Errorf("%+v: the link is good for ever", good)
		}
	}
	for field, bad := range map[string]resource.SignRequest{
		"do":              {Do: "delete", Key: "k"},
		"key":             {Do: "get", Key: strings.Repeat("여", 342)}, // 1,026 bytes
		"size":            {Do: "put", Key: "k"},
		"upload":          {Do: "putpart", Key: "k", Part: 1, Size: &size},
		"part":            {Do: "putpart", Key: "k", Upload: "u", Size: &size},
		"range":           {Do: "get", Key: "k", Range: "bytes=0-1,3-4"},
		"version":         {Do: "put", Key: "k", Size: &size, Version: "v"},
		"md5":             {Do: "put", Key: "k", Size: &size, MD5: "abc"},
		"fileName":        {Do: "get", Key: "k", FileName: "x"},
		"expiresSeconds":  {Do: "get", Key: "k", ExpiresSeconds: 60},
		"ifMatch":         {Do: "get", Key: "k", IfMatch: "여름"},
		"ifModifiedSince": {Do: "put", Key: "k", Size: &size, IfModifiedSince: &now},
		"headers.contentType": {
			Do: "put", Key: "k", Size: &size, Headers: resource.ObjectHeaders{ContentType: "a\nb"},
		},
		"headers.metadata": {
			Do: "put", Key: "k", Size: &size, Headers: resource.ObjectHeaders{Metadata: map[string]string{"A_b": "x"}},
		},
	} {
		_, err := resource.ParseSign(bad)
		wantInvalid(t, err, field, "")
	}
	_, err := resource.ParseSign(resource.SignRequest{Do: "get", Key: "a\x00b"})
	wantInvalid(t, err, "key", "control character")
	_, err = resource.ParseSign(resource.SignRequest{Do: "get", Key: "a\xff"})
	wantInvalid(t, err, "key", "UTF-8")
	_, err = resource.ParseSign(resource.SignRequest{Do: "get", Key: "k", Link: true, FileName: "a\r\nSet-Cookie: b"})
	wantInvalid(t, err, "fileName", "control character")
	for _, value := range []string{" a", "a ", "여름"} {
		_, err = resource.ParseSign(resource.SignRequest{Do: "put", Key: "k", Size: &size, Headers: resource.ObjectHeaders{Metadata: map[string]string{"a": value}}})
		wantInvalid(t, err, "headers.metadata", "ASCII")
	}
}

// TestReceiptsStandInPaths: whatever a cloud calls a receipt comes back as it was.
func TestReceiptsStandInPaths(t *testing.T) {
	for _, text := range []string{"plain", "a/b+c==", "../?#&", "여름\x00\xff"} {
		raw, err := json.Marshal(resource.Receipt(text))
		if err != nil || bytes.ContainsAny(raw, "/+=?#&. ") {
			t.Errorf("%q is written as %s, %v", text, raw, err)
		}
		var back resource.Receipt
		if err := json.Unmarshal(raw, &back); err != nil || string(back) != text {
			t.Errorf("%q comes back as %q, %v", text, back, err)
		}
	}
}

func TestDataCallsFromQueries(t *testing.T) {
	list, err := resource.Bucket.DataCall("listobjects")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := list.GivenParams(map[string][]string{"prefix": {"1"}, "pageSize": {"2"}, "versions": {"true"}}, nil)
	if err == nil {
		raw, err = list.ParseParams(raw)
	}
	if err != nil || string(raw) != `{"prefix":"1","versions":true,"pageSize":2}` {
		t.Errorf("got %s, %v", raw, err)
	}
	query, err := list.QueryOf(raw)
	if again, parseErr := list.GivenParams(query, nil); err != nil || parseErr != nil || !strings.Contains(string(again), `"prefix":"1"`) {
		t.Errorf("%v is read as %s, %v, %v", query, again, err, parseErr)
	}
	names := resource.ObjectNames{}
	for _, key := range strings.Split("a b c d e f g", " ") {
		names.Objects = append(names.Objects, resource.ObjectName{Key: key})
	}
	raw, _ = json.Marshal(names)
	remove, err := resource.Bucket.DataCall("deleteobjects")
	if err != nil || remove.About(raw) != "a, b, c, d, e and 2 more" {
		t.Errorf("it is about %q, %v", remove.About(raw), err)
	}
}

// TestSeveralAreAnsweredOneByOne: what an answer leaves out would count as done.
func TestSeveralAreAnsweredOneByOne(t *testing.T) {
	for _, k := range resource.Kinds() {
		for _, c := range k.Data {
			if c.AnswerType().Implements(reflect.TypeFor[resource.Batch]()) && !c.ParamsType().Implements(reflect.TypeFor[interface{ Len() int }]()) {
				t.Errorf("%s of %s is answered one by one, and its parameters do not say of how many", c.Name, k.Name)
			}
		}
	}
	c, err := resource.Queue.DataCall("deletemessages")
	if err != nil {
		t.Fatal(err)
	}
	for answer, fits := range map[string]bool{`{"messages":[{},{}]}`: true, `{"messages":[{}]}`: false, `{}`: false, `{"messages":[{},{},{}]}`: false} {
		if _, err := c.Answered([]byte(`{"receipts":["YQ","Yg"]}`), []byte(answer)); (err == nil) != fits {
			t.Errorf("%s: got %v", answer, err)
		}
	}
}
