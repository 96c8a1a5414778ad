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

// pause is how long the services are left to what they are at work on before they are asked
// again.
const pause = 2 * time.Second

const (
	// defaultPageSize is the most that the services answer at once unless they are
	// configured otherwise.
	defaultPageSize = 1000

	marker      = "marker" // of a query: the object that the page before ended with
	mostRestart = 20       // of a list whose markers go away
	fewIDs      = 5        // that are asked for one by one, where a list cannot be asked for ids
	mostIDs     = 100      // that fit into the query of a list; lines of HTTP have 8 KiB at most
)

// shown is something as the SDK knows it, as the cloud answered it, and what most services
// tell of it alike.
type shown[A any] struct {
	is  A
	raw json.RawMessage
	common
}

// common are the fields that most services have. Those of another type there stay empty.
type common struct {
	ID, UUID, Name, Status, Description string
	Tags                                []string
	Metadata                            map[string]string
	Project                             string                `json:"project_id"`
	Tenant                              string                `json:"tenant_id"` // as it was called before
	Created                             string                // by Nova
	CreatedAt                           string                `json:"created_at"`
	KeyPair                             struct{ Name string } // in Nova's list of key pairs; a name elsewhere
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *shown[A]) UnmarshalJSON(raw []byte) error {
	s.raw = slices.Clone(raw)
	_ = json.Unmarshal(raw, &s.common) // what can be read of it
	s.ID = cmp.Or(s.ID, s.UUID, s.KeyPair.Name)
	return json.Unmarshal(raw, &s.is)
}

// createdAt is when it was made. Some services leave out the zone, which is UTC.
func (c common) createdAt() *time.Time {
	for _, layout := range []string{time.RFC3339, gophercloud.RFC3339NoZ} {
		if t, err := time.Parse(layout, cmp.Or(c.CreatedAt, c.Created)); err == nil {
			return &t
		}
	}
	return nil
}

// list answers a list page by page. A service answers at most what it likes at once
// and links to the rest. Of such a link only the query is followed: behind a proxy many
// clouds answer links that lead past it. If the object that a page ended with has been
// deleted meanwhile, Neutron begins anew by itself, and the others are asked to; what came
// already is left out.
func list[A any](ctx context.Context, s *Session, c *gophercloud.ServiceClient, path, key string, query url.Values) iter.Seq2[[]shown[A], error] {
	return func(yield func([]shown[A], error) bool) {
		first := url.Values{"limit": {strconv.Itoa(cmp.Or(max(s.settings.Int(settingPageSize), 0), defaultPageSize))}}
		maps.Copy(first, query)
		seen := map[string]bool{}
		for query, restarts := first, 0; query != nil; {
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
				double := x.ID != "" && seen[x.ID]
				seen[x.ID] = true
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

// answer reads the answer to a creation or a change.
func answer[A any](r gophercloud.Result, key string) (shown[A], error) {
	if r.Err != nil {
		return shown[A]{}, coded(r.Err)
	}
	body, _ := json.Marshal(r.Body) // it was JSON before
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

// native reads what the cloud showed of an object into a type of the SDK.
func native[A, S, T any](o driver.Object[S, T]) (A, error) {
	var of A
	raw, _ := o.Native.(json.RawMessage)
	if err := json.Unmarshal(raw, &of); err != nil {
		return of, resource.Errorf(resource.CodeInternal, "read what the cloud showed of %s: %w", o.ID, err)
	}
	return of, nil
}

// is takes what the cloud answered off.
func is[A any](x shown[A]) A { return x.is }

// items answers a list as the SDK knows what is in it.
func items[A any](ctx context.Context, s *Session, c *gophercloud.ServiceClient, path, key string, query url.Values) iter.Seq2[A, error] {
	return driver.Items(list[A](ctx, s, c, path, key, query), is)
}

// Items answers all pages of a list of a service, by its type, for a kind that a member has of
// its own. key is what the answer has the list in; an A of json.RawMessage keeps what the cloud
// answers.
func Items[A any](ctx context.Context, s *Session, service, path, key string, query url.Values) iter.Seq2[A, error] {
	return items[A](ctx, s, s.client(service), path, key, query)
}

// Ask makes a call to a service, by its type, for a kind that a member has of its own.
func (s *Session) Ask(ctx context.Context, service, method, path string, in, out any) error {
	return request(ctx, s.client(service), method, path, in, out)
}

// only leaves out of pages what is not meant; nil means all.
func only[A any](pages iter.Seq2[[]shown[A], error], meant func(shown[A]) bool) iter.Seq2[[]shown[A], error] {
	return func(yield func([]shown[A], error) bool) {
		for page, err := range pages {
			page = slices.DeleteFunc(page, func(x shown[A]) bool { return meant != nil && !meant(x) })
			if !yield(page, err) {
				return
			}
		}
	}
}
