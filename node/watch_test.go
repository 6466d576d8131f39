package node_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// watching is a watch in the background of a test.
type watching struct {
	events chan sdk.Event
	failed chan error
	stop   func() // and wait until it has ended
}

// watch begins to watch a prefix through a client.
func watch(t *testing.T, c *sdk.Client, prefix string, from sdk.Token) *watching {
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{events: make(chan sdk.Event), failed: make(chan error, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for e, err := range c.Watch(ctx, prefix, from) {
			if err != nil {
				w.failed <- err
				return
			}
			select {
			case w.events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	w.stop = func() { cancel(); <-ended }
	t.Cleanup(w.stop)
	return w
}

// next gives the next event but for marks, as text: what happened to which key, and its value.
func (w *watching) next(t *testing.T) (text string, token sdk.Token) {
	t.Helper()
	for {
		e := w.event(t)
		if e.Kind != sdk.MarkEvent {
			return eventText(e), e.Token
		}
	}
}

func (w *watching) event(t *testing.T) sdk.Event {
	t.Helper()
	select {
	case e := <-w.events:
		return e
	case err := <-w.failed:
		t.Fatalf("the watch ended with %v", err)
	case <-time.After(time.Minute):
		t.Fatal("no event within a minute")
	}
	return sdk.Event{}
}

// quiet fails the test if anything but marks comes within d.
func (w *watching) quiet(t *testing.T, d time.Duration) {
	t.Helper()
	over := time.After(d)
	for {
		select {
		case e := <-w.events:
			if e.Kind != sdk.MarkEvent {
				t.Fatalf("%s: expected nothing more", eventText(e))
			}
		case err := <-w.failed:
			t.Fatalf("the watch ended with %v", err)
		case <-over:
			return
		}
	}
}

func eventText(e sdk.Event) string {
	text := e.Kind.String()
	if e.Key != "" {
		text += " " + e.Key
	}
	if payload, ok := e.Value.Payload(); ok {
		if v, err := mesh.DecodeValue(payload); err == nil {
			text += " " + string(v.Data)
		}
	}
	if e.Omitted {
		text += " omitted"
	}
	return text
}

func TestAWatchTellsEachChangeOnce(t *testing.T) {
	for _, nodes := range []int{1, 3, 5} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, simulated(simmesh.Options{Nodes: nodes}))
				put(t, m, 0, "user/0", "before")
				w := watch(t, at(m, nodes-1), "user/", "")
				if first := w.event(t); first.Kind != sdk.MarkEvent {
					t.Fatalf("the first event is %s", eventText(first))
				}
				put(t, m, 0, "user/1", "Ada")
				expect(t, w, "put user/1 Ada")
				put(t, m, nodes/2, "other/1", "not watched")
				put(t, m, nodes/2, "user/1", "Lovelace")
				expect(t, w, "put user/1 Lovelace")
				if err := at(m, 0).Delete(within(t, time.Minute), "user/1"); err != nil {
					t.Fatal(err)
				}
				expect(t, w, "delete user/1")
				w.quiet(t, time.Minute)
			})
		})
	}
}

func expect(t *testing.T, w *watching, want string) {
	t.Helper()
	if got, _ := w.next(t); got != want {
		t.Fatalf("the next event is %q: expected %q", got, want)
	}
}

func TestAWatchGoesOnThroughAnotherNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, simulated(simmesh.Options{Nodes: 4}))
		w := watch(t, at(m, 0), "k", "")
		w.event(t)
		put(t, m, 1, "k1", "one")
		text, token := w.next(t)
		wants(t, "the first", text, nil, "put k1 one")
		w.stop()
		put(t, m, 1, "k2", "two, while nobody watched")
		if err := m.Kill(0); err != nil {
			t.Fatal(err)
		}
		w = watch(t, at(m, 2), "k", token)
		expect(t, w, "put k2 two, while nobody watched")
		put(t, m, 3, "k3", "three, without node 0")
		expect(t, w, "put k3 three, without node 0")
	})
}

func TestARestartedNodeIsAGap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, simulated(simmesh.Options{Nodes: 3}))
		w := watch(t, at(m, 0), "k", "")
		w.event(t)
		if err := m.Kill(2); err != nil {
			t.Fatal(err)
		}
		if err := m.Restart(within(t, time.Minute), 2); err != nil {
			t.Fatal(err)
		}
		expect(t, w, "lagged")
		put(t, m, 1, "k1", "after the gap")
		expect(t, w, "put k1 after the gap")
	})
}

func TestASlowWatcherIsToldThatItLags(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, simulated(simmesh.Options{Nodes: 1, Configure: func(_ int, cfg *node.Config) { cfg.WatchRing = 4 }}))
		w := watch(t, at(m, 0), "", "")
		token := w.event(t).Token
		w.stop()
		for n := range 5 {
			put(t, m, 0, fmt.Sprint("k", n), "v")
		}
		w = watch(t, at(m, 0), "", token)
		expect(t, w, "lagged")
		put(t, m, 0, "k", "complete again")
		expect(t, w, "put k complete again")
	})
}

func TestWatchOfOneKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, simulated(simmesh.Options{Nodes: 5}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var told []string
		for e, err := range at(m, 4).WatchKey(ctx, "k", "") {
			if err != nil {
				t.Fatal(err)
			}
			told = append(told, eventText(e))
			switch len(told) {
			case 1:
				put(t, m, 1, "k2", "another key")
				put(t, m, 2, "k", strings.Repeat("x", 2<<20))
			case 2:
				put(t, m, 2, "k", "small")
			case 3:
				cancel()
			}
			if len(told) == 3 {
				break
			}
		}
		if got := strings.Join(told, ", "); got != "mark, put k omitted, put k small" {
			t.Errorf("told %s", got)
		}
	})
}

func TestAWatchEndsWithItsNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, simulated(simmesh.Options{Nodes: 2}))
		w := watch(t, at(m, 0), "", "")
		w.event(t)
		if err := m.Stop(0); err != nil {
			t.Fatal(err)
		}
		wantsError(t, "the watch", <-w.failed, mesh.Unavailable)
	})
}

func TestWhatCannotBeWatched(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	first := func(c *sdk.Client, prefix string, from sdk.Token) error {
		for _, err := range c.Watch(within(t, 30*time.Second), prefix, from) {
			return err
		}
		return nil
	}
	wantsError(t, "no token", first(at(m, 0), "", "§"), mesh.Invalid, "not a token")
	wantsError(t, "a damaged token", first(at(m, 0), "", "AAAA"), mesh.Invalid, "token")
	wantsError(t, "the mesh's own namespace", first(at(m, 0).In(mesh.SystemNamespace), "", ""), mesh.Invalid, "own")
	for _, err := range at(m, 0).WatchKey(within(t, 30*time.Second), "", "") {
		wantsError(t, "an empty name", err, mesh.Invalid, "0 bytes")
		break
	}
}

func TestAWatchTellsThatAKeyExpired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, simulated(simmesh.Options{Nodes: 3}))
		w := watch(t, at(m, 2), "k", "")
		w.event(t)
		brief := at(m, 0).WithState(sdk.StateOptions{TTL: 5 * time.Second})
		if err := sdk.Register[string](brief, "k").Put(within(t, time.Minute), "for a while"); err != nil {
			t.Fatal(err)
		}
		expect(t, w, "put k for a while")
		expect(t, w, "expire k")
	})
}
