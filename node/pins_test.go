package node_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// warmOn gives the nodes where a function has instances that are ready.
func warmOn(t *testing.T, c *sdk.Client, name string) (nodes int, usage sdk.FuncUsage) {
	t.Helper()
	all, err := c.Usage(within(t, 30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range all {
		if of.Ref.Name == name {
			usage = of
		}
	}
	for _, at := range usage.Nodes {
		if at.Warm > 0 {
			nodes++
		}
	}
	return nodes, usage
}

// A pinned function is ready on so many nodes before anybody calls it. Without
// the pin and without calls it is nowhere, and comes back on demand.
func TestPinnedFunctionsAreWarmAndIdleOnesAreNot(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Configure: func(_ int, cfg *node.Config) { cfg.Warm.Idle = 2 * time.Second }})
	client := dial(t, m, 0)
	if _, err := client.Deploy(within(t, firstCompile), "square", module(t, guestModule), sdk.DeployOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.PinFunc(within(t, 30*time.Second), "square", 2); err != nil {
		t.Fatal(err)
	}
	var usage sdk.FuncUsage
	until(t, time.Minute, "two nodes keep it warm", func() (done bool) {
		n, u := warmOn(t, at(m, 1), "square")
		usage = u
		return n == 2
	})
	if usage.Pinned != 2 {
		t.Errorf("it is said to be pinned to %d nodes", usage.Pinned)
	}
	if err := client.PinFunc(within(t, 30*time.Second), "square", 0); err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, "nobody keeps it warm", func() bool {
		n, _ := warmOn(t, at(m, 1), "square")
		return n == 0
	})
	got, err := call[int](t, client, "square", 5)
	wants(t, "square, cold", got, err, 25)
}

// A step in load, through one node, beyond what a function may have there:
// other nodes have instances ready, take calls, and none fails.
func TestAFunctionsNodesFollowItsLoad(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3})
	client := at(m, 0)
	limits := sdk.DeployOptions{Limits: mesh.Limits{Concurrency: 2}}
	if _, err := client.Deploy(within(t, firstCompile), "sleep", module(t, guestModule), limits); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := client.Call(within(t, time.Minute), "sleep", 50); err != nil {
					t.Errorf("a call failed: %v", err)
				}
			}
		})
	}
	until(t, time.Minute, "all nodes are warm and take calls", func() bool {
		nodes, usage := warmOn(t, at(m, 1), "sleep")
		busy := 0
		for _, at := range usage.Nodes {
			if at.Calls > 0 {
				busy++
			}
		}
		return nodes == 3 && busy == 3 && usage.Wanted == 3
	})
	stop()
	wg.Wait()
}

func TestWhatCannotBePinnedIsRefused(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 1, Provide: arithmetic}, func(t *testing.T, m *simmesh.Mesh) {
		client := at(m, 0)
		wantsError(t, "a function that is not there", client.PinFunc(within(t, 30*time.Second), "nosuch", 1), mesh.NotFound, "nosuch")
		wantsError(t, "a native function", client.PinFunc(within(t, 30*time.Second), "square", 1), mesh.Invalid, "always ready")
		wantsError(t, "too many nodes", client.PinFunc(within(t, 30*time.Second), "square", 5000), mesh.Invalid, "0 to 1024")
	})
}
