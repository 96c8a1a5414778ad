package driver

import (
	"context"
	"encoding/json"
	"errors"
	"iter"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// ChangeLister is implemented by listers of catalogs that can answer only what has changed
// since an earlier reading, such as a list of 100,000 images of which ten are new. since is
// the cursor of that reading. Of one that is not known any more, and of "", all is answered.
//
// Nothing of the server asks for changes yet; it reads catalogs whole.
type ChangeLister[E any] interface {
	Changes(ctx context.Context, since string) (Reading[E], error)
}

// Reading is a catalog, or what has changed in it.
type Reading[E any] struct {
	Cursor  string   // names this reading for the next one, as of its beginning; "" if changes cannot be told
	Changes bool     // whether Entries are only what is new or other since
	Gone    []string // with Changes: keys of the entries that are not there any more
	Entries iter.Seq2[E, error]
}

// changesOf takes the types off a lister's Changes. One that has none answers all.
func changesOf[Session any, L Lister[E], E any](open func(Session) L) func(context.Context, any, string) (Reading[json.RawMessage], error) {
	return func(ctx context.Context, session any, since string) (Reading[json.RawMessage], error) {
		lister := open(session.(Session))
		changes, ok := any(lister).(ChangeLister[E])
		if !ok {
			return Reading[json.RawMessage]{Entries: encoded(lister.List(ctx, nil))}, nil
		}
		r, err := changes.Changes(ctx, since)
		if err != nil {
			return Reading[json.RawMessage]{}, err
		}
		return Reading[json.RawMessage]{r.Cursor, r.Changes, r.Gone, encoded(r.Entries)}, nil
	}
}

func (s *session) Changes(ctx context.Context, catalog, since string) (Reading[json.RawMessage], error) {
	o, err := s.catalog(catalog)
	if err != nil {
		return Reading[json.RawMessage]{}, err
	}
	return o.changes(ctx, s.own, since)
}

// changes streams what has changed.
func changes(ctx context.Context, opened Session, catalog, since string, flush func(*driverv1.CatalogResponse) error) (iter.Seq2[json.RawMessage, error], error) {
	r, err := opened.Changes(ctx, catalog, since)
	if err != nil {
		return nil, err
	}
	head := &driverv1.Reading{Cursor: valid(r.Cursor), Changes: r.Changes}
	for _, key := range r.Gone {
		head.Gone = append(head.Gone, valid(key))
	}
	return r.Entries, flush(&driverv1.CatalogResponse{Reading: head})
}

// Changes reads all before it answers: what fails in the middle fails as a whole.
func (s *remoteSession) Changes(ctx context.Context, catalog, since string) (Reading[json.RawMessage], error) {
	var (
		r   Reading[json.RawMessage]
		all []json.RawMessage
	)
	entries := s.entries(ctx, &driverv1.CatalogRequest{Session: s.id, Catalog: catalog, Since: &since}, func(m *driverv1.CatalogResponse) {
		if head := m.GetReading(); head != nil {
			r.Cursor, r.Changes, r.Gone = head.GetCursor(), head.GetChanges(), head.GetGone()
		}
	})
	for entry, err := range entries {
		if err != nil {
			return Reading[json.RawMessage]{}, err
		}
		all = append(all, entry)
	}
	r.Entries = func(yield func(json.RawMessage, error) bool) {
		for _, entry := range all {
			if !yield(entry, nil) {
				return
			}
		}
	}
	return r, nil
}

// entries receives a catalog and shows each message to look.
func (s *remoteSession) entries(ctx context.Context, r *driverv1.CatalogRequest, look func(*driverv1.CatalogResponse)) iter.Seq2[json.RawMessage, error] {
	return receive(ctx, func(ctx context.Context) (func() ([][]byte, error), error) {
		stream, err := s.rpc.Catalog(ctx, r)
		return func() ([][]byte, error) {
			m, err := stream.Recv()
			look(m)
			return m.GetEntries(), err
		}, err
	}, func(raw []byte) (json.RawMessage, error) {
		if !json.Valid(raw) {
			return nil, nonsense("entry of the catalog "+r.GetCatalog(), errors.New("not JSON"))
		}
		return raw, nil
	})
}

// catalog is what the driver offers of a catalog, if the cloud has it here.
func (s *session) catalog(name string) (catalogOffer, error) {
	o, ok := s.driver.catalogs[name]
	if !ok {
		return o, resource.Errorf(resource.CodeUnsupported, "the driver %s does not offer the catalog %q", s.driver.description.Name, name)
	}
	return o, s.has(name)
}
