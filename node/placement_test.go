package node_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// labelled gives each node the labels of its place in the list.
func labelled(labels ...map[string]string) func(int, *node.Config) {
	return func(i int, cfg *node.Config) { cfg.Labels = labels[i] }
}

// whereAll plans a DAG and gives the nodes of its stages, as indices.
func whereAll(t *testing.T, m *simmesh.Mesh, through int, name string) []int {
	t.Helper()
	plan, err := at(m, through).DAG(name).Plan(within(t, 30*time.Second), nil)
	if err != nil {
		t.Fatal(err)
	}
	var nodes []int
	for _, stage := range plan {
		for i := range m.Len() {
			if m.Node(i).ID() == stage.Node {
				nodes = append(nodes, i)
			}
		}
	}
	return nodes
}

func TestStagesRunWhereTheLabelsAreAndGroupsOnOneNode(t *testing.T) {
	o := simmesh.Options{Nodes: 3, Configure: labelled(nil, map[string]string{"gpu": "a100", "zone": "x"}, map[string]string{"zone": "x"}), Provide: arithmetic}
	simulate(t, o, func(t *testing.T, m *simmesh.Mesh) {
		d := dag("d", "incr square", "incr:square")
		d.Stages[0].Colocate, d.Stages[1].Colocate = "g", "g"
		d.Stages[1].Labels = map[string]string{"gpu": "a100"}
		create(t, at(m, 0), d)
		until(t, 10*time.Second, "the nodes have told their labels", func() bool {
			_, err := at(m, 0).DAG("d").Plan(within(t, time.Second), nil)
			return err == nil
		})
		if nodes := whereAll(t, m, 0, "d"); len(nodes) != 2 || nodes[0] != 1 || nodes[1] != 1 {
			t.Errorf("the stages run on nodes %v: expected both on node 1, which has the label", nodes)
		}
		results, err := at(m, 0).DAG("d").Call(within(t, 30*time.Second), sdk.Args{"incr": {2}})
		got, _ := sdk.Only[int](results)
		wants(t, "the dag", got, err, 9)

		d = dag("nowhere", "incr", "")
		d.Stages[0].Labels = map[string]string{"gpu": "a100", "zone": "y"}
		create(t, at(m, 0), d)
		_, err = at(m, 0).DAG("nowhere").Call(within(t, 30*time.Second), sdk.Args{"incr": {2}})
		wantsError(t, "a stage that no node is labelled for", err, mesh.Unavailable, "stage incr", "gpu=a100, zone=y")

		status, err := at(m, 0).Status(within(t, 30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for _, peer := range status.Peers {
			if peer.Labels["zone"] != "x" {
				t.Errorf("node %s is shown with labels %v", peer.ID.Short(), peer.Labels)
			}
		}
	})
}

func TestAGroupThatNoNodeCanRunIsRefused(t *testing.T) {
	o := simmesh.Options{Nodes: 2, Provide: func(i int) []node.Option { return arithmetic(i)[i : i+1] }}
	simulate(t, o, func(t *testing.T, m *simmesh.Mesh) {
		d := dag("d", "incr square", "incr:square")
		d.Stages[0].Colocate, d.Stages[1].Colocate = "g", "g"
		create(t, at(m, 0), d)
		_, err := at(m, 0).DAG("d").Call(within(t, 30*time.Second), sdk.Args{"incr": {2}})
		wantsError(t, "a group over two hosts", err, mesh.Unavailable, "stage square", "group g")
	})
}

// countedTimes counts which node ran how often.
type countedTimes struct {
	mu   sync.Mutex
	runs map[int]int
}

// provide gives each node a function that sleeps.
func (c *countedTimes) provide(d time.Duration) func(int) []node.Option {
	return func(i int) []node.Option {
		return []node.Option{node.Handle("nap", func(ctx context.Context, n int) (int, error) {
			c.mu.Lock()
			c.runs[i]++
			c.mu.Unlock()
			time.Sleep(d)
			return n, nil
		})}
	}
}

// What one node has no room for goes to the others, and no call fails.
func TestCallsBeyondANodesRoomGoToOthers(t *testing.T) {
	c := &countedTimes{runs: map[int]int{}}
	o := simmesh.Options{
		Nodes: 3, Provide: c.provide(50 * time.Millisecond),
		Configure: func(_ int, cfg *node.Config) { cfg.Concurrency, cfg.Queue = 40, 400 },
	}
	bubble(t, func(t *testing.T) {
		m := start(t, simulated(o))
		client := at(m, 0)
		nap := sdk.Func[int, int](client, "nap")
		if _, err := nap.Call(within(t, time.Minute), 0); err != nil {
			t.Fatal(err)
		}
		const askers, lasting = 100, 2 * time.Second
		var wg sync.WaitGroup
		var mu sync.Mutex
		served, began := 0, time.Now()
		for range askers { // a step in load
			wg.Go(func() {
				for time.Since(began) < lasting {
					if _, err := nap.Call(within(t, time.Minute), 1); err != nil {
						t.Errorf("a call failed: %v", err)
						return
					}
					mu.Lock()
					served++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for i := range m.Len() {
			if c.runs[i] < served/10 {
				t.Errorf("node %d ran %d of %d calls: expected a share", i, c.runs[i], served)
			}
		}
		if floor := 3 * askers * int(lasting/(50*time.Millisecond)) / 5; served < floor {
			t.Errorf("%d calls were served: expected at least %d of the %d that are possible", served, floor, askers*int(lasting/(50*time.Millisecond)))
		}
	})
}

// Two nodes are full, as who plans cannot know: what it sends there runs on the
// third. With that full, too, the caller is told when to come again.
func TestWhatFullNodesRefuseRunsWhereThereIsRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHeld()
		o := simmesh.Options{
			Nodes: 3, Provide: natives(node.Handle("square", square), node.Handle("hold", h.run)),
			Configure: func(_ int, cfg *node.Config) { cfg.Concurrency, cfg.Queue = 2, 1 },
		}
		m := start(t, simulated(o))
		var holding sync.WaitGroup
		fill := func(i int) {
			for n := range 3 {
				hold := sdk.Func[int, int](at(m, i), "hold")
				hold.Options.Place = map[string]mesh.NodeID{"hold": m.Node(i).ID()}
				holding.Go(func() {
					if _, err := hold.Call(within(t, time.Minute), n); err != nil {
						t.Errorf("what holds a place: %v", err)
					}
				})
			}
			for range 2 {
				<-h.started
			}
			synctest.Wait()
		}
		create(t, at(m, 0), dag("d", "square", ""))
		ask := func(through int) (int, error) {
			options := sdk.CallOptions{Policy: "round-robin", Once: true}
			f := sdk.Func[int, int](at(m, through), "square")
			d := at(m, through).DAG("d")
			f.Options, d.Options = options, options
			got, err := f.Call(within(t, time.Minute), 3)
			if err != nil {
				return got, err
			}
			results, err := d.Call(within(t, time.Minute), sdk.Args{"square": {got}})
			if err != nil {
				return 0, err
			}
			return sdk.Only[int](results)
		}
		fill(0)
		fill(1)
		for i := range 12 {
			got, err := ask(i % m.Len())
			wants(t, "a call", got, err, 81)
		}
		fill(2)
		_, err := ask(2)
		wantsError(t, "a call with all nodes full", err, mesh.Overloaded)
		if mesh.RetryAfter(err) == 0 {
			t.Errorf("it does not say when to come again: %v", err)
		}
		close(h.release)
		holding.Wait()
	})
}

// Elements of a list, second copies and functions called alone keep to the labels.
func TestAllThatIsPlacedKeepsToTheLabels(t *testing.T) {
	c := &countedTimes{runs: map[int]int{}}
	gpu := map[string]string{"gpu": "a100"}
	o := simmesh.Options{Nodes: 4, Provide: c.provide(50 * time.Millisecond), Configure: func(i int, cfg *node.Config) {
		cfg.Concurrency = 2
		if i == 1 || i == 3 {
			cfg.Labels = gpu
		}
	}}
	simulate(t, o, func(t *testing.T, m *simmesh.Mesh) {
		until(t, 10*time.Second, "the nodes have told their labels", func() bool {
			f := sdk.Func[int, int](at(m, 0), "nap")
			f.Options.Stage.Labels = gpu
			_, err := f.Plan(within(t, time.Second), 1)
			return err == nil
		})
		for through := range m.Len() {
			alone, list := sdk.Func[int, int](at(m, through), "nap"), sdk.Func[[]int, []int](at(m, through), "nap")
			alone.Options.Stage = mesh.StageOptions{Labels: gpu, Hedge: mesh.Hedge{On: true, After: 10 * time.Millisecond}}
			list.Options.Stage = mesh.StageOptions{Labels: gpu, Map: mesh.Map{Parallel: 20}}
			got, err := alone.Call(within(t, time.Minute), 5)
			wants(t, "a call", got, err, 5)
			all, err := list.Call(within(t, time.Minute), make([]int, 40))
			wants(t, "a map", len(all), err, 40)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.runs[0]+c.runs[2] > 0 || c.runs[1] == 0 || c.runs[3] == 0 {
			t.Errorf("the nodes ran %v: expected 1 and 3 alone to run any", c.runs)
		}
		f := sdk.Func[int, int](at(m, 0), "nap")
		f.Options.Stage.Labels = map[string]string{"gpu": "h100"}
		_, err := f.Call(within(t, time.Minute), 5)
		wantsError(t, "a label that no node has", err, mesh.Unavailable, "none is labelled gpu=h100", "0 with gpu=h100")
	})
}

func TestOverloadTellsClientsWhenToComeAgainAndTheyDo(t *testing.T) {
	c := &countedTimes{runs: map[int]int{}}
	o := simmesh.Options{
		Nodes: 1, Provide: c.provide(50 * time.Millisecond),
		Configure: func(_ int, cfg *node.Config) { cfg.Concurrency, cfg.Queue = 2, 2 },
	}
	bubble(t, func(t *testing.T) {
		m := start(t, simulated(o))
		client := dial(t, m, 0)
		nap := sdk.Func[int, int](client, "nap")
		once := sdk.Func[int, int](client, "nap")
		once.Options.Once = true
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := nap.Call(within(t, time.Minute), 1); err != nil {
					t.Errorf("a patient call failed: %v", err)
				}
			})
		}
		time.Sleep(20 * time.Millisecond) // virtual
		_, err := once.Call(within(t, time.Minute), 1)
		wantsError(t, "an impatient call", err, mesh.Overloaded)
		if after := mesh.RetryAfter(err); after < 10*time.Millisecond || after > 5*time.Second {
			t.Errorf("it says to come again after %v", after)
		}
		ctx := within(t, 30*time.Millisecond)
		_, err = nap.Call(ctx, 1)
		wantsError(t, "a call with less time than it takes to come again", err, mesh.Overloaded)
		wg.Wait()
	})
}

// Calls of a client that floods a node leave those of another client their turns.
func TestAClientThatFloodsLeavesOthersTheirTurns(t *testing.T) {
	c := &countedTimes{runs: map[int]int{}}
	o := simmesh.Options{
		Nodes: 1, Provide: c.provide(20 * time.Millisecond),
		Configure: func(_ int, cfg *node.Config) { cfg.Concurrency, cfg.Queue = 4, 64 },
	}
	bubble(t, func(t *testing.T) {
		m := start(t, simulated(o))
		flooder, quiet := sdk.Func[int, int](dial(t, m, 0), "nap"), sdk.Func[int, int](dial(t, m, 0), "nap")
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				for ctx.Err() == nil {
					flooder.Call(ctx, 1)
				}
			})
		}
		time.Sleep(200 * time.Millisecond) // virtual
		for range 20 {
			began := time.Now()
			if _, err := quiet.Call(within(t, time.Minute), 1); err != nil {
				t.Errorf("a quiet client's call failed: %v", err)
			}
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("a quiet client's call took %v of virtual time, where one takes 20ms", took)
			}
		}
		stop()
		wg.Wait()
	})
}
