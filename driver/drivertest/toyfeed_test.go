package drivertest

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The toy cloud measures each of its things every ten seconds.
const (
	toyStep = 10 * time.Second
	toyKept = time.Hour
)

// toyPoint is one value of one metric of one thing.
type toyPoint struct {
	Kind string    `json:"kind"`
	ID   string    `json:"id"`
	Name string    `json:"name"`
	Time time.Time `json:"time"`
}

// metric answers a page of what was measured of things.
func (c *toyCloud) metric(w http.ResponseWriter, r *http.Request, account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := r.URL.Query()
	number := func(name string) int { n, _ := strconv.Atoi(q.Get(name)); return n }
	now, step := time.Now(), time.Duration(number("step"))*time.Second
	from, to := time.Unix(int64(number("from")), 0), time.Unix(int64(number("to")), 0)
	if kept := now.Add(-toyKept); from.Before(kept) {
		from = kept
	}
	var points []toyPoint
	for _, kind := range []string{"vm", "cluster"} {
		for _, id := range q[kind] {
			if c.find(account, kind, id) == nil {
				answer(w, http.StatusNotFound, "there is no such thing")
				return
			}
			for at := from.Truncate(step).Add(step); at.Before(to) && at.Before(now); at = at.Add(step) {
				points = append(points, toyPoint{kind, id, q.Get("name"), at})
			}
		}
	}
	if slices.Contains([]string{"cpu", "memory"}, q.Get("name")) {
		after, limit := min(number("after"), len(points)), number("limit")
		end := min(after+limit, len(points))
		page := map[string]any{"items": points[after:end]}
		if end < len(points) {
			page["next"] = strconv.Itoa(end)
		}
		answer(w, http.StatusOK, page)
		return
	}
	answer(w, http.StatusBadRequest, "there is no such metric")
}

type toyMetrics struct{ *toySession }

// Read implements driver.Reader.
func (m toyMetrics) Read(ctx context.Context, span driver.Span, f resource.MetricFilter) iter.Seq2[resource.MetricSeries, error] {
	return func(yield func(resource.MetricSeries, error) bool) {
		if m.has("never looks back") && span.From.Before(time.Now().Add(-toyKept)) {
			yield(resource.MetricSeries{}, resource.Errorf(resource.CodeInternal, "that is too long ago"))
			return
		}
		names := f.Names
		if names == nil {
			names = []string{"cpu", "memory"}
		}
		for _, name := range names {
			for piece, err := range m.ofOne(ctx, span, f, name) {
				if !yield(piece, err) || err != nil {
					return
				}
			}
		}
	}
}

// ofOne reads one metric.
func (m toyMetrics) ofOne(ctx context.Context, span driver.Span, f resource.MetricFilter, name string) iter.Seq2[resource.MetricSeries, error] {
	return func(yield func(resource.MetricSeries, error) bool) {
		from := span.From.Add(-time.Second) // its points come after that
		if m.has("measures all the time") {
			from = from.Add(-time.Minute)
		}
		if m.has("measures each moment") {
			span.Step = toyStep
		}
		q := url.Values{
			"vm": f.VMs, "cluster": f.Clusters, "name": {name}, "limit": {strconv.Itoa(m.page)},
			"from": {strconv.FormatInt(from.Unix(), 10)}, "to": {strconv.FormatInt(span.To.Add(time.Second-1).Unix(), 10)}, "step": {fmt.Sprint(span.Step.Seconds())},
		}
		for after := "0"; after != ""; {
			q.Set("after", after)
			var page struct {
				Items []toyPoint
				Next  string
			}
			err := m.call(ctx, http.MethodGet, "/metric?"+q.Encode(), nil, &page)
			if err != nil && !m.has("lists what it gets") && !m.has("metrics of anything") {
				yield(resource.MetricSeries{}, err)
				return
			}
			for _, p := range page.Items {
				if p.Time.Before(span.From) && !m.has("measures all the time") || m.has("measures nothing") {
					continue
				}
				piece := resource.MetricSeries{Name: p.Name, Unit: "percent", Statistic: f.Statistic, Points: []resource.MetricPoint{{Time: p.Time, Value: 7}}}
				if p.Kind == "vm" {
					piece.VM = p.ID
				} else {
					piece.Cluster, piece.Node = p.ID, "node-1"
				}
				if m.has("tells the key in metrics") {
					piece.Node = m.key
				}
				if !yield(piece, nil) || m.has("measures twice") && !yield(piece, nil) {
					return
				}
			}
			if after = page.Next; m.has("reads one page") {
				return
			}
		}
	}
}
