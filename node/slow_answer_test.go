package node_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// A node passes a put on to an owner, whose answer is slow, and so to a second
// one. What was written in between by who had seen it stays.
func TestAPutWhoseAnswerIsSlowDoesNotWinTwice(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 4}, func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 0, "warm", "x")
		for i := range 16 {
			time.Sleep(3 * time.Second) // nothing else is on its way
			for other := range 3 {
				m.Slow(other, 3, 400*time.Millisecond)
			}
			key, ctx := fmt.Sprint("k", i), within(t, time.Minute)
			var first sync.WaitGroup
			first.Go(func() {
				if err := sdk.Register[string](at(m, 3), key).Put(ctx, "first"); err != nil {
					t.Error(err)
				}
			})
			register := sdk.Register[string](at(m, i%3), key)
			for text := ""; text != "first"; {
				var err error
				if text, err = register.Get(ctx); err != nil && !errors.Is(err, mesh.NotFound) {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			if err := register.Put(ctx, "second"); err != nil {
				t.Error(err)
			}
			first.Wait()
			for other := range 3 {
				m.Slow(other, 3, 0)
			}
			time.Sleep(3 * time.Second) // all is everywhere
			if got := get(t, m, 0, key); got != "second" {
				t.Errorf("%s is %s: what had seen it was overwritten", key, got)
			}
		}
	})
}
