package exec

import "container/list"

// turns are those who wait at a gate. The callers take turns, however many
// wait for each of them; what waits for one caller keeps its order. The zero
// value is ready.
type turns struct {
	queues map[string]*queue
	order  list.List // of *queue, the one whose turn is next first
	len    int
}

// queue is what waits for one caller. It is never empty.
type queue struct {
	caller  string
	place   *list.Element // in turns.order
	waiting list.List     // of chan struct{}, closed when the turn has come
}

// ticket is a place in a queue.
type ticket struct {
	queue *queue
	place *list.Element
	turn  chan struct{}
}

// add lets one more wait for a caller.
func (t *turns) add(caller string) ticket {
	q := t.queues[caller]
	if q == nil {
		if t.queues == nil {
			t.queues = map[string]*queue{}
		}
		q = &queue{caller: caller}
		q.place = t.order.PushBack(q)
		t.queues[caller] = q
	}
	t.len++
	turn := make(chan struct{})
	return ticket{q, q.waiting.PushBack(turn), turn}
}

// next takes out whose turn it is; the caller's next one comes after all
// other callers. There must be one.
func (t *turns) next() chan struct{} {
	q := t.order.Front().Value.(*queue)
	turn := q.waiting.Front().Value.(chan struct{})
	t.remove(ticket{q, q.waiting.Front(), turn})
	if q.waiting.Len() > 0 {
		t.order.MoveToBack(q.place)
	}
	return turn
}

// remove takes out one that waits no more.
func (t *turns) remove(k ticket) {
	k.queue.waiting.Remove(k.place)
	t.len--
	if k.queue.waiting.Len() == 0 {
		t.order.Remove(k.queue.place)
		delete(t.queues, k.queue.caller)
	}
}

// admits reports whether one more may wait for a caller, where most may for
// all. Beyond that, up to twice as many, a caller may still have its share of
// them, so that others cannot take all of the room.
func (t *turns) admits(caller string, most int) bool {
	if t.len < most {
		return true
	}
	waiting, callers := 0, len(t.queues)
	if q := t.queues[caller]; q != nil {
		waiting = q.waiting.Len()
	} else {
		callers++
	}
	return hasShare(waiting, callers, t.len, most)
}

// hasShare reports whether a caller that has so many of taken places, of
// which most are for all, may have another one although they are taken.
func hasShare(has, callers, taken, most int) bool {
	return taken < 2*most && has < max(1, most/max(1, callers))
}
