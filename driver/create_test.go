package driver_test

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// pagesOf answers pages and counts how many were asked for; after them comes last, if
// it is an error.
func pagesOf(asked *int, last error, pages ...[]int) iter.Seq2[[]int, error] {
	return func(yield func([]int, error) bool) {
		for _, page := range pages {
			*asked++
			if !yield(page, nil) {
				return
			}
		}
		if last != nil {
			yield(nil, last)
		}
	}
}

func TestItemsOfAllPages(t *testing.T) {
	var (
		asked int
		items []string
	)
	for item, err := range driver.Items(pagesOf(&asked, nil, []int{1, 2}, nil, []int{3}), strconv.Itoa) {
		require.NoError(t, err)
		items = append(items, item)
	}
	assert.Equal(t, []string{"1", "2", "3"}, items)
	assert.Equal(t, 3, asked)

	asked = 0
	first, found, err := driver.First(driver.Items(pagesOf(&asked, nil, []int{7}, []int{8}), strconv.Itoa))
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, "7", first)
	assert.Equal(t, 1, asked, "no page more than needed")
}

func TestFailureOfAPageFailsTheItems(t *testing.T) {
	var (
		asked int
		last  error
		count int
		bad   = errors.New("bad page")
	)
	for _, err := range driver.Items(pagesOf(&asked, bad, []int{1, 2}), strconv.Itoa) {
		last = err
		count++
	}
	assert.ErrorIs(t, last, bad)
	assert.Equal(t, 3, count)
	_, found, err := driver.First(driver.Items(pagesOf(&asked, bad), strconv.Itoa))
	assert.ErrorIs(t, err, bad)
	assert.False(t, found)
}

func TestOneThatIsNotListedIsNotFound(t *testing.T) {
	var asked int
	_, err := driver.One(driver.Items(pagesOf(&asked, nil), strconv.Itoa), "disk", "vol-1")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	assert.ErrorContains(t, err, "disk vol-1")
	bad := resource.Errorf(resource.CodeUnavailable, "no answer")
	_, err = driver.One(driver.Items(pagesOf(&asked, bad), strconv.Itoa), "disk", "vol-1")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
}

func TestTagsThereAndBack(t *testing.T) {
	tags := driver.Tags{Token: "mcic-uid", Name: "Name", Reserved: "aws:"}
	labels := map[string]string{"team": "infra", "stage": "test", "b": ""}
	written := tags.Write("token-1", "web", labels)
	assert.Equal(t, []driver.Tag{{Key: "mcic-uid", Value: "token-1"}, {Key: "Name", Value: "web"}, {Key: "b"}, {Key: "stage", Value: "test"}, {Key: "team", Value: "infra"}}, written)

	token, name, back := tags.Read(func(yield func(string, string) bool) {
		for _, tag := range append(written, driver.Tag{Key: "aws:stack", Value: "s"}, driver.Tag{Key: "mcic-more", Value: "m"}) {
			if !yield(tag.Key, tag.Value) {
				return
			}
		}
	})
	assert.Equal(t, "token-1", token)
	assert.Equal(t, "web", name)
	assert.Equal(t, labels, back, "without the cloud's own and ours")

	assert.ErrorContains(t, tags.CheckLabels("labels", map[string]string{"Name": "db"}), "labels.Name")
	assert.NoError(t, tags.CheckLabels("labels", labels))
	assert.NoError(t, driver.Tags{Token: "mcic-uid"}.CheckLabels("labels", map[string]string{"Name": "db"}), "where the name is no tag")
}

func TestChangeOfLabels(t *testing.T) {
	tags := driver.Tags{Token: "mcic-uid", Name: "Name"}
	var asked []string
	broken := errors.New("broken")
	apply := func(change resource.LabelChange, failure error) error {
		asked = nil
		return tags.Apply(change, func(set []driver.Tag) error {
			asked = append(asked, fmt.Sprint("set ", set))
			return failure
		}, func(keys []string) error {
			asked = append(asked, fmt.Sprint("remove ", keys))
			return failure
		})
	}
	change := resource.LabelChange{Set: map[string]string{"b": "2", "a": "1"}, Remove: []string{"c", "Name"}}
	require.NoError(t, apply(change, nil))
	assert.Equal(t, []string{"set [{a 1} {b 2}]", "remove [c]"}, asked, "the name stays")
	require.ErrorIs(t, apply(change, broken), broken)
	assert.Len(t, asked, 1)
	require.ErrorIs(t, apply(resource.LabelChange{Remove: []string{"c"}}, broken), broken)
	require.NoError(t, apply(resource.LabelChange{Remove: []string{"Name"}}, broken))
	assert.Empty(t, asked, "what is not changed costs no call")
}

func TestStateOfAnUnknownWord(t *testing.T) {
	words := map[string]resource.State{"ok": resource.StateAvailable}
	state, word := driver.StateOf("ok", words)
	assert.Equal(t, resource.StateAvailable, state)
	assert.Equal(t, "ok", word)
	state, word = driver.StateOf("hibernated", words)
	assert.Equal(t, resource.StateUnknown, state)
	assert.Equal(t, "hibernated", word)
}

func TestTagsOfCloudsThatTakeNoSlash(t *testing.T) {
	tags := driver.Tags{Slash: ":"}
	written := tags.Write("", "web", map[string]string{"example.com/owner": "a/b"})
	assert.Equal(t, map[string]string{"example.com:owner": "a/b"}, driver.TagMap(written))
	_, _, labels := tags.Read(maps.All(driver.TagMap(written)))
	assert.Equal(t, map[string]string{"example.com/owner": "a/b"}, labels)
	change := resource.LabelChange{Set: map[string]string{"x/y": "z"}, Remove: []string{"example.com/owner"}}
	require.NoError(t, tags.Apply(change,
		func(set []driver.Tag) error { assert.Equal(t, []driver.Tag{{Key: "x:y", Value: "z"}}, set); return nil },
		func(keys []string) error { assert.Equal(t, []string{"example.com:owner"}, keys); return nil }))
	assert.Equal(t, []string{"example.com/owner"}, change.Remove, "is the caller's")
}

func TestTagsThatAreTexts(t *testing.T) {
	tags := driver.Tags{Token: "mcic-uid", Longest: 20}
	texts := tags.Texts(map[string]string{"team": "인프라", "empty": "", "equation": "a=b"})
	assert.Equal(t, []string{"empty", "equation=a=b", "team=인프라"}, texts)
	texts = append(texts, "mcic-uid=t-1", "mcic-more")
	token, _, labels := tags.ReadTexts(texts)
	assert.Equal(t, "t-1", token)
	assert.Equal(t, map[string]string{"team": "인프라", "empty": "", "equation": "a=b"}, labels)
	changed := tags.ChangeTexts(texts, resource.LabelChange{Set: map[string]string{"empty": "no"}, Remove: []string{"team", "equation"}})
	assert.Equal(t, []string{"empty=no", "mcic-uid=t-1", "mcic-more"}, changed)
	require.NoError(t, tags.CheckLabels("labels", labels))
	err := tags.CheckLabels("set", map[string]string{"key": "a value that is too long", "fine": ""})
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	assert.EqualError(t, err, "set.key: is too long for the cloud; key and value have at most 19 characters together")
}
