package session

import (
	"context"
	"sync"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/txn"
)

// reading is how a transaction has first seen a key.
type reading struct {
	version     uint64       // seen.version
	needs, made lattice.Past // CausalRead
	asOf        lattice.Past
}

// of notes which version was read.
func (how *reading) of(read *seen) *reading {
	if how != nil {
		how.version = read.version()
	}
	return how
}

func (how *reading) hasPast() bool {
	return how != nil && !(how.needs.IsZero() && how.made.IsZero() && how.asOf.IsZero())
}

// transaction is what the home of a run at mesh.Transactional keeps beside the
// versions that the run sees. A nil one is that of all other runs.
type transaction struct {
	mu     sync.Mutex
	past   lattice.Past     // what the run has read, and what that needs
	sealed bool             // it is being committed: nothing is read or written any more
	writes map[mesh.Key]int // sizes of what was written, or was to be
	bytes  int              // of all that

	ahead *ahead // of a run that began anew, else nil
}

// ahead is what a run reads first that began anew: what it had read before.
type ahead struct {
	keys []mesh.Key
	turn chan struct{} // of capacity 1
	done bool
}

func newTransaction(first []mesh.Key) *transaction {
	tx := &transaction{}
	if len(first) > 0 {
		tx.ahead = &ahead{keys: first, turn: make(chan struct{}, 1)}
	}
	return tx
}

// seal ends the reads and writes of the run that have not begun.
func (tx *transaction) seal() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.sealed = true
}

func (tx *transaction) isSealed() bool {
	if tx == nil {
		return false
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.sealed
}

// saw takes up how a key was seen.
func (tx *transaction) saw(how *reading) {
	if tx == nil || how == nil {
		return
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.past = tx.past.Join(how.needs).Join(how.made)
}

// seen is what the run has to see from now on.
func (tx *transaction) seen() lattice.Past {
	if tx == nil {
		return lattice.Past{}
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.past
}

// mayWrite counts a write, unless it is one too many.
func (tx *transaction) mayWrite(key mesh.Key, next *seen) error {
	if tx == nil {
		return nil
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	size := next.value.Size()
	before, again := tx.writes[key]
	switch {
	case !again && len(tx.writes) >= txn.MaxKeys:
		return mesh.Errorf(mesh.Invalid, "", "the run writes more than %d keys: expected no more at %s", txn.MaxKeys, mesh.Transactional)
	case tx.bytes-before+size > txn.MaxBytes:
		return mesh.Errorf(mesh.Invalid, "", "the run writes more than %d bytes: expected no more at %s", txn.MaxBytes, mesh.Transactional)
	}
	if tx.writes == nil {
		tx.writes = map[mesh.Key]int{}
	}
	tx.writes[key] = size
	tx.bytes += size - before
	return nil
}

// putLater lets a transaction see what it writes, for the commit.
func (s *Sessions) putLater(ctx context.Context, of mesh.Session, w Write) error {
	if w.Kind != lattice.LWWKind || w.Op.Verb() != lattice.VerbSet {
		return mesh.Errorf(mesh.Invalid, "put "+w.Key.String(), "%s of a %s: expected a register that is set, or a delete, in a run at %s", w.Op.Verb(), w.Kind, of.Level)
	}
	none := seen{missing: true}
	at := lattice.Write{Stamp: s.cfg.Stamp(), Writer: string(s.cfg.Self)}
	return s.wrote(ctx, of, w.Key, none, true, func(*seen) (seen, error) { return none.written(w.Kind, w.Op, at) })
}

// encodePast is nil where there is nothing.
func encodePast(past lattice.Past) []byte {
	if past.IsZero() {
		return nil
	}
	return past.AppendBinary(nil)
}

// addTo adds how a key was read to what the home is told.
func (how *reading) addTo(m *pb.PinRead) {
	if how != nil {
		m.Needs, m.Made, m.AsOf = encodePast(how.needs), encodePast(how.made), encodePast(how.asOf)
	}
}

// parseReading reads what addTo has added; nil where the run is no transaction
// or nothing was read.
func parseReading(of mesh.Session, m *pb.PinRead) (*reading, error) {
	if of.Level != mesh.Transactional || m.Read == nil {
		return nil, nil
	}
	return readingOf(m.Needs, m.Made, m.AsOf)
}

func readingOf(needs, made, asOf []byte) (how *reading, err error) {
	how = &reading{}
	for _, part := range []struct {
		raw  []byte
		into *lattice.Past
	}{{needs, &how.needs}, {made, &how.made}, {asOf, &how.asOf}} {
		if *part.into, err = parsePast(part.raw); err != nil {
			return nil, err
		}
	}
	return how, nil
}

// parsePast reads what encodePast gave.
func parsePast(raw []byte) (past lattice.Past, err error) {
	if len(raw) == 0 {
		return past, nil
	}
	if past, err = lattice.DecodePast(raw); err != nil {
		return past, mesh.Errorf(mesh.Invalid, "session", "%w", err)
	}
	return past, nil
}
