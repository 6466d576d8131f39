package main

import (
	"fmt"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
)

// retwisGoals are those of the suite retwis: what causal reads cost, and that
// they keep their promise.
func (b *benchRun) retwisGoals() []bench.Goal {
	var goals []bench.Goal
	for _, callers := range b.callers {
		goals = append(goals, b.retwisRatio("timeline", retwisReads, callers), b.retwisRatio("post", retwisPosts, callers))
	}
	return append(goals, b.retwisViolations())
}

// retwisRatio compares medians at causal-session with those at eventual.
func (b *benchRun) retwisRatio(what string, name func(mesh.Consistency) string, callers int) bench.Goal {
	eventual, ok := b.report.Row(name(mesh.Eventual), callers)
	causal, both := b.report.Row(name(mesh.CausalSession), callers)
	return bench.Goal{
		What: fmt.Sprintf("retwis, %s at causal-session, p50, callers: %d", what, callers), Unit: "x that at eventual", Limit: 1.1,
		Value: bench.Ratio(causal.P50US, eventual.P50US), Measured: ok && both && eventual.P50US > 0 && causal.P50US > 0,
	}
}

// retwisViolations sums, over all callers, what causal reads were never to see.
func (b *benchRun) retwisViolations() bench.Goal {
	eventual, _, _ := b.violationsSeen(mesh.Eventual)
	causal, timelines, ok := b.violationsSeen(mesh.CausalSession)
	return bench.Goal{
		What: "retwis, violations that users see at causal-session", Unit: "violations", Limit: 0, Value: float64(causal), Measured: ok,
		Note: fmt.Sprintf("of %d timelines; at eventual: %d", timelines, eventual),
	}
}

func (b *benchRun) violationsSeen(level mesh.Consistency) (violations, timelines int64, ok bool) {
	for _, callers := range b.callers {
		row, measured := b.report.Row(retwisReads(level), callers)
		if measured && row.Violations != nil {
			violations, timelines, ok = violations+*row.Violations, timelines+row.N, true
		}
	}
	return violations, timelines, ok
}
