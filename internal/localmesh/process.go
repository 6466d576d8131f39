package localmesh

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// start runs the node's daemon in a session of its own, so that it outlives
// this process and its terminal.
func (n *Node) start(virgad string, args ...string) error {
	fail := func(err error) error {
		return mesh.Errorf(mesh.Internal, "local mesh", "start node %s: %w", n.Name, err)
	}
	log, err := os.OpenFile(n.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fail(err)
	}
	defer log.Close()
	cmd := exec.Command(virgad, slices.Concat(args, []string{"--config", n.config()})...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, n.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), isSetting)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	n.PID, n.started = cmd.Process.Pid, true
	if err := cmd.Process.Release(); err != nil {
		return fail(err)
	}
	if err := os.WriteFile(n.pidFile(), []byte(strconv.Itoa(n.PID)+"\n"), 0o600); err != nil {
		return fail(err)
	}
	return nil
}

// isSetting is for what would override the configuration of all nodes alike.
func isSetting(variable string) bool { return strings.HasPrefix(variable, "VIRGA_") }

// alive reports whether the process that start started still runs.
func (n Node) alive() bool { return n.PID != 0 && runs(n.PID, n.config()) }

// pollInterval is how often processes and their readiness are looked at.
const pollInterval = 20 * time.Millisecond

// Stop ends the node's process: it is asked to, and killed when it still runs
// at the end of ctx. Up starts it again.
func (n Node) Stop(ctx context.Context) error {
	if !n.alive() {
		return n.forgetPID()
	}
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if n.Gone(ctx) {
		return n.forgetPID()
	}
	if err := n.Kill(); err != nil {
		return err
	}
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if !n.Gone(last) {
		return mesh.Errorf(mesh.Internal, "local mesh", "node %s: process %d does not end even when killed", n.Name, n.PID)
	}
	return n.forgetPID()
}

// Kill ends the node's process as a crash would, with SIGKILL. A process
// that is not the node's is left alone.
func (n Node) Kill() error { return n.signal(syscall.SIGKILL) }

// Pause holds the node's process where it is, until Resume lets it go on.
func (n Node) Pause() error { return n.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (n Node) Resume() error { return n.signal(syscall.SIGCONT) }

func (n Node) signal(s syscall.Signal) error {
	if !n.alive() {
		return nil
	}
	if err := syscall.Kill(n.PID, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return mesh.Errorf(mesh.Internal, "local mesh", "node %s: signal %v to process %d: %w", n.Name, s, n.PID, err)
	}
	return nil
}

// Gone waits for the node's process to end, and reports whether it did before ctx.
func (n Node) Gone(ctx context.Context) bool {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for n.alive() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}

func (n Node) forgetPID() error {
	if err := os.Remove(n.pidFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return mesh.Errorf(mesh.Internal, "local mesh", "node %s: %w", n.Name, err)
	}
	return nil
}
