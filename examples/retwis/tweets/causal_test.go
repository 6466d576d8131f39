package tweets_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// crowd is a load on a simulated mesh: people at all nodes who read timelines
// and reply to what they just read, while packets overtake each other.
type crowd struct {
	nodes, people, steps int // steps of each caller, of which each node has two
	level                mesh.Consistency
	seed                 uint64
}

// seen is what a crowd saw.
type seen struct {
	mu                                      sync.Mutex
	timelines, replies, violations, missing int
}

func (s *seen) String() string {
	return fmt.Sprintf("%d timelines with %d replies: %d without their original, and %d tweets that could not be read", s.timelines, s.replies, s.violations, s.missing)
}

// play gives what a crowd saw in all.
func (c crowd) play(t *testing.T) *seen {
	t.Helper()
	var s seen
	meshtest.Simulate(t, c.nodes, func(t *testing.T, m *meshtest.Simulation) {
		c.gather(t, m)
		m.SetDelay(time.Millisecond, 50*time.Millisecond)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var callers sync.WaitGroup
		for i := range 2 * c.nodes {
			at := caller{m.Client(i % c.nodes), c.level}
			chance := rand.New(rand.NewPCG(c.seed, uint64(i)))
			callers.Go(func() {
				if err := c.talk(ctx, at, chance, &s); err != nil {
					cancel(err)
				}
			})
		}
		callers.Wait()
		if err := context.Cause(ctx); err != nil {
			t.Error(err)
		}
	}, natives(), meshtest.Seed(c.seed))
	t.Logf("%v, seed %d: %v", c.level, c.seed, &s)
	return &s
}

func person(i int) string { return fmt.Sprintf("p%d", i) }

// gather has all follow each other.
func (c crowd) gather(t *testing.T, m *meshtest.Simulation) {
	t.Helper()
	at := caller{m.Client(0), mesh.Eventual}
	var all []string
	for i := range c.people {
		all = append(all, person(i))
		if err := at.signUp(t.Context(), person(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range all {
		others := append(append([]string{}, all[:i]...), all[i+1:]...)
		if err := at.follow(t.Context(), name, others...); err != nil {
			t.Fatal(err)
		}
		at.mustPost(t, name, "hello", "")
	}
}

// talk reads timelines, and most times replies to one of the newest tweets in it.
func (c crowd) talk(ctx context.Context, at caller, chance *rand.Rand, s *seen) error {
	for range c.steps {
		timeline, err := at.timeline(ctx, person(chance.IntN(c.people)), 10)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.timelines++
		s.violations += timeline.Violations
		s.missing += timeline.Missing
		for _, e := range timeline.Entries {
			if e.Tweet.ReplyTo != "" {
				s.replies++
			}
		}
		s.mu.Unlock()
		replyTo := ""
		if n := len(timeline.Entries); n > 0 && chance.IntN(4) > 0 {
			replyTo = timeline.Entries[chance.IntN(min(3, n))].Tweet.ID
		}
		if _, err := at.post(ctx, person(chance.IntN(c.people)), "and so on", replyTo); err != nil {
			return err
		}
	}
	return nil
}

// A timeline at causal-session has no reply without its original, and no tweet
// that is listed and cannot be read.
func TestACausalReaderSeesNoReplyWithoutItsOriginal(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		s := crowd{nodes: 5, people: 6, steps: 10, level: mesh.CausalSession, seed: seed}.play(t)
		if s.violations > 0 || s.missing > 0 || s.replies == 0 {
			t.Errorf("seed %d: %v", seed, s)
		}
	}
}
