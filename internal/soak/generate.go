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

// generator draws a schedule.
type generator struct {
	only   string // part of the names of the faults to draw; empty: all
	chance *rand.Rand
	made   int   // nodes that there have been
	gone   []int // nodes that left for good
	value  int   // last written
}

// Generate gives the schedule of a seed, of all faults or only those whose
// name has a part in it.
func Generate(seed uint64, only string) Schedule {
	g := &generator{only: only, chance: rand.New(rand.NewPCG(seed, 0))}
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
	entries := append([]int{Dialled}, g.present()...)
	round := Round{Fault: f.name, Nemesis: f.plan(g)}
	lasts := time.Second
	for _, step := range round.Nemesis {
		lasts += step.Pause
	}
	for client := range clients {
		round.Clients = append(round.Clients, g.load(client, entries, lasts))
	}
	return round
}

// fault draws one that makes sense with the nodes there are.
func (g *generator) fault() fault {
	var fit []fault
	for _, f := range faults {
		if len(g.present()) >= f.nodes && g.made < mostNodes && strings.Contains(f.name, g.only) {
			fit = append(fit, f)
		}
	}
	if len(fit) == 0 {
		return faults[0]
	}
	return fit[g.chance.IntN(len(fit))]
}

// load draws what a client does while a round lasts, through some nodes.
func (g *generator) load(client int, entries []int, lasts time.Duration) (steps []Step) {
	for lasts > 0 {
		step := g.clientStep(client)
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
