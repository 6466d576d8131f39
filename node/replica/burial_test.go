package replica

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

var (
	burials   = flag.Int("burials", 2, "how many random schedules TestDeletedKeysStayDeleted runs")
	graveSeed = flag.Uint64("graves", 0, "the one schedule that TestDeletedKeysStayDeleted runs; 0: random ones")
)

// One client writes and deletes keys while nodes are cut off, killed, missed, and
// forgotten, deltas are late, and marks are forgotten early. What reads give
// in the end is what was acknowledged last, or a later attempt.
func TestDeletedKeysStayDeleted(t *testing.T) {
	if *graveSeed != 0 {
		buryAndDig(t, *graveSeed)
		return
	}
	for range *burials {
		seed := rand.Uint64()
		buryAndDig(t, seed)
		if t.Failed() {
			t.Fatalf("replay with: go test ./node/replica -run TestDeletedKeysStayDeleted -graves %d", seed)
		}
	}
}

// gravedigger is one such schedule.
type gravedigger struct {
	t    *testing.T
	m    *testMesh
	rng  *rand.Rand
	may  map[mesh.Key][]string // what a read may give
	gone *testNode
	made int
}

func buryAndDig(t *testing.T, seed uint64) {
	collecting(t, 4, func(t *testing.T, m *testMesh) {
		g := &gravedigger{t: t, m: m, rng: rand.New(rand.NewPCG(seed, 0)), may: map[mesh.Key][]string{}}
		m.mu.Lock()
		m.rng, m.delay = rand.New(rand.NewPCG(seed, 1)), 50*time.Millisecond
		m.mu.Unlock()
		collected := int64(0)
		for range 4 {
			m.lose(0.05)
			for range 30 {
				g.step()
				pause(g.rng, 2*time.Second)
			}
			m.lose(0)
			if g.gone != nil {
				if g.rng.IntN(2) == 0 {
					time.Sleep(2 * time.Second)
					g.gone.forget()
					pause(g.rng, 4*testCollectAfter)
				}
				g.gone.comeBack()
				g.gone = nil
			}
			pause(g.rng, 3*testCollectAfter)
			m.eventually("all are settled", m.settled)
			time.Sleep(20 * time.Second)
			g.check()
			for _, n := range m.nodes {
				collected += n.Collected()
			}
		}
		if collected == 0 {
			t.Error("no mark was forgotten: the schedule tests nothing")
		}
	})
}

func (g *gravedigger) step() {
	n := g.m.nodes[g.rng.IntN(len(g.m.nodes))]
	if n == g.gone {
		return
	}
	switch at := g.rng.IntN(20); {
	case at == 0 && g.gone == nil:
		g.gone = n
		n.leave()
	case at == 1:
		n.cut(true)
		pause(g.rng, 3*time.Second)
		n.cut(false)
		n.notice(true)
	case at == 2:
		n.kill()
		n.start()
		n.notice(true)
	case at < 9:
		g.write(n, true)
	default:
		g.write(n, false)
	}
}

func (g *gravedigger) write(n *testNode, deletes bool) {
	k := key(fmt.Sprint("k", g.rng.IntN(12)))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	g.made++
	value, err := fmt.Sprint(g.made), error(nil)
	if deletes {
		value = mesh.NotFound.String()
		_, err = n.now().Delete(ctx, k, WriteOptions{Quorum: 2})
	} else {
		_, err = n.now().Put(ctx, k, lattice.LWWKind, lattice.SetOp([]byte(value)), WriteOptions{Quorum: 2})
	}
	if err == nil {
		g.may[k] = []string{value}
		return
	}
	if errors.Is(err, mesh.Internal) {
		g.t.Error(err)
	}
	if g.may[k] == nil {
		g.may[k] = []string{mesh.NotFound.String()}
	}
	g.may[k] = append(g.may[k], value)
}

func (g *gravedigger) check() {
	for k, may := range g.may {
		for _, n := range g.m.nodes {
			if got := n.get(k, 2); !slices.Contains(may, got) {
				g.t.Errorf("%s reads %q of %s: expected one of %q", n.id, got, k.Name, may)
			}
		}
	}
}
