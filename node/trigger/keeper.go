package trigger

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// keep fires a trigger until ctx ends or the trigger is no more. What fails
// between begins anew from what the store holds.
func (t *Triggers) keep(ctx context.Context, record string) {
	namespace, name, _ := strings.Cut(strings.TrimPrefix(record, definitions), "/")
	for ctx.Err() == nil {
		k, err := t.open(ctx, namespace, name)
		if err == nil {
			err = k.run(ctx)
		}
		if errors.Is(err, mesh.NotFound) || errors.Is(err, errRetired) {
			return
		}
		t.pause(ctx, &mesh.Trigger{Namespace: namespace, Name: name}, err)
	}
}

// errRetired ends the keeper of a trigger that will never fire again.
var errRetired = errors.New("the trigger has done all that it will")

// keeper fires one trigger. Its fields are for the goroutine of run.
type keeper struct {
	*Triggers
	def        *mesh.Trigger
	definition string // the version of its record
	schedule   mesh.Schedule

	progress *progress
	version  string // of the record of the progress
	seen     *seen
	pace     pace

	moved   bool      // the token did, and nothing else changed
	unsaved time.Time // since when something is; zero: nothing
	ended   chan outcome
	runs    sync.WaitGroup
}

// open reads a trigger, and makes this node its keeper: whoever was, can save
// nothing from then on.
func (t *Triggers) open(ctx context.Context, namespace, name string) (*keeper, error) {
	value, definition, err := t.State.GetVersion(ctx, definitionKey(namespace, name))
	if err != nil {
		return nil, err
	}
	k := &keeper{Triggers: t, definition: definition, seen: newSeen(t.MaxKeys)}
	if k.def, err = readDefinition(value); err != nil {
		return nil, err
	}
	if k.def.Cause.Kind == mesh.OnCron {
		if k.schedule, err = mesh.ParseSchedule(k.def.Cause.Cron, k.def.Cause.Zone); err != nil {
			return nil, err
		}
	}
	var m pb.TriggerProgress
	value, k.version, err = t.State.GetVersion(ctx, progressKey(k.def))
	if err == nil {
		err = readPayload(value, &m)
	}
	if err != nil && !errors.Is(err, mesh.NotFound) {
		return nil, err
	}
	k.progress = readProgress(&m)
	if k.progress.retired {
		return nil, errRetired
	}
	if err := k.seen.load(ctx, t.State, k.def, k.progress.parts); err != nil {
		return nil, mesh.Errorf(mesh.Unavailable, "trigger "+name, "what it has seen: %w", err)
	}
	k.pace = newPace(k.def.Rate, t.Now())
	k.ended = make(chan outcome, k.def.AtOnce)
	return k, k.save(ctx, 0)
}

// save writes what changed. Only one of those that take themselves for the
// keeper can.
func (k *keeper) save(ctx context.Context, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	written, err := k.seen.save(ctx, k.State, k.def)
	if err != nil {
		return err
	}
	k.progress.parts |= written
	k.version, err = k.State.Swap(ctx, progressKey(k.def), k.version, payload(k.progress.message(k.Self)), ttl)
	if err != nil {
		return err
	}
	k.progress.saved()
	k.moved, k.unsaved = false, time.Time{}
	return nil
}

// Bounds of what is not saved, and of what waits.
const (
	saveTimeout = 10 * time.Second
	saveAfter   = 100 * time.Millisecond // that an event is over
	tokenAfter  = 30 * time.Second       // that a token moved, and nothing else
	maxWaiting  = 1024                   // events, beyond which no changes are asked for
	retiredFor  = time.Hour              // a trigger is kept that has fired its one moment
)

// run fires the trigger until ctx ends or something fails.
func (k *keeper) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer k.runs.Wait()
	defer cancel()
	pages := make(chan page)
	if token, rescan := k.progress.token, k.progress.rescan; k.def.Cause.OnChange() {
		k.runs.Go(func() { k.source(ctx, k.def, token, rescan, pages) })
	}
	for {
		if err := k.step(ctx); err != nil {
			return err
		}
		taking := pages
		if len(k.progress.events) >= maxWaiting {
			taking = nil
		}
		timer := time.NewTimer(k.patience())
		select {
		case p := <-taking:
			k.take(p)
		case o := <-k.ended:
			k.end(o)
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

// step does all that can be done now.
func (k *keeper) step(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err // and what ended because of that is no outcome
	}
	now := k.Now()
	k.clock(now)
	if k.progress.done && len(k.progress.events) == 0 {
		return k.retire(ctx)
	}
	if k.progress.fresh || !k.unsaved.IsZero() && !now.Before(k.saveAt()) {
		if err := k.save(ctx, 0); err != nil {
			return err
		}
	}
	for k.progress.running < k.def.AtOnce {
		e, _ := k.progress.next(now)
		if e == nil || !k.pace.take(now) {
			break
		}
		k.begin(ctx, e)
	}
	if (k.progress.dirty || k.moved) && k.unsaved.IsZero() {
		k.unsaved = now
	}
	return nil
}

func (k *keeper) saveAt() time.Time {
	if k.progress.dirty {
		return k.unsaved.Add(saveAfter)
	}
	return k.unsaved.Add(tokenAfter)
}

// clock notes the moments that have come. Of several slots the last counts.
func (k *keeper) clock(now time.Time) {
	switch k.def.Cause.Kind {
	case mesh.OnTime:
		if !k.progress.done && !now.Before(k.def.Cause.At) {
			k.progress.done = true
			k.progress.came(k.def.Cause.At.Unix())
		}
	case mesh.OnCron:
		from := time.Unix(max(k.progress.slot, k.def.Created.Unix()), 0)
		if slot := k.schedule.Last(from, now); !slot.IsZero() {
			k.progress.came(slot.Unix())
		}
	}
}

// patience is how long to wait if nothing happens.
func (k *keeper) patience() time.Duration {
	now := k.Now()
	wait := longestPause
	until := func(at time.Time) {
		if !at.IsZero() {
			wait = max(0, min(wait, at.Sub(now)))
		}
	}
	if k.progress.running < k.def.AtOnce {
		e, at := k.progress.next(now)
		if e != nil {
			at = k.pace.at()
		}
		until(at)
	}
	if !k.unsaved.IsZero() {
		until(k.saveAt())
	}
	until(nextDue(k.def, k.schedule, k.progress))
	return wait
}

func (k *keeper) begin(ctx context.Context, e *event) {
	k.progress.begin(e)
	copied, known := *e, k.seen.versions[e.key]
	k.runs.Go(func() {
		o := k.fire(ctx, k.def, copied, known)
		o.event = e
		k.ended <- o // there is room for as many as run
	})
}

func (k *keeper) end(o outcome) {
	if k.progress.end(o, k.def.Attempts, k.Now()) && o.read {
		k.seen.set(o.event.key, o.version)
	}
	if o.err != nil {
		k.Log.Info("a run of a trigger failed", "trigger", k.def.Name, "namespace", k.def.Namespace, "try", o.event.tries, "err", o.err)
	}
}

// take notes what a source told.
func (k *keeper) take(p page) {
	if p.scan {
		k.compare(p)
		return
	}
	for _, key := range p.keys {
		k.notice(key)
	}
	k.progress.token, k.moved = p.token, true
	if p.lagged {
		k.progress.rescan, k.progress.dirty = true, true
	}
}

// notice notes a key, unless what is told of it was fired already. A key that
// runs just now has an event, and what it ran with is not known yet.
func (k *keeper) notice(key found) {
	if key.omitted || key.version != k.seen.versions[key.name] || k.progress.has(key.name) {
		k.progress.changed(key.name)
	}
}

// compare notes what differs between a part of a scan and what is known.
func (k *keeper) compare(p page) {
	there := make(map[string]bool, len(p.keys))
	for _, key := range p.keys {
		there[key.name] = true
		k.notice(key)
	}
	for name := range k.seen.versions {
		if name > p.after && (!p.more || name <= p.last) && !there[name] {
			k.progress.changed(name)
		}
	}
	if !p.more {
		k.progress.rescan, k.progress.dirty = false, true
	}
}

// retire ends a trigger that has fired its one moment. It can be seen for a while.
func (k *keeper) retire(ctx context.Context) error {
	k.progress.retired = true
	if err := k.save(ctx, 2*retiredFor); err != nil {
		return err
	}
	definition := payload(wire.FromTrigger(k.def))
	if _, err := k.State.Swap(ctx, definitionKey(k.def.Namespace, k.def.Name), k.definition, definition, retiredFor); err != nil {
		k.Log.Warn("a trigger that is done stays until it is deleted", "trigger", k.def.Name, "namespace", k.def.Namespace, "err", err)
	}
	return errRetired
}
