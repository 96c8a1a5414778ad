package mock

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/driver/signed"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// fetch sends what was signed and answers the status and the body.
func fetch(t *testing.T, s resource.SignedRequest, body string) (int, string) {
	t.Helper()
	client, err := signed.Client(driver.Reach{Hosts: []string{"127.0.0.1:*"}})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	r, err := signed.Request(t.Context(), s, strings.NewReader(body), int64(len(body)))
	require.NoError(t, err)
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(raw)
}

// call makes a data call.
func call[R any](t *testing.T, s drivertest.Patient, kind, id, name string, params any) (answer R, err error) {
	t.Helper()
	raw, err := json.Marshal(params)
	require.NoError(t, err)
	if raw, err = s.Data(t.Context(), kind, id, name, raw); err != nil {
		return answer, err
	}
	return answer, json.Unmarshal(raw, &answer)
}

func TestDataOutlivesTheProcess(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	bucket, queue := create(t, s, "bucket", "b", resource.BucketSpec{}).ID, create(t, s, "queue", "q", resource.QueueSpec{}).ID
	size := int64(5)
	put, err := s.Sign(t.Context(), "bucket", bucket, resource.SignRequest{Do: resource.SignPut, Key: "a/../b", Size: &size})
	require.NoError(t, err)
	status, _ := fetch(t, put, "hello")
	require.Equal(t, http.StatusOK, status)
	_, err = call[resource.SentMessages](t, s, "queue", queue, "send", resource.NewMessages{Messages: []resource.NewMessage{{Body: "one"}}})
	require.NoError(t, err)
	e := cloudError(t, s.Delete(t.Context(), "bucket", bucket))
	assert.Equal(t, resource.CodeDependency, e.Code, "it is not empty")

	again := r.reopened().connect()
	get, err := again.Sign(t.Context(), "bucket", bucket, resource.SignRequest{Do: resource.SignGet, Key: "a/../b"})
	require.NoError(t, err)
	status, body := fetch(t, get, "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "hello", body)
	received, err := call[resource.Messages](t, again, "queue", queue, "receive", resource.MessageQuery{})
	require.NoError(t, err)
	require.Len(t, received.Messages, 1)
	assert.Equal(t, "one", received.Messages[0].Body)

	require.NoError(t, act(t, again, "bucket", bucket, "empty", nil))
	require.NoError(t, again.Delete(t.Context(), "bucket", bucket))
	require.NoError(t, again.Delete(t.Context(), "queue", queue))
	for _, held := range []string{bucket, queue} {
		assert.NoDirExists(t, r.cloud.objects.dir+"/"+held)
	}
}

func TestTroubleWithData(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	bucket, queue := create(t, s, "bucket", "b", resource.BucketSpec{}).ID, create(t, s, "queue", "q", resource.QueueSpec{}).ID
	get := resource.SignRequest{Do: resource.SignGet, Key: "k"}
	for setting, code := range map[[2]string]resource.Code{
		{"failCall", "1"}: resource.CodeUnavailable, {"down", "bucket,queue"}: resource.CodeUnavailable, {"lacks", "bucket,queue"}: resource.CodeUnsupported,
	} {
		troubled := r.connect(setting[0], setting[1])
		_, err := troubled.Sign(t.Context(), "bucket", bucket, get)
		assert.Equal(t, code, resource.CodeOf(err), setting)
		_, err = call[any](t, troubled, "queue", queue, "receive", resource.MessageQuery{})
		assert.Equal(t, code, resource.CodeOf(err), setting)
	}
	reader := r.connectTo(driver.Config{Region: "mock-seoul", Credential: driver.Values{"denied": "bucket:write,queue:write"}})
	_, err := reader.Sign(t.Context(), "bucket", bucket, get)
	require.NoError(t, err)
	size := int64(0)
	_, err = reader.Sign(t.Context(), "bucket", bucket, resource.SignRequest{Do: resource.SignPut, Key: "k", Size: &size})
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	_, err = call[any](t, reader, "queue", queue, "receive", resource.MessageQuery{})
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Data(ctx, "queue", queue, "receive", json.RawMessage(`{"waitSeconds":20}`))
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "who waits may give up")
}

// TestWhoeverMayReadAPublicBucket: nobody needs a signature to read, and nobody without one
// writes.
func TestWhoeverMayReadAPublicBucket(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	bucket := create(t, s, "bucket", "b", resource.BucketSpec{}).ID
	size := int64(5)
	put, err := s.Sign(t.Context(), "bucket", bucket, resource.SignRequest{Do: resource.SignPut, Key: "k", Size: &size})
	require.NoError(t, err)
	status, _ := fetch(t, put, "hello")
	require.Equal(t, http.StatusOK, status)
	plain := resource.SignedRequest{Method: http.MethodGet}
	plain.URL, _, _ = strings.Cut(put.URL, "?")
	status, _ = fetch(t, plain, "")
	assert.Equal(t, http.StatusForbidden, status)
	require.NoError(t, act(t, s, "bucket", bucket, "setpublic", resource.BucketAccess{Public: true}))
	status, body := fetch(t, plain, "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "hello", body)
	plain.Method = http.MethodPut
	status, _ = fetch(t, plain, "other")
	assert.Equal(t, http.StatusForbidden, status)
}
