package main

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// Cases of nodes that come and go, in a mesh of four, so that there is one that
// does not own a key and can stand in for an owner.
const (
	joinCase    = "join: start to ready"
	beforeJoin  = "get, join: before"
	duringJoin  = "get, join: until ready"
	refillCase  = "kill: noticed to whole"
	noticedCase = "kill: until noticed"
	beforeFirst = "get, kill: its own, before"
	afterFirst  = "get, kill: its own, after"
	beforeOther = "get, kill: others, before"
	afterOther  = "get, kill: others, after"
	beforeVia   = "get, kill: via it, before"
	afterVia    = "get, kill: via it, after"
)

const (
	changeNodes = benchReplicas + 1
	changeValue = 1 << 10 // bytes
	// refillTimeout bounds the wait for copies: far more than it may take.
	refillTimeout = 2 * time.Minute
)

// annaChanges measures a join, and what follows when a node is killed.
func (b *benchRun) annaChanges(ctx context.Context) error {
	joins := b.wantsAny(joinCase, beforeJoin, duringJoin)
	refills := b.wantsAny(refillCase, noticedCase)
	reads := b.wantsAny(beforeFirst, afterFirst, beforeOther, afterOther, beforeVia, afterVia)
	if !joins && !refills && !reads {
		return nil
	}
	nodes := changeNodes
	if joins {
		nodes--
	}
	return b.withMesh(ctx, nodes, func(m *benchMesh) error {
		if err := m.fill(ctx, m.client, b.annaKeys(), newAnnaValues(changeValue)); err != nil {
			return err
		}
		if joins {
			if err := b.annaJoin(ctx, m); err != nil {
				return err
			}
		}
		if refills {
			if err := b.annaRefill(ctx, m, 2); err != nil {
				return err
			}
			if err := m.revive(ctx); err != nil {
				return err
			}
		}
		if !reads {
			return nil
		}
		return b.annaKill(ctx, m, 1)
	})
}

// annaJoin measures a fourth node that joins under a load of gets.
func (b *benchRun) annaJoin(ctx context.Context, m *benchMesh) error {
	r, err := b.startReaders(ctx, m, 0, annaReaders, b.annaNames())
	if err != nil {
		return err
	}
	before, during, took, err := func() (before, during bench.Sample, took time.Duration, err error) {
		if before, err = r.steady(ctx, b); err != nil {
			return before, during, took, err
		}
		start := time.Now()
		err = m.up(ctx, changeNodes)
		return before, r.load.Window(), time.Since(start), err
	}()
	if err := r.stop(err); err != nil {
		return err
	}
	if err := b.noteAll(caseSample{beforeJoin, before}, caseSample{duringJoin, during}, caseSample{joinCase, bench.SampleOf(took)}); err != nil {
		return err
	}
	if _, err := m.inspect(ctx); err != nil {
		return err
	}
	return m.whole(ctx, changeNodes)
}

// annaRefill measures how long it takes, without load, until what a killed node
// held has as many copies as before.
func (b *benchRun) annaRefill(ctx context.Context, m *benchMesh, victim int) error {
	ctx, cancel := context.WithTimeout(ctx, refillTimeout)
	defer cancel()
	return m.each(ctx, []int{victim}, func(clients map[int]*sdk.Client) error {
		start := time.Now()
		if err := m.nodes[victim].Kill(); err != nil {
			return err
		}
		if err := m.missed(ctx, clients, m.ids[victim]); err != nil {
			return err
		}
		noticed := time.Now()
		if err := m.whole(ctx, changeNodes-1, victim); err != nil {
			return err
		}
		return b.noteAll(caseSample{noticedCase, bench.SampleOf(noticed.Sub(start))}, caseSample{refillCase, bench.SampleOf(time.Since(noticed))})
	})
}

// missed waits until a node is in the view of none of the others.
func (m *benchMesh) missed(ctx context.Context, others map[int]*sdk.Client, victim mesh.NodeID) error {
	for _, client := range others {
		for {
			sees, err := seesLive(ctx, client, victim)
			if err != nil {
				return err
			}
			if !sees {
				break
			}
			if err := rest(ctx, lookEvery); err != nil {
				return err
			}
		}
	}
	return nil
}

func seesLive(ctx context.Context, client *sdk.Client, id mesh.NodeID) (bool, error) {
	status, err := client.Status(ctx)
	for _, peer := range status.Peers {
		if peer.ID == id && peer.Live {
			return true, err
		}
	}
	return false, err
}

// revive starts the nodes that were killed, and waits until the mesh is as it was.
func (m *benchMesh) revive(ctx context.Context) error {
	if err := m.up(ctx, len(m.nodes)); err != nil {
		return err
	}
	return m.whole(ctx, len(m.nodes))
}

// annaKill measures gets while a node is killed: of the keys that it owned
// first and of all others, through a client of a node that lives on, and of
// all keys through a client of the node that is killed.
func (b *benchRun) annaKill(ctx context.Context, m *benchMesh, victim int) error {
	first, others, err := m.ownedFirst(b.annaNames(), m.ids[victim])
	if err != nil {
		return err
	}
	cases := []struct {
		node          int
		keys          []string
		before, after string
	}{
		{0, first, beforeFirst, afterFirst},
		{0, others, beforeOther, afterOther},
		{victim, append(first, others...), beforeVia, afterVia},
	}
	var readers []*annaReads
	var samples []caseSample
	err = func() error {
		for _, c := range cases {
			r, err := b.startReaders(ctx, m, c.node, annaReaders/2, c.keys)
			if err != nil {
				return err
			}
			readers = append(readers, r)
		}
		if err := b.settleReaders(ctx, readers...); err != nil {
			return err
		}
		for i, r := range readers {
			samples = append(samples, caseSample{cases[i].before, r.load.Window()})
		}
		if err := m.nodes[victim].Kill(); err != nil {
			return err
		}
		return b.watchReaders(ctx, readers...)
	}()
	for i, r := range readers {
		if err == nil {
			samples = append(samples, caseSample{cases[i].after, r.load.Window()})
		}
		err = r.stop(err)
	}
	if err != nil {
		return err
	}
	return b.noteAll(samples...)
}

// ownedFirst parts keys into those whose closest owner is a node, and all others.
func (m *benchMesh) ownedFirst(names []string, node mesh.NodeID) (first, others []string, err error) {
	for _, name := range names {
		if m.owners(name)[0] == node {
			first = append(first, name)
		} else {
			others = append(others, name)
		}
	}
	if len(first) == 0 || len(others) == 0 {
		return nil, nil, mesh.Errorf(mesh.Internal, "bench", "of %d keys %d have one node as their first owner: expected some, and not all", len(names), len(first))
	}
	return first, others, nil
}
