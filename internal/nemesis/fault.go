package nemesis

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// fault is what can befall a node.
type fault struct {
	name string
	// possible says why the fault cannot be made here; empty: it can.
	possible func(*arena) string
	// prepare readies the node before the fault, if not nil.
	prepare func(ctx context.Context, a *arena, victim int) error
	// strike makes the fault, and says what it did in particular.
	strike func(ctx context.Context, a *arena, victim int) (string, error)
	// repair ends it: the node runs and hears the others.
	repair func(ctx context.Context, a *arena, victim int) error
}

// faults are all there are, by name.
var faults = []fault{
	{name: "kill -9", strike: kill, repair: restart},
	{name: "stop and start", strike: stop, repair: restart},
	{name: "pause", strike: pause, repair: resume},
	{name: "cut off", strike: cutOff, repair: reconnect},
	{name: "cut off from everyone", possible: firewallable, strike: wallIn, repair: wallOut},
	{name: "truncate the log", strike: damaged(truncate), repair: restart},
	{name: "flip a bit", strike: damaged(flip), repair: restart},
	{name: "fill the disk", possible: mountable, prepare: smallDisk, strike: fillDisk, repair: freeDisk},
}

func kill(_ context.Context, a *arena, victim int) (string, error) { return "", a.nodes[victim].Kill() }

func stop(ctx context.Context, a *arena, victim int) (string, error) { return "", a.stop(ctx, victim) }

func restart(ctx context.Context, a *arena, _ int) error { return a.restart(ctx) }

func pause(_ context.Context, a *arena, victim int) (string, error) {
	return "", a.nodes[victim].Pause()
}

func resume(_ context.Context, a *arena, victim int) error { return a.nodes[victim].Resume() }

func cutOff(_ context.Context, a *arena, victim int) (string, error) {
	return "", a.proxy.Cut(a.nodes[victim].Addr, true)
}

func reconnect(_ context.Context, a *arena, victim int) error {
	return a.proxy.Cut(a.nodes[victim].Addr, false)
}

// damaged kills a node and damages its store while it is down.
func damaged(damage func(store string, chance *rand.Rand) (string, error)) func(context.Context, *arena, int) (string, error) {
	return func(ctx context.Context, a *arena, victim int) (string, error) {
		if err := a.nodes[victim].Kill(); err != nil {
			return "", err
		}
		if !a.nodes[victim].Gone(ctx) {
			return "", mesh.Errorf(mesh.Internal, "kill", "node %s still runs: %w", a.nodes[victim].Name, ctx.Err())
		}
		return damage(a.store(victim), a.chance)
	}
}

// Bounds of how long a fault lasts: less or more than it takes to notice it.
const (
	shortest = 500 * time.Millisecond
	longest  = 5 * time.Second
)

// choose draws the faults whose names are given, or all, in random order, and
// says of those that cannot be made here why.
func choose(a *arena, names []string) (chosen []fault, skipped []Skipped, err error) {
	known := map[string]bool{}
	for _, f := range faults {
		known[f.name] = true
		if !wanted(names, f.name) {
			continue
		}
		if f.possible != nil {
			if why := f.possible(a); why != "" {
				skipped = append(skipped, Skipped{Fault: f.name, Why: why})
				continue
			}
		}
		chosen = append(chosen, f)
	}
	for _, name := range names {
		if !known[name] {
			return nil, nil, mesh.Errorf(mesh.Invalid, "chaos", "no fault %q: expected one of %s", name, faultNames())
		}
	}
	a.chance.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen, skipped, nil
}

func wanted(names []string, name string) bool { return len(names) == 0 || slices.Contains(names, name) }

func faultNames() string {
	names := make([]string, 0, len(faults))
	for _, f := range faults {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}
