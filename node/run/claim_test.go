package run

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// callAll makes the same call at several nodes at once, and gives the answers.
func (c *cluster) callAll(t *testing.T, q Request, nodes ...mesh.NodeID) []string {
	t.Helper()
	answers := make(chan string, len(nodes))
	for _, node := range nodes {
		go func() {
			reply, err := c.nodes[node].Call(t.Context(), q)
			answers <- one(t, reply, err)
		}()
	}
	var all []string
	for range nodes {
		all = append(all, <-answers)
	}
	return all
}

// whoever gives another result each time, after a while.
func whoever(times *atomic.Int32) function {
	return func(ctx context.Context, v Invocation) (mesh.Value, error) {
		n := times.Add(1)
		pause(ctx, time.Second)
		return text(spelled(string(v.ID.Node), []string{string('0' + rune(n))})), nil
	}
}

func TestSameIDAtSeveralNodesAtOnceIsOneRun(t *testing.T) {
	for seed := range uint64(50) {
		simulate(t, 3, seed, func(t *testing.T, c *cluster) {
			c.delay = 10 * time.Millisecond
			var times atomic.Int32
			c.define("f", whoever(&times))
			c.declare("d", []string{"f"})
			answers := c.callAll(t, named(dagCall("d", nil), mesh.NewRunID()), "n1", "n2", "n3", "n1", "n2")
			if times.Load() != 1 || len(slices.Compact(answers)) != 1 {
				t.Errorf("seed %d: %d executions, answers %v: expected one of each", seed, times.Load(), answers)
			}
		})
	}
}

// The nodes of callers who came second die, before and after the run ended.
func TestTheDeathOfANodeThatFollowsARunChangesNothing(t *testing.T) {
	for _, after := range []time.Duration{0, 5 * time.Millisecond, 15 * time.Millisecond, 100 * time.Millisecond, 1010 * time.Millisecond} {
		simulate(t, 3, 7, func(t *testing.T, c *cluster) {
			c.delay = 10 * time.Millisecond
			var times atomic.Int32
			c.define("f", whoever(&times))
			q := named(callOf("f"), mesh.NewRunID())
			answer := make(chan string, 1)
			go func() {
				reply, err := c.nodes["n1"].Call(t.Context(), q)
				answer <- one(t, reply, err)
			}()
			go c.nodes["n2"].Call(t.Context(), q)
			<-time.After(after)
			c.kill("n2")
			got := <-answer
			if later := c.callAll(t, q, "n1", "n3"); later[0] != got || later[1] != got {
				t.Errorf("n2 died after %v: answers %s and then %v", after, got, later)
			}
			waitForDeaths()
		})
	}
}

// What becomes of a record that was written is not told to who wrote it.
func TestAClaimWhoseAnswerIsLostIsFoundAgain(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		var times, lost atomic.Int32
		c.define("f", whoever(&times))
		c.swapped = func(Record) error {
			if lost.Add(1)%2 == 1 { // the claim, and the end
				return mesh.Errorf(mesh.Unavailable, "", "the connection ended")
			}
			return nil
		}
		q := named(callOf("f"), mesh.NewRunID())
		answers := c.callAll(t, q, "n1", "n2", "n1")
		if times.Load() != 1 || len(slices.Compact(answers)) != 1 {
			t.Errorf("%d executions, answers %v: expected one of each", times.Load(), answers)
		}
	})
}

// A coordinator that is cut off goes on, and another one does, too. Both
// sides are told the same, whichever ends first.
func TestBothSidesOfACutAreToldOneResult(t *testing.T) {
	for _, second := range []time.Duration{100 * time.Millisecond, 900 * time.Millisecond} {
		simulate(t, 3, 1, func(t *testing.T, c *cluster) {
			var times atomic.Int32
			c.define("f", whoever(&times))
			q := named(callOf("f"), mesh.NewRunID())
			answers := make(chan string, 2)
			call := func(node mesh.NodeID) {
				reply, err := c.nodes[node].Call(t.Context(), q)
				answers <- one(t, reply, err)
			}
			go call("n1")
			synctest.Wait()
			c.mu.Lock()
			c.cutOff["n1"] = true
			c.mu.Unlock()
			<-time.After(second)
			go call("n2")
			synctest.Wait()
			c.mu.Lock()
			delete(c.cutOff, "n1")
			c.mu.Unlock()
			if a, b := <-answers, <-answers; a != b || times.Load() != 2 {
				t.Errorf("the answers are %s and %s, after %d executions", a, b, times.Load())
			}
		})
	}
}

// A run whose end cannot be kept has none: the caller is told so in time, and
// a later call gives the result.
func TestAnEndThatCannotBeKeptIsUnavailable(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		var times atomic.Int32
		c.define("f", whoever(&times))
		q := named(callOf("f"), mesh.NewRunID())
		failed := make(chan error, 1)
		began := time.Now()
		go func() {
			_, err := c.nodes["n1"].Call(t.Context(), q)
			failed <- err
		}()
		synctest.Wait()
		c.mu.Lock()
		c.saveErr = mesh.Errorf(mesh.Unavailable, "", "1 of 3 owners live")
		c.mu.Unlock()
		if err := <-failed; !errors.Is(err, mesh.Unavailable) || time.Since(began) > saveTimeout+2*time.Second {
			t.Errorf("after %v: %v, want Unavailable", time.Since(began), err)
		}
		c.mu.Lock()
		c.saveErr = nil
		c.mu.Unlock()
		if answers := c.callAll(t, q, "n2", "n1"); answers[0] != answers[1] {
			t.Errorf("the answers are %v", answers)
		}
	})
}

func TestARunThatCannotBeClaimedIsUnavailable(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		var times atomic.Int32
		c.define("f", whoever(&times))
		c.saveErr = mesh.Errorf(mesh.Unavailable, "", "1 of 3 owners live")
		began := time.Now()
		_, err := c.nodes["n1"].Call(t.Context(), named(callOf("f"), mesh.NewRunID()))
		if !errors.Is(err, mesh.Unavailable) || times.Load() != 0 || time.Since(began) > claimPatience+time.Second {
			t.Errorf("Call = %v after %v and %d executions, want Unavailable after none", err, time.Since(began), times.Load())
		}
	})
}
