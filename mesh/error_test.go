package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestErrorMatchesItsKind(t *testing.T) {
	err := fmt.Errorf("outer: %w", Errorf(NotFound, "get a/b", "no such key"))
	if !errors.Is(err, NotFound) || errors.Is(err, Invalid) {
		t.Errorf("errors.Is does not go by the kind of %v", err)
	}
	if KindOf(err) != NotFound {
		t.Errorf("KindOf = %v, want NotFound", KindOf(err))
	}
}

func TestErrorKeepsItsCause(t *testing.T) {
	err := Errorf(Unavailable, "put", "log: %w", io.ErrShortWrite)
	if !errors.Is(err, io.ErrShortWrite) || !errors.Is(err, Unavailable) {
		t.Errorf("%v lost its cause or its kind", err)
	}
	if want := "put: Unavailable: log: short write"; err.Error() != want {
		t.Errorf("Error() = %q, want %q", err.Error(), want)
	}
}

func TestErrorSaysWhereItArose(t *testing.T) {
	err := &Error{Kind: UserError, Op: "call pipeline", Stage: "square", Node: "node-1", Msg: "boom"}
	want := "call pipeline: stage square: UserError: boom (at " + NodeID("node-1").Short() + ")"
	if err.Error() != want {
		t.Errorf("Error() = %q, want %q", err.Error(), want)
	}
}

func TestKindOfForeignErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want ErrorKind
	}{
		{context.DeadlineExceeded, DeadlineExceeded},
		{fmt.Errorf("dial: %w", context.Canceled), Cancelled},
		{io.EOF, Internal},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("KindOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

func TestAsErrorNamesTheOperationOnce(t *testing.T) {
	if AsError("put", nil) != nil {
		t.Error("nil did not stay nil")
	}
	inner := Errorf(Conflict, "", "changed")
	if got := AsError("put", inner); got.Op != "put" || got.Kind != Conflict || inner.Op != "" {
		t.Errorf("AsError = %+v; inner.Op = %q", got, inner.Op)
	}
	if got := AsError("call", Errorf(Conflict, "put", "changed")); got.Op != "put" {
		t.Errorf("the inner operation was overwritten: %+v", got)
	}
}

func TestEveryKindHasAName(t *testing.T) {
	for k := Internal; k <= Conflict; k++ {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
	if got := ErrorKind(200).String(); got != "ErrorKind(200)" {
		t.Errorf("unknown kind is %q", got)
	}
}
