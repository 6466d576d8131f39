package store

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/cellmap"
)

// Open opens the store in a folder, or makes one. The log of the last run is
// replayed; of a log that was torn by a loss of power, up to the tear. A
// folder that is too damaged to be opened is set aside, and an empty store
// opened in its place: see Condition. What stands in the way of any store
// there, such as a disk that is full, cannot be written or is in use by
// another process, is an error.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	s, err := openFolder(o)
	if err == nil || !isDamage(err) {
		return s, openError(o.Dir, err)
	}
	aside, moveErr := setAside(o.FS, o.Dir)
	if moveErr != nil {
		return nil, openError(o.Dir, mesh.Errorf(mesh.Unavailable, "set aside", "the folder is damaged (%w) and cannot be moved: %w", err, moveErr))
	}
	o.Log.Error("THE STORE IS DAMAGED: its folder is set aside and an empty one begun; other owners may hold what is lost",
		"folder", o.Dir, "moved", aside, "err", err)
	o.setAside = aside
	s, err = openFolder(o)
	return s, openError(o.Dir, err)
}

func openFolder(o Options) (*Store, error) {
	files := tableFS{o.FS}
	s := &Store{
		fs: files, dir: o.Dir,
		node: o.Node, clock: o.Clock, onGrow: o.OnGrow, onDamage: o.OnDamage, log: o.Log,
		fail:         failure{log: o.Log},
		cells:        cellmap.New[inMemory](o.MemoryBytes, nil),
		table:        newTable(),
		promotions:   newPromotions(o.PromotionWindow),
		bound:        diskBound{limit: o.DiskBytes},
		pendingLimit: o.MemoryBytes / pendingShare,
		birthAge:     o.BirthAge,
		debts:        newDebts(o),
		logWaiters:   newLogWaiters(),
	}
	s.damagedKeys.keys = make(map[mesh.Key]struct{})
	s.wounds.take()
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.ending = stop, ctx.Done()
	s.mends = newGroupSync(mendInterval, func() error { return s.mendWounds(ctx) })
	logDir := o.FS.PathJoin(o.Dir, "log")
	s.logs = newLogFS(files, logDir, func(err error) { s.fail.set("writing the log", err) })
	s.writeBack = newGroupSync(o.WriteBack, s.writeBackAll)
	s.syncs = newGroupSync(o.SyncInterval, s.syncLog)
	if err := o.FS.MkdirAll(logDir, 0o700); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(o.Dir, o.FS)
	if err != nil {
		return nil, mesh.Errorf(mesh.Unavailable, "lock", "%w; is another process using the folder?", err)
	}
	s.lock = lock
	if err := s.openEngine(ctx, o, logDir); err != nil {
		stop()
		s.running.Wait()
		if failed := s.fail.err(); failed != nil {
			err = failed
		}
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func (s *Store) openEngine(ctx context.Context, o Options, logDir string) error {
	if err := checkMarker(o.FS, o.Dir); err != nil {
		return err
	}
	sealed, err := breakSeal(o.FS, o.Dir)
	if err != nil {
		return err
	}
	options := engineOptions(s.logs, logDir, o.Log, &s.fail, s.onCorruption)
	options.Lock = s.lock
	if s.db, err = pebble.Open(o.Dir, options); err != nil {
		return err
	}
	if err := s.begin(ctx, o, sealed); err != nil {
		return s.abortOpen(err)
	}
	return nil
}

func openError(dir string, err error) error { return diskError("open store "+dir, err) }

func (s *Store) abortOpen(err error) error {
	if closeErr := s.db.Close(); closeErr != nil {
		s.log.Warn("closing the engine", "err", closeErr)
	}
	return err
}

// begin makes this run known on disk and starts what runs beside the callers.
func (s *Store) begin(ctx context.Context, o Options, sealed bool) error {
	id, known, err := loadIdentity(s.db)
	if pebble.IsCorruptionError(err) {
		if err := s.mendWounds(ctx); err != nil {
			return err
		}
		id, known, err = loadIdentity(s.db)
	}
	if err != nil {
		return err
	}
	if !sealed || id.mending {
		id.closed, id.tabled = false, false
	}
	if !id.closed || !id.tabled {
		id.renew()
	}
	s.unclean = known && !id.closed
	s.setAside = o.setAside
	id.refill = id.refill || o.setAside != ""
	s.setIdentity(id)
	if err := s.saveRunning(); err != nil {
		return err
	}
	if id.mending {
		if err := s.recheck(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(s.loadFloors(ctx), s.countDebts(ctx)); err != nil {
		return err
	}
	tabled, err := s.loadTable(id)
	if err != nil {
		return err
	}
	s.running.Go(func() { s.mends.Run(ctx) })
	if !tabled {
		snapshot := s.db.NewSnapshot()
		s.running.Go(func() { s.countIn(ctx, snapshot) })
	}
	s.running.Go(func() { s.writeBack.Run(ctx) })
	s.running.Go(func() { s.syncs.Run(ctx) })
	s.running.Go(func() { s.commitForWaiters(ctx) })
	if s.bound.limit > 0 {
		s.look()
		s.running.Go(s.lookAtDisk)
	}
	s.running.Go(func() { s.scrubAgainAndAgain(ctx, o.ScrubInterval) })
	return nil
}

// loadTable takes over the table that the last run left, if it did.
func (s *Store) loadTable(id identity) (bool, error) {
	if !id.tabled {
		return false, nil
	}
	raw, closer, err := get(s.db, []byte{tableRecord})
	if err != nil {
		return false, err
	}
	defer closer.Close()
	if !s.table.decode(raw) {
		return false, nil
	}
	close(s.table.ready)
	return true, nil
}
