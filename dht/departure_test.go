package dht

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
)

func TestACrashIsSeenWithinTwoSeconds(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(10)
		for _, victim := range []int{0, 7} {
			crashed := nodes[victim]
			nodes = slices.Delete(slices.Clone(nodes), victim, victim+1)
			crashed.kill(t)
			began := time.Now()
			m.await("the crash to be seen", func() bool { return seeEachOther(nodes) })
			if took := time.Since(began); took > 2100*time.Millisecond {
				t.Errorf("seen after %v", took)
			}
			checkOwners(t, nodes)
		}
	})
}

// Without heartbeats the connections themselves notice.
func TestACrashIsSeenWithoutHeartbeats(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		var nodes []*testNode
		for range 3 {
			s := m.settings()
			s.config.Heartbeat = time.Hour
			if len(nodes) > 0 {
				s.config.Bootstrap = []string{nodes[0].addr()}
			}
			nodes = append(nodes, m.start(s))
		}
		m.await("the whole view", func() bool { return seeEachOther(nodes) })
		nodes[2].kill(t)
		began := time.Now()
		m.await("the crash to be seen", func() bool { return seeEachOther(nodes[:2]) })
		if took := time.Since(began); took < 5*time.Second || took > 10*time.Second {
			t.Errorf("seen after %v, want the idle timeout and a dial", took)
		}
	})
}

func TestALeaveIsSeenAtOnce(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(5)
		left, rest := nodes[2], nodes[3]
		others := slices.Concat(nodes[:2], nodes[3:])
		began := time.Now()
		left.Leave(context.Background())
		left.end(t)
		m.await("the leave to be seen", func() bool { return seeEachOther(others) })
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("seen after %v", took)
		}
		for _, n := range others {
			n.meddle(func() {
				if _, planned := n.roster.nextDue(time.Now()); planned {
					t.Errorf("%s wants to dial, though the only one missing took leave", n.self.Short())
				}
			})
		}
		<-time.After(30 * time.Second)
		if !seeEachOther(others) {
			t.Error("who left came back, though it did not return")
		}
		if events := rest.events.of(left.self); !slices.Equal(events, []bool{true, false}) {
			t.Errorf("events of who left: %v, want up, down", events)
		}
	})
}

func TestACloseIsSeenAtOnce(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(3)
		nodes[2].end(t)
		began := time.Now()
		m.await("the close to be seen", func() bool { return seeEachOther(nodes[:2]) })
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("seen after %v", took)
		}
	})
}

func TestARestartAtAnotherPortTakesThePlaceOfTheOldNode(t *testing.T) {
	for _, crash := range []bool{true, false} {
		t.Run(fmt.Sprintf("crash=%v", crash), func(t *testing.T) {
			simulated(t, lan, func(t *testing.T, m *testMesh) {
				nodes := m.startMany(4)
				old := nodes[3]
				if crash {
					old.kill(t)
				} else {
					old.end(t)
				}
				s := old.settings
				s.listen = net.JoinHostPort(sim.HostIP(s.host).String(), "7001")
				nodes[3] = m.start(s)
				at := func(n *testNode) []string {
					view := n.View()
					i := slices.IndexFunc(view, func(p Peer) bool { return p.ID == old.self })
					if i < 0 {
						return nil
					}
					return view[i].Addrs
				}
				m.await("the new address everywhere", func() bool {
					return seeEachOther(nodes) && !slices.ContainsFunc(nodes, func(n *testNode) bool {
						return !slices.Equal(at(n), []string{s.listen})
					})
				})
				<-time.After(time.Minute)
				if !seeEachOther(nodes) {
					t.Error("the end of the old connection took the new one out")
				}
				m.await("the events", func() bool {
					return slices.Equal(nodes[1].events.of(old.self), []bool{true, false, true})
				})
			})
		})
	}
}
