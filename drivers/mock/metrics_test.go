package mock

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// readMetrics answers the points by their series.
func readMetrics(t testing.TB, s drivertest.Patient, span driver.Span, f resource.MetricFilter) (map[string][]resource.MetricPoint, error) {
	t.Helper()
	filter, err := json.Marshal(f)
	require.NoError(t, err)
	all := map[string][]resource.MetricPoint{}
	for raw, err := range s.Read(t.Context(), "metric", span, filter) {
		if err != nil {
			return nil, err
		}
		piece := decoded[resource.MetricSeries](t, raw)
		require.NotEmpty(t, piece.Unit)
		name := piece.VM + piece.Node + " " + piece.Name
		all[name] = append(all[name], piece.Points...)
	}
	return all, nil
}

func TestMetrics(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	vm := create(t, s, "vm", "vm1", n.vm()).ID
	begun := r.cloud.now()
	r.advance(time.Hour)
	span := driver.Span{From: r.cloud.now().Add(-24 * time.Hour), To: r.cloud.now().Add(24 * time.Hour), Step: 2 * time.Minute}
	read := func(f resource.MetricFilter) map[string][]resource.MetricPoint {
		t.Helper()
		all, err := readMetrics(t, s, span, f)
		require.NoError(t, err)
		return all
	}
	all := read(resource.MetricFilter{VMs: []string{vm}})
	require.Len(t, all, 8)
	cpu := all[vm+" cpu"]
	require.InDelta(t, 30, len(cpu), 1, "of its life alone, and of steps that are over")
	require.False(t, cpu[0].Time.Before(begun))
	require.Equal(t, 2*time.Minute, cpu[1].Time.Sub(cpu[0].Time))
	require.Equal(t, all, read(resource.MetricFilter{VMs: []string{vm}}), "the past does not change")
	lowest := read(resource.MetricFilter{VMs: []string{vm}, Names: []string{"cpu"}, Statistic: "minimum"})
	highest := read(resource.MetricFilter{VMs: []string{vm}, Names: []string{"cpu"}, Statistic: "maximum"})
	require.Len(t, lowest, 1)
	for i, p := range cpu {
		require.Less(t, lowest[vm+" cpu"][i].Value, p.Value)
		require.Greater(t, highest[vm+" cpu"][i].Value, p.Value)
		require.Less(t, highest[vm+" cpu"][i].Value, 100.0)
		require.Positive(t, lowest[vm+" cpu"][i].Value)
	}

	require.NoError(t, act(t, s, "vm", vm, "stop", nil))
	r.advance(time.Hour)
	require.InDelta(t, 30, len(read(resource.MetricFilter{VMs: []string{vm}})[vm+" cpu"]), 1, "nothing is measured of what does not run")
	require.NoError(t, act(t, s, "vm", vm, "start", nil))
	r.advance(20 * 24 * time.Hour)
	require.Empty(t, read(resource.MetricFilter{VMs: []string{vm}}), "what is too long ago is not kept")
}

func TestMetricsOfNodes(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	made := create(t, s, "cluster", "k8s", n.cluster(n.nodes("first")))
	r.advance(10 * time.Minute)
	all, err := readMetrics(t, s, driver.Span{From: r.cloud.now().Add(-time.Hour), To: r.cloud.now(), Step: time.Minute}, resource.MetricFilter{Clusters: []string{made.ID}, Names: []string{"networkIn"}})
	require.NoError(t, err)
	nodes := decoded[resource.ClusterStatus](t, get(t, s, "cluster", made.ID).Status).NodeGroups[0].Nodes
	require.Len(t, all, len(nodes))
	for _, node := range nodes {
		require.InDelta(t, 10, len(all[node+" networkIn"]), 1)
	}
}

func TestMetricsThatThereAreNot(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	vm := create(t, s, "vm", "vm1", build(t, s).vm()).ID
	span := driver.Span{From: r.cloud.now().Add(-time.Hour), To: r.cloud.now(), Step: time.Minute}
	for code, f := range map[string]resource.MetricFilter{
		"InvalidVMID.NotFound":      {VMs: []string{"vm-x"}},
		"InvalidClusterID.NotFound": {VMs: []string{vm}, Clusters: []string{"k8s-x"}},
		"InvalidMetricName":         {VMs: []string{vm}, Names: []string{"cpu", "mood"}},
	} {
		_, err := readMetrics(t, s, span, f)
		require.Equal(t, code, cloudError(t, err).Cloud.Code)
	}
	_, err := readMetrics(t, s, driver.Span{From: span.From, To: span.To}, resource.MetricFilter{VMs: []string{vm}})
	require.Equal(t, "step", resource.AsError(err).Fields[0].Field, "3600 points are too many")
	_, err = readMetrics(t, r.connect("lacks", "metric"), span, resource.MetricFilter{VMs: []string{vm}})
	require.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	_, err = readMetrics(t, r.connect("failCall", "1"), span, resource.MetricFilter{VMs: []string{vm}})
	require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
}
