package elastic

import "github.com/virga-mesh/virga/mesh"

// Action is what a hook is run for.
type Action string

// The actions.
const (
	Stay   Action = ""
	Add    Action = "add"
	Remove Action = "remove"
)

// Attempt is one run of a hook, as it is noted for all nodes: the zero value
// when there never was one.
type Attempt struct {
	Runner       mesh.NodeID
	Action       Action
	Node         mesh.NodeID // to be drained
	Live, Wanted int         // nodes, before and after it
	Began, Ended int64       // by the runner's clock, in ms; Ended is 0 while it runs
	Failed       string      // why it did; empty when it worked
}

// runs reports whether the attempt has begun and not ended.
func (a Attempt) runs() bool { return a.Began != 0 && a.Ended == 0 }
