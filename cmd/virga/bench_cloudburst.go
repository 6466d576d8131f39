package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// Cloudburst's own benchmarks, by its names. See also bench_scaling.go.
const (
	cloudburstSuite = "cloudburst"
	compositionCase = "composition"
	wideDiamondCase = "diamond of 8, three nodes"
	gatherCase      = "gather, 10 actors"
	gossipCase      = "gossip, 10 actors"
	summaCase       = "summa, 9 actors"

	averageActors = 10
)

// cloudburst measures what the original's benchmarks do, and tells what they tell.
func (b *benchRun) cloudburst(ctx context.Context) error {
	b.allFigures = true
	defer func() { b.allFigures = false }()
	for _, part := range []func(context.Context) error{b.composition, b.wideDiamond, b.average, b.summa, b.scaling, b.coldStart} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// composition is incr and then square, on the node asked.
func (b *benchRun) composition(ctx context.Context) error {
	d := &mesh.DAG{
		Name:   "composition",
		Stages: []mesh.Stage{{Name: "incr", Func: benchFunc(nativeIncr)}, {Name: "square", Func: benchFunc(nativeSquare)}},
		Edges:  []mesh.Edge{{From: "incr", To: "square"}},
	}
	if err := b.mesh.client.CreateDAG(ctx, d); err != nil {
		return err
	}
	for _, callers := range b.callers {
		handle := b.mesh.client.DAG(d.Name)
		err := b.measure(ctx, compositionCase, callers, func(ctx context.Context, _ int) error {
			results, err := handle.Call(ctx, sdk.Args{"incr": {1}})
			return isResult(results, err, 4)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func isResult(results sdk.Results, err error, want int) error {
	if err != nil {
		return err
	}
	if got, err := sdk.Only[int](results); got != want {
		return fmt.Errorf("the result is %d, %v: expected %d", got, err, want)
	}
	return nil
}

// wideDiamond is a stage, eight that it feeds, and one that they feed, spread
// over all nodes.
func (b *benchRun) wideDiamond(ctx context.Context) error {
	const width = 8
	d := &mesh.DAG{Name: "wide-diamond", Stages: []mesh.Stage{{Name: "top", Func: benchFunc(nativeIncr)}, {Name: "bottom", Func: benchFunc(nativeTotal)}}}
	for i := range width {
		side := fmt.Sprintf("side%d", i)
		d.Stages = append(d.Stages, mesh.Stage{Name: side, Func: benchFunc(nativeIncr)})
		d.Edges = append(d.Edges, mesh.Edge{From: "top", To: side}, mesh.Edge{From: side, To: "bottom"})
	}
	if err := b.mesh.client.CreateDAG(ctx, d); err != nil {
		return err
	}
	handle := b.mesh.client.DAG(d.Name)
	handle.Options.Place = map[string]mesh.NodeID{"top": b.mesh.ids[0], "bottom": b.mesh.ids[0]}
	for i := range width {
		handle.Options.Place[fmt.Sprintf("side%d", i)] = b.mesh.ids[i%len(b.mesh.ids)]
	}
	return b.measure(ctx, wideDiamondCase, 1, func(ctx context.Context, _ int) error {
		results, err := handle.Call(ctx, sdk.Args{"top": {0}})
		return isResult(results, err, 2*width)
	})
}

// average has actors find the average of their numbers, by a leader and by gossip.
func (b *benchRun) average(ctx context.Context) error {
	nodes := b.mesh.spread(averageActors)
	numbers := make([]float64, averageActors)
	for i := range numbers {
		numbers[i] = 100 * rand.Float64()
	}
	average := mean(numbers)
	gatherArgs, gossipArgs := sdk.Args{}, sdk.Args{}
	for i := range averageActors {
		self := cast{i, nodes}
		gatherArgs[actorStage(i)] = []any{self, numbers[i]}
		gossipArgs[actorStage(i)] = []any{self, numbers[i], average}
	}
	within := func(tolerance float64) func(sdk.Results) error {
		return func(results sdk.Results) error { return areClose(results, average, tolerance) }
	}
	if err := b.actors(ctx, gatherCase, nativeGather, nodes, gatherArgs, within(1e-9)); err != nil {
		return err
	}
	// An actor that was close once may have strayed a little by the end.
	return b.actors(ctx, gossipCase, nativeGossip, nodes, gossipArgs, within(1))
}

func mean(numbers []float64) (m float64) {
	for _, n := range numbers {
		m += n / float64(len(numbers))
	}
	return m
}

func areClose(results sdk.Results, average, tolerance float64) error {
	for i := range averageActors {
		got, err := sdk.Result[float64](results, actorStage(i))
		if err != nil {
			return err
		}
		if math.Abs(got-average) > tolerance*average {
			return fmt.Errorf("actor %d found %v: expected %v", i, got, average)
		}
	}
	return nil
}

// spread names the node of each of so many actors.
func (m *benchMesh) spread(actors int) []string {
	nodes := make([]string, actors)
	for i := range nodes {
		nodes[i] = m.ids[i%len(m.ids)].String()
	}
	return nodes
}

// actors measures runs of a DAG of actors without edges.
func (b *benchRun) actors(ctx context.Context, name, function string, nodes []string, args sdk.Args, check func(sdk.Results) error) error {
	if !b.wants(name) {
		return nil
	}
	d := &mesh.DAG{Name: function}
	place := map[string]mesh.NodeID{}
	for i := range nodes {
		d.Stages = append(d.Stages, mesh.Stage{Name: actorStage(i), Func: benchFunc(function)})
		place[actorStage(i)] = b.mesh.ids[i%len(b.mesh.ids)]
	}
	if err := b.mesh.client.CreateDAG(ctx, d); err != nil {
		return err
	}
	handle := b.mesh.client.DAG(d.Name)
	handle.Options.Place = place
	sample, err := b.sample(ctx, name, func(ctx context.Context) (bench.Sample, error) {
		return b.load(1).Run(ctx, func(ctx context.Context, _ int) error {
			results, err := handle.Call(ctx, args)
			if err != nil {
				return err
			}
			return check(results)
		})
	})
	if err != nil {
		return err
	}
	return b.note(name, sample)
}

// cloudburstGoals are what the suite must reach.
func (b *benchRun) cloudburstGoals() []bench.Goal {
	most := max(b.callers[len(b.callers)-1], 1)
	return []bench.Goal{
		b.latencyRatio("composition from a client, p50", 1.6, compositionCase),
		b.tailRatio("composition from a client, p99", 5, compositionCase),
		b.rateRatio(fmt.Sprintf("small DAG runs, %d callers", most), 0.35, compositionCase, most),
		b.latencyRatio("diamond of width 8 over three nodes, p50", 4, wideDiamondCase),
		b.milliseconds("gather of 10 actors, p50", 10, gatherCase),
		b.milliseconds("gossip of 10 actors to 5 % error, p50", 60, gossipCase),
		b.milliseconds("from 1 to 100 warm instances of a function of 50 ms", 2000, scalingCase),
		b.failures("the same: failed calls", scalingCase),
		b.milliseconds("first call of a guest that no node saw", 1500, coldCase),
		b.milliseconds("first call of a guest, compiled before", 60, cachedColdCase),
	}
}

func (b *benchRun) tailRatio(what string, limit float64, name string) bench.Goal {
	row, ok := b.report.Row(name, 1)
	return bench.Goal{What: what, Unit: timesFloorLatency, Limit: limit, Value: bench.Ratio(row.P99US, row.FloorUS), Measured: ok}
}

func (b *benchRun) milliseconds(what string, limit float64, name string) bench.Goal {
	row, ok := b.report.Row(name, 1)
	return bench.Goal{What: what, Unit: "ms", Limit: limit, Value: row.P50US / 1000, Measured: ok}
}

func (b *benchRun) failures(what string, name string) bench.Goal {
	row, ok := b.report.Row(name, 1)
	return bench.Goal{What: what, Unit: "calls", Limit: 0, Value: float64(row.Failures), Measured: ok}
}
