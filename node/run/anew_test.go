package run

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

// wide declares two stages beside one another, on two nodes, and one that both feed.
func (c *cluster) wide(left, right function) Request {
	c.define("left", left, "n1")
	c.define("right", right, "n2")
	c.define("end", generations, "n2")
	c.declare("wide", []string{"left", "right", "end"}, "left:end", "right:end")
	q := dagCall("wide", nil)
	q.Consistency = mesh.Repeatable
	return q
}

func TestWhereStagesBesideOneAnotherReadTwoVersionsARepeatableRunBeginsAnew(t *testing.T) {
	for torn := range 3 {
		simulate(t, 2, 1, func(t *testing.T, c *cluster) {
			c.ledger.torn = torn
			reply, err := c.nodes["n1"].Call(t.Context(), c.wide(generations, generations))
			if got, want := one(t, reply, err), fmt.Sprintf("end%[1]d(left%[1]d() right%[1]d())", torn); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if counts := c.nodes["n1"].Counts(); c.ledger.verified != torn+1 || c.ledger.commits > 0 || int(counts.Conflicts) != torn {
				t.Errorf("it was verified %d times, committed %d times, and counted as %+v", c.ledger.verified, c.ledger.commits, counts)
			}
		})
	}
}

// A function alone has nobody to disagree with; where a result may be dropped
// the home is asked about each first read.
func TestWhatCannotReadTwoVersionsIsNotVerified(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.ledger.torn = 1
		ways := c.ways()
		c.wide(generations, generations)
		c.dags["wide"].Stages[2].Any = &mesh.AnyOf{}
		ways["any of"] = dagCall("wide", nil)
		for name, q := range ways {
			if q.Consistency = mesh.Repeatable; q.DAG == "here" || q.DAG == "spread" {
				continue
			}
			if _, err := c.nodes["n1"].Call(t.Context(), q); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if c.ledger.verified != 0 {
			t.Errorf("%d runs were verified", c.ledger.verified)
		}
	})
}

// A stage may fail since what those before it have read does not fit together.
func TestARunOfWhichAStageFailsBeginsAnewIfThatMayBeWhy(t *testing.T) {
	for _, level := range []mesh.Consistency{mesh.Repeatable, mesh.Transactional} {
		for _, torn := range []int{0, 1} {
			simulate(t, 2, 1, func(t *testing.T, c *cluster) {
				c.ledger.torn = torn
				var executed atomic.Int32
				q := c.wide(generations, func(ctx context.Context, v Invocation) (mesh.Value, error) {
					if executed.Add(1) == 1 {
						return mesh.Value{}, mesh.Errorf(mesh.UserError, "", "this is odd")
					}
					return generations(ctx, v)
				})
				q.Consistency = level
				reply, err := c.nodes["n1"].Call(t.Context(), q)
				if torn == 0 {
					var failure *mesh.Error
					if !errors.As(err, &failure) || failure.Kind != mesh.UserError || failure.Stage != "right" {
						t.Errorf("%v: %v", level, err)
					}
				} else if got := one(t, reply, err); got != "end1(left1() right1())" {
					t.Errorf("%v: %s", level, got)
				}
				if level == mesh.Transactional && c.ledger.commits != torn {
					t.Errorf("%d commits of %d generations of which one failed", c.ledger.commits, torn+1)
				}
			})
		}
	}
}
