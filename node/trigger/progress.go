package trigger

import (
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// event is something that happened and has yet to be run to an end.
type event struct {
	key      string // that changed, or
	slot     int64  // the moment that came, in seconds of the Unix epoch
	number   uint64 // tells the events of a trigger apart
	attempt  uint32 // how many runs of it have ended, and failed
	failures uint32 // that count

	// What the store does not hold.
	saved   bool
	running bool
	again   bool      // the key changed while the event ran
	tries   uint32    // by this keeper, that failed
	due     time.Time // not before
}

// progress is how far a trigger is. It has no I/O, clock or goroutine.
type progress struct {
	token     []byte
	rescan    bool
	slot      int64
	done      bool
	retired   bool
	numbered  uint64
	events    []*event // by number
	fired     uint64
	failed    uint64
	lastFired time.Time
	lastError string
	parts     uint32

	running int
	dirty   bool // differs from what is stored
	fresh   bool // there are events that are not stored
}

func readProgress(m *pb.TriggerProgress) *progress {
	p := &progress{
		token: m.Token, rescan: m.Rescan, slot: m.SlotUnix, done: m.Done, retired: m.Retired, numbered: m.Numbered,
		fired: m.Fired, failed: m.Failed, lastError: m.LastError, parts: m.Parts,
	}
	if m.LastFiredUnixUs > 0 {
		p.lastFired = time.UnixMicro(int64(m.LastFiredUnixUs)).UTC()
	}
	for _, e := range m.Events {
		p.events = append(p.events, &event{
			key: e.Key, slot: e.SlotUnix, number: e.Number, attempt: e.Attempt, failures: e.Failures, saved: true,
		})
	}
	return p
}

func (p *progress) message(keeper mesh.NodeID) *pb.TriggerProgress {
	m := &pb.TriggerProgress{
		Keeper: []byte(keeper), Token: p.token, Rescan: p.rescan, SlotUnix: p.slot, Done: p.done, Retired: p.retired,
		Numbered: p.numbered, Fired: p.fired, Failed: p.failed, LastError: p.lastError, Parts: p.parts,
	}
	if !p.lastFired.IsZero() {
		m.LastFiredUnixUs = uint64(p.lastFired.UnixMicro())
	}
	for _, e := range p.events {
		m.Events = append(m.Events, &pb.TriggerEvent{
			Key: e.key, SlotUnix: e.slot, Number: e.number, Attempt: e.attempt, Failures: e.failures,
		})
	}
	return m
}

// saved says that the store holds all of it now.
func (p *progress) saved() {
	p.dirty, p.fresh = false, false
	for _, e := range p.events {
		e.saved = true
	}
}

// changed notes that a key changed. An event that has yet to run stands for it.
func (p *progress) changed(key string) {
	for _, e := range p.events {
		if e.key == key {
			e.again = e.again || e.running
			return
		}
	}
	p.add(&event{key: key})
}

// came notes that a moment came. One that waits, for a place or for another
// attempt, gives way to it.
func (p *progress) came(slot int64) {
	p.slot = slot
	for _, e := range p.events {
		if !e.running {
			if e.tries > 0 {
				p.failed++
			}
			p.remove(e)
			break
		}
	}
	p.add(&event{slot: slot})
}

func (p *progress) add(e *event) {
	p.numbered++
	e.number = p.numbered
	p.events = append(p.events, e)
	p.dirty, p.fresh = true, true
}

func (p *progress) remove(e *event) {
	p.events = slices.DeleteFunc(p.events, func(other *event) bool { return other == e })
	p.dirty = true
}

// next gives an event that may run now, nil if there is none; then also when
// the first of those that wait may, zero if none does.
func (p *progress) next(now time.Time) (ready *event, at time.Time) {
	for _, e := range p.events {
		switch {
		case e.running || !e.saved:
		case !e.due.After(now):
			return e, time.Time{}
		case at.IsZero() || e.due.Before(at):
			at = e.due
		}
	}
	return nil, at
}

func (p *progress) begin(e *event) {
	e.running = true
	p.running++
}

// outcome is how an attempt to run an event ended.
type outcome struct {
	event   *event
	read    bool    // the key was read
	version version // what it holds then
	same    bool    // nothing ran: the state is the last that was fired
	ended   bool    // there was a run that ended with err
	err     error
}

// end takes the outcome of an attempt, and reports whether the event is over.
func (p *progress) end(o outcome, attempts int, now time.Time) (over bool) {
	e := o.event
	e.running = false
	p.running--
	p.dirty = true
	if o.err != nil && !p.give(e, o, attempts, now) {
		return false
	}
	if o.err == nil && !o.same {
		p.fired++
		p.lastFired = now
	}
	p.remove(e)
	if e.again {
		p.changed(e.key)
	}
	return true
}

// give notes an attempt that failed, and reports whether the event is given up.
// That the mesh could not run it just now does not count; a run that somebody
// cancelled is not tried again.
func (p *progress) give(e *event, o outcome, attempts int, now time.Time) (up bool) {
	p.lastError = shorten(mesh.AsError("", o.err).Error())
	if e.tries++; o.ended {
		e.attempt++
	}
	kind := mesh.KindOf(o.err)
	if !kind.Retryable() {
		e.failures++
	}
	if int(e.failures) >= attempts || kind == mesh.Cancelled {
		p.failed++
		return true
	}
	e.due = now.Add(backoff(e.tries))
	e.again = false // the next attempt reads the key
	return false
}

// Bounds of the pauses between attempts.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// backoff is the pause after so many tries: it doubles.
func backoff(tries uint32) time.Duration {
	return min(firstPause<<min(tries-1, 10), longestPause)
}

// shorten bounds the text of an error that is kept.
func shorten(text string) string { return text[:min(len(text), 500)] }

// has reports whether there is an event of a key.
func (p *progress) has(key string) bool {
	return slices.ContainsFunc(p.events, func(e *event) bool { return e.key == key })
}
