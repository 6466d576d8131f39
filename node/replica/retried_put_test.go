package replica

import (
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// An owner was sent a put or a delete and gave no answer, and it is sent to
// another owner, which the delta of the first has not reached. A third owner has
// it. What was written since by who had seen it stays.
func TestAWriteThatAThirdOwnerHasIsNotMadeAgain(t *testing.T) {
	ofWhatComesAgain(t, func(m *testMesh, k mesh.Key, what string, o, again WriteOptions) {
		first, second, third := m.nodes[0], m.nodes[1], m.nodes[2]
		second.cut(true)
		first.mustWrite(k, what, o)
		second.cut(false)
		first.cut(true)
		third.mustWrite(k, "later", WriteOptions{})
		second.mustWrite(k, what, again)
		m.becomes([]*testNode{second, third}, k, "later")
		first.cut(false)
		m.becomes(m.nodes, k, "later")
	})
}

// Where nobody who answers has it, it is made, though an owner is silent.
func TestAWriteThatNobodyHasIsMadeByTheNextOwner(t *testing.T) {
	ofWhatComesAgain(t, func(m *testMesh, k mesh.Key, what string, _, again WriteOptions) {
		m.nodes[0].cut(true)
		m.nodes[1].mustWrite(k, what, again)
		m.nodes[2].mustWrite(k, "later", WriteOptions{})
		m.nodes[0].cut(false)
		m.becomes(m.nodes, k, "later")
	})
}

// An owner that hears of no other one makes nothing that may have been made
// elsewhere: alone it could not acknowledge it, and what it had made would win,
// once it is heard again, over what was written since.
func TestAWriteThatComesAgainIsNotMadeAlone(t *testing.T) {
	ofWhatComesAgain(t, func(m *testMesh, k mesh.Key, what string, _, again WriteOptions) {
		first, alone, third := m.nodes[0], m.nodes[1], m.nodes[2]
		alone.cut(true)
		alone.mustFail(k, what, again)
		first.mustWrite(k, what, again)
		third.mustWrite(k, "later", WriteOptions{})
		alone.cut(false)
		m.becomes(m.nodes, k, "later")
	})
}

// The first owner lives, and only its answer was lost. It is told so.
func TestAWriteThatTheFirstOwnerHasIsNotMadeAgain(t *testing.T) {
	ofWhatComesAgain(t, func(m *testMesh, k mesh.Key, what string, o, again WriteOptions) {
		m.nodes[0].mustWrite(k, what, o)
		m.nodes[2].mustWrite(k, "later", WriteOptions{})
		for _, n := range m.nodes {
			n.mustWrite(k, what, again)
		}
		m.becomes(m.nodes, k, "later")
	})
}

// What one owner alone has made reaches the others late, as owed. From then on
// they know it.
func TestAWriteThatWasOwedIsNotMadeAgain(t *testing.T) {
	ofWhatComesAgain(t, func(m *testMesh, k mesh.Key, what string, o, again WriteOptions) {
		first, second, third := m.nodes[0], m.nodes[1], m.nodes[2]
		second.cut(true)
		third.cut(true)
		first.mustFail(k, what, o)
		second.cut(false)
		third.cut(false)
		m.becomes(m.nodes, k, map[string]string{"again": "again", "nothing": "deleted"}[what])
		first.cut(true)
		third.mustWrite(k, "later", WriteOptions{})
		second.mustWrite(k, what, again)
		first.cut(false)
		m.becomes(m.nodes, k, "later")
	})
}

// ofWhatComesAgain tests what becomes of a put and of a delete, that a client
// sends and that a node passes on, with options for the first time and for when
// it comes again, on three owners of a key that all have.
func ofWhatComesAgain(t *testing.T, test func(m *testMesh, k mesh.Key, what string, o, again WriteOptions)) {
	for _, passedOn := range []bool{true, false} {
		o := WriteOptions{ID: "w", Forwarded: passedOn}
		again := o
		again.RetryAge = 200 * time.Millisecond
		ofAPutAndADelete(t, func(m *testMesh, k mesh.Key, what string) { test(m, k, what, o, again) })
	}
}

// ofAPutAndADelete tests what becomes of each on three owners of a key that all
// have.
func ofAPutAndADelete(t *testing.T, test func(m *testMesh, k mesh.Key, what string)) {
	for _, what := range []string{"again", "nothing"} {
		inBubble(t, 3, func(t *testing.T, m *testMesh) {
			k := key("k")
			m.nodes[0].mustWrite(k, "before", WriteOptions{})
			m.becomes(m.nodes, k, "before")
			test(m, k, what)
		})
	}
}

func (n *testNode) mustFail(k mesh.Key, value string, o WriteOptions) {
	n.mesh.t.Helper()
	if ack, err := n.writeOf(k, value, o); mesh.KindOf(err) != mesh.Unavailable {
		n.mesh.t.Errorf("%s has written %q: %+v, %v, want Unavailable", n.id, value, ack, err)
	}
}
