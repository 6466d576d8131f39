package store

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
)

// failure holds the first error that stopped the store.
type failure struct {
	cause     atomic.Pointer[mesh.Error]
	abandoned atomic.Bool // the engine cannot be closed any more
	log       *slog.Logger
}

// set stops the store for good. Only the first cause is kept.
func (f *failure) set(doing string, cause error) {
	err := mesh.Errorf(mesh.Unavailable, "store", "stopped, because %s failed: %w", doing, cause)
	if f.cause.CompareAndSwap(nil, err) {
		f.log.Error("the store has stopped: nothing is acknowledged any more", "doing", doing, "err", cause)
	}
}

// err is nil while the store works.
func (f *failure) err() error {
	if cause := f.cause.Load(); cause != nil {
		return cause
	}
	return nil
}

// diskError gives the error of an operation that reads or writes the disk its
// kind and operation: mesh.Unavailable, unless it has another.
func diskError(op string, err error) error {
	if err == nil {
		return nil
	}
	kind := mesh.KindOf(err)
	if kind == mesh.Internal {
		kind = mesh.Unavailable
	}
	return mesh.Errorf(kind, op, "%w", err)
}

// engineLog hands what Pebble has to say to slog.
type engineLog struct {
	log  *slog.Logger
	fail *failure
}

func (l engineLog) Infof(format string, args ...any) {
	l.log.Debug(fmt.Sprintf(format, args...))
}

func (l engineLog) Errorf(format string, args ...any) {
	l.log.Warn(fmt.Sprintf(format, args...))
}

// Fatalf is called where Pebble cannot go on and expects the process to end.
// The store stops instead. The goroutine, one of Pebble's own that may hold
// its locks, can neither return nor unwind, so it stays here, and Close
// leaves the engine to the end of the process.
func (l engineLog) Fatalf(format string, args ...any) {
	l.fail.abandoned.Store(true)
	l.fail.set("a step that the engine cannot do without", fatal{text: fmt.Sprintf(format, args...), args: args})
	select {}
}

// fatal is an error that wraps those among its text's arguments.
type fatal struct {
	text string
	args []any
}

func (f fatal) Error() string { return f.text }

func (f fatal) Unwrap() (causes []error) {
	for _, arg := range f.args {
		if cause, ok := arg.(error); ok {
			causes = append(causes, cause)
		}
	}
	return causes
}
