package hotkeys

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
)

// Placement says who owns a key and who lives; dht does.
type Placement interface {
	// Owners gives the up to n live nodes closest to the key, the closest
	// first, this node included where it is one.
	Owners(key mesh.Key, n int) []mesh.NodeID
	// Live lists the live nodes, this one included.
	Live() []mesh.NodeID
}

// Peers carries one-way messages to other nodes.
type Peers interface {
	Send(ctx context.Context, node mesh.NodeID, msg wire.Message) error
}

// Cache keeps copies of keys that other nodes own; node/cache is one.
type Cache interface {
	// Pin has the key here, and fresh, until well after the call. It waits for nothing.
	Pin(key mesh.Key, owners []mesh.NodeID)
}

// Clock gives the stamps by which a primary's later word is known from an earlier one; node/hlc has one.
type Clock interface {
	Now() lattice.Stamp
}

// Options say when a key is hot, and what follows. Fields without a default are required.
type Options struct {
	Self      mesh.NodeID
	Placement Placement
	Peers     Peers
	Cache     Cache
	Clock     Clock

	// Off finds no key hot. The node still counts, and reads keys that others find hot.
	Off bool
	// Replicas is how many nodes own a key. Default 3.
	Replicas int
	// Counted is how many keys are counted at a time. Default 128.
	Counted int
	// Sample counts one of so many reads, which stands for all of them. Default 16.
	Sample int
	// Deviations is by how many standard deviations a hot key's rate is above
	// the mean. Default 3, as in Anna (Wu, Sreekanti, Hellerstein, "Autoscaling
	// Tiered Cloud Storage in Anna", 2019).
	Deviations float64
	// Rate is how many reads per second a hot key has at least, and how many
	// are worth one extra reader. Default 1000.
	Rate float64
	// MaxExtra bounds the extra readers of a key. Default 8.
	MaxExtra int
	// Life is the time after which a read counts 1/e. Default 10 s.
	Life time.Duration
	// Grace is how long less load lasts before a key loses readers. Default 30 s.
	Grace time.Duration
	// Period is how often nodes tell and decide. Default 1 s.
	Period time.Duration
	// Log receives what goes wrong. Default: slog.Default.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Replicas = cmp.Or(o.Replicas, 3)
	o.Counted = cmp.Or(o.Counted, 128)
	o.Sample = cmp.Or(o.Sample, 16)
	o.Deviations = cmp.Or(o.Deviations, 3)
	o.Rate = cmp.Or(o.Rate, 1000)
	o.MaxExtra = cmp.Or(o.MaxExtra, 8)
	o.Life = cmp.Or(o.Life, 10*time.Second)
	o.Grace = cmp.Or(o.Grace, 30*time.Second)
	o.Period = cmp.Or(o.Period, time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// How the periods relate: a report counts for a few of them, so that a lost
// one does no harm, and a primary renews its word several times in a lease.
const (
	reportsCount = 3
	renewEvery   = 4
	leasePeriods = 15
)

// maxRaised bounds the keys with extra readers that a node knows of.
const maxRaised = 4096
