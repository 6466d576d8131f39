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

// A node is held up while clients write through it. They go to other nodes,
// which acknowledge that write and a later one. What the node is asked when it
// goes on must not win over what was acknowledged since.
func TestAWriteThatComesLateDoesNotWin(t *testing.T) {
	const clients = 24
	for _, pause := range []time.Duration{300 * time.Millisecond, time.Second, 4 * time.Second} {
		t.Run(pause.String(), func(t *testing.T) {
			simulate(t, 3, func(t *testing.T, m *simmesh.Mesh) {
				var registers []sdk.RegisterHandle[int]
				for i := range clients {
					client := dialSim(t, m)
					defer client.Close()
					registers = append(registers, sdk.Register[int](client, fmt.Sprint("k", i)))
				}
				all := func(value int) {
					var writes sync.WaitGroup
					for _, r := range registers {
						writes.Go(func() {
							if err := r.Put(t.Context(), value); err != nil {
								t.Errorf("put %d: %v", value, err)
							}
						})
					}
					writes.Wait()
				}
				for value := range 20 { // until clients know the owners
					all(value)
					time.Sleep(100 * time.Millisecond)
				}
				m.Hold(0)
				began := time.Now()
				all(100)
				all(101)
				if took := time.Since(began); took > pause {
					t.Fatalf("the writes took %v: expected that they go elsewhere within %v", took, pause)
				}
				time.Sleep(pause - time.Since(began))
				m.Release(0)
				time.Sleep(2 * time.Second)
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
		var registers []sdk.RegisterHandle[int]
		for i := range clients {
			client := dialSim(t, m)
			defer client.Close()
			registers = append(registers, sdk.Register[int](client, fmt.Sprint("k", i)))
		}
		other := dialSim(t, m)
		defer other.Close()
		ofAll := func(do func(i int) error) {
			var calls sync.WaitGroup
			for i := range registers {
				calls.Go(func() {
					if err := do(i); err != nil {
						t.Errorf("register %d: %v", i, err)
					}
				})
			}
			calls.Wait()
		}
		put := func(value int) func(int) error {
			return func(i int) error { return registers[i].Put(ctx, value) }
		}
		for value := range 20 { // until clients know the owners
			ofAll(put(value))
			time.Sleep(100 * time.Millisecond)
		}
		for i := range clients {
			m.SlowToClient(0, i, 400*time.Millisecond)
		}
		var both sync.WaitGroup
		both.Go(func() { ofAll(put(100)) })
		both.Go(func() {
			ofAll(func(i int) error {
				shown := sdk.Register[int](other, fmt.Sprint("k", i))
				for {
					switch got, err := shown.Get(ctx); {
					case err != nil:
						return err
					case got == 100:
						return shown.Put(ctx, 101)
					}
					time.Sleep(time.Millisecond)
				}
			})
		})
		both.Wait()
		ofAll(func(i int) error {
			got, err := sdk.Register[int](other, fmt.Sprint("k", i)).Get(ctx)
			if err == nil && got != 101 {
				err = fmt.Errorf("shows %d: expected 101", got)
			}
			return err
		})
	})
}
