package soak

// fault is one kind of what befalls a mesh in a round. When its plan has run,
// every node runs and hears the others.
type fault struct {
	name string
	// nodes is the fewest with which it makes sense.
	nodes int
	plan  func(*generator) []Step
}

// faults are all kinds, each as likely as the others.
var faults = []fault{
	{name: "none", nodes: 1, plan: func(*generator) []Step { return nil }},
	{name: "a node is killed", nodes: 3, plan: func(g *generator) []Step { return g.down(Kill, g.victims(1)) }},
	{name: "a node stops and starts", nodes: 3, plan: func(g *generator) []Step { return g.down(Stop, g.victims(1)) }},
	{name: "a machine loses power", nodes: 3, plan: func(g *generator) []Step { return g.down(LosePower, g.victims(1)) }},
	{name: "two nodes are killed at once", nodes: 3, plan: func(g *generator) []Step { return g.down(Kill, g.victims(2)) }},
	{name: "all nodes are killed", nodes: 3, plan: func(g *generator) []Step { return g.down(Kill, g.victims(len(g.present()))) }},
	{name: "one node after another is killed", nodes: 3, plan: func(g *generator) []Step {
		var steps []Step
		for _, victim := range g.victims(2) {
			steps = append(steps, g.down(Kill, []int{victim})...)
		}
		return steps
	}},
	{name: "a node is cut off", nodes: 3, plan: func(g *generator) []Step { return g.cut(g.victims(1)) }},
	{name: "a node is cut off again and again", nodes: 3, plan: func(g *generator) []Step {
		victim := g.victims(1)
		return append(g.cut(victim), append(g.cut(victim), g.cut(victim)...)...)
	}},
	{name: "a node is held up", nodes: 3, plan: func(g *generator) []Step { return g.hold(g.victims(1)[0]) }},
	{name: "a node is held up again and again", nodes: 3, plan: func(g *generator) (steps []Step) {
		victim := g.victims(1)[0]
		for range 8 {
			steps = append(steps, g.hold(victim)...)
		}
		return steps
	}},
	{name: "a node is killed while another is cut off", nodes: 5, plan: func(g *generator) []Step {
		both := g.victims(2)
		steps := g.cut(both[:1])
		return append(steps[:1], append(g.down(Kill, both[1:]), steps[1:]...)...)
	}},
	{name: "the mesh splits", nodes: 4, plan: func(g *generator) []Step { return g.cut(g.victims(len(g.present()) / 2)) }},
	{name: "a node returns with an empty disk", nodes: 3, plan: func(g *generator) []Step { return g.empty(Wipe) }},
	{name: "a node returns with an empty store", nodes: 3, plan: func(g *generator) []Step { return g.empty(WipeStore) }},
	{name: "a node joins", nodes: 1, plan: func(g *generator) []Step { return g.join() }},
	{name: "a node leaves", nodes: 4, plan: func(g *generator) []Step { return g.drain(g.victims(1)[0]) }},
	{name: "a node leaves while another is killed", nodes: 5, plan: func(g *generator) []Step {
		both := g.victims(2)
		steps, leaves := g.down(Kill, both[:1]), g.drain(both[1])
		return append(steps[:1], append(leaves, steps[1:]...)...)
	}},
	{name: "a node joins while another is killed", nodes: 3, plan: func(g *generator) []Step {
		steps := g.down(Kill, g.victims(1))
		return append(steps[:1], append(g.join(), steps[1:]...)...)
	}},
}

// down takes nodes down at once, and starts them one by one.
func (g *generator) down(verb Verb, victims []int) (steps []Step) {
	pause := g.pause(longestPause)
	for _, victim := range victims {
		steps = append(steps, Step{Pause: pause, Verb: verb, Node: victim})
		pause = 0
	}
	for _, at := range g.chance.Perm(len(victims)) {
		steps = append(steps, Step{Pause: g.pause(longestPause), Verb: Restart, Node: victims[at]})
	}
	return steps
}

func (g *generator) cut(side []int) []Step {
	return []Step{
		{Pause: g.pause(longestPause), Verb: Split, Nodes: side},
		{Pause: g.pause(2 * longestPause), Verb: Heal},
	}
}

func (g *generator) hold(victim int) []Step {
	return []Step{
		{Pause: g.pause(longestPause), Verb: Hold, Node: victim},
		{Pause: g.pause(longestPause), Verb: Release, Node: victim},
	}
}

func (g *generator) empty(wipe Verb) []Step {
	steps := g.down(Kill, g.victims(1))
	victim := steps[0].Node
	steps = []Step{steps[0], {Verb: wipe, Node: victim}, steps[1]}
	if wipe == Wipe { // that a key is missing cannot be known while who may have held it is expected back
		steps = append(steps, Step{Verb: Forget, Node: victim})
	}
	return steps
}

func (g *generator) drain(victim int) []Step {
	g.gone = append(g.gone, victim)
	return []Step{{Pause: g.pause(longestPause), Verb: Drain, Node: victim}}
}

func (g *generator) join() []Step {
	g.made++
	return []Step{{Pause: g.pause(longestPause), Verb: Join}}
}
