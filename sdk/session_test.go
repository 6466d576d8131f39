package sdk_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

var sessionSeed = flag.Uint64("session.seed", 0, "the one schedule of the session tests; 0: random ones")

// history is what sessions and observers did to one mesh, for the checker. A
// key is a set; each write adds an element of its own, so that a read shows
// which writes it sees.
type history struct {
	mu       sync.Mutex
	sessions []*sessionHistory
	observed []observation // of those who have no session
}

type sessionHistory struct {
	events []event // in the order in which they ended; a session does one thing after the other
}

// event is an acknowledged write of an element, or a read.
type event struct {
	key   string
	wrote string
	read  map[string]bool // nil: a write
}

type observation struct {
	key  string
	read map[string]bool
}

// violations finds what a guarantee forbids, in the most naive way.
func (h *history) violations(g sdk.Guarantees) (found []string) {
	for i, s := range h.sessions {
		for at, e := range s.events {
			for _, before := range s.events[:at] {
				if before.key != e.key {
					continue
				}
				for _, missing := range h.unseen(g, before, e) {
					found = append(found, fmt.Sprintf("session %d, %s: %s", i, e.key, missing))
				}
			}
		}
	}
	return found
}

// unseen holds an event of a session against an earlier one.
func (h *history) unseen(g sdk.Guarantees, before, e event) (found []string) {
	switch {
	case e.read != nil && before.read != nil && g&sdk.MonotonicReads != 0:
		for element := range before.read {
			if !e.read[element] {
				found = append(found, "a read does not see "+element+", which an earlier read saw")
			}
		}
	case e.read != nil && before.read == nil && g&sdk.ReadYourWrites != 0:
		if !e.read[before.wrote] {
			found = append(found, "a read does not see the session's "+before.wrote)
		}
	case e.read == nil && before.read == nil && g&sdk.MonotonicWrites != 0:
		found = append(found, h.without(e, before.wrote)...)
	case e.read == nil && before.read != nil && g&sdk.WritesFollowReads != 0:
		for element := range before.read {
			found = append(found, h.without(e, element)...)
		}
	}
	return found
}

// without lists the observations that saw a write and not what came before it.
func (h *history) without(e event, before string) (found []string) {
	for _, o := range h.observed {
		if o.key == e.key && o.read[e.wrote] && !o.read[before] {
			found = append(found, "someone saw "+e.wrote+" without "+before)
		}
	}
	return found
}

// sessions lets clients work through random nodes while the mesh is cut and
// nodes are killed. Without a guarantee they have no session.
func sessions(t *testing.T, seed uint64, g sdk.Guarantees) *history {
	h := &history{}
	simulate(t, 5, func(t *testing.T, m *simmesh.Mesh) {
		ctx, stop := context.WithCancel(t.Context())
		nodes := make(turn, 1)
		var work sync.WaitGroup
		for i := range 4 {
			s := &sessionHistory{}
			h.sessions = append(h.sessions, s)
			work.Go(func() { h.work(ctx, m, nodes, s, g, fmt.Sprint("s", i), rand.New(rand.NewPCG(seed, uint64(i)))) })
		}
		for i := range 2 {
			work.Go(func() { h.observe(ctx, m, nodes, rand.New(rand.NewPCG(seed, uint64(100+i)))) })
		}
		rng := rand.New(rand.NewPCG(seed, 1000))
		for range 4 {
			breakAndHeal(t, m, nodes, rng)
		}
		stop()
		work.Wait()
	})
	return h
}

// turn is held to change who runs, and to look: a lock on which virtual time goes on.
type turn chan struct{}

func (t turn) take() { t <- struct{}{} }
func (t turn) give() { <-t }

func breakAndHeal(t *testing.T, m *simmesh.Mesh, nodes turn, rng *rand.Rand) {
	order := rng.Perm(m.Len())
	m.Partition(order[:3], order[3:])
	time.Sleep(time.Duration(1+rng.IntN(4)) * time.Second)
	m.Heal()
	time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
	nodes.take()
	err := m.Kill(order[0])
	nodes.give()
	if err != nil {
		t.Error(err)
	}
	time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
	nodes.take()
	err = m.Restart(t.Context(), order[0])
	nodes.give()
	if err != nil {
		t.Error(err)
	}
}

// through gives a client of a random node that runs.
func through(m *simmesh.Mesh, nodes turn, rng *rand.Rand) *sdk.Client {
	nodes.take()
	defer nodes.give()
	running := m.Running()
	return sdk.Attach(m.Node(running[rng.IntN(len(running))]))
}

// sessionKeys are read and written; what is added to a big one is long, so
// that sessions cannot carry it.
var sessionKeys = []string{"small-0", "small-1", "small-2", "big"}

func (h *history) work(ctx context.Context, m *simmesh.Mesh, nodes turn, s *sessionHistory, g sdk.Guarantees, name string, rng *rand.Rand) {
	session := sdk.NewSession(g)
	for i := 0; ctx.Err() == nil; i++ {
		if rng.IntN(10) == 0 { // the client is another process
			var err error
			if session, err = sdk.OpenSession(session.Token()); err != nil {
				panic(err)
			}
		}
		client := through(m, nodes, rng)
		if g != 0 {
			client = client.WithSession(session)
		}
		e := event{key: sessionKeys[rng.IntN(len(sessionKeys))]}
		call, cancel := context.WithTimeout(ctx, time.Second)
		var err error
		if rng.IntN(3) == 0 && i < 120 {
			e.wrote = fmt.Sprint(name, "-", i)
			if e.key == "big" {
				e.wrote += strings.Repeat("x", 300)
			}
			_, err = client.Put(call, e.key, lattice.SetKind, lattice.AddOp(e.wrote))
		} else {
			e.read, err = elements(call, client, e.key)
		}
		cancel()
		if err == nil {
			h.mu.Lock()
			s.events = append(s.events, e)
			h.mu.Unlock()
		}
		time.Sleep(time.Duration(rng.IntN(150)) * time.Millisecond)
	}
}

func (h *history) observe(ctx context.Context, m *simmesh.Mesh, nodes turn, rng *rand.Rand) {
	for ctx.Err() == nil {
		key := sessionKeys[rng.IntN(len(sessionKeys))]
		call, cancel := context.WithTimeout(ctx, time.Second)
		read, err := elements(call, through(m, nodes, rng), key)
		cancel()
		if err == nil {
			h.mu.Lock()
			h.observed = append(h.observed, observation{key, read})
			h.mu.Unlock()
		}
		time.Sleep(time.Duration(rng.IntN(50)) * time.Millisecond)
	}
}

// elements reads a set; that there is none is an empty one.
func elements(ctx context.Context, c *sdk.Client, key string) (map[string]bool, error) {
	all := map[string]bool{}
	v, err := c.Get(ctx, key)
	if errors.Is(err, mesh.NotFound) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	for element := range v.Elements() {
		all[element] = true
	}
	return all, nil
}

func TestSessionGuarantees(t *testing.T) {
	for name, g := range map[string]sdk.Guarantees{
		"monotonic-reads": sdk.MonotonicReads, "read-your-writes": sdk.ReadYourWrites,
		"monotonic-writes": sdk.MonotonicWrites, "writes-follow-reads": sdk.WritesFollowReads, "pram": sdk.PRAM,
	} {
		t.Run(name, func(t *testing.T) {
			seed := *sessionSeed
			if seed == 0 {
				seed = rand.Uint64()
			}
			h := sessions(t, seed, g)
			done := 0
			for _, s := range h.sessions {
				done += len(s.events)
			}
			if done < 100 || len(h.observed) < 100 {
				t.Errorf("only %d operations and %d observations: the schedule tests nothing", done, len(h.observed))
			}
			if found := h.violations(g); len(found) > 0 {
				t.Errorf("%d violations, such as: %s", len(found), found[0])
				t.Logf("replay with: go test ./sdk -run TestSessionGuarantees/%s -session.seed %d", name, seed)
			}
		})
	}
}

// The same clients on the same schedules without sessions break each guarantee.
func TestWithoutASessionTheCheckerFindsViolations(t *testing.T) {
	missing := []sdk.Guarantees{sdk.MonotonicReads, sdk.ReadYourWrites, sdk.MonotonicWrites, sdk.WritesFollowReads}
	for seed := uint64(1); seed <= 10 && len(missing) > 0; seed++ {
		h := sessions(t, seed, 0)
		missing = slices.DeleteFunc(missing, func(g sdk.Guarantees) bool { return len(h.violations(g)) > 0 })
	}
	if len(missing) > 0 {
		t.Errorf("no violations of the guarantees %v were found", missing)
	}
}
