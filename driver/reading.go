package driver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
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

// Change, which callers of a driver see, is an entry of a catalog, or the key of one that is not there any more.
type Change struct {
	Entry json.RawMessage
	Gone  string
}

// Head is what is known of a reading before its changes come.
type Head struct {
	Cursor  string // see Reading
	Changes bool
}

func (s *session) Changes(ctx context.Context, catalog, since string, head func(Head)) iter.Seq2[Change, error] {
	o, err := s.catalog(catalog)
	if err != nil {
		return fail[Change](err)
	}
	return func(yield func(Change, error) bool) {
		r, err := o.changes(ctx, s.own, since)
		if err != nil {
			yield(Change{}, err)
			return
		}
		head(Head{r.Cursor, r.Changes})
		for _, key := range r.Gone {
			if !yield(Change{Gone: key}, nil) {
				return
			}
		}
		for entry, err := range r.Entries {
			if !yield(Change{Entry: entry}, err) || err != nil {
				return
			}
		}
	}
}

// changes streams what has changed, what is gone and what is there apart.
func changes(ctx context.Context, opened Session, r *driverv1.CatalogRequest, flush func(*driverv1.CatalogResponse) error) error {
	var reading *driverv1.Reading // that was not sent yet
	tell := func() (err error) {
		if reading != nil {
			err = flush(&driverv1.CatalogResponse{Reading: reading})
		}
		reading = nil
		return err
	}
	all := opened.Changes(ctx, r.GetCatalog(), r.GetSince(), func(h Head) {
		reading = &driverv1.Reading{Cursor: valid(h.Cursor), Changes: h.Changes}
	})
	entries := func(yield func(json.RawMessage, error) bool) {
		for change, err := range all {
			if err == nil && change.Gone != "" {
				if reading == nil {
					reading = &driverv1.Reading{}
				}
				if reading.Gone = append(reading.Gone, valid(change.Gone)); len(reading.GetGone()) == batchItems {
					err = tell()
				}
				if err == nil {
					continue
				}
			}
			if err == nil {
				err = tell()
			}
			if !yield(change.Entry, err) || err != nil {
				return
			}
		}
	}
	err := send(entries,
		func(entry json.RawMessage) ([]byte, error) { return entry, nil },
		func(batch [][]byte) error { return flush(&driverv1.CatalogResponse{Entries: batch}) })
	if err != nil {
		return err
	}
	return tell()
}

func (s *remoteSession) Changes(ctx context.Context, catalog, since string, head func(Head)) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		var known *Head
		changes := receive(ctx, func(ctx context.Context) (func() ([]Change, error), error) {
			stream, err := s.rpc.Catalog(ctx, &driverv1.CatalogRequest{Session: s.id, Catalog: catalog, Since: &since})
			return func() ([]Change, error) {
				m, err := stream.Recv()
				if first := known == nil; first && (err == nil || errors.Is(err, io.EOF)) {
					known = &Head{m.GetReading().GetCursor(), m.GetReading().GetChanges()}
					if known.Changes && (since == "" || known.Cursor == "") {
						return nil, nonsense("reading of the catalog "+catalog, errors.New("it has only changes, of no earlier reading or without a cursor to follow"))
					}
					head(*known)
				}
				var batch []Change
				for _, key := range m.GetReading().GetGone() {
					batch = append(batch, Change{Gone: key})
				}
				for _, raw := range m.GetEntries() {
					batch = append(batch, Change{Entry: raw})
				}
				return batch, err
			}, err
		}, func(c Change) (Change, error) {
			switch {
			case c.Gone != "" && !known.Changes:
				return c, nonsense("reading of the catalog "+catalog, errors.New("it is whole, and names what is gone"))
			case c.Gone == "" && !json.Valid(c.Entry):
				return c, nonsense("entry of the catalog "+catalog, errors.New("not JSON"))
			}
			return c, nil
		})
		for change, err := range changes {
			if !yield(change, err) || err != nil {
				return
			}
		}
	}
}

// catalog is what the driver offers of a catalog, if the cloud has it here.
func (s *session) catalog(name string) (catalogOffer, error) {
	o, ok := s.driver.catalogs[name]
	if !ok {
		return o, resource.Errorf(resource.CodeUnsupported, "the driver %s does not offer the catalog %q", s.driver.description.Name, name)
	}
	return o, s.has(name)
}
