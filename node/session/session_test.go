package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func set(text string) lattice.Op { return lattice.SetOp([]byte(text)) }

func TestWhatWasReadFirstIsReadEverywhere(t *testing.T) {
	for _, size := range []int{1, 2 * inlineBytes} {
		w := newWorld(t, 4)
		k, first, later := key("k"), strings.Repeat("a", size), strings.Repeat("b", size)
		w.at(1).change(k, lattice.LWWKind, set(first))
		for _, i := range []int{0, 2, 3} {
			w.at(i).change(k, lattice.LWWKind, set(later))
		}
		of := w.begin(0)
		for _, i := range []int{1, 2, 0, 3, 1, 0} {
			if got := w.sees(of, i, k); got != first {
				t.Errorf("node %d sees %.5q of %d bytes, want what node 1 read", i, got, size)
			}
		}
		other := w.begin(2)
		if got := w.sees(other, 0, k); got != later {
			t.Errorf("another session sees %.5q", got)
		}
	}
}

func TestAKeyThatWasMissingStaysMissing(t *testing.T) {
	w := newWorld(t, 3)
	of := w.begin(0)
	if got := w.sees(of, 1, key("k")); got != "nothing" {
		t.Fatalf("it sees %q", got)
	}
	for i := range 3 {
		w.at(i).change(key("k"), lattice.LWWKind, set("late"))
		if got := w.sees(of, i, key("k")); got != "nothing" {
			t.Errorf("node %d sees %q", i, got)
		}
	}
}

func TestAReadCostsOneCallAndAnotherOneNone(t *testing.T) {
	w := newWorld(t, 2)
	w.at(0).change(key("k"), lattice.LWWKind, set("same"))
	w.at(1).store[key("k")] = w.at(0).store[key("k")]
	of := w.begin(0)
	for _, c := range []struct{ at, calls int }{{0, 0}, {0, 0}, {1, 1}, {1, 0}} {
		before := w.made()
		_, here, err := w.at(c.at).Get(t.Context(), of, key("k"))
		if err != nil || !here {
			t.Errorf("what node %d has: here %v, %v", c.at, here, err)
		}
		if got := w.made() - before; got != c.calls {
			t.Errorf("a read on node %d took %d calls, want %d", c.at, got, c.calls)
		}
	}
}

func TestTheRunsOwnWriteIsReadEverywhere(t *testing.T) {
	w := newWorld(t, 3)
	for i := range 3 {
		w.at(i).change(key("r"), lattice.LWWKind, set("old"))
		w.at(i).change(key("c"), lattice.GCounterKind, lattice.IncOp(int64(10)))
	}
	of := w.begin(0)
	w.sees(of, 0, key("r"))
	w.sees(of, 2, key("r"))
	w.put(of, 1, key("r"), lattice.LWWKind, set("mine"))
	w.put(of, 1, key("c"), lattice.GCounterKind, lattice.IncOp(5))
	w.at(2).change(key("r"), lattice.LWWKind, set("another's"))
	w.at(2).change(key("c"), lattice.GCounterKind, lattice.IncOp(100))
	w.put(of, 2, key("c"), lattice.GCounterKind, lattice.IncOp(1))
	for i := range 3 {
		if r, c := w.sees(of, i, key("r")), w.sees(of, i, key("c")); r != "mine" || c != "16" {
			t.Errorf("node %d sees %q and %s, want mine and 16", i, r, c)
		}
	}
	err := w.at(0).Delete(t.Context(), of, key("r"), func(*Causes) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if got := w.sees(of, i, key("r")); got != "nothing" {
			t.Errorf("node %d sees %q after the delete", i, got)
		}
	}
}

// A stage that is executed again makes the write again, which counts once.
func TestAWriteThatIsRepeatedIsSeenOnce(t *testing.T) {
	w := newWorld(t, 3)
	of := w.begin(0)
	for _, i := range []int{1, 2, 1} {
		write := Write{key("c"), lattice.GCounterKind, lattice.IncOp(5), "the write"}
		if err := w.at(i).Put(t.Context(), of, write, func(*Causes) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.sees(of, 0, key("c")); got != "5" {
		t.Errorf("it sees %s", got)
	}
}

func TestAWriteThatFailsIsNotSeen(t *testing.T) {
	w := newWorld(t, 2)
	of := w.begin(0)
	failed := errors.New("no")
	err := w.at(1).Put(t.Context(), of, Write{key("k"), lattice.LWWKind, set("x"), ""}, func(*Causes) error { return failed })
	if !errors.Is(err, failed) {
		t.Errorf("Put = %v", err)
	}
	if got := w.sees(of, 1, key("k")); got != "nothing" {
		t.Errorf("it sees %q", got)
	}
	w.put(of, 1, key("n"), lattice.GCounterKind, lattice.IncOp(1))
	err = w.at(1).Put(t.Context(), of, Write{key("n"), lattice.LWWKind, set("x"), ""}, func(*Causes) error { return mesh.Errorf(mesh.KindMismatch, "", "") })
	if mesh.KindOf(err) != mesh.KindMismatch {
		t.Errorf("Put of another kind = %v", err)
	}
}

// Stages beside one another, on all nodes, read and count at the same time.
func TestStagesBesideOneAnotherAgree(t *testing.T) {
	w := newWorld(t, 4)
	for i := range 4 {
		w.at(i).change(key("r"), lattice.LWWKind, set(fmt.Sprint("of node ", i)))
		w.at(i).change(key("c"), lattice.PNCounterKind, lattice.IncOp(int64(i)))
	}
	of := w.begin(0)
	const each = 8
	var all sync.WaitGroup
	read := make([][]string, 4)
	for i := range 4 {
		all.Go(func() {
			for range each {
				read[i] = append(read[i], w.sees(of, i, key("r")))
				w.put(of, i, key("c"), lattice.PNCounterKind, lattice.IncOp(10))
			}
		})
	}
	all.Wait()
	for i, texts := range read {
		for _, got := range texts {
			if got != read[0][0] {
				t.Fatalf("node %d read %q, node 0 %q", i, got, read[0][0])
			}
		}
	}
	counted := w.sees(of, 0, key("c"))
	for i := range 4 {
		if got := w.sees(of, i, key("c")); got != counted {
			t.Errorf("node %d sees %s, node 0 %s", i, got, counted)
		}
	}
	var base int
	if _, err := fmt.Sscan(counted, &base); err != nil || base-4*each*10 < 0 || base-4*each*10 > 3 {
		t.Errorf("counted %s: expected what some node had, and all of the run's own %d", counted, 4*each*10)
	}
}

// Of writes beside one another, on one node and on several, one is the last,
// and all nodes read that, also where the word that another came next overtakes
// the answer to the one before.
func TestWritesBesideOneAnotherEndInOneVersion(t *testing.T) {
	for round := range 200 {
		w := newWorld(t, 4)
		w.lag = round % 20
		of := w.begin(round % 4)
		size := round % 2 * 2 * inlineBytes // of those that only holders have
		var all sync.WaitGroup
		for writer := range 6 {
			all.Go(func() {
				w.put(of, writer%4, key("r"), lattice.LWWKind, set(fmt.Sprint(writer, strings.Repeat("x", size))))
				w.sees(of, (writer+1)%4, key("r"))
			})
		}
		all.Wait()
		last := w.sees(of, 0, key("r"))
		for i := range 4 {
			if got := w.sees(of, i, key("r")); got != last {
				t.Fatalf("round %d: node %d reads %.8q, node 0 %.8q", round, i, got, last)
			}
		}
	}
}

// An oracle without nodes knows what the run must see, whatever the nodes'
// stores hold, and wherever it reads.
func TestRandomReadsAndWritesAreThoseOfTheOracle(t *testing.T) {
	for range 50 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 0))
		w := newWorld(t, 4)
		of := w.begin(rng.IntN(4))
		saw := map[string]string{}
		keys := []string{"a", "b", "c"}
		for step := range 80 {
			name, i := keys[rng.IntN(3)], rng.IntN(4)
			text := fmt.Sprint(step, strings.Repeat("x", rng.IntN(2)*2*inlineBytes))
			switch rng.IntN(5) {
			case 0:
				w.at(i).change(key(name), lattice.LWWKind, set(text))
			case 1:
				w.put(of, i, key(name), lattice.LWWKind, set(text))
				saw[name] = text
			case 2:
				if err := w.at(i).Delete(t.Context(), of, key(name), func(*Causes) error { return nil }); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				saw[name] = "nothing"
			default:
				got := w.sees(of, i, key(name))
				if want, ok := saw[name]; ok && got != want {
					t.Fatalf("seed %d, step %d: %s on node %d is %.9q, want %.9q", seed, step, name, i, got, want)
				}
				saw[name] = got
			}
		}
	}
}

func TestAVersionIsGoneOnlyWithAllWhoHeldIt(t *testing.T) {
	w := newWorld(t, 4)
	large := strings.Repeat("a", 2*inlineBytes)
	for i := range 4 {
		w.at(i).change(key("large"), lattice.LWWKind, set(large[i:]))
		w.at(i).change(key("small"), lattice.LWWKind, set(large[:i]))
	}
	of := w.begin(0)
	w.sees(of, 1, key("small"))
	w.sees(of, 1, key("large"))
	w.sees(of, 2, key("large"))
	w.setCut(1, true)
	for _, i := range []int{0, 3} {
		if got := w.sees(of, i, key("large")); got != large[1:] {
			t.Errorf("node %d sees %d bytes", i, len(got))
		}
		if got := w.sees(of, i, key("small")); got != large[:1] {
			t.Errorf("node %d sees %q of what the home was told", i, got)
		}
	}
	alone := w.begin(0)
	w.setCut(1, false)
	w.sees(alone, 1, key("large"))
	w.setCut(1, true)
	if _, _, err := w.at(2).Get(t.Context(), alone, key("large")); mesh.KindOf(err) != mesh.Unavailable || !strings.Contains(err.Error(), "gone with the nodes") {
		t.Errorf("Get of what only a lost node held = %v", err)
	}
}

func TestAWriteWaitsForWhoHoldsTheVersionBeforeUntilItIsDead(t *testing.T) {
	w := newWorld(t, 3)
	of := w.begin(0)
	w.sees(of, 1, key("k"))
	w.setCut(1, true)
	ctx, cancel := context.WithTimeout(t.Context(), 3*forgetAgain)
	defer cancel()
	write := func(ctx context.Context) error {
		return w.at(2).Put(ctx, of, Write{key("k"), lattice.LWWKind, set("x"), ""}, func(*Causes) error { return nil })
	}
	if err := write(ctx); mesh.KindOf(err) != mesh.DeadlineExceeded {
		t.Errorf("a write beside a node that holds the version before = %v", err)
	}
	w.at(0).PeerDown("n1")
	if err := write(t.Context()); err != nil {
		t.Errorf("a write after that node's death = %v", err)
	}
	if got := w.sees(of, 0, key("k")); got != "x" {
		t.Errorf("it sees %q", got)
	}
}

func TestASessionEndsEverywhere(t *testing.T) {
	w := newWorld(t, 4)
	of := w.begin(0)
	for i := range 4 {
		w.sees(of, i, key("k"))
	}
	w.at(0).End(of)
	w.at(0).work.Wait()
	for i := range 4 {
		if n := w.at(i).Open(); n != 0 {
			t.Errorf("%d sessions are open on node %d", n, i)
		}
	}
	if _, _, err := w.at(0).Get(t.Context(), of, key("k")); mesh.KindOf(err) != mesh.Unavailable {
		t.Errorf("Get of a session that is over = %v", err)
	}
}

// The word of the end may be lost: pins go with the home, or with the run's deadline.
func TestPinsDoNotOutliveTheHomeNorTheDeadline(t *testing.T) {
	w := newWorld(t, 3)
	of := w.begin(0)
	w.sees(of, 1, key("k"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := w.at(2).Get(ctx, of, key("k")); mesh.KindOf(err) != mesh.NotFound {
		t.Fatal(err)
	}
	w.at(1).PeerDown("n0")
	if n := w.at(1).Open(); n != 0 {
		t.Errorf("%d sessions are open after their home died", n)
	}
	for deadline := time.Now().Add(10 * time.Second); w.at(2).Open() > 0; {
		if time.Now().After(deadline) {
			t.Fatal("pins last beyond the deadline")
		}
	}
}

func TestOnlyTheHomeEndsASession(t *testing.T) {
	w := newWorld(t, 3)
	of := w.begin(0)
	w.sees(of, 1, key("k"))
	forged := of
	forged.Home = "n2"
	for _, c := range []struct {
		from mesh.NodeID
		of   mesh.Session
		open int
	}{{"n2", of, 1}, {"n2", forged, 1}, {"n0", of, 0}} {
		if err := w.at(1).HandleEndSession(c.from, &pb.EndSession{Sessions: []*pb.RunSession{wire.FromSession(c.of)}}); err != nil {
			t.Fatal(err)
		}
		if n := w.at(1).Open(); n != c.open {
			t.Errorf("%d sessions are open after %s ended that of %s, want %d", n, c.from, c.of.Home, c.open)
		}
	}
}

// A stage elsewhere may have seen what a node is about to have written, and come
// before one on that node.
func TestWhileANodeWritesNobodyThereReadsWhatWasBefore(t *testing.T) {
	for _, level := range []mesh.Consistency{mesh.Repeatable, mesh.Transactional} {
		t.Run(level.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3)
				s := &shelf{reads: map[mesh.Key]CausalRead{}}
				s.put("k", "a", 1, lattice.Past{})
				for _, n := range w.nodes {
					n.cfg.Causal, n.cfg.Commit = s, s.commit
					n.change(key("k"), lattice.LWWKind, lattice.SetOp([]byte("a1")))
				}
				of, err := w.at(0).Begin(level)
				if err != nil {
					t.Fatal(err)
				}
				w.takePart(of)
				if got := w.sees(of, 1, key("k")); got != "a1" {
					t.Fatalf("read %s first", got)
				}
				w.hold = make(chan struct{})
				go w.put(of, 1, key("k"), lattice.LWWKind, lattice.SetOp([]byte("new")))
				synctest.Wait() // the home has it, and the writer has not heard so
				w.goesOn(of, 0, 2)
				if got := w.sees(of, 2, key("k")); got != "new" {
					t.Fatalf("another node reads %s", got)
				}
				w.goesOn(of, 2, 1)
				read := make(chan string, 1)
				go func() { read <- w.sees(of, 1, key("k")) }()
				synctest.Wait()
				close(w.hold)
				if got := <-read; got != "new" {
					t.Errorf("the node that writes reads %s after another one has read new", got)
				}
			})
		})
	}
}
