package dht

import (
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
)

const (
	alice = mesh.NodeID("alice")
	bob   = mesh.NodeID("bob")
	carol = mesh.NodeID("carol")
)

var (
	start   = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	atBob   = []string{"10.0.0.2:7"}
	atCarol = []string{"10.0.0.3:7"}
)

func newTestRoster(bootstrap ...string) *roster {
	return newRoster(alice, Config{MaxPeers: 64, ForgetAfter: 24 * time.Hour, Bootstrap: bootstrap})
}

func liveIDs(r *roster) []mesh.NodeID {
	var ids []mesh.NodeID
	for _, p := range r.live() {
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	return ids
}

func expectLive(t *testing.T, r *roster, when string, want ...mesh.NodeID) {
	t.Helper()
	if got := liveIDs(r); !slices.Equal(got, want) {
		t.Errorf("%s: live are %v, want %v", when, got, want)
	}
}

func dueIDs(r *roster, now time.Time) []mesh.NodeID {
	var ids []mesh.NodeID
	for _, d := range r.due(now, 100) {
		ids = append(ids, d.id)
		d.attempt().dialling = false
	}
	return ids
}

func TestANodeIsLiveWhileAConnectionStands(t *testing.T) {
	r, first, second := newTestRoster(), new(link.Conn), new(link.Conn)
	r.up(bob, first, atBob, start)
	expectLive(t, r, "connected", bob)
	r.up(bob, second, atBob, start)
	r.down(bob, second, false, start)
	expectLive(t, r, "one of two connections closed", bob)
	r.down(bob, second, false, start)
	expectLive(t, r, "the same close again", bob)
	r.down(bob, first, false, start)
	expectLive(t, r, "both closed")
	if due := dueIDs(r, start.Add(longestRedial)); !slices.Equal(due, []mesh.NodeID{bob}) {
		t.Errorf("due are %v, want bob", due)
	}
}

func TestOneSelfIsNeverListed(t *testing.T) {
	r := newTestRoster()
	r.up(alice, new(link.Conn), atBob, start)
	r.learn(alice, atBob, byNode, start, start)
	if len(r.nodes) != 0 {
		t.Errorf("listed: %v", r.nodes)
	}
}

func TestARestartIsTold(t *testing.T) {
	r := newTestRoster()
	connection := func() uint64 { return r.live()[0].connection }
	r.up(bob, new(link.Conn), atBob, start)
	first := connection()
	r.up(bob, new(link.Conn), []string{"10.0.0.2:8"}, start)
	if connection() == first {
		t.Error("a later connection was not taken for a restart")
	}
	if addrs := r.live()[0].Addrs; !slices.Equal(addrs, []string{"10.0.0.2:8"}) {
		t.Errorf("addresses %v, want the new one only", addrs)
	}
}

func noPackets(*link.Conn) uint64 { return 0 }

func TestASilentNodeStaysUntilADialFails(t *testing.T) {
	r, conn := newTestRoster(), new(link.Conn)
	r.up(bob, conn, atBob, start)
	r.up(carol, new(link.Conn), atCarol, start)
	for range suspectAfter - 1 {
		ping, silent := r.beat(false, noPackets)
		r.heard(carol)
		if len(silent) > 0 {
			t.Fatal("given up too early")
		}
		for _, p := range ping {
			r.answered(p, false)
		}
	}
	_, silent := r.beat(false, noPackets)
	if len(silent) != 1 || silent[0].dial.id != bob || !slices.Equal(silent[0].conns, []*link.Conn{conn}) {
		t.Fatalf("silent are %+v, want bob", silent)
	}
	expectLive(t, r, "suspected", bob, carol)
	r.dialled(silent[0].dial, "", false, start)
	expectLive(t, r, "the dial failed", carol)
}

// A node of which packets come is slow: what is under way to it goes on.
func TestANodeThatIsTooBusyToAnswerIsGivenTime(t *testing.T) {
	r, conn := newTestRoster(), new(link.Conn)
	r.up(bob, conn, atBob, start)
	came := uint64(0)
	beat := func(packets uint64, late bool) bool {
		came += packets
		_, silent := r.beat(late, func(*link.Conn) uint64 { return came })
		return len(silent) > 0
	}
	for range stuckAfter - 1 {
		if beat(1, false) {
			t.Fatal("given up though packets come")
		}
	}
	r.heard(bob)
	for range suspectAfter {
		if beat(1, false) {
			t.Fatal("given up though it was heard")
		}
	}
	for range stuckAfter {
		if beat(0, true) {
			t.Fatal("given up by a node that is held up itself")
		}
	}
	for range suspectAfter - 2 {
		if beat(0, false) {
			t.Fatal("given up too early")
		}
	}
	if !beat(0, false) {
		t.Error("nothing comes any more, and it is not given up")
	}
	r.up(bob, conn, atBob, start)
	for range stuckAfter - 1 {
		beat(1, false)
	}
	if !beat(1, false) {
		t.Errorf("not given up after %d heartbeats without an answer", stuckAfter)
	}
}

func TestASilentNodeThatAnswersTheDialStays(t *testing.T) {
	r, conn := newTestRoster(), new(link.Conn)
	r.up(bob, conn, atBob, start)
	r.down(bob, conn, true, start)
	expectLive(t, r, "lost", bob)
	dials := r.due(start, 1)
	r.up(bob, new(link.Conn), atBob, start)
	r.dialled(dials[0], bob, false, start)
	expectLive(t, r, "dialled again", bob)
	if due := dueIDs(r, start.Add(time.Hour)); len(due) != 0 {
		t.Errorf("due are %v, want nobody", due)
	}
}

func TestWhoLeftIsNotDialledUntilItReturns(t *testing.T) {
	r, conn := newTestRoster(atBob[0]), new(link.Conn)
	r.bootstrap[0].id = bob
	r.up(bob, conn, atBob, start)
	r.leaving(bob, new(link.Conn), start)
	expectLive(t, r, "a leave over a connection that is none", bob)
	r.leaving(bob, conn, start)
	expectLive(t, r, "left")
	r.down(bob, conn, false, start)
	soon, later := start.Add(leaveQuiet-1), start.Add(leaveQuiet)
	r.learn(bob, atBob, byNode, soon, soon)
	if due := dueIDs(r, soon); len(due) != 0 {
		t.Errorf("due soon after: %v", due)
	}
	if due := dueIDs(r, later); !slices.Equal(due, []mesh.NodeID{""}) {
		t.Errorf("due later: %v, want only the bootstrap address", due)
	}
	r.learn(bob, atBob, byNode, later, later)
	if due := dueIDs(r, later); !slices.Contains(due, bob) {
		t.Errorf("due once a node named it again: %v, want bob", due)
	}
	r.up(bob, new(link.Conn), atBob, later)
	expectLive(t, r, "returned", bob)
}

func TestWhatIsMissingIsDialledForEver(t *testing.T) {
	r := newTestRoster("10.0.0.9:9")
	r.learn(bob, atBob, byNode, start, start)
	now, dials := start, 0
	for now.Before(start.Add(time.Hour)) {
		for _, d := range r.due(now, 100) {
			r.dialled(d, "", false, now)
			dials++
		}
		next, planned := r.nextDue(now)
		if !planned || next.Sub(now) > longestRedial*5/4 || !next.After(now) {
			t.Fatalf("next dial planned: %v, after %v", planned, next.Sub(now))
		}
		now = next
	}
	if atLeast := 2 * int(time.Hour/(longestRedial*5/4)); dials < atLeast {
		t.Errorf("%d dials in an hour, want at least %d", dials, atLeast)
	}
}

func TestWhoWasRefusedIsDialledSeldom(t *testing.T) {
	r := newTestRoster()
	r.learn(bob, atBob, byNode, start, start)
	r.dialled(r.due(start, 1)[0], "", true, start)
	if due := dueIDs(r, start.Add(refusedRedial-1)); len(due) != 0 {
		t.Errorf("due too early: %v", due)
	}
	if due := dueIDs(r, start.Add(refusedRedial)); !slices.Equal(due, []mesh.NodeID{bob}) {
		t.Errorf("due are %v, want bob", due)
	}
}

func TestWhatWasNotSeenForLongIsForgotten(t *testing.T) {
	r := newTestRoster()
	r.learn(bob, atBob, byNode, start, start)
	r.up(carol, new(link.Conn), atCarol, start)
	r.forget(start.Add(25 * time.Hour))
	if r.nodes[bob] != nil || r.nodes[carol] == nil {
		t.Errorf("known after a day: %v, want carol, who is connected", r.nodes)
	}
}

func TestWhatIsKnownIsBounded(t *testing.T) {
	r, chance := newTestRoster(), seeded(t)
	r.up(bob, new(link.Conn), atBob, start)
	for i, id := range nodesOf(viewOf(chance, maxKnown+100)) {
		seen := start.Add(time.Duration(i) * time.Second)
		r.learn(id, []string{"10.0.0.1:1"}, byNode, seen, seen)
	}
	if len(r.nodes) != maxKnown || r.nodes[bob] == nil {
		t.Errorf("%d known, connected one kept: %v", len(r.nodes), r.nodes[bob] != nil)
	}
}

func TestAddressesAreMergedFreshFirstAndBounded(t *testing.T) {
	r := newTestRoster()
	r.learn(bob, []string{"1:1", "2:2"}, byNode, start, start)
	r.learn(bob, []string{"3:3", "1:1"}, byNode, start, start)
	if got := r.nodes[bob].addrs; !slices.Equal(got, []string{"3:3", "1:1", "2:2"}) {
		t.Errorf("addresses %v", got)
	}
	r.learn(bob, []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}, byNode, start, start)
	if got := r.nodes[bob].addrs; len(got) != maxAddrs {
		t.Errorf("%d addresses, bound %d", len(got), maxAddrs)
	}
	r.up(bob, new(link.Conn), atBob, start)
	r.learn(bob, []string{"6:6"}, byNode, start, start)
	if got := r.nodes[bob].addrs; !slices.Equal(got, atBob) {
		t.Errorf("what others say of a connected node stood: %v", got)
	}
}

// Beyond the limit a node still connects to those nearest to it, so that
// neighbourhoods stay whole in a mesh larger than the view.
func TestBeyondTheLimitOnlyNearNodesAreDialled(t *testing.T) {
	r := newTestRoster()
	everyone := closestByBruteForce(nodesOf(viewOf(seeded(t), 300)), r.selfID, 300)
	for _, id := range everyone[100:164] {
		r.up(id, new(link.Conn), atBob, start)
	}
	for _, id := range append(slices.Clone(everyone[:100]), everyone[164:]...) {
		r.learn(id, atBob, byNode, start, start)
	}
	due := dueIDs(r, start.Add(time.Minute))
	for _, id := range everyone[:100] {
		if !slices.Contains(due, id) {
			t.Fatal("a node nearer than those connected is not dialled")
		}
	}
	if len(due) != 100 {
		t.Errorf("%d are dialled, want the 100 that are nearer", len(due))
	}
}

func TestHeartbeatsGoToABoundedNeighbourhood(t *testing.T) {
	r := newTestRoster()
	everyone := closestByBruteForce(nodesOf(viewOf(seeded(t), 200)), r.selfID, 200)
	for _, id := range everyone {
		r.up(id, new(link.Conn), atBob, start)
	}
	ping, _ := r.beat(false, noPackets)
	if len(ping) != nearest+randomOthers {
		t.Errorf("%d are pinged, want %d", len(ping), nearest+randomOthers)
	}
	for _, id := range everyone[:nearest] {
		if !slices.ContainsFunc(ping, func(p pinged) bool { return p.id == id }) {
			t.Error("one of the nearest is not pinged")
		}
	}
	for range suspectAfter - 1 {
		r.beat(false, noPackets)
	}
	for _, p := range ping {
		if r.nodes[p.id].connected() {
			t.Error("a node that owed an answer was let off")
		}
	}
}

func TestViewsAreComparedOncePerDifference(t *testing.T) {
	r := newTestRoster()
	r.up(bob, new(link.Conn), atBob, start)
	mine, theirs, other := mesh.ID{1}, mesh.ID{2}, mesh.ID{3}
	steps := []struct {
		mine, theirs mesh.ID
		want         bool
	}{{mine, theirs, true}, {mine, theirs, false}, {mine, other, true}, {other, other, false}, {mine, theirs, true}}
	for i, s := range steps {
		if got := r.compare(bob, s.mine, s.theirs); got != s.want {
			t.Errorf("step %d: %v, want %v", i, got, s.want)
		}
	}
	r.told(bob, false)
	if !r.compare(bob, mine, theirs) {
		t.Error("an exchange that failed is not made up for")
	}
	if r.compare(carol, mine, theirs) {
		t.Error("compared with a node that is not connected")
	}
}

func TestSettled(t *testing.T) {
	tried := func(r *roster) {
		for _, d := range r.due(start.Add(time.Minute), 100) {
			r.dialled(d, "", false, start)
		}
	}
	alone := newTestRoster()
	if !alone.settled() {
		t.Error("alone, with nobody to dial: not settled")
	}
	bootstrap := newTestRoster("10.0.0.9:9")
	if bootstrap.settled() {
		t.Error("settled before the bootstrap address was tried")
	}
	tried(bootstrap)
	if !bootstrap.settled() {
		t.Error("nobody answered: not settled")
	}
	bootstrap.up(bob, new(link.Conn), atBob, start)
	if bootstrap.settled() {
		t.Error("settled before the views were compared")
	}
	bootstrap.learn(carol, atCarol, byNode, start, start)
	bootstrap.told(bob, true)
	if bootstrap.settled() {
		t.Error("settled before the node that was named was tried")
	}
	tried(bootstrap)
	if !bootstrap.settled() {
		t.Error("all was tried: not settled")
	}
	remembering := newTestRoster()
	remembering.recall([]known{{Node: carol.String(), Addrs: atCarol, Seen: start}}, start)
	if remembering.settled() {
		t.Error("settled before the node that is remembered was tried")
	}
}

func TestTheBookIsKept(t *testing.T) {
	r := newTestRoster()
	r.up(bob, new(link.Conn), atBob, start)
	r.learn(carol, atCarol, byNode, start.Add(-25*time.Hour), start)
	again := newTestRoster()
	again.recall(r.remembered(start), start)
	if again.nodes[bob] == nil || !slices.Equal(again.nodes[bob].addrs, atBob) || again.nodes[carol] != nil {
		t.Errorf("recalled %+v, want bob only: carol was not seen for long", again.nodes)
	}
	again.recall([]known{{Node: "not an id", Addrs: atBob, Seen: start}, {Node: carol.String(), Seen: start}}, start)
	if len(again.nodes) != 1 {
		t.Errorf("malformed entries were recalled: %v", again.nodes)
	}
}
