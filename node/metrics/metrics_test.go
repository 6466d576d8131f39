package metrics

import (
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// scrape gives the lines that Prometheus would read.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(recorder.Result().Body)
	if err != nil || recorder.Code != 200 {
		t.Fatalf("a scrape gave %d, %v: %s", recorder.Code, err, body)
	}
	return string(body)
}

// busy is a node of which every metric has something to tell.
func busy() Figures {
	return Figures{
		Ready: true, Peers: 2,
		Store: Store{Keys: 7, MemoryBytes: 25, MemoryLimit: 100, Damaged: 1},
		Cache: Cache{Bytes: 50, Limit: 100, Hits: 3, Misses: 4},
		Replication: Replication{
			Sending: 5, Unsettled: 6,
			Owed: []Debt{{Node: "n1", Keys: 8, Oldest: 1500 * time.Millisecond}},
		},
		Sent: Sent{ToNodes: 9, ToClients: 10},
		Load: Load{Places: 0.75, Latency: 2500 * time.Microsecond}, Nodes: Nodes{Wanted: 4, HooksRun: 2, HooksFailed: 1},
		Work: Work{
			Capacity:   12,
			ColdStarts: Durations{Count: 2, Seconds: 0.5, UpTo: map[float64]uint64{0.1: 1, 1: 2}},
			Functions:  []Function{{Ref: mesh.FuncRef{Namespace: "default", Name: "f", Version: "v"}, Calls: 3, Warm: 4, Mean: 50 * time.Millisecond}},
			DAGs:       []DAG{{Namespace: "default", Name: "d", Calls: 5}},
		},
	}
}

func TestScrapesTellTheFigures(t *testing.T) {
	var requests Requests
	for range 3 {
		requests.Count(Get, nil)
	}
	requests.Count(Put, mesh.Errorf(mesh.Unavailable, "put", "too few"))
	requests.Count(Put, mesh.ErrorKind(200)) // of a later version
	text := scrape(t, New("v1", &requests, busy))
	for _, line := range []string{
		`virga_requests_total{operation="get",outcome="ok"} 3`,
		`virga_requests_total{operation="put",outcome="Unavailable"} 1`,
		`virga_requests_total{operation="put",outcome="Internal"} 1`,
		`virga_requests_total{operation="put",outcome="ok"} 0`,
		`virga_ready 1`,
		`virga_invocation_places 12`,
		`virga_cold_start_seconds_bucket{le="0.1"} 1`,
		`virga_cold_start_seconds_count 2`,
		`virga_function_calls_total{function="f",namespace="default",version="v"} 3`,
		`virga_function_warm_instances{function="f",namespace="default",version="v"} 4`,
		`virga_function_mean_seconds{function="f",namespace="default",version="v"} 0.05`,
		`virga_dag_calls_total{dag="d",namespace="default"} 5`,
		`virga_peers 2`,
		`virga_store_keys 7`,
		`virga_store_memory_occupancy_ratio 0.25`,
		`virga_cache_occupancy_ratio 0.5`,
		`virga_cache_hits_total 3`,
		fmt.Sprintf(`virga_replication_owed_keys{peer=%q} 8`, mesh.NodeID("n1")),
		fmt.Sprintf(`virga_replication_owed_oldest_seconds{peer=%q} 1.5`, mesh.NodeID("n1")),
		`virga_replication_unsettled_partitions 6`,
		`virga_link_sent_bytes_total{to="nodes"} 9`,
		`virga_nodes_wanted 4`,
		`virga_hook_failures_total 1`,
		`virga_places_utilisation_ratio 0.75`,
		`virga_requests_p99_seconds 0.0025`,
		`virga_link_sent_bytes_total{to="clients"} 10`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no line %s", line)
		}
	}
}

// The table in docs/metrics.md lists what is served, its kind and meaning, and nothing else.
func TestDocumentedMetrics(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(virga_\\w+)` \\| (\\w+) \\|[^|]*\\| (.*) \\|$").FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = row[2] + ": " + row[3]
	}
	text := scrape(t, New("v1", new(Requests), busy))
	kinds := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (virga_\w+) (\w+)$`).FindAllStringSubmatch(text, -1) {
		kinds[line[1]] = line[2]
	}
	for _, line := range regexp.MustCompile(`(?m)^# HELP (virga_\w+) (.*)$`).FindAllStringSubmatch(text, -1) {
		served := kinds[line[1]] + ": " + line[2]
		if documented[line[1]] != served {
			t.Errorf("%s is documented as %q: it is %q", line[1], documented[line[1]], served)
		}
		delete(documented, line[1])
	}
	for name := range documented {
		t.Errorf("%s is documented, and not served", name)
	}
	for _, family := range []string{"go_goroutines", "process_start_time_seconds"} {
		if !strings.Contains(text, "\n"+family+" ") {
			t.Errorf("%s is not served", family)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	var requests Requests
	if n := testing.AllocsPerRun(100, func() { requests.Count(Get, nil) }); n != 0 {
		t.Errorf("counting a request allocates %v times", n)
	}
}
