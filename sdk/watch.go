package sdk

import (
	"context"
	"encoding/base64"
	"iter"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// EventKind says what an Event tells.
type EventKind uint8

// The kinds of events.
const (
	// MarkEvent tells of no change: its token is a place to go on from. It is
	// the first event of a watch without a token, from which on all changes
	// are told, and comes again now and then while nothing changes.
	MarkEvent EventKind = 1
	// PutEvent tells the value of a key that was written.
	PutEvent EventKind = 2
	// DeleteEvent tells that a key does not exist any more.
	DeleteEvent EventKind = 3
	// ExpireEvent is a DeleteEvent because the key's time to live has passed.
	ExpireEvent EventKind = 4
	// LaggedEvent tells that changes may have been missed: what is known of
	// the keys must be read anew, with Scan, and those that it does not give
	// are gone. Later events are complete again.
	LaggedEvent EventKind = 5
)

var eventKindNames = [...]string{MarkEvent: "mark", PutEvent: "put", DeleteEvent: "delete", ExpireEvent: "expire", LaggedEvent: "lagged"}

// String is the kind's name.
func (k EventKind) String() string {
	if int(k) < len(eventKindNames) && eventKindNames[k] != "" {
		return eventKindNames[k]
	}
	return "unknown"
}

// Token is a place in the changes of a mesh, for a watch of the same key or
// prefix through any node. It is text without spaces.
type Token string

// Event is what a watch tells. A key's events tell its state after changes,
// at least once each: several changes may become one event, an event may come
// twice, and one through an owner that lags may tell an older state, which
// another follows. A key's last event is its state.
type Event struct {
	Kind EventKind
	Key  string // its name; empty with MarkEvent and LaggedEvent
	// Value of a PutEvent. It is zero where the value is too large to be told.
	Value lattice.Value
	// Omitted says that the value is too large: 1 MiB, or a set or map of 256
	// names. Read the key with a quorum.
	Omitted bool
	Token   Token // what a watch goes on after; the event may be told again
}

// Watch tells changes of the keys of the client's namespace whose names begin
// with prefix: those since the token, or from now on. It goes on until the
// context ends, or with an error after which the last token serves again.
func (c *Client) Watch(ctx context.Context, prefix string, from Token) iter.Seq2[Event, error] {
	return c.watch(ctx, &pb.Watch{Namespace: c.namespace, Prefix: prefix}, from)
}

// WatchKey is Watch of one key, which need not exist.
func (c *Client) WatchKey(ctx context.Context, name string, from Token) iter.Seq2[Event, error] {
	return c.watch(ctx, &pb.Watch{Namespace: c.namespace, Prefix: name, Exact: true}, from)
}

// Bounds of how long a node is asked to wait for a change.
const (
	watchWait    = 20 * time.Second
	shortestWait = 10 * time.Millisecond
)

func (c *Client) watch(ctx context.Context, m *pb.Watch, from Token) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		token, err := base64.RawURLEncoding.DecodeString(string(from))
		if err != nil {
			yield(Event{}, mesh.Errorf(mesh.Invalid, "watch", "%q is not a token: expected one that a watch gave", from))
			return
		}
		m.Token = token
		known := newKnownStates()
		for {
			m.WaitMs = uint32(waitWithin(ctx, watchWait).Milliseconds())
			reply, err := do[*pb.WatchReply](ctx, c, "watch "+m.Prefix, m)
			if err != nil {
				yield(Event{}, err)
				return
			}
			events, err := known.events(m.Token, reply)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			m.Token = reply.Token
		}
	}
}

// waitWithin is how long to ask a node to wait, so that it answers before the
// context ends.
func waitWithin(ctx context.Context, longest time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return longest
	}
	return max(shortestWait, min(longest, time.Until(deadline)*3/4))
}
