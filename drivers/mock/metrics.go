package mock

import (
	"context"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// metricsKept is how finely and for how long this cloud keeps metrics.
func metricsKept() driver.Keeps {
	return driver.Keeps{Step: time.Second, For: 15 * 24 * time.Hour, Points: 1500}
}

type metrics struct{ *session }

func openMetrics(s *session) metrics { return metrics{s} }

// measured is a thing with metrics: a VM, or a node of a cluster.
type measured struct {
	vm, cluster, node string
	from, to          time.Time // its life, as far as it has metrics
}

// Read implements driver.Reader. A piece of a series is as long as a page, and a page has as
// many pieces as a list has objects.
func (m metrics) Read(ctx context.Context, span driver.Span, f resource.MetricFilter) iter.Seq2[resource.MetricSeries, error] {
	return func(yield func(resource.MetricSeries, error) bool) {
		var wrong error
		load := func() (pieces []resource.MetricSeries) {
			pieces, wrong = m.pieces(span, f)
			return pieces
		}
		for piece, err := range pages(ctx, m.callRegion, m.pageSize, load) {
			if !yield(piece, err) || err != nil {
				return
			}
		}
		if wrong != nil {
			yield(resource.MetricSeries{}, wrong)
		}
	}
}

func (m metrics) pieces(span driver.Span, f resource.MetricFilter) ([]resource.MetricSeries, error) {
	kinds, err := metricsNamed(f.Names)
	if err != nil {
		return nil, err
	}
	m.cloud.catchUp()
	m.cloud.mu.RLock()
	defer m.cloud.mu.RUnlock()
	now := m.cloud.time()
	things, err := m.measured(f, now)
	if err != nil {
		return nil, err
	}
	var pieces []resource.MetricSeries
	for _, thing := range things {
		times := thing.times(span, now)
		for _, kind := range kinds {
			for part := range slices.Chunk(times, m.pageSize) {
				piece := resource.MetricSeries{VM: thing.vm, Cluster: thing.cluster, Node: thing.node, Name: kind.Name, Unit: kind.Unit, Statistic: f.Statistic}
				for _, at := range part {
					piece.Points = append(piece.Points, resource.MetricPoint{Time: at, Value: thing.value(kind, f.Statistic, at)})
				}
				pieces = append(pieces, piece)
			}
		}
	}
	return pieces, nil
}

// metricsNamed are the metrics that are asked for. This cloud has none of its own.
func metricsNamed(names []string) ([]resource.MetricKind, error) {
	all := resource.CommonMetrics()
	if len(names) == 0 {
		return all, nil
	}
	var kinds []resource.MetricKind
	for i, name := range names {
		n := slices.IndexFunc(all, func(k resource.MetricKind) bool { return k.Name == name })
		if n < 0 {
			return nil, refuseField(fmt.Sprintf("names[%d]", i), "InvalidMetricName", "there is no metric %.64q; the metrics are: %s", name, joined(all, func(k resource.MetricKind) string { return k.Name }))
		}
		kinds = append(kinds, all[n])
	}
	return kinds, nil
}

// measured are the things that are asked for. The cloud is held.
func (m metrics) measured(f resource.MetricFilter, now time.Time) ([]measured, error) {
	var things []measured
	vms := openVMs(m.session)
	for _, id := range f.VMs {
		o := m.cloud.find(vms.key(), id, now)
		if o == nil {
			return nil, vms.missing(id)
		}
		to := now
		if o.Change.state(now) == resource.StateStopped {
			to = o.Change.Until
		}
		things = append(things, measured{vm: id, from: o.CreatedAt, to: to})
	}
	clusters := openClusters(m.session)
	for _, id := range f.Clusters {
		o := m.cloud.find(clusters.key(), id, now)
		if o == nil {
			return nil, clusters.missing(id)
		}
		for _, group := range clusters.view(o, o.Change.state(now), now).Status.NodeGroups {
			for _, node := range group.Nodes {
				things = append(things, measured{cluster: id, node: node, from: o.CreatedAt, to: now})
			}
		}
	}
	return things, nil
}

// times are those of a thing's points: the beginnings of the steps that are over. This cloud
// has steps of whole seconds.
func (t measured) times(span driver.Span, now time.Time) []time.Time {
	step := time.Duration(math.Ceil(span.Step.Seconds())) * time.Second
	from, to := span.From, span.To
	for _, at := range []time.Time{t.from, now.Add(-metricsKept().For)} {
		if from.Before(at) {
			from = at
		}
	}
	if last := t.to.Add(time.Nanosecond - step); last.Before(to) { // the step that begins then is just over
		to = last
	}
	at := from.UTC().Truncate(step)
	if at.Before(from) {
		at = at.Add(step)
	}
	var times []time.Time
	for ; at.Before(to); at = at.Add(step) {
		times = append(times, at)
	}
	return times
}

// value is what was measured of a thing at a time: the wave of a day with ripples. It follows
// from the thing and the time alone, so that it is the same each time.
func (t measured) value(kind resource.MetricKind, statistic string, at time.Time) float64 {
	draw := func(of ...any) float64 { // from 0 to 1
		h := fnv.New32a()
		_, _ = fmt.Fprint(h, t.vm, t.cluster, t.node, kind.Name, of) // writing to a hash cannot fail
		return float64(h.Sum32()) / math.MaxUint32
	}
	day := float64(at.Unix()) / (24 * 60 * 60)
	share := 0.15 + 0.5*draw()*(1+math.Sin(2*math.Pi*(day+draw("phase"))))/2 + 0.2*draw(at.Unix())
	share += map[string]float64{"minimum": -0.1, "maximum": 0.1}[statistic]
	return math.Round(100*share*map[string]float64{"percent": 100, "bytes/s": 50e6, "1/s": 500}[kind.Unit]) / 100
}
