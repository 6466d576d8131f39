package node

import (
	"cmp"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/node/sched"
)

// PlacementPolicy says where the stages of runs go. The zero value of a field
// means its default.
type PlacementPolicy struct {
	// Policy of runs that ask for none: locality, random or round-robin. Default locality.
	Policy string
	// Busy is the part of a node's places for invocations in use above which it
	// is left alone, unless all are. Default 0.7.
	Busy float64
	// Cooling is for how long it is left alone. Default 3 s.
	Cooling time.Duration
	// RandomShare is the part of the stages that go to a node drawn at random
	// though another one holds what they read, where that one has load. Default
	// 0.2; negative: none.
	RandomShare float64
	// Bandwidth is how many bytes a second a plan takes to go from one node to
	// another. Default 100 MB.
	Bandwidth int64
}

func (p PlacementPolicy) withDefaults() PlacementPolicy {
	p.Policy = cmp.Or(p.Policy, string(sched.Locality))
	p.Busy = cmp.Or(p.Busy, 0.7)
	p.Cooling = cmp.Or(p.Cooling, 3*time.Second)
	p.RandomShare = cmp.Or(p.RandomShare, 0.2)
	p.Bandwidth = cmp.Or(p.Bandwidth, 100e6)
	return p
}

const (
	maxCooling   = 10 * time.Minute
	minBandwidth = 1000
)

// validate gives an Invalid error that names the field, what it holds and what was expected.
func (p PlacementPolicy) validate() error {
	invalid := func(format string, args ...any) error {
		return mesh.Errorf(mesh.Invalid, "node configuration", format, args...)
	}
	if _, err := sched.ParsePolicy(p.Policy); err != nil {
		return invalid("Placement.Policy is %q: expected %s, %s or %s", p.Policy, sched.Locality, sched.Random, sched.RoundRobin)
	}
	switch {
	case !(p.Busy > 0 && p.Busy <= 1):
		return invalid("Placement.Busy is %v: expected more than 0, up to 1", p.Busy)
	case p.Cooling < 0 || p.Cooling > maxCooling:
		return invalid("Placement.Cooling is %v: expected a positive duration of at most %v", p.Cooling, maxCooling)
	case !(p.RandomShare <= 1):
		return invalid("Placement.RandomShare is %v: expected at most 1", p.RandomShare)
	case p.Bandwidth < minBandwidth:
		return invalid("Placement.Bandwidth is %d: expected at least %d bytes a second", p.Bandwidth, minBandwidth)
	}
	return nil
}

func (p PlacementPolicy) weights() sched.Weights {
	return sched.Weights{Bandwidth: float64(p.Bandwidth), Busy: p.Busy, RandomShare: p.RandomShare}
}

// WarmPolicy says how many nodes keep a function warm, and how many instances
// of it each. The zero value of a field means its default.
type WarmPolicy struct {
	// Add is the part of the places, or instances, in use above which there are
	// more. Default 0.7.
	Add float64
	// Remove is the part below which there are fewer after Grace. Default 0.1.
	Remove float64
	// Slower is by how many times a function may take longer than over the last
	// minutes before one more node keeps it warm. Default 1.25.
	Slower float64
	// Grace is how long less load lasts before there are fewer. Default 30 s.
	Grace time.Duration
	// Idle is after what time without a call nothing is kept warm. Default 10 min.
	Idle time.Duration
	// Instances bounds the instances of one module on this node. Default 1024.
	Instances int
}

func (p WarmPolicy) withDefaults() WarmPolicy {
	p.Add = cmp.Or(p.Add, 0.7)
	p.Remove = cmp.Or(p.Remove, 0.1)
	p.Slower = cmp.Or(p.Slower, 1.25)
	p.Grace = cmp.Or(p.Grace, 30*time.Second)
	p.Idle = cmp.Or(p.Idle, 10*time.Minute)
	p.Instances = cmp.Or(p.Instances, 1024)
	return p
}

const (
	minIdle      = time.Second
	maxInstances = 1 << 16
)

// validate gives an Invalid error that names the field, what it holds and what was expected.
func (p WarmPolicy) validate() error {
	invalid := func(format string, args ...any) error {
		return mesh.Errorf(mesh.Invalid, "node configuration", format, args...)
	}
	switch {
	case !(p.Add > 0 && p.Add <= 1):
		return invalid("Warm.Add is %v: expected more than 0, up to 1", p.Add)
	case !(p.Remove > 0 && p.Remove < p.Add):
		return invalid("Warm.Remove is %v: expected more than 0, less than Warm.Add, which is %v", p.Remove, p.Add)
	case !(p.Slower > 1):
		return invalid("Warm.Slower is %v: expected more than 1", p.Slower)
	case p.Grace < 0 || p.Idle < minIdle:
		return invalid("Warm.Grace is %v and Idle %v: expected positive durations, Idle of at least %v", p.Grace, p.Idle, minIdle)
	case p.Instances < 1 || p.Instances > maxInstances:
		return invalid("Warm.Instances is %d: expected 1 to %d", p.Instances, maxInstances)
	}
	return nil
}

func (p WarmPolicy) ofModules() exec.WarmPolicy {
	return exec.WarmPolicy{Add: p.Add, Remove: p.Remove, Grace: p.Grace, Idle: p.Idle, Most: p.Instances}
}

func (p WarmPolicy) scaling() sched.Scaling {
	return sched.Scaling{Add: p.Add, Remove: p.Remove, Slower: p.Slower, Grace: p.Grace, Idle: p.Idle}
}
