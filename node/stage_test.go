package node_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// small gives each node room for two invocations.
func small(_ int, cfg *node.Config) { cfg.Concurrency = 2 }

func TestAMapSpreadsOverNodes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		ranAt := map[mesh.NodeID]int{}
		slow := func(ctx context.Context, n int) (int, error) {
			mu.Lock()
			ranAt[fn.ID(ctx).Node]++
			mu.Unlock()
			time.Sleep(time.Second)
			return n * n, fn.Inc(ctx, "squared", 1)
		}
		m := start(t, simulated(simmesh.Options{Nodes: 3, Configure: small, Provide: natives(node.Handle("slow", slow))}))
		function := sdk.Func[[]int, []int](at(m, 0), "slow")
		function.Options.Stage.Map = mesh.Map{Parallel: 6}
		list, want := make([]int, 24), make([]int, 24)
		for i := range list {
			list[i], want[i] = i, i*i
		}
		began := time.Now()
		got, err := function.Call(within(t, time.Minute), list)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("the map gave %v, %v", got, err)
		}
		if took := time.Since(began); took > 8*time.Second || len(ranAt) != 3 {
			t.Errorf("24 elements took %v at %v", took, ranAt)
		}
		wants(t, "what the elements counted", counted(t, m, 1, "squared"), nil, 24)
		if stats, err := at(m, 0).Call(within(t, time.Minute), "slow", 3); err != nil {
			t.Errorf("a plain call afterwards: %v, %v", stats, err)
		}
	})
}

func TestTheElementsOfANodeThatDiesRunElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		begun := make(chan mesh.NodeID, 100)
		slow := func(ctx context.Context, n int) (int, error) {
			if err := fn.Inc(ctx, "executed", 1); err != nil {
				return 0, err
			}
			begun <- fn.ID(ctx).Node
			select {
			case <-time.After(time.Second):
				return n, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		m := start(t, simulated(simmesh.Options{Nodes: 4, Configure: small, Provide: natives(node.Handle("slow", slow))}))
		function := sdk.Func[[]int, []int](at(m, 0), "slow")
		function.Options.Stage.Map = mesh.Map{Parallel: 8}
		list := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
		killed := make(chan error, 1)
		go func() {
			victim := m.Node(3).ID()
			for id := range begun {
				if id == victim {
					break
				}
			}
			killed <- m.Kill(3)
		}()
		got, err := function.Call(within(t, time.Minute), list)
		if err != nil || !slices.Equal(got, list) {
			t.Errorf("the map gave %v, %v", got, err)
		}
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		wants(t, "what the elements counted", counted(t, m, 1, "executed"), nil, int64(len(list)))
	})
}

func TestAHedgeWinsWhenANodeIsHeldUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var slow mesh.NodeID
		hold := func(ctx context.Context, n int) (int, error) {
			if err := fn.Inc(ctx, "n", 1); err != nil {
				return 0, err
			}
			if fn.ID(ctx).Node == slow {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return n, nil
		}
		m := start(t, simulated(simmesh.Options{Nodes: 3, Provide: natives(node.Handle("hold", hold))}))
		slow = m.Node(0).ID()
		function := sdk.Func[int, int](at(m, 0), "hold")
		function.Options.Stage.Hedge = mesh.Hedge{On: true, After: 500 * time.Millisecond}
		began := time.Now()
		got, err := function.Call(within(t, time.Minute), 7)
		wants(t, "the hedged call", got, err, 7)
		if took := time.Since(began); took < 500*time.Millisecond || took > time.Second {
			t.Errorf("it took %v", took)
		}
		wants(t, "what two copies counted", counted(t, m, 1, "n"), nil, 1)
	})
}

func TestBatchesOfManyRunsGiveEachItsOwn(t *testing.T) {
	var mu sync.Mutex
	largest := 0
	join := func(_ context.Context, lists [][]int) ([]int, error) {
		mu.Lock()
		largest = max(largest, len(lists))
		mu.Unlock()
		sums := make([]int, len(lists))
		for i, list := range lists {
			for _, n := range list {
				sums[i] += n
			}
		}
		return sums, nil
	}
	m := start(t, simmesh.Options{Nodes: 3, Provide: func(i int) []node.Option {
		options := []node.Option{node.Handle("square", square), node.Handle("incr", incr)}
		if i == 2 {
			options = append(options, node.Handle("join", join))
		}
		return options
	}})
	d := dag("d", "square incr join", "square:join incr:join")
	d.Stages[2].Batch = mesh.Batch{Size: 16, Within: 100 * time.Millisecond}
	create(t, at(m, 0), d)
	ctx := within(t, time.Minute)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			results, err := at(m, i%m.Len()).DAG("d").Call(ctx, sdk.Args{"square": {i}, "incr": {i}})
			if err != nil {
				t.Errorf("run %d: %v", i, err)
				return
			}
			got, err := sdk.Only[int](results)
			wants(t, fmt.Sprintf("run %d", i), got, err, i*i+i+1)
		})
	}
	all.Wait()
	mu.Lock()
	defer mu.Unlock()
	if largest < 2 || largest > 16 {
		t.Errorf("the largest batch had %d runs", largest)
	}
}
