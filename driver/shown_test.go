package driver

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// keys is a collection of what a cloud shows as words: each is the name, and one of those in
// gone is not there any more.
type keys struct {
	Shown[string, resource.KeyPairSpec, resource.KeyPairStatus]
	Tags

	labelled []string
	gone     map[string]bool
}

func openKeys(words ...string) *keys {
	k := &keys{Tags: Tags{Name: "Name"}, gone: map[string]bool{}}
	k.Shown = Shown[string, resource.KeyPairSpec, resource.KeyPairStatus]{
		Find: func(context.Context, Filter) iter.Seq2[string, error] { return Listed(words...) },
		Look: func(_ context.Context, id string) (string, error) {
			return One(Listed(slices.DeleteFunc(slices.Clone(words), func(word string) bool { return word != id })...), "word", id)
		},
		Show: func(word string) Object[resource.KeyPairSpec, resource.KeyPairStatus] {
			o := Object[resource.KeyPairSpec, resource.KeyPairStatus]{ID: word, Name: word, State: resource.StateAvailable}
			if k.gone[word] {
				o.State, o.CloudState = resource.StateDeleted, "burnt"
			}
			return o
		},
	}
	return k
}

func (k *keys) Make(_ context.Context, r Request[resource.KeyPairSpec]) (Object[resource.KeyPairSpec, resource.KeyPairStatus], error) {
	return k.Show(r.Name), nil
}

func (k *keys) Delete(ctx context.Context, id string) error {
	_, err := k.Look(ctx, id)
	return err
}

func (k *keys) Label(_ context.Context, id string, _ resource.LabelChange) error {
	k.labelled = append(k.labelled, id)
	return nil
}

func ring(t *testing.T, k *keys) Session {
	t.Helper()
	d := New(About{Name: "ring"}, func(context.Context, Config) (*keys, error) { return k, nil },
		Kind(resource.KeyPair, func(k *keys) FullKeyPair { return k }, ByName))
	s, err := d.Connect(t.Context(), Config{})
	require.NoError(t, err)
	return s
}

func TestListAndGetShowTheSame(t *testing.T) {
	s := ring(t, openKeys("a", "b"))
	for item, err := range s.List(t.Context(), "keypair", Filter{}) {
		require.NoError(t, err)
		alone, err := s.Get(t.Context(), "keypair", item.ID)
		require.NoError(t, err)
		assert.Equal(t, item, alone)
	}
	made, pending, err := s.Create(t.Context(), "keypair", ItemRequest{Token: "t-1", Name: "a", Spec: json.RawMessage(`{}`)})
	require.NoError(t, err)
	assert.Nil(t, pending, "nothing is left to do")
	assert.Equal(t, "a", made.ID)
}

func TestWhatIsShownAsDeletedIsGone(t *testing.T) {
	k := openKeys("a", "b")
	k.gone["a"] = true
	s := ring(t, k)
	var listed []string
	for item, err := range s.List(t.Context(), "keypair", Filter{}) {
		require.NoError(t, err)
		listed = append(listed, item.ID)
	}
	assert.Equal(t, []string{"b"}, listed)
	_, err := s.Get(t.Context(), "keypair", "a")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	assert.ErrorContains(t, err, "shows it as burnt")
}

func TestWhatIsNotThereIsDeleted(t *testing.T) {
	s := ring(t, openKeys("a"))
	require.NoError(t, second(s.Delete(t.Context(), "keypair", "b")))
}

func TestLabelsThatTheCloudDoesNotTake(t *testing.T) {
	k := openKeys("a")
	s := ring(t, k)
	_, _, err := s.Create(t.Context(), "keypair", ItemRequest{Token: "t-1", Name: "a", Labels: map[string]string{"Name": "x"}, Spec: json.RawMessage(`{}`)})
	assert.ErrorContains(t, err, "labels.Name")
	assert.ErrorContains(t, second(s.Act(t.Context(), "keypair", "a", "label", json.RawMessage(`{"set":{"Name":"x"}}`))), "set.Name")
	assert.Empty(t, k.labelled)
	require.NoError(t, second(s.Act(t.Context(), "keypair", "a", "label", json.RawMessage(`{"set":{"team":"x"}}`))))
	assert.Equal(t, []string{"a"}, k.labelled)
}

func TestWhatListsSkipIsThere(t *testing.T) {
	k := openKeys("a", "b")
	k.Skip = func(word string) bool { return word == "b" }
	listed, err := Collect(k.List(t.Context(), Filter{}))
	require.NoError(t, err)
	assert.Len(t, listed, 1)
	there, err := Collect(k.GetMany(t.Context(), []string{"a", "b"}))
	require.NoError(t, err)
	assert.Len(t, there, 2, "as Get shows it")
}
