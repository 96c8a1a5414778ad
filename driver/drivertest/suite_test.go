package drivertest

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// toyPassword is what the VMs of the toy cloud are given.
const toyPassword = "Only-written-1"

// toyTarget is the toy driver against a toy cloud of its own. It is impatient: many
// defects show only when the time is over.
func toyTarget(t *testing.T, defect string) Target {
	t.Helper()
	cloud := newToyCloud(t)
	account := func(key string) driver.Config {
		return driver.Config{Credential: driver.Values{"key": key}, Region: "here", Settings: driver.Values{"endpoint": cloud.URL}}
	}
	other, warned := account("key-of-two"), account(toyWarnedKey)
	return Target{
		Driver: newToy(defect), Config: account("key-of-one"), Other: &other,
		Against: "the toy cloud", Type: driver.TestedSimulator,
		Image: toyImage, Machine: toyMachine, Settle: 300 * time.Millisecond, Timeout: 2 * time.Second, Parallel: 8,
		Specs: map[string]any{
			"vm":      resource.VMSpec{Image: toyImage, Spec: toyMachine, Subnet: "subnet", SecurityGroups: []string{"securitygroup"}, KeyPair: "keypair", AdminPassword: toyPassword},
			"cluster": resource.ClusterSpec{VPC: "vpc", Subnets: []string{"subnet"}, NodeGroups: []resource.NodeGroup{}},
			"queue":   resource.QueueSpec{MaxMessageBytes: 20000},
		},
		Invalid:    map[string][]any{"vm": {map[string]any{"spec": "tiny"}}},
		Extensions: map[string]any{"echo": map[string]any{"word": "hello"}},
		Native:     []driver.NativeRequest{{Service: "toy", Path: "/"}},
		Refused:    []Refused{{Name: "stolen-key", Config: account("key-of-none"), Codes: []string{"unauthenticated"}}},
		Lacking:    &Lacking{Config: account(toyReadingKey), Permissions: []string{toyWrite}},
		Warning:    &warned,
		Changing: map[string]func(context.Context) (func(context.Context) error, error){"image": func(context.Context) (func(context.Context) error, error) {
			cloud.turn()
			return func(context.Context) error { return nil }, nil
		}},
		PageSize: "pageSize", Endpoint: "endpoint",
		Quota: map[string]driver.Config{"vpc": account("key-of-small")},
		Outside: func(_ context.Context, kind string) (string, func(context.Context) error, error) {
			if kind != "vpc" {
				return "", nil, nil
			}
			id := cloud.outside()
			return id, func(context.Context) error { cloud.drop(id); return nil }, nil
		},
		Budget: filepath.Join("testdata", "toy-calls.json"),
	}
}

// TestGoodDriver: a driver without a defect passes every check, and each check that
// could be run was.
func TestGoodDriver(t *testing.T) {
	target := toyTarget(t, "")
	target.Settle, target.Timeout = time.Minute, 30*time.Second // the machine may be busy
	Run(t, target)
}

// caught are the checks that must fail for a defect.
func caught() map[string][]string {
	return map[string][]string{
		"undocumented":                 {"connection/describe/documented"},
		"half translated":              {"connection/describe/translated"},
		"closes all sessions":          {"connection/connect/side-by-side"},
		"does not ask":                 {"connection/connect/wrong-key", "connection/connect/stolen-key", "connection/connect/nobody-listens"},
		"any region":                   {"connection/connect/unknown-region"},
		"no regions":                   {"connection/connect/without-region", "region/list/entries"},
		"any certificate":              {"connection/connect/bad-certificate"},
		"trouble is a wrong key":       {"connection/connect/reset", "connection/connect/lost-answer", "connection/connect/cut-answer", "connection/connect/throttled", "connection/connect/throttled-for-long", "connection/connect/unavailable", "connection/connect/html", "connection/connect/no-answer"},
		"forgets a permission":         {"connection/permissions/answer"},
		"lacks the wrong one":          {"connection/permissions/answer", "connection/permissions/lacking"},
		"may do all":                   {"connection/permissions/lacking"},
		"swallows warnings":            {"connection/warnings/told"},
		"warns of creations only":      {"connection/warnings/told"},
		"tells the key in warnings":    {"(connection/warnings/told)", "suite/secrets/untold"},
		"misses changes":               {"image/list/since"},
		"misses what goes":             {"image/list/since"},
		"trusts any cursor":            {"image/list/since"},
		"images twice":                 {"image/list/entries"},
		"filter loses":                 {"spec/list/filter"},
		"mixes accounts":               {"vpc/list/other-account", "metric/read/other-account"},
		"forgets tokens":               {"vpc/create/same-token", "vpc/create/same-token-at-once", "vpc/create/life", "vpc/create/cancelled"},
		"remembers in memory":          {"vpc/create/same-token-after-crash", "vpc/create/two-processes", "vpc/create/lost-answer-and-crash"},
		"marks afterwards":             {"vpc/create/lost-answer", "vpc/create/reset"},
		"takes names for tokens":       {"vpc/create/same-name"},
		"makes twins":                  {"vpc/create/same-token", "(vpc/delete/gone)", "suite/delete/nothing-left"},
		"cuts names":                   {"vpc/create/names"},
		"shows no labels":              {"vpc/create/labels", "vpc/label/works"},
		"drops other labels":           {"vm/label/works"},
		"keeps the last label":         {"vm/label/last"},
		"misses what is asked for":     {"vpc/list/filter"},
		"shows its tags":               {"vpc/list/shape", "vpc/create/labels"},
		"garbles text":                 {"securitygroup/create/free-text"},
		"names instead of ids":         {"subnet/list/references"},
		"other spec":                   {"subnet/create/life"},
		"hides how its parts are":      {"cluster/list/shape"},
		"chooses in silence":           {"vm/create/asked"},
		"never settles":                {"vpc/create/life"},
		"fails":                        {"vpc/create/life"},
		"takes anything":               {"subnet/create/unknown-vpc", "subnet/create/range-outside-of-vpc", "vm/create/unknown-image", "vm/create/unknown-machine", "vm/create/unknown-subnet", "vm/create/unknown-securitygroups", "vm/create/invalid-1", "cluster/create/unknown-version", "cluster/create/unknown-subnets", "cluster/create/unknown-vpc", "securitygroup/create/unknown-vpc"},
		"leaves rubble":                {"subnet/create/range-outside-of-vpc"},
		"checks nothing":               {"subnet/check/refused", "vpc/check/quota"},
		"checks by doing":              {"vpc/check/works"},
		"refuses otherwise":            {"subnet/check/refused"},
		"refuses all":                  {"vpc/check/works", "vpc/check/quota"},
		"looks for what is kept":       {"vm/create/kept-keypair"},
		"passes over what is kept":     {"vm/create/kept-keypair", "vm/create/unknown-keypair", "cluster/addnodegroup/kept-keypair"},
		"takes what is kept once":      {"vm/create/kept-keypair"},
		"takes calls for what is kept": {"keypair/kept/uncalled"},
		"quota is a failure":           {"vpc/create/quota"},
		"reads one page":               {"vpc/list/pages-of-1", "vpc/list/pages-of-2", "metric/read/pages-of-1", "metric/read/pages-of-2", "metric/read/pages-of-3"},
		"lists twice":                  {"vpc/list/shape", "vpc/list/complete", "vpc/list/pages-of-3"},
		"lists what it gets":           {"vpc/list/reset", "vpc/list/lost-answer", "vpc/list/cut-answer", "vpc/list/unavailable", "vpc/list/throttled", "vpc/list/throttled-for-long", "vpc/list/html", "vpc/list/no-answer", "metric/read/reset", "metric/read/lost-answer", "metric/read/cut-answer", "metric/read/unavailable", "metric/read/throttled", "metric/read/throttled-for-long", "metric/read/html", "metric/read/no-answer"},
		"pages are answers":            {"vpc/list/html"},
		"lists another name":           {"vpc/get/as-listed"},
		"asks for each":                {"vpc/list/calls"},
		"asks twice":                   {"vpc/get/calls", "vpc/create/calls", "vpc/delete/calls", "vpc/check/calls", "vm/stop/calls", "vm/stop/many-calls", "vm/get/many-calls", "vm/delete/many-calls", "bucket/listobjects/calls", "queue/send/calls"},
		"does the first of many":       {"vm/stop/many", "vm/delete/many", "vm/get/many"},
		"passes over a bad one":        {"vm/stop/many-and-a-bad-one"},
		"blames all for one":           {"vm/start/many-and-a-bad-one", "vm/delete/many-and-a-bad-one", "vm/get/many-and-a-bad-one"},
		"hides others":                 {"vpc/list/made-outside"},
		"shows what is not there":      {"vpc/get/unknown", "vpc/get/gone"},
		"trouble is not_found":         {"vpc/get/html", "vpc/create/html", "vpc/get/reset", "vpc/get/lost-answer", "vpc/get/cut-answer", "vpc/get/no-answer", "vpc/create/no-answer", "vpc/create/cut-answer", "vpc/create/reset"},
		"throttled is denied":          {"vpc/get/throttled", "vpc/create/throttled", "vpc/create/throttled-for-long", "vpc/delete/throttled", "vpc/get/throttled-for-long"},
		"never try again":              {"vpc/get/unavailable", "vpc/create/unavailable", "vpc/delete/reset", "vpc/delete/lost-answer", "vpc/delete/cut-answer"},
		"no codes":                     {"vpc/delete/unavailable", "vpc/delete/in-use"},
		"reads once":                   {"connection/connect/slow-answer", "vpc/list/slow-answer", "metric/read/slow-answer", "vpc/get/slow-answer", "vpc/create/slow-answer", "vpc/delete/slow-answer"},
		"keeps no deadline":            {"vpc/get/no-answer"},
		"goes on":                      {"vpc/list/cancelled", "vpc/create/cancelled", "metric/read/cancelled"},
		"deletes for show":             {"vpc/delete/in-use"},
		"takes errors for deletions":   {"vpc/delete/no-answer", "vpc/delete/throttled", "vpc/delete/throttled-for-long", "vpc/delete/unavailable", "vpc/delete/html"},
		"deletes users too":            {"vpc/delete/in-use"},
		"takes names for ids":          {"vpc/delete/namesake"},
		"deletes by name":              {"vm/delete/gone", "(vpc/delete/gone)", "suite/delete/strangers"},
		"cleans up by name":            {"subnet/create/unknown-vpc", "securitygroup/create/unknown-vpc"},
		"changes by name":              {"vm/label/works"},
		"misses what is gone":          {"vpc/delete/unknown", "vpc/delete/gone"},
		"actions always work":          {"securitygroup/addrules/unknown", "vm/start/unknown", "vm/label/unknown"},
		"actions do nothing":           {"securitygroup/addrules/works", "securitygroup/removerules/works", "vm/stop/works"},
		"adds again":                   {"securitygroup/addrules/works"},
		"empty views":                  {"cluster/kubeconfig/answer"},
		"tells all of the console":     {"vm/console/params"},
		"views of nothing":             {"cluster/kubeconfig/unknown"},
		"broken extension":             {"extension/echo/answer"},
		"broken native":                {"extension/native/answer"},
		"data of anything":             {"bucket/listobjects/unknown", "queue/send/unknown"},
		"tidies keys":                  {"bucket/sign/works"},
		"refuses all keys":             {"bucket/sign/works"},
		"signs no range":               {"bucket/sign/range"},
		"signs no conditions":          {"bucket/sign/conditions"},
		"signs no md5":                 {"bucket/sign/checksum"},
		"signs no headers":             {"bucket/lookupobject/works", "bucket/copyobject/works"},
		"signs too much":               {"bucket/sign/tampered"},
		"links for ever":               {"bucket/sign/expired"},
		"links with a token":           {"bucket/sign/link"},
		"missing is empty":             {"bucket/sign/missing"},
		"lists one page of objects":    {"bucket/listobjects/works"},
		"lists no folders":             {"bucket/listobjects/works"},
		"shows no versions":            {"bucket/listobjects/versions"},
		"copies halves":                {"bucket/copyobject/works"},
		"deletes what begins so":       {"bucket/deleteobjects/works"},
		"forgets the last part":        {"bucket/completeupload/works"},
		"keeps parts":                  {"bucket/abortupload/works"},
		"garbles messages":             {"queue/send/works"},
		"blames all messages":          {"queue/send/partial"},
		"hides what fails":             {"queue/send/partial"},
		"sends at once":                {"queue/send/delay"},
		"knows nothing again":          {"queue/send/order"},
		"nothing is an error":          {"queue/receive/empty"},
		"keeps nothing back":           {"queue/receive/visibility"},
		"keeps all back":               {"queue/receive/visibility", "queue/receive/dead-letter"},
		"keeps messages":               {"queue/deletemessages/works"},
		"gives nothing back":           {"queue/setvisibility/works"},
		"takes any receipt":            {"queue/setvisibility/works"},
		"metrics of anything":          {"metric/read/unknown-vms", "metric/read/unknown-clusters", "metric/read/unknown-names"},
		"measures nothing":             {"metric/read/entries"},
		"measures twice":               {"metric/read/entries"},
		"measures all the time":        {"metric/read/span"},
		"measures each moment":         {"metric/read/step"},
		"never looks back":             {"metric/read/too-old"},
		"tells the key in metrics":     {"(metric/read/entries)", "suite/secrets/untold"},
		"tells the key in errors":      {"(vpc/get/unknown)", "suite/secrets/untold"},
		"tells the key in its log":     {"(vpc/list/shape)", "suite/secrets/untold"},
		"shows the key":                {"(vpc/list/shape)", "suite/secrets/untold"},
		"shows what is only written":   {"(vm/create/life)", "suite/secrets/untold"},
	}
}

// checkedElsewhere are checks that no driver made with package driver can fail, because
// that does what they check, and those of what may well go wrong with such a driver.
func checkedElsewhere() map[string]string {
	return map[string]string{
		"connection/unknown-setting": "driver.Driver checks settings",
		"connection/unknown-field":   "driver.Driver checks credentials",
		"connection/missing-key":     "driver.Driver checks credentials",
		"create/wrong-type":          "driver.Kind decodes specifications",
		"extension/unknown-field":    "driver.Extension checks inputs",
		"action/wrong-params":        "driver.Driver checks parameters of views",
		"data/wrong-params":          "driver.Driver checks parameters of data calls",
		"read/wrong-filter":          "driver.Feed checks filters",
		"read/wrong-span":            "driver.Feed checks spans",
		"get/many-too-many":          "driver.Driver counts the members of batches",
		"delete/many-too-many":       "driver.Driver counts the members of batches",
		"action/many-too-many":       "driver.Driver counts the members of batches",
	}
}

// TestEveryCheckCatchesSomething: a check that nothing can fail checks nothing.
func TestEveryCheckCatchesSomething(t *testing.T) {
	s, err := newSuite(t.Context(), toyTarget(t, ""))
	require.NoError(t, err)
	defer s.close()
	// A check is the same for every kind; those of actions and views have the name of
	// the action or view as verb.
	general := func(c check) string {
		switch {
		case c.kind == "connection" || c.kind == "extension":
			return c.kind + "/" + c.name
		case slices.Contains([]string{"list", "get", "create", "check", "delete", "read"}, c.verb):
			return c.verb + "/" + c.name
		case s.isDataCall(c):
			if _, generic := map[string]bool{"unknown": true, "wrong-params": true, "calls": true}[c.name]; generic {
				return "data/" + c.name
			}
			return c.verb + "/" + c.name
		default:
			return "action/" + c.name
		}
	}
	catches := map[string]bool{}
	for _, paths := range caught() {
		for _, path := range paths {
			parts := strings.Split(path, "/")
			if len(parts) == 3 && !strings.HasPrefix(path, "(") {
				catches[general(check{kind: parts[0], verb: parts[1], name: parts[2]})] = true
			}
		}
	}
	for _, g := range s.plan() {
		for _, c := range g.checks {
			name := general(c)
			assert.True(t, catches[name] || checkedElsewhere()[name] != "", "%s (%s) catches no defect", c.path(), name)
		}
	}
}

func TestTroubleOfSomeKinds(t *testing.T) {
	target := toyTarget(t, "")
	target.Trouble = []string{"vpc"}
	s, err := newSuite(t.Context(), target)
	require.NoError(t, err)
	defer s.close()
	planned := map[string]bool{}
	spared, err := s.spared(s.plan(), false)
	require.NoError(t, err)
	for _, g := range s.plan() {
		for _, c := range g.checks {
			assert.Equal(t, g.name, groupOf(c.path()))
			planned[c.path()] = spared[g.name] == ""
		}
	}
	assert.True(t, planned["vpc/create/lost-answer"])
	assert.True(t, planned["vm/create/life"])
	assert.True(t, planned["vm/create/calls"], "which is no trouble")
	assert.False(t, planned["vm/create/lost-answer"])
	assert.False(t, planned["vm/list/cancelled"])
}

// TestHowACreationIsFoundAgainMustBeTrue: whoever says it wrongly is caught, also by a kill
// between the call and its answer alone.
func TestHowACreationIsFoundAgainMustBeTrue(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := toyTarget(t, name)
			target.Settle = 10 * time.Second
			s, err := newSuite(t.Context(), target)
			require.NoError(t, err)
			defer s.close()
			wanted := driver.Passed
			if right := name == "by tag" || name == "by name"; !right {
				wanted = driver.Failed
			}
			for _, g := range s.plan() {
				for _, c := range g.checks {
					if c.kind != "vpc" || c.name != killed && c.name != "same-token-after-crash" || c.name != killed && way.later { // which needs a kill in between
						continue
					}
					result := s.do(t.Context(), c)
					assert.Equal(t, wanted, result.Outcome, "%s: %s", c.path(), result.Reason)
				}
			}
		})
	}
}

// TestKeysMayBeRefused: clouds that tidy paths by themselves have buckets, too.
func TestKeysMayBeRefused(t *testing.T) {
	s, err := newSuite(t.Context(), toyTarget(t, "refuses odd keys"))
	require.NoError(t, err)
	defer s.close()
	for _, g := range s.plan() {
		for _, c := range g.checks {
			if c.path() == "bucket/sign/works" {
				result := s.do(t.Context(), c)
				assert.Equal(t, driver.Passed, result.Outcome, result.Reason)
			}
		}
	}
}

// TestDefectsAreCaught: each defect is caught by the checks that are there for it.
func TestDefectsAreCaught(t *testing.T) {
	for _, defect := range slices.Sorted(maps.Keys(caught())) {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			s, err := newSuite(t.Context(), toyTarget(t, defect))
			require.NoError(t, err)
			defer s.close()
			wanted := caught()[defect]
			for _, g := range s.plan() {
				for _, c := range g.checks {
					if slices.Contains(wanted, "("+c.path()+")") { // only comes before
						s.do(t.Context(), c)
						wanted = slices.DeleteFunc(slices.Clone(wanted), func(path string) bool { return path == "("+c.path()+")" })
					}
					if !slices.Contains(wanted, c.path()) {
						continue
					}
					result := s.do(t.Context(), c)
					assert.Equal(t, driver.Failed, result.Outcome, "%s: %s", c.path(), result.Reason)
					wanted = slices.DeleteFunc(slices.Clone(wanted), func(path string) bool { return path == c.path() })
				}
			}
			assert.Empty(t, wanted, "there are no such checks")
		})
	}
}
