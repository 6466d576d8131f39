package hotkeys

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// measure gives the keys that are hot here, and those that have extra readers already.
func (t *Tracker) measure(passed time.Duration) (found []Rated) {
	t.countMu.Lock()
	t.counter.Decay(passed)
	top := t.counter.Top()
	t.countMu.Unlock()
	if t.Off {
		return nil
	}
	found = hot(top, t.Counted, t.Deviations, t.Rate)
	for _, rated := range top[len(found):] {
		if len(t.Readers(rated.Key)) > 0 {
			found = append(found[:len(found):len(found)], rated)
		}
	}
	return found
}

// tell brings to the primaries of keys what this node reads of them.
func (t *Tracker) tell(ctx context.Context, found []Rated, now time.Time) {
	reports := map[mesh.NodeID]*pb.HotReport{}
	for _, rated := range found {
		primary := t.primary(rated.Key)
		if primary == t.Self {
			t.mu.Lock()
			t.raising.Report(t.Self, rated.Key, rated.Rate, now)
			t.mu.Unlock()
			continue
		}
		if reports[primary] == nil {
			reports[primary] = &pb.HotReport{}
		}
		reports[primary].Keys = append(reports[primary].Keys, &pb.ReportedKey{
			Key: wire.FromKey(rated.Key), MilliReads: uint64(1000 * rated.Rate),
		})
	}
	for primary, report := range reports {
		t.send(ctx, primary, report)
	}
}

// HandleReport takes what another node reads of keys of which this one is the
// primary. Where it is not, in its own view, the report is dropped: the next
// one follows in a period.
func (t *Tracker) HandleReport(from mesh.NodeID, m *pb.HotReport) error {
	now := time.Now()
	for _, reported := range m.Keys[:min(len(m.Keys), t.Counted)] {
		key, err := wire.ToKey(reported.GetKey())
		if err != nil {
			return err
		}
		if t.primary(key) != t.Self {
			continue
		}
		t.mu.Lock()
		t.raising.Report(from, key, float64(reported.GetMilliReads())/1000, now)
		t.mu.Unlock()
	}
	return nil
}

// decide gives this node's word as a primary: of keys whose readers changed,
// and from time to time of all that have some.
func (t *Tracker) decide(now time.Time) *pb.HotKeys {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range t.raising.Keys() {
		if t.primary(key) != t.Self {
			t.raising.Forget(key)
		}
	}
	words := t.raising.Tick(now)
	if t.ticks++; t.ticks%renewEvery == 0 {
		words = append(words, t.raising.Raised()...)
	}
	m := &pb.HotKeys{LeaseMs: uint32(leasePeriods * t.Period / time.Millisecond)}
	for _, word := range words {
		stamp := t.Clock.Now()
		t.raised.Merge(word.key, raise{extra: word.extra, stamp: stamp, until: now.Add(leasePeriods * t.Period)})
		m.Keys = append(m.Keys, &pb.RaisedKey{
			Key: wire.FromKey(word.key), Extra: uint32(word.extra), StampTime: stamp.Time, StampNode: []byte(stamp.Node),
		})
	}
	return m
}

// announce brings this node's word to all others.
func (t *Tracker) announce(ctx context.Context, m *pb.HotKeys) {
	if len(m.Keys) == 0 {
		return
	}
	for _, node := range t.Placement.Live() {
		if node != t.Self {
			t.send(ctx, node, m)
		}
	}
}

// HandleHotKeys takes the word of a primary. It is followed from the next period on.
func (t *Tracker) HandleHotKeys(m *pb.HotKeys) error {
	lease := min(time.Duration(m.LeaseMs)*time.Millisecond, longestLease)
	until := time.Now().Add(lease)
	for _, k := range m.Keys {
		key, err := wire.ToKey(k.GetKey())
		if err != nil {
			return err
		}
		stamp := lattice.Stamp{Time: k.StampTime, Node: string(k.StampNode)}
		t.mu.Lock()
		t.raised.Merge(key, raise{extra: min(int(k.Extra), maxExtra), stamp: stamp, until: until})
		t.mu.Unlock()
	}
	return nil
}

// Bounds of what another node may say.
const (
	longestLease = time.Hour
	maxExtra     = 64
)

func (t *Tracker) primary(key mesh.Key) mesh.NodeID {
	if owners := t.Placement.Owners(key, 1); len(owners) > 0 {
		return owners[0]
	}
	return ""
}

// send leaves it at one attempt: all is said again.
func (t *Tracker) send(ctx context.Context, node mesh.NodeID, m wire.Message) {
	if err := t.Peers.Send(ctx, node, m); err != nil {
		t.Log.Debug("a node does not hear of hot keys", "node", node.Short(), "err", err)
	}
}
