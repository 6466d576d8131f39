package exec

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Bounds of an inbox.
const (
	MaxInboxMessages = 1024
	MaxInboxBytes    = 16 << 20
)

// inbox holds what was sent to one invocation, in order of arrival.
type inbox struct {
	mu       sync.Mutex
	messages []fn.Message
	bytes    int
	arrived  chan struct{} // closed at the next arrival; nil while nobody waits
}

func (b *inbox) put(m fn.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.messages) >= MaxInboxMessages || b.bytes+len(m.Body.Data) > MaxInboxBytes {
		return mesh.Errorf(mesh.Overloaded, "", "the inbox is full: it holds %d messages of %d bytes", len(b.messages), b.bytes)
	}
	b.messages = append(b.messages, m)
	b.bytes += len(m.Body.Data)
	if b.arrived != nil {
		close(b.arrived)
		b.arrived = nil
	}
	return nil
}

// take empties the inbox, or gives a channel that is closed at the next arrival.
func (b *inbox) take() ([]fn.Message, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.messages) > 0 {
		messages := b.messages
		b.messages, b.bytes = nil, 0
		return messages, nil
	}
	if b.arrived == nil {
		b.arrived = make(chan struct{})
	}
	return nil, b.arrived
}

// await empties the inbox, for which it waits up to wait.
func (b *inbox) await(ctx context.Context, wait time.Duration) ([]fn.Message, error) {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		messages, arrived := b.take()
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
