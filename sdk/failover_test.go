package sdk_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// simulate runs a test on a mesh over a simulated network, under virtual time.
func simulate(t *testing.T, nodes int, test func(t *testing.T, m *simmesh.Mesh)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		m, err := simmesh.Start(ctx, simmesh.Options{
			Nodes: nodes, Network: sim.NewNetwork(1, sim.Conditions{Delay: time.Millisecond}),
			Configure: func(_ int, cfg *node.Config) { cfg.ModuleCache = t.TempDir() },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}()
		test(t, m)
	})
}

func dialSim(t *testing.T, m *simmesh.Mesh, nodes ...int) *sdk.Client {
	t.Helper()
	client, err := m.Dial(t.Context(), simmesh.Everything(), nodes...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// slowest keeps the longest time that an operation took.
type slowest struct {
	mu   sync.Mutex
	took time.Duration
	what string
}

func (s *slowest) note(took time.Duration, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if took > s.took {
		s.took, s.what = took, what
	}
}

// While the nodes that clients talk to are killed, one after the other with
// time to settle, every read and every write of a register is answered within
// a quarter of a second.
func TestOperationsGoOnWhileNodesDie(t *testing.T) {
	const nodes, clients, keys = 5, 6, 24
	simulate(t, nodes, func(t *testing.T, m *simmesh.Mesh) {
		all := sdk.Attach(m.Node(0)).WithState(sdk.StateOptions{WriteQuorum: 3})
		for k := range keys {
			if _, err := all.Put(t.Context(), fmt.Sprint("k", k), lattice.LWWKind, lattice.SetOp([]byte("v"))); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		var worst slowest
		var load sync.WaitGroup
		for c := range clients {
			client := dialSim(t, m)
			load.Go(func() {
				defer client.Close()
				for i := 0; ctx.Err() == nil; i++ {
					key := fmt.Sprint("k", (c+i)%keys)
					began := time.Now()
					if _, err := client.Get(t.Context(), key); err != nil {
						t.Errorf("get %s: %v", key, err)
					}
					worst.note(time.Since(began), "get")
					began = time.Now()
					if _, err := client.Put(t.Context(), key, lattice.LWWKind, lattice.SetOp([]byte("v"))); err != nil {
						t.Errorf("put %s: %v", key, err)
					}
					worst.note(time.Since(began), "put")
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		for _, victim := range []int{1, 3} {
			time.Sleep(time.Second)
			if err := m.Kill(victim); err != nil {
				t.Error(err)
			}
			time.Sleep(8 * time.Second) // until the dead connections have ended, too
			if err := m.Restart(t.Context(), victim); err != nil {
				t.Error(err)
			}
		}
		stop()
		load.Wait()
		t.Logf("the slowest was a %s: %v", worst.what, worst.took)
		if worst.took > 250*time.Millisecond {
			t.Errorf("a %s took %v of virtual time", worst.what, worst.took)
		}
	})
}

// A node that passes a put on to another owner, since the closest one is silent,
// lets that know of it: the put does not wait for the silent one twice.
func TestAPutWaitsForASilentOwnerOnce(t *testing.T) {
	const nodes, keys = 5, 200
	simulate(t, nodes, func(t *testing.T, m *simmesh.Mesh) {
		through := sdk.Attach(m.Node(0))
		m.Partition([]int{0, 1, 2, 3}, []int{4})
		defer m.Heal()
		var puts sync.WaitGroup
		for k := range keys {
			puts.Go(func() {
				began := time.Now()
				if _, err := through.Put(t.Context(), fmt.Sprint("k", k), lattice.LWWKind, lattice.SetOp([]byte("v"))); err != nil {
					t.Errorf("put k%d: %v", k, err)
				}
				if took := time.Since(began); took > 200*time.Millisecond {
					t.Errorf("put k%d took %v of virtual time", k, took)
				}
			})
		}
		puts.Wait()
	})
}

func TestAClientWithOneNodeWaitsForIt(t *testing.T) {
	simulate(t, 1, func(t *testing.T, m *simmesh.Mesh) {
		client := dialSim(t, m)
		defer client.Close()
		register := sdk.Register[int](client, "k")
		if err := register.Put(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		if err := m.Kill(0); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(3*time.Second, func() {
			if err := m.Restart(t.Context(), 0); err != nil {
				t.Error(err)
			}
		})
		got, err := register.Get(t.Context())
		want(t, got, err, 7)
	})
}

func TestASilentNodeIsAnUnavailableOneAtTheDeadline(t *testing.T) {
	simulate(t, 1, func(t *testing.T, m *simmesh.Mesh) {
		client := dialSim(t, m)
		defer client.Close()
		if err := m.Kill(0); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		_, err := client.Get(ctx, "k")
		if kind := mesh.KindOf(err); kind != mesh.Unavailable && kind != mesh.DeadlineExceeded || time.Since(began) > 3*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}
