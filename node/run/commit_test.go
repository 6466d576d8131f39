package run

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

func transactional(q Request) Request {
	q.Consistency = mesh.Transactional
	return q
}

// generations tells in which generation it runs.
func generations(_ context.Context, v Invocation) (mesh.Value, error) {
	return text(fmt.Sprintf("%s%d(%s)", v.ID.Stage, v.ID.Generation(), strings.Join(valueTexts(v.Args), " "))), nil
}

// ways are the shapes that a run has: where it was called, beside that and
// elsewhere, of a DAG on one node, kept or not.
func (c *cluster) ways() map[string]Request {
	for _, node := range []mesh.NodeID{"n1", "n2"} {
		c.define("at-"+string(node), generations, node)
	}
	c.dags["here"], c.dags["spread"] = dagOf([]string{"a", "b"}, []string{"a:b"}), dagOf([]string{"a", "b"}, []string{"a:b"})
	for i, name := range []string{"at-n1", "at-n2"} {
		c.dags["here"].Stages[i].Func = fnRef("at-n1")
		c.dags["spread"].Stages[i].Func = fnRef(name)
	}
	ways := map[string]Request{}
	for name, q := range map[string]Request{
		"function here": callOf("at-n1"), "function there": callOf("at-n2"), "dag here": dagCall("here", nil), "dag": dagCall("spread", nil),
	} {
		ways[name] = transactional(q)
		ways["named "+name] = named(transactional(q), mesh.NewRunID())
	}
	return ways
}

func TestARunThatConflictsBeginsAnew(t *testing.T) {
	for _, conflicts := range []int{0, 1, 3, mesh.MaxGenerations - 1} {
		simulate(t, 2, 1, func(t *testing.T, c *cluster) {
			c.delay = time.Millisecond
			for name, q := range c.ways() {
				c.ledger = newLedger(conflicts)
				before := c.nodes["n1"].Counts()
				reply, err := c.nodes["n1"].Call(t.Context(), q)
				n := fmt.Sprint(conflicts)
				want := map[bool]string{true: "b" + n + "(a" + n + "())", false: string(q.Func.Name) + n + "()"}[q.DAG != ""]
				if got := one(t, reply, err); got != want {
					t.Errorf("%s: %s, expected %s", name, got, want)
				}
				if c.ledger.commits != conflicts+1 || len(c.ledger.committed) != 1 {
					t.Errorf("%s: %d commits after %d conflicts", name, c.ledger.commits, conflicts)
				}
				counts := c.nodes["n1"].Counts()
				if counts.Conflicts-before.Conflicts != uint64(conflicts) || counts.Anew-before.Anew != uint64(min(conflicts, 1)) {
					t.Errorf("%s: counted %+v after %+v", name, counts, before)
				}
				if record, err := c.nodes["n1"].Await(t.Context(), reply.ID, false); err == nil {
					if generation, placed := mesh.SplitAttempt(record.Attempt); int(generation) != conflicts || placed != 1 {
						t.Errorf("%s: ended in attempt %d of generation %d", name, placed, generation)
					}
				}
			}
		})
	}
}

func TestARunBeginsAnewABoundedNumberOfTimes(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		for name, q := range c.ways() {
			c.ledger = newLedger(1000)
			start := time.Now()
			_, err := c.nodes["n1"].Call(t.Context(), q)
			if !errors.Is(err, mesh.Conflict) || !strings.Contains(err.Error(), "began anew 7 times") || !strings.Contains(err.Error(), "key k was written") {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(start); c.ledger.commits != mesh.MaxGenerations || took < 100*time.Millisecond || took > time.Second {
				t.Errorf("%s: %d commits in %v", name, c.ledger.commits, took)
			}
			if c.ledger.conflicts = 0; !q.named() {
				continue
			}
			if _, err := c.nodes["n1"].Call(t.Context(), q); err != nil {
				t.Errorf("%s, called again: %v", name, err)
			}
		}
	})
}

func TestNobodyIsToldOfAResultBeforeItsCommit(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		for name, q := range c.ways() {
			open := make(chan struct{})
			c.ledger.commit = func(context.Context, mesh.Session) error { <-open; return nil }
			told := make(chan error, 1)
			go func() {
				_, err := c.nodes["n1"].Call(t.Context(), q)
				told <- err
			}()
			synctest.Wait()
			if len(told) != 0 {
				t.Errorf("%s: answered before the commit: %v", name, <-told)
			}
			if q.named() {
				for _, node := range c.ids {
					if record, err := c.nodes[node].Await(t.Context(), q.ID, true); err != nil || record.State != mesh.Running || len(record.Results) != 0 {
						t.Errorf("%s: at %s before the commit: %+v, %v", name, string(node), record, err)
					}
				}
			}
			close(open)
			if err := <-told; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestARunThatCommitsEndsWithItsDeadline(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		for name, q := range c.ways() {
			c.ledger.commit = func(ctx context.Context, _ mesh.Session) error { <-ctx.Done(); return errConflict }
			q.Timeout = time.Second
			start := time.Now()
			_, err := c.nodes["n1"].Call(t.Context(), q)
			if took := time.Since(start); !errors.Is(err, mesh.DeadlineExceeded) || took != time.Second {
				t.Errorf("%s: %v after %v", name, err, took)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			c.ledger.commit = func(context.Context, mesh.Session) error { cancel(); return errConflict }
			if q.Timeout = 0; q.named() {
				c.ledger.commit = func(context.Context, mesh.Session) error {
					c.nodes["n2"].Cancel(t.Context(), q.ID)
					return nil
				}
			}
			if _, err := c.nodes["n1"].Call(ctx, q); !errors.Is(err, mesh.Cancelled) {
				t.Errorf("%s: %v, expected it to be cancelled", name, err)
			}
			cancel()
		}
	})
}

func TestACommitThatFailsFailsTheRun(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.ledger.commit = func(context.Context, mesh.Session) error {
			return mesh.Errorf(mesh.Unavailable, "commit", "no owner could be reached")
		}
		for name, q := range c.ways() {
			c.ledger.commits = 0
			_, err := c.nodes["n1"].Call(t.Context(), q)
			if !errors.Is(err, mesh.Unavailable) || !strings.Contains(err.Error(), "no owner") || c.ledger.commits != 1 {
				t.Errorf("%s: %v after %d commits", name, err, c.ledger.commits)
			}
		}
	})
}

func TestOnlyWhoBeganATransactionalSessionCommitsIt(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		in, _ := sessions{c, "n1"}.Begin(mesh.Transactional)
		for name, q := range c.ways() {
			for _, level := range mesh.Levels()[:mesh.Transactional] {
				if q.Consistency = level; q.named() {
					q.ID = mesh.NewRunID()
				}
				if _, err := c.nodes["n1"].Call(t.Context(), q); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if q.In, q.Consistency = in, mesh.Transactional; q.named() {
				q.ID = mesh.NewRunID()
			}
			if _, err := c.nodes["n1"].Call(t.Context(), q); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if c.ledger.commits != 0 || !c.lasts(in) {
			t.Errorf("%d commits; the session of who called lasts: %v", c.ledger.commits, c.lasts(in))
		}
		sessions{c, "n1"}.End(in)
	})
}

// The levels of a request and of its DAG together are transactional.
func TestTheStrongerOfTwoLevelsCommits(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		c.define("f", term)
		c.declare("d", []string{"f"})
		c.dags["d"].Consistency = mesh.Repeatable
		q := dagCall("d", nil)
		q.Consistency = mesh.CausalKey
		if _, err := c.nodes["n1"].Call(t.Context(), q); err != nil || len(c.ledger.committed) != 1 {
			t.Errorf("%d commits, %v", len(c.ledger.committed), err)
		}
	})
}

// A function that began anew reads what it refers to once more, and starts the
// same runs as before.
func TestAFunctionThatBeginsAnewReadsAnewAndDoesTheSame(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		k := key("k")
		c.keys[k.Key], c.ledger.conflicts = text("before"), 1
		var works []mesh.RunID
		var attempts atomic.Int32
		c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			if works = append(works, v.Work.ID); (attempts.Add(1) == 1) != v.Work.Since.IsZero() {
				t.Errorf("execution %d has work since %v", attempts.Load(), v.Work.Since)
			}
			c.keys[k.Key] = text("after")
			return term(ctx, v)
		})
		reply, err := c.nodes["n1"].Call(t.Context(), transactional(Request{Func: fnRef("f"), Args: []Arg{{Ref: k}}}))
		if got := one(t, reply, err); got != "f(after)" {
			t.Errorf("%s: it did not read anew", got)
		}
		if len(works) != 2 || works[0] != works[1] || works[0] == (mesh.RunID{}) {
			t.Errorf("the works of both executions are %v", works)
		}
	})
}

// What runs of a generation that could not commit, as the parent of an any-of
// stage does that nobody waits for, ends with it, and its error changes nothing.
func TestWhatStillRunsEndsWithItsGeneration(t *testing.T) {
	for _, slowAt := range []mesh.NodeID{"n1", "n2"} {
		simulate(t, 2, 1, func(t *testing.T, c *cluster) {
			started, ended := make(chan mesh.NodeID, 2), make(chan mesh.NodeID, 2)
			c.define("quick", func(ctx context.Context, v Invocation) (mesh.Value, error) {
				<-started
				return generations(ctx, v)
			}, "n1")
			c.define("slow", blocked(started, ended), slowAt)
			c.define("either", generations, "n1")
			c.declare("d", []string{"quick", "slow", "either"}, "quick:either", "slow:either")
			c.dags["d"].Stages[2].Any = &mesh.AnyOf{}
			c.ledger.conflicts = 1
			reply, err := c.nodes["n1"].Call(t.Context(), transactional(dagCall("d", nil)))
			if got := one(t, reply, err); got != "either<quick1(quick1())" {
				t.Errorf("%s", got)
			}
			for range 2 { // generations
				if at := <-ended; at != slowAt {
					t.Errorf("a stage ended at %s", at)
				}
			}
		})
	}
}

// Runs that conflict, whose messages come late and twice, of nodes that die:
// they end with what the generation computes that committed.
func TestRunsThatBeginAnewAgreeWithDirectEvaluation(t *testing.T) {
	anew, lost, kept := 0, 0, 0
	for seed := range uint64(200) {
		simulate(t, 5, seed, func(t *testing.T, c *cluster) {
			r := rand.New(rand.NewPCG(seed, 3))
			j := randomJob(r, 8)
			q := transactional(c.prepare(j, seed))
			for name, f := range c.functions {
				c.functions[name] = c.inSession(func(ctx context.Context, v Invocation) (mesh.Value, error) {
					v.ID.Stage = salted(v.ID.Stage, v.In)
					return f(ctx, v)
				})
			}
			q.Policy = "random"
			if c.ledger.conflicts = r.IntN(4); r.IntN(2) == 0 {
				q.ID = mesh.NewRunID()
				kept++
			}
			if r.IntN(2) == 0 {
				at := time.Duration(r.Int64N(int64(900 * time.Millisecond)))
				time.AfterFunc(at, func() { c.kill(mesh.NodeID(fmt.Sprintf("n%d", 2+seed%4))) })
			}
			reply, err := c.nodes["n1"].Call(t.Context(), q)
			defer waitForDeaths()
			if errors.Is(err, mesh.Unavailable) {
				lost++
				return
			}
			if len(c.ledger.committed) > 0 {
				j.salt = salted("", c.ledger.committed[0])
			}
			if wrong := j.direct().check(reply.Results, err); j.salt != "" && wrong != "" {
				t.Fatalf("seed %d: %s", seed, wrong)
			}
			if (err == nil) != (len(c.ledger.committed) == 1) {
				t.Errorf("seed %d: %v after %d commits", seed, err, len(c.ledger.committed))
			}
			if c.ledger.commits > len(c.ledger.committed) {
				anew++
			}
			<-time.After(time.Second)
			for _, node := range c.ids {
				if left := c.nodes[node].shareCount(); left != 0 {
					t.Errorf("seed %d: node %s still keeps %d runs", seed, string(node), left)
				}
			}
		})
	}
	if anew < 50 || kept < 50 || lost > 20 {
		t.Errorf("%d began anew, %d were lost, %d were kept: the seeds try too little", anew, lost, kept)
	}
}

// salted has a stage compute something else in each session.
func salted(stage string, in mesh.Session) string {
	stage, parent, anyOf := strings.Cut(stage, "<")
	stage += "@" + in.ID.String()
	if anyOf {
		stage += "<" + parent
	}
	return stage
}
