package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// oracle is the simple truth that a mesh under faults is held against: what
// was attempted, and what was acknowledged.
type oracle struct {
	mu        sync.Mutex
	attempted map[string]bool
	acked     map[string]bool
	counted   int64 // increments acknowledged
	failures  int
}

func newOracle() *oracle { return &oracle{attempted: map[string]bool{}, acked: map[string]bool{}} }

func (o *oracle) note(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

// promised lists what a read that begins now must give.
func (o *oracle) promised() (elements []string, count int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for element := range o.acked {
		elements = append(elements, element)
	}
	return elements, o.counted
}

// write adds elements to a set and counts them until ctx ends, the pauses
// drawn from rng.
func (o *oracle) write(ctx context.Context, c *sdk.Client, name string, rng *rand.Rand) {
	set, counter := sdk.ORSet[string](c, "set"), sdk.Counter(c, "counter")
	for n := 0; ctx.Err() == nil; n++ {
		element := fmt.Sprint(name, "-", n)
		o.note(func() { o.attempted[element] = true })
		err := set.Add(ctx, element)
		o.note(func() {
			if err == nil {
				o.acked[element] = true
			} else {
				o.failures++
			}
		})
		err = counter.Inc(ctx, 1)
		o.note(func() {
			if err == nil {
				o.counted++
			} else {
				o.failures++
			}
		})
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.IntN(150)) * time.Millisecond):
		}
	}
}

// read sees all the while that what was acknowledged is there: a quorum of
// two owners meets every write that two hold.
func (o *oracle) read(ctx context.Context, t *testing.T, c *sdk.Client, rng *rand.Rand) {
	quorum := c.WithState(sdk.StateOptions{ReadQuorum: 2})
	for ctx.Err() == nil {
		promised, _ := o.promised()
		got, err := sdk.ORSet[string](quorum, "set").All(ctx)
		if err == nil {
			o.check(t, "a read under faults", promised, got)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.IntN(150)) * time.Millisecond):
		}
	}
}

func (o *oracle) check(t *testing.T, what string, promised, got []string) {
	t.Helper()
	there := map[string]bool{}
	for _, element := range got {
		there[element] = true
	}
	for _, element := range promised {
		if !there[element] {
			t.Errorf("%s: %s was acknowledged and is not there", what, element)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, element := range got {
		if !o.attempted[element] {
			t.Errorf("%s: %s was never written", what, element)
		}
	}
}

// verify reads everything through every node, after the faults.
func (o *oracle) verify(t *testing.T, m *simmesh.Mesh) {
	t.Helper()
	promised, counted := o.promised()
	if len(promised) < 20 {
		t.Errorf("only %d writes were acknowledged (%d failed)", len(promised), o.failures)
	}
	for i := range m.Len() {
		client := at(m, i).WithState(sdk.StateOptions{ReadQuorum: 2})
		got, err := sdk.ORSet[string](client, "set").All(within(t, time.Minute))
		if err != nil {
			t.Errorf("node %d: %v", i, err)
		}
		o.check(t, fmt.Sprint("node ", i), promised, got)
		count, err := sdk.Counter(client, "counter").Value(within(t, time.Minute))
		if err != nil || count < counted { // more is right: one that is repeated through another node may count twice
			t.Errorf("node %d counts %d, %v: %d increments were acknowledged", i, count, err, counted)
		}
	}
}

func TestNothingAcknowledgedIsLostWhileEachNodeIsKilledInTurn(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { killInTurn(t, seed) })
		})
	}
}

func killInTurn(t *testing.T, seed uint64) {
	network := sim.NewNetwork(seed, sim.Conditions{Delay: time.Millisecond, Jitter: time.Millisecond})
	m := start(t, simmesh.Options{Nodes: 3, Network: network})
	rng := rand.New(rand.NewPCG(seed, 1))
	o := newOracle()
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for i := range 2 {
		writer, reader := dial(t, m), dial(t, m)
		ofWriter, ofReader := rand.New(rand.NewPCG(seed, uint64(10+i))), rand.New(rand.NewPCG(seed, uint64(20+i)))
		load.Go(func() { o.write(ctx, writer, fmt.Sprint("writer ", i), ofWriter) })
		load.Go(func() { o.read(ctx, t, reader, ofReader) })
	}
	for _, victim := range rng.Perm(m.Len()) {
		pause(rng)
		if err := m.Kill(victim); err != nil {
			t.Fatal(err)
		}
		pause(rng)
		if err := m.Restart(within(t, time.Minute), victim); err != nil {
			t.Fatal(err)
		}
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	pause(rng)
	stop()
	load.Wait()
	o.verify(t, m)
}

// pause lets up to three seconds of virtual time pass: less or more than it
// takes to see that a node is dead.
func pause(rng *rand.Rand) { time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond) }

func TestABadNetworkServesEverything(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			network := sim.NewNetwork(seed, sim.Conditions{Delay: time.Millisecond})
			simulate(t, simmesh.Options{Nodes: 3, Network: network, Provide: arithmetic}, func(t *testing.T, m *simmesh.Mesh) {
				create(t, at(m, 0), dag("pipeline", "incr square", "incr:square"))
				network.SetConditions(sim.Conditions{Delay: 5 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.05, Duplicate: 0.05})
				serveEverything(t, m)
			})
		})
	}
}

// serveEverything uses each part of a mesh through each of its nodes.
func serveEverything(t *testing.T, m *simmesh.Mesh) {
	t.Helper()
	client := dial(t, m)
	tags := sdk.ORSet[int](client, "tags")
	for n := range 30 {
		i := n % m.Len()
		put(t, m, i, fmt.Sprint("key ", n), fmt.Sprint("value ", n))
		if err := tags.Add(within(t, time.Minute), n); err != nil {
			t.Errorf("add %d: %v", n, err)
		}
		got, err := call[int](t, client, "square", n)
		wants(t, "square", got, err, n*n)
		results, err := callDAG(t, m, i, dag("pipeline", "incr square", ""), sdk.Args{"incr": {n}})
		if err != nil {
			t.Errorf("pipeline(%d): %v", n, err)
			continue
		}
		got, err = sdk.Only[int](results)
		wants(t, "the pipeline", got, err, (n+1)*(n+1))
	}
	future, err := sdk.Func[int, int](client, "square").Start(within(t, time.Minute), 12)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Len() {
		got, err := sdk.FutureOf[int](at(m, i), future.ID()).Get(within(t, time.Minute))
		wants(t, "the future", got, err, 144)
		for n := range 30 {
			wants(t, "a key", get(t, m, i, fmt.Sprint("key ", n)), nil, fmt.Sprint("value ", n))
		}
		members, err := sdk.ORSet[int](at(m, i).WithState(sdk.StateOptions{ReadQuorum: 2}), "tags").All(within(t, time.Minute))
		if err != nil || len(members) != 30 {
			t.Errorf("node %d has %d tags of 30, %v", i, len(members), err)
		}
	}
}

func TestWhatARunLostWithANodeIsRunAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHeld()
		m := start(t, simulated(simmesh.Options{Nodes: 3, Provide: func(i int) []node.Option {
			if i == 0 {
				return []node.Option{node.Handle("incr", incr)}
			}
			return []node.Option{node.Handle("hold", h.run)}
		}}))
		create(t, at(m, 0), dag("chain", "incr hold", "incr:hold"))
		handle := at(m, 0).DAG("chain")
		results := make(chan error, 1)
		began := time.Now()
		go func() {
			results <- func() error {
				got, err := handle.Call(t.Context(), sdk.Args{"incr": {1}})
				if err != nil {
					return err
				}
				n, err := sdk.Only[int](got)
				wants(t, "the chain", n, err, 2)
				return nil
			}()
		}()
		<-h.started
		victim := 1
		if running(t, m, victim) == 0 {
			victim = 2
		}
		if err := m.Kill(victim); err != nil {
			t.Fatal(err)
		}
		<-h.started // again, elsewhere
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v of virtual time to run again what was lost", took)
		}
		close(h.release)
		if err := <-results; err != nil {
			t.Error(err)
		}
	})
}

// running is how many invocations a node has under way.
func running(t *testing.T, m *simmesh.Mesh, i int) int {
	t.Helper()
	status, err := at(m, i).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(status.Running)
}
