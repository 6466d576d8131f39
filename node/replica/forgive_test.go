package replica

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// debts is of how many keys node n owes others deltas.
func (n *testNode) debts() (keys int) {
	for _, owed := range n.store.CountHints() {
		keys += owed
	}
	return keys
}

func TestWhatAnOwnerIsOwedIsBoundedAndReachesItAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTestMesh(&testMesh{t: t, maxHints: 5}, 3)
		m.nodes[2].cut(true) // the others believe that it lives
		for i := range 20 {
			m.nodes[0].mustSet(key(fmt.Sprint("k", i)), "x")
		}
		m.eventually("all attempts have failed", func() bool { return m.nodes[0].Lag().Sending == 0 })
		if owed, lag := m.nodes[0].debts(), m.nodes[0].Lag(); owed != 5 || lag.Dropped != 15 {
			t.Errorf("%d keys are owed and %d debts dropped, want 5 and 15", owed, lag.Dropped)
		}
		m.nodes[2].cut(false)
		m.nodes[2].notice(true)
		for i := range 20 {
			m.becomes(m.nodes[2:], key(fmt.Sprint("k", i)), "x")
		}
		m.eventually("nothing is owed", func() bool { return m.nodes[0].debts() == 0 })
	})
}

func TestWhoLeftForGoodIsOwedNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 3)
		m.nodes[2].halt() // the others believe that it lives
		for i := range 5 {
			m.nodes[0].mustSet(key(fmt.Sprint("k", i)), "x")
		}
		m.eventually("the node is owed", func() bool { return m.nodes[0].debts() == 5 })
		m.nodes[2].notice(false)
		time.Sleep(time.Minute)
		if owed := m.nodes[0].debts(); owed != 5 {
			t.Errorf("a node that is missing is owed %d keys, want 5", owed)
		}
		m.nodes[2].forget()
		m.eventually("nothing is owed", func() bool { return m.nodes[0].debts() == 0 && len(m.nodes[0].Lag().Owed) == 0 })
	})
}
