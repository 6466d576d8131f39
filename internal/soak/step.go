package soak

import (
	"fmt"
	"strings"
	"time"
)

// Verb is what a step does.
type Verb string

// The verbs of clients.
const (
	Put    Verb = "put"
	Delete Verb = "delete"
	Get    Verb = "get"
)

// The verbs of the nemesis.
const (
	Kill      Verb = "kill"       // as kill -9 does
	LosePower Verb = "lose power" // what was not synced is lost in part
	Stop      Verb = "stop"       // in order, as a signal does
	Restart   Verb = "restart"
	Wipe      Verb = "wipe"       // the whole disk: the node comes back as another
	WipeStore Verb = "wipe store" // the state: the node comes back under its identity
	Split     Verb = "split"      // Nodes, and all others, do not hear each other
	Heal      Verb = "heal"
	Hold      Verb = "hold"    // what the node says and is told is kept back
	Release   Verb = "release" // it all arrives
	Join      Verb = "join"
	Drain     Verb = "drain"  // hands over what it holds and leaves for good
	Forget    Verb = "forget" // the identity that a wiped node had
)

// Step is one thing that a client or the nemesis does.
type Step struct {
	Pause time.Duration // before it
	Verb  Verb
	// Node is the nemesis's victim, or the node that a client goes through:
	// Dialled for whichever its own connection leads to.
	Node int
	// Nodes are the side that Split makes.
	Nodes []int
	// Key and Value of a client's step. A value is written once.
	Key, Value int
	// Quorum of a Get; 0 is one copy, however old.
	Quorum int
}

// Dialled stands for the connection of a client, which falls over to any node.
const Dialled = -1

// String gives the step as a line of a schedule.
func (s Step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "+%-6s %s", s.Pause, s.Verb)
	switch s.Verb {
	case Put, Delete, Get:
		fmt.Fprintf(&b, " %s", keyName(s.Key))
		if s.Verb == Put {
			fmt.Fprintf(&b, " %d", s.Value)
		}
		if s.Quorum > 0 {
			fmt.Fprintf(&b, " from %d owners", s.Quorum)
		}
		if s.Node != Dialled {
			fmt.Fprintf(&b, " through node %d", s.Node)
		}
	case Split:
		fmt.Fprintf(&b, " %v from the others", s.Nodes)
	case Heal, Join:
	default:
		fmt.Fprintf(&b, " node %d", s.Node)
	}
	return b.String()
}
