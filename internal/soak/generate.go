package soak

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Bounds of a schedule.
const (
	fewestNodes  = 3
	mostNodes    = 9
	fewestRounds = 2
	mostRounds   = 5
	longestPause = 3 * time.Second // of the nemesis: less or more than it takes to see that a node is dead
	longestRest  = 250 * time.Millisecond
)

// Scope is what schedules are drawn from. The zero Scope is all that a mesh
// must hold.
type Scope struct {
	// Only names faults by a part of their name; empty: all.
	Only string
	// Open draws also what a mesh does not hold yet: faults that say so, and,
	// while others stand in for owners, deletes and writes of keys that were
	// ever deleted. Who stands in may not know of the delete, which then wins
	// over the write (docs/semantics.md, Deletes).
	Open bool
}

// generator draws a schedule.
type generator struct {
	Scope
	chance  *rand.Rand
	made    int   // nodes that there have been
	gone    []int // nodes that left for good
	value   int   // last written
	deleted [keys]bool
}

// Generate gives the schedule of a seed.
func Generate(seed uint64, scope Scope) Schedule {
	g := &generator{Scope: scope, chance: rand.New(rand.NewPCG(seed, 0))}
	// Small meshes come more often: there each fault concerns most keys.
	g.made = fewestNodes + min(g.chance.IntN(mostNodes-fewestNodes+1), g.chance.IntN(mostNodes-fewestNodes+1))
	s := Schedule{Seed: seed, Nodes: g.made}
	for range fewestRounds + g.chance.IntN(mostRounds-fewestRounds+1) {
		s.Rounds = append(s.Rounds, g.round())
	}
	return s
}

func (g *generator) round() Round {
	f := g.fault()
	before := g.present()
	round := Round{Fault: f.name, Nemesis: f.plan(g), Apart: f.apart, Behind: f.standIns && len(before) > replicas}
	lasts := time.Second
	for _, step := range round.Nemesis {
		lasts += step.Pause
	}
	for client := range clients {
		round.Clients = append(round.Clients, g.load(client, g.entries(client, before, round), lasts, round.Behind && !g.Open))
	}
	return round
}

// fault draws one that makes sense with the nodes there are.
func (g *generator) fault() fault {
	var fit []fault
	for _, f := range faults {
		if len(g.present()) >= f.nodes && g.made < mostNodes && g.draws(f) {
			fit = append(fit, f)
		}
	}
	if len(fit) == 0 {
		return faults[0]
	}
	return fit[g.chance.IntN(len(fit))]
}

// entries are the nodes that a client goes through in a round. Where several
// sides may acknowledge it stays on one: what it wrote on the other it could
// not know.
func (g *generator) entries(client int, nodes []int, round Round) []int {
	all := append([]int{Dialled}, nodes...)
	if !round.Apart {
		return all
	}
	side := round.Nemesis[0].Nodes
	if client%2 == 0 {
		return side
	}
	return slices.DeleteFunc(all, func(node int) bool { return slices.Contains(side, node) })
}

// load draws what a client does while a round lasts: with or without what
// Scope.Open says.
func (g *generator) load(client int, entries []int, lasts time.Duration, closed bool) (steps []Step) {
	for lasts > 0 {
		step := g.clientStep(client)
		if closed && (step.Verb == Delete || g.deleted[step.Key]) {
			step.Verb = Get
		}
		if step.Verb == Delete {
			g.deleted[step.Key] = true
		}
		step.Pause = g.pause(longestRest)
		step.Node = entries[g.chance.IntN(len(entries))]
		steps = append(steps, step)
		lasts -= step.Pause
	}
	return steps
}

func (g *generator) clientStep(client int) Step {
	own := client + clients*g.chance.IntN(keys/clients)
	switch n := g.chance.IntN(100); {
	case n < 50:
		g.value++
		return Step{Verb: Put, Key: own, Value: g.value}
	case n < 58:
		return Step{Verb: Delete, Key: own}
	case n < 75:
		return Step{Verb: Get, Key: g.chance.IntN(keys)}
	}
	return Step{Verb: Get, Key: g.chance.IntN(keys), Quorum: 2}
}

// present are the nodes that there are by now.
func (g *generator) present() (nodes []int) {
	for node := range g.made {
		if !slices.Contains(g.gone, node) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// victims draws different nodes among those that there are.
func (g *generator) victims(count int) []int {
	nodes := g.present()
	g.chance.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	return nodes[:count]
}

// pause draws one in whole milliseconds.
func (g *generator) pause(longest time.Duration) time.Duration {
	return time.Duration(g.chance.Int64N(longest.Milliseconds())) * time.Millisecond
}

func (g *generator) draws(f fault) bool {
	return strings.Contains(f.name, g.Only) && (f.open == "" || g.Open)
}
