package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

var gpu = map[string]string{"gpu": "a100"}

// label gives labels to nodes.
func (c *cluster) label(labels map[string]string, nodes ...mesh.NodeID) {
	for _, node := range nodes {
		c.labels[node] = labels
	}
}

func TestAFunctionCalledAloneRunsWhereTheLabelsAre(t *testing.T) {
	simulate(t, 4, 1, func(t *testing.T, c *cluster) {
		f := &visited{}
		c.define("f", f.run)
		_, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), mesh.StageOptions{Labels: gpu}))
		if !errors.Is(err, mesh.Unavailable) || !strings.Contains(err.Error(), "4 live nodes can run it: none is labelled gpu=a100 (0 with gpu=a100)") {
			t.Errorf("without such a node: %v", err)
		}
		c.label(gpu, "n3")
		for _, o := range []mesh.StageOptions{{Labels: gpu}, {Labels: gpu, Retry: mesh.Retry{Attempts: 2}}} {
			for _, node := range c.ids {
				reply, err := c.nodes[node].Call(t.Context(), with(callOf("f"), o))
				if got := one(t, reply, err); got != "n3" {
					t.Errorf("called at %s it ran on %s", string(node), got)
				}
			}
		}
	})
}

// lasting runs f for a while.
func lasting(d time.Duration, f function) function {
	return func(ctx context.Context, v Invocation) (mesh.Value, error) {
		pause(ctx, d)
		return f(ctx, v)
	}
}

func TestElementsRunWhereTheLabelsAre(t *testing.T) {
	simulateWith(t, cramped(), 4, 1, func(t *testing.T, c *cluster) {
		f := &visited{}
		c.define("f", lasting(time.Second, f.run))
		c.label(gpu, "n2", "n3")
		q := Request{Func: fnRef("f"), Args: []Arg{{Value: encoded(t, numbers(20))}}}
		if _, err := c.nodes["n1"].Call(t.Context(), with(q, mesh.StageOptions{Labels: gpu, Map: mesh.Map{Parallel: 10}})); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(f.nodes, "n2") || !slices.Contains(f.nodes, "n3") || slices.Contains(f.nodes, "n1") || slices.Contains(f.nodes, "n4") {
			t.Errorf("the elements ran on %v: expected n2 and n3", f.nodes)
		}
	})
}

func TestElementsOfAGroupOrAPinStayOnTheNode(t *testing.T) {
	pinned := Options{Place: map[string]mesh.NodeID{"f": "n1"}, Stage: &mesh.StageOptions{Map: mesh.Map{Parallel: 10}}}
	group := Options{Stage: &mesh.StageOptions{Map: mesh.Map{Parallel: 10}, Colocate: "g"}}
	for _, options := range []Options{pinned, group} {
		simulateWith(t, cramped(), 3, 1, func(t *testing.T, c *cluster) {
			f := &visited{}
			c.define("f", lasting(time.Second, f.run))
			q := Request{Func: fnRef("f"), Args: []Arg{{Value: encoded(t, numbers(20))}}, Options: options}
			if _, err := c.nodes["n1"].Call(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			if nodes := slices.Compact(f.nodes); len(nodes) != 1 {
				t.Errorf("the elements ran on %v", nodes)
			}
		})
	}
}

func TestCopiesRunWhereTheLabelsAre(t *testing.T) {
	for _, labelled := range [][]mesh.NodeID{{"n1", "n4"}, {"n1"}} {
		simulate(t, 4, 1, func(t *testing.T, c *cluster) {
			f := &visited{}
			c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
				result, err := f.run(ctx, v)
				pause(ctx, 2*time.Second)
				return result, err
			})
			c.label(gpu, labelled...)
			o := hedge(time.Second)
			o.Labels = gpu
			if _, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), o)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(f.all(), labelled) {
				t.Errorf("the copies ran on %v: expected %v", f.all(), labelled)
			}
		})
	}
}

// Two stages of a group die with their node: they run again on one node,
// which has the labels. A stage that lives stays, and what it is is told.
func TestWhatRunsAgainHeedsGroupsLabelsAndWhatStays(t *testing.T) {
	for seed := range uint64(10) {
		simulate(t, 6, seed, func(t *testing.T, c *cluster) {
			f := &visited{}
			c.define("first", f.run, "n1")
			c.define("a", f.run)
			c.define("b", lasting(time.Second, f.run))
			c.declare("d", []string{"first", "a", "b"}, "first:a", "first:b", "a:b")
			d := c.dags["d"]
			d.Stages[1].Colocate, d.Stages[2].Colocate = "g", "g"
			d.Stages[2].Labels = gpu
			c.label(gpu, "n3", "n5")
			answer := make(chan string, 1)
			go func() {
				reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", nil))
				answer <- one(t, reply, err)
			}()
			<-time.After(500 * time.Millisecond)
			victim := f.all()[1]
			c.kill(victim)
			got := <-answer
			if got == string(victim) || got != "n3" && got != "n5" {
				t.Errorf("b ran on %s again, after %s died", got, string(victim))
			}
			all := f.all()
			if again := all[len(all)-2:]; again[0] != again[1] || again[0] == victim {
				t.Errorf("the group ran again on %v", again)
			}
			last := c.placed[len(c.placed)-1].Stages
			if len(last) != 3 || last[0].At != "n1" || last[1].At != "" || last[2].At != "" {
				t.Errorf("they were placed anew as %+v", last)
			}
			waitForDeaths()
		})
	}
}
