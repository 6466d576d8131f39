package sdk_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/sdk"
)

// registers are k0, k1 and so on, each written by a client of its own.
type registers []sdk.RegisterHandle[int]

// warmRegisters dials the clients, and writes through them until they know the
// owners. They are the first that the mesh has.
func warmRegisters(t *testing.T, m *simmesh.Mesh, n int) (warm registers) {
	t.Helper()
	for i := range n {
		client := dialSim(t, m)
		t.Cleanup(func() { client.Close() })
		warm = append(warm, sdk.Register[int](client, fmt.Sprint("k", i)))
	}
	for value := range 20 {
		warm.each(t, func(i int) error { return warm[i].Put(t.Context(), value) })
		time.Sleep(100 * time.Millisecond) // virtual
	}
	return warm
}

// each does something for all of them at once.
func (r registers) each(t *testing.T, do func(i int) error) {
	t.Helper()
	var calls sync.WaitGroup
	for i := range r {
		calls.Go(func() {
			if err := do(i); err != nil {
				t.Errorf("register %d: %v", i, err)
			}
		})
	}
	calls.Wait()
}

// A node is held up while clients write through it. They go to other nodes,
// which acknowledge that write and a later one. What the node is asked when it
// goes on must not win over what was acknowledged since.
func TestAWriteThatComesLateDoesNotWin(t *testing.T) {
	const clients = 24
	for _, pause := range []time.Duration{300 * time.Millisecond, time.Second, 4 * time.Second} {
		t.Run(pause.String(), func(t *testing.T) {
			simulate(t, 3, func(t *testing.T, m *simmesh.Mesh) {
				registers := warmRegisters(t, m, clients)
				all := func(value int) {
					registers.each(t, func(i int) error { return registers[i].Put(t.Context(), value) })
				}
				m.Hold(0)
				began := time.Now()
				all(100)
				all(101)
				if took := time.Since(began); took > pause {
					t.Fatalf("the writes took %v: expected that they go elsewhere within %v", took, pause)
				}
				time.Sleep(pause - time.Since(began)) // virtual
				m.Release(0)
				time.Sleep(2 * time.Second) // virtual
				for i, r := range registers {
					if got, err := r.Get(t.Context()); got != 101 || err != nil {
						t.Errorf("register %d shows %d, %v: expected 101", i, got, err)
					}
				}
			})
		})
	}
}

// What a node answers its clients takes long. They write through other nodes
// then, while somebody has read what they wrote, and written over it.
func TestAWriteWhoseAnswerIsSlowIsNotMadeAgain(t *testing.T) {
	const clients = 24
	simulate(t, 3, func(t *testing.T, m *simmesh.Mesh) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		registers := warmRegisters(t, m, clients)
		other := dialSim(t, m)
		defer other.Close()
		for i := range clients {
			m.SlowToClient(0, i, 400*time.Millisecond)
		}
		var both sync.WaitGroup
		both.Go(func() {
			registers.each(t, func(i int) error { return registers[i].Put(ctx, 100) })
		})
		both.Go(func() {
			registers.each(t, func(i int) error {
				shown := sdk.Register[int](other, fmt.Sprint("k", i))
				for {
					switch got, err := shown.Get(ctx); {
					case err != nil:
						return err
					case got == 100:
						return shown.Put(ctx, 101)
					}
					time.Sleep(time.Millisecond) // virtual
				}
			})
		})
		both.Wait()
		registers.each(t, func(i int) error {
			got, err := sdk.Register[int](other, fmt.Sprint("k", i)).Get(ctx)
			if err == nil && got != 101 {
				err = fmt.Errorf("shows %d: expected 101", got)
			}
			return err
		})
	})
}
