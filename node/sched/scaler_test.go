package sched

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh"
)

func TestScaleScripts(t *testing.T) {
	golden.Words(t, "scale", func() func([]string) string {
		s, now, live, load := NewScaler(Scaling{}), time.Unix(0, 0), 10, FuncLoad{Places: 10}
		return func(words []string) string {
			switch words[0] {
			case "live":
				live = int(golden.Number(words[1]))
			case "places":
				load.Places = golden.Number(words[1])
			case "pinned":
				load.Pinned = int(golden.Number(words[1]))
			case "load": // busy, calls per second, mean time
				load.Busy, load.Rate, load.Mean = golden.Number(words[1]), golden.Number(words[2]), golden.Span(words[3])
			case "pass": // second by second
				var changes []string
				began := now
				before := -1
				for now.Sub(began) < golden.Span(words[1]) {
					now = now.Add(time.Second)
					if n := s.Look(now, live, map[mesh.FuncRef]FuncLoad{ref("f"): load})[ref("f")]; n != before {
						changes = append(changes, fmt.Sprintf("%v: %d", now.Sub(time.Unix(0, 0)), n))
						before = n
					}
				}
				return fmt.Sprint(changes)
			default:
				return "unknown command " + words[0]
			}
			return ""
		}
	})
}

func TestAllNodesThinkOfTheSameKeepers(t *testing.T) {
	nodes := []mesh.NodeID{"n1", "n2", "n3", "n4", "n5"}
	three := Keepers(ref("f"), nodes, 3)
	slices.Reverse(nodes)
	if again := Keepers(ref("f"), nodes, 3); !slices.Equal(three, again) {
		t.Errorf("%v, and in another order %v", three, again)
	}
	if two := Keepers(ref("f"), nodes, 2); !slices.Equal(two, three[:2]) {
		t.Errorf("with one less %v: expected %v", two, three[:2])
	}
	if all := Keepers(ref("f"), nodes, 9); len(all) != 5 {
		t.Errorf("9 of 5 nodes are %v", all)
	}
}
