package host

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
)

const awkward = "s3cr\"et&<key>/+ä\\\n"

func knowing(values ...string) *redactor {
	r := newRedactor()
	r.add(values)
	return r
}

func TestSecretsAreFoundInAllTheirForms(t *testing.T) {
	const pem = "-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBgkqhkiG9w0BAQEFAASC\nBKgwggSkAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n"
	r := knowing(awkward, pem)
	for name, written := range map[string]string{
		"as it is":      awkward,
		"quoted":        fmt.Sprintf("%q", awkward),
		"in a query":    "x?a=" + url.QueryEscape(awkward) + "&b=1",
		"in a path":     "/x/" + url.PathEscape(awkward) + "/y",
		"base64":        base64.StdEncoding.EncodeToString([]byte(awkward)),
		"base64url":     base64.RawURLEncoding.EncodeToString([]byte(awkward)),
		"basic, 1 on":   base64.StdEncoding.EncodeToString([]byte("a" + awkward + "b")),
		"basic, 2 on":   base64.StdEncoding.EncodeToString([]byte("u:" + awkward)),
		"basic, 3 on":   base64.StdEncoding.EncodeToString([]byte("us:" + awkward + "more")),
		"a line of it":  "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC",
		"at both sides": awkward + awkward,
	} {
		clean := r.text("before " + written + " after")
		assert.Contains(t, clean, redacted, name)
		assert.True(t, strings.HasPrefix(clean, "before ") && strings.HasSuffix(clean, " after"), "%s: %s", name, clean)
		assert.NotContains(t, clean, "s3cr", name)
		inner, err := json.Marshal(map[string]any{"body": written})
		require.NoError(t, err)
		document, err := json.Marshal(map[string]any{"n": 12345678901234567, "list": []any{string(inner), written}, awkward: true})
		require.NoError(t, err)
		cleaned := r.json(document)
		var is struct {
			N    json.Number `json:"n"`
			List []string    `json:"list"`
		}
		require.NoError(t, json.Unmarshal(cleaned, &is), name)
		assert.Equal(t, "12345678901234567", is.N.String())
		for _, text := range is.List {
			assert.Contains(t, text, redacted, "%s: %s", name, text)
		}
	}
	ascii := []byte(`{"of a driver in Python":"x s3cr\"et&<key>/+\u00e4\\\n"}`)
	assert.JSONEq(t, `{"of a driver in Python":"x [secret]"}`, string(r.json(ascii)))
	assert.Equal(t, "-----BEGIN PRIVATE KEY-----", r.text("-----BEGIN PRIVATE KEY-----"), "every key begins so")
}

func TestShortAndWeakValuesDoNotGarble(t *testing.T) {
	r := knowing("1", "admin", "openstack", "abc12")
	for _, text := range []string{"1 of 11", "admin", "abc12"} {
		assert.Equal(t, text, r.text(text))
		assert.Equal(t, text, r.value(text))
	}
	assert.Equal(t, "the password is [secret]", r.text("the password is openstack"))
	const object = `{"id":"openstack-vm-1","openstack":1,"labels":{"made":"by openstack"}}`
	assert.JSONEq(t, object, string(r.json([]byte(object))))
	assert.JSONEq(t, `{"password":"[secret]","openstack":1}`, string(r.json([]byte(`{"password":"openstack","openstack":1}`))))
}

// Whoever chooses a credential does not choose what others can read of their resources.
func TestWordsOfTheProtocolStay(t *testing.T) {
	r := knowing("available", "not_found", "characters")
	const object = `{"state":"available","code":"not_found"}`
	assert.JSONEq(t, object, string(r.json([]byte(object))))
	assert.Equal(t, "not_found", r.text("not_found"), "as the code of an error")
	assert.Equal(t, "characters", r.text("characters"), "as the rule of a field")
	assert.Equal(t, "the password [secret] is wrong", r.text("the password available is wrong"))
}

// What is left of an object under another id is left on the cloud.
func TestObjectsKeepWhatTheyAreKnownBy(t *testing.T) {
	f := filter{knowing("vpc-a9141197b66f8c6a9", "0192f3a4-uid")}
	for _, object := range []string{
		`{"id":"vpc-a9141197b66f8c6a9"}`, `{"id":"arn:vpc-a9141197b66f8c6a9"}`, `{"id":"vpc-1","token":"0192f3a4-uid"}`,
	} {
		require.ErrorIs(t, f.answer(&driverv1.GetResponse{Object: []byte(object)}, nil), errIdentity, object)
		require.ErrorIs(t, f.answer(&driverv1.ListResponse{Objects: [][]byte{[]byte(`{"id":"vpc-2"}`), []byte(object)}}, nil), errIdentity, object)
	}
	answer := &driverv1.GetResponse{Object: []byte(`{"id":"vpc-2","name":"vpc-a9141197b66f8c6a9"}`)}
	require.NoError(t, f.answer(answer, nil))
	assert.JSONEq(t, `{"id":"vpc-2","name":"[secret]"}`, string(answer.GetObject()))
	failure := &driverv1.Failure{Message: "vpc-a9141197b66f8c6a9 is there", LeftId: "vpc-a9141197b66f8c6a9"}
	require.NoError(t, f.message(failure.ProtoReflect()))
	assert.Equal(t, "[secret] is there", failure.GetMessage())
	assert.Equal(t, "vpc-a9141197b66f8c6a9", failure.GetLeftId())
}

// The matcher finds what a plain search finds.
func TestTheMatcherAgainstAPlainSearch(t *testing.T) {
	noise := rand.New(rand.NewPCG(3, 4)) // the same every time
	word := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abc"[noise.IntN(3)]
		}
		return string(b)
	}
	for range 3000 {
		texts := []string{word(6), word(7), word(6 + noise.IntN(4))}
		in := word(noise.IntN(120))
		want := -1
		for _, text := range texts {
			if at := strings.Index(in, text); at >= 0 && (want < 0 || at < want) {
				want = at
			}
		}
		var m matcher
		m.add(texts)
		begin, end := m.find([]byte(in), 0)
		require.Equal(t, want, begin, "%q in %q", texts, in)
		if begin >= 0 {
			require.Contains(t, texts, in[begin:end])
		}
	}
}

// A list of 1,000 objects of 2 KB, with the credentials of 20 connections.
func BenchmarkRedactingAList(b *testing.B) {
	var values []string
	for i := range 20 {
		values = append(values, fmt.Sprintf("AKIA%016xabcdefgh", i*7919), base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "secret access key %d", i)))
	}
	r := knowing(values...)
	objects := make([][]byte, 1000)
	size := 0
	for i := range objects {
		object := map[string]any{"id": fmt.Sprintf("i-%017x", i), "state": "running", "labels": map[string]string{"env": "prod"}}
		for j := range 30 {
			object[fmt.Sprintf("field%d", j)] = fmt.Sprintf("value %d of what the cloud shows of it %x", j, i*j)
		}
		objects[i], _ = json.Marshal(object)
		size += len(objects[i])
	}
	for _, way := range []struct {
		name string
		do   func([]byte)
	}{
		{"redact", func(o []byte) { r.json(o) }},
		{"only decode", func(o []byte) { var v any; _ = json.Unmarshal(o, &v) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				for _, o := range objects {
					way.do(o)
				}
			}
		})
	}
}
