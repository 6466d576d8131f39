package node

import (
	"cmp"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/elastic"
	"github.com/virga-mesh/virga/node/hook"
)

// NodePolicy says how many nodes the mesh is to have, and what is run to
// have them. It is to be the same on all nodes. The zero value of a field
// means its default.
type NodePolicy struct {
	// Min and Max bound the number of nodes. Default: Replicas, and no bound.
	Min, Max int
	// High and Low are parts of what all nodes together can do: more nodes
	// are wanted above High, and fewer below Low. Default 0.7 and 0.2.
	High, Low float64
	// DiskHigh and DiskLow are parts of DiskBytes, where that is set: more nodes
	// are wanted while one is above DiskHigh, and none fewer while one is
	// above DiskLow. Default 0.75 and 0.5.
	DiskHigh, DiskLow float64
	// MemoryHigh and MemoryLow are the same of MemoryBytes. Default: not looked
	// at, since a full memory is no lack of it; and half of MemoryHigh.
	MemoryHigh, MemoryLow float64
	// Latency is what the 99th percentile of requests for state is to stay
	// within, while nodes are not idle. Default: not looked at.
	Latency time.Duration
	// GraceAdd and GraceRemove are how long it must last that more nodes are
	// wanted, or fewer, and how long after the last change. Default 120 s.
	GraceAdd, GraceRemove time.Duration
	// Hook is a program with its arguments that starts or drains nodes, as
	// package node/hook tells it. Default: none.
	Hook []string
	// HookTimeout bounds one run of it. Default 10 min.
	HookTimeout time.Duration
}

func (p NodePolicy) withDefaults(replicas int) NodePolicy {
	p.Min = cmp.Or(p.Min, replicas)
	p.High = cmp.Or(p.High, 0.7)
	p.Low = cmp.Or(p.Low, 0.2)
	p.DiskHigh = cmp.Or(p.DiskHigh, 0.75)
	p.DiskLow = cmp.Or(p.DiskLow, 0.5)
	p.MemoryLow = cmp.Or(p.MemoryLow, p.MemoryHigh/2)
	p.GraceAdd = cmp.Or(p.GraceAdd, 2*time.Minute)
	p.GraceRemove = cmp.Or(p.GraceRemove, 2*time.Minute)
	p.HookTimeout = cmp.Or(p.HookTimeout, 10*time.Minute)
	return p
}

// Bounds of the policy.
const (
	maxNodes       = 10_000
	maxGrace       = 24 * time.Hour
	minHookTimeout = time.Second
	maxHookTimeout = 24 * time.Hour
)

// validate gives an Invalid error that names the field, what it holds and what was expected.
func (p NodePolicy) validate(publishes bool) error {
	invalid := func(format string, args ...any) error {
		return mesh.Errorf(mesh.Invalid, "node configuration", format, args...)
	}
	switch {
	case p.Min < 1 || p.Min > maxNodes:
		return invalid("Nodes.Min is %d: expected 1 to %d", p.Min, maxNodes)
	case p.Max != 0 && (p.Max < p.Min || p.Max > maxNodes):
		return invalid("Nodes.Max is %d: expected Nodes.Min, which is %d, to %d", p.Max, p.Min, maxNodes)
	case !isBand(p.Low, p.High):
		return invalid("Nodes.Low is %v and Nodes.High %v: expected 0 < Low < High <= 1", p.Low, p.High)
	case !isBand(p.DiskLow, p.DiskHigh):
		return invalid("Nodes.DiskLow is %v and Nodes.DiskHigh %v: expected 0 < DiskLow < DiskHigh <= 1", p.DiskLow, p.DiskHigh)
	case (p.MemoryLow != 0 || p.MemoryHigh != 0) && !isBand(p.MemoryLow, p.MemoryHigh):
		return invalid("Nodes.MemoryLow is %v and Nodes.MemoryHigh %v: expected 0 < MemoryLow < MemoryHigh <= 1", p.MemoryLow, p.MemoryHigh)
	case p.Latency < 0:
		return invalid("Nodes.Latency is %v: expected a positive duration", p.Latency)
	case p.GraceAdd < 0 || p.GraceAdd > maxGrace || p.GraceRemove < 0 || p.GraceRemove > maxGrace:
		return invalid("Nodes.GraceAdd is %v and Nodes.GraceRemove %v: expected positive durations of at most %v", p.GraceAdd, p.GraceRemove, maxGrace)
	case p.HookTimeout < minHookTimeout || p.HookTimeout > maxHookTimeout:
		return invalid("Nodes.HookTimeout is %v: expected %v to %v", p.HookTimeout, minHookTimeout, maxHookTimeout)
	case len(p.Hook) > 0 && p.Hook[0] == "":
		return invalid("Nodes.Hook begins with an empty text: expected a program")
	case len(p.Hook) > 0 && !publishes:
		return invalid("Nodes.Hook is set and StatsInterval negative: expected figures to be published, from which nodes decide")
	}
	return nil
}

func isBand(low, high float64) bool { return 0 < low && low < high && high <= 1 }

// options are the policy as node/elastic takes it, where figures are
// published at an interval.
func (p NodePolicy) options(interval time.Duration) elastic.Options {
	fresh := max(freshIntervals*interval, minFresh)
	return elastic.Options{
		Policy: elastic.Policy{
			Min: p.Min, Max: p.Max, Utilisation: elastic.Band{Low: p.Low, High: p.High},
			Memory: elastic.Band{Low: p.MemoryLow, High: p.MemoryHigh}, Disk: elastic.Band{Low: p.DiskLow, High: p.DiskHigh},
			Latency: p.Latency, GraceAdd: p.GraceAdd, GraceRemove: p.GraceRemove,
		},
		Fresh:     fresh,
		HookBound: p.HookTimeout + hook.Grace + fresh, // the end is noted, and seen, a little later
	}
}

// Published figures count for so many intervals, and so long at least.
const (
	freshIntervals = 4
	minFresh       = 10 * time.Second
)

// hook makes what is run; nil where nothing is.
func (r *rooms) newHook() *hook.Hook {
	p := r.cfg.Nodes
	if len(p.Hook) == 0 {
		return nil
	}
	return &hook.Hook{Command: p.Hook, Timeout: p.HookTimeout, Log: r.log}
}
