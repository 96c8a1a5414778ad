package driver_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestWhatAnSDKPointsTo(t *testing.T) {
	assert.Nil(t, driver.Optional(""))
	assert.Nil(t, driver.Optional(time.Time{}))
	assert.Equal(t, "a", *driver.Optional("a"))
	assert.Equal(t, "a", driver.Value(driver.Optional("a")))
	assert.Empty(t, driver.Value[struct{ Name string }](nil).Name)
}

func TestSparseHasNoEmptyFields(t *testing.T) {
	type part struct{ ID *string }
	raw, err := json.Marshal(driver.Sparse{Shown: struct {
		Name, Nothing string
		No            bool
		None          *string
		Parts, Empty  []part
		Part          part
	}{Name: "a", Parts: []part{{driver.Optional("p")}}}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"Name":"a","No":false,"Parts":[{"ID":"p"}]}`, string(raw))
}

func TestListsThatAreKnown(t *testing.T) {
	all, err := driver.Collect(driver.Converted(driver.Listed(1, 2), func(n int) int { return 2 * n }))
	require.NoError(t, err)
	assert.Equal(t, []int{2, 4}, all)
	assert.Nil(t, driver.Convert(nil, func(n int) int { return n }))

	failing := func(err error) func(func(int, error) bool) {
		return func(yield func(int, error) bool) { _ = yield(1, nil) && yield(0, err) }
	}
	gone, down := resource.Errorf(resource.CodeNotFound, "gone"), errors.New("down")
	all, err = driver.Collect(driver.UnlessMissing(failing(gone)))
	require.NoError(t, err)
	assert.Equal(t, []int{1}, all)
	_, err = driver.Collect(driver.Converted(driver.UnlessMissing(failing(down)), func(n int) int { return n }))
	assert.ErrorIs(t, err, down)
}

func TestTheOnlyThingThatWasMade(t *testing.T) {
	made, err := driver.Single("Run", []string{"a"})
	require.NoError(t, err)
	assert.Equal(t, "a", made)
	for _, all := range [][]string{nil, {"a", "b"}} {
		_, err := driver.Single("Run", all)
		assert.Equal(t, resource.CodeInternal, resource.CodeOf(err))
	}
}

func TestWhatAChangeNamesThatIsThere(t *testing.T) {
	there, missing := driver.Among([]string{"a", "b", "c"}, []string{"c", "a"})
	assert.Equal(t, []string{"a", "c"}, there)
	assert.Equal(t, []string{"b"}, missing)
}

func TestValuesThatTheCloudTakesOnlyEncoded(t *testing.T) {
	reverse := func(text string) (reversed string) {
		for _, r := range text {
			reversed = string(r) + reversed
		}
		return reversed
	}
	tags := driver.Tags{Token: "mcic-uid", Name: "Name", Encode: reverse, Decode: reverse}
	written := driver.TagMap(tags.Write("t-1", "web", map[string]string{"team": "ab"}))
	assert.Equal(t, "bew", written["Name"])
	assert.Equal(t, "ba", written["team"])
	token, name, labels := tags.Read(maps.All(written))
	assert.Equal(t, "t-1", token)
	assert.Equal(t, "web", name)
	assert.Equal(t, map[string]string{"team": "ab"}, labels)
}

func TestPowerOfOneAndOfSeveral(t *testing.T) {
	var did []string
	does := func(what string) func(context.Context, ...string) error {
		return func(_ context.Context, ids ...string) error {
			for _, id := range ids {
				did = append(did, what+" "+id)
			}
			return nil
		}
	}
	p := driver.Power{Most: 10, Starts: does("start"), Stops: does("stop"), Reboots: does("reboot"), Deletes: does("delete")}
	for _, one := range []func(context.Context, string) error{p.Start, p.Stop, p.Reboot, p.Delete} {
		require.NoError(t, one(t.Context(), "a"))
	}
	assert.Equal(t, []string{"start a", "stop a", "reboot a", "delete a"}, did)
	for verb, batch := range p.Batches() {
		if did = nil; verb == driver.VerbGet {
			assert.Equal(t, driver.MostMembers, batch.Most)
			continue
		}
		require.NoError(t, batch.Do(t.Context(), []driver.Member{{ID: "a"}, {ID: "b"}}, nil))
		assert.Equal(t, []string{verb + " a", verb + " b"}, did)
		assert.Equal(t, 10, batch.Most)
	}
}
