package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Messages between invocations whose nodes cannot reach one another are left
// in the store, each as a key of the system's namespace. The owners of that
// key bring it to the receiver's node as soon as they have it; and the
// receiver's node looks for such keys while an invocation waits for messages.
// Whoever delivers it deletes the key, and else it expires.
const (
	leftPrefix = "inbox/"
	// leftFor is how long a message is kept for its receiver.
	leftFor = 10 * time.Minute
	// maxLeft bounds a message that is left, in bytes.
	maxLeft = 1 << 20
	// lookApart is how long after a look for messages the next one is due.
	lookApart = time.Second
	// leftAtOnce bounds the messages that a look takes up, and those that an
	// owner knows of and has yet to deliver: the others are found by a look.
	leftAtOnce = 256
	// carriers bounds the messages that an owner delivers at once.
	carriers = 16
)

// redeliver are the waits after which an owner tries again to deliver.
var redeliver = [...]time.Duration{250 * time.Millisecond, time.Second, 4 * time.Second}

// left is what this node knows of messages that were left in the store.
type left struct {
	arrived chan mesh.Key // keys that came to this node's store
	looked  atomic.Int64  // when the last look began, Unix time in ns
}

// leftKey begins with the receiver, so that one look finds all of a node's.
func leftKey(to mesh.InvocationID, m *pb.SendMessage) mesh.Key {
	sender := sha256.Sum256([]byte(m.From))
	return mesh.Key{
		Namespace: mesh.SystemNamespace,
		Name:      fmt.Sprintf("%s%s/%s/%d", leftPrefix, to, hex.EncodeToString(sender[:8]), m.Number),
	}
}

// leaveMessage puts a message into the store for a receiver that cannot be
// reached, which direct says.
func (r *rooms) leaveMessage(ctx context.Context, to mesh.InvocationID, m *pb.SendMessage, direct error) error {
	encoded, err := proto.Marshal(m)
	switch {
	case err != nil:
		return mesh.Errorf(mesh.Internal, "send", "%w", err)
	case len(encoded) > maxLeft:
		return direct
	}
	payload := mesh.Value{Format: mesh.Raw, Data: encoded}.AppendBinary(nil)
	if err := r.state.PutFor(ctx, leftKey(to, m), lattice.LWWKind, lattice.SetOp(payload), leftFor); err != nil {
		return mesh.Errorf(mesh.KindOf(err), "send", "the receiver's node cannot be reached (%v), nor could the message be left in the store: %w", direct, err)
	}
	return nil
}

// noteLeft tells carryLeft of a key that came to this node's store. It is quick.
func (r *rooms) noteLeft(key mesh.Key) {
	if key.Namespace != mesh.SystemNamespace || !strings.HasPrefix(key.Name, leftPrefix) {
		return
	}
	select {
	case r.left.arrived <- key:
	default:
	}
}

// carryLeft brings messages of which this node owns a copy to their
// receivers, until ctx ends.
func (r *rooms) carryLeft(ctx context.Context) {
	var group errgroup.Group
	defer group.Wait()
	group.SetLimit(carriers)
	for {
		select {
		case key := <-r.left.arrived:
			group.Go(func() error {
				r.deliverLeft(ctx, key)
				return nil
			})
		case <-ctx.Done():
			return
		}
	}
}

func (r *rooms) deliverLeft(ctx context.Context, key mesh.Key) {
	for _, pause := range redeliver {
		err := r.takeLeft(ctx, key)
		if err == nil {
			return
		}
		r.log.Debug("a message that was left in the store is not delivered yet", "key", key.Name, "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// takeLeftTimeout bounds one attempt to deliver a message.
const takeLeftTimeout = 2 * time.Second

// takeLeft brings a message to its receiver. One whose receiver has ended, or
// that is gone from the store, is done with.
func (r *rooms) takeLeft(ctx context.Context, key mesh.Key) error {
	ctx, cancel := context.WithTimeout(ctx, takeLeftTimeout)
	defer cancel()
	m, err := r.readLeft(ctx, key)
	if m == nil {
		return err
	}
	if _, err := r.sendMessage(ctx, m); err != nil && !errors.Is(err, mesh.NotFound) {
		return err
	}
	return r.state.Delete(ctx, key)
}

// readLeft reads a message from the store; nil, if it is not there any more.
func (r *rooms) readLeft(ctx context.Context, key mesh.Key) (*pb.SendMessage, error) {
	value, err := r.replica.Get(ctx, key, 1)
	if errors.Is(err, mesh.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	payload, err := registerValue(value)
	if err != nil {
		return nil, err
	}
	m := &pb.SendMessage{}
	if err := proto.Unmarshal(payload.Data, m); err != nil {
		return nil, mesh.Errorf(mesh.Internal, "read message "+key.String(), "%w", err)
	}
	return m, nil
}

// fetchLeft takes up the messages that were left for this node, unless it has
// looked for some just now.
func (r *rooms) fetchLeft(ctx context.Context) {
	now, last := time.Now().UnixNano(), r.left.looked.Load()
	if now-last < int64(lookApart) || !r.left.looked.CompareAndSwap(last, now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, takeLeftTimeout)
	defer cancel()
	names, _, err := r.state.List(ctx, leftPrefix+r.self.String()+"/", "", leftAtOnce)
	if err != nil {
		r.log.Debug("messages that were left for this node could not be looked for", "err", err)
	}
	for _, name := range names {
		key := mesh.Key{Namespace: mesh.SystemNamespace, Name: name}
		if err := r.takeLeft(ctx, key); err != nil {
			r.log.Debug("a message that was left for this node could not be taken up", "key", name, "err", err)
		}
	}
}
