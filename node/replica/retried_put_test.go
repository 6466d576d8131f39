package replica

import (
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// A node has passed a put on to an owner and got no answer, and passes it on to
// another one, which the delta of the first has not reached. A third owner has it.
// What was written since by who had seen it stays.
func TestAPutThatAThirdOwnerHasIsNotMadeAgain(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		first, second, third := m.nodes[0], m.nodes[1], m.nodes[2]
		passed := WriteOptions{Forwarded: true, ID: "w"}
		second.cut(true)
		ack, err := first.set(key("k"), "passed on", passed)
		mustAck(t, ack, err, 2)
		second.cut(false)
		first.cut(true)
		ack, err = third.set(key("k"), "later", WriteOptions{})
		mustAck(t, ack, err, 2)
		passed.RetryAge = 200 * time.Millisecond
		ack, err = second.set(key("k"), "passed on", passed)
		mustAck(t, ack, err, 2)
		m.becomes([]*testNode{second, third}, key("k"), "later")
		first.cut(false)
		m.becomes(m.nodes, key("k"), "later")
	})
}

// Where nobody who answers has it, it is made, though an owner is silent.
func TestAPutThatNobodyHasIsMadeByTheNextOwner(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		m.nodes[0].cut(true)
		ack, err := m.nodes[1].set(key("k"), "passed on", WriteOptions{Forwarded: true, ID: "w", RetryAge: 200 * time.Millisecond})
		mustAck(t, ack, err, 2)
		m.becomes(m.nodes[1:], key("k"), "passed on")
		m.nodes[0].cut(false)
		m.becomes(m.nodes, key("k"), "passed on")
	})
}

// An owner that hears of no other one makes nothing that may have been made
// elsewhere: alone it could not acknowledge it, and what it had made would win,
// once it is heard again, over what was written since.
func TestAWriteThatIsPassedOnAgainIsNotMadeAlone(t *testing.T) {
	ofAPutAndADelete(t, func(m *testMesh, k mesh.Key, what string) {
		first, alone, third := m.nodes[0], m.nodes[1], m.nodes[2]
		passed := WriteOptions{Forwarded: true, ID: "w", RetryAge: 200 * time.Millisecond}
		alone.cut(true)
		alone.mustFail(k, what, passed)
		first.mustWrite(k, what, passed)
		third.mustWrite(k, "later", WriteOptions{})
		alone.cut(false)
		m.becomes(m.nodes, k, "later")
	})
}

// ofAPutAndADelete tests what becomes of each on three owners of a key that all
// have.
func ofAPutAndADelete(t *testing.T, test func(m *testMesh, k mesh.Key, what string)) {
	for _, what := range []string{"passed on", "nothing"} {
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

// A delete that a third owner has is not made again, as a put is not.
func TestADeleteThatAThirdOwnerHasIsNotMadeAgain(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		first, second, third := m.nodes[0], m.nodes[1], m.nodes[2]
		k := key("k")
		first.mustWrite(k, "before", WriteOptions{})
		m.becomes(m.nodes, k, "before")
		passed := WriteOptions{Forwarded: true, ID: "w"}
		second.cut(true)
		first.mustWrite(k, "nothing", passed)
		second.cut(false)
		first.cut(true)
		third.mustWrite(k, "later", WriteOptions{})
		passed.RetryAge = 200 * time.Millisecond
		second.mustWrite(k, "nothing", passed)
		m.becomes([]*testNode{second, third}, k, "later")
		first.cut(false)
		m.becomes(m.nodes, k, "later")
	})
}
