package engine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestCapabilitiesAreWhatTheConnectionHas(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "lacks", "nlb,price")
	whole, err := e.Capabilities(t.Context(), "catalog-only")
	require.NoError(t, err)
	assert.Equal(t, "mock", whole.Cloud)
	assert.Len(t, whole.Kinds, len(resource.Kinds()))
	assert.Empty(t, whole.Lacks)
	assert.NotEmpty(t, whole.Extensions)
	assert.NotEmpty(t, whole.Native)
	less, err := e.Capabilities(t.Context(), "mock")
	require.NoError(t, err)
	assert.Len(t, less.Kinds, len(resource.Kinds())-1)
	assert.NotContains(t, less.Catalogs, "price")
	require.Len(t, less.Lacks, 2)
	assert.Equal(t, "nlb", less.Lacks[0].Name)
	assert.NotEmpty(t, less.Lacks[0].Reason)
	_, err = e.Capabilities(t.Context(), "nowhere")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))

	// The others go on without what is lacking.
	e.Network()
	op, err := e.Ask("mock", "nlb", "web", `{"vpc":"v","protocol":"tcp","port":80}`)
	require.NoError(t, err)
	assert.Equal(t, resource.CodeUnsupported, e.Fails(op).Code)
	items, err := e.Inventory(t.Context(), "mock", "")
	require.NoError(t, err)
	assert.Len(t, items, 2)
	_, err = e.AdoptAll(t.Context(), "mock")
	require.NoError(t, err)
}

func TestAConnectionThatFailsHasNoCapabilities(t *testing.T) {
	e := enginetest.Start(t, enginetest.Options{})
	_, err := e.CreateConnection(t.Context(), []byte(`{"name":"bad","cloud":"mock","region":"moon"}`), false)
	require.NoError(t, err)
	_, err = e.Capabilities(t.Context(), "bad")
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	assert.ErrorContains(t, err, "moon")
}

func TestExtensionsReachTheDriver(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	output, err := e.Extend(t.Context(), "mock", "countAll", []byte(`{"rsType":"subnet"}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"Count":1}`, string(output))
	for _, test := range []struct{ extension, input, field, code string }{
		{"echo", ``, "text", "invalid"},
		{"echo", `{"text":"x","color":1}`, "color", "invalid"},
		{"echo", `{"text":1}`, "text", "invalid"},
		{"echo", `{"text":"a","text":"b"}`, "text", "invalid"},
		{"echo", `[]`, "body", "invalid"},
		{"echo", `{`, "body", "invalid"},
		{"echo", `{"text":"x","fail":"quota"}`, "", "quota"},
		{"dance", `{}`, "", "not_found"},
	} {
		_, err := e.Extend(t.Context(), "mock", test.extension, []byte(test.input))
		assert.Equal(t, resource.Code(test.code), resource.CodeOf(err), test.input)
		if test.field != "" {
			require.NotEmpty(t, resource.AsError(err).Fields, test.input)
			assert.Equal(t, test.field, resource.AsError(err).Fields[0].Field, test.input)
		}
	}
	_, err = e.Extend(t.Context(), "mock", "dance", nil)
	assert.ErrorContains(t, err, "countAll, echo")
	_, err = e.Extend(t.Context(), "nowhere", "echo", []byte(`{"text":"x"}`))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

func TestNativeCallsReachTheCloud(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	answer, err := e.Native(t.Context(), "mock", []byte(`{"service":"mock","path":"/vpcs"}`))
	require.NoError(t, err)
	assert.Equal(t, 200, answer.Status)
	assert.Contains(t, answer.Body, e.OnCloud("mock", "vpc")[0].ID)
	answer, err = e.Native(t.Context(), "mock", []byte(`{"service":"mock","method":"DELETE","path":"/vpcs"}`))
	require.NoError(t, err, "what the cloud answers is no error")
	assert.Equal(t, 405, answer.Status)
	assert.NotEmpty(t, answer.Headers)
	for body, field := range map[string]string{
		``: "service", `{"service":"mock","method":"BREW"}`: "method", `{"service":"moon"}`: "service", `{"service":"mock","color":1}`: "color", `[]`: "body",
	} {
		_, err := e.Native(t.Context(), "mock", []byte(body))
		require.Equal(t, resource.CodeInvalid, resource.CodeOf(err), body)
		assert.Equal(t, field, resource.AsError(err).Fields[0].Field, body)
	}
	_, err = e.Native(t.Context(), "nowhere", []byte(`{"service":"mock"}`))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}
