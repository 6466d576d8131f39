package effects

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Work is what executions have in common that are to have the same effects.
// The zero Work is that of an execution which nobody repeats: its effects have no ids.
type Work struct {
	ID mesh.RunID
	// Since is when the work was first executed; zero in its first execution.
	Since time.Time
}

// Named reports whether the effects have ids.
func (w Work) Named() bool { return w.ID != mesh.RunID{} }

// Part is a part of the work, told apart from others by its name.
func (w Work) Part(name string) Work {
	if !w.Named() {
		return w
	}
	return Work{ID: derive(w.ID, []byte(name)), Since: w.Since}
}

// Again is the work as it is executed another time; first is when that began
// which may have been the first.
func (w Work) Again(first time.Time) Work {
	if w.Since.IsZero() {
		w.Since = first
	}
	return w
}

// Age is how long ago the work was first executed, at least a millisecond; 0
// in its first execution.
func (w Work) Age() time.Duration {
	if w.Since.IsZero() {
		return 0
	}
	return max(time.Since(w.Since), time.Millisecond)
}

// Aged gives the work of an id that was first executed an age ago.
func Aged(id mesh.RunID, age time.Duration) Work {
	w := Work{ID: id}
	if age > 0 {
		w.Since = time.Now().Add(-age)
	}
	return w
}

// derive gives an id that follows from another and from what is said.
func derive(from mesh.RunID, said ...[]byte) (id mesh.RunID) {
	var small [256]byte
	text := append(small[:0], from[:]...)
	for _, part := range said {
		text = binary.LittleEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	copy(id[:], sum[:])
	return id
}

type (
	executingKey struct{}
	callingKey   struct{}
)

// Executing gives a context that tells an executor in another process which
// work it executes.
func Executing(ctx context.Context, w Work) context.Context {
	return with(ctx, executingKey{}, w)
}

// Executed gives the work of a context that Executing made, else none.
func Executed(ctx context.Context) Work {
	w, _ := ctx.Value(executingKey{}).(Work)
	return w
}

// Calling gives a context in which one call is a certain work.
func Calling(ctx context.Context, w Work) context.Context {
	return with(ctx, callingKey{}, w)
}

// Called gives the work of a context that Calling made, else none.
func Called(ctx context.Context) Work {
	w, _ := ctx.Value(callingKey{}).(Work)
	return w
}

func with(ctx context.Context, key any, w Work) context.Context {
	if !w.Named() {
		return ctx
	}
	return context.WithValue(ctx, key, w)
}

// Together is the work that executes several at once. It is the same for the
// same works in the same order alone, and not named unless all are.
func Together(works []Work) Work {
	ids := make([][]byte, len(works))
	together := Work{}
	for i := range works {
		if !works[i].Named() {
			return Work{}
		}
		ids[i] = works[i].ID[:]
		if since := works[i].Since; !since.IsZero() && (together.Since.IsZero() || since.Before(together.Since)) {
			together.Since = since
		}
	}
	together.ID = derive(mesh.RunID{}, ids...)
	return together
}
