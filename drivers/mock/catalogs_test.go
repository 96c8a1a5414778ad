package mock

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestPrices(t *testing.T) {
	s := newRig(t).connect()
	byID, perHour := map[string]resource.Price{}, map[string]float64{}
	for _, p := range entries[resource.Price](t, s, "price") {
		require.NotContains(t, byID, p.ID)
		byID[p.ID] = p
		require.Regexp(t, regexp.MustCompile(`^\d+(\.\d*[1-9])?$`), p.Amount)
		amount, err := strconv.ParseFloat(p.Amount, 64)
		require.NoError(t, err)
		require.Positive(t, amount)
		perHour[p.Spec+p.DiskType+p.OS+p.Contract] = amount
	}
	for _, spec := range entries[resource.Spec](t, s, "spec") {
		demand := perHour[spec.Name+"linux"+"onDemand"]
		require.Greater(t, demand, perHour[spec.Name+"linux"+"reserved"])
		require.Greater(t, perHour[spec.Name+"linux"+"reserved"], perHour[spec.Name+"linux"+"spot"])
		if spec.Architectures[0] == x86 {
			require.Greater(t, perHour[spec.Name+"windows"+"onDemand"], demand)
		} else {
			require.NotContains(t, perHour, spec.Name+"windows"+"onDemand")
		}
	}
	for _, d := range entries[resource.DiskType](t, s, "disktype") {
		require.Contains(t, perHour, d.Name+"onDemand")
	}
}

func TestCBSpidersRegionsOfferWhatItsMockDoes(t *testing.T) {
	open := func(credential driver.Values, region string) drivertest.Patient {
		t.Helper()
		s, err := newRig(t).driver.Connect(t.Context(), driver.Config{Region: region, Credential: credential})
		require.NoError(t, err)
		return drivertest.Patient{Session: s}
	}
	s := open(nil, "venus")
	regions, zones := entries[resource.Region](t, s, "region"), entries[resource.Zone](t, s, "zone")
	require.Len(t, regions, 8)
	require.Len(t, zones, 24)
	require.Equal(t, resource.Zone{Name: "default-z2", Title: "Default Zone 2, Default", Region: "default"}, zones[1])
	require.Len(t, entries[resource.Image](t, s, "image"), 5)
	specs := entries[resource.Spec](t, s, "spec")
	require.Equal(t, resource.Spec{
		Name: "mock-vmspec-01", VCPUs: 4, ClockGHz: 2.7, MemoryMiB: 32768, Architectures: []string{x86, arm}, GPUs: 2, GPUModel: "NVIDIA V100", GPUMemoryMiB: 1 << 20,
	}, specs[0])
	for _, p := range entries[resource.Price](t, s, "price") {
		require.True(t, p.Product == "disk" || strings.HasPrefix(p.Spec, "mock-vmspec-"), p.ID)
	}
	require.Equal(t, "earth", entries[resource.Region](t, open(driver.Values{"mockName": "m"}, "earth"), "region")[8].Name, "its own region is listed, too")
	require.Len(t, entries[resource.Region](t, open(driver.Values{"mockName": "m"}, "mock-seoul"), "region"), 4)
	require.Len(t, entries[resource.Region](t, open(nil, ""), "region"), 4)
}

func TestQuotasCountWhatIsUsed(t *testing.T) {
	r := newRig(t)
	oneOfEach(t, r)
	s := r.connect("quotas", "disk=5,cluster=0", "quotaVMs", "7", "latency", "10s")
	check := func(disks float64) {
		t.Helper()
		found := map[string]resource.Quota{}
		for _, q := range entries[resource.Quota](t, s, "quota") {
			found[q.Kind] = q
		}
		for _, k := range resource.Kinds() {
			limit := map[string]float64{"disk": 5, "vm": 7, "cluster": 0}
			want, limited := limit[k.Name]
			if !limited {
				want = -1
			}
			require.InDelta(t, want, found[k.Name].Limit, 0, k.Name)
			if k.Name != "disk" {
				require.InDelta(t, 1, *found[k.Name].Used, 0, k.Name)
			}
		}
		require.InDelta(t, disks, *found["disk"].Used, 0)
	}
	check(1)
	more := create(t, s, "disk", "more", resource.DiskSpec{SizeGiB: 1}).ID
	check(2)
	r.advance(10 * time.Second)
	require.NoError(t, s.Delete(t.Context(), "disk", more))
	check(2)
	r.advance(10 * time.Second)
	check(1)
}

// TestFirstPassword opens the password of a VM with the private key, as its user would.
func TestFirstPassword(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("latency", "10s")
	pair := resource.KeyPairSpec{}
	secrets, err := pair.Complete()
	require.NoError(t, err)
	spec := n.vm()
	spec.Image = imageID("windows-2025-x86_64")
	e := refused(t, s, "vm", "bad", spec)
	require.Equal(t, "spec.keypair", e.Fields[0].Field, "not an ed25519 key")
	spec.KeyPair = create(t, r.connect(), "keypair", "rsa", pair).ID
	id := create(t, s, "vm", "win", spec).ID
	missing := func(id string) {
		t.Helper()
		_, err := s.View(t.Context(), "vm", id, "password", nil)
		require.Equal(t, resource.CodeNotFound, cloudError(t, err).Code)
	}
	missing(id)
	r.advance(10 * time.Second)
	answer := view[resource.VMPassword](t, s, "vm", id, "password")
	require.Equal(t, "Administrator", answer.User)
	key, err := ssh.ParseRawPrivateKey([]byte(secrets["privateKey"]))
	require.NoError(t, err)
	open := func(sealed string) string {
		t.Helper()
		raw, err := base64.StdEncoding.DecodeString(sealed)
		require.NoError(t, err)
		password, err := rsa.DecryptPKCS1v15(nil, key.(*rsa.PrivateKey), raw) //nolint:staticcheck // the clouds seal it so
		require.NoError(t, err)
		return string(password)
	}
	require.Len(t, open(answer.EncryptedPassword), 16)
	require.Equal(t, open(answer.EncryptedPassword), open(view[resource.VMPassword](t, r.reopened().connect(), "vm", id, "password").EncryptedPassword))
	missing(create(t, r.connect(), "vm", "linux", n.vm()).ID)
	require.NoError(t, s.Delete(t.Context(), "keypair", spec.KeyPair))
	missing(id)
}

func TestConsole(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("latency", "10s")
	spec := n.vm()
	spec.UserData = "#!/bin/sh\n"
	id := create(t, s, "vm", "web", spec).ID
	_, err := s.View(t.Context(), "vm", id, "console", nil)
	require.Equal(t, resource.CodeNotFound, cloudError(t, err).Code)
	r.advance(10 * time.Second)
	all := view[resource.VMConsole](t, s, "vm", id, "console").Output
	require.Contains(t, all, "Ran 10 bytes of user data.\n")
	raw, err := s.View(t.Context(), "vm", id, "console", json.RawMessage(`{"lines":1}`))
	require.NoError(t, err)
	require.Equal(t, "web login: ", decoded[resource.VMConsole](t, raw).Output)
	require.NoError(t, act(t, r.connect(), "vm", id, "stop", nil))
	require.Equal(t, all+"Power off.\n", view[resource.VMConsole](t, s, "vm", id, "console").Output)
}
