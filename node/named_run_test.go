package node_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// lottery counts in the mesh, takes a while, and gives another number each time.
type lottery struct{ drawn atomic.Int32 }

func (l *lottery) draw(ctx context.Context, name string) (int, error) {
	n := l.drawn.Add(1)
	if err := fn.Inc(ctx, name, 1); err != nil {
		return 0, err
	}
	timer := time.NewTimer(2 * time.Second) // virtual
	defer timer.Stop()
	select {
	case <-timer.C:
		return int(n), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (l *lottery) provide(int) []node.Option { return []node.Option{node.Handle("draw", l.draw)} }

// drawn is what a call with a run's id was answered with.
type drawn struct {
	through, number int
	err             error
	took            time.Duration
}

// drawAt calls with a run's id at some nodes at once.
func drawAt(t *testing.T, m *simmesh.Mesh, id mesh.RunID, limit time.Duration, nodes ...int) chan drawn {
	answers := make(chan drawn, len(nodes))
	for _, i := range nodes {
		go func() {
			draw := sdk.Func[string, int](at(m, i), "draw")
			draw.Options.RunID, draw.Options.Once = id, true
			began := time.Now()
			n, err := draw.Call(within(t, limit), id.String())
			answers <- drawn{i, n, err, time.Since(began)}
		}()
	}
	return answers
}

func TestCallersAtSeveralNodesWithOneNewIDGetOneRun(t *testing.T) {
	l := &lottery{}
	simulate(t, simmesh.Options{Nodes: 5, Provide: l.provide}, func(t *testing.T, m *simmesh.Mesh) {
		for n := range 8 {
			id := mesh.RunID{byte(n + 1)}
			answers := drawAt(t, m, id, time.Minute, 0, 1, 2, 3, 4)
			for range m.Len() {
				answer := <-answers
				wants(t, "a caller", answer.number, answer.err, n+1)
			}
			wants(t, "the counter", counted(t, m, n%5, id.String()), nil, 1)
		}
	})
}

// Of those who call at once, one node begins the run. Another one dies.
func TestTheDeathOfANodeThatLostTheRaceForARunChangesNothing(t *testing.T) {
	for _, after := range []time.Duration{0, 2 * time.Millisecond, 500 * time.Millisecond, 2005 * time.Millisecond} {
		t.Run(after.String(), func(t *testing.T) {
			l := &lottery{}
			simulate(t, simmesh.Options{Nodes: 5, Provide: l.provide}, func(t *testing.T, m *simmesh.Mesh) {
				id := mesh.RunID{1}
				answers := drawAt(t, m, id, time.Minute, 0, 1, 2)
				time.Sleep(after) // virtual
				victim := 1
				status, err := at(m, 3).Run(id).Status(within(t, time.Minute))
				if err == nil && status.Coordinator == m.Node(victim).ID() {
					victim = 2
				}
				if err := m.Kill(victim); err != nil {
					t.Fatal(err)
				}
				numbers := map[int]bool{}
				for range 3 {
					if answer := <-answers; answer.through != victim || answer.err == nil {
						wants(t, "a caller", answer.err == nil, answer.err, true)
						numbers[answer.number] = true
					}
				}
				later := <-drawAt(t, m, id, time.Minute, 4)
				if numbers[later.number] = true; len(numbers) != 1 || later.err != nil {
					t.Errorf("the callers got %v, %v: expected one number", numbers, later.err)
				}
				wants(t, "the counter", counted(t, m, 0, id.String()), nil, 1)
			})
		})
	}
}

// While callers on two sides call with one id the mesh is in two parts, from
// before the calls, from their midst, or from the moment that the run ends.
// Nobody hears another number than the others, and nobody waits long.
func TestCallersOnTwoSidesOfAPartitionGetOneRunOrAnError(t *testing.T) {
	const limit = 30 * time.Second
	for _, when := range []time.Duration{-10 * time.Second, 3 * time.Millisecond, time.Second, 2 * time.Second} {
		t.Run(when.String(), func(t *testing.T) {
			l := &lottery{}
			bubble(t, func(t *testing.T) {
				m := start(t, simulated(simmesh.Options{Nodes: 5, Provide: l.provide}))
				part := func() { m.Partition([]int{0, 1, 2}, []int{3, 4}) }
				if when < 0 {
					part()
					time.Sleep(-when)
				}
				calls := make([]chan drawn, 6)
				for n := range calls {
					calls[n] = drawAt(t, m, mesh.RunID{byte(n + 1)}, limit, 0, 3)
				}
				if when >= 0 {
					time.Sleep(when)
					part()
				}
				heard := make([]map[int]bool, len(calls))
				for n := range calls {
					heard[n] = numbersOf(t, calls[n], limit)
				}
				m.Heal()
				if err := m.Settle(within(t, time.Minute)); err != nil {
					t.Fatal(err)
				}
				for n, numbers := range heard {
					id := mesh.RunID{byte(n + 1)}
					later := <-drawAt(t, m, id, limit, 1+n%4)
					if numbers[later.number] = true; later.err != nil || len(numbers) != 1 {
						t.Errorf("run %d: the callers got %v, the last one %v", n, numbers, later.err)
					}
					wants(t, "the counter", counted(t, m, 0, id.String()), nil, 1)
				}
			})
		})
	}
}

// numbersOf gives the numbers that two callers got, who got them or a typed
// error in time.
func numbersOf(t *testing.T, answers <-chan drawn, limit time.Duration) map[int]bool {
	t.Helper()
	numbers := map[int]bool{}
	for range 2 {
		switch answer := <-answers; {
		case answer.took > limit+time.Second:
			t.Errorf("an answer took %v", answer.took)
		case answer.err == nil:
			numbers[answer.number] = true
		case !errors.Is(answer.err, mesh.Unavailable) && !errors.Is(answer.err, mesh.DeadlineExceeded):
			t.Errorf("a caller got %v", answer.err)
		}
	}
	return numbers
}
