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
		time.Sleep(5 * time.Second)
		for other := range 3 {
			m.Slow(other, 3, 400*time.Millisecond)
		}
		ctx := within(t, time.Minute)
		var all sync.WaitGroup
		for i := range 24 {
			all.Go(func() {
				key := fmt.Sprint("k", i)
				var first sync.WaitGroup
				first.Go(func() {
					if err := sdk.Register[string](at(m, 3), key).Put(ctx, "first"); err != nil {
						t.Error(err)
					}
				})
				register := sdk.Register[string](at(m, i%3), key)
				for {
					text, err := register.Get(ctx)
					if err == nil && text == "first" {
						break
					}
					if err != nil && !errors.Is(err, mesh.NotFound) {
						t.Error(err)
						break
					}
					time.Sleep(time.Millisecond)
				}
				if err := register.Put(ctx, "second"); err != nil {
					t.Error(err)
				}
				first.Wait()
			})
		}
		all.Wait()
		for other := range 3 {
			m.Slow(other, 3, 0)
		}
		for i := range 24 {
			if got := get(t, m, 0, fmt.Sprint("k", i)); got != "second" {
				t.Errorf("k%d is %s: what had seen it was overwritten", i, got)
			}
		}
	})
}
