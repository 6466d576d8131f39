package sched

import (
	"cmp"
	"crypto/sha256"
	"math"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Scaling says how many nodes keep a function warm. The zero value of a field
// means its default.
type Scaling struct {
	// Add is the part of its places in use above which a function gets more
	// nodes. Default 0.7.
	Add float64
	// Remove is the part below which it has fewer after Grace. Default 0.1.
	Remove float64
	// Slower is by how many times its mean time may exceed what it was over
	// the last minutes before it gets one more node. Default 1.25.
	Slower float64
	// Grace is how long less load lasts before nodes go, and the least time
	// between two that come because it is slower. Default 30 s.
	Grace time.Duration
	// Idle is after what time without a call no node keeps it warm. Default 10 min.
	Idle time.Duration
}

func (s Scaling) withDefaults() Scaling {
	s.Add = cmp.Or(s.Add, 0.7)
	s.Remove = cmp.Or(s.Remove, 0.1)
	s.Slower = cmp.Or(s.Slower, 1.25)
	s.Grace = cmp.Or(s.Grace, 30*time.Second)
	s.Idle = cmp.Or(s.Idle, 10*time.Minute)
	return s
}

// FuncLoad is what all nodes together tell of one version of a function.
type FuncLoad struct {
	Busy   float64       // invocations that run or wait
	Places float64       // that one node has for it
	Rate   float64       // calls per second
	Mean   time.Duration // that an invocation takes
	Pinned int           // nodes that are to keep it warm whatever the load
}

// Scaler follows the load of functions. It is a state machine without a
// clock; nodes that are told the same come to the same.
type Scaler struct {
	policy Scaling
	funcs  map[mesh.FuncRef]*scaled
}

// scaled is how a function was scaled so far.
type scaled struct {
	nodes    int
	history  float64 // of the mean time, in seconds, smoothed; 0: there is none
	looked   time.Time
	usedAt   time.Time
	slowerAt time.Time // when it last got a node for being slower
	lowSince time.Time // zero: it is not
}

// historyLife is the time over which the history of a function's mean is smoothed.
const historyLife = 2 * time.Minute

// NewScaler makes a scaler that knows no function yet.
func NewScaler(policy Scaling) *Scaler {
	return &Scaler{policy: policy.withDefaults(), funcs: map[mesh.FuncRef]*scaled{}}
}

// Look gives how many of the live nodes are to keep each function warm. Of a
// function that is not in loads nothing was told.
func (s *Scaler) Look(now time.Time, live int, loads map[mesh.FuncRef]FuncLoad) map[mesh.FuncRef]int {
	wanted := make(map[mesh.FuncRef]int, len(loads))
	for ref, load := range loads {
		f := s.funcs[ref]
		if f == nil {
			f = &scaled{usedAt: now}
			s.funcs[ref] = f
		}
		f.follow(now, load, s.policy)
		f.nodes = min(f.nodes, live)
		if nodes := min(max(f.nodes, load.Pinned), live); nodes > 0 {
			wanted[ref] = nodes
		}
	}
	for ref, f := range s.funcs {
		if _, told := loads[ref]; !told && now.Sub(f.usedAt) >= s.policy.Idle {
			delete(s.funcs, ref)
		}
	}
	return wanted
}

// follow changes the number of nodes by the load.
func (f *scaled) follow(now time.Time, load FuncLoad, p Scaling) {
	if load.Busy > 0 || load.Rate >= unusedRate {
		f.usedAt = now
		f.nodes = max(f.nodes, 1)
	}
	capacity := float64(f.nodes) * load.Places
	enough := int(math.Ceil(load.Busy / (p.Add * max(1, load.Places))))
	switch {
	case now.Sub(f.usedAt) >= p.Idle:
		f.nodes = 0
	case load.Busy > p.Add*capacity:
		f.nodes = max(f.nodes+1, enough)
		f.lowSince = time.Time{}
	case f.isSlower(load, p) && now.Sub(f.slowerAt) >= p.Grace:
		f.nodes++
		f.slowerAt, f.lowSince = now, time.Time{}
	case f.nodes <= 1 || load.Busy >= p.Remove*capacity:
		f.lowSince = time.Time{}
	case f.lowSince.IsZero():
		f.lowSince = now
	case now.Sub(f.lowSince) >= p.Grace:
		f.nodes = max(f.nodes/2, enough, 1)
		f.lowSince = now
	}
	f.remember(now, load.Mean)
}

// unusedRate is the rate of calls below which a function counts as not used.
const unusedRate = 0.01

// isSlower reports whether a function that has work takes longer than it used to.
func (f *scaled) isSlower(load FuncLoad, p Scaling) bool {
	return f.history > 0 && load.Busy >= float64(f.nodes) && load.Mean.Seconds() > p.Slower*f.history
}

func (f *scaled) remember(now time.Time, mean time.Duration) {
	passed := now.Sub(f.looked)
	switch f.looked = now; {
	case mean == 0:
	case f.history == 0:
		f.history = mean.Seconds()
	default:
		weight := 1 - math.Exp(-passed.Seconds()/historyLife.Seconds())
		f.history += weight * (mean.Seconds() - f.history)
	}
}

// Keepers gives the nodes that keep a function warm: the n that are closest
// to it, so that all nodes think of the same ones.
func Keepers(ref mesh.FuncRef, nodes []mesh.NodeID, n int) []mesh.NodeID {
	target := mesh.ID(sha256.Sum256([]byte(ref.Namespace + "/" + ref.Name)))
	order := slices.Clone(nodes)
	slices.SortFunc(order, func(a, b mesh.NodeID) int { return mesh.CompareDistance(target, a.ID(), b.ID()) })
	return order[:min(n, len(order))]
}
