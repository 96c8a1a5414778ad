package driver

import (
	"context"
	"encoding/json"
	"iter"
	"reflect"
	"testing"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// changing are images of which two changes are known.
type changing struct{ toyImages }

func (c changing) Changes(_ context.Context, since string) (Reading[resource.Image], error) {
	entries := func(yield func(resource.Image, error) bool) { yield(resource.Image{ID: "img-9", Name: "new"}, nil) }
	if since == "broken" {
		entries = func(yield func(resource.Image, error) bool) {
			_ = yield(resource.Image{ID: "img-9"}, nil) && yield(resource.Image{}, resource.Errorf(resource.CodeThrottled, "slow down"))
		}
	}
	return Reading[resource.Image]{Cursor: "8", Changes: since == "7", Gone: []string{"img-1"}, Entries: entries}, nil
}

func TestChangesOfACatalogCrossTheBoundary(t *testing.T) {
	about := (&toy{}).driver().description.About
	d := New(about, func(context.Context, Config) (*toy, error) { return &toy{}, nil },
		Catalog(resource.Images, func(t *toy) changing { return changing{toyImages{t}} }))
	client, _ := over(t, d)
	s := connect(t, client)
	r, err := s.Changes(t.Context(), "image", "7")
	if err != nil || r.Cursor != "8" || !r.Changes || !reflect.DeepEqual(r.Gone, []string{"img-1"}) || !reflect.DeepEqual(texts(t, r.Entries), []string{`{"id":"img-9","name":"new"}`}) {
		t.Errorf("got %+v, %v", r, err)
	}
	if r, err := s.Changes(t.Context(), "image", "broken"); resource.CodeOf(err) != resource.CodeThrottled || r.Entries != nil {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestACatalogThatCannotTellItsChangesAnswersAll(t *testing.T) {
	client, _ := over(t, (&toy{images: func(context.Context, Query) iter.Seq2[resource.Image, error] {
		return func(yield func(resource.Image, error) bool) { yield(resource.Image{ID: "img-1", Name: "one"}, nil) }
	}}).driver())
	r, err := connect(t, client).Changes(t.Context(), "image", "7")
	if err != nil || r.Cursor != "" || r.Changes || !reflect.DeepEqual(texts(t, r.Entries), []string{`{"id":"img-1","name":"one"}`}) {
		t.Errorf("got %+v, %v", r, err)
	}
}

func texts(t *testing.T, entries iter.Seq2[json.RawMessage, error]) (all []string) {
	t.Helper()
	for entry, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(entry))
	}
	return all
}
