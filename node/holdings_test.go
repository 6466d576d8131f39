package node_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// A stage goes to the node whose cache holds most of what it reads, though
// other nodes own that: caches tell what they hold.
func TestAStageGoesToTheCacheThatHoldsItsData(t *testing.T) {
	o := simmesh.Options{
		Nodes: 4, Provide: natives(node.Handle("list", list)),
		Configure: func(_ int, cfg *node.Config) { cfg.Replicas = 1 },
	}
	simulate(t, o, func(t *testing.T, m *simmesh.Mesh) {
		const keys, planner, reader = 8, 0, 3
		d := dag("reads", "list", "")
		create(t, at(m, planner), d)
		args := sdk.Args{"list": nil}
		for i := range keys {
			name := fmt.Sprint("k", i)
			put(t, m, planner, name, strings.Repeat("x", 10_000))
			args["list"] = append(args["list"], at(m, planner).Ref(name))
		}
		plannedAt := func() mesh.NodeID {
			plan, err := at(m, planner).DAG("reads").Plan(within(t, 30*time.Second), args)
			if err != nil {
				t.Fatal(err)
			}
			return plan[0].Node
		}
		for i := range keys {
			get(t, m, reader, fmt.Sprint("k", i))
		}
		until(t, 3*time.Second, "the stage is planned where its data is cached", func() bool { return plannedAt() == m.Node(reader).ID() })
		if err := m.Kill(reader); err != nil {
			t.Fatal(err)
		}
		until(t, 30*time.Second, "the stage is planned elsewhere", func() bool { return plannedAt() != m.Node(reader).ID() })
	})
}
