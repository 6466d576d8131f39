package main

import (
	"fmt"

	"github.com/virga-mesh/virga/internal/bench"
)

const millionsPerSecond = "M/s"

// annaGoals are those of the suite anna.
func (b *benchRun) annaGoals() []bench.Goal {
	return []bench.Goal{
		b.storeRate("store alone, merges of 1 KiB, uniform, the fewest", 1, storeCase(0)),
		b.storeRate("store alone, merges of 1 KiB, Zipf 4, the fewest", 2, storeCase(4)),
		b.storeFlat("store alone, the same with 2 to 32 callers, uniform", storeCase(0)),
		b.storeFlat("store alone, the same with 2 to 32 callers, Zipf 4", storeCase(4)),
		b.memoryPerKey(),
		b.p99("get while a node is killed: keys that it owned first, p99", 250, afterFirst),
		b.p99Ratio("get while a node is killed: all other keys, p99", 1.5, afterOther, beforeOther),
		b.took("killed node: from noticed to all copies there again", 10, refillCase),
		b.took("a node joins: start to ready", 10, joinCase),
		b.p99Ratio("get while a node joins, p99", 3, duringJoin, beforeJoin),
		b.took("restart with a full disk, stopped: start to ready", 3, restartStopped),
		b.took("restart with a full disk, killed: start to ready", 3, restartKilled),
		b.addTime(),
		b.addBytes(),
		b.pushTime(),
	}
}

// storeRates gives the lowest and the highest rate over the numbers of callers.
func (b *benchRun) storeRates(name string) (low, high float64, measured bool) {
	for i, callers := range storeThreads {
		row, ok := b.report.Row(name, callers)
		if !ok {
			return 0, 0, false
		}
		if i == 0 {
			low = row.PerSec
		}
		low, high = min(low, row.PerSec), max(high, row.PerSec)
	}
	return low, high, true
}

func (b *benchRun) storeRate(what string, limit float64, name string) bench.Goal {
	low, high, ok := b.storeRates(name)
	return bench.Goal{
		What: what, Unit: millionsPerSecond, Limit: limit, AtLeast: true, Value: low / 1e6, Measured: ok,
		Note: fmt.Sprintf("at most %.2f M/s", high/1e6),
	}
}

// flatEnough is the least ratio of two rates that are called the same: what
// rates differ by from run to run.
const flatEnough = 0.8

func (b *benchRun) storeFlat(what, name string) bench.Goal {
	low, high, ok := b.storeRates(name)
	goal := bench.Goal{What: what, Unit: "of the highest rate", Limit: flatEnough, AtLeast: true, Measured: ok}
	if ok {
		goal.Value = bench.Ratio(low, high)
	}
	return goal
}

func (b *benchRun) memoryPerKey() bench.Goal {
	return bench.Goal{
		What: "store alone, 8 B + 8 B in memory: heap for each key", Unit: "B", Limit: 150, Value: b.heapPerKey,
		Measured: b.heapPerKey != 0, Note: fmt.Sprintf("the store accounts %.0f B", b.ownPerKey),
	}
}

// annaRow finds a row of a case that has one number of callers.
func (b *benchRun) annaRow(name string) (bench.Row, bool) {
	for _, callers := range []int{1, annaReaders / 2, annaReaders} {
		if row, ok := b.report.Row(name, callers); ok {
			return row, true
		}
	}
	return bench.Row{}, false
}

func (b *benchRun) p99(what string, millis float64, name string) bench.Goal {
	row, ok := b.annaRow(name)
	return bench.Goal{What: what, Unit: "ms", Limit: millis, Value: row.P99US / 1e3, Measured: ok}
}

func (b *benchRun) p99Ratio(what string, limit float64, name, before string) bench.Goal {
	row, ok := b.annaRow(name)
	was, both := b.annaRow(before)
	goal := bench.Goal{What: what, Unit: "x that before", Limit: limit, Measured: ok && both && was.P99US > 0}
	if goal.Measured {
		goal.Value = row.P99US / was.P99US
		goal.Note = fmt.Sprintf("%.1f ms, was %.1f ms", row.P99US/1e3, was.P99US/1e3)
	}
	return goal
}

// took is for what happens once.
func (b *benchRun) took(what string, seconds float64, name string) bench.Goal {
	row, ok := b.annaRow(name)
	return bench.Goal{What: what, Unit: "s", Limit: seconds, Value: row.P50US / 1e6, Measured: ok}
}

// addLimit is how much more an addition to a large set may cost than one to a small set.
const addLimit = 3

func (b *benchRun) addTime() bench.Goal {
	small, ok := b.annaRow(addSmall)
	large, both := b.annaRow(addLarge)
	goal := bench.Goal{What: "one element added to a large set, p50", Unit: "x one of 10", Limit: addLimit, Measured: ok && both && small.P50US > 0}
	if goal.Measured {
		goal.Value = large.P50US / small.P50US
	}
	return goal
}

func (b *benchRun) addBytes() bench.Goal {
	small, large := b.bytesPerAdd[addSmall], b.bytesPerAdd[addLarge]
	goal := bench.Goal{What: "the same, bytes between nodes", Unit: "x one of 10", Limit: addLimit, Measured: small > 0 && large > 0}
	if goal.Measured {
		goal.Value, goal.Note = large/small, fmt.Sprintf("%.0f B, and %.0f B", large, small)
	}
	return goal
}

func (b *benchRun) pushTime() bench.Goal {
	row, ok := b.annaRow(pushCase)
	return bench.Goal{What: "a change, from its acknowledgement to all caches, p50", Unit: "ms", Limit: 20, Value: row.P50US / 1e3, Measured: ok}
}
