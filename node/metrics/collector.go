package metrics

import "github.com/prometheus/client_golang/prometheus"

// collector turns a node's figures into metrics when Prometheus asks.
type collector struct {
	requests *Requests
	figures  func() Figures
}

// metric is one value of the figures.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*Figures) float64
}

func gauge(name, help string, value func(*Figures) float64) metric {
	return metric{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, value}
}

func counter(name, help string, value func(*Figures) float64) metric {
	return metric{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, value}
}

// metrics are those without labels.
var metrics = []metric{
	gauge("virga_ready", "1 when the node is ready, as /readyz says; else 0.", func(f *Figures) float64 { return oneIf(f.Ready) }),
	gauge("virga_peers", "Live nodes that this one sees, itself not counted.", func(f *Figures) float64 { return float64(f.Peers) }),

	gauge("virga_store_keys", "Keys of which the node holds a copy as an owner, deleted ones included.", func(f *Figures) float64 { return float64(f.Store.Keys) }),
	gauge("virga_store_memory_keys", "Keys in the memory tier.", func(f *Figures) float64 { return float64(f.Store.MemoryKeys) }),
	gauge("virga_store_memory_bytes", "Bytes that the memory tier takes.", func(f *Figures) float64 { return float64(f.Store.MemoryBytes) }),
	gauge("virga_store_memory_occupancy_ratio", "Part of the memory tier's bound that is taken.", func(f *Figures) float64 { return Occupancy(f.Store.MemoryBytes, f.Store.MemoryLimit) }),
	gauge("virga_store_pending_bytes", "Bytes of the memory tier that are yet to be written to the disk.", func(f *Figures) float64 { return float64(f.Store.Pending) }),
	counter("virga_store_written_back_total", "Cells of the memory tier that were written to the disk.", func(f *Figures) float64 { return float64(f.Store.WrittenBack) }),
	gauge("virga_store_disk_occupancy_ratio", "Part of the disk's bound that is taken; 0 without a bound.", func(f *Figures) float64 { return Occupancy(f.Store.DiskBytes, f.Store.DiskLimit) }),
	gauge("virga_store_disk_bytes", "Bytes of the store on disk.", func(f *Figures) float64 { return float64(f.Store.DiskBytes) }),
	counter("virga_store_damaged_records_total", "Times that a damaged record was met.", func(f *Figures) float64 { return float64(f.Store.Damaged) }),

	gauge("virga_cache_keys", "Keys of other owners that the cache holds.", func(f *Figures) float64 { return float64(f.Cache.Keys) }),
	gauge("virga_cache_bytes", "Bytes that the cache takes.", func(f *Figures) float64 { return float64(f.Cache.Bytes) }),
	gauge("virga_cache_occupancy_ratio", "Part of the cache's bound that is taken.", func(f *Figures) float64 { return Occupancy(f.Cache.Bytes, f.Cache.Limit) }),
	counter("virga_cache_hits_total", "Reads of keys of other owners that the cache answered.", func(f *Figures) float64 { return float64(f.Cache.Hits) }),
	counter("virga_cache_misses_total", "Reads of keys of other owners that the cache could not answer.", func(f *Figures) float64 { return float64(f.Cache.Misses) }),
	gauge("virga_cache_subscriptions", "Subscriptions of other nodes' caches to keys of this node.", func(f *Figures) float64 { return float64(f.Cache.Subscriptions) }),
	counter("virga_cache_pushes_sent_total", "Deltas pushed to other nodes' caches, and taken.", func(f *Figures) float64 { return float64(f.Cache.PushesSent) }),
	counter("virga_cache_pushes_received_total", "Deltas that owners pushed to this node's cache.", func(f *Figures) float64 { return float64(f.Cache.PushesReceived) }),

	gauge("virga_replication_sending_deltas", "Deltas on their way to other owners.", func(f *Figures) float64 { return float64(f.Replication.Sending) }),
	gauge("virga_replication_sending_bytes", "Bytes of the deltas on their way to other owners.", func(f *Figures) float64 { return float64(f.Replication.SendingBytes) }),
	counter("virga_replication_repairs_total", "Copies of keys that were brought up to date beside writes: by reads with a quorum and by anti-entropy.", func(f *Figures) float64 { return float64(f.Replication.Repairs) }),
	counter("virga_replication_pulled_bytes_total", "Bytes that anti-entropy took over from other nodes.", func(f *Figures) float64 { return float64(f.Replication.Pulled) }),
	counter("virga_replication_expired_keys_total", "Keys that this node deleted for having expired.", func(f *Figures) float64 { return float64(f.Replication.Expired) }),
	counter("virga_replication_collected_marks_total", "Marks of deletes that this node has forgotten, with all others.", func(f *Figures) float64 { return float64(f.Replication.Collected) }),
	counter("virga_replication_set_aside_keys_total", "Keys that this node set aside when it came back after the mesh had given it up.", func(f *Figures) float64 { return float64(f.Replication.SetAside) }),
	gauge("virga_replication_owed_bytes", "Bytes on disk of the deltas that other nodes are owed.", func(f *Figures) float64 { return float64(f.Replication.OwedBytes) }),
	counter("virga_replication_dropped_debts_total", "Deltas that a node was to be owed beyond the bound: it has to find them by comparing.", func(f *Figures) float64 { return float64(f.Replication.Dropped) }),
	gauge("virga_replication_unsettled_partitions", "Partitions that the node owns and has yet to compare with, or fetch from, another node.", func(f *Figures) float64 { return float64(f.Replication.Unsettled) }),

	gauge("virga_hot_keys", "Keys with extra readers, of all that this node knows of.", func(f *Figures) float64 { return float64(f.HotKeys.Raised) }),
	gauge("virga_hot_key_copies", "Keys that this node serves as an extra reader.", func(f *Figures) float64 { return float64(f.HotKeys.Copies) }),

	gauge("virga_nodes_wanted", "Nodes that the mesh is to have, as this node finds; 0 until it knows.", func(f *Figures) float64 { return float64(f.Nodes.Wanted) }),
	counter("virga_hook_runs_total", "Times that this node ran its hook, to start or drain nodes.", func(f *Figures) float64 { return float64(f.Nodes.HooksRun) }),
	counter("virga_hook_failures_total", "Times that the hook of this node failed.", func(f *Figures) float64 { return float64(f.Nodes.HooksFailed) }),
	gauge("virga_places_utilisation_ratio", "Part of the node's places for invocations that was taken or waited for; above 1 with a queue.", func(f *Figures) float64 { return f.Load.Places }),
	gauge("virga_processors_utilisation_ratio", "Part of the machine's processor time that the node took.", func(f *Figures) float64 { return f.Load.Processors }),
	gauge("virga_requests_p99_seconds", "99th percentile of the time of requests for state; 0 without nodes_latency.", func(f *Figures) float64 { return f.Load.Latency.Seconds() }),

	gauge("virga_run_sessions", "Runs that read state at a level above eventual, with something on this node.", func(f *Figures) float64 { return float64(f.Sessions) }),
	gauge("virga_runs", "Runs under way that this node coordinates.", func(f *Figures) float64 { return float64(f.Runs) }),
	gauge("virga_invocations", "Invocations of functions under way on this node.", func(f *Figures) float64 { return float64(f.Invocations) }),
	gauge("virga_invocations_waiting", "Invocations that wait for a place on this node.", func(f *Figures) float64 { return float64(f.Load.Waiting) }),
	counter("virga_stage_retries_total", "Attempts of stages after their first.", func(f *Figures) float64 { return float64(f.Stages.Retries) }),
	counter("virga_stage_hedges_total", "Second copies of stages that took long.", func(f *Figures) float64 { return float64(f.Stages.Hedges) }),
	counter("virga_stage_hedges_won_total", "Second copies whose result came first.", func(f *Figures) float64 { return float64(f.Stages.HedgesWon) }),
	counter("virga_stage_batches_total", "Invocations of functions for several calls at once.", func(f *Figures) float64 { return float64(f.Stages.Batches) }),
	counter("virga_stage_batched_calls_total", "Calls that were made together with others.", func(f *Figures) float64 { return float64(f.Stages.Batched) }),
	counter("virga_stage_elements_elsewhere_total", "Elements of lists that other nodes ran for a stage of this one.", func(f *Figures) float64 { return float64(f.Stages.Elsewhere) }),
	counter("virga_run_conflicts_total", "Times that a transactional run found at its end that what it had read was no longer one moment, or a repeatable one that stages beside one another had read two versions of a key.", func(f *Figures) float64 { return float64(f.Stages.Conflicts) }),
	counter("virga_runs_anew_total", "Runs that began anew for that, once or more.", func(f *Figures) float64 { return float64(f.Stages.Anew) }),
	gauge("virga_invocation_places", "Places for invocations on this node.", func(f *Figures) float64 { return float64(f.Work.Capacity) }),
}

var functionLabels = []string{"namespace", "function", "version"}

// Those with labels.
var (
	coldDesc     = prometheus.NewDesc("virga_cold_start_seconds", "How long it took to make ready what was called and was not.", nil, nil)
	callsDesc    = prometheus.NewDesc("virga_function_calls_total", "Invocations of a function on this node.", functionLabels, nil)
	coldsDesc    = prometheus.NewDesc("virga_function_cold_starts_total", "Invocations of a function on this node that were cold starts.", functionLabels, nil)
	warmDesc     = prometheus.NewDesc("virga_function_warm_instances", "Instances of a function that are ready, or run.", functionLabels, nil)
	meanDesc     = prometheus.NewDesc("virga_function_mean_seconds", "What an invocation took lately, on average, once it had its place.", functionLabels, nil)
	p95Desc      = prometheus.NewDesc("virga_function_p95_seconds", "What 95 % of the invocations took at most lately.", functionLabels, nil)
	dagCallsDesc = prometheus.NewDesc("virga_dag_calls_total", "Runs of a DAG that were asked for at this node.", []string{"namespace", "dag"}, nil)
	requestsDesc = prometheus.NewDesc("virga_requests_total", "Requests of clients and functions for state that this node took, by outcome: ok, or the kind of the error.", []string{"operation", "outcome"}, nil)
	sizesDesc    = prometheus.NewDesc("virga_store_written_size_bytes", "Sizes of the cells, or of what they grew by, that were written to the disk.", nil, nil)
	sentDesc     = prometheus.NewDesc("virga_link_sent_bytes_total", "Bytes of frames that this node sent, without what QUIC adds.", []string{"to"}, nil)
	owedDesc     = prometheus.NewDesc("virga_replication_owed_keys", "Keys of which a node is owed deltas that it has not acknowledged.", []string{"peer"}, nil)
	oldestDesc   = prometheus.NewDesc("virga_replication_owed_oldest_seconds", "How long a node has been owed deltas.", []string{"peer"}, nil)
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range metrics {
		descs <- m.desc
	}
	descs <- requestsDesc
	descs <- sizesDesc
	descs <- sentDesc
	descs <- owedDesc
	descs <- oldestDesc
	for _, desc := range []*prometheus.Desc{coldDesc, callsDesc, coldsDesc, warmDesc, meanDesc, p95Desc, dagCallsDesc} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	figures := c.figures()
	for _, m := range metrics {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&figures))
	}
	sizes := figures.Store.Sizes
	out <- prometheus.MustNewConstHistogram(sizesDesc, sizes.Count, float64(sizes.Bytes), sizes.UpTo)
	out <- prometheus.MustNewConstMetric(sentDesc, prometheus.CounterValue, float64(figures.Sent.ToNodes), "nodes")
	out <- prometheus.MustNewConstMetric(sentDesc, prometheus.CounterValue, float64(figures.Sent.ToClients), "clients")
	for _, debt := range figures.Replication.Owed {
		peer := debt.Node.String()
		out <- prometheus.MustNewConstMetric(owedDesc, prometheus.GaugeValue, float64(debt.Keys), peer)
		out <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, debt.Oldest.Seconds(), peer)
	}
	collectWork(&figures.Work, out)
	for r := range c.requests.All() {
		out <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, float64(r.Count), r.Operation.String(), r.Outcome)
	}
}

// collectWork tells what functions and DAGs take.
func collectWork(w *Work, out chan<- prometheus.Metric) {
	cold := w.ColdStarts
	out <- prometheus.MustNewConstHistogram(coldDesc, cold.Count, cold.Seconds, cold.UpTo)
	for _, f := range w.Functions {
		labels := []string{f.Ref.Namespace, f.Ref.Name, f.Ref.Version}
		out <- prometheus.MustNewConstMetric(callsDesc, prometheus.CounterValue, float64(f.Calls), labels...)
		out <- prometheus.MustNewConstMetric(coldsDesc, prometheus.CounterValue, float64(f.ColdStarts), labels...)
		out <- prometheus.MustNewConstMetric(warmDesc, prometheus.GaugeValue, float64(f.Warm), labels...)
		out <- prometheus.MustNewConstMetric(meanDesc, prometheus.GaugeValue, f.Mean.Seconds(), labels...)
		out <- prometheus.MustNewConstMetric(p95Desc, prometheus.GaugeValue, f.P95.Seconds(), labels...)
	}
	for _, d := range w.DAGs {
		out <- prometheus.MustNewConstMetric(dagCallsDesc, prometheus.CounterValue, float64(d.Calls), d.Namespace, d.Name)
	}
}

// Occupancy is the part of a bound that is taken; 0 where there is no bound.
func Occupancy(taken, limit uint64) float64 {
	if limit == 0 {
		return 0
	}
	return float64(taken) / float64(limit)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
