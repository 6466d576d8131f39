package trigger

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// State is the replicated store.
type State interface {
	// Get reads a key from enough owners to see every acknowledged write;
	// NotFound when there is none.
	Get(ctx context.Context, key mesh.Key) (lattice.Value, error)
	Put(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error
	Delete(ctx context.Context, key mesh.Key) error
	// List gives names of the system namespace in order, and whether there are more.
	List(ctx context.Context, prefix, after string, limit int) (names []string, more bool, err error)
	// GetVersion is Get of a register, with the version that Swap wants.
	GetVersion(ctx context.Context, key mesh.Key) (value lattice.Value, version string, err error)
	// Swap sets an lww if its version is the one expected, empty for a key that
	// must not exist; else it is Conflict. With a ttl the key expires. It gives
	// the version now. After Unavailable it may have been set or not.
	Swap(ctx context.Context, key mesh.Key, version string, payload []byte, ttl time.Duration) (now string, err error)
}

// Local is this node's own store.
type Local interface {
	Get(key mesh.Key) (lattice.Cell, bool, error)
	List(ctx context.Context, namespace, prefix, after string, limit int) (keys []mesh.KeyInfo, more bool, err error)
}

// Placement says who owns a key.
type Placement interface {
	// Owners gives the up to n live nodes closest to the key.
	Owners(key mesh.Key, n int) []mesh.NodeID
}

// Watches tells what changes; node/watch does.
type Watches interface {
	Handle(ctx context.Context, m *pb.Watch) (*pb.WatchReply, error)
}

// Scanner gives the keys with a prefix, as all live nodes hold them.
type Scanner interface {
	HandleScan(ctx context.Context, m *pb.Scan) (*pb.ScanReply, error)
}

// Runner runs what triggers name.
type Runner interface {
	// Check gives a NotFound error if what the trigger runs does not exist.
	Check(ctx context.Context, t *mesh.Trigger) error
	// Run runs it under an id, and returns when the run has ended, with the
	// error that it ended with. If the id is that of a run that is known, the
	// answer is that run's. With an error ended says whether there was a run
	// that ended with it: if not, the run may be made yet, under the same id.
	Run(ctx context.Context, id mesh.RunID, t *mesh.Trigger, args []mesh.Value) (ended bool, err error)
}

// Options say what a node's triggers need. Fields without a default are required.
type Options struct {
	Self      mesh.NodeID
	Notes     *Notes // that the store feeds
	State     State
	Local     Local
	Placement Placement
	Watches   Watches
	Scanner   Scanner
	Runner    Runner
	// MaxTriggers bounds the triggers of a namespace. Default 1000.
	MaxTriggers int
	// MaxKeys bounds the keys with the prefix of a trigger whose state it
	// remembers. Default 65536.
	MaxKeys int
	// Now is the wall clock. Default time.Now.
	Now func() time.Time
	// Log receives what goes wrong. Default slog.Default.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	o.MaxTriggers = cmp.Or(o.MaxTriggers, 1000)
	o.MaxKeys = cmp.Or(o.MaxKeys, 64<<10)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}
