package sdk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// refusing gives a client of a node that has no room for the first calls.
func refusing(calls int, after time.Duration) (*Client, *int) {
	asked := 0
	return Attach(answer(func(context.Context, wire.Message) (wire.Message, error) {
		if asked++; asked <= calls {
			return nil, &mesh.Error{Kind: mesh.Overloaded, Msg: "full", RetryAfter: after}
		}
		return &pb.CallReply{Results: []*pb.StageResult{{Value: &pb.Value{Format: uint32(mesh.JSON), Data: []byte("4")}}}}, nil
	})), &asked
}

func TestACallIsMadeAgainWhenTheNodeMayHaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, asked := refusing(3, 100*time.Millisecond)
		began := time.Now()
		got, err := Func[int, int](client, "square").Call(t.Context(), 2)
		if err != nil || got != 4 || *asked != 4 {
			t.Errorf("%v, %v after %d attempts: expected 4 after four", got, err, *asked)
		}
		if took := time.Since(began); took < 350*time.Millisecond || took > 1050*time.Millisecond {
			t.Errorf("it waited %v: expected 100, 200 and 400 ms, by half more or less", took)
		}
	})
}

func TestTheCallersDeadlineEndsWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, asked := refusing(1000, 200*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := Func[int, int](client, "square").Call(ctx, 2)
		if !errors.Is(err, mesh.Overloaded) || time.Since(began) > time.Second || *asked < 2 {
			t.Errorf("after %v and %d attempts: %v; expected Overloaded within a second", time.Since(began), *asked, err)
		}
	})
}

func TestARefusalIsTheAnswerWhereItIsAskedFor(t *testing.T) {
	client, asked := refusing(1, time.Hour)
	square := Func[int, int](client, "square")
	square.Options.Once = true
	if _, err := square.Call(t.Context(), 2); mesh.RetryAfter(err) != time.Hour || *asked != 1 {
		t.Errorf("after %d attempts: %v", *asked, err)
	}
}

func TestOverloadOfWhatMayHaveBegunIsNotRetried(t *testing.T) {
	client, asked := refusing(1, 0)
	if _, err := Func[int, int](client, "square").Call(t.Context(), 2); !errors.Is(err, mesh.Overloaded) || *asked != 1 {
		t.Errorf("after %d attempts: %v", *asked, err)
	}
}
