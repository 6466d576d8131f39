package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/virga-mesh/virga/internal/nemesis/witness"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// Runs whose stages tell what they read and wrote, at each level that promises
// something. The levels take turns: all callers of one make some runs, and
// rest while it is the others' turn. So runs meet each other though they are few.
const (
	burst = 4   // runs of a caller
	turn  = 100 // calls of another client that a turn takes at the least
)

// shapes are the DAGs of these runs: chains and joins.
var shapes = []*mesh.DAG{
	shape("pair", 2, 0, 1),
	shape("chain", 3, 0, 1, 1, 2),
	shape("join", 3, 0, 2, 1, 2),
	shape("long-chain", 4, 0, 1, 1, 2, 2, 3),
	shape("diamond", 4, 0, 1, 0, 2, 1, 3, 2, 3),
}

// shape is a DAG of so many stages, with an edge from each first to each second.
func shape(name string, stages int, edges ...int) *mesh.DAG {
	d := &mesh.DAG{Namespace: mesh.DefaultNamespace, Name: "nemesis-witness-" + name}
	stage := func(i int) string { return fmt.Sprint("s", i) }
	for i := range stages {
		d.Stages = append(d.Stages, mesh.Stage{Name: stage(i), Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: "witness"}})
	}
	for i := 0; i < len(edges); i += 2 {
		d.Edges = append(d.Edges, mesh.Edge{From: stage(edges[i]), To: stage(edges[i+1])})
	}
	return d
}

// newHistories are those of the levels that promise something.
func newHistories() (all []*history) {
	began := time.Now()
	for _, level := range mesh.Levels() {
		if level != mesh.Eventual {
			all = append(all, newHistory(level, began))
		}
	}
	return all
}

// witness makes runs of a level until ctx ends, or the history is full. Each
// level has a turn so long.
func (l *load) witness(ctx context.Context, c *sdk.Client, level int, lax bool, turn time.Duration, chance *rand.Rand) {
	h := l.histories[level]
	for ctx.Err() == nil {
		rest(ctx, untilTurn(time.Since(h.began), turn, level, len(l.histories)))
		for range burst {
			if ctx.Err() == nil && !l.witnessOnce(ctx, c, h, lax, chance) {
				return
			}
		}
	}
}

// untilTurn is how long a level waits for its next turn, of those of so many levels.
func untilTurn(now, turn time.Duration, level, of int) time.Duration {
	round := turn * time.Duration(of)
	return round - (now+round-turn*time.Duration(level))%round
}

// witnessOnce makes a run, and reports whether there was room for it. Half of
// the runs have an id, and are called again by that until they give their result.
func (l *load) witnessOnce(ctx context.Context, c *sdk.Client, h *history, lax bool, chance *rand.Rand) bool {
	d := shapes[chance.IntN(len(shapes))]
	name, args, room := h.begin(d, chance)
	if !room {
		return false
	}
	dag := c.DAG(d.Name)
	dag.Options.Policy = "random"
	if !lax {
		dag.Options.Consistency = h.level
	}
	named := chance.IntN(2) == 0
	if named {
		dag.Options.RunID = mesh.NewRunID()
	}
	// A call under way at the end is finished, as those of all clients are.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	for {
		results, err := dag.Call(within, args)
		var note witness.Note
		if err == nil {
			note, err = sdk.Only[witness.Note](results)
		}
		if err == nil {
			h.tells(name, note)
			return true
		}
		if h.level == mesh.Transactional && errors.Is(err, mesh.Conflict) {
			h.conflict()
			return true
		}
		l.tell(err)
		if !named || ctx.Err() != nil || within.Err() != nil {
			return true
		}
		rest(within, 100*time.Millisecond)
	}
}

// concludeLevels reads all keys of the histories once more, each from two of
// its three owners, and holds the histories against their levels.
func (l *load) concludeLevels(ctx context.Context, a *arena, report *Report) {
	failed := func(err error) { report.Failures = append(report.Failures, err.Error()) }
	if len(l.histories) == 0 {
		return
	}
	if err := a.readEnds(ctx, l.histories); err != nil {
		failed(err)
	}
	at := scene{names: map[string]string{}, during: l.faultAt}
	for i, id := range a.ids {
		at.names[id.String()] = a.nodes[i].Name
	}
	for _, h := range l.histories {
		found, err := h.judge(at)
		if err != nil {
			failed(err)
		} else if found.Runs == 0 {
			failed(mesh.Errorf(mesh.Internal, "runs at "+found.Level, "none gave its result"))
		}
		report.Levels = append(report.Levels, found)
	}
}

func (a *arena) readEnds(ctx context.Context, all []*history) error {
	ctx, cancel := context.WithTimeout(ctx, equalTimeout)
	defer cancel()
	c, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	quorum := c.WithState(sdk.StateOptions{ReadQuorum: 2})
	for _, h := range all {
		for _, key := range h.keys {
			began := time.Now()
			version, err := sdk.Register[string](quorum, key).Get(ctx)
			if err != nil && !errors.Is(err, mesh.NotFound) {
				return err
			}
			h.ends(key, version, began, time.Now())
		}
	}
	return nil
}
