package hook

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Hook is a command. It is safe for concurrent use.
type Hook struct {
	// Command is the program and its arguments. No shell reads it.
	Command []string
	// Timeout bounds one run.
	Timeout time.Duration
	// Log receives what the command prints, a line at a time.
	Log *slog.Logger

	running sync.Mutex
}

// Change is what a run is for. The command finds it in its environment.
type Change struct {
	Action       string // VIRGA_ACTION: add or remove
	Live, Wanted int    // VIRGA_LIVE and VIRGA_WANTED: nodes now and then
	Node         string // VIRGA_NODE: the id of the one to drain; empty with add
	Reason       string // VIRGA_REASON, in words
}

func (c Change) environment() []string {
	return []string{
		"VIRGA_ACTION=" + c.Action, "VIRGA_LIVE=" + strconv.Itoa(c.Live), "VIRGA_WANTED=" + strconv.Itoa(c.Wanted),
		"VIRGA_NODE=" + c.Node, "VIRGA_REASON=" + c.Reason,
	}
}

// Grace is how long a command may go on after it was asked to end, with
// SIGTERM, before it is killed.
const Grace = 5 * time.Second

// Run runs the command and waits for its end. When the time is up or ctx
// ends it and what it started are asked to end, then killed; what has a session of
// its own by then is left alone. While one runs, another is a Conflict. The error is Invalid
// when the command cannot be started, DeadlineExceeded when it took too
// long, and UserError with the last line that it printed when it failed.
func (h *Hook) Run(ctx context.Context, c Change) error {
	if !h.running.TryLock() {
		return mesh.Errorf(mesh.Conflict, "hook", "it runs already")
	}
	defer h.running.Unlock()
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	log := h.Log.With("hook", h.Command[0], "action", c.Action)
	lines := &lines{log: log}
	cmd := exec.CommandContext(ctx, h.Command[0], h.Command[1:]...)
	cmd.Env = append(os.Environ(), c.environment()...)
	cmd.Stdout, cmd.Stderr = lines, lines
	inGroup(cmd)
	cmd.WaitDelay = Grace
	if err := cmd.Start(); err != nil {
		return mesh.Errorf(mesh.Invalid, "hook", "%w", err)
	}
	log.Info("the hook runs", "live", c.Live, "wanted", c.Wanted, "node", c.Node, "reason", c.Reason, "pid", cmd.Process.Pid)
	err := cmd.Wait()
	if ctx.Err() != nil {
		killGroup(cmd)
	}
	lines.end()
	return h.explain(ctx, err, lines.last)
}

func (h *Hook) explain(ctx context.Context, err error, last string) error {
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil: // what it left behind holds its output
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return mesh.Errorf(mesh.DeadlineExceeded, "hook", "it did not end within %v; it said last: %s", h.Timeout, cmp.Or(last, "nothing"))
	case ctx.Err() != nil:
		return mesh.AsError("hook", ctx.Err())
	case errors.As(err, &exit):
		return mesh.Errorf(mesh.UserError, "hook", "%s; it said last: %s", exit.ProcessState, cmp.Or(last, "nothing"))
	}
	return mesh.Errorf(mesh.Internal, "hook", "%w", err)
}
