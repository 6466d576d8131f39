package elastic

import "time"

// Policy says which load calls for more nodes, and which for fewer.
type Policy struct {
	// Min and Max bound the number of nodes. A Max of 0 is no bound.
	Min, Max int
	// Utilisation is of all nodes, on average.
	Utilisation Band
	// Memory and Disk are of the fullest node. A High of 0: not looked at.
	Memory, Disk Band
	// Latency is what the 99th percentile of requests is to stay within. 0: not looked at.
	Latency time.Duration
	// GraceAdd and GraceRemove are how long a load lasts before nodes are added
	// or one is removed, and how long after the last change.
	GraceAdd, GraceRemove time.Duration
}

// Band is a part of a whole: above High more nodes are wanted, and fewer
// only below Low.
type Band struct{ Low, High float64 }

// Load is how a node stood when it published that.
type Load struct {
	// Published tells one publication from another. It is a time by the
	// node's own clock, which is compared with no other.
	Published int64
	// Places is the part of the node's places for invocations that was taken
	// on average, those that waited for one counted in: above 1 with a queue.
	Places float64
	// Processors is the part of the machine's processor time that the node's process took.
	Processors float64
	// Memory and Disk are the parts of the store's bounds that are taken; 0 without a bound.
	Memory, Disk float64
	// Latency is the 99th percentile of requests; 0 when it was not measured or there were none.
	Latency time.Duration
	// Hook says that the node has a hook to run.
	Hook bool
}

// Utilisation is how busy the node is: by its places, or its processors
// where these are scarcer.
func (l Load) Utilisation() float64 { return max(l.Places, l.Processors) }
