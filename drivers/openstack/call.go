package openstack

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	// defaultPageSize is the most that the services answer at once unless they are
	// configured otherwise.
	defaultPageSize = 1000

	marker      = "marker" // of a query: the object that the page before ended with
	mostRestart = 20       // of a list whose markers go away
)

// shown is something as the SDK knows it, and as the cloud answered it.
type shown[A any] struct {
	is  A
	raw json.RawMessage
	id  string // "" for what has none
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *shown[A]) UnmarshalJSON(raw []byte) error {
	s.raw = slices.Clone(raw)
	var key struct{ ID, UUID, KeyPair any } // Magnum's clusters have a uuid; some ids are numbers
	if json.Unmarshal(raw, &key) == nil {
		wrapped, _ := key.KeyPair.(map[string]any) // in Nova's list of key pairs; a name elsewhere
		s.id, _ = cmp.Or(key.UUID, key.ID, wrapped["name"]).(string)
	}
	return json.Unmarshal(raw, &s.is)
}

// list answers a list page by page. A service answers at most what it likes at once
// and links to the rest. Of such a link only the query is followed: behind a proxy many
// clouds answer links that lead past it. If the object that a page ended with has been
// deleted meanwhile, Neutron begins anew by itself, and the others are asked to; what came
// already is left out.
func list[A any](ctx context.Context, s *session, c *gophercloud.ServiceClient, path, key string, query url.Values) iter.Seq2[[]shown[A], error] {
	return func(yield func([]shown[A], error) bool) {
		query := maps.Clone(query)
		if query == nil {
			query = url.Values{}
		}
		size := defaultPageSize
		if n := s.settings.Int(settingPageSize); n > 0 {
			size = n
		}
		query.Set("limit", strconv.Itoa(size))
		seen := map[string]bool{}
		for first, restarts := query, 0; query != nil; {
			var body map[string]json.RawMessage
			err := request(ctx, c, http.MethodGet, path+"?"+query.Encode(), nil, &body)
			if code := resource.CodeOf(err); query.Has(marker) && (code == resource.CodeNotFound || code == resource.CodeInvalid) {
				if restarts++; restarts <= mostRestart {
					query = first
					continue
				}
				err = resource.Errorf(resource.CodeUnavailable, "the list of %s changes faster than it can be read: %w", key, err)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			var page []shown[A]
			if err := json.Unmarshal(body[key], &page); err != nil {
				yield(nil, resource.Errorf(resource.CodeUnavailable, "the answer to %s holds no %s; check the endpoint: %w", path, key, err))
				return
			}
			if len(page) == 0 {
				return
			}
			page = slices.DeleteFunc(page, func(x shown[A]) bool {
				double := x.id != "" && seen[x.id]
				seen[x.id] = true
				return double
			})
			if !yield(page, nil) {
				return
			}
			query = nextPage(body, key)
		}
	}
}

// nextPage reads the query of the link to the next page: Nova, Neutron, Cinder and
// Octavia have a list of links, Glance and Magnum one.
func nextPage(body map[string]json.RawMessage, key string) url.Values {
	var links []struct{ Rel, Href string }
	var next string
	_ = json.Unmarshal(body["next"], &next) // may be missing or null
	_ = json.Unmarshal(body[key+"_links"], &links)
	for _, link := range links {
		if link.Rel == "next" {
			next = link.Href
		}
	}
	u, err := url.Parse(next)
	if next == "" || err != nil {
		return nil
	}
	return u.Query()
}

// get answers one thing; key is what the answer wraps it in, or "".
func get[A any](ctx context.Context, c *gophercloud.ServiceClient, key string, path ...string) (shown[A], error) {
	var body json.RawMessage
	if err := request(ctx, c, http.MethodGet, strings.Join(path, "/"), nil, &body); err != nil {
		return shown[A]{}, err
	}
	return unwrap[A](body, key)
}

// made reads the answer to a creation or a change.
func made[A any](r gophercloud.Result, key string) (shown[A], error) {
	if r.Err != nil {
		return shown[A]{}, coded(r.Err)
	}
	body, err := json.Marshal(r.Body)
	if err != nil {
		return shown[A]{}, resource.Errorf(resource.CodeInternal, "read the cloud's answer: %w", err)
	}
	return unwrap[A](body, key)
}

func unwrap[A any](body json.RawMessage, key string) (shown[A], error) {
	var of shown[A]
	if key != "" {
		var wrapped map[string]json.RawMessage
		if err := json.Unmarshal(body, &wrapped); err != nil {
			return of, resource.Errorf(resource.CodeUnavailable, "the cloud's answer is no object; check the endpoint: %w", err)
		}
		body = wrapped[key]
	}
	if err := json.Unmarshal(body, &of); err != nil {
		return of, resource.Errorf(resource.CodeUnavailable, "the cloud's answer holds no %s; check the endpoint: %w", key, err)
	}
	return of, nil
}

// put replaces something small, such as tags.
func put(ctx context.Context, c *gophercloud.ServiceClient, body any, path ...string) error {
	return request(ctx, c, http.MethodPut, strings.Join(path, "/"), body, nil)
}

// request makes one call. Services differ in the status that means success.
func request(ctx context.Context, c *gophercloud.ServiceClient, method, path string, in, out any) error {
	_, err := c.Request(ctx, method, c.ServiceURL(path), &gophercloud.RequestOpts{ //nolint:bodyclose // the SDK closes it
		JSONBody: in, JSONResponse: out, OkCodes: []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent},
	})
	return coded(err)
}

// object begins a resource with what all kinds have in common.
func object[S, T, A any](id, name string, of shown[A]) driver.Object[S, T] {
	return driver.Object[S, T]{ID: id, Name: name, Native: of.raw}
}

// ensure answers what was made with a token, and makes it if it is not there.
// OpenStack knows no client tokens, so that it looks before and after.
func ensure[S, T any](ctx context.Context, found func() iter.Seq2[driver.Object[S, T], error], create func() (driver.Object[S, T], error), remove func(context.Context, string) error) (o driver.Object[S, T], created bool, err error) {
	look := func() ([]driver.Object[S, T], error) {
		all, err := collect(found())
		return slices.DeleteFunc(all, func(x driver.Object[S, T]) bool {
			return x.State == resource.StateDeleting || x.State == resource.StateDeleted
		}), err
	}
	all, err := look()
	if err != nil {
		return o, false, err
	}
	own := ""
	if len(all) == 0 {
		if o, err = create(); err != nil {
			return o, false, err
		}
		own = o.ID
		if all, err = look(); err != nil {
			return o, true, err
		}
		if !slices.ContainsFunc(all, func(x driver.Object[S, T]) bool { return x.ID == own }) { // not seen yet
			all = append(all, o)
		}
	}
	o, err = survivor(ctx, all, own, look, remove)
	return o, own != "", err
}

// What survivor waits for may take so long with a cloud that is busy.
const (
	rivalPatience = 20 * time.Second
	rivalTick     = 500 * time.Millisecond
)

// survivor answers the one of those that were made with one token that stays. own is the
// id of the one that this creation has made, or "".
//
// Two servers that create at the same moment both find nothing before, and make one object
// each. Afterwards at least one of them sees both, but cannot know whether the other one
// does, or has seen only its own and has answered that. So each removes only its own:
//
//   - One that sees both, its own not having the smallest id, removes its own.
//   - One whose own has the smallest id waits for the other to go. If that stays, it has
//     been answered, and the own is removed.
//
// Whoever has removed its own asks to be called again, and then finds the other. One that
// finds several before it has made any waits too; what is there even then was left by those
// who ended in between, and all but the smallest id are removed.
//
// So in the end there is one object, which every later call answers. It is also the one that
// was answered before, unless a server ends between its creation and its removal, or these
// are further apart than rivalPatience: to exclude that takes a lock on the cloud's side.
func survivor[S, T any](ctx context.Context, all []driver.Object[S, T], own string, look func() ([]driver.Object[S, T], error), remove func(context.Context, string) error) (o driver.Object[S, T], err error) {
	for deadline := time.Now().Add(rivalPatience); len(all) > 1; {
		slices.SortFunc(all, func(a, b driver.Object[S, T]) int { return cmp.Compare(a.ID, b.ID) })
		late := time.Now().After(deadline)
		mine := slices.IndexFunc(all, func(x driver.Object[S, T]) bool { return x.ID == own })
		var surplus []driver.Object[S, T]
		if mine > 0 || mine == 0 && late {
			surplus = all[mine : mine+1]
		} else if late {
			surplus = all[1:]
		}
		for _, x := range surplus {
			err = remove(ctx, x.ID)
			if err != nil && late {
				return o, resource.Errorf(resource.CodeUnavailable, "another creation with the same token has made %s, which cannot be removed yet: %w", x.ID, err)
			}
		}
		if len(surplus) > 0 && err == nil {
			return o, resource.Errorf(resource.CodeUnavailable, "two creations with the same token have made one object each, of which one stays; ask for it again")
		}
		select {
		case <-ctx.Done():
			return o, resource.Errorf(resource.CodeUnavailable, "another creation with the same token is under way: %w", ctx.Err())
		case <-time.After(rivalTick):
		}
		if all, err = look(); err != nil {
			return o, err
		}
	}
	if len(all) == 0 {
		return o, resource.Errorf(resource.CodeUnavailable, "what was made with the token has just been removed; the next try makes it again")
	}
	return all[0], nil
}

func collect[E any](items iter.Seq2[E, error]) ([]E, error) {
	var all []E
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

// pathSegment makes a name safe as one part of a path.
func pathSegment(name string) string { return url.PathEscape(name) }

func unmarshal(raw []byte, into any) error { return json.Unmarshal(raw, into) }
