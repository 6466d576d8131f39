package soak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// Result is what a run of a schedule came to.
type Result struct {
	Acked, Failed int      // writes
	Reads         int      // that were checked
	Violations    []string // up to mostViolations
}

// mostViolations bounds those that are told: one breach shows in many reads.
const mostViolations = 20

// Bounds of a part of a run, in virtual time.
const (
	settleTimeout = 2 * time.Minute
	callTimeout   = 5 * time.Second
)

// collectAfter is so short that marks of deletes are forgotten within the
// rounds that follow, while other faults befall the mesh.
const collectAfter = 20 * time.Second

// noted is how long it takes at most until a node has on its disk whom it
// knows: what it needs to tell "missing" from "not here" when it comes back alone.
const noted = 2 * time.Second

// run is a schedule under way.
type run struct {
	schedule  Schedule
	log       *slog.Logger
	mesh      *simmesh.Mesh // of the nemesis alone
	chance    *rand.Rand    // its own
	began     time.Time
	dialled   []*sdk.Client
	histories [keys]*History
	former    map[int]mesh.NodeID // identities of nodes that were killed, when they were

	lock   sync.Mutex
	nodes  []*node.Node // as last started, for clients
	tick   int
	where  string // in the schedule
	result Result
}

// Run plays a schedule, within a bubble of testing/synctest. An error says
// that it could not go on; what the oracle found is in the result.
func Run(ctx context.Context, s Schedule, log *slog.Logger) (_ Result, err error) {
	r := &run{schedule: s, log: log, former: map[int]mesh.NodeID{}, chance: rand.New(rand.NewPCG(s.Seed, 1)), began: time.Now()}
	for key := range r.histories {
		r.histories[key] = &History{kind: kindOf(key)}
	}
	network := sim.NewNetwork(s.Seed, sim.Conditions{Delay: time.Millisecond, Jitter: time.Millisecond, Loss: 0.001})
	starting, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if r.mesh, err = simmesh.Start(starting, simmesh.Options{
		Nodes: s.Nodes, Network: network, Log: log,
		Configure: func(_ int, cfg *node.Config) { cfg.CollectAfter = collectAfter },
	}); err != nil {
		return r.result, err
	}
	defer func() { err = errors.Join(err, r.mesh.Close()) }()
	r.see()
	for range clients {
		client, err := r.mesh.Dial(starting, simmesh.Everything())
		if err != nil {
			return r.result, err
		}
		r.dialled = append(r.dialled, client)
		defer client.Close()
	}
	time.Sleep(noted)
	for i, round := range s.Rounds {
		r.enter(fmt.Sprintf("round %d (%s)", i+1, round.Fault))
		if err := r.round(ctx, round); err != nil {
			return r.result, fmt.Errorf("%s: %w", r.where, err)
		}
	}
	return r.result, nil
}

// round plays the nemesis and the clients at once, and looks at everything
// after the mesh has settled.
func (r *run) round(ctx context.Context, round Round) error {
	var load sync.WaitGroup
	for client, steps := range round.Clients {
		load.Go(func() {
			for _, step := range steps {
				r.clientStep(ctx, client, step)
			}
		})
	}
	err := r.nemesis(ctx, round.Nemesis)
	load.Wait()
	if err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	r.enter(r.where + ", settled")
	if err := r.compareDisks(); err != nil { // before reads can repair anything
		return err
	}
	return r.lookAtAll(ctx)
}

// settle waits until nothing is under way in the mesh.
func (r *run) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := r.mesh.Settle(ctx); err != nil {
		return err
	}
	if err := r.mesh.SettleReady(ctx); err != nil {
		return err
	}
	time.Sleep(quiet)
	tick := r.next()
	for _, history := range r.histories {
		history.Settle(tick)
	}
	return nil
}

// quiet is how long after the nodes say that they are ready the last of what
// was under way has arrived: several periods of repair. By then most marks of
// deletes are forgotten, so that the next round meets a mesh without them.
const quiet = 25*time.Second + collectAfter

// see lets clients use the nodes as they are now.
func (r *run) see() {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.nodes = r.nodes[:0]
	for i := range r.mesh.Len() {
		r.nodes = append(r.nodes, r.mesh.Node(i))
	}
}

func (r *run) enter(where string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.where = where
}

func (r *run) next() int {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.tick++
	return r.tick
}

func (r *run) count(field *int) {
	r.lock.Lock()
	defer r.lock.Unlock()
	*field++
}

// now is the time since the start.
func (r *run) now() time.Duration { return time.Since(r.began).Round(time.Millisecond) }

func (r *run) violation(format string, args ...any) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if len(r.result.Violations) < mostViolations {
		r.result.Violations = append(r.result.Violations, fmt.Sprintf("%v, %s: %s", r.now(), r.where, fmt.Sprintf(format, args...)))
	}
}
