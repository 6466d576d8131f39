package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/sdk"
)

// TestNodesFollowTheLoad has a mesh of one process grow to three under load,
// and shrink to one again, while it is used: no call fails, and what was
// acknowledged is found.
func TestNodesFollowTheLoad(t *testing.T) {
	s := newSession(t)
	s.succeeds("up", "--min", "1", "--max", "3", "--grace", "2s", "--set", "concurrency=4", "--set", "func_time=3s", "--timeout", "80s")
	s.succeeds("fn", "deploy", "nap", "./examples/nap")
	client, err := sdk.Dial(t.Context(), sdk.Config{ContextDir: s.home})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	use := &use{t: t, client: client}
	use.begin(1, 50)
	defer use.end()
	heavy := sync.OnceFunc(use.begin(8, 200))
	defer heavy()
	s.awaitNodes(3)
	s.awaitStatus("3 nodes", "wanted")
	heavy()
	s.awaitNodes(1)
	use.end()
	if use.calls == 0 || len(use.keys) == 0 {
		t.Errorf("%d calls and %d writes were made: expected some", use.calls, len(use.keys))
	}
	for _, key := range use.keys {
		if got, err := sdk.Register[string](client, key).Get(t.Context()); err != nil || got != "of "+key {
			t.Errorf("of an acknowledged write of %s is left %q, %v", key, got, err)
		}
	}
	if logs, _, _ := s.run("logs", "--lines", "1000"); !strings.Contains(logs, "the hook runs") || strings.Contains(logs, "the hook failed") {
		t.Errorf("the logs are\n%s", logs)
	}
}

// followTimeout is longer than the mesh takes to follow its load by far.
const followTimeout = 2 * time.Minute

// awaitNodes waits until the home has so many nodes, and all of them run.
func (s *session) awaitNodes(want int) {
	s.t.Helper()
	deadline := time.After(followTimeout)
	for {
		nodes, err := localmesh.Nodes(s.home)
		running := 0
		for _, n := range nodes {
			if n.PID != 0 {
				running++
			}
		}
		if err == nil && len(nodes) == want && running == want {
			return
		}
		select {
		case <-deadline:
			logs, _, _ := s.run("logs", "--lines", "50")
			s.t.Fatalf("after %v there are %d nodes, %v: expected %d\n%s", followTimeout, running, err, want, logs)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitStatus waits until status prints all words. A node that has just
// begun does not know yet how many are wanted.
func (s *session) awaitStatus(words ...string) {
	s.t.Helper()
	deadline := time.After(followTimeout)
	for {
		status, _, _ := s.run("status")
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(status, word) }) {
			return
		}
		select {
		case <-deadline:
			s.t.Fatalf("after %v status prints\n%s\nwithout one of %q", followTimeout, status, words)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// use calls a function and writes keys, over and over.
type use struct {
	t      *testing.T
	client *sdk.Client
	users  sync.WaitGroup
	ends   []context.CancelFunc

	lock  sync.Mutex
	calls int
	keys  []string // that were acknowledged
}

// begin lets some users call a function that takes so many milliseconds,
// until end, or the end of all.
func (u *use) begin(users, ms int) (end func()) {
	ctx, cancel := context.WithCancel(u.t.Context())
	u.ends = append(u.ends, cancel)
	var done sync.WaitGroup
	for range users {
		u.users.Add(1)
		done.Go(func() {
			defer u.users.Done()
			for ctx.Err() == nil {
				u.once(ctx, ms)
			}
		})
	}
	return func() {
		cancel()
		done.Wait()
	}
}

func (u *use) end() {
	for _, end := range u.ends {
		end()
	}
	u.users.Wait()
}

func (u *use) once(ctx context.Context, ms int) {
	nap := sdk.Func[int, int](u.client, "nap")
	nap.Options.Policy = "random"
	_, err := nap.Call(ctx, ms)
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return
	}
	if err != nil {
		u.t.Errorf("a call failed: %v", err)
	}
	u.lock.Lock()
	u.calls++
	key := fmt.Sprint("k", u.calls)
	u.lock.Unlock()
	if err := sdk.Register[string](u.client, key).Put(ctx, "of "+key); err == nil {
		u.lock.Lock()
		u.keys = append(u.keys, key)
		u.lock.Unlock()
	}
}
