package driver

import (
	"context"
	"fmt"
	"iter"
	"slices"
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
	return Reading[resource.Image]{Cursor: "8", Changes: true, Gone: []string{"img-1"}, Entries: entries}, nil
}

func TestChangesOfACatalogCrossTheBoundary(t *testing.T) {
	about := (&toy{}).driver().description.About
	d := New(about, func(context.Context, Config) (*toy, error) { return &toy{}, nil },
		Catalog(resource.Images, func(t *toy) changing { return changing{toyImages{t}} }))
	client, _ := over(t, d)
	s := connect(t, client)
	if head, all, err := read(t, s, "7"); err != nil || head != (Head{"8", true}) || !slices.Equal(all, []string{"-img-1", `{"id":"img-9","name":"new"}`}) {
		t.Errorf("got %+v, %q, %v", head, all, err)
	}
	if head, all, err := read(t, s, "broken"); resource.CodeOf(err) != resource.CodeThrottled {
		t.Errorf("got %+v, %q, %v", head, all, err)
	}
	if _, _, err := read(t, s, ""); resource.CodeOf(err) != resource.CodeInternal {
		t.Errorf("changes since nothing: %v", err)
	}
}

// What is gone comes in as many messages as it takes, and what has no end is not gathered.
func TestLargeReadingsAreStreams(t *testing.T) {
	const many = 3 * batchItems
	gone := make([]string, many)
	for i := range gone {
		gone[i] = fmt.Sprint("img-", i)
	}
	lister := endless{gone: gone}
	d := New((&toy{}).driver().description.About, func(context.Context, Config) (*toy, error) { return &toy{}, nil },
		Catalog(resource.Images, func(*toy) endless { return lister }))
	client, _ := over(t, d)
	n := 0
	for change, err := range connect(t, client).Changes(t.Context(), "image", "7", func(Head) {}) {
		if err != nil || n < many && change.Gone != gone[n] {
			t.Fatalf("change %d is %+v, %v", n, change, err)
		}
		if n++; n == 2*many { // it would go on for ever
			break
		}
	}
	if n != 2*many {
		t.Errorf("got %d changes", n)
	}
}

type endless struct {
	toyImages
	gone []string
}

func (e endless) Changes(context.Context, string) (Reading[resource.Image], error) {
	return Reading[resource.Image]{Cursor: "8", Changes: true, Gone: e.gone, Entries: func(yield func(resource.Image, error) bool) {
		for i := 0; yield(resource.Image{ID: fmt.Sprint("img-", i)}, nil); i++ {
		}
	}}, nil
}

func TestACatalogThatCannotTellItsChangesAnswersAll(t *testing.T) {
	client, _ := over(t, (&toy{images: func(context.Context, Query) iter.Seq2[resource.Image, error] {
		return func(yield func(resource.Image, error) bool) { yield(resource.Image{ID: "img-1", Name: "one"}, nil) }
	}}).driver())
	if head, all, err := read(t, connect(t, client), "7"); err != nil || head != (Head{}) || !slices.Equal(all, []string{`{"id":"img-1","name":"one"}`}) {
		t.Errorf("got %+v, %q, %v", head, all, err)
	}
}

// read reads a catalog; what is gone begins with -.
func read(t *testing.T, s Session, since string) (head Head, all []string, err error) {
	t.Helper()
	for change, err := range s.Changes(t.Context(), "image", since, func(h Head) { head = h }) {
		switch {
		case err != nil:
			return head, all, err
		case change.Gone != "":
			all = append(all, "-"+change.Gone)
		default:
			all = append(all, string(change.Entry))
		}
	}
	return head, all, nil
}
