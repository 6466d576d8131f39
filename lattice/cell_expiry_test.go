package lattice_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
)

// sampleExpiries are some that tie with one another, and none.
func sampleExpiries() []lattice.Expiry {
	at := func(time uint64) lattice.Stamp { return lattice.Stamp{Time: time, Node: "n"} }
	return []lattice.Expiry{
		{}, {At: at(1)}, {At: at(1), Until: 5}, {At: at(1), Until: lattice.MaxExpiry}, {At: at(2), Until: 3}, {At: at(2)},
	}
}

// TestLawsOfCellsThatExpire tries the laws on cells with resets and expiries, of values
// that came about as in a mesh.
func TestLawsOfCellsThatExpire(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	expiries := sampleExpiries()
	for _, kind := range lattice.Kinds() {
		h := latticetest.NewHistory(kind, 2, rng)
		if err := h.Run(12); err != nil {
			t.Fatal(err)
		}
		values := append(h.Samples(5), lattice.Value{})
		samples := []*latticetest.Cell{{}}
		for range 14 {
			reset := lattice.Stamp{Time: rng.Uint64N(3)}
			cell := lattice.NewCell(reset, values[rng.IntN(len(values))].Clone())
			samples = append(samples, &latticetest.Cell{Cell: cell.WithExpiry(expiries[rng.IntN(len(expiries))])})
		}
		latticetest.Check(t, samples, latticetest.DecodeCell)
	}
}

func TestACellWithoutExpiryIsEncodedAsBefore(t *testing.T) {
	value := lattice.New(lattice.LWWKind)
	plain := lattice.NewCell(lattice.Stamp{Time: 1, Node: "n"}, value)
	if got, want := hex.EncodeToString(plain.AppendBinary(nil)), "01016e"+hex.EncodeToString(value.AppendBinary(nil)); got != want {
		t.Errorf("encoded as %s, want %s", got, want)
	}
	kept := plain.WithExpiry(lattice.Expiry{At: lattice.Stamp{Time: 2, Node: "n"}, Until: 3})
	if got := kept.WithExpiry(lattice.Expiry{}).AppendBinary(nil); !bytes.Equal(got, plain.AppendBinary(nil)) {
		t.Errorf("without its expiry encoded as %x", got)
	}
}

func TestDecodeCellRefusesExpiries(t *testing.T) {
	for name, in := range map[string]string{
		"never set":  "0000ff00000000",
		"too late":   "0000ff010080808080808080" + "0100",
		"cut":        "0000ff01",
		"no value":   "0000ff010005",
		"two of one": "0000ff010005ff01000500",
	} {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lattice.DecodeCell(b); !errors.Is(err, lattice.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// life is one cell through a series of writes by one node.
type life struct {
	t    *testing.T
	now  time.Time
	cell lattice.Cell
	last lattice.Stamp
}

func newLife(t *testing.T) *life {
	return &life{t: t, now: time.UnixMilli(1_000_000), last: lattice.Stamp{Node: "n"}}
}

func (l *life) stamp() lattice.Stamp {
	l.last = l.last.Next(l.now)
	return l.last
}

func (l *life) do(kind lattice.Kind, op lattice.Op, ttl time.Duration) lattice.Cell {
	l.t.Helper()
	delta, err := l.cell.Apply(kind, op, lattice.Write{Stamp: l.stamp(), Writer: "w", Now: l.now, TTL: ttl})
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.cell.Merge(delta); err != nil {
		l.t.Fatal(err)
	}
	return delta
}

func (l *life) expects(kept time.Duration) {
	l.t.Helper()
	until, ok := l.cell.ExpiresAt()
	if ok != (kept > 0) || ok && until.Sub(l.now) != kept {
		l.t.Errorf("expires at %v, %v: want %v from now", until, ok, kept)
	}
}

func TestAPlainSetLiftsTheExpiryAndAnAdditionKeepsIt(t *testing.T) {
	for _, kind := range []lattice.Kind{lattice.LWWKind, lattice.MVRegisterKind, lattice.CausalKind} {
		l := newLife(t)
		l.do(kind, lattice.SetOp([]byte("a")), time.Minute)
		l.expects(time.Minute)
		l.do(kind, lattice.SetOp([]byte("b")), 0)
		l.expects(0)
		l.do(kind, lattice.SetOp([]byte("c")), time.Hour)
		l.expects(time.Hour)
	}
	l := newLife(t)
	l.do(lattice.SetKind, lattice.AddOp("a"), time.Minute)
	if delta := l.do(lattice.SetKind, lattice.AddOp("b"), 0); !delta.Expiry().IsZero() {
		t.Errorf("an addition carries an expiry: %s", delta.Expiry())
	}
	l.expects(time.Minute)
}

func TestAPlainSetLiftsAnExpiryThatItDoesNotKnowOf(t *testing.T) {
	l := newLife(t)
	l.do(lattice.LWWKind, lattice.SetOp([]byte("a")), time.Minute)
	l.now = l.now.Add(time.Second)
	later, err := lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp([]byte("b")), lattice.Write{Stamp: l.stamp(), Now: l.now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.cell.Merge(later); err != nil {
		t.Fatal(err)
	}
	l.expects(0)
}

func TestAnExpiredCellIsBegunAnew(t *testing.T) {
	l := newLife(t)
	l.do(lattice.SetKind, lattice.AddOp("old"), time.Minute)
	other := l.cell.Clone()
	l.now = l.now.Add(time.Minute - time.Millisecond)
	if l.cell.Expired(func() time.Time { return l.now }) {
		t.Error("expired before its time")
	}
	l.now = l.now.Add(time.Millisecond)
	if !l.cell.Expired(func() time.Time { return l.now }) {
		t.Error("not expired at its time")
	}
	l.do(lattice.ORSetKind, lattice.AddOp("new"), 0)
	v, _ := l.cell.Value()
	if v.Kind() != lattice.ORSetKind || v.Len() != 1 || l.cell.Deleted() || !l.cell.ResetByExpiry() {
		t.Errorf("got %v", v)
	}
	l.expects(0)

	// Another replica deletes what expired, and learns of the write then.
	tombstone := other.Expire()
	if grew, err := other.Merge(tombstone); !grew || err != nil || !other.Deleted() || !other.ResetByExpiry() {
		t.Errorf("expiring gave %v, %v", grew, err)
	}
	if _, err := other.Merge(l.cell); err != nil || other.Compare(l.cell) != lattice.Equal {
		t.Errorf("a write after the expiry did not outlive it: %v", err)
	}
	if grew, err := l.cell.Merge(tombstone); grew || err != nil {
		t.Errorf("the expiry undid a write after it: %v, %v", grew, err)
	}
}

func TestADeleteEndsAnExpiry(t *testing.T) {
	l := newLife(t)
	l.do(lattice.SetKind, lattice.AddOp("x"), time.Minute)
	l.cell.Reset(l.stamp())
	if l.cell.ResetByExpiry() || !l.cell.Expiry().IsZero() {
		t.Error("a delete left an expiry")
	}
	if l.cell.Expire().ResetAt().After(l.cell.ResetAt()) != true {
		t.Error("an expiry is not later than the reset before it")
	}
}

func TestExpiryOfAMismatchChangesNothing(t *testing.T) {
	cell := lattice.NewCell(lattice.Stamp{}, lattice.New(lattice.SetKind))
	before := cell.AppendBinary(nil)
	delta := lattice.NewCell(lattice.Stamp{}, lattice.New(lattice.LWWKind)).WithExpiry(sampleExpiries()[2])
	if grew, err := cell.Merge(delta); grew || !errors.Is(err, lattice.ErrKindMismatch) || !bytes.Equal(cell.AppendBinary(nil), before) {
		t.Errorf("got %v, %v", grew, err)
	}
}
