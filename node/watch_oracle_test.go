package node_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// follower is a watcher that applies the events, and reads anew where it
// lagged: it ends with the state that a reader sees.
type follower struct {
	prefix string
	mu     sync.Mutex
	state  map[string]string
	token  sdk.Token
	lags   int
}

// follow watches through one node after another, each for a while, until ctx
// ends. A watch that fails goes on through the next.
func (f *follower) follow(ctx context.Context, t *testing.T, through func() *sdk.Client, rng *rand.Rand) {
	for ctx.Err() == nil {
		within, cancel := context.WithTimeout(ctx, time.Duration(500+rng.IntN(3000))*time.Millisecond)
		client := through()
		for e, err := range client.Watch(within, f.prefix, f.token) {
			if err != nil || !f.apply(within, t, client, e) {
				break
			}
		}
		cancel()
		select {
		case <-time.After(time.Duration(1+rng.IntN(500)) * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// apply takes an event, and its token once what it tells is known.
func (f *follower) apply(ctx context.Context, t *testing.T, c *sdk.Client, e sdk.Event) bool {
	var anew map[string]string // read without the lock, since time stands still for who waits for one
	if e.Kind == sdk.LaggedEvent || e.Kind == sdk.MarkEvent && f.token == "" {
		var err error
		if anew, err = scanAll(ctx, c, f.prefix); err != nil {
			return false
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token = e.Token
	switch e.Kind {
	case sdk.PutEvent:
		payload, _ := e.Value.Payload()
		v, err := mesh.DecodeValue(payload)
		if err != nil {
			t.Error(err)
		}
		f.state[e.Key] = string(v.Data)
	case sdk.DeleteEvent:
		delete(f.state, e.Key)
	case sdk.LaggedEvent:
		f.lags++
	}
	if anew != nil {
		f.state = anew
	}
	return true
}

// scanAll reads texts with their keys, as who lagged does.
func scanAll(ctx context.Context, c *sdk.Client, prefix string) (map[string]string, error) {
	all := map[string]string{}
	for key, err := range c.Scan(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		payload, _ := key.Value.Payload()
		v, err := mesh.DecodeValue(payload)
		if err != nil {
			return nil, err
		}
		all[key.Name] = string(v.Data)
	}
	return all, nil
}

// readAll reads texts with their keys, as a majority of the owners has them.
func readAll(ctx context.Context, c *sdk.Client, prefix string) (map[string]string, error) {
	all := map[string]string{}
	quorum := c.WithState(sdk.StateOptions{ReadQuorum: 2})
	for n := range watchedKeys {
		name := fmt.Sprint(prefix, n)
		text, err := sdk.Register[string](quorum, name).Get(ctx)
		if err != nil && !errors.Is(err, mesh.NotFound) {
			return nil, err
		}
		if err == nil {
			all[name] = text
		}
	}
	return all, nil
}

const watchedKeys = 8

func TestWhoWatchesEndsWithWhatAReaderSees(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { watchUnderFaults(t, seed) })
		})
	}
}

func watchUnderFaults(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	network := sim.NewNetwork(seed, sim.Conditions{Delay: time.Millisecond, Jitter: time.Millisecond})
	m := start(t, simmesh.Options{Nodes: 3 + rng.IntN(3), Network: network, Configure: func(_ int, cfg *node.Config) {
		cfg.WatchRing = 64
	}})
	writer, reader := dial(t, m), dial(t, m)
	f := &follower{prefix: "k", state: map[string]string{}}
	ctx, stop := context.WithCancel(t.Context())
	var load, watching sync.WaitGroup
	ofWriter, ofWatcher := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 3))
	load.Go(func() { writeAtRandom(ctx, writer, ofWriter) })
	watchingCtx, stopWatching := context.WithCancel(t.Context())
	var nodes []*sdk.Client
	for i := range m.Len() {
		nodes = append(nodes, dial(t, m, i))
	}
	through := func() *sdk.Client { return nodes[ofWatcher.IntN(len(nodes))] }
	watching.Go(func() { f.follow(watchingCtx, t, through, ofWatcher) })
	for range 3 {
		pause(rng)
		breakSomething(t, m, rng)
	}
	pause(rng)
	stop()
	load.Wait()
	if err := m.Settle(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	same := func() bool {
		want, err := readAll(within(t, time.Minute), reader, "k")
		f.mu.Lock()
		defer f.mu.Unlock()
		return err == nil && maps.Equal(want, f.state)
	}
	until(t, 2*time.Minute, "the watcher knows what a reader sees", same)
	stopWatching()
	watching.Wait()
	t.Logf("lagged %d times", f.lags)
}

// writeAtRandom puts and deletes a few keys until ctx ends.
func writeAtRandom(ctx context.Context, c *sdk.Client, rng *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprint("k", rng.IntN(watchedKeys))
		if rng.IntN(4) == 0 {
			_ = c.Delete(ctx, name) // whether it worked or not, all must see the same
		} else {
			_ = sdk.Register[string](c, name).Put(ctx, fmt.Sprint("value ", n))
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.IntN(100)) * time.Millisecond):
		}
	}
}

// breakSomething kills a node and restarts it, or cuts one off for a while.
func breakSomething(t *testing.T, m *simmesh.Mesh, rng *rand.Rand) {
	victim := rng.IntN(m.Len())
	if rng.IntN(2) == 0 {
		if err := m.Kill(victim); err != nil {
			t.Fatal(err)
		}
		pause(rng)
		if err := m.Restart(within(t, time.Minute), victim); err != nil {
			t.Fatal(err)
		}
		return
	}
	var others []int
	for i := range m.Len() {
		if i != victim {
			others = append(others, i)
		}
	}
	m.Partition(others, []int{victim})
	pause(rng)
	m.Heal()
}
