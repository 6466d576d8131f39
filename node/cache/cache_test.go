package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestAHitMakesNoCall(t *testing.T) {
	m := newTestMesh()
	a := m.addOwner(t, "a", PublisherOptions{})
	c := m.addCache(t, "c", Options{})
	a.merge(key("k"), setOf("1"))
	if got := held(c, key("k")); got != "nothing" || c.Holds(key("k")) {
		t.Errorf("before the first fetch: %s", got)
	}
	mustFetch(t, c, key("k"), "1", "a")
	k := key("k")
	if n := testing.AllocsPerRun(100, func() { c.Get(k) }); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
	if n := m.countCalls("Fetch"); n != 1 || held(c, k) != "1" || !c.Holds(k) {
		t.Errorf("%d fetches, held %s", n, held(c, k))
	}
}

func TestOneFlightForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		m.addOwner(t, "a", PublisherOptions{}).merge(key("k"), setOf("1"))
		c := m.addCache(t, "c", Options{})
		m.fault = func(mesh.NodeID, wire.Message, bool) error { time.Sleep(10 * time.Millisecond); return nil }
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, found, err := c.Fetch(t.Context(), key("k"), []mesh.NodeID{"a"}); !found || err != nil {
					t.Error(found, err)
				}
			})
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, _, err := c.Fetch(impatient, key("k"), []mesh.NodeID{"a"}); !errors.Is(err, mesh.DeadlineExceeded) {
			t.Errorf("one who does not wait: %v, want DeadlineExceeded", err)
		}
		wg.Wait()
		if n := m.countCalls("Fetch"); n != 1 {
			t.Errorf("51 callers cost %d fetches", n)
		}
	})
}

func TestFetchFallsOver(t *testing.T) {
	for _, c := range []struct {
		name, dead, has string
		want            string
	}{
		{"all live", "", "abc", "1"},
		{"the closest is dead", "a", "abc", "1"},
		{"the closest has not got it yet", "", "c", "1"},
		{"nobody has it", "", "", "missing"},
		{"one of three is dead, the others do not have it", "b", "", "missing"},
		{"two of three are dead", "ab", "", "Unavailable"},
		{"all are dead", "abc", "abc", "Unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newTestMesh()
			for _, id := range "abc" {
				owner := m.addOwner(t, mesh.NodeID(id), PublisherOptions{})
				if strings.ContainsRune(c.has, id) {
					owner.merge(key("k"), setOf("1"))
				}
			}
			m.fault = func(to mesh.NodeID, _ wire.Message, _ bool) error {
				if strings.Contains(c.dead, string(to)) {
					return mesh.Errorf(mesh.Unavailable, "call", "dead")
				}
				return nil
			}
			cell, found, err := m.addCache(t, "c", Options{}).Fetch(t.Context(), key("k"), []mesh.NodeID{"a", "b", "c"})
			got := "missing"
			if err != nil {
				got = mesh.KindOf(err).String()
			} else if found {
				got = describe(cell)
			}
			if got != c.want {
				t.Errorf("Fetch gives %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestAChangeArrivesWithinAnEpochAndCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{Epoch: 10 * time.Millisecond})
		c := m.addCache(t, "c", Options{})
		a.merge(key("k"), setOf("1"))
		a.merge(key("other"), setOf("1"))
		mustFetch(t, c, key("k"), "1", "a")
		for i := range 100 {
			a.merge(key("k"), setOf(fmt.Sprint(i%5)))
			a.merge(key("other"), setOf("2")) // nobody subscribed
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if got := held(c, key("k")); got != "0 1 2 3 4" {
			t.Errorf("after an epoch: %s", got)
		}
		if n := m.countCalls("Push"); n != 1 {
			t.Errorf("100 changes cost %d pushes, want 1", n)
		}
	})
}

func TestAPushDuringTheFlightIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{})
		c := m.addCache(t, "c", Options{})
		a.merge(key("k"), setOf("1"))
		m.fault = func(_ mesh.NodeID, req wire.Message, handled bool) error {
			if _, is := req.(*pb.Fetch); is && handled { // the reply is on its way, and slow
				a.merge(key("k"), setOf("2"))
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		}
		mustFetch(t, c, key("k"), "1 2", "a")
		if got := held(c, key("k")); got != "1 2" {
			t.Errorf("held %s", got)
		}
	})
}

func TestALostPushIsRepeated(t *testing.T) {
	for _, lostReply := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := newTestMesh()
			a := m.addOwner(t, "a", PublisherOptions{})
			c := m.addCache(t, "c", Options{})
			a.merge(key("k"), setOf("1"))
			mustFetch(t, c, key("k"), "1", "a")
			lost := 0
			m.fault = func(_ mesh.NodeID, req wire.Message, handled bool) error {
				if _, is := req.(*pb.Push); is && handled == lostReply && lost < 3 {
					lost++
					return mesh.Errorf(mesh.DeadlineExceeded, "call", "lost")
				}
				return nil
			}
			a.merge(key("k"), setOf("2"))
			time.Sleep(15 * time.Millisecond)
			a.merge(key("k"), setOf("3"))
			time.Sleep(time.Second)
			synctest.Wait()
			if got := held(c, key("k")); got != "1 2 3" || lost != 3 {
				t.Errorf("held %s after %d lost pushes", got, lost)
			}
		})
	}
}

func TestALeaseIsRenewedByReadingOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{Lease: time.Second})
		c := m.addCache(t, "c", Options{})
		for _, name := range []string{"read", "left"} {
			a.merge(key(name), setOf("1"))
			mustFetch(t, c, key(name), "1", "a")
		}
		for range 50 {
			time.Sleep(100 * time.Millisecond)
			if got := held(c, key("read")); got != "1" {
				t.Fatalf("the key that is read: %s", got)
			}
		}
		if got := held(c, key("left")); got != "nothing" || c.Holds(key("left")) {
			t.Errorf("the key that is not read is still held after its lease: %s", got)
		}
		if n := m.countCalls("Fetch"); n < 8 || n > 12 {
			t.Errorf("%d fetches in 5 leases of 1 s: want about 2 + 8", n)
		}
		a.merge(key("left"), setOf("2"))
		if n := a.Len(); n != 2 {
			t.Errorf("%d subscriptions", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		a.merge(key("read"), setOf("2"))
		time.Sleep(time.Second)
		synctest.Wait()
		if n := a.Len(); n != 0 {
			t.Errorf("%d subscriptions after their leases", n)
		}
	})
}

func TestStaleNoLongerThanTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{Lease: time.Second})
		c := m.addCache(t, "c", Options{AttemptTimeout: 50 * time.Millisecond})
		a.merge(key("k"), setOf("1"))
		mustFetch(t, c, key("k"), "1", "a")
		m.fault = func(mesh.NodeID, wire.Message, bool) error {
			return mesh.Errorf(mesh.Unavailable, "call", "cut off, and nobody noticed")
		}
		a.merge(key("k"), setOf("2"))
		time.Sleep(time.Second)
		if got := held(c, key("k")); got != "nothing" {
			t.Errorf("held %s after the lease", got)
		}
	})
}

func TestDropForgetsOneOwner(t *testing.T) {
	m := newTestMesh()
	m.addOwner(t, "a", PublisherOptions{}).merge(key("k"), setOf("1"))
	m.addOwner(t, "b", PublisherOptions{}).merge(key("l"), setOf("1"))
	c := m.addCache(t, "c", Options{})
	mustFetch(t, c, key("k"), "1", "a")
	mustFetch(t, c, key("l"), "1", "b")
	c.Drop("a")
	if held(c, key("k")) != "nothing" || held(c, key("l")) != "1" {
		t.Errorf("k %s, l %s: want only what came from a to be gone", held(c, key("k")), held(c, key("l")))
	}
}

func TestDropDuringTheFlight(t *testing.T) {
	m := newTestMesh()
	m.addOwner(t, "a", PublisherOptions{}).merge(key("k"), setOf("1"))
	c := m.addCache(t, "c", Options{})
	m.fault = func(_ mesh.NodeID, _ wire.Message, handled bool) error {
		if handled {
			c.Drop("a")
		}
		return nil
	}
	mustFetch(t, c, key("k"), "1", "a")
	if got := held(c, key("k")); got != "nothing" {
		t.Errorf("held %s, though the connection ended", got)
	}
}

func TestAnOwnerStartedAnewVoidsWhatItPromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{})
		c := m.addCache(t, "c", Options{})
		a.merge(key("k"), setOf("1"))
		mustFetch(t, c, key("k"), "1", "a")
		again := m.addOwner(t, "a", PublisherOptions{}) // and it knows of no subscription
		again.merge(key("k"), setOf("1", "2"))
		if _, err := c.HandlePush("a", &pb.Push{Session: again.session, Deltas: []*pb.PushedDelta{
			{Key: wire.FromKey(key("k")), Delta: setOf("3").AppendBinary(nil)},
		}}); err != nil {
			t.Fatal(err)
		}
		if got := held(c, key("k")); got != "nothing" {
			t.Errorf("held %s: the owner has forgotten the subscription, and 2 was never told", got)
		}
	})
}

func TestHostilePushes(t *testing.T) {
	m := newTestMesh()
	m.addOwner(t, "a", PublisherOptions{}).merge(key("k"), setOf("1"))
	c := m.addCache(t, "c", Options{})
	mustFetch(t, c, key("k"), "1", "a")
	for name, d := range map[string]*pb.PushedDelta{
		"no key": {}, "not a cell": {Key: wire.FromKey(key("k")), Delta: []byte("nonsense")},
	} {
		if _, err := c.HandlePush("a", &pb.Push{Deltas: []*pb.PushedDelta{d}}); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	counter, _ := lattice.Cell{}.Apply(lattice.GCounterKind, lattice.IncOp(1), lattice.Write{Writer: "w"})
	if _, err := c.HandlePush("b", &pb.Push{Deltas: []*pb.PushedDelta{{Key: wire.FromKey(key("k")), Delta: counter.AppendBinary(nil)}}}); err != nil {
		t.Error(err)
	}
	if got := held(c, key("k")); got != "nothing" {
		t.Errorf("held %s after a push of another kind", got)
	}
}

func TestAClosedCacheSaysSo(t *testing.T) {
	m := newTestMesh()
	c := m.addCache(t, "c", Options{})
	c.Close()
	if _, _, err := c.Fetch(t.Context(), key("k"), []mesh.NodeID{"a"}); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("Fetch = %v, want Unavailable", err)
	}
}

func BenchmarkHit(b *testing.B) {
	m := newTestMesh()
	m.addOwner(b, "a", PublisherOptions{}).merge(key("k"), setOf("1"))
	c := m.addCache(b, "c", Options{})
	if _, _, err := c.Fetch(b.Context(), key("k"), []mesh.NodeID{"a"}); err != nil {
		b.Fatal(err)
	}
	k := key("k")
	b.ReportAllocs()
	for b.Loop() {
		c.Get(k)
	}
}
