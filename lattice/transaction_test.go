package lattice_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
)

// transactionAt is a write as a node makes it for a transaction.
func transactionAt(time uint64) lattice.Write {
	return lattice.Write{
		Stamp: lattice.Stamp{Time: time, Node: "t"}, By: lattice.Stamp{Time: time + 100, Node: "n"}, Writer: "w",
		Causes: &lattice.Past{},
	}
}

// sealing is the write once more, through another node, when all was written.
func sealing(at lattice.Write) lattice.Write {
	all := pastOf(map[string]uint64{"n": at.By.Time, "m": at.By.Time + 50})
	at.By, at.Causes, at.Sealed = lattice.Stamp{Time: at.By.Time + 20, Node: "m"}, &all, true
	return at
}

// plainAt is a write without a transaction.
func plainAt(time uint64) lattice.Write {
	return lattice.Write{Stamp: lattice.Stamp{Time: time, Node: "n"}, Writer: "w"}
}

// deletedBy is a cell that a transaction deleted at a time.
func deletedBy(time uint64, sealed bool) lattice.Cell {
	at := transactionAt(time)
	at.Sealed = sealed
	return lattice.Cell{}.Deleting(at)
}

func wantsTransaction(t *testing.T, c lattice.Cell, time uint64, sealed bool) {
	t.Helper()
	if at, is := c.Transaction(); at.Time != time || is != sealed {
		t.Errorf("the cell shows a transaction at %v, sealed %v: want one at %d, sealed %v", at, is, time, sealed)
	}
}

func setting(t *testing.T, c lattice.Cell, value string, at lattice.Write) lattice.Cell {
	t.Helper()
	delta, err := c.Apply(lattice.LWWKind, lattice.SetOp([]byte(value)), at)
	if err != nil {
		t.Fatal(err)
	}
	return delta
}

func mustSet(t *testing.T, c *lattice.Cell, value string, at lattice.Write) (grew bool) {
	t.Helper()
	return mustMerge(t, c, setting(t, *c, value, at))
}

func mustMerge(t *testing.T, c *lattice.Cell, delta lattice.Cell) (grew bool) {
	t.Helper()
	grew, err := c.Merge(delta)
	if err != nil {
		t.Fatal(err)
	}
	return grew
}

func wantsPayload(t *testing.T, c lattice.Cell, want string) {
	t.Helper()
	v, _ := c.Value()
	if payload, _ := v.Payload(); string(payload) != want {
		t.Errorf("the cell holds %q: want %q", payload, want)
	}
}

func TestACellTellsWhichTransactionWroteWhatItShows(t *testing.T) {
	var c lattice.Cell
	mustSet(t, &c, "a", transactionAt(5))
	wantsTransaction(t, c, 5, false)
	if made := c.Made(); made.Of("t") != 5 || made.Of("n") != 105 || made.Len() != 2 {
		t.Errorf("it is made of %v", made)
	}
	mustSet(t, &c, "older", transactionAt(4))
	wantsTransaction(t, c, 5, false)
	mustSet(t, &c, "alone", plainAt(8))
	wantsTransaction(t, c, 0, false)
	mustSet(t, &c, "late", transactionAt(7))
	wantsPayload(t, c, "alone")
	wantsTransaction(t, c, 0, false)
	mustMerge(t, &c, c.Deleting(transactionAt(10)))
	wantsTransaction(t, c, 10, false)
	if made := c.Made(); !c.Deleted() || made.Of("t") != 10 || made.Of("n") != 110 {
		t.Errorf("deleted %v, it is made of %v", c.Deleted(), made)
	}
	mustSet(t, &c, "anew", transactionAt(11))
	wantsTransaction(t, c, 11, false)
	mustMerge(t, &c, c.Deleting(plainAt(12)))
	wantsTransaction(t, c, 0, false)

	untold := transactionAt(13)
	untold.Causes = nil
	mustSet(t, &c, "untold", untold)
	wantsTransaction(t, c, 0, false)
}

func TestAWriteOfATransactionMadeAgainChangesNothing(t *testing.T) {
	for name, write := range map[string]func(lattice.Cell, lattice.Write) lattice.Cell{
		"set":    func(c lattice.Cell, at lattice.Write) lattice.Cell { return setting(t, c, "a", at) },
		"delete": lattice.Cell.Deleting,
	} {
		t.Run(name, func(t *testing.T) {
			at := transactionAt(5)
			var c lattice.Cell
			mustMerge(t, &c, write(c, at))
			before := c.AppendBinary(nil)
			if mustMerge(t, &c, write(c, at)) || !bytes.Equal(c.AppendBinary(nil), before) {
				t.Errorf("made again it is %x, before %x", c.AppendBinary(nil), before)
			}
			value, reset := encodedValue(c), c.ResetAt()
			if !mustMerge(t, &c, write(c, sealing(at))) {
				t.Error("the seal changes nothing")
			}
			wantsTransaction(t, c, 5, true)
			if c.Needs().Of("m") != 155 || c.Made().Of("m") != 125 || !bytes.Equal(encodedValue(c), value) || c.ResetAt() != reset {
				t.Errorf("sealed it needs %v, is made of %v, and is %x", c.Needs(), c.Made(), c.AppendBinary(nil))
			}
			sealed := c.AppendBinary(nil)
			if mustMerge(t, &c, write(c, at)) || !bytes.Equal(c.AppendBinary(nil), sealed) {
				t.Errorf("made again it is %x, sealed %x", c.AppendBinary(nil), sealed)
			}
			var other lattice.Cell // at once, through other nodes, the later one first
			mustMerge(t, &other, write(other, sealing(at)))
			mustMerge(t, &other, write(lattice.Cell{}, at))
			if !bytes.Equal(other.AppendBinary(nil), sealed) {
				t.Errorf("the other way round it is %x, sealed %x", other.AppendBinary(nil), sealed)
			}
		})
	}
}

func encodedValue(c lattice.Cell) []byte {
	v, _ := c.Value()
	return v.AppendBinary(nil)
}

func TestASealOfWhatWasReplacedSealsNothingElse(t *testing.T) {
	var c lattice.Cell
	mustSet(t, &c, "first", transactionAt(5))
	mustSet(t, &c, "second", transactionAt(6))
	mustSet(t, &c, "first", sealing(transactionAt(5)))
	wantsPayload(t, c, "second")
	wantsTransaction(t, c, 6, false)
	mustMerge(t, &c, c.Deleting(transactionAt(7)))
	mustSet(t, &c, "second", sealing(transactionAt(6)))
	wantsTransaction(t, c, 7, false)
	if !c.Deleted() {
		t.Error("a write that was deleted is there")
	}
}

func TestAWriteOfATransactionLosesAgainstALaterOrEqualReset(t *testing.T) {
	var c lattice.Cell
	mustSet(t, &c, "first", transactionAt(5))
	mustMerge(t, &c, c.Deleting(plainAt(7)))
	mustSet(t, &c, "first", transactionAt(5))
	wantsTransaction(t, c, 0, false)
	if !c.Deleted() || c.Made().Of("n") != 105 {
		t.Errorf("deleted %v, made of %v: a write that lost is told, and no more", c.Deleted(), c.Made())
	}
	mustMerge(t, &c, c.Deleting(transactionAt(6)))
	if c.ResetAt().Time != 7 {
		t.Errorf("an older delete was made at %v", c.ResetAt())
	}
	equal := transactionAt(9)
	mustMerge(t, &c, c.Deleting(equal))
	mustSet(t, &c, "equal", equal)
	if !c.Deleted() {
		t.Error("a write that is as late as the delete is there")
	}
	delta, err := c.Apply(lattice.SetKind, lattice.AddOp("x"), plainAt(10))
	if err != nil {
		t.Fatal(err)
	}
	mustMerge(t, &c, delta)
	mustSet(t, &c, "first", transactionAt(5)) // of another kind, long ago
	if _, err := c.Apply(lattice.LWWKind, lattice.SetOp(nil), transactionAt(11)); !errors.As(err, new(*lattice.KindMismatchError)) {
		t.Errorf("a later write of another kind: %v", err)
	}
	mustMerge(t, &c, c.Deleting(transactionAt(12))) // which a delete ends
	wantsTransaction(t, c, 12, false)
}

func TestADeleteOfATransactionLeavesALaterRegisterAlone(t *testing.T) {
	for name, later := range map[string]lattice.Write{"of a transaction": sealing(transactionAt(9)), "alone": plainAt(9)} {
		t.Run(name, func(t *testing.T) {
			at := uint64(0)
			if later.Sealed {
				at = 9
			}
			var c, behind lattice.Cell
			mustSet(t, &c, "first", transactionAt(3))
			mustSet(t, &behind, "first", transactionAt(3))
			mustSet(t, &c, "later", later)
			delta := c.Deleting(transactionAt(5))
			for _, cell := range []*lattice.Cell{&c, &behind} {
				mustMerge(t, cell, delta)
				mustMerge(t, cell, cell.Deleting(sealing(transactionAt(5))))
				wantsPayload(t, *cell, "later")
				wantsTransaction(t, *cell, at, later.Sealed)
				if cell.ResetAt().Time != 5 || cell.Made().Of("n") < 105 {
					t.Errorf("the delete at %v, made of %v", cell.ResetAt(), cell.Made())
				}
			}
		})
	}
	var c lattice.Cell
	later := plainAt(9)
	later.Now, later.TTL = time.UnixMilli(1), time.Second
	mustSet(t, &c, "later", later)
	mustMerge(t, &c, c.Deleting(transactionAt(5)))
	if until, ok := c.ExpiresAt(); !ok || until.UnixMilli() != 1001 {
		t.Errorf("it expires at %v, %v", until, ok)
	}
	mustMerge(t, &c, c.Deleting(plainAt(6)))
	if !c.Deleted() {
		t.Error("a delete of no transaction leaves what was written later")
	}
}

func TestWhatIsNoTransactionIsRefused(t *testing.T) {
	whole := deletedBy(1, true).AppendBinary(nil)
	end := len(whole) - 1 // of the transaction, which the kind of the value follows
	for name, change := range map[string]func(b []byte) []byte{
		"no time":      func(b []byte) []byte { b[end-4] = 0; return b },
		"seal":         func(b []byte) []byte { b[end-1] = 2; return b },
		"made of none": func([]byte) []byte { return []byte{1, 1, 't', 253, 0, 0, 1, 1, 't', 1, 0} },
		"no seal":      func(b []byte) []byte { return append(b[:end-1], b[end]) },
		"no stamp":     func(b []byte) []byte { return append(b[:end-4], b[end]) },
		"ends early":   func(b []byte) []byte { return b[:end] },
		"longer":       func(b []byte) []byte { return append(b, 0) },
		"only a start": func(b []byte) []byte { return b[:end-3] },
	} {
		if c, err := lattice.DecodeCell(change(slices.Clone(whole))); !errors.Is(err, lattice.ErrMalformed) {
			at, sealed := c.Transaction()
			t.Errorf("%s: %v, %v %v", name, err, at, sealed)
		}
	}
}
