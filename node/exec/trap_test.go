package exec

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/sys"

	"github.com/virga-mesh/virga/mesh"
)

// The watchdog and the context of an invocation each have a timer for the one
// deadline. Whichever is first, the guest has run out of time.
func TestASandboxThatTheWatchdogEndsHasRunOutOfTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context()) // one that has yet to notice
	defer cancel()
	r := &running{limits: mesh.Limits{Time: time.Millisecond}}
	r.clock.start(ctx, 0)
	in := &instance{memory: &linearMemory{}, out: newOutput(), watch: newWatchdog()}
	in.watch.begin(ctx, r.clock.deadline)
	<-in.watch.Done()
	err := blame(ctx, r, in.trapped(ctx, sys.NewExitError(sys.ExitCodeDeadlineExceeded)))
	if mesh.KindOf(err) != mesh.DeadlineExceeded || !strings.Contains(err.Error(), "limit of 1ms") {
		t.Errorf("got %v", err)
	}
}
