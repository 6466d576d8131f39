package cut

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// others are the nodes b and c as node a asks them: they vouch up to a time,
// after a while.
type others struct {
	mu    sync.Mutex
	upTo  uint64
	after time.Duration
	away  bool
	asked int
}

func (o *others) Call(ctx context.Context, _ mesh.NodeID, _ wire.Message) (wire.Message, error) {
	o.mu.Lock()
	o.asked++
	after, away := o.after, o.away
	o.mu.Unlock()
	if away {
		<-ctx.Done()
		return nil, mesh.AsError("vouch", ctx.Err())
	}
	time.Sleep(after)
	o.mu.Lock()
	defer o.mu.Unlock()
	view := digestOf("v")
	return &pb.VouchReply{View: view[:], Life: 1, UpTo: o.upTo}, nil
}

func (o *others) vouch(upTo uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.upTo = upTo
}

// questions is how many were asked since the last call.
func (o *others) questions() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, o.asked = o.asked, 0
	return n
}

const (
	vouching = 10 * time.Millisecond
	auditing = 50 * time.Millisecond
)

// newCut is that of node a, which has yet to hear of the others.
func newCut(o *others) *Cut {
	return New(Options{
		Self: "a", Peers: o,
		View:  func() View { return View{Digest: digestOf("v"), Members: []mesh.NodeID{"a", "b", "c"}, Whole: true} },
		Audit: func(context.Context, mesh.NodeID) error { time.Sleep(auditing); return nil },
	})
}

func by(node string, time uint64) lattice.Past {
	return lattice.PastOf(lattice.Stamp{Node: node, Time: time})
}

// compared is a cut that has heard of all others up to time 5, and has audited them.
func compared(t *testing.T, test func(t *testing.T, c *Cut, o *others)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := &others{upTo: 5, after: vouching}
		c := newCut(o)
		defer c.Close()
		c.Prepare(by("b", 1))
		time.Sleep(vouching + 2*auditing)
		synctest.Wait()
		o.questions()
		test(t, c, o)
	})
}

// has asks for a past, and tells how long that took.
func has(t *testing.T, c *Cut, need lattice.Past, want bool) (took time.Duration) {
	t.Helper()
	began := time.Now()
	if got := c.Has(t.Context(), need); got != want {
		t.Errorf("has %v, want %v", got, want)
	}
	return time.Since(began)
}

func TestWhatIsCoveredAsksNobody(t *testing.T) {
	compared(t, func(t *testing.T, c *Cut, o *others) {
		for _, need := range []lattice.Past{{}, by("b", 5), by("b", 2), by("b", 5).Join(by("c", 3)), by("a", 99)} {
			if took := has(t, c, need, true); took != 0 || o.questions() != 0 {
				t.Errorf("it took %v, and questions", took)
			}
		}
	})
}

func TestWhatIsNotCoveredIsAskedAboutOnce(t *testing.T) {
	compared(t, func(t *testing.T, c *Cut, o *others) {
		o.vouch(9)
		if took := has(t, c, by("b", 7), true); took != vouching || o.questions() != 1 {
			t.Errorf("it took %v, and not one question", took)
		}
		if took := has(t, c, by("b", 9), true); took != 0 || o.questions() != 0 {
			t.Errorf("of what was heard with it: it took %v, and questions", took)
		}
		if took := has(t, c, by("b", 10), false); took != vouching || o.questions() != 1 {
			t.Errorf("of what is not vouched for: it took %v, and not one question", took)
		}
	})
}

func TestReadersWaitForOneQuestion(t *testing.T) {
	compared(t, func(t *testing.T, c *Cut, o *others) {
		o.vouch(9)
		var readers sync.WaitGroup
		for _, need := range []lattice.Past{by("b", 7), by("b", 8), by("b", 7)} {
			readers.Go(func() { has(t, c, need, true) })
		}
		readers.Wait()
		if n := o.questions(); n != 1 {
			t.Errorf("%d questions for three readers, want 1", n)
		}
	})
}

// The answer to a question that is under way may be too old for who has come since.
func TestWhoComesLaterMayAskAgain(t *testing.T) {
	compared(t, func(t *testing.T, c *Cut, o *others) {
		c.Prepare(by("b", 7))
		synctest.Wait()
		o.vouch(12)
		if took := has(t, c, by("b", 11), true); took > vouching || o.questions() != 1 {
			t.Errorf("with what is prepared: it took %v, and more than that question", took)
		}
		o.vouch(13)
		c.Prepare(by("b", 13))
		c.Prepare(by("b", 13)) // is under way
		time.Sleep(vouching)
		synctest.Wait()
		if took := has(t, c, by("b", 13), true); took != 0 || o.questions() != 1 {
			t.Errorf("of what was prepared: it took %v, and not one question", took)
		}
	})
}

// Before all others were audited no word is enough: readers ask the owners instead.
func TestAWordThatIsNotEnoughIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &others{upTo: 5, after: vouching}
		c := newCut(o)
		defer c.Close()
		if took := has(t, c, by("b", 3), false); took != 0 {
			t.Errorf("it took %v", took)
		}
		time.Sleep(vouching + auditing)
		if took := has(t, c, by("b", 3), false); took != 0 {
			t.Errorf("with one audited: it took %v", took)
		}
		time.Sleep(auditing)
		synctest.Wait()
		if took := has(t, c, by("b", 3), true); took != 0 || o.questions() != 2 {
			t.Errorf("with both audited: it took %v, and not one question to each", took)
		}
	})
}

func TestANodeThatIsSilentIsWaitedForOnce(t *testing.T) {
	compared(t, func(t *testing.T, c *Cut, o *others) {
		o.mu.Lock()
		o.away = true
		o.mu.Unlock()
		if took := has(t, c, by("b", 7), false); took != defaultVouch {
			t.Errorf("it took %v, want %v", took, defaultVouch)
		}
		if took := has(t, c, by("b", 7), false); took != 0 || o.questions() != 1 {
			t.Errorf("right after that: it took %v, and more than one question", took)
		}
		time.Sleep(pauseOfNodes)
		o.mu.Lock()
		o.away = false
		o.mu.Unlock()
		o.vouch(7)
		if took := has(t, c, by("b", 7), true); took != vouching {
			t.Errorf("once it is back: it took %v", took)
		}
	})
}
