package mesh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrorKind classifies an error by what a caller can do about it. The
// numbers are part of the wire format: append, never renumber. A kind is
// itself an error, so that callers write errors.Is(err, mesh.NotFound).
type ErrorKind uint8

// The kinds of errors.
const (
	// Internal is a defect or a condition that no other kind describes.
	Internal ErrorKind = iota
	// NotFound names something that does not exist: a key, a function, a DAG, a run.
	NotFound
	// KindMismatch means that the key holds a lattice of another kind.
	KindMismatch
	// Denied means that the caller's certificate does not allow the operation.
	Denied
	// Overloaded means that a queue is full; retry later, or elsewhere.
	Overloaded
	// Unavailable means that too few nodes could be reached; retry later.
	Unavailable
	// DeadlineExceeded means that the time given by the caller, or the limit of the function, ran out.
	DeadlineExceeded
	// Cancelled means that the caller gave up.
	Cancelled
	// UserError is an error that a function returned, or its panic.
	UserError
	// Invalid means that the input is wrong; the message names what was expected.
	Invalid
	// Conflict means that the state changed under the operation.
	Conflict
)

var kindNames = [...]string{
	Internal: "Internal", NotFound: "NotFound", KindMismatch: "KindMismatch", Denied: "Denied",
	Overloaded: "Overloaded", Unavailable: "Unavailable", DeadlineExceeded: "DeadlineExceeded",
	Cancelled: "Cancelled", UserError: "UserError", Invalid: "Invalid", Conflict: "Conflict",
}

// String is the name of the kind, as in the documentation and in JSON.
func (k ErrorKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("ErrorKind(%d)", uint8(k))
}

// Error makes a kind usable as the target of errors.Is.
func (k ErrorKind) Error() string { return k.String() }

// Retryable reports whether the same request may succeed later or at another node.
func (k ErrorKind) Retryable() bool { return k == Overloaded || k == Unavailable }

// Error is the one error type that crosses rooms and the wire. All fields
// but Err survive the wire.
type Error struct {
	Kind  ErrorKind
	Op    string // what was attempted, such as "put greeting"
	Node  NodeID // where it arose, when that was another node
	Stage string // the DAG stage in which it arose, if any
	Msg   string // what was wrong and what was expected
	// RetryAfter, of Overloaded, is when there may be room; 0: it is not told.
	// What was refused with it has not begun.
	RetryAfter time.Duration
	Err        error // the cause, within this process only
}

// Error gives "op: stage s: kind: message: retry after d (at node)", without what is empty.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	if e.Stage != "" {
		b.WriteString("stage " + e.Stage + ": ")
	}
	b.WriteString(e.Kind.String())
	if text := e.Text(); text != "" {
		b.WriteString(": " + text)
	}
	if e.RetryAfter > 0 {
		b.WriteString(": retry after " + e.RetryAfter.String())
	}
	if e.Node != "" {
		b.WriteString(" (at " + e.Node.Short() + ")")
	}
	return b.String()
}

// Text is the message alone: Msg, or else the cause's.
func (e *Error) Text() string {
	switch {
	case e.Msg != "" && e.Err != nil:
		return e.Msg + ": " + e.Err.Error()
	case e.Err != nil:
		return e.Err.Error()
	}
	return e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches an ErrorKind.
func (e *Error) Is(target error) bool {
	kind, ok := target.(ErrorKind)
	return ok && kind == e.Kind
}

// Errorf makes an Error. A %w verb keeps its operand as the cause for errors.Is and errors.As.
func Errorf(kind ErrorKind, op, format string, args ...any) *Error {
	formatted := fmt.Errorf(format, args...)
	e := &Error{Kind: kind, Op: op}
	if errors.Unwrap(formatted) != nil {
		e.Err = formatted
	} else {
		e.Msg = formatted.Error()
	}
	return e
}

// RetryAfter is what err says of when there may be room; 0: nothing.
func RetryAfter(err error) time.Duration {
	if err == nil {
		return 0 // at no cost: stages ask
	}
	var e *Error
	if errors.As(err, &e) && e.Kind == Overloaded {
		return e.RetryAfter
	}
	return 0
}

// KindOf classifies any error: an *Error by its kind, context errors as
// DeadlineExceeded or Cancelled, all else as Internal.
func KindOf(err error) ErrorKind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return Internal
}

// AsError gives err as an *Error, classified by KindOf; nil stays nil. The
// operation is added where err has none.
func AsError(op string, err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Kind: KindOf(err), Op: op, Err: err}
	}
	if e.Op != "" || op == "" {
		return e
	}
	named := *e
	named.Op = op
	return &named
}
