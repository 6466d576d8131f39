package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/catalog"
	"github.com/virga-mesh/virga/node/run"
)

// results keeps the records of runs in the replicated store, and removes
// those whose time is up. A record whose node died before its time stays.
type results struct {
	state catalog.State
	log   *slog.Logger

	lock     sync.Mutex
	expiring []expiry               // soonest first, as long as all have one ttl
	latest   map[mesh.Key]time.Time // when each is really up: saving again puts it off
	wake     chan struct{}
}

type expiry struct {
	key mesh.Key
	at  time.Time
}

// maxExpiring bounds the records whose removal this node remembers; a run
// beyond it is refused.
const maxExpiring = 1 << 20

func newResults(state catalog.State, log *slog.Logger) *results {
	return &results{state: state, log: log, latest: map[mesh.Key]time.Time{}, wake: make(chan struct{}, 1)}
}

func runKey(id mesh.RunID) mesh.Key {
	return mesh.Key{Namespace: mesh.SystemNamespace, Name: "run/" + id.String()}
}

// Save implements run.Results.
func (r *results) Save(ctx context.Context, id mesh.RunID, record run.Record, ttl time.Duration) error {
	encoded, err := proto.Marshal(record.Message())
	if err != nil {
		return mesh.Errorf(mesh.Internal, "keep run", "encode: %w", err)
	}
	if err := r.expire(expiry{key: runKey(id), at: time.Now().Add(ttl)}); err != nil {
		return err
	}
	payload := mesh.Value{Format: mesh.Raw, Data: encoded}.AppendBinary(nil)
	return r.state.Put(ctx, runKey(id), lattice.LWWKind, lattice.SetOp(payload))
}

// Load implements run.Results.
func (r *results) Load(ctx context.Context, id mesh.RunID) (run.Record, error) {
	value, err := r.state.Get(ctx, runKey(id))
	if errors.Is(err, mesh.NotFound) {
		return run.Record{}, mesh.Errorf(mesh.NotFound, "run "+id.String(), "no such run, or its result is no longer kept")
	}
	if err != nil {
		return run.Record{}, err
	}
	payload, err := registerValue(value)
	if err != nil {
		return run.Record{}, err
	}
	var m pb.AwaitRunReply
	if err := proto.Unmarshal(payload.Data, &m); err != nil {
		return run.Record{}, mesh.Errorf(mesh.Internal, "run "+id.String(), "stored record: %w", err)
	}
	return run.ParseRecord(&m)
}

func (r *results) expire(e expiry) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if len(r.expiring) >= maxExpiring {
		return mesh.Errorf(mesh.Overloaded, "keep run", "%d results are kept: retry later", maxExpiring)
	}
	r.note(e)
	return nil
}

// note has a record removed at its time. The lock is held.
func (r *results) note(e expiry) {
	r.expiring = append(r.expiring, e)
	r.latest[e.key] = e.at
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run removes records until ctx ends.
func (r *results) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due, wait := r.due(time.Now())
		for _, key := range due {
			r.remove(ctx, key)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.wake:
		}
	}
}

// due takes out the keys whose time is up, and says how long until the next.
func (r *results) due(now time.Time) (keys []mesh.Key, wait time.Duration) {
	r.lock.Lock()
	defer r.lock.Unlock()
	for len(r.expiring) > 0 && !r.expiring[0].at.After(now) {
		if e := r.expiring[0]; r.latest[e.key].Equal(e.at) {
			delete(r.latest, e.key)
			keys = append(keys, e.key)
		}
		r.expiring = r.expiring[1:]
	}
	if len(r.expiring) == 0 {
		return keys, time.Hour
	}
	return keys, r.expiring[0].at.Sub(now)
}

// removeTimeout bounds the removal of one record, and removeAgain is the pause
// before the next attempt.
const (
	removeTimeout = 5 * time.Second
	removeAgain   = time.Minute
)

func (r *results) remove(ctx context.Context, key mesh.Key) {
	attempt, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	if err := r.state.Delete(attempt, key); err != nil && ctx.Err() == nil {
		r.log.Warn("the record of a run could not be removed; trying again later", "key", key, "err", err)
		r.putOff(expiry{key: key, at: time.Now().Add(removeAgain)})
	}
}

// putOff has a record removed later, unless it was saved anew meanwhile.
func (r *results) putOff(e expiry) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if _, saved := r.latest[e.key]; !saved && len(r.expiring) < maxExpiring {
		r.note(e)
	}
}
