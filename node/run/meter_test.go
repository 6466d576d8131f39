package run

import (
	"context"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// What executions waited for and read reaches the record, from other nodes, too.
func TestReportsTellWhatExecutionsWaitedForAndRead(t *testing.T) {
	for name, test := range map[string]struct {
		options mesh.StageOptions
		times   int
	}{
		"once":  {mesh.StageOptions{}, 1},
		"retry": {mesh.StageOptions{Retry: mesh.Retry{Attempts: 2}}, 2},
		"map":   {mesh.StageOptions{Map: mesh.Map{Parallel: 8}}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			simulateWith(t, cramped(), 3, 1, func(t *testing.T, c *cluster) {
				f := &flaky{failures: test.times - 1, kind: mesh.UserError}
				if name != "retry" {
					f.failures = 0
				}
				c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
					v.Meter.Queued(time.Second)
					v.Meter.Read(true, 100)
					v.Meter.Read(false, 10)
					pause(ctx, 3*time.Second)
					return f.run(ctx, v)
				})
				c.declare("d", []string{"f"})
				c.dags["d"].Stages[0].StageOptions = test.options
				c.keys[testKey("here-1")], c.keys[testKey("away")] = text("abc"), text("abcd")
				args := []Arg{{Ref: mesh.Reference{Key: testKey("here-1")}}, {Ref: mesh.Reference{Key: testKey("away")}}, jsonArg("[1,2,3,4,5]")}
				q := future(dagCall("d", map[string][]Arg{"f": args}))
				record, err := c.nodes["n1"].Await(t.Context(), c.start(t, "n1", q), false)
				if err != nil || record.Err != nil || len(record.Reports) != 1 {
					t.Fatalf("the run is %+v, %v", record, err)
				}
				got := record.Reports[0]
				if got.Hits != 1+test.times || got.Misses != 1+test.times || got.Moved != int64(4+10*test.times) || got.Queued != time.Duration(test.times)*time.Second {
					t.Errorf("after %d executions the report is %+v", test.times, got)
				}
				if test.times == 1 && got.Took != 2*time.Second {
					t.Errorf("it took %v, of 3s in all and 1s in the queue", got.Took)
				}
			})
		})
	}
}

func testKey(name string) mesh.Key { return mesh.Key{Namespace: mesh.DefaultNamespace, Name: name} }
