package node

import "context"

// background runs f until it returns; its context ends when the node closes.
// It reports false when the node closes already: requests arrive until the end.
func (r *rooms) background(f func(context.Context)) bool {
	r.tasksLock.Lock()
	defer r.tasksLock.Unlock()
	if r.ctx.Err() != nil {
		return false
	}
	r.tasks.Go(func() { f(r.ctx) })
	return true
}

// beginTask counts work that the node waits for when it closes, and which must
// tell its end. It reports false when the node closes already.
func (r *rooms) beginTask() (end func(), ok bool) {
	r.tasksLock.Lock()
	defer r.tasksLock.Unlock()
	if r.ctx.Err() != nil {
		return nil, false
	}
	r.tasks.Add(1)
	return r.tasks.Done, true
}

// endTasks ends background work, and waits for it.
func (r *rooms) endTasks() {
	r.tasksLock.Lock()
	r.stop()
	r.tasksLock.Unlock()
	r.tasks.Wait()
}
