package replica

import (
	"testing"
	"time"
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
