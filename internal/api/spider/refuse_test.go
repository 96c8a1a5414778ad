package spider_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/api/spider"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// patient is an engine that does everything again only after a time that no client
// waits for, so that what is answered was not tried again.
func patient() enginetest.Options {
	return enginetest.Options{Engine: engine.Config{PollFirst: 10 * time.Minute, PollMax: 10 * time.Minute, RetryFirst: 10 * time.Minute, RetryMax: 10 * time.Minute}}
}

func TestWhatTheCloudRefusesIsAnsweredAtOnce(t *testing.T) {
	a := registered(t, patient())
	a.ok(http.MethodPost, "/vpc", in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24"}]}`))
	vpc, err := a.Get(t.Context(), connection, "vpc", "v")
	require.NoError(t, err)
	session, _, err := a.Session(t.Context(), connection)
	require.NoError(t, err)
	foreign, _, err := session.Create(t.Context(), "subnet", enginetest.SubnetRequest("foreign", vpc.CloudID, "10.0.2.0/24"))
	require.NoError(t, err)

	refused := func(says string) {
		t.Helper()
		r := a.call(http.MethodDelete, "/vpc/v", `{"ConnectionName":"`+connection+`"}`)
		assert.Equal(t, http.StatusConflict, r.status, r.body)
		assert.Contains(t, r.message(t), says)
	}
	refused(foreign.ID) // by the cloud
	a.ok(http.MethodGet, "/allvpc?ConnectionName="+connection, "")
	_, err = a.Compare(t.Context(), connection, "subnet")
	require.NoError(t, err)
	refused("by what only the cloud has") // before it is begun

	_, err = session.Delete(t.Context(), "subnet", foreign.ID)
	require.NoError(t, err)
	a.ok(http.MethodDelete, "/vpc/v", `{"ConnectionName":"`+connection+`"}`)
}

func TestAVPCThatTheCloudRefusesIsAnsweredAtOnceWithItsSubnets(t *testing.T) {
	a := registered(t, patient())
	r := a.call(http.MethodPost, "/vpc", in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24","Zone":"no-such-zone"},{"Name":"s2","IPv4_CIDR":"10.0.2.0/24"}]}`))
	assert.GreaterOrEqual(t, r.status, http.StatusBadRequest, r.body)
	assert.Empty(t, a.OnCloud(connection, "vpc"), "nothing stays")
}

func TestClientsRecognizeWhatTheCloudHasNoRoomFor(t *testing.T) {
	for code, word := range map[resource.Code]string{resource.CodeCapacity: "insufficientcapacity", resource.CodeQuota: "quota"} {
		for _, message := range []string{"no host has room for it", "the zone does not have enough capacity", "InsufficientCapacity: choose another zone", "the Quota is used up"} {
			status, said := spider.StatusOf(resource.Errorf(code, "%s", message))
			assert.GreaterOrEqual(t, status, http.StatusBadRequest)
			assert.Contains(t, strings.ToLower(said), word)
			assert.Contains(t, said, message)
		}
	}
}

func TestATakenKeyNameIsAnsweredAtOnce(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.ok(http.MethodPost, "/keypair", in(`{"Name":"k"}`))
	began := time.Now()
	const times = 100
	for range times {
		r := a.call(http.MethodPost, "/keypair", in(`{"Name":"k"}`))
		require.Equal(t, http.StatusConflict, r.status, r.body)
	}
	assert.Less(t, time.Since(began), times*100*time.Millisecond, "making an RSA key takes far longer")
}

func TestATokenSaysWhenItEnds(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	a.ok(http.MethodPost, "/cluster", in(`{"Name":"c","VPCName":"v","SubnetNames":["s"],"SecurityGroupNames":["g"],"NodeGroupList":[]}`))
	before := time.Now().Truncate(time.Second)
	r := a.ok(http.MethodGet, "/cluster/c/token?ConnectionName="+connection, "")
	var token struct {
		APIVersion, Kind string
		Status           struct{ Token, ExpirationTimestamp string }
	}
	require.NoError(t, json.Unmarshal([]byte(r.body), &token))
	assert.Equal(t, "ExecCredential", token.Kind)
	assert.NotEmpty(t, token.Status.Token)
	end, err := time.Parse(time.RFC3339, token.Status.ExpirationTimestamp)
	require.NoError(t, err)
	assert.True(t, end.After(before) && end.Before(before.Add(24*time.Hour)), token.Status.ExpirationTimestamp)
}
