package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type session struct {
	host   *Host
	target Target
}

// do runs one call when the connection's limit lets it.
func (s *session) do(ctx context.Context, verb string, timeout time.Duration, do func(context.Context, driver.Session) error) error {
	limit := s.host.limiter(s.target)
	if err := limit.wait(ctx, timeout); err != nil {
		return err
	}
	started := time.Now()
	err := s.try(ctx, verb, timeout, do)
	limit.answer(started, err)
	return err
}

// try runs one call, on a session that is opened anew if the driver lost it.
func (s *session) try(ctx context.Context, verb string, timeout time.Duration, do func(context.Context, driver.Session) error) error {
	for again := true; ; again = false {
		p, release, err := s.host.process(ctx, s.target)
		if err != nil {
			return err
		}
		var open *openSession
		err = s.host.call(ctx, p, s.target, verb, timeout, func(ctx context.Context) (err error) {
			if open, err = p.session(ctx, s.target); err != nil {
				return fmt.Errorf("connect %s: %w", s.target.Connection, err)
			}
			return do(ctx, open)
		})
		release()
		if again && open != nil && errors.Is(err, driver.ErrUnknownSession) {
			p.forget(s.target.Connection, open)
			continue
		}
		return err
	}
}

func (s *session) Catalog(ctx context.Context, catalog string, q driver.Query) iter.Seq2[json.RawMessage, error] {
	return stream(func(each func(json.RawMessage) bool) error {
		return s.do(ctx, "catalog", s.host.config.ListTimeout, func(ctx context.Context, open driver.Session) error {
			return drain(open.Catalog(ctx, catalog, q), each)
		})
	})
}

func (s *session) Read(ctx context.Context, feed string, span driver.Span, filter json.RawMessage) iter.Seq2[json.RawMessage, error] {
	return stream(func(each func(json.RawMessage) bool) error {
		return s.do(ctx, "read", s.host.config.ListTimeout, func(ctx context.Context, open driver.Session) error {
			return drain(open.Read(ctx, feed, span, filter), each)
		})
	})
}

func (s *session) List(ctx context.Context, kind string, f driver.Filter) iter.Seq2[driver.Item, error] {
	return stream(func(each func(driver.Item) bool) error {
		seen := map[string]bool{}
		once := func(item driver.Item) bool { // a page may repeat what has moved meanwhile
			if seen[item.ID] {
				return true
			}
			seen[item.ID] = true
			return each(item)
		}
		return s.do(ctx, "list", s.host.config.ListTimeout, func(ctx context.Context, open driver.Session) error {
			return drain(bounded(open.List(ctx, kind, f), s.host.config.MostListed), once)
		})
	})
}

// bounded fails a list that has more than a cloud can have.
func bounded[T any](items iter.Seq2[T, error], most int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		n := 0
		for item, err := range items {
			if n++; n > most {
				err = resource.Errorf(resource.CodeInternal, "the list of the driver has more than %d objects and was given up; this is a defect of the driver", most)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

func (s *session) Get(ctx context.Context, kind, id string) (item driver.Item, err error) {
	err = s.do(ctx, "get", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		item, err = open.Get(ctx, kind, id)
		return err
	})
	return item, err
}

func (s *session) Create(ctx context.Context, kind string, r driver.ItemRequest) (item driver.Item, pending *driver.Pending, err error) {
	err = s.do(ctx, "create", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		item, pending, err = open.Create(ctx, kind, r)
		return err
	})
	if err != nil {
		return item, pending, err
	}
	d, err := s.host.Describe(ctx, s.target.Cloud)
	if err != nil { // what is made counts, and not that nobody can say how it should be
		return item, pending, nil //nolint:nilerr // as above
	}
	if err := d.CheckTold(kind, r, item); err != nil {
		return driver.Item{ID: item.ID}, nil, err
	}
	return item, pending, nil
}

func (s *session) Delete(ctx context.Context, kind, id string) (pending *driver.Pending, err error) {
	err = s.do(ctx, "delete", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		pending, err = open.Delete(ctx, kind, id)
		return err
	})
	return pending, err
}

func (s *session) Act(ctx context.Context, kind, id, action string, params json.RawMessage) (pending *driver.Pending, err error) {
	err = s.do(ctx, action, s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		pending, err = open.Act(ctx, kind, id, action, params)
		return err
	})
	return pending, err
}

func (s *session) Batch(ctx context.Context, kind, verb string, members []driver.Member, params json.RawMessage) (answers []driver.Answer, err error) {
	err = s.do(ctx, verb, s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		if answers, err = open.Batch(ctx, kind, verb, members, params); err != nil {
			return err
		}
		for _, became := range answers { // of which the limit is to hear
			if resource.CodeOf(became.Err) == resource.CodeThrottled {
				return became.Err
			}
		}
		return nil
	})
	if answers != nil {
		err = nil
	}
	return answers, err
}

func (s *session) View(ctx context.Context, kind, id, view string, params json.RawMessage) (answer json.RawMessage, err error) {
	err = s.do(ctx, view, s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		answer, err = open.View(ctx, kind, id, view, params)
		return err
	})
	return answer, err
}

func (s *session) Data(ctx context.Context, kind, id, call string, params json.RawMessage) (answer json.RawMessage, err error) {
	err = s.do(ctx, call, s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		answer, err = open.Data(ctx, kind, id, call, params)
		return err
	})
	return answer, err
}

func (s *session) Sign(ctx context.Context, kind, id string, r resource.SignRequest) (signed resource.SignedRequest, err error) {
	err = s.do(ctx, "sign", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		signed, err = open.Sign(ctx, kind, id, r)
		return err
	})
	return signed, err
}

func (s *session) Extend(ctx context.Context, extension string, input json.RawMessage) (output json.RawMessage, err error) {
	err = s.do(ctx, "extend", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		output, err = open.Extend(ctx, extension, input)
		return err
	})
	return output, err
}

func (s *session) Native(ctx context.Context, r driver.NativeRequest) (response driver.NativeResponse, err error) {
	err = s.do(ctx, "native", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		response, err = open.Native(ctx, r)
		return err
	})
	return response, err
}

func (s *session) Place(ctx context.Context) (place driver.Place, err error) {
	err = s.try(ctx, "place", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		place, err = open.Place(ctx)
		return err
	})
	return place, err
}

func (s *session) Close() error {
	s.host.Forget(s.target.Cloud, s.target.Connection)
	return nil
}

func (s *session) Permissions(ctx context.Context) (permissions []driver.Permission, err error) {
	err = s.do(ctx, "permissions", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		permissions, err = open.Permissions(ctx)
		return err
	})
	return permissions, err
}

func (s *session) Changes(ctx context.Context, catalog, since string, head func(driver.Head)) iter.Seq2[driver.Change, error] {
	return stream(func(each func(driver.Change) bool) error {
		return s.do(ctx, "catalog", s.host.config.ListTimeout, func(ctx context.Context, open driver.Session) error {
			return drain(open.Changes(ctx, catalog, since, head), each)
		})
	})
}

func (s *session) Check(ctx context.Context, kind string, r driver.ItemRequest) error {
	return s.do(ctx, "check", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) error {
		return open.Check(ctx, kind, r)
	})
}
