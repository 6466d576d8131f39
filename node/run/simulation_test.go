package run

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// lengthy is a function that takes some virtual time.
func lengthy(r *rand.Rand) function {
	return func(ctx context.Context, v Invocation) (mesh.Value, error) {
		timer := time.NewTimer(time.Duration(r.Int64N(int64(100 * time.Millisecond))))
		defer timer.Stop()
		select {
		case <-timer.C:
			stage, _, anyOf := strings.Cut(v.ID.Stage, "<")
			result, err := computed(stage, anyOf, valueTexts(v.Args))
			if err != nil {
				return mesh.Value{}, mesh.Errorf(mesh.UserError, "", "%w", err)
			}
			return text(result), nil
		case <-ctx.Done():
			return mesh.Value{}, ctx.Err()
		}
	}
}

// lockedSource lets stages that run at once draw from one source.
type lockedSource struct {
	c *cluster
	s rand.Source
}

func (l lockedSource) Uint64() uint64 {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.s.Uint64()
}

// prepare declares the job in the cluster as DAG "d".
func (c *cluster) prepare(j job, seed uint64) Request {
	c.delay, c.twice = 50*time.Millisecond, true
	c.dags["d"] = j.dag
	f := lengthy(rand.New(lockedSource{c, rand.NewPCG(seed, 9)}))
	for _, s := range j.dag.Stages {
		c.functions[s.Name] = f
	}
	return dagCall("d", j.args)
}

func TestRunsAgreeWithDirectEvaluation(t *testing.T) {
	for seed := range uint64(200) {
		simulate(t, 4, seed, func(t *testing.T, c *cluster) {
			r := rand.New(rand.NewPCG(seed, 1))
			j := randomJob(r, 8)
			q := c.prepare(j, seed)
			q.Policy = []string{"locality", "random", "round-robin"}[r.IntN(3)]
			reply, err := c.nodes["n1"].Call(t.Context(), q)
			if wrong := j.direct().check(reply.Results, err); wrong != "" {
				t.Fatalf("seed %d: %s", seed, wrong)
			}
			if err == nil {
				synctest.Wait()
				if c.messages("EndRun") != 0 {
					t.Errorf("seed %d: a run that succeeded was cut short %d times", seed, c.messages("EndRun"))
				}
				checkExplained(t, c.nodes["n1"], reply.ID, j.dag)
			}
			<-time.After(time.Second)
			for _, node := range c.ids {
				if left := c.nodes[node].shareCount(); left != 0 {
					t.Errorf("seed %d: node %s still keeps %d runs", seed, string(node), left)
				}
			}
		})
	}
}

// checkExplained sees that the coordinator can tell of every stage where it
// ran, and why. Nobody may have waited for those before an any-of stage.
func checkExplained(t *testing.T, r *Runs, id mesh.RunID, dag *mesh.DAG) {
	t.Helper()
	record, err := r.Await(t.Context(), id, false)
	if err != nil || record.State != mesh.Succeeded || len(record.Plan) != len(dag.Stages) {
		t.Fatalf("record %+v, %v: want %d stages planned", record, err, len(dag.Stages))
	}
	anyOf := slices.ContainsFunc(dag.Stages, func(s mesh.Stage) bool { return s.Any != nil })
	if !anyOf && len(record.Reports) != len(dag.Stages) {
		t.Fatalf("record %+v: want %d stages reported", record, len(dag.Stages))
	}
	for _, report := range record.Reports {
		plan := record.Plan[report.Stage]
		if report.Node != plan.Node || plan.Why == "" || (report.Bytes == 0) != report.Skipped {
			t.Errorf("stage %d: planned %+v, reported %+v", report.Stage, plan, report)
		}
	}
}

// With nodes that die at any moment, a run ends with the right result or a
// typed error, and within its deadline.
func TestRunsSurviveDeathsOrSaySo(t *testing.T) {
	restarted, failed := 0, 0
	for seed := range uint64(300) {
		simulate(t, 5, seed, func(t *testing.T, c *cluster) {
			r := rand.New(rand.NewPCG(seed, 2))
			j := randomJob(r, 8)
			q := c.prepare(j, seed)
			q.Policy = "random"
			for i := range r.IntN(3) {
				at := time.Duration(r.Int64N(int64(600 * time.Millisecond)))
				victim := mesh.NodeID(fmt.Sprintf("n%d", 2+(int(seed)+i)%4))
				time.AfterFunc(at, func() { c.kill(victim) })
			}
			start := time.Now()
			reply, err := c.nodes["n1"].Call(t.Context(), q)
			if took := time.Since(start); took > DefaultTimeout {
				t.Fatalf("seed %d: took %v", seed, took)
			}
			if errors.Is(err, mesh.Unavailable) {
				failed++
				waitForDeaths()
				return
			}
			if wrong := j.direct().check(reply.Results, err); wrong != "" {
				t.Fatalf("seed %d: %s", seed, wrong)
			}
			if record, err := c.nodes["n1"].Await(t.Context(), reply.ID, true); err == nil && record.Attempt > 1 {
				restarted++
			}
			waitForDeaths()
		})
	}
	if restarted < 20 {
		t.Errorf("%d runs were restarted, %d failed: the seeds try too little", restarted, failed)
	}
}

// waitForDeaths lets the deaths that are scheduled happen, in virtual time.
func waitForDeaths() { <-time.After(DefaultTimeout + time.Second) }

func TestDeadCoordinatorsRunIsDropped(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		started, ended := make(chan mesh.NodeID, 1), make(chan mesh.NodeID, 1)
		c.define("f", blocked(started, ended), "n2")
		go c.nodes["n1"].Call(t.Context(), callOf("f"))
		<-started
		killed := time.Now()
		c.kill("n1")
		if node := <-ended; node != "n2" || time.Since(killed) > time.Second {
			t.Errorf("the stage at %s ended %v after its coordinator", string(node), time.Since(killed))
		}
	})
}

func TestDeadlineEndsEveryStage(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		started, ended := make(chan mesh.NodeID, 2), make(chan mesh.NodeID, 2)
		c.define("f", blocked(started, ended), "n2")
		c.define("g", blocked(started, ended), "n3")
		c.declare("d", []string{"f", "g"})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.nodes["n1"].Call(ctx, dagCall("d", nil))
		if !errors.Is(err, mesh.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("after %v: %v, want DeadlineExceeded after 3s", time.Since(start), err)
		}
		nodes := []mesh.NodeID{<-ended, <-ended}
		slices.Sort(nodes)
		if !slices.Equal(nodes, []mesh.NodeID{"n2", "n3"}) {
			t.Errorf("stages ended on %q", nodes)
		}
	})
}

// Without any deadline of the caller's the default ends the run; the
// executor, which hears nothing more of its coordinator, ends by itself.
func TestDefaultTimeout(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		started, ended := make(chan mesh.NodeID, 1), make(chan mesh.NodeID, 1)
		c.define("f", blocked(started, ended), "n2")
		start := time.Now()
		_, err := c.nodes["n1"].Call(t.Context(), callOf("f"))
		if !errors.Is(err, mesh.DeadlineExceeded) || time.Since(start) != DefaultTimeout {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		<-ended
	})
}

func TestCallerWhoGivesUpCancelsTheRun(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		started, ended := make(chan mesh.NodeID, 1), make(chan mesh.NodeID, 1)
		c.define("f", blocked(started, ended), "n2")
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-started; cancel() }()
		start := time.Now()
		if _, err := c.nodes["n1"].Call(ctx, callOf("f")); !errors.Is(err, mesh.Cancelled) {
			t.Errorf("Call = %v, want Cancelled", err)
		}
		if <-ended; time.Since(start) > time.Second {
			t.Errorf("the stage was cancelled after %v", time.Since(start))
		}
		if synctest.Wait(); c.messages("EndRun") != 1 {
			t.Errorf("%d EndRun were sent, want 1", c.messages("EndRun"))
		}
	})
}

func TestCloseEndsRuns(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		started, ended := make(chan mesh.NodeID, 1), make(chan mesh.NodeID, 1)
		c.define("f", blocked(started, ended))
		c.declare("d", []string{"f"})
		go func() { <-started; c.nodes["n1"].Close() }()
		if _, err := c.nodes["n1"].Call(t.Context(), dagCall("d", nil)); !errors.Is(err, mesh.Unavailable) {
			t.Errorf("Call = %v, want Unavailable", err)
		}
		<-ended
		if _, err := c.nodes["n1"].Call(t.Context(), callOf("f")); !errors.Is(err, mesh.Unavailable) {
			t.Errorf("Call after Close = %v, want Unavailable", err)
		}
	})
}
