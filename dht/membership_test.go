package dht

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/mesh"
)

// allOwn reports whether exactly these nodes own everything in the eyes of each.
func allOwn(nodes []*testNode, owners ...*testNode) bool {
	want := idsOf(owners)
	return !slices.ContainsFunc(nodes, func(n *testNode) bool {
		return !slices.Equal(slices.Sorted(slices.Values(n.PartitionOwners(0, 16))), want)
	})
}

// allKnowAsOwners is allOwn of the known owners.
func allKnowAsOwners(nodes []*testNode, owners ...*testNode) bool {
	want := idsOf(owners)
	return !slices.ContainsFunc(nodes, func(n *testNode) bool {
		return !slices.Equal(slices.Sorted(slices.Values(n.KnownOwners(0, 16))), want)
	})
}

func idsOf(nodes []*testNode) []mesh.NodeID {
	var ids []mesh.NodeID
	for _, n := range nodes {
		ids = append(ids, n.self)
	}
	slices.Sort(ids)
	return ids
}

// knownAs gives what a node knows of another.
func (n *testNode) knownAs(other *testNode) (Member, bool) {
	known := n.Known()
	i := slices.IndexFunc(known, func(m Member) bool { return m.ID == other.self })
	if i < 0 {
		return Member{}, false
	}
	return known[i], true
}

func allKnow(nodes []*testNode, other *testNode) bool {
	return !slices.ContainsFunc(nodes, func(n *testNode) bool { _, known := n.knownAs(other); return !known })
}

func noneKnows(nodes []*testNode, other *testNode) bool {
	return !slices.ContainsFunc(nodes, func(n *testNode) bool { _, known := n.knownAs(other); return known })
}

func hostsOf(nodes ...*testNode) (hosts []netip.Addr) {
	for _, n := range nodes {
		hosts = append(hosts, sim.HostIP(n.settings.host))
	}
	return hosts
}

func TestANodeThatDrainsOwnsNothingAndStaysLive(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(4)
		nodes[3].Drain(context.Background())
		if !allOwn(nodes, nodes[:3]...) || !allKnowAsOwners(nodes, nodes[:3]...) {
			t.Error("Drain returned, and somebody takes the node for an owner")
		}
		late := m.start(m.settings(nodes[0].addr()))
		all := append(slices.Clone(nodes), late)
		stay := append(slices.Clone(nodes[:3]), late)
		m.await("a newcomer to know", func() bool { return seeEachOther(all) && allOwn(all, stay...) })
		if as, _ := late.knownAs(nodes[3]); !as.Live || !as.Draining {
			t.Errorf("known as %+v, want live and draining", as)
		}
		nodes[3].Undrain(context.Background())
		m.await("all to own again", func() bool { return allOwn(all, all...) })
	})
}

func TestDrainingSpreadsWhenAPartitionHeals(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(4)
		m.network.Partition(hostsOf(nodes[:2]...), hostsOf(nodes[2:]...))
		m.await("the partition to be seen", func() bool { return nodes[0].sees(nodes[:2]...) && nodes[3].sees(nodes[2:]...) })
		nodes[3].Drain(context.Background())
		nodes[1].Drain(context.Background())
		nodes[1].Undrain(context.Background())
		if !allOwn(nodes[:2], nodes[:2]...) || !allOwn(nodes[2:], nodes[2]) {
			t.Error("a side has other owners than its own that stay")
		}
		m.network.Heal()
		m.await("all to know who drains", func() bool { return seeEachOther(nodes) && allOwn(nodes, nodes[:3]...) })
	})
}

func TestARestartEndsDraining(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(3)
		nodes[2].Drain(context.Background())
		nodes[2].kill(t)
		m.await("the crash to be seen", func() bool { return seeEachOther(nodes[:2]) })
		if as, known := nodes[0].knownAs(nodes[2]); !known || as.Live || !as.Draining || !allKnowAsOwners(nodes[:2], nodes[:2]...) {
			t.Errorf("who crashed while it drained is known as %+v", as)
		}
		nodes[2] = m.start(nodes[2].settings)
		m.await("all to own", func() bool { return seeEachOther(nodes) && allOwn(nodes, nodes...) })
	})
}

func TestAMissingNodeIsRememberedAlsoByWhoNeverSawIt(t *testing.T) {
	for name, depart := range map[string]func(*testing.T, *testNode){
		"crash": func(t *testing.T, n *testNode) { n.kill(t) },
		"stop":  func(t *testing.T, n *testNode) { n.Leave(context.Background()); n.end(t) },
	} {
		t.Run(name, func(t *testing.T) {
			simulated(t, lan, func(t *testing.T, m *testMesh) {
				m.forgetAfter = 5 * time.Minute
				nodes := m.startMany(3)
				went := time.Now()
				depart(t, nodes[2])
				m.await("the departure to be seen", func() bool { return seeEachOther(nodes[:2]) })
				<-time.After(time.Minute)
				late := m.start(m.settings(nodes[0].addr()))
				live := []*testNode{nodes[0], nodes[1], late}
				<-late.Ready()
				m.await("the newcomer", func() bool { return seeEachOther(live) })
				as, known := late.knownAs(nodes[2])
				if !known || as.Live || as.MissingSince.Before(went.Add(-time.Second)) || as.MissingSince.After(went.Add(3*time.Second)) {
					t.Errorf("known: %v, as %+v, want missing since %v", known, as, went)
				}
				if !allOwn(live, live...) || !allKnowAsOwners(live, append(live, nodes[2])...) {
					t.Error("the missing node owns something now, or would not when it came back")
				}
				<-time.After(3*time.Minute + 45*time.Second)
				if !allKnow(live, nodes[2]) {
					t.Error("forgotten too early")
				}
				<-time.After(15*time.Second + forgetEvery)
				if !noneKnows(live, nodes[2]) {
					t.Error("remembered for too long")
				}
			})
		})
	}
}

func TestWhoLeavesForGoodIsForgottenAtOnce(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(4)
		cut := nodes[1]
		m.network.Partition(hostsOf(cut), hostsOf(nodes[0], nodes[2], nodes[3]))
		rest := []*testNode{nodes[0], nodes[2]}
		m.await("the partition to be seen", func() bool { return nodes[0].sees(nodes[0], nodes[2], nodes[3]) && cut.sees(cut) })
		nodes[3].LeaveForGood(context.Background())
		nodes[3].end(t)
		m.await("the leave to be seen", func() bool { return seeEachOther(rest) })
		if !noneKnows(rest, nodes[3]) {
			t.Error("remembered, though it left for good")
		}
		if _, known := cut.knownAs(nodes[3]); !known {
			t.Error("who was cut off cannot know that the node left for good")
		}
		m.network.Heal()
		rest = nodes[:3]
		m.await("who was cut off to know", func() bool { return seeEachOther(rest) && noneKnows(rest, nodes[3]) })
		<-time.After(time.Minute)
		if !noneKnows(rest, nodes[3]) || !allKnowAsOwners(rest, rest...) {
			t.Error("who was cut off brought the node up again")
		}
	})
}

func TestForgettingSpreads(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		m.forgetAfter = 2 * time.Minute
		nodes := m.startMany(5)
		dead, cut := nodes[4], nodes[3]
		dead.kill(t)
		m.network.Partition(hostsOf(cut), hostsOf(nodes[:3]...))
		m.await("both to be missed", func() bool { return seeEachOther(nodes[:3]) })
		if err := nodes[1].Forget(context.Background(), dead.self); err != nil {
			t.Fatal(err)
		}
		if !noneKnows(nodes[:3], dead) || !allKnow(nodes[:3], cut) {
			t.Error("Forget returned, and the nodes do not know the missing by it")
		}
		m.network.Heal()
		m.await("who was cut off to forget", func() bool { return seeEachOther(nodes[:4]) && noneKnows(nodes[:4], dead) })
		<-time.After(3 * time.Minute)
		if !noneKnows(nodes[:4], dead) {
			t.Error("known again")
		}
	})
}

func TestOnlyAMissingNodeCanBeForgotten(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(2)
		for _, live := range nodes {
			if err := nodes[0].Forget(context.Background(), live.self); !errors.Is(err, mesh.Conflict) {
				t.Errorf("forget a live node: %v, want Conflict", err)
			}
		}
		if err := nodes[0].Forget(context.Background(), "nobody"); !errors.Is(err, mesh.NotFound) {
			t.Errorf("forget a stranger: %v, want NotFound", err)
		}
	})
}

// The one that forgets and the one that is forgotten cannot reach each other; a third node sees both.
func TestANodeThatIsForgottenWhileItLivesObjects(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(4)
		m.network.Partition(hostsOf(nodes[:2]...), hostsOf(nodes[2:]...))
		m.await("the partition to be seen", func() bool { return seeEachOther(nodes[:2]) && seeEachOther(nodes[2:]) })
		if err := nodes[0].Forget(context.Background(), nodes[3].self); err != nil {
			t.Fatal(err)
		}
		m.network.Heal()
		m.await("all to own", func() bool { return seeEachOther(nodes) && allOwn(nodes, nodes...) })
		if !nodes[3].Forgotten() || nodes[2].Forgotten() {
			t.Error("not exactly the node that was forgotten knows that it was")
		}
	})
}

func TestANodeThatLeftForGoodCanReturn(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(3)
		nodes[2].LeaveForGood(context.Background())
		nodes[2].end(t)
		m.await("the leave to be seen", func() bool { return seeEachOther(nodes[:2]) })
		nodes[2] = m.start(nodes[2].settings)
		<-nodes[2].Ready()
		if !nodes[2].Forgotten() {
			t.Error("ready, and does not know that it was forgotten")
		}
		m.await("all to own", func() bool { return seeEachOther(nodes) && allOwn(nodes, nodes...) })
	})
}

func TestTheBookRemembersWhoIsMissingAndWhoIsGone(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(3)
		s := m.settings(nodes[0].addr())
		s.config.Book = &memoryBook{}
		keeper := m.start(s)
		all := append(slices.Clone(nodes), keeper)
		m.await("the whole view", func() bool { return seeEachOther(all) })
		missing, left := nodes[1], nodes[2]
		missing.end(t)
		left.LeaveForGood(context.Background())
		left.end(t)
		m.await("the departures to be seen", func() bool { return keeper.sees(nodes[0], keeper) })
		before, _ := keeper.knownAs(missing)
		keeper.end(t)
		nodes[0].end(t)
		keeper = m.start(s)
		<-keeper.Ready()
		after, known := keeper.knownAs(missing)
		if !known || !after.MissingSince.Equal(before.MissingSince.Truncate(time.Millisecond)) {
			t.Errorf("missing since %v, before the restart %v", after.MissingSince, before.MissingSince)
		}
		if _, known := keeper.knownAs(left); known {
			t.Error("who left for good is known again")
		}
	})
}
