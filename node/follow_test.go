package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// following is a mesh whose nodes write into a file what their hook is run for.
type following struct {
	*simmesh.Mesh
	t    *testing.T
	file string
}

// script is what the hooks of a following mesh do first.
const script = `echo "$VIRGA_ACTION $VIRGA_LIVE to $VIRGA_WANTED" >> %s; %s`

// grace is that of a following mesh.
const grace = 15 * time.Second

// follow runs a test on a simulated mesh. Its time stands still while a hook runs.
func follow(t *testing.T, then string, test func(t *testing.T, f following)) {
	file := filepath.Join(t.TempDir(), "hooks")
	simulate(t, followed(file, then, 5*time.Second, grace), func(t *testing.T, m *simmesh.Mesh) { test(t, following{m, t, file}) })
}

// followed is three nodes with two places each.
func followed(file, then string, interval, grace time.Duration) simmesh.Options {
	return simmesh.Options{
		Nodes: 3,
		Configure: func(_ int, cfg *node.Config) {
			cfg.Concurrency, cfg.StatsInterval = 2, interval
			cfg.Nodes = node.NodePolicy{
				GraceAdd: grace, GraceRemove: grace, Min: 2, Hook: []string{"sh", "-c", fmt.Sprintf(script, file, then)}, HookTimeout: time.Minute,
			}
		},
		Provide: natives(node.Handle("nap", func(ctx context.Context, ms int) (int, error) {
			select {
			case <-time.After(time.Duration(ms) * time.Millisecond):
			case <-ctx.Done():
			}
			return ms, ctx.Err()
		})),
	}
}

// hooks are what the hooks were run for so far.
func (f following) hooks() []string {
	text, err := os.ReadFile(f.file)
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// wantsHooks fails the test unless the hooks were run for just this.
func (f following) wantsHooks(want ...string) {
	f.t.Helper()
	if got := f.hooks(); !slices.Equal(got, want) {
		f.t.Errorf("hooks were run for %q: expected %q", got, want)
	}
}

// busy takes all places of the running nodes until ended is called.
func (f following) busy() (end func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var calls sync.WaitGroup
	for _, i := range f.Running() {
		for range 2 {
			calls.Go(func() {
				for err := error(nil); err == nil; { // until the end, or that of the node
					_, err = at(f.Mesh, i).Call(ctx, "nap", 500)
				}
			})
		}
	}
	return func() {
		cancel()
		calls.Wait()
	}
}

// await is until for what takes long: it looks ten times a second.
func await(t *testing.T, d time.Duration, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	until(t, d, what, func() bool {
		<-ticker.C
		return done()
	})
}

// byID gives the numbers of the running nodes by their ids.
func (f following) byID() []int {
	running := f.Running()
	slices.SortFunc(running, func(a, b int) int { return strings.Compare(string(f.Node(a).ID()), string(f.Node(b).ID())) })
	return running
}

func (f following) nodes(i int) sdk.NodesWanted {
	f.t.Helper()
	status, err := at(f.Mesh, i).Status(within(f.t, 10*time.Second))
	if err != nil {
		f.t.Fatal(err)
	}
	return status.Nodes
}

func TestTheMeshRunsItsHookWhenLoadLasts(t *testing.T) {
	follow(t, "true", func(t *testing.T, f following) {
		end := f.busy()
		defer end()
		await(t, 2*grace, "the hook has run", func() bool { return f.hooks()[0] != "" })
		f.wantsHooks("add 3 to 5")
		runner := f.byID()[0]
		await(t, 10*time.Second, "all know that it has", func() bool {
			return !slices.ContainsFunc(f.Running(), func(i int) bool { return f.nodes(i).LastHook.Ended.IsZero() })
		})
		for _, i := range f.Running() {
			if w := f.nodes(i); w.LastHook.Runner != f.Node(runner).ID() || w.LastHook.Failed != "" || w.LastHook.Action != "add" || !strings.Contains(w.Reason, "utilisation is 100 %, above 70 %") {
				t.Errorf("node %d tells %+v", i, w)
			}
		}
		if s := stats(t, f.Mesh, runner); s.Nodes.HooksRun != 1 || s.Load.Places < 0.95 || s.Load.Places > 1.05 {
			t.Errorf("the runner tells %+v, %+v", s.Nodes, s.Load)
		}
	})
}

// A successor waits for the grace time, though it never ran the hook itself.
func TestASuccessorKnowsThatTheHookWasRun(t *testing.T) {
	follow(t, "exit 3", func(t *testing.T, f following) {
		end := f.busy()
		defer end()
		await(t, 2*grace, "the hook has run", func() bool { return f.hooks()[0] != "" })
		await(t, 10*time.Second, "its end is noted", func() bool { return f.nodes(f.byID()[1]).LastHook.Failed != "" })
		if w := f.nodes(f.byID()[1]); !strings.Contains(w.LastHook.Failed, "exit status 3") {
			t.Errorf("of a hook that failed others tell %+v", w)
		}
		if err := f.Kill(f.byID()[0]); err != nil {
			t.Fatal(err)
		}
		died := time.Now()
		await(t, 3*grace, "the hook runs again", func() bool { return len(f.hooks()) > 1 })
		if waited := time.Since(died); waited < grace-10*time.Second {
			t.Errorf("the successor ran the hook %v after it was run: expected it to wait for %v", waited, grace)
		}
		f.wantsHooks("add 3 to 5", "add 2 to 3")
	})
}

func TestAnIdleMeshDrainsDownToItsLeast(t *testing.T) {
	follow(t, "true", func(t *testing.T, f following) {
		await(t, 2*grace, "the hook has run", func() bool { return f.hooks()[0] != "" })
		f.wantsHooks("remove 3 to 2")
		last := f.byID()[2]
		await(t, 10*time.Second, "its end is noted", func() bool { return !f.nodes(last).LastHook.Ended.IsZero() })
		if w := f.nodes(last); w.LastHook.Node != f.Node(last).ID() {
			t.Errorf("the one to go is %s: expected %s, the highest id", w.LastHook.Node.Short(), f.Node(last).ID().Short())
		}
		if err := f.Drain(within(t, time.Minute), last, f.byID()[0]); err != nil {
			t.Fatal(err)
		}
		select { // the time passes in which another would be drained
		case <-time.After(3 * grace):
		case <-t.Context().Done():
		}
		f.wantsHooks("remove 3 to 2")
		if w := f.nodes(f.byID()[0]); w.Wanted != 2 || w.Live != 2 {
			t.Errorf("two idle nodes tell %+v", w)
		}
	})
}

// A node that closes ends its hook, and says so to the others.
func TestAHookEndsWithItsNode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hooks")
	f := following{start(t, followed(file, "exec sleep 3600", time.Second, time.Millisecond)), t, file}
	end := f.busy()
	defer end()
	await(t, time.Minute, "the hook runs", func() bool { return f.hooks()[0] != "" })
	runner, other := f.byID()[0], f.byID()[1]
	if err := f.Stop(runner); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "the others know", func() bool { return f.nodes(other).LastHook.Failed != "" })
	if w := f.nodes(other); !strings.Contains(w.LastHook.Failed, "Cancelled") {
		t.Errorf("of a hook that ended with its node others tell %+v", w.LastHook)
	}
}

func TestWithoutAHookTheMeshOnlyTells(t *testing.T) {
	configure := func(_ int, cfg *node.Config) { cfg.StatsInterval, cfg.Nodes.GraceAdd = time.Second, 5*time.Second }
	simulate(t, simmesh.Options{Nodes: 1, Configure: configure}, func(t *testing.T, m *simmesh.Mesh) {
		f := following{m, t, ""}
		await(t, time.Minute, "it knows", func() bool { return f.nodes(0).Wanted == 1 })
		if w := f.nodes(0); !strings.Contains(w.Reason, "3 are to be there at least; to be acted on in ") {
			t.Errorf("a node that is to be one of three tells %+v", w)
		}
		await(t, time.Minute, "the grace time has passed", func() bool { return f.nodes(0).Wanted == 3 })
	})
}

func TestSlowRequestsAreTold(t *testing.T) {
	configure := func(_ int, cfg *node.Config) { cfg.StatsInterval, cfg.Nodes.Latency = 5*time.Second, time.Millisecond }
	simulate(t, simmesh.Options{Nodes: 3, Configure: configure}, func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 0, "k", "v") // waits for another owner, 1 ms away
		await(t, 20*time.Second, "it is told", func() bool { return stats(t, m, 0).Load.Latency > 0 })
		if took := stats(t, m, 0).Load.Latency; took < 2*time.Millisecond || took > time.Second {
			t.Errorf("the put took %v", took)
		}
	})
}
