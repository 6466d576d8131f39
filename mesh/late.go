package mesh

import (
	"context"
	"errors"
	"time"
)

// ErrLate is why a request was not begun: it was on its way for longer than
// who sent it waits before it goes to another node. Only that makes it safe to
// go there with a write: what comes late would win over what was written since.
var ErrLate = errors.New("the request came too late to be begun")

// ErrUnsent is why a request had no effect: it was never on its way.
var ErrUnsent = errors.New("the request was not sent")

// FreshFor is how long a write of so many bytes may be on its way to a node
// before that must not begin it any more: about as long as it takes to see that
// the node is silent, and what the bytes take at 1 MiB a second.
func FreshFor(bytes int) time.Duration {
	return 100*time.Millisecond + time.Duration(bytes)*time.Second/(1<<20)
}

// beginBy is the key of WithBeginBy.
type beginBy struct{}

// WithBeginBy says until when what is asked for with ctx may be begun.
func WithBeginBy(ctx context.Context, by time.Time) context.Context {
	return context.WithValue(ctx, beginBy{}, by)
}

// BeginBy is until when what is asked for with ctx may be begun; zero: whenever.
// A context may tell by a method of this name.
func BeginBy(ctx context.Context) time.Time {
	if told, ok := ctx.(interface{ BeginBy() time.Time }); ok {
		return told.BeginBy()
	}
	by, _ := ctx.Value(beginBy{}).(time.Time)
	return by
}
