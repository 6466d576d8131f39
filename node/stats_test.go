package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// requests is how many requests for an operation ended so, as a node tells.
func requests(t *testing.T, s sdk.NodeStats, operation, outcome string) uint64 {
	t.Helper()
	for _, counted := range s.Requests {
		if counted.Operation == operation && counted.Outcome == outcome {
			return counted.Count
		}
	}
	return 0
}

// stats asks the ith node.
func stats(t *testing.T, m *simmesh.Mesh, i int) sdk.NodeStats {
	t.Helper()
	s, err := at(m, i).Stats(within(t, 30*time.Second), 10)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestANodeTellsWhatItWasAskedAndHolds(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 5}, func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 0, "k", "v")
		owners, others := byRole(t, m, "k", "v")
		get(t, m, owners[0], "k")
		get(t, m, others[0], "k")
		get(t, m, others[0], "missing")
		owner, other := stats(t, m, owners[0]), stats(t, m, others[0])
		wants(t, "gets at an owner", requests(t, owner, "get", "ok"), nil, 2)
		wants(t, "gets at another node", requests(t, other, "get", "ok"), nil, 2)
		wants(t, "gets of a missing key", requests(t, other, "get", "NotFound"), nil, 1)
		wants(t, "hits of the cache", other.CacheHits, nil, 1)
		wants(t, "puts of all nodes", puts(t, m), nil, 1)
		put(t, m, 0, "k", "w")
		until(t, pushBound, "the change was pushed", func() bool { return stats(t, m, others[0]).PushesReceived > 0 })
		if owner.Keys == 0 || owner.MemoryBytes == 0 || other.CacheKeys != 1 || other.CacheBytes == 0 || other.CacheLimit == 0 {
			t.Errorf("the owner tells %+v, another node %+v", owner, other)
		}
	})
}

// puts is how many puts the nodes of a mesh took from others than nodes.
func puts(t *testing.T, m *simmesh.Mesh) (sum uint64) {
	t.Helper()
	for i := range m.Len() {
		sum += requests(t, stats(t, m, i), "put", "ok")
	}
	return sum
}

func TestANodeTellsWhoIsOwedWhat(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		away := m.Node(2).ID()
		if err := m.Kill(2); err != nil {
			t.Fatal(err)
		}
		put(t, m, 0, "k", "v") // before the others have noticed
		owed := func() (found *sdk.OwedPeer) {
			for _, i := range []int{0, 1} {
				if s := stats(t, m, i); len(s.Owed) > 0 {
					found = &s.Owed[0]
				}
			}
			return found
		}
		until(t, 30*time.Second, "the debt is told", func() bool { return owed() != nil })
		if debt := owed(); debt.Node != away || debt.Keys != 1 {
			t.Errorf("the debt is %+v: expected 1 key to %s", debt, away.Short())
		}
		if err := m.Restart(within(t, time.Minute), 2); err != nil {
			t.Fatal(err)
		}
		until(t, time.Minute, "the debt is paid", func() bool { return owed() == nil })
	})
}

func TestMetricsAreServed(t *testing.T) {
	addr := freeAddr(t)
	m := start(t, simmesh.Options{Nodes: 1, Configure: func(_ int, cfg *node.Config) { cfg.AdminAddr = addr }})
	put(t, m, 0, "k", "v")
	status, text := fetch(t, "http://"+addr+"/metrics")
	for _, line := range []string{"virga_ready 1", `virga_requests_total{operation="put",outcome="ok"} 1`, "virga_build_info{"} {
		if status != 200 || !strings.Contains(text, "\n"+line) {
			t.Errorf("/metrics gave %d and no line %s", status, line)
		}
	}
}

func TestStatsTakeTheRightToAdminister(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	user := dialAs(t, m, admission.Grant{Role: admission.Client, Verbs: admission.AllVerbs &^ admission.Admin})
	_, err := user.Stats(within(t, 30*time.Second), 1)
	wantsError(t, "stats without the right", err, mesh.Denied, "admin")
	if s, err := dial(t, m).Stats(within(t, 30*time.Second), 1); err != nil || s.ID != m.Node(0).ID() || s.Uptime < 0 {
		t.Errorf("stats with the right gave %+v, %v", s, err)
	}
}

// A node publishes its figures as state: others tell them after it died, and
// say of when they are.
func TestFiguresOfANodeThatIsGoneAreTold(t *testing.T) {
	publishing := func(_ int, cfg *node.Config) { cfg.StatsInterval = 5 * time.Second }
	simulate(t, simmesh.Options{Nodes: 3, Configure: publishing}, func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 0, "k", "v")
		gone := m.Node(2).ID()
		published := func() (sdk.NodeStats, error) { return at(m, 0).PublishedStats(within(t, 30*time.Second), gone) }
		until(t, 30*time.Second, "the figures are published", func() bool {
			s, err := published()
			return err == nil && s.Keys > 0
		})
		if err := m.Kill(2); err != nil {
			t.Fatal(err)
		}
		diedAt := time.Now()
		s, err := published()
		if err != nil || s.ID != gone || s.Keys == 0 || s.Published.IsZero() || s.Published.After(diedAt) {
			t.Errorf("what is told of a node that died: %+v, %v", s, err)
		}
		_, err = at(m, 0).PublishedStats(within(t, 30*time.Second), mesh.NodeID("nobody"))
		wantsError(t, "figures of nobody", err, mesh.NotFound, "published no figures")
		if own, err := at(m, 0).PublishedStats(within(t, 30*time.Second), m.Node(0).ID()); err != nil || !own.Published.IsZero() {
			t.Errorf("of the asked node itself: %+v, %v: expected what is now", own, err)
		}
	})
}

func TestOwnersTellEqualDigests(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		digests := func() (all [3]sdk.Digests) {
			for i := range all {
				d, err := at(m, i).Digests(within(t, 30*time.Second))
				if err != nil {
					t.Fatal(err)
				}
				all[i] = *d
			}
			return all
		}
		p := mesh.Key{Namespace: mesh.DefaultNamespace, Name: "k"}.Partition()
		before := digests()[0][p]
		put(t, m, 0, "k", "v")
		until(t, 30*time.Second, "all hold the key", func() bool {
			all := digests()
			return all[0] == all[1] && all[1] == all[2] && all[0][p] != before
		})
	})
}
