package node_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// talk is an invocation that listens, and one that sends what the test says.
type talk struct {
	listener chan mesh.InvocationID
	say      chan int   // what is to be sent
	said     chan error // how it went
}

func newTalk() *talk {
	return &talk{listener: make(chan mesh.InvocationID, 1), say: make(chan int), said: make(chan error)}
}

// listen receives numbers until it has a zero, each with a deadline.
func (c *talk) listen(ctx context.Context, _ fn.None) (heard []int, err error) {
	c.listener <- fn.ID(ctx)
	for !slices.Contains(heard, 0) {
		messages, err := fn.Recv[int](ctx, time.Minute)
		if err != nil || len(messages) == 0 {
			return heard, err
		}
		for _, message := range messages {
			heard = append(heard, message.Body)
		}
	}
	return heard, nil
}

func (c *talk) speak(ctx context.Context, to string) (fn.None, error) {
	id, err := mesh.ParseInvocationID(to)
	if err != nil {
		return fn.None{}, err
	}
	for number := range c.say {
		c.said <- fn.Send(ctx, id, number)
	}
	return fn.None{}, nil
}

func (c *talk) send(t *testing.T, number int) {
	t.Helper()
	c.say <- number
	if err := <-c.said; err != nil {
		t.Errorf("sending %d: %v", number, err)
	}
}

// talking lets an invocation on node 0 say to one on node 1 what the test
// sends, which ends with a zero, and checks what is heard.
func talking(t *testing.T, test func(t *testing.T, m *simmesh.Mesh, c *talk), want ...int) {
	bubble(t, func(t *testing.T) {
		c := newTalk()
		m := start(t, simulated(simmesh.Options{Nodes: 4, Provide: natives(node.Handle("listen", c.listen), node.Handle("speak", c.speak))}))
		heard := make(chan []int, 1)
		go func() {
			f := sdk.Func[fn.None, []int](at(m, 1), "listen")
			f.Options.Place = map[string]mesh.NodeID{"listen": m.Node(1).ID()}
			got, err := f.Call(within(t, 5*time.Minute), fn.None{})
			if err != nil {
				t.Error(err)
			}
			heard <- got
		}()
		id := <-c.listener
		spoken := make(chan error, 1)
		go func() {
			f := sdk.Func[string, fn.None](at(m, 0), "speak")
			f.Options.Place = map[string]mesh.NodeID{"speak": m.Node(0).ID()}
			_, err := f.Call(within(t, 5*time.Minute), id.String())
			spoken <- err
		}()
		test(t, m, c)
		close(c.say)
		if err := <-spoken; err != nil {
			t.Error(err)
		}
		if got := <-heard; !slices.Equal(got, want) {
			t.Errorf("heard %v, want %v", got, want)
		}
	})
}

func TestMessagesReachANodeThatTheSendersNodeCannotReach(t *testing.T) {
	talking(t, func(t *testing.T, m *simmesh.Mesh, c *talk) {
		c.send(t, 1)
		m.Cut(0, 1)
		c.send(t, 2)
		c.send(t, 3)
		m.Heal()
		c.send(t, 4)
		c.send(t, 0)
	}, 1, 2, 3, 4, 0)
}

func TestMessagesWaitForANodeThatNobodyReaches(t *testing.T) {
	talking(t, func(t *testing.T, m *simmesh.Mesh, c *talk) {
		c.send(t, 1)
		m.Partition([]int{0, 2, 3}, []int{1})
		c.send(t, 2)
		time.Sleep(15 * time.Second) // virtual: the owners have given up by then
		m.Heal()
		c.send(t, 0)
	}, 1, 2, 0)
}
