package run

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Of sinks on one node that end at once the result of each is told, though the
// node forgets the run when the last one has ended.
func TestResultsOfSinksThatEndAtOnceAreTold(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		var executed, told atomic.Int32
		stage := func(ctx context.Context, v Invocation) (mesh.Value, error) {
			executed.Add(1)
			return term(ctx, v)
		}
		c.define("a", stage, "n2")
		c.define("b", stage, "n2")
		c.declare("d", []string{"a", "b"})
		c.sending = func(ctx context.Context, m wire.Message) {
			if _, ok := m.(*pb.SinkResult); !ok || told.Add(1) > 1 {
				return
			}
			select { // the first one is slow to leave
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
		began := time.Now()
		reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", nil))
		if err != nil || len(reply.Results) != 2 {
			t.Fatal(reply, err)
		}
		if took := time.Since(began); executed.Load() != 2 || took > 20*time.Millisecond {
			t.Errorf("%d executions of two stages, in %v of virtual time", executed.Load(), took)
		}
	})
}
