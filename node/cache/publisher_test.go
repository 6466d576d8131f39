package cache

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestWhatIsNotHeldIsUnsubscribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{})
		c := m.addCache(t, "c", Options{Bytes: 1}) // keeps nothing
		a.merge(key("k"), setOf("1"))
		mustFetch(t, c, key("k"), "1", "a")
		if n := a.Len(); n != 1 {
			t.Fatalf("%d subscriptions, want 1", n)
		}
		a.merge(key("k"), setOf("2"))
		time.Sleep(time.Second)
		synctest.Wait()
		if n := a.Len(); n != 0 {
			t.Errorf("%d subscriptions to what the cache let go", n)
		}
	})
}

func TestASubscriptionRenewedDuringAPushStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{})
		c := m.addCache(t, "c", Options{})
		a.merge(key("k"), setOf("1"))
		mustFetch(t, c, key("k"), "1", "a")
		c.Drop("a")
		fetched := false
		m.fault = func(_ mesh.NodeID, req wire.Message, handled bool) error {
			if _, is := req.(*pb.Push); is && handled && !fetched { // it was said to be unwanted, and is wanted anew
				fetched = true
				mustFetch(t, c, key("k"), "1 2", "a")
			}
			return nil
		}
		a.merge(key("k"), setOf("2"))
		time.Sleep(time.Second)
		a.merge(key("k"), setOf("3"))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := held(c, key("k")); got != "1 2 3" || !fetched {
			t.Errorf("held %s: the new subscription was taken for the old", got)
		}
	})
}

func TestTooMuchForOneSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{PendingBytes: 2000})
		c := m.addCache(t, "c", Options{})
		for _, name := range []string{"large", "small"} {
			a.merge(key(name), setOf("1"))
			mustFetch(t, c, key(name), "1", "a")
		}
		a.merge(key("small"), setOf("2"))
		a.merge(key("large"), setOf(strings.Repeat("x", 5000)))
		time.Sleep(time.Second)
		synctest.Wait()
		if held(c, key("small")) != "1 2" || held(c, key("large")) != "nothing" {
			t.Errorf("small %s; of large something: want it forgotten", held(c, key("small")))
		}
		if n := a.Len(); n != 1 {
			t.Errorf("%d subscriptions, want 1", n)
		}
	})
}

func TestTooManySubscriptions(t *testing.T) {
	m := newTestMesh()
	a := m.addOwner(t, "a", PublisherOptions{Subscriptions: 2})
	c := m.addCache(t, "c", Options{})
	for i, want := range []string{"1", "1", "nothing"} {
		k := key(fmt.Sprint("k", i))
		a.merge(k, setOf("1"))
		mustFetch(t, c, k, "1", "a")
		if got := held(c, k); got != want {
			t.Errorf("key %d: held %s, want %s", i, got, want)
		}
	}
	a.Drop("c")
	if n := a.Len(); n != 0 {
		t.Errorf("%d subscriptions after the only subscriber was dropped", n)
	}
}
