package node

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/elastic"
	"github.com/virga-mesh/virga/node/hook"
)

// follower finds how many nodes the mesh is to have, from what the nodes
// have published, and runs the hook when it is this node's turn.
type follower struct {
	rooms   *rooms
	machine *elastic.Machine
	hook    *hook.Hook // nil: none

	ctx     context.Context // of what runs the hook
	stop    context.CancelFunc
	lock    sync.Mutex // held to begin that, and to close
	actions sync.WaitGroup

	found       atomic.Pointer[elastic.Decision] // at the last look; nil before the first
	last        atomic.Pointer[elastic.Attempt]  // as it was read last
	acting      atomic.Bool                      // this node runs the hook, or is about to
	unnoted     atomic.Int64                     // when the attempt of this node began of which no end could be noted
	ran, failed atomic.Uint64                    // hooks
}

func (r *rooms) newFollower() *follower {
	f := &follower{rooms: r, machine: elastic.NewMachine(r.cfg.Nodes.options(r.cfg.StatsInterval)), hook: r.newHook()}
	f.ctx, f.stop = context.WithCancel(r.ctx)
	f.last.Store(&elastic.Attempt{})
	return f
}

// close ends the hook, while it can still be noted that it has ended.
func (f *follower) close() {
	f.lock.Lock()
	f.stop()
	f.lock.Unlock()
	f.actions.Wait()
}

// look decides anew. It is called after each publication, by one goroutine.
func (f *follower) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	noted, err := f.readAttempt(ctx)
	if err == nil {
		f.last.Store(&noted.attempt)
	}
	live := slices.Clone(f.rooms.staying())
	loads := f.rooms.publishedLoads(ctx, live)
	d := f.machine.Look(time.Now(), live, loads, *f.last.Load())
	f.found.Store(&d)
	switch {
	case err != nil:
		f.rooms.log.Debug("what hook ran last is not known", "err", err)
	case f.unnoted.Load() != 0 && !f.acting.Load():
		f.settle(ctx, noted)
	case d.Due != elastic.Stay && d.Runner == f.rooms.self && f.hook != nil:
		f.act(d, noted)
	}
}

// act runs the hook beside the looks, unless it still does or another node is first.
func (f *follower) act(d elastic.Decision, before notedAttempt) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.ctx.Err() != nil || f.acting.Swap(true) {
		return
	}
	f.actions.Go(func() {
		defer f.acting.Store(false)
		attempt := elastic.Attempt{
			Runner: f.rooms.self, Action: d.Due, Node: d.Node, Live: d.Live, Wanted: d.Wanted, Began: time.Now().UnixMilli(),
		}
		if !f.claim(attempt, before) {
			return
		}
		err := f.hook.Run(f.ctx, changeFor(d))
		f.ran.Add(1)
		if err != nil {
			f.failed.Add(1)
			attempt.Failed = err.Error()
			f.rooms.log.Warn("the hook failed", "action", string(d.Due), "err", err)
		}
		f.noteEnd(attempt)
	})
}

func changeFor(d elastic.Decision) hook.Change {
	c := hook.Change{Action: string(d.Due), Live: d.Live, Wanted: d.Wanted, Reason: d.Reason}
	if d.Due == elastic.Remove {
		c.Node = d.Node.String()
	}
	return c
}

// loadsAtOnce bounds the nodes whose figures are read beside one another.
const loadsAtOnce = 16

// publishedLoads reads how busy nodes were when they published that. Those of
// which it cannot be read are left out.
func (r *rooms) publishedLoads(ctx context.Context, nodes []mesh.NodeID) map[mesh.NodeID]elastic.Load {
	read := make([]*pb.StatsReply, len(nodes))
	var group errgroup.Group
	group.SetLimit(loadsAtOnce)
	for i, node := range nodes {
		group.Go(func() error {
			if figures, err := r.publishedStats(ctx, node); err == nil {
				read[i] = figures
			}
			return nil
		})
	}
	_ = group.Wait() // no error: who cannot be read has no load
	loads := make(map[mesh.NodeID]elastic.Load, len(nodes))
	for i, figures := range read {
		if l := figures.GetLoad(); l != nil {
			loads[nodes[i]] = elastic.Load{
				Published: figures.PublishedUnixMs, Places: part(l.Places), Processors: part(l.Processors),
				Memory: part(l.Memory), Disk: part(l.Disk), Latency: time.Duration(l.LatencyUs) * time.Microsecond, Hook: l.Hook,
			}
		}
	}
	return loads
}

func part(thousandths uint64) float64 { return float64(thousandths) / 1000 }

// wanted tells what was found last; nil before that.
func (f *follower) wanted() *pb.NodesWanted {
	d := f.found.Load()
	if d == nil {
		return nil
	}
	m := &pb.NodesWanted{
		Nodes: uint32(d.Wanted), Live: uint32(d.Live), Reason: d.Reason, HooksRun: f.ran.Load(), HooksFailed: f.failed.Load(),
	}
	if last := *f.last.Load(); last.Began != 0 {
		m.Last = fromAttempt(last)
	}
	return m
}
