package lattice_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
)

// counting is a few replicas of a counter, or of a counter in a field, with
// writes that are made at several of them.
type counting struct {
	t        *testing.T
	rng      *rand.Rand
	kind     lattice.Kind
	op       func(n int64) lattice.Op
	replicas []lattice.Value
	deltas   []lattice.Value
	once     map[lattice.WriteID]bool // that no other replica makes, and another has: firm
	attempts []attempt
	sum      int64 // over the writes that were made
	made     map[lattice.WriteID]bool
}

// attempt is a write that is yet to be made at a replica.
type attempt struct {
	id lattice.WriteID
	n  int64
	at int
}

// plan draws writes, each to be made at one to three replicas.
func (c *counting) plan(writes int) {
	for i := range writes {
		id, n := lattice.NewWriteID(fmt.Sprint(i)), c.rng.Int64N(9)+1
		if c.kind == lattice.PNCounterKind && c.rng.IntN(2) == 0 {
			n = -n
		}
		at := c.rng.Perm(len(c.replicas))[:1+c.rng.IntN(3)]
		c.once[id] = len(at) == 1 && c.rng.IntN(4) > 0
		for _, replica := range at {
			c.attempts = append(c.attempts, attempt{id, n, replica})
		}
	}
	c.rng.Shuffle(len(c.attempts), func(i, j int) { c.attempts[i], c.attempts[j] = c.attempts[j], c.attempts[i] })
}

func (c *counting) fate(id lattice.WriteID) lattice.Fate {
	if c.once[id] {
		return lattice.FateFirm
	}
	return lattice.FateOpen
}

// apply makes an increment at a replica, whose delta may get anywhere or be lost.
func (c *counting) apply(at int, id lattice.WriteID, n int64) {
	c.t.Helper()
	delta, err := latticetest.ApplyChecked(c.replicas[at], c.op(n), lattice.Write{Writer: fmt.Sprint("w", at), ID: id, Fate: c.fate})
	if err != nil {
		c.t.Fatal(err)
	}
	c.merge(at, delta)
	c.deltas = append(c.deltas, delta)
}

func (c *counting) merge(at int, v lattice.Value) {
	c.t.Helper()
	sent, err := lattice.Decode(v.AppendBinary(nil))
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.replicas[at].Merge(sent); err != nil {
		c.t.Fatal(err)
	}
}

func (c *counting) step() {
	at := c.rng.IntN(len(c.replicas))
	switch n := c.rng.IntN(8); {
	case n < 3 && len(c.attempts) > 0:
		next := c.attempts[0]
		c.attempts = c.attempts[1:]
		c.apply(next.at, next.id, next.n)
		if !c.made[next.id] {
			c.made[next.id] = true
			c.sum += next.n
		}
	case n < 5 && len(c.deltas) > 0:
		c.merge(at, c.deltas[c.rng.IntN(len(c.deltas))])
	case n == 5:
		c.merge(at, c.replicas[c.rng.IntN(len(c.replicas))])
	case n == 6: // makes room for what records have shown, and counts nothing
		c.apply(at, lattice.WriteID{}, 0)
	}
}

// exchange gives all to all, and finds out what they count.
func (c *counting) exchange() {
	c.t.Helper()
	for range 2 {
		for at := range c.replicas {
			for _, other := range c.replicas {
				c.merge(at, other)
			}
		}
	}
	want := c.replicas[0].AppendBinary(nil)
	for at, v := range c.replicas {
		if got := v.AppendBinary(nil); !bytes.Equal(got, want) {
			c.t.Fatalf("replica %d differs after all was exchanged: %x and %x", at, got, want)
		}
		if got := c.count(v); got != c.sum {
			c.t.Fatalf("replica %d counts %d: want %d, each write once", at, got, c.sum)
		}
	}
}

func (c *counting) count(v lattice.Value) int64 {
	for range 2 {
		if n, ok := v.Count(); ok {
			return n
		}
		v, _ = v.Field("f")
	}
	return 0 // nothing was written
}

// countingKinds are where a counter can be.
func countingKinds(t *testing.T, test func(t *testing.T, kind lattice.Kind, within lattice.Kind)) {
	for _, kind := range []lattice.Kind{lattice.GCounterKind, lattice.PNCounterKind} {
		for _, within := range []lattice.Kind{lattice.NoKind, lattice.MapKind, lattice.ORMapKind} {
			t.Run(fmt.Sprint(kind, " in ", within), func(t *testing.T) { test(t, kind, within) })
		}
	}
}

func newCounting(t *testing.T, kind, within lattice.Kind, replicas int, seed uint64) *counting {
	c := &counting{
		t: t, rng: rand.New(rand.NewPCG(seed, 0)), kind: kind, op: lattice.IncOp,
		once: map[lattice.WriteID]bool{}, made: map[lattice.WriteID]bool{},
	}
	whole := kind
	if within != lattice.NoKind {
		whole = within
		c.op = func(n int64) lattice.Op { return lattice.PutOp("f", kind, lattice.IncOp(n)) }
	}
	for range replicas {
		c.replicas = append(c.replicas, lattice.New(whole))
	}
	return c
}

// Writes are made at one to three replicas each, which hear of one another by
// deltas and whole states, in any order, repeated, or not at all.
func TestAWriteMadeAtSeveralReplicasIsCountedOnce(t *testing.T) {
	countingKinds(t, func(t *testing.T, kind, within lattice.Kind) {
		for range 6 {
			seed := rand.Uint64()
			c := newCounting(t, kind, within, 4, seed)
			c.plan(40)
			for steps := 0; len(c.attempts) > 0 && !t.Failed(); steps++ {
				c.step()
				if steps%50 == 49 {
					c.exchange()
				}
			}
			c.exchange()
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	})
}

// When all have written once more nothing is left of what was made several
// times but one record of each.
func TestRecordsOfWhatWasMadeTwiceGo(t *testing.T) {
	countingKinds(t, func(t *testing.T, kind, within lattice.Kind) {
		c := newCounting(t, kind, within, 3, 1)
		for i := range 50 {
			for at := range c.replicas {
				c.apply(at, lattice.NewWriteID(fmt.Sprint(i)), 1)
			}
			c.sum++
		}
		c.exchange()
		before := len(c.replicas[0].AppendBinary(nil))
		for range 2 {
			for at := range c.replicas {
				c.apply(at, lattice.WriteID{}, 0)
			}
			c.exchange()
		}
		if after := len(c.replicas[0].AppendBinary(nil)); after > before/2 {
			t.Errorf("%d bytes of records of 50 writes made three times become %d: want about a third", before, after)
		}
	})
}

// A record goes when its write is firm; of those whose writes the writer
// knows nothing of few are kept, and the newest.
func TestRecordsAreBounded(t *testing.T) {
	fates := map[lattice.Fate]int{lattice.FateFirm: 1, lattice.FateUnknown: 17, lattice.FateOpen: 300}
	for fate, most := range fates {
		v := lattice.New(lattice.GCounterKind)
		id := func(i int) lattice.WriteID { return lattice.NewWriteID(fmt.Sprint(i)) }
		for i := range 300 {
			delta, err := lattice.Apply(v, lattice.IncOp(1), lattice.Write{Writer: "w", ID: id(i), Fate: func(lattice.WriteID) lattice.Fate { return fate }})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Merge(delta); err != nil {
				t.Fatal(err)
			}
			if n := len(delta.AppendBinary(nil)); n > 40 {
				t.Fatalf("fate %d: a delta of %d bytes: want one record in it", fate, n)
			}
		}
		kept := 0
		for i := range 300 {
			if v.Counted(id(i)) {
				kept++
			}
		}
		if n, _ := v.Count(); kept != most || n != 300 || !v.Counted(id(299)) {
			t.Errorf("fate %d: %d records of a count of %d: want %d, and 300", fate, kept, n, most)
		}
	}
}

// A write of which there is a record is not counted again, and its delta tells of it.
func TestAWriteThatIsKnownIsNotCountedAgain(t *testing.T) {
	countingKinds(t, func(t *testing.T, kind, within lattice.Kind) {
		c := newCounting(t, kind, within, 3, 1)
		id := lattice.NewWriteID("w")
		c.apply(0, id, 3)
		c.merge(1, c.deltas[0])
		c.apply(1, id, 3)
		c.merge(2, c.deltas[1])
		for at, v := range c.replicas {
			if got := c.count(v); got != 3 || !v.Counted(id) {
				t.Errorf("replica %d counts %d: want 3", at, got)
			}
		}
	})
}

// A counter whose writes have no ids takes a byte more than its totals.
func TestACounterWithoutIDsHasNoRecords(t *testing.T) {
	r := newReplica(t, "w", lattice.GCounterKind)
	r.do(lattice.IncOp(1), lattice.IncOp(1), lattice.IncOp(1))
	if got := len(r.value.AppendBinary(nil)); got != 1+1+2+1+1 {
		t.Errorf("%d bytes", got)
	}
}

func TestDecodingRefusesLedgersThatCannotBe(t *testing.T) {
	const total = "\x0c\x01\x01w\x05" // writer w has counted 5
	id := "0123456789abcdef"
	good := total + "\x01" + "\x02" + "\x01\x01\x01" + "\x01" + "\x02\x03" + id
	if v, err := lattice.Decode([]byte(good)); err != nil {
		t.Fatal(err)
	} else if n, _ := v.Count(); n != 3 {
		t.Errorf("5 of which 2 are repeated count %d", n)
	}
	for what, in := range map[string]string{
		"neither yes nor no":       total + "\x02",
		"nothing in it":            total + "\x01" + "\x00\x00\x00",
		"more repeated than there": total + "\x01" + "\x06\x00\x00",
		"a record never seen":      total + "\x01" + "\x00" + "\x01\x01\x00" + "\x01" + "\x02\x03" + id,
		"a record twice":           total + "\x01" + "\x00" + "\x01\x01\x00" + "\x02" + "\x01\x03" + id + "\x01\x03" + id,
		"a record of nothing":      total + "\x01" + "\x00" + "\x01\x01\x00" + "\x01" + "\x01\x00" + id,
		"a record of too much":     total + "\x01" + "\x00" + "\x01\x01\x00" + "\x01" + "\x01\x06" + id,
		"a record of no write":     total + "\x01" + "\x00" + "\x01\x01\x00" + "\x01" + "\x01\x03" + string(make([]byte, 16)),
		"a record that ends":       total + "\x01" + "\x00" + "\x01\x01\x00" + "\x01" + "\x01\x03" + id[:15],
		"a ledger of no writer":    "\x0c\x00\x01",
	} {
		if v, err := lattice.Decode([]byte(in)); err == nil {
			t.Errorf("%s decodes as %x", what, v.AppendBinary(nil))
		}
	}
}
