package driver

import (
	"iter"
	"slices"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Filter says which objects of a kind are looked for; its zero value asks for all. A
// driver may use any part of it to ask the cloud for less, and pass over the rest: what
// it answers beyond IDs and Token is taken out again.
type Filter struct {
	IDs   []string // objects with these ids
	Token string   // what was created with this token
}

// passes reports whether an object is one that is looked for.
func (f Filter) passes(id, token string) bool {
	return (len(f.IDs) == 0 || slices.Contains(f.IDs, id)) && (f.Token == "" || token == f.Token)
}

// filtered takes out what is not looked for, and what is gone.
func filtered(items iter.Seq2[Item, error], f Filter) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for item, err := range items {
			if err == nil && (item.State == resource.StateDeleted || !f.passes(item.ID, item.Token)) {
				continue
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

func (f Filter) toWire() *driverv1.Filter {
	return &driverv1.Filter{Ids: f.IDs, Token: f.Token}
}

func filterFrom(w *driverv1.Filter) Filter {
	return Filter{IDs: w.GetIds(), Token: w.GetToken()}
}
