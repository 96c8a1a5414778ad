package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/certificate"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// metrics are what Prometheus reads, beside the API's own.
type metrics struct {
	registry   *prometheus.Registry
	calls      *prometheus.HistogramVec
	operations *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mcic_driver_call_duration_seconds", Help: "Time of calls to drivers, by cloud, verb and error code.",
			Buckets: []float64{.001, .01, .1, .5, 1, 5, 30, 60},
		}, []string{"cloud", "verb", "code"}),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcic_operations_total", Help: "Operations that ended, by kind, verb and error code.",
		}, []string{"kind", "verb", "code"}),
	}
	m.registry.MustRegister(m.calls, m.operations, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) call(cloud, verb string, code resource.Code, took time.Duration) {
	m.calls.WithLabelValues(cloud, verb, string(code)).Observe(took.Seconds())
}

func (m *metrics) operation(o *api.Operation) {
	code := ""
	if o.Error != nil {
		code = string(o.Error.Code)
	}
	m.operations.WithLabelValues(o.Kind, o.Verb, code).Inc()
}

func (m *metrics) watchQueue(e *engine.Engine) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcic_queue_depth", Help: "Resources that wait for a worker.",
	}, func() float64 { return float64(e.QueueDepth()) }))
}

func (m *metrics) watchCertificate(k *certificate.Keeper) {
	if k == nil {
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcic_tls_certificate_end_seconds", Help: "When the TLS certificate that is shown ends, in seconds since 1970.",
	}, func() float64 { return float64(k.Until().Unix()) }))
}

func (m *metrics) watchTerminals(t *terminal.Terminals) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcic_terminals", Help: "SSH sessions that are open.",
	}, func() float64 { return float64(t.Open()) }))
}

// credentialEnds tells Prometheus when credentials end, as they are recorded when it asks.
type credentialEnds struct {
	registry *registry.Registry
	metric   *prometheus.Desc
}

// scrapeTimeout bounds what is read of the database for Prometheus.
const scrapeTimeout = 5 * time.Second

func (m *metrics) watchCredentials(r *registry.Registry) {
	m.registry.MustRegister(credentialEnds{r, prometheus.NewDesc("mcic_credential_end_seconds", "When a credential ends, in seconds since 1970.", []string{"credential"}, nil)})
}

// Describe names the metric.
func (c credentialEnds) Describe(metrics chan<- *prometheus.Desc) { metrics <- c.metric }

// Collect reads the credentials. Without the database the other metrics are still told.
func (c credentialEnds) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	credentials, err := c.registry.Credentials(ctx)
	if err != nil {
		return
	}
	for _, one := range credentials {
		if one.ExpiresAt != nil {
			metrics <- prometheus.MustNewConstMetric(c.metric, prometheus.GaugeValue, float64(one.ExpiresAt.Unix()), one.Name)
		}
	}
}
