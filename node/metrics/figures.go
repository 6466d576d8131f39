package metrics

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Figures are how a node stands at one moment. Sums count from its start.
type Figures struct {
	Ready bool
	Peers int // live nodes, this one not counted

	Store       Store
	Cache       Cache
	Replication Replication
	HotKeys     HotKeys
	Sent        Sent
	Load        Load
	Nodes       Nodes

	Sessions    int // of runs
	Runs        int // coordinated by this node, under way
	Invocations int // under way
	Stages      Stages
	Work        Work
}

// Stages is what stages with options cost, and runs that commit.
type Stages struct {
	Retries   uint64 // attempts after the first
	Hedges    uint64 // second copies
	HedgesWon uint64 // whose result came first
	Batches   uint64 // invocations for several calls
	Batched   uint64 // calls in them
	Elsewhere uint64 // elements of lists that other nodes ran for this one
	Conflicts uint64 // runs, or commits of them, for which what was read did not agree
	Anew      uint64 // runs that began anew for that
}

// Store is this node's own copies.
type Store struct {
	Keys        uint64 // those of deleted keys, too
	MemoryKeys  uint64 // of them in the memory tier
	MemoryBytes uint64
	MemoryLimit uint64 // in bytes
	Pending     uint64 // bytes of the memory tier that are yet to be written to the disk
	WrittenBack uint64 // cells of it that were
	DiskLimit   uint64 // in bytes; 0: none
	DiskBytes   uint64
	Damaged     uint64 // times that a damaged record was met
	Sizes       Sizes  // of the cells, or what they grew by, that were written
}

// Sizes are a distribution.
type Sizes struct {
	Count, Bytes uint64
	UpTo         map[float64]uint64 // how many are not larger, by the size in bytes
}

// Cache is the copies of what others own, and what is told to the caches of others.
type Cache struct {
	Keys, Bytes, Limit uint64
	Hits, Misses       uint64 // reads of keys that others own
	Subscriptions      uint64 // of other nodes to keys of this one
	PushesSent         uint64 // deltas that subscribers took
	PushesReceived     uint64 // deltas that owners sent
}

// Replication is how far other owners are behind, as this node knows.
type Replication struct {
	Sending      uint64 // deltas on their way
	SendingBytes uint64
	Owed         []Debt // by peer, those who are owed nothing left out
	OwedBytes    uint64 // of all that is owed
	Dropped      uint64 // debts that were too many, and were dropped
	Collected    uint64 // marks of deletes that this node forgot
	SetAside     uint64 // keys that it set aside when it came back
	Repairs      uint64 // copies of keys brought up to date beside writes
	Expired      uint64 // keys that this node deleted for having expired
	Pulled       uint64 // bytes taken over from other nodes
	Unsettled    uint64 // partitions that this node has yet to compare or fetch
}

// Debt is what one node is owed.
type Debt struct {
	Node   mesh.NodeID
	Keys   uint64
	Oldest time.Duration // since when, at most since this node started
}

// Load is how busy the node was on average between its last two publications.
type Load struct {
	Places     float64       // part of the places for invocations that was taken or waited for
	Processors float64       // part of the machine's processor time, by this process
	Latency    time.Duration // 99th percentile of requests; 0 where it is not measured
	Waiting    uint64        // invocations that wait for a place now
}

// Nodes is how many the mesh is to have, and what this node did for that.
type Nodes struct {
	Wanted      uint64 // 0: not known yet
	HooksRun    uint64
	HooksFailed uint64 // of these
}

// Sent is how many bytes of frames the node sent, by who they were for.
type Sent struct {
	ToNodes, ToClients uint64
}

// HotKeys are the keys with more load than others.
type HotKeys struct {
	Raised uint64 // keys with extra readers, as all nodes know
	Copies uint64 // of them read here as an extra reader
	Top    []HotKey
}

// HotKey is a key that is read more than others here.
type HotKey struct {
	Key   mesh.Key
	Rate  float64 // reads per second that this node serves
	Extra int     // readers beside the owners
}

// Work is what functions and DAGs take on this node.
type Work struct {
	Capacity   uint64    // places for invocations
	ColdStarts Durations // of what was called and was not ready
	Functions  []Function
	DAGs       []DAG
}

// Durations are a distribution.
type Durations struct {
	Count   uint64
	Seconds float64            // in all
	UpTo    map[float64]uint64 // how many are not longer, by the seconds
}

// Function is one version of a function, as it is used on this node.
type Function struct {
	Ref        mesh.FuncRef
	Calls      uint64
	ColdStarts uint64
	Warm       int
	Mean, P95  time.Duration
}

// DAG is one that was called through this node.
type DAG struct {
	Namespace, Name string
	Calls           uint64
}
