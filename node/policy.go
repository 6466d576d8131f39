package node

import (
	"cmp"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/hotkeys"
)

// HotKeyPolicy says when a key is hot, and how many nodes read it then. The
// zero value of a field means its default.
type HotKeyPolicy struct {
	// Off leaves all keys to their owners.
	Off bool
	// Rate is how many reads per second a hot key has at least, and how many
	// are worth one extra reader. Default 1000.
	Rate int
	// Deviations is by how many standard deviations a hot key's rate is above
	// the mean of the counted keys. Default 3.
	Deviations float64
	// MaxReaders bounds the nodes that read a key beside its owners. Default 8.
	MaxReaders int
	// Counted is how many keys a node counts at a time. Default 128.
	Counted int
	// Sample counts one of so many reads, which stands for all of them. Default 16.
	Sample int
	// Life is the time after which a read counts 1/e. Default 10 s.
	Life time.Duration
	// Grace is how long less load lasts before a key loses readers. Default 30 s.
	Grace time.Duration
}

func (p HotKeyPolicy) withDefaults() HotKeyPolicy {
	p.Rate = cmp.Or(p.Rate, 1000)
	p.Deviations = cmp.Or(p.Deviations, 3)
	p.MaxReaders = cmp.Or(p.MaxReaders, 8)
	p.Counted = cmp.Or(p.Counted, 128)
	p.Sample = cmp.Or(p.Sample, 16)
	p.Life = cmp.Or(p.Life, 10*time.Second)
	p.Grace = cmp.Or(p.Grace, 30*time.Second)
	return p
}

// Bounds of the policy.
const (
	maxExtraReaders = 64
	minCounted      = 16
	maxCounted      = 1 << 16
	maxSample       = 1 << 16
	minLife         = 100 * time.Millisecond
)

// validate gives an Invalid error that names the field, what it holds and what was expected.
func (p HotKeyPolicy) validate() error {
	invalid := func(format string, args ...any) error {
		return mesh.Errorf(mesh.Invalid, "node configuration", format, args...)
	}
	switch {
	case p.Rate < 1:
		return invalid("HotKeys.Rate is %d: expected at least 1", p.Rate)
	case !(p.Deviations > 0 && p.Deviations <= 100):
		return invalid("HotKeys.Deviations is %v: expected more than 0, up to 100", p.Deviations)
	case p.MaxReaders < 1 || p.MaxReaders > maxExtraReaders:
		return invalid("HotKeys.MaxReaders is %d: expected 1 to %d", p.MaxReaders, maxExtraReaders)
	case p.Counted < minCounted || p.Counted > maxCounted:
		return invalid("HotKeys.Counted is %d: expected %d to %d", p.Counted, minCounted, maxCounted)
	case p.Sample < 1 || p.Sample > maxSample:
		return invalid("HotKeys.Sample is %d: expected 1 to %d", p.Sample, maxSample)
	case p.Life < minLife || p.Grace < 0:
		return invalid("HotKeys.Life is %v and Grace %v: expected at least %v, and a positive duration", p.Life, p.Grace, minLife)
	}
	return nil
}

// options are the policy as node/hotkeys takes it.
func (p HotKeyPolicy) options(r *rooms) hotkeys.Options {
	return hotkeys.Options{
		Self: r.self, Placement: placement{r}, Peers: r.peers, Cache: r.cache, Clock: r.clock,
		Replicas: r.cfg.Replicas, Counted: p.Counted, Sample: p.Sample, Deviations: p.Deviations,
		Rate: float64(p.Rate), MaxExtra: p.MaxReaders, Life: p.Life, Grace: p.Grace, Off: p.Off, Log: r.log,
	}
}
