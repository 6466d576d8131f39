package mesh

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// dag builds a DAG from "a b:c ..." where a word is a stage, and a pair an edge.
func dag(text string) *DAG {
	d := &DAG{Namespace: "default", Name: "d"}
	for word := range strings.FieldsSeq(text) {
		if from, to, ok := strings.Cut(word, ":"); ok {
			d.Edges = append(d.Edges, Edge{From: from, To: to})
			continue
		}
		d.Stages = append(d.Stages, Stage{Name: word, Func: FuncRef{Namespace: "default", Name: "f"}})
	}
	return d
}

func TestDAGValidate(t *testing.T) {
	for _, c := range []struct{ name, dag, wantErr string }{
		{"one stage", "a", ""},
		{"chain", "a b c a:b b:c", ""},
		{"diamond", "a b c d a:b a:c b:d c:d", ""},
		{"two parts", "a b c d a:b c:d", ""},
		{"empty", "", "no stages"},
		{"duplicate stage", "a a", `stage "a" twice`},
		{"undeclared source", "a x:a", `stage "x", which is not declared`},
		{"undeclared target", "a a:y", `stage "y", which is not declared`},
		{"duplicate edge", "a b a:b a:b", "edge a:b twice"},
		{"self loop", "a a:a", "cycle a -> a"},
		{"two-cycle", "incr square incr:square square:incr", "cycle incr -> square -> incr"},
		{"cycle behind a tail", "t a b c t:a a:b b:c c:a", "cycle "},
		{"bad stage name", "a/b", "stage name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := dag(c.dag).Validate()
			if c.wantErr == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, Invalid) || !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("Validate = %v, want Invalid with %q", err, c.wantErr)
			}
		})
	}
}

func TestDAGCycleFollowsItsEdges(t *testing.T) {
	d := dag("t a b c t:a a:b b:c c:a")
	cycle := d.cycle()
	if len(cycle) != 4 || cycle[0] != cycle[3] {
		t.Fatalf("cycle = %v, want three stages and the first again", cycle)
	}
	for i := range len(cycle) - 1 {
		if !slices.Contains(d.Edges, Edge{From: cycle[i], To: cycle[i+1]}) {
			t.Errorf("cycle %v uses %s:%s, which is no edge", cycle, cycle[i], cycle[i+1])
		}
	}
}

func TestDAGParentsComeInEdgeOrder(t *testing.T) {
	d := dag("a b c sink c:sink a:sink b:sink")
	if got := d.Parents("sink"); !slices.Equal(got, []int{2, 0, 1}) {
		t.Errorf("Parents = %v, want [2 0 1]", got)
	}
	if got := d.Sinks(); !slices.Equal(got, []int{3}) {
		t.Errorf("Sinks = %v, want [3]", got)
	}
}

func TestParseFuncRef(t *testing.T) {
	ref, err := ParseFuncRef("default", "square@abc")
	if err != nil || ref != (FuncRef{"default", "square", "abc"}) || ref.String() != "square@abc" {
		t.Errorf("ParseFuncRef = %v, %v", ref, err)
	}
	if got := (FuncRef{Namespace: "team", Name: "f"}).String(); got != "team/f" {
		t.Errorf("String = %q", got)
	}
	for _, bad := range []string{"", "@v", "a b", "x/y", strings.Repeat("f", MaxIdentifier+1)} {
		if _, err := ParseFuncRef("default", bad); !errors.Is(err, Invalid) {
			t.Errorf("ParseFuncRef(%q) = %v, want Invalid", bad, err)
		}
	}
}

func TestRunAndInvocationIDs(t *testing.T) {
	id := InvocationID{Node: "node-1", Run: NewRunID(), Stage: "square", Attempt: 2}
	got, err := ParseInvocationID(id.String())
	if err != nil || got != id {
		t.Errorf("%v came back as %v, %v", id, got, err)
	}
	for attempt, want := range map[uint32]uint32{1: 0, 1<<10 - 1: 0, 1 << 10: 1, 3<<10 + 7: 3} {
		if got := (InvocationID{Attempt: attempt}).Generation(); got != want {
			t.Errorf("attempt %d is of generation %d, want %d", attempt, got, want)
		}
	}
	for _, bad := range []string{"", "a/b", "x/y/z/1", id.String() + "0000000000"} {
		if _, err := ParseInvocationID(bad); !errors.Is(err, Invalid) {
			t.Errorf("ParseInvocationID(%q) = %v, want Invalid", bad, err)
		}
	}
	if _, err := ParseRunID("12"); !errors.Is(err, Invalid) {
		t.Errorf("a short run id gave %v", err)
	}
}
