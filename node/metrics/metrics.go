package metrics

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are a node's figures as Prometheus reads them.
type Metrics struct {
	registry *prometheus.Registry
}

// New makes the metrics of a node of a build. figures is asked once for each
// scrape; requests are read at the same time.
func New(version string, requests *Requests, figures func() Figures) *Metrics {
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "virga_build_info", Help: "1; the labels tell which build this is.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		build, &collector{requests: requests, figures: figures},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return &Metrics{registry: registry}
}

// Handler serves the metrics in the formats that Prometheus asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
