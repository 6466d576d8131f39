package replica

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
)

// Local is this node's own store; node/store is one.
type Local interface {
	// Get gives the cell, which must not be changed.
	Get(key mesh.Key) (lattice.Cell, bool, error)
	// View shows the cell to read, which must be short, without giving it
	// away, and reports whether there is one.
	View(key mesh.Key, read func(*lattice.Cell)) (bool, error)
	// Await returns when all writes before the call are as durable as d:
	// those of the keys, or of all where none is named.
	Await(ctx context.Context, d mesh.Durability, keys ...mesh.Key) error
	// AwaitLater is Await for mesh.Logged and who does not wait: done is told
	// the outcome, once, on a goroutine that it must not hold up.
	AwaitLater(keys []mesh.Key, done func(error))
	// Change merges the delta that make gives of the cell, and gives it. make
	// is called under the key's lock, and must be short.
	Change(ctx context.Context, key mesh.Key, d mesh.Durability, make func(have lattice.Cell, at lattice.Write) (lattice.Cell, error)) (lattice.Cell, mesh.Merged, error)
	// ChangeAtHand is Change with mesh.Memory for who must not wait: it
	// reports false where it had to.
	ChangeAtHand(key mesh.Key, make func(have lattice.Cell, at lattice.Write) (lattice.Cell, error)) (delta lattice.Cell, merged mesh.Merged, ok bool, err error)
	// Delete resets the cell and gives the delta.
	Delete(ctx context.Context, key mesh.Key, d mesh.Durability) (lattice.Cell, mesh.Merged, error)
	// Merge merges a delta and keeps nothing of it.
	Merge(ctx context.Context, key mesh.Key, delta lattice.Cell, d mesh.Durability) (mesh.Merged, error)
	// List gives keys in order, and whether there are more.
	List(ctx context.Context, namespace, prefix, after string, limit int) ([]mesh.KeyInfo, bool, error)
	// Scan gives cells in order, deleted ones too, up to limit and about maxBytes, and whether there are more.
	Scan(ctx context.Context, namespace, prefix, after string, limit, maxBytes int) ([]mesh.Record, bool, error)

	// Namespaces gives those of all cells in order, and whether there are more.
	Namespaces(ctx context.Context, after string, limit int) ([]string, bool, error)

	// Expired gives the keys whose cells expired by a time, in the order in
	// which they did, after the one given. It looks at up to limit keys; more
	// says whether there are others, and last where to go on.
	Expired(ctx context.Context, after mesh.Expiring, by time.Time, limit int) (expired []mesh.Expiring, last mesh.Expiring, more bool, err error)

	// AddHint notes durably that a node is owed a delta. It is
	// mesh.Overloaded where the node is owed too much.
	AddHint(node mesh.NodeID, key mesh.Key, delta lattice.Cell) error
	// Hints gives what a node is owed, of up to limit keys.
	Hints(ctx context.Context, node mesh.NodeID, limit int) (map[mesh.Key]lattice.Cell, error)
	// DropHint forgets what was sent, but not what was added since.
	DropHint(node mesh.NodeID, key mesh.Key, sent lattice.Cell) error
	// HintedNodes lists the nodes that are owed something.
	HintedNodes(ctx context.Context) ([]mesh.NodeID, error)

	// Hinted reports whether any node is owed something of a key.
	Hinted(key mesh.Key) (bool, error)
	// DropHints forgets what nodes are owed, where drop says so.
	DropHints(ctx context.Context, drop func(mesh.NodeID, mesh.Key) bool) (dropped int, err error)

	Queue
	Partitions
	Marks
}

// Marks are what is left of deleted keys.
type Marks interface {
	// Tombstones gives marks in order of ID, from an ID on, up to about a
	// limit, and where to go on unless it is done.
	Tombstones(ctx context.Context, from uint64, limit int) (dead []mesh.Tombstone, next uint64, done bool, err error)
	// Tombstone gives the mark of a key, zero if it is not deleted, and
	// whether anything is held of it.
	Tombstone(key mesh.Key) (dead mesh.Tombstone, held bool, err error)
	// Collect forgets the mark of a key if it still has the digest.
	Collect(ctx context.Context, key mesh.Key, digest uint64) (bool, error)
	// Remove forgets a key if its cell is still this one.
	Remove(ctx context.Context, key mesh.Key, cell lattice.Cell) (bool, error)
	// Floor is up to which lattice.Stamp.Time marks of a partition may have
	// been forgotten in the mesh.
	Floor(p mesh.Partition) uint64
	// RaiseFloor notes a later floor; an earlier one changes nothing.
	RaiseFloor(p mesh.Partition, to uint64) error
}

// Partitions are what a node holds, compared and moved by partition.
type Partitions interface {
	// Digests gives that of each partition, by number: equal where stores
	// hold the same, 0 where there is nothing.
	Digests(ctx context.Context) ([]uint64, error)
	// Digest is that of one partition.
	Digest(ctx context.Context, p mesh.Partition) (uint64, error)
	// Held lists the partitions that are not empty.
	Held(ctx context.Context) ([]mesh.Partition, error)
	// Entries tells of what a partition holds, in order of ID.
	Entries(ctx context.Context, p mesh.Partition) ([]mesh.Entry, error)
	// Differing gives what a partition holds, from an ID on, and have does
	// not tell of: up to about maxBytes, and where to go on unless that is all.
	Differing(ctx context.Context, p mesh.Partition, have []mesh.Entry, from uint64, maxBytes int) (records []mesh.Record, next uint64, done bool, err error)
	// MergeAll merges records. A record that does not fit is left out, all
	// others are merged, and the error is mesh.KindMismatch or mesh.Invalid.
	MergeAll(ctx context.Context, records []mesh.Record, d mesh.Durability) error
	// DropPartition removes what a partition holds if it still has the
	// digest, and reports whether it is empty now.
	DropPartition(ctx context.Context, p mesh.Partition, digest uint64) (bool, error)
}

// Queue keeps what this node has taken and is yet to do.
type Queue interface {
	// Enqueue keeps a request that is yet to be made, under a number that grows.
	Enqueue(ctx context.Context, request []byte, d mesh.Durability) (number uint64, err error)
	// Dequeue forgets a request that was made.
	Dequeue(number uint64) error
	// Queued gives the requests that are kept, by number.
	Queued(ctx context.Context, visit func(number uint64, request []byte)) error
}

// Placement says who owns a key and who lives; dht does.
type Placement interface {
	// Owners gives the up to n live nodes closest to the key, the closest
	// first, this node included where it is one.
	Owners(key mesh.Key, n int) []mesh.NodeID
	// Owns reports whether this node is among them, without allocating.
	Owns(key mesh.Key, n int) bool
	// PartitionOwners gives the owners of all keys of a partition.
	PartitionOwners(p mesh.Partition, n int) []mesh.NodeID
	// KnownOwners gives the n nodes closest to a partition of all that live
	// or may come back.
	KnownOwners(p mesh.Partition, n int) []mesh.NodeID
	// Live lists the live nodes, this one included. One that the mesh takes
	// for gone is none until it has said that it is back.
	Live() []mesh.NodeID
	// Members lists all that are known, live or missing, without those that
	// left for good.
	Members() []mesh.NodeID
}

// Peers carries requests to other nodes. Errors are those of the other node,
// or Unavailable, DeadlineExceeded, Cancelled.
type Peers interface {
	Call(ctx context.Context, node mesh.NodeID, req wire.Message) (wire.Message, error)
	// CallUnlessSilent is Call for a request that another node may answer as
	// well: it gives up, with Unavailable, when nothing is heard from the node.
	CallUnlessSilent(ctx context.Context, node mesh.NodeID, req wire.Message) (reply wire.Message, silent bool, err error)
	// CallFresh is Call for a write that must not be begun later than within
	// after it was sent, and can go to another node then. Unless patient, silent
	// is as with CallUnlessSilent.
	CallFresh(ctx context.Context, node mesh.NodeID, req wire.Message, within time.Duration, patient bool) (reply wire.Message, silent bool, err error)
	// TellSilent lets a node know which of some others are silent to this one,
	// before any small request that is sent later.
	TellSilent(ctx context.Context, node mesh.NodeID, others []mesh.NodeID)
	// Go is Call for who does not wait: done gets the reply or the error,
	// once, on a goroutine that it must not hold up, perhaps before Go returns.
	Go(ctx context.Context, node mesh.NodeID, req wire.Message, done func(wire.Message, error))
}

// Cache holds copies of keys that this node does not own; node/cache is one.
type Cache interface {
	// Get gives what the cache holds, at no cost.
	Get(key mesh.Key) (lattice.Cell, bool)
	// Fetch reads the key from its owners, given with the closest first,
	// and subscribes to it. found is false if enough of them say that there is none.
	Fetch(ctx context.Context, key mesh.Key, owners []mesh.NodeID) (cell lattice.Cell, found bool, err error)
}

// Subscriptions are the nodes whose caches hold keys that this node owns;
// the Publisher of node/cache keeps them.
type Subscriptions interface {
	// Subscribe notes that a node wants to be told of changes. A lease of 0 says that it will not be.
	Subscribe(node mesh.NodeID, key mesh.Key) (session uint64, lease time.Duration)
}

// HotKeys knows which keys are read far more than others; node/hotkeys does.
type HotKeys interface {
	// Read counts a read that this node serves, as an owner or from its cache.
	Read(key mesh.Key, owner bool)
	// Order gives the owners in the order in which to ask them.
	Order(key mesh.Key, owners []mesh.NodeID) []mesh.NodeID
	// Readers are the nodes that serve reads of the key beside its owners.
	Readers(key mesh.Key) []mesh.NodeID
}

// Options say how replication works. Fields without a default are required.
type Options struct {
	Self      mesh.NodeID
	Local     Local
	Placement Placement
	Peers     Peers
	// Observe has later stamps follow one that was told; the clock is Local's. Nil:
	// no write has causes.
	Observe func(lattice.Stamp) error
	// Now gives a stamp after all that this node has given or seen. Nil: IsFirm
	// takes every write for acknowledged.
	Now func() lattice.Stamp
	// Horizon is the lattice.Stamp.Time of a moment that is so far ahead of this
	// node's wall clock. Nil: what is passed on may get any stamp.
	Horizon func(ahead time.Duration) uint64
	// Cache may be nil: then every read at a non-owner goes to an owner.
	Cache Cache
	// Subscriptions may be nil: then nobody is told of changes.
	Subscriptions Subscriptions
	// HotKeys may be nil: then only owners and caches serve reads.
	HotKeys HotKeys

	// Replicas is how many nodes own a key. Default 3.
	Replicas int
	// WriteQuorum is how many owners must hold a write, where the write does
	// not say so itself; or all that are known, where there are fewer. Default 2.
	WriteQuorum int
	// ReadQuorum is how many owners' copies a get merges, where it does not
	// say so itself. Default 1.
	ReadQuorum int
	// Durability that each owner's copy must have to count. Default mesh.Logged.
	Durability mesh.Durability
	// AttemptTimeout bounds each request to one node, so that a node that
	// lives but does not answer costs no more; what is sent may take a
	// second longer for each MiB. A node that dies costs what its connection
	// takes to end. Default 5 s.
	AttemptTimeout time.Duration
	// RetryFirst and RetryLongest bound the wait before an owner that did
	// not acknowledge is sent a delta again. Default 200 ms and 10 s.
	RetryFirst, RetryLongest time.Duration
	// AntiEntropyInterval is how often digests are compared with each live
	// node, beside each time that it comes up or owners change. Default 10 s.
	AntiEntropyInterval time.Duration
	// Refill says that this node has lost what it held in an earlier run: for
	// all that it knows, nodes that are missing hold what it should hold, too.
	Refill bool
	// RememberedWrites is how many writes with ids this node knows the outcome
	// of, as their coordinator. Default 16384.
	RememberedWrites int
	// HeldWrites is how many writes that would count twice if they were applied
	// twice, and how many others with ids, this node knows its copies to have,
	// whoever coordinated them; and of how many that it applied itself, and
	// that count, it knows whether others have them. Default 131072.
	HeldWrites int
	// Sending bounds the deltas on their way to other owners, those included
	// that nobody waits for any more. More writes are mesh.Overloaded. Default 8192.
	Sending int
	// SendingBytes bounds how much they are together, but for one write.
	// More writes are mesh.Overloaded. Default 256 MiB.
	SendingBytes int64
	// Behind bounds the writes that this node has taken to make later. More
	// are mesh.Overloaded. Default 8192.
	Behind int
	// ExpiryGrace is how long after its expiry a key is deleted: so long what
	// was written before may take to be acknowledged, and half as much may
	// the nodes' clocks differ. It reads as missing at once. Default 5 s.
	ExpiryGrace time.Duration
	// ExpiryInterval is how often keys that have expired are looked for. Default 1 s.
	ExpiryInterval time.Duration
	// ExpiryTakeover is how long the second closest owner waits for the
	// closest to delete a key that has expired, and so on. Default 30 s.
	ExpiryTakeover time.Duration
	// CollectAfter is the age at which marks of deletes are forgotten, where
	// all members of the mesh agree. It is the same on all of them. 0: never.
	CollectAfter time.Duration
	// Returned, unless it is nil, reports whether the mesh has given this node
	// up before it came back. It is asked often. Then OpenAside opens a place
	// for what may have been deleted meanwhile, and Reconciled is told when
	// that is there, and Returned is to report false.
	Returned   func() bool
	Reconciled func()
	OpenAside  func() (Aside, error)
	// Log receives what goes wrong. Default: slog.Default.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Replicas = cmp.Or(o.Replicas, 3)
	o.WriteQuorum = cmp.Or(o.WriteQuorum, min(2, o.Replicas))
	o.ReadQuorum = cmp.Or(o.ReadQuorum, 1)
	o.Durability = cmp.Or(o.Durability, mesh.Logged)
	o.AttemptTimeout = cmp.Or(o.AttemptTimeout, 5*time.Second)
	o.RetryFirst = cmp.Or(o.RetryFirst, 200*time.Millisecond)
	o.RetryLongest = cmp.Or(o.RetryLongest, 10*time.Second)
	o.AntiEntropyInterval = cmp.Or(o.AntiEntropyInterval, 10*time.Second)
	o.RememberedWrites = cmp.Or(o.RememberedWrites, 16384)
	o.HeldWrites = cmp.Or(o.HeldWrites, 131072)
	o.Sending = cmp.Or(o.Sending, 8192)
	o.Behind = cmp.Or(o.Behind, 8192)
	o.SendingBytes = cmp.Or(o.SendingBytes, 256<<20)
	o.ExpiryGrace = cmp.Or(o.ExpiryGrace, 5*time.Second)
	o.ExpiryInterval = cmp.Or(o.ExpiryInterval, time.Second)
	o.ExpiryTakeover = cmp.Or(o.ExpiryTakeover, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}
