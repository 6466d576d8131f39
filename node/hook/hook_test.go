package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// shell makes a hook of a script for sh, and what it logs.
func shell(script string) (*Hook, *bytes.Buffer) {
	var logged bytes.Buffer
	return &Hook{
		Command: []string{"sh", "-c", script}, Timeout: time.Minute, Log: slog.New(slog.NewTextHandler(&logged, nil)),
	}, &logged
}

func wantsError(t *testing.T, err error, kind mesh.ErrorKind, part string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), part) {
		t.Errorf("the hook gave %v: expected %v with %q", err, kind, part)
	}
}

func TestACommandIsToldWhatIsWanted(t *testing.T) {
	h, logged := shell(`echo "$VIRGA_ACTION $VIRGA_NODE from $VIRGA_LIVE to $VIRGA_WANTED: $VIRGA_REASON"; printf 'and more' >&2`)
	change := Change{Action: "remove", Live: 3, Wanted: 2, Node: "12D3", Reason: "utilisation is 5 %"}
	if err := h.Run(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`line="remove 12D3 from 3 to 2: utilisation is 5 %"`, `line="and more"`} {
		if !strings.Contains(logged.String(), part) {
			t.Errorf("the log does not say %q:\n%s", part, logged)
		}
	}
}

func TestFailuresSayWhatTheCommandSaid(t *testing.T) {
	h, _ := shell(`echo "no machine is left"; exit 3`)
	wantsError(t, h.Run(t.Context(), Change{}), mesh.UserError, "exit status 3; it said last: no machine is left")
	h = &Hook{Command: []string{filepath.Join(t.TempDir(), "nothing")}, Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)}
	wantsError(t, h.Run(t.Context(), Change{}), mesh.Invalid, "no such file")
}

func TestACommandThatTakesTooLongIsEnded(t *testing.T) {
	h, _ := shell(`echo "waiting"; sleep 60`)
	h.Timeout = 100 * time.Millisecond
	wantsError(t, h.Run(t.Context(), Change{}), mesh.DeadlineExceeded, "it did not end within 100ms; it said last: waiting")
}

// A command may tidy up when it is asked to end; so may what it started.
func TestACommandIsAskedToEnd(t *testing.T) {
	started, tidied := filepath.Join(t.TempDir(), "started"), filepath.Join(t.TempDir(), "tidied")
	h, _ := shell(fmt.Sprintf(`trap 'echo tidied > %s; exit 1' TERM; echo started > %s; sleep 60 & wait`, tidied, started))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx, Change{}) }()
	awaitFile(t, started)
	wantsError(t, h.Run(t.Context(), Change{}), mesh.Conflict, "it runs already")
	cancel()
	wantsError(t, <-ended, mesh.Cancelled, "")
	if _, err := os.Stat(tidied); err != nil {
		t.Errorf("the command was not asked to end: %v", err)
	}
}

// awaitFile waits until another process has made a file.
func awaitFile(t *testing.T, path string) {
	t.Helper()
	for deadline := time.After(30 * time.Second); ; {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s was not made in 30 s", path)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestAFloodOfWordsIsBounded(t *testing.T) {
	h, logged := shell(`i=0; while [ $i -lt 600 ]; do echo "line $i"; i=$((i+1)); done; head -c 100000 /dev/zero | tr '\0' x; exit 1`)
	err := h.Run(t.Context(), Change{})
	wantsError(t, err, mesh.UserError, "it said last: xxx")
	if len(err.Error()) > 2*maxLine || strings.Count(logged.String(), "the hook says") != maxLines+1 || !strings.Contains(logged.String(), "more than is logged") {
		t.Errorf("%d bytes of error, %d lines of log", len(err.Error()), strings.Count(logged.String(), "\n"))
	}
}
