package exec

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/virga-mesh/virga/mesh"
)

func TestTheGateAdmitsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{limit: 1, queue: 3}
		if err := g.enter(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		order := make(chan int, 3)
		for i := range 3 {
			go func() {
				if err := g.enter(t.Context(), ""); err != nil {
					t.Error(err)
				}
				order <- i
				g.leave()
			}()
			synctest.Wait()
		}
		if err := g.enter(t.Context(), ""); mesh.KindOf(err) != mesh.Overloaded {
			t.Errorf("a fourth waits: %v", err)
		}
		g.leave()
		for want := range 3 {
			if got := <-order; got != want {
				t.Errorf("admitted %d, expected %d", got, want)
			}
		}
	})
}

// Whatever is cancelled, left and entered again, no place is lost and none is invented.
func TestTheGateKeepsCount(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := &gate{limit: 3, queue: 1000}
	var inside atomic.Int32
	var wg sync.WaitGroup
	for worker := range uint64(16) {
		random := rand.New(rand.NewPCG(seed, worker))
		wg.Go(func() {
			for range 300 {
				ctx, cancel := context.WithCancel(t.Context())
				if random.IntN(2) == 0 {
					cancel()
				}
				if err := g.enter(ctx, ""); err == nil {
					if n := inside.Add(1); n > 3 {
						t.Errorf("%d are inside", n)
					}
					inside.Add(-1)
					g.leave()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if g.running != 0 || g.waiting.len != 0 {
		t.Errorf("%d run and %d wait at the end", g.running, g.waiting.len)
	}
}
