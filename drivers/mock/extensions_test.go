package mock

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestExtensions(t *testing.T) {
	r := newRig(t)
	oneOfEach(t, r)
	s := r.connect()
	run := func(name, input string) string {
		t.Helper()
		output, err := s.Extend(t.Context(), name, json.RawMessage(input))
		require.NoError(t, err)
		return string(output)
	}
	require.JSONEq(t, `{"Count":1}`, run("countAll", `{"rsType":"vpc"}`))
	create(t, s, "vpc", "more", vpcSpec())
	require.JSONEq(t, `{"Count":2}`, run("countAll", `{"rsType":"vpc"}`))
	_, err := s.Extend(t.Context(), "countAll", json.RawMessage(`{"rsType":"moon"}`))
	require.Equal(t, "rsType", cloudError(t, err).Fields[0].Field)
	require.JSONEq(t, `{"text":"hello","values":{"a":"b"},"account":"default","region":"mock-seoul"}`, run("echo", `{"text":"hello","values":{"a":"b"}}`))
	_, err = s.Extend(t.Context(), "echo", json.RawMessage(`{"text":"x","fail":"quota"}`))
	require.Equal(t, resource.CodeQuota, cloudError(t, err).Code)
	_, err = r.connect("failCall", "1").Extend(t.Context(), "echo", json.RawMessage(`{"text":"x"}`))
	require.Equal(t, resource.CodeUnavailable, cloudError(t, err).Code)
}

func TestNative(t *testing.T) {
	r := newRig(t)
	ids := oneOfEach(t, r)
	s := r.connect()
	call := func(method, path, body string) (int, string) {
		t.Helper()
		answer, err := s.Native(t.Context(), driver.NativeRequest{Service: "mock", Method: method, Path: path, Body: body})
		require.NoError(t, err)
		require.NotEmpty(t, answer.Headers["X-Request-Id"])
		return answer.Status, answer.Body
	}
	for _, k := range resource.Kinds() {
		status, body := call("", "/"+k.Plural(), "")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, ids[k.Name])
		status, body = call(http.MethodGet, "/"+k.Plural()+"/"+ids[k.Name], "")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, ids[k.Name], decoded[struct{ ID string }](t, json.RawMessage(body)).ID)
	}
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"", "", http.StatusNotFound},
		{"", "/moons", http.StatusNotFound},
		{"", "/vms/vm-x", http.StatusNotFound},
		{http.MethodDelete, "/vms", http.StatusMethodNotAllowed},
	} {
		status, body := call(test.method, test.path, "")
		require.Equal(t, test.status, status, test.path)
		require.Contains(t, body, "error")
	}
	status, body := call(http.MethodPost, "/echo", "anything")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "anything", body)
	_, err := s.Native(t.Context(), driver.NativeRequest{Service: "ec2"})
	require.Equal(t, "service", cloudError(t, err).Fields[0].Field)
	other := r.connectTo(driver.Config{Region: "mock-tokyo"})
	answer, err := other.Native(t.Context(), driver.NativeRequest{Service: "mock", Path: "/vms"})
	require.NoError(t, err)
	require.JSONEq(t, `{"vms":[]}`, answer.Body)
}

func TestWhatIsLacking(t *testing.T) {
	s := newRig(t).connect("lacks", "nlb,price")
	lacks, err := s.Lacks(t.Context())
	require.NoError(t, err)
	require.Len(t, lacks, 2)
	_, err = s.Create(t.Context(), "nlb", request(t, "web", resource.NLBSpec{}))
	require.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	require.ErrorContains(t, err, "the setting lacks")
	for _, err := range s.Catalog(t.Context(), "price", nil) {
		require.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	}
	create(t, s, "vpc", "net", vpcSpec())
}
