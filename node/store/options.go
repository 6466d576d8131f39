package store

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Clock gives the stamps of writes; node/hlc has one.
type Clock interface {
	// Now gives a stamp after all that were given or observed before.
	Now() lattice.Stamp
	// Observe makes later stamps follow s, or refuses an s too far in the future.
	Observe(s lattice.Stamp) error
}

// Options say how a store is opened. Fields without a default are required.
type Options struct {
	// Dir is the store's folder, which is made if it is missing.
	Dir string
	// FS holds Dir. Default: the disk. Its files must allow a Sync beside a Write.
	FS vfs.FS
	// Node is whose store this is.
	Node mesh.NodeID
	// Clock stamps the writes that Apply makes, and sees the stamps of all others.
	Clock Clock
	// MemoryBytes bounds the decoded cells in memory. Default 64 MiB.
	MemoryBytes int64
	// WriteBack is how long a write with mesh.Memory may stay in memory alone,
	// beside the time that the disk takes. While more is written than the disk
	// takes, it may be as long as half of MemoryBytes lasts; then writers wait.
	// Default 1 s.
	WriteBack time.Duration
	// DiskBytes bounds what the store takes on the disk. At the bound, new
	// writes are mesh.Overloaded, and at an eighth more, also merges of what
	// other nodes hold; deletes never are. Default: no bound.
	DiskBytes int64
	// PromotionWindow is within how long a key must be read from the disk
	// twice to come into memory, while that is full. Default 60 s.
	PromotionWindow time.Duration
	// SyncInterval is the longest that a logged write waits for the disk.
	// Default 10 ms.
	SyncInterval time.Duration
	// ScrubInterval is the pause between two scrubs; the first comes after a
	// tenth of it. Default 24 h.
	ScrubInterval time.Duration
	// BirthAge is how long, or an eighth more, before it is written a cell begins that was never
	// written nor deleted here: marks of deletes older than that may be
	// forgotten anywhere. 0: such cells have no birth.
	BirthAge time.Duration
	// MaxHintBytes and MaxHints bound what each other node is owed, in bytes of
	// deltas and in keys; MaxAllHintBytes what all of them are together.
	// Defaults 64 MiB, 100,000 and 256 MiB.
	MaxHintBytes, MaxAllHintBytes int64
	MaxHints                      int
	// OnGrow, if not nil, is told of every delta that made a cell grow, in
	// order for each key, before the write returns. It must not change the
	// delta, must be quick, and must not call the store.
	OnGrow func(mesh.Key, lattice.Cell)
	// OnDamage, if not nil, is told of each key whose cell is found damaged,
	// once until that is replaced. It must be quick, and must not call the store.
	OnDamage func(mesh.Key)
	// Log receives what goes wrong. Default: slog.Default.
	Log *slog.Logger

	setAside string // where the folder went that was too damaged to be opened
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 64 << 20
	}
	if o.WriteBack == 0 {
		o.WriteBack = time.Second
	}
	if o.PromotionWindow == 0 {
		o.PromotionWindow = time.Minute
	}
	if o.SyncInterval == 0 {
		o.SyncInterval = 10 * time.Millisecond
	}
	if o.ScrubInterval == 0 {
		o.ScrubInterval = 24 * time.Hour
	}
	o.MaxHintBytes = cmp.Or(o.MaxHintBytes, 64<<20)
	o.MaxAllHintBytes = cmp.Or(o.MaxAllHintBytes, 256<<20)
	o.MaxHints = cmp.Or(o.MaxHints, 100_000)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}
