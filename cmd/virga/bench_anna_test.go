package main

import (
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

// testBenchAnna runs each case of the suite on a small data set.
func testBenchAnna(t *testing.T, program string) {
	report := benchReportOf(t, program, annaSuite, "--keys", "400", "--store-keys", "2000")
	callers := map[string][]int{}
	for _, row := range report.Rows {
		if row.N < 1 || row.PerSec <= 0 || row.P50US <= 0 || row.P99US < row.P50US {
			t.Errorf("%+v", row)
		}
		callers[row.Name] = append(callers[row.Name], row.Callers)
	}
	want := map[string][]int{
		storeCase(0): storeThreads, storeCase(4): storeThreads, memoryCase: {1},
		addSmall: {1}, addLarge: {1}, pushCase: {1},
		joinCase: {1}, beforeJoin: {annaReaders}, duringJoin: {annaReaders},
		noticedCase: {1}, refillCase: {1},
		restartStopped: {1}, restartKilled: {1},
	}
	for _, name := range []string{beforeFirst, afterFirst, beforeOther, afterOther, beforeVia, afterVia} {
		want[name] = []int{annaReaders / 2}
	}
	for _, name := range loadCases() {
		want[name] = loadThreads
	}
	for name, threads := range want {
		if !slices.Equal(callers[name], threads) {
			t.Errorf("%s was measured with %v callers, want %v", name, callers[name], threads)
		}
	}
	goals := 0
	for _, goal := range report.Goals {
		if goal.Measured {
			goals++
		}
	}
	if all := len((&benchRun{}).annaGoals()); goals != all {
		t.Errorf("%d goals were measured, want the %d of the suite", goals, all)
	}
}

func TestOwnersAreTheClosestOfThoseThatLive(t *testing.T) {
	m := &benchMesh{ids: []mesh.NodeID{"a", "b", "c", "d", "e"}}
	firsts := map[mesh.NodeID]int{}
	for i := range 500 {
		key := annaKey(i)
		owners := m.owners(key)
		firsts[owners[0]]++
		at := mesh.Key{Namespace: mesh.DefaultNamespace, Name: key}.Partition().ID()
		for _, other := range m.ids {
			if !slices.Contains(owners, other) && mesh.CompareDistance(at, other.ID(), owners[2].ID()) < 0 {
				t.Errorf("%s is closer to %s than the last of its owners", other, key)
			}
		}
	}
	if len(firsts) != len(m.ids) {
		t.Errorf("first owners of 500 keys: %v", firsts)
	}
	first, others, err := m.ownedFirst([]string{annaKey(1), annaKey(2)}, m.owners(annaKey(1))[0])
	if len(first)+len(others) != 2 && err == nil {
		t.Errorf("two keys were parted into %v and %v", first, others)
	}
}

func TestValuesAreDifferentAndWithinBounds(t *testing.T) {
	values := newAnnaValues(8)
	seen := map[string]bool{}
	for i := range 10_000 {
		seen[string(values.at(i))] = true
	}
	if len(seen) < 9900 {
		t.Errorf("10,000 values of 8 bytes are %d different ones", len(seen))
	}
}
