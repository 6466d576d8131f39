package exec

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Bounds of an inbox. Messages that wait for an earlier one count.
const (
	MaxInboxMessages = 1024
	MaxInboxBytes    = 16 << 20
	maxSenders       = 4096
)

// Message is a message with its place among those of its sender to this
// receiver. One that comes twice is taken once. One whose predecessor is
// still on its way, by a slower path, waits for it.
type Message struct {
	fn.Message
	Number uint64 // from 1; 0: it has no place
	After  uint64 // the last before it that is known to be taken by somebody; 0: none
}

// inbox holds what was sent to one invocation: of one sender in the order of
// its numbers, else in order of arrival.
type inbox struct {
	mu       sync.Mutex
	messages []fn.Message
	early    []Message                    // that wait for one before them
	last     map[mesh.InvocationID]uint64 // number that was taken of each sender
	bytes    int                          // of messages and early
	arrived  chan struct{}                // closed at the next arrival; nil while nobody waits
}

func (b *inbox) put(m Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.has(m):
		return nil
	case len(b.messages)+len(b.early) >= MaxInboxMessages || b.bytes+len(m.Body.Data) > MaxInboxBytes:
		return mesh.Errorf(mesh.Overloaded, "", "the inbox is full: it holds %d messages of %d bytes", len(b.messages)+len(b.early), b.bytes)
	case m.Number > 0 && b.last[m.From] == 0 && len(b.last) >= maxSenders:
		return mesh.Errorf(mesh.Overloaded, "", "the inbox has messages of %d senders: no more are told apart", maxSenders)
	}
	b.bytes += len(m.Body.Data)
	if m.After > b.last[m.From] {
		b.early = append(b.early, m)
		return nil
	}
	b.take(m)
	for b.takeEarly() {
	}
	if b.arrived != nil {
		close(b.arrived)
		b.arrived = nil
	}
	return nil
}

// has reports whether a message came before.
func (b *inbox) has(m Message) bool {
	if m.Number == 0 {
		return false
	}
	for i := range b.early {
		if b.early[i].From == m.From && b.early[i].Number == m.Number {
			return true
		}
	}
	return m.Number <= b.last[m.From]
}

func (b *inbox) take(m Message) {
	b.messages = append(b.messages, m.Message)
	if m.Number == 0 {
		return
	}
	if b.last == nil {
		b.last = map[mesh.InvocationID]uint64{}
	}
	b.last[m.From] = m.Number
}

// takeEarly takes a message that waits for none any more, if there is one.
func (b *inbox) takeEarly() bool {
	for i := range b.early {
		if m := b.early[i]; m.After <= b.last[m.From] {
			b.early = append(b.early[:i], b.early[i+1:]...)
			b.take(m)
			return true
		}
	}
	return false
}

// drain empties the inbox, or gives a channel that is closed at the next arrival.
func (b *inbox) drain() ([]fn.Message, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.messages) > 0 {
		messages := b.messages
		b.messages, b.bytes = nil, 0
		for i := range b.early {
			b.bytes += len(b.early[i].Body.Data)
		}
		return messages, nil
	}
	if b.arrived == nil {
		b.arrived = make(chan struct{})
	}
	return nil, b.arrived
}

// await drains the inbox, for which it waits up to wait.
func (b *inbox) await(ctx context.Context, wait time.Duration) ([]fn.Message, error) {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		messages, arrived := b.drain()
		if messages != nil {
			return messages, nil
		}
		select {
		case <-arrived:
		case <-timeout.C:
			return nil, nil
		case <-ctx.Done():
			return nil, mesh.AsError("", ctx.Err())
		}
	}
}
