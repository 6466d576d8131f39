package main

import (
	"fmt"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
)

// What a level may cost: times of eventual, and transactional times of
// causal-session, whose order it keeps as well.
const (
	levelMedianLimit         = 1.15
	transactionalMedianLimit = 1.3
	levelTailLimit           = 2
)

// consistencyGoals compare each level with eventual or causal-session, in the
// runs between which the levels took turns.
func (b *benchRun) consistencyGoals() (goals []bench.Goal) {
	for _, level := range mesh.Levels() {
		base, medianLimit := mesh.Eventual, levelMedianLimit
		if level == mesh.Transactional {
			base, medianLimit = mesh.CausalSession, transactionalMedianLimit
		}
		if level != mesh.Eventual {
			goals = append(goals,
				b.levelRatio(level, base, "p50", medianLimit, func(r bench.Row) float64 { return r.P50US }),
				b.levelRatio(level, base, "p99", levelTailLimit, func(r bench.Row) float64 { return r.P99US }))
		}
	}
	for _, quantile := range []struct {
		name  string
		at    int // of a hundred
		limit float64
	}{{"median", 50, 100}, {"p99", 99, 1024}} {
		goal := bench.Goal{What: "causal metadata of a key that causal runs wrote, " + quantile.name, Unit: "B", Limit: quantile.limit, Measured: len(b.metadata) > 0}
		if goal.Measured {
			goal.Value = float64(b.metadata[(len(b.metadata)-1)*quantile.at/100])
			goal.Note = fmt.Sprintf("of %d keys", len(b.metadata))
		}
		goals = append(goals, goal)
	}
	barred := 0
	for _, a := range b.audits {
		for _, kind := range check.Forbidden(a.level) {
			barred += a.counts[kind]
		}
	}
	return append(goals, bench.Goal{What: "anomalies that the level of a run forbids", Unit: "anomalies", Value: float64(barred), Measured: len(b.audits) > 0})
}

func (b *benchRun) levelRatio(level, to mesh.Consistency, figure string, limit float64, of func(bench.Row) float64) bench.Goal {
	row, ok := b.report.Row(levelCase(level), b.runCallers)
	base, both := b.report.Row(levelCase(to), b.runCallers)
	goal := bench.Goal{What: fmt.Sprintf("DAGs under %s, %s", level, figure), Unit: "x " + to.String(), Limit: limit, Measured: ok && both && of(base) > 0}
	if goal.Measured {
		goal.Value = of(row) / of(base)
	}
	return goal
}
