package main

import (
	"fmt"
	"slices"

	"github.com/virga-mesh/virga/internal/bench"
)

// goals compares what was measured with what Virga must reach.
func (b *benchRun) goals() []bench.Goal {
	goals := b.everydayGoals()
	if b.runs(cloudburstSuite) {
		goals = append(goals, b.cloudburstGoals()...)
	}
	if b.runs(retwisSuite) {
		goals = append(goals, b.retwisGoals()...)
	}
	if b.runs(annaSuite) {
		goals = append(goals, b.annaGoals()...)
	}
	if b.runs(consistencySuite) {
		goals = append(goals, b.consistencyGoals()...)
	}
	return goals
}

// runs reports whether a suite is among the chosen ones.
func (b *benchRun) runs(name string) bool {
	return slices.ContainsFunc(b.chosen(), func(s benchSuite) bool { return s.name == name })
}

func (b *benchRun) everydayGoals() []bench.Goal {
	small := valueSizes[0].name
	return []bench.Goal{
		b.latency("get of a cached key inside a function", 1, readCached),
		b.allocations(),
		b.latency("warm native call through the embedded API, p50", 10, embeddedNative),
		b.wasmOverhead(),
		b.latencyRatio("client -> node: call of 100 B, one caller", 1.5, callNativeHere),
		b.latencyRatio("client -> node: get of 100 B, one caller", 1.5, getCase(small)),
		b.latencyRatio("client -> node: put of 100 B, one caller, W = 1", 1.5, putCase(small, 1)),
		b.latencyRatio("client -> node: put of 100 B, one caller, W = 2", 2.6, putCase(small, 2)),
		b.hop(),
		b.latencyRatio("chain of 16, apart, p50", 12, chainCase(16, true)),
		b.beyondFloor("chain of 16, together: beyond the client's round trip, p50", 60, chainCase(16, false)),
		b.rateRatio("get of 100 B, 128 callers", 0.6, getCase(small), 128),
		b.rateRatio("put of 100 B, 128 callers, W = 1", 0.5, putCase(small, 1), 128),
		b.rateRatio("put of 100 B, 128 callers, W = 2", 0.25, putCase(small, 2), 128),
		{What: "idle node, resident", Unit: "MiB", Limit: 60, Value: float64(b.idle) / (1 << 20), Measured: b.idle > 0},
		{What: "start of three nodes to the first call answered", Unit: "s", Limit: 3, Value: b.startup.Seconds(), Measured: b.startup > 0},
	}
}

const (
	timesFloorLatency = "x the floor's p50"
	timesFloorRate    = "x the floor's rate"
)

func (b *benchRun) latency(what string, micros float64, name string) bench.Goal {
	row, ok := b.report.Row(name, 1)
	return bench.Goal{What: what, Unit: "µs", Limit: micros, Value: row.P50US, Measured: ok}
}

func (b *benchRun) latencyRatio(what string, limit float64, name string) bench.Goal {
	row, ok := b.report.Row(name, 1)
	return bench.Goal{What: what, Unit: timesFloorLatency, Limit: limit, Value: row.P50Ratio, Measured: ok}
}

// beyondFloor is how much longer than the floor something takes.
func (b *benchRun) beyondFloor(what string, micros float64, name string) bench.Goal {
	row, ok := b.report.Row(name, 1)
	return bench.Goal{What: what, Unit: "µs", Limit: micros, Value: row.P50US - row.FloorUS, Measured: ok}
}

func (b *benchRun) rateRatio(what string, limit float64, name string, callers int) bench.Goal {
	row, ok := b.report.Row(name, callers)
	return bench.Goal{What: what, Unit: timesFloorRate, Limit: limit, AtLeast: true, Value: row.RateRatio, Measured: ok}
}

// backgroundAllocations are, for each read, those of what else runs in the process.
const backgroundAllocations = 0.1

func (b *benchRun) allocations() bench.Goal {
	row, ok := b.report.Row(readCached, 1)
	goal := bench.Goal{What: "its allocations beyond the value", Unit: "each", Limit: backgroundAllocations, Measured: ok && row.Allocs != nil}
	if goal.Measured {
		goal.Value = *row.Allocs
	}
	return goal
}

func (b *benchRun) wasmOverhead() bench.Goal {
	native, ok := b.report.Row(embeddedNative, 1)
	wasm, both := b.report.Row(embeddedWasm, 1)
	return bench.Goal{What: "warm wasm call, Go guest: over native, p50", Unit: "µs", Limit: 20, Value: wasm.P50US - native.P50US, Measured: ok && both}
}

// hop is what one more stage costs a chain whose stages are apart.
func (b *benchRun) hop() bench.Goal {
	goal := bench.Goal{What: "each extra hop between nodes in a chain", Unit: timesFloorLatency, Limit: 0.75}
	var stages, micros, floors []float64
	for _, n := range chainLengths {
		row, ok := b.report.Row(chainCase(n, true), 1)
		if !ok {
			return goal
		}
		stages, micros, floors = append(stages, float64(n)), append(micros, row.P50US), append(floors, row.P50Ratio)
	}
	goal.Value, goal.Measured = bench.Slope(stages, floors), true
	goal.Note = fmt.Sprintf("%.0f µs", bench.Slope(stages, micros))
	return goal
}
