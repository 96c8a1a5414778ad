package v1_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// keyed posts with an idempotency key.
func (a *routes) keyed(key, path, body string) answer {
	a.t.Helper()
	r := a.request(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Idempotency-Key", key)
	return a.send(r)
}

func TestARequestWithAKeyIsDoneOnce(t *testing.T) {
	a := start(t, enginetest.Options{})
	const vpcs, vpc = "/v1/connections/mock/vpcs", `{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`

	first := into[api.Operation](t, a.keyed("create-1", vpcs, vpc))
	again := into[api.Operation](t, a.keyed(`"create-1"`, vpcs, vpc))
	assert.Equal(t, first.ID, again.ID, "with the quotes of the draft, too")
	made := a.keyed("create-1", vpcs+"?wait=30s", vpc)
	require.Equal(t, http.StatusCreated, made.status, "one that waits gets what came out of it: %s", made.body)
	assert.Equal(t, "v", into[resource.Resource](t, made).Name)
	for _, other := range []answer{
		a.keyed("create-1", vpcs, `{"name":"w","spec":{"cidr":"10.0.0.0/16"}}`),
		a.keyed("create-1", "/v1/connections/mock/vpcs/v:label", `{"set":{"a":"b"}}`),
		a.keyed("create-1", vpcs, `not JSON`),
	} {
		p := isProblem(t, http.StatusUnprocessableEntity, other)
		assert.Contains(t, p.Detail, first.ID, "it says what the key was used for")
		assert.Equal(t, "Idempotency-Key", p.Fields[0].Field)
	}
	isProblem(t, http.StatusConflict, a.post(vpcs, vpc))
	isProblem(t, http.StatusConflict, a.keyed("create-2", vpcs, vpc))
	isProblem(t, http.StatusUnprocessableEntity, a.keyed("create-3", vpcs, `{"name":"w"}`))
	assert.Equal(t, http.StatusCreated, a.keyed("create-3", vpcs+"?wait=30s", `{"name":"w","spec":{"cidr":"10.0.0.0/16"}}`).status, "what was refused leaves the key free")
	for _, bad := range []string{"", "two words", `"`, "a\\b", strings.Repeat("k", 256)} {
		isProblem(t, http.StatusBadRequest, a.keyed(bad, vpcs, vpc))
	}

	label := func() api.Operation {
		return into[api.Operation](t, a.keyed("label", "/v1/connections/mock/vpcs/v:label", `{"set":{"a":"b"}}`))
	}
	labelled := label()
	_, err := a.Wait(t.Context(), labelled.ID, patience)
	require.NoError(t, err)
	assert.Equal(t, labelled.ID, label().ID, "an action is not run again either")

	many := `{"name":"m","count":3,"spec":{"cidr":"10.0.0.0/16"}}`
	assert.Equal(t, into[api.Operation](t, a.keyed("many", vpcs, many)).ID, into[api.Operation](t, a.keyed("many", vpcs+"?wait=30s", many)).ID)

	ended := into[api.Destruction](t, a.keyed("destroy", "/v1/connections/mock:destroy?wait=30s", `{"dryRun":true}`))
	assert.Nil(t, ended.Operation, "a dry run needs no key")
	ended = into[api.Destruction](t, a.keyed("destroy", "/v1/connections/mock:destroy?wait=30s", `{"dryRun":false}`))
	same := into[api.Destruction](t, a.keyed("destroy", "/v1/connections/mock:destroy?wait=30s", `{"dryRun":false}`))
	assert.Equal(t, ended.Operation.ID, same.Operation.ID)
	assert.Len(t, same.Items, len(ended.Items))
	assert.Len(t, ended.Items, 5)
	assert.Empty(t, a.names(vpcs))
	assert.Equal(t, first.ID, into[api.Operation](t, a.keyed("create-1", vpcs, vpc)).ID, "after the VPC has gone nothing is made either")
	assert.Empty(t, a.names(vpcs))
}

func TestTheRepetitionOfACreationAnswersItsSecret(t *testing.T) {
	a := start(t, enginetest.Options{})
	const keys, key = "/v1/connections/mock/keypairs?wait=30s", `{"name":"k","spec":{"algorithm":"ed25519"}}`
	first := into[resource.Resource](t, a.keyed("k1", keys, key))
	require.NotEmpty(t, first.Secrets["privateKey"])
	assert.Equal(t, first.Secrets, into[resource.Resource](t, a.keyed("k1", keys, key)).Secrets, "its first answer may have been lost")
	assert.Empty(t, into[resource.Resource](t, a.get("/v1/connections/mock/keypairs/k")).Secrets)
}

func TestTheSameRequestManyTimesAtOnce(t *testing.T) {
	a := start(t, enginetest.Options{})
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		ids   = map[string]int{}
	)
	for range 16 {
		group.Go(func() {
			got := a.keyed("same", "/v1/connections/mock/vpcs", `{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`)
			mu.Lock()
			defer mu.Unlock()
			ids[into[api.Operation](t, got).ID]++
			assert.Equal(t, http.StatusAccepted, got.status, "%s", got.body)
		})
	}
	group.Wait()
	assert.Len(t, ids, 1)
}

func TestASetUpWithAKeyIsDoneOnce(t *testing.T) {
	a := start(t, enginetest.Options{})
	const credential = `{"name":"c","cloud":"mock","values":{"password":"right"}}`
	const connection = `{"name":"second","cloud":"mock","region":"mock-seoul","credential":"c"}`
	const repository = `{"name":"r","url":"file:///srv/nowhere","insecure":true}`
	for _, made := range []struct{ path, body string }{
		{"/v1/credentials", credential}, {"/v1/connections", connection}, {"/v1/repositories", repository},
	} {
		key := "make" + strings.ReplaceAll(made.path, "/", "-")
		first := a.keyed(key, made.path, made.body)
		require.Equal(t, http.StatusCreated, first.status, "%s", first.body)
		again := a.keyed(key, made.path, made.body)
		require.Equal(t, http.StatusCreated, again.status, "%s", again.body)
		assert.JSONEq(t, string(first.body), string(again.body))
		isProblem(t, http.StatusConflict, a.keyed(key+"-other", made.path, made.body))
		p := isProblem(t, http.StatusUnprocessableEntity, a.keyed(key, made.path, strings.Replace(made.body, `{"name":"`, `{"name":"x`, 1)))
		assert.Equal(t, "Idempotency-Key", p.Fields[0].Field)
	}
	remove := func(key, path string) answer {
		r := a.request(http.MethodDelete, path, nil)
		r.Header.Set("Idempotency-Key", key)
		return a.send(r)
	}
	isProblem(t, http.StatusConflict, remove("d0", "/v1/credentials/c"))
	for _, path := range []string{"/v1/repositories/r", "/v1/connections/second", "/v1/credentials/c"} {
		assert.Equal(t, http.StatusNoContent, remove("d"+path, path).status)
		assert.Equal(t, http.StatusNoContent, remove("d"+path, path).status, "the first answer may have been lost")
		isProblem(t, http.StatusNotFound, remove("other"+path, path))
	}

	const vpcs, vpc = "/v1/connections/mock/vpcs", `{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`
	require.Equal(t, http.StatusCreated, a.post(vpcs+"?wait=30s", vpc).status)
	first := into[api.Operation](t, remove("gone", vpcs+"/v"))
	_, err := a.Wait(t.Context(), first.ID, patience)
	require.NoError(t, err)
	assert.Equal(t, first.ID, into[api.Operation](t, remove("gone", vpcs+"/v")).ID)
	require.Equal(t, http.StatusCreated, a.post(vpcs+"?wait=30s", vpc).status)
	assert.Equal(t, first.ID, into[api.Operation](t, remove("gone", vpcs+"/v")).ID)
	assert.Equal(t, []string{"v"}, a.names(vpcs), "another of that name is not deleted")
}
