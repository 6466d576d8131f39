package replica

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// putAsker is an Asker who waits until it ends.
type putAsker struct {
	told  chan putAnswer
	by    time.Time
	mu    sync.Mutex
	ended func()
}

type putAnswer struct {
	reply *pb.PutReply
	err   error
}

func newPutAsker() *putAsker { return &putAsker{told: make(chan putAnswer, 1)} }

func (a *putAsker) Reply(reply *pb.PutReply, err error) { a.told <- putAnswer{reply, err} }

func (a *putAsker) BeginBy() time.Time { return a.by }

func (a *putAsker) WhenEnded(ended func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = ended
}

func (a *putAsker) Context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	a.WhenEnded(cancel)
	if !a.by.IsZero() {
		ctx = mesh.WithBeginBy(ctx, a.by)
	}
	return ctx, cancel
}

func (a *putAsker) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended()
}
