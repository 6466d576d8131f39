package replica

import (
	"sync"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Bounds of what is sent together. More bytes gain nothing: a message that is
// larger travels on a stream of its own.
const (
	maxTogether      = 256 // deltas
	maxTogetherBytes = 32 << 10
)

// underWay is how many messages with deltas may be on their way to one node.
// What comes meanwhile is sent together, when one has been answered: with more
// callers than that a delta costs both sides less (Nagle, RFC 896). With fewer,
// waiting would cost more than it saves.
const underWay = 16

// outboxes are the deltas that wait for a message before them to be
// answered, by the node that they are for.
type outboxes struct {
	mu     sync.Mutex
	byNode map[mesh.NodeID]*outbox
}

// outbox is what waits for one node; there is one while anything waits or messages are under way.
type outbox struct {
	waiting  []posted
	underWay int
}

// posted is a delta and who is told how it went.
type posted struct {
	merge *pb.Merge
	done  func(*pb.MergeReply, error)
}

// post sends a delta to a node, now or with others. done is told the answer,
// once, on a goroutine that it must not hold up, perhaps before post returns.
func (r *Replica) post(node mesh.NodeID, merge *pb.Merge, done func(*pb.MergeReply, error)) {
	r.outboxes.add(node, posted{merge, done})
	r.empty(node)
}

// empty sends what waits for a node, as far as that may be.
func (r *Replica) empty(node mesh.NodeID) {
	for batch := r.outboxes.next(node); len(batch) > 0; batch = r.outboxes.next(node) {
		r.dispatch(node, batch)
	}
}

// add takes a delta in. Whoever adds some asks for what is next afterwards.
func (o *outboxes) add(node mesh.NodeID, p posted) {
	o.mu.Lock()
	defer o.mu.Unlock()
	box := o.byNode[node]
	if box == nil {
		if o.byNode == nil {
			o.byNode = make(map[mesh.NodeID]*outbox)
		}
		box = &outbox{}
		o.byNode[node] = box
	}
	box.waiting = append(box.waiting, p)
}

// next gives what is to be sent now, in a message of its own.
func (o *outboxes) next(node mesh.NodeID) []posted {
	o.mu.Lock()
	defer o.mu.Unlock()
	box := o.byNode[node]
	if box == nil || len(box.waiting) == 0 || box.underWay == underWay {
		return nil
	}
	box.underWay++
	return box.take()
}

// answered notes that a message was, and gives what is to be sent next.
func (o *outboxes) answered(node mesh.NodeID) []posted {
	o.mu.Lock()
	defer o.mu.Unlock()
	box := o.byNode[node]
	if batch := box.take(); len(batch) > 0 {
		return batch
	}
	if box.underWay--; box.underWay == 0 {
		delete(o.byNode, node)
	}
	return nil
}

// take gives what waits, as far as it goes into one message.
func (b *outbox) take() []posted {
	bytes, n := 0, 0
	for n < min(len(b.waiting), maxTogether) && (n == 0 || bytes+len(b.waiting[n].merge.Delta) <= maxTogetherBytes) {
		bytes += len(b.waiting[n].merge.Delta)
		n++
	}
	batch := b.waiting[:n:n]
	if b.waiting = b.waiting[n:]; len(b.waiting) == 0 {
		b.waiting = nil
	}
	return batch
}

// dispatch sends deltas in one message, and when that is answered those that
// have come meanwhile.
func (r *Replica) dispatch(node mesh.NodeID, batch []posted) {
	var req wire.Message = batch[0].merge
	bytes := len(batch[0].merge.Delta)
	if len(batch) > 1 {
		many := &pb.MergeMany{Merges: make([]*pb.Merge, len(batch))}
		for i, p := range batch {
			many.Merges[i] = p.merge
			bytes += len(p.merge.Delta)
		}
		req = many
	}
	ctx, cancel := r.attempt(r.background, bytes)
	r.Peers.Go(ctx, node, req, func(m wire.Message, err error) {
		cancel()
		if next := r.outboxes.answered(node); len(next) > 0 {
			r.dispatch(node, next)
		}
		tellPosted(node, batch, m, err)
	})
}

// tellPosted tells those who posted deltas what came of them.
func tellPosted(node mesh.NodeID, batch []posted, m wire.Message, err error) {
	if len(batch) == 1 {
		batch[0].done(as[*pb.MergeReply](node, m, err))
		return
	}
	many, err := as[*pb.MergeManyReply](node, m, err)
	if err == nil && len(many.Answers) != len(batch) {
		err = mesh.Errorf(mesh.Internal, "merge", "node %s gave %d answers: expected %d", node.Short(), len(many.Answers), len(batch))
	}
	for i, p := range batch {
		switch {
		case err != nil:
			p.done(nil, err)
		case many.Answers[i].GetError() != nil:
			p.done(nil, wire.ToError(many.Answers[i].Error))
		case many.Answers[i].GetReply() == nil:
			p.done(nil, mesh.Errorf(mesh.Internal, "merge", "node %s did not answer one of %d deltas", node.Short(), len(batch)))
		default:
			p.done(many.Answers[i].Reply, nil)
		}
	}
}
