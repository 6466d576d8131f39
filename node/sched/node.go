package sched

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Stage is what the placement of a stage depends on.
type Stage struct {
	Name     string
	Func     mesh.FuncInfo // resolved, with its kind and hosts
	Parents  []int         // as indices of the request's stages
	Refs     []mesh.Key    // keys that it reads as arguments
	Colocate string        // group of stages that run on one node; empty: none
	Labels   map[string]string
	At       mesh.NodeID // where it is already, and stays; empty: it is to be placed
	Here     FuncAt      // how its function is used at the coordinator, at this moment
}

// Cost is what a function took in the mesh lately. What is 0 is not known.
type Cost struct {
	Mean        time.Duration // that an invocation takes once it has its place
	Cold        time.Duration // that a cold start takes
	ResultBytes int64         // on average
	Rate        float64       // calls per second that one coordinator places
}

// Node is what is known of a live node. Plan only reads the maps, so that
// one snapshot may serve many plans. Of a node that has told nothing lately
// all but its id may be zero.
type Node struct {
	ID      mesh.NodeID
	RTT     time.Duration // from the coordinator; 0: not known, or the coordinator itself
	Labels  map[string]string
	Load    float64 // invocations that run or wait, by places for them
	Waiting int     // invocations that wait for a place
	Places  int     // for invocations
	Cooling bool    // it was busy lately, and is given a rest
	Funcs   map[mesh.FuncRef]FuncAt
	Cached  map[mesh.Key]int64 // bytes of the keys that it holds
}

// FuncAt is how a version of a function is used at a node.
type FuncAt struct {
	Warm  int // instances that are ready, or run
	Busy  int // invocations that run or wait
	Limit int // of invocations at once; 0: the node's
}

// load is how much of the room for its invocations is in use.
func (f FuncAt) load() float64 {
	if f.Limit <= 0 {
		return 0
	}
	return float64(f.Busy) / float64(f.Limit)
}

// Weights are the figures that a plan weighs with. The zero value of a field
// means its default.
type Weights struct {
	// Bandwidth is how many bytes a second go from one node to another.
	// Default 100 MB.
	Bandwidth float64
	// Busy is the load above which a node is left alone. Default 0.7.
	Busy float64
	// RandomShare is the part of the stages that go to a node drawn at random
	// although another one holds what they read, when that one has load: so
	// hot data comes to more caches. Default 0.2; negative: none.
	RandomShare float64
}

func (w Weights) withDefaults() Weights {
	if w.Bandwidth == 0 {
		w.Bandwidth = 100e6
	}
	if w.Busy == 0 {
		w.Busy = 0.7
	}
	if w.RandomShare == 0 {
		w.RandomShare = 0.2
	}
	return w
}

// What is assumed where nothing was measured.
const (
	unknownMean = time.Millisecond     // of an invocation
	unknownCold = 5 * time.Millisecond // of a cold start
	unknownRTT  = 500 * time.Microsecond
)

// coldHorizon is the time whose calls share the price of a cold start: it is
// paid once, but a hop by every call.
const coldHorizon = 10 * time.Second

// hotLoad is the part of Weights.Busy above which a node that holds data has
// so much load that the data is worth spreading.
const hotLoad = 0.5
