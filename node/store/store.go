package store

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/cellmap"
)

// Store keeps cells. It is safe for concurrent use. Its methods give a
// mesh.Unavailable error once it has failed or is closed.
type Store struct {
	node     mesh.NodeID
	clock    Clock
	onGrow   func(mesh.Key, lattice.Cell)
	onDamage func(mesh.Key)
	log      *slog.Logger
	fail     failure

	fs           vfs.FS
	dir          string
	lock         *pebble.Lock // of the folder
	db           *pebble.DB
	logs         *logFS
	syncs        *groupSync
	logWaiters   *logWaiters
	cells        *cellmap.Map[inMemory]              // the memory tier
	asides       [cellmap.Shards]map[mesh.Key]*aside // guarded by the locks of the cells
	asideBytes   atomic.Int64                        // that they take
	fresh        atomic.Int64                        // cells that are not on disk yet
	disks        [cellmap.Shards]sync.Mutex          // see outgoing; taken before the lock of a cell
	writeBack    *groupSync                          // of the memory tier to the engine
	writtenBack  atomic.Int64                        // cells
	pendingLimit int64                               // of the bytes that are yet to be written
	room         room
	bound        diskBound

	table *table

	promotions *promotions // from the disk into memory

	birthAge time.Duration // see Options
	births   births
	sizes    sizes // of what is written
	floors   floors
	debts    debts

	identityMu sync.Mutex
	identity   identity
	writer     atomic.Pointer[string]
	unclean    bool   // see Condition
	setAside   string // see Condition

	damaged     atomic.Int64
	damagedKeys damaged
	wounds      wounds
	mends       *groupSync // of the wounds

	hintMu sync.Mutex // makes reading and dropping a hint one step
	growMu [cellmap.Shards]sync.Mutex

	scratches sync.Pool // of *scratch

	gate   sync.RWMutex // held for reading while the engine is used
	closed atomic.Bool  // set with the gate held

	stop    context.CancelFunc
	ending  <-chan struct{} // closed by stop
	running sync.WaitGroup
}

func (s *Store) setIdentity(id identity) {
	writer := id.writer(s.node)
	s.identity = id
	s.writer.Store(&writer)
}

// Close brings everything onto the disk and ends the store. Calls under way
// are waited for.
func (s *Store) Close() error {
	s.gate.Lock()
	if s.closed.Swap(true) {
		s.gate.Unlock()
		return nil
	}
	s.gate.Unlock()
	s.stop()
	s.running.Wait()
	if s.fail.abandoned.Load() {
		return s.fail.err()
	}
	err := s.end() // writes out what is pending
	if closeErr := s.db.Close(); err == nil {
		err = closeErr
	}
	if err == nil && s.fail.err() == nil {
		err = seal(s.fs, s.dir)
	}
	if lockErr := s.lock.Close(); err == nil {
		err = lockErr
	}
	if failed := s.fail.err(); failed != nil {
		return failed
	}
	if err != nil {
		return mesh.Errorf(mesh.Internal, "close store", "%w", err)
	}
	return nil
}

// end marks on disk that this run ended well.
func (s *Store) end() error {
	if s.fail.err() != nil {
		return nil
	}
	if err := s.writeOutAll(); err != nil {
		return err
	}
	var table []byte
	if s.table.isReady() {
		table = s.table.encode()
	}
	s.identityMu.Lock()
	defer s.identityMu.Unlock()
	if err := saveClosed(s.db, s.identity, table); err != nil {
		return err
	}
	return s.logs.SyncLogs()
}

// Failed is nil while the store works, and the error that stopped it afterwards.
func (s *Store) Failed() error { return s.fail.err() }

// Writer is the name under which Apply gives out dots now, except in
// partitions that were dropped.
func (s *Store) Writer() string { return *s.writer.Load() }

// writerFor is the name for the dots of a key. A store that dropped the key's
// partition may have forgotten dots that it gave out there, which other owners
// hold, so it goes on under another name. The parts of a collection, which
// merge when it is read, each have a name of their own.
func (s *Store) writerFor(key mesh.Key) string {
	writer := s.Writer()
	_, n, isPart := key.Whole()
	if !isPart && !s.table.dropped.Load() {
		return writer
	}
	name := []byte(writer)
	if drops := s.table.drops[key.Partition()].Load(); drops > 0 {
		name = binary.AppendUvarint(name, uint64(drops))
	}
	if isPart {
		name = append(name, 'p', byte(n>>8), byte(n))
	}
	return string(name)
}

var errClosed = mesh.Errorf(mesh.Unavailable, "store", "closed")

// enter lets a caller use the engine until leave, unless the store has ended.
func (s *Store) enter() error {
	s.gate.RLock()
	err := s.fail.err()
	if s.closed.Load() {
		err = errClosed
	}
	if err != nil {
		s.gate.RUnlock()
	}
	return err
}

func (s *Store) leave() { s.gate.RUnlock() }

// mostReadings is how often one call of reading may find the same file damaged:
// what was mended is not.
const mostReadings = 3

// reading calls read, which may read many records, and again after the damage
// that it met was mended: a call meets one damaged file.
func (s *Store) reading(ctx context.Context, read func() error) error {
	var met map[string]int // how often, by file
	for {
		if err := s.enter(); err != nil {
			return err
		}
		err := read()
		s.leave()
		if !pebble.IsCorruptionError(err) {
			return err
		}
		file := ""
		if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
			file = info.Path
		}
		if met == nil {
			met = make(map[string]int)
		}
		if met[file]++; met[file] == mostReadings {
			return err
		}
		if err := s.mends.Wait(ctx); err != nil {
			return err
		}
	}
}

// syncLog brings all commits so far onto the disk.
func (s *Store) syncLog() error {
	if err := s.flushLog(); err != nil {
		return err
	}
	if err := s.logs.SyncLogs(); err != nil {
		return s.fail.err()
	}
	return nil
}

// logged is flushLog for who has not entered.
func (s *Store) logged() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.flushLog()
}

// flushLog hands all commits so far to the operating system: the log is
// written in order, so it is enough that one more record arrives there.
func (s *Store) flushLog() error {
	if err := s.fail.err(); err != nil {
		return err
	}
	if err := s.db.LogData(nil, pebble.Sync); err != nil {
		return err
	}
	return s.fail.err()
}
