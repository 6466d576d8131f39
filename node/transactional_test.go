package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// ledgers are runs that write one token into four keys, and runs that read
// these, each in two stages on two nodes: what is read is to be one token.
type ledgers struct {
	t     *testing.T
	m     *simmesh.Mesh
	level mesh.Consistency

	mu            sync.Mutex
	nodes         []*node.Node // that run
	written, read int
	torn          []string
}

// see takes up which nodes run, but for one.
func (l *ledgers) see(without int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes = nil
	for _, i := range l.m.Running() {
		if i != without {
			l.nodes = append(l.nodes, l.m.Node(i))
		}
	}
}

// some draws nodes: who is asked, and where the two stages run.
func (l *ledgers) some(rng *rand.Rand) (from *node.Node, places [2]mesh.NodeID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	draw := func() *node.Node { return l.nodes[rng.IntN(len(l.nodes))] }
	return draw(), [2]mesh.NodeID{draw().ID(), draw().ID()}
}

func (l *ledgers) call(ctx context.Context, from *node.Node, places [2]mesh.NodeID, steps [2]string) (string, error) {
	handle := sdk.Attach(from).DAG("chain2")
	args := sdk.Args{}
	handle.Options.Place = map[string]mesh.NodeID{}
	for i, place := range places {
		name := fmt.Sprint("s", i)
		args[name] = []any{append(strings.Fields(steps[i]), "|")}
		handle.Options.Place[name] = place
	}
	handle.Options.Consistency = l.level
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	results, err := handle.Call(ctx, args)
	if err != nil {
		return "", err
	}
	seen, err := sdk.Only[[]string](results)
	return strings.Join(seen, " "), err
}

func (l *ledgers) write(ctx context.Context, from *node.Node, places [2]mesh.NodeID, token string) error {
	set := func(a, b string) string { return fmt.Sprintf("%s=%s %s=%s", a, token, b, token) }
	_, err := l.call(ctx, from, places, [2]string{set("a", "b"), set("c", "d")})
	if err == nil {
		l.mu.Lock()
		l.written++
		l.mu.Unlock()
	}
	return err
}

func (l *ledgers) look(ctx context.Context, from *node.Node, places [2]mesh.NodeID) error {
	seen, err := l.call(ctx, from, places, [2]string{"d a", "c b"})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read++
	if tokens := strings.Fields(seen); len(tokens) != 4 || len(slices.Compact(tokens)) != 1 {
		l.torn = append(l.torn, seen)
	}
	return nil
}

// play has runs of both kinds made beside one another until stop says so.
func (l *ledgers) play(ctx context.Context, seed uint64, stop func() bool) {
	var all sync.WaitGroup
	for i := range 6 {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		all.Go(func() {
			for n := 0; !stop(); n++ {
				from, places := l.some(rng)
				var err error
				if i%2 == 0 {
					err = l.write(ctx, from, places, fmt.Sprintf("t%d-%d", i, n))
				} else {
					err = l.look(ctx, from, places)
				}
				if kind := mesh.KindOf(err); err != nil && kind != mesh.Unavailable && kind != mesh.DeadlineExceeded && kind != mesh.Conflict && kind != mesh.Overloaded && kind != mesh.Cancelled {
					l.t.Errorf("a run: %v", err)
				}
				time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
			}
		})
	}
	all.Wait()
}

func startLedgers(t *testing.T, m *simmesh.Mesh, level mesh.Consistency) *ledgers {
	l := &ledgers{t: t, m: m, level: level}
	create(t, at(m, 0), chainOf(2))
	time.Sleep(time.Second) // until all nodes know the DAG
	l.see(-1)
	if err := l.write(t.Context(), m.Node(0), [2]mesh.NodeID{m.Node(0).ID(), m.Node(1).ID()}, "first"); err != nil {
		t.Fatal(err)
	}
	return l
}

func stepping(nodes int, seed uint64) simmesh.Options {
	return simmesh.Options{
		Nodes: nodes, Provide: func(int) []node.Option { return []node.Option{node.Handle("steps", steps)} },
		Network: sim.NewNetwork(seed, sim.Conditions{Delay: time.Millisecond, Jitter: 3 * time.Millisecond, Loss: 0.001}),
	}
}

func TestTransactionsAreSeenWholeOrNotAtAll(t *testing.T) {
	for _, level := range []mesh.Consistency{mesh.Transactional, mesh.CausalSession} {
		t.Run(level.String(), func(t *testing.T) {
			simulate(t, stepping(5, 3), func(t *testing.T, m *simmesh.Mesh) {
				l := startLedgers(t, m, level)
				end := time.Now().Add(6 * time.Second)
				l.play(t.Context(), 3, func() bool { return time.Now().After(end) })
				t.Logf("%d written, %d read, %d torn", l.written, l.read, len(l.torn))
				switch torn := len(l.torn); {
				case level == mesh.Transactional && torn > 0:
					t.Errorf("%d of %d runs saw a transaction in part, such as %q", torn, l.read, l.torn[0])
				case level != mesh.Transactional && torn == 0:
					t.Errorf("no run saw another one in part: this test finds nothing")
				}
				if l.written < 50 || l.read < 20 {
					t.Errorf("%d runs wrote and %d read: expected more", l.written, l.read)
				}
			})
		})
	}
}

// Whichever node dies at whichever moment: what its runs have written is there
// whole or not at all.
func TestTransactionsAreWholeWhenTheirHomesDie(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	simulate(t, stepping(5, seed), func(t *testing.T, m *simmesh.Mesh) {
		l := startLedgers(t, m, mesh.Transactional)
		rng := rand.New(rand.NewPCG(seed, 99))
		over := make(chan struct{})
		var playing sync.WaitGroup
		playing.Go(func() {
			l.play(t.Context(), seed, func() bool {
				select {
				case <-over:
					return true
				default:
					return false
				}
			})
		})
		for range 3 {
			time.Sleep(time.Second + time.Duration(rng.IntN(1000))*time.Millisecond)
			victim := rng.IntN(5)
			l.see(victim)
			if err := m.Kill(victim); err != nil {
				t.Error(err)
			}
			time.Sleep(4 * time.Second)
			if err := m.Restart(t.Context(), victim); err != nil {
				t.Error(err)
			}
			l.see(-1)
		}
		time.Sleep(2 * time.Second)
		close(over)
		playing.Wait()
		time.Sleep(20 * time.Second) // what was left of commits is carried through
		for i := range m.Len() {
			if err := l.look(t.Context(), m.Node(i), [2]mesh.NodeID{m.Node(i).ID(), m.Node((i + 1) % 5).ID()}); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		}
		t.Logf("%d written, %d read", l.written, l.read)
		if len(l.torn) > 0 {
			t.Errorf("%d of %d runs saw a transaction in part, such as %q", len(l.torn), l.read, l.torn[0])
		}
	})
}
