package resource

import (
	"strings"
	"time"
)

// Metrics is the feed of what clouds measure of resources.
var Metrics = defineFeed[MetricFilter, MetricSeries](Feed{
	Name: "metric", Title: "Metric", Scope: ScopeRegion,
	Doc: "What the cloud measures of resources: how busy their processors are, what they read, write, send and receive.",
})

// MetricFilter says which metrics are looked for.
type MetricFilter struct {
	VMs       []string `json:"vms,omitempty" doc:"Names of VMs. Give VMs, clusters or both." ref:"vm" maxItems:"500" minLength:"1" maxLength:"512" nullable:"false"`
	Clusters  []string `json:"clusters,omitempty" doc:"Names of clusters, of whose nodes the metrics are." ref:"cluster" maxItems:"500" minLength:"1" maxLength:"512" nullable:"false"`
	Names     []string `json:"names,omitempty" doc:"Names of metrics, such as cpu. Default: all that have the same name on every cloud, as far as this one has them." maxItems:"50" minLength:"1" maxLength:"256" nullable:"false"`
	Statistic string   `json:"statistic,omitempty" doc:"What each point says of the values in its step. Default: average." enum:"average,minimum,maximum"`
}

// MetricSeries is what was measured of one thing, or a piece of that.
type MetricSeries struct {
	VM        string        `json:"vm,omitempty" doc:"Name of the VM." ref:"vm"`
	Cluster   string        `json:"cluster,omitempty" doc:"Name of the cluster." ref:"cluster"`
	Node      string        `json:"node,omitempty" doc:"Of a cluster: the node, as the cluster's status names it."`
	Name      string        `json:"name" doc:"Name of the metric: cpu, memory, diskReadBytes, diskWriteBytes, diskReadOps, diskWriteOps, networkIn, networkOut, or what only this cloud has under the cloud's own name."`
	Unit      string        `json:"unit" doc:"Unit of the values, such as percent or bytes/s. Metrics of the same name have the same one on every cloud."`
	Statistic string        `json:"statistic" doc:"What each point says of the values in its step." enum:"average,minimum,maximum"`
	Points    []MetricPoint `json:"points" doc:"The values, the earliest first. Where the cloud has none, there is no point." nullable:"false"`
}

// MetricPoint is one value.
type MetricPoint struct {
	Time  time.Time `json:"time" doc:"Beginning of the step that the value is of."`
	Value float64   `json:"value" doc:"The value."`
}

// MetricKind is a metric that has the same name and unit on every cloud.
type MetricKind struct {
	Name string
	Unit string
	Doc  string
}

// CommonMetrics are the metrics with the same name and unit on every cloud. What a cloud
// measures beyond has the cloud's own name.
func CommonMetrics() []MetricKind {
	return []MetricKind{
		{"cpu", "percent", "How much of its processors is in use."},
		{"memory", "percent", "How much of its memory is in use."},
		{"diskReadBytes", "bytes/s", "What is read from its disks."},
		{"diskWriteBytes", "bytes/s", "What is written to its disks."},
		{"diskReadOps", "1/s", "Reads from its disks."},
		{"diskWriteOps", "1/s", "Writes to its disks."},
		{"networkIn", "bytes/s", "What it receives from the network."},
		{"networkOut", "bytes/s", "What it sends to the network."},
	}
}

// Problems implements the rules beyond the schema, and fills the default.
func (f *MetricFilter) Problems(at string) []Problem {
	if f.Statistic == "" {
		f.Statistic = "average"
	}
	problems := append(doubleNames(join(at, "vms"), f.VMs), doubleNames(join(at, "clusters"), f.Clusters)...)
	problems = append(problems, doubleNames(join(at, "names"), f.Names)...)
	if len(f.VMs)+len(f.Clusters) == 0 {
		problems = append(problems, Problem{Field: join(at, "vms"), Message: "is required, or clusters", Rule: RuleRequired})
	}
	return problems
}

// Series implements Timed.
func (s MetricSeries) Series() string {
	return strings.Join([]string{s.VM, s.Cluster, s.Node, s.Name, s.Statistic}, "\x00")
}

// Times implements Timed.
func (s MetricSeries) Times() []time.Time {
	times := make([]time.Time, len(s.Points))
	for i, p := range s.Points {
		times[i] = p.Time
	}
	return times
}
