package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Options say what to run. Zero fields mean the defaults.
type Options struct {
	Home    string // folder of the mesh; required, and empty or missing
	Nodes   int    // default 5, so that a node does not own every key
	Clients int    // default 8
	Runners int    // clients beside those that run DAGs; default none
	// Callers is how many more clients at each level of consistency run DAGs
	// that tell what they read and wrote; default none.
	Callers int
	// Lax has these runs ask for no level, and holds them against it all the
	// same: to see that the checker finds something.
	Lax    bool
	Time   time.Duration // for which faults are made; default one minute
	Rate   int           // most calls a second of one client; default 100
	Seed   uint64        // of what befalls whom when
	Faults []string      // names; default: all
	// Adds, if not 0, replaces the load by so many additions to sets, and the
	// faults by Kills of nodes, evenly spread over them.
	Adds, Kills int
	// Progress is told what happens, a line at a time. Nil: nobody is.
	Progress func(string)
}

func (o Options) withDefaults() Options {
	if o.Nodes == 0 {
		o.Nodes = 5
	}
	if o.Clients == 0 {
		o.Clients = 8
	}
	if o.Time == 0 {
		o.Time = time.Minute
	}
	if o.Rate == 0 {
		o.Rate = 100
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}

// Bounds of the options.
const (
	fewestNodes = 3
	mostNodes   = 20
	mostClients = 1000
)

func (o Options) validate() error {
	invalid := func(format string, args ...any) error {
		return mesh.Errorf(mesh.Invalid, "chaos", format, args...)
	}
	switch {
	case o.Home == "":
		return invalid("no folder: expected one for the mesh")
	case o.Nodes < fewestNodes || o.Nodes > mostNodes:
		return invalid("%d nodes: expected %d to %d", o.Nodes, fewestNodes, mostNodes)
	case o.Clients < 1 || o.Clients > mostClients:
		return invalid("%d clients: expected 1 to %d", o.Clients, mostClients)
	case o.Runners < 0 || o.Runners > mostClients:
		return invalid("%d runners: expected up to %d", o.Runners, mostClients)
	case o.Callers < 0 || o.Callers > mostClients:
		return invalid("%d callers: expected up to %d", o.Callers, mostClients)
	case o.Time < 0 || o.Rate < 1 || o.Adds < 0 || o.Kills < 0:
		return invalid("time %v, rate %d, %d adds, %d kills: expected none below 0, and a rate of at least 1", o.Time, o.Rate, o.Adds, o.Kills)
	}
	return nil
}

// Run starts a mesh, does its worst, and stops the mesh. An error is for what
// could not be begun; what went wrong afterwards is in the report.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Home, 0o700); err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "chaos", "%w", err)
	}
	a, err := open(ctx, o.Home, o.Nodes, rand.New(rand.NewPCG(o.Seed, 0)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	report := &Report{Seed: o.Seed, Nodes: o.Nodes, Clients: o.Clients}
	play := faultsUnderLoad
	if o.Adds > 0 {
		play = killsUnderAdds
	}
	l, err := play(ctx, a, o, report)
	if err != nil {
		return nil, err
	}
	l.conclude(ctx, a, report)
	return report, nil
}

// calm is how long the mesh works in peace between two faults.
const calm = time.Second

// faultsUnderLoad makes one fault after another while clients work.
func faultsUnderLoad(ctx context.Context, a *arena, o Options, report *Report) (*load, error) {
	chosen, skipped, err := choose(a, o.Faults)
	if err != nil {
		return nil, err
	}
	report.Skipped = skipped
	l := newLoad(a.ids)
	if o.Callers > 0 {
		l.histories = newHistories()
	}
	clients, err := a.dialAll(ctx, o.Clients+o.Runners+o.Callers*len(l.histories))
	if err != nil {
		return nil, err
	}
	defer closeAll(clients)
	if o.Runners+o.Callers > 0 {
		if err := deployRuns(ctx, clients[0], o.Nodes); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	working, finish := context.WithCancel(ctx)
	var load sync.WaitGroup
	for number, c := range clients {
		chance := rand.New(rand.NewPCG(o.Seed, uint64(number+1)))
		pause := time.Second / time.Duration(o.Rate)
		load.Go(func() {
			switch caller := number - o.Clients - o.Runners; {
			case number < o.Clients:
				l.client(working, c, number, o.Clients, pause, chance)
			case caller < 0:
				l.run(working, c, pause, chance)
			default:
				l.witness(working, c, caller%len(l.histories), o.Lax, turn*pause, chance)
			}
		})
	}
	for at := 0; len(chosen) > 0 && time.Since(began) < o.Time && ctx.Err() == nil; at++ {
		s, err := a.suffer(ctx, chosen[at%len(chosen)], l)
		report.Faults = append(report.Faults, s)
		o.Progress(fmt.Sprintf("%s %s: waits %s and %s, healed after %s %s", s.Fault, s.Node, ms(s.OwnedMS), ms(s.OtherMS), ms(s.HealedMS), s.Note))
		if err != nil {
			report.Failures = append(report.Failures, fmt.Sprintf("%s of %s: %v", s.Fault, s.Node, err))
			break
		}
		rest(ctx, calm)
	}
	finish()
	load.Wait()
	report.Seconds = time.Since(began).Seconds()
	return l, nil
}

// suffer makes a fault, ends it and waits until the mesh is whole again.
func (a *arena) suffer(ctx context.Context, f fault, l *load) (s Strike, err error) {
	victim := a.chance.IntN(len(a.nodes))
	s = Strike{Fault: f.name, Node: a.nodes[victim].Name}
	if f.prepare != nil {
		if err := f.prepare(ctx, a, victim); err != nil {
			return s, err
		}
	}
	began := time.Now()
	l.suffers("%s of %s", f.name, s.Node)
	if s.Note, err = f.strike(ctx, a, victim); err != nil {
		return s, err
	}
	rest(ctx, shortest+time.Duration(a.chance.Int64N(int64(longest-shortest))))
	repaired := time.Now()
	s.LastedMS = repaired.Sub(began).Milliseconds()
	l.suffers("%s of %s, being repaired", f.name, s.Node)
	if err = f.repair(ctx, a, victim); err == nil {
		err = a.whole(ctx)
	}
	s.HealedMS = time.Since(repaired).Milliseconds()
	l.suffers("%s of %s, healed", f.name, s.Node)
	owned, other := l.waits.longest(began, func(k Key) bool { return k.ownedBy(a.ids[victim]) })
	s.OwnedMS, s.OtherMS = owned.Milliseconds(), other.Milliseconds()
	return s, err
}

// conclude adds to the report what all came to.
func (l *load) conclude(ctx context.Context, a *arena, report *Report) {
	took, sum, err := verify(ctx, a, l)
	if err != nil {
		report.Failures = append(report.Failures, err.Error())
	}
	report.EqualMS = took.Milliseconds()
	l.concludeLevels(ctx, a, report)
	report.Lost, report.Twice, report.Unwritten = sum.lost, sum.twice, sum.unwritten
	report.Acked, report.Unknown = l.ledger.acked, l.ledger.unknown
	report.Runs = l.runs.Load()
	report.Reads, report.Unseen, report.Missed, report.Odd = l.reads.Load(), l.unseen.Load(), l.missed, l.odd
}
