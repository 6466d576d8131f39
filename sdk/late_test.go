package sdk_test

import (
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
