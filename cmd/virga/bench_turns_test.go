package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

func TestCasesTakeTurnsAndTheFirstBlocksAreNotKept(t *testing.T) {
	const callers, warmup, blocks = 3, 1, 2
	var lock sync.Mutex
	var turns []string
	numbers := map[string][]int{}
	newCase := func(name string) *turnCase {
		return &turnCase{name: name, run: func(_ context.Context, number int) (making, error) {
			lock.Lock()
			defer lock.Unlock()
			if turn := fmt.Sprint(name, number/turnBlock); !slices.Contains(turns, turn) {
				turns = append(turns, turn)
			}
			numbers[name] = append(numbers[name], number)
			return making{took: time.Duration(number+1) * time.Millisecond, conflicts: 1}, nil
		}}
	}
	cases := []*turnCase{newCase("a"), newCase("b"), newCase("c")}
	if err := byTurns(t.Context(), cases, callers, warmup, blocks); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(turns), "[a0 b0 c0 b1 c1 a1 c2 a2 b2]"; got != want {
		t.Errorf("the turns were %s, want %s", got, want)
	}
	for _, c := range cases {
		slices.Sort(numbers[c.name])
		if got := numbers[c.name]; len(got) != (warmup+blocks)*turnBlock || got[0] != 0 || len(slices.Compact(got)) != len(got) {
			t.Errorf("%s made the runs %v", c.name, got)
		}
		if s := c.sample(callers); s.N() != blocks*turnBlock || c.conflicts != blocks*turnBlock || s.Callers != callers || slices.Min(c.took) != (turnBlock+1)*time.Millisecond {
			t.Errorf("%s kept %v, and %d conflicts", c.name, c.took, c.conflicts)
		}
	}
}

func TestAnErrorTellsTheCaseWhoseTurnItWas(t *testing.T) {
	made := &turnCase{name: "made", run: func(context.Context, int) (making, error) { return making{}, nil }}
	lost := &turnCase{name: "lost", run: func(context.Context, int) (making, error) { return making{}, context.DeadlineExceeded }}
	err := byTurns(t.Context(), []*turnCase{made, lost}, 2, 0, 1)
	if !errors.Is(err, mesh.DeadlineExceeded) || !strings.Contains(err.Error(), "bench lost") {
		t.Errorf("%v", err)
	}
}

func TestARunIsMadeAgainAfterAConflictOfATransaction(t *testing.T) {
	for level, want := range map[mesh.Consistency]int{mesh.Transactional: 2, mesh.CausalSession: 0} {
		calls := 0
		made, err := makeRun(t.Context(), level, func() error {
			if calls++; calls < 3 {
				return mesh.Errorf(mesh.Conflict, "commit", "changed")
			}
			return nil
		})
		if made.conflicts != want || calls != want+1 || errors.Is(err, mesh.Conflict) == (level == mesh.Transactional) {
			t.Errorf("%s: %d conflicts in %d calls, %v", level, made.conflicts, calls, err)
		}
	}
}
