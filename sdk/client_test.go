package sdk

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/codec"
)

// answer is a Transport given as a function.
type answer func(ctx context.Context, req wire.Message) (wire.Message, error)

func (a answer) Do(ctx context.Context, req wire.Message) (wire.Message, error) { return a(ctx, req) }

func TestAContextWithoutDeadlineGetsOne(t *testing.T) {
	var left time.Duration
	client := Attach(answer(func(ctx context.Context, _ wire.Message) (wire.Message, error) {
		deadline, ok := ctx.Deadline()
		if !ok {
			t.Error("no deadline")
		}
		left = time.Until(deadline)
		return nil, nil
	}))
	if err := client.Delete(context.Background(), "k"); err != nil || left <= 0 || left > DefaultTimeout {
		t.Errorf("the deadline is in %v, %v", left, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*DefaultTimeout)
	defer cancel()
	if err := client.Delete(ctx, "k"); err != nil || left <= DefaultTimeout {
		t.Errorf("a later deadline became %v, %v", left, err)
	}
}

func TestAnswersThatMakeNoSense(t *testing.T) {
	ctx := t.Context()
	for name, reply := range map[string]wire.Message{
		"another message": &pb.Pong{},
		"no value":        &pb.GetReply{},
		"no lattice":      &pb.GetReply{Value: []byte{250, 1, 2}},
	} {
		client := Attach(answer(func(context.Context, wire.Message) (wire.Message, error) { return reply, nil }))
		if _, err := client.Get(ctx, "k"); !errors.Is(err, mesh.Internal) {
			t.Errorf("%s: %v, want Internal", name, err)
		}
	}
	for name, reply := range map[string]*pb.CallReply{
		"no result":      {},
		"two results":    {Results: []*pb.StageResult{{}, {}}},
		"unknown format": {Results: []*pb.StageResult{{Value: &pb.Value{Format: 77}}}},
		"a short run id": {RunId: []byte{1}},
	} {
		client := Attach(answer(func(context.Context, wire.Message) (wire.Message, error) { return reply, nil }))
		if _, err := client.Call(ctx, "f"); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := Func[int, int](client, "f").Start(ctx, 1); err == nil {
			t.Errorf("%s: no error of a future", name)
		}
	}
}

func TestErrorsNameTheOperation(t *testing.T) {
	client := Attach(answer(func(context.Context, wire.Message) (wire.Message, error) {
		return nil, &mesh.Error{Kind: mesh.Overloaded, Msg: "full"}
	}))
	_, err := client.Call(t.Context(), "f")
	if e := mesh.AsError("", err); e.Op != "call f" || !errors.Is(err, mesh.Overloaded) {
		t.Errorf("got %v", err)
	}
}

func TestReportsOfUnknownStagesAreHarmless(t *testing.T) {
	stages := toStages(&pb.Plan{Stages: []*pb.PlannedStage{{Name: "a"}}})
	addReports(stages, []*pb.StageReport{{Stage: 1}, {Stage: 1 << 31}, {Stage: 0, TookUs: 5, Node: []byte("n")}})
	if stages[0].Took != 5*time.Microsecond || stages[0].Node != "n" {
		t.Errorf("stages are %+v", stages)
	}
}

func TestWhatIsRepeatable(t *testing.T) {
	for _, req := range []wire.Message{
		&pb.Get{}, &pb.Put{}, &pb.Delete{}, &pb.Touch{}, &pb.GetAll{}, &pb.PutAll{}, &pb.List{}, &pb.Call{}, &pb.CallDAG{}, &pb.AwaitRun{}, &pb.Deploy{}, &pb.Status{},
	} {
		if !makeRepeatable(req) {
			t.Errorf("%T is not repeated", req)
		}
	}
	for _, req := range []wire.Message{&pb.CompareAndSet{}, &pb.ServeFuncs{}, &pb.SendMessage{}, &pb.Receive{}, &pb.DeleteFunc{}, &pb.DeleteDAG{}} {
		if makeRepeatable(req) {
			t.Errorf("%T is repeated", req)
		}
	}
}

func TestARepeatedRequestKeepsItsID(t *testing.T) {
	call, put := &pb.Call{Options: &pb.CallOptions{Future: true}}, &pb.Put{}
	makeRepeatable(call)
	makeRepeatable(put)
	run, write := call.Options.RunId, put.WriteId
	if len(run) != 16 || len(write) != 16 {
		t.Fatalf("ids of %d and %d bytes", len(run), len(write))
	}
	makeRepeatable(call)
	makeRepeatable(put)
	if !bytes.Equal(run, call.Options.RunId) || !bytes.Equal(write, put.WriteId) {
		t.Error("an id changed")
	}
	waited := &pb.Call{Options: &pb.CallOptions{}}
	if makeRepeatable(waited); len(waited.Options.RunId) != 0 {
		t.Error("a call that is waited for got a run's id")
	}
}

func TestArgumentsAreEncodedByTheRulesOfFn(t *testing.T) {
	one, err := encodeArgs([]int{1, 2})
	if err != nil || len(one) != 1 {
		t.Errorf("a list became %d arguments, %v: expected one", len(one), err)
	}
	none, err := encodeArgs(struct{}{})
	if err != nil || len(none) != 0 {
		t.Errorf("nothing became %d arguments, %v", len(none), err)
	}
	key := mesh.Key{Namespace: "n", Name: "k"}
	ref, err := encodeArgs(Ref{Key: key})
	if err != nil || len(ref) != 1 || ref[0].GetRef().GetName() != "k" {
		t.Errorf("a reference became %v, %v", ref, err)
	}
}

func TestAFieldOfAnotherKind(t *testing.T) {
	payload, err := codec.Encode(1)
	if err != nil {
		t.Fatal(err)
	}
	v := lattice.New(lattice.ORMapKind)
	op := lattice.PutOp("f", lattice.PNCounterKind, lattice.IncOp(1))
	delta, err := lattice.Apply(v, op, lattice.Write{Stamp: lattice.Stamp{Time: 1, Node: "n"}, Writer: "w"})
	if err != nil {
		t.Fatal(err)
	}
	client := Attach(answer(func(context.Context, wire.Message) (wire.Message, error) {
		return &pb.GetReply{Value: delta.AppendBinary(nil)}, nil
	}))
	if _, err := Map[int](client, "m").Get(t.Context(), "f"); !errors.Is(err, mesh.KindMismatch) {
		t.Errorf("got %v, want KindMismatch", err)
	}
	if _, err := fromBytes[string](payload.AppendBinary(nil)); !errors.Is(err, mesh.Invalid) {
		t.Errorf("a number as a text: %v, want Invalid", err)
	}
}

func TestARetrySaysHowOldTheWriteIs(t *testing.T) {
	first := &pb.Put{Op: []byte("op"), WriteId: []byte("id"), RetryAgeMs: 5}
	again := asRetry(first, 1500*time.Microsecond).(*pb.Put)
	if again.RetryAgeMs != 7 || first.RetryAgeMs != 5 || !bytes.Equal(again.WriteId, first.WriteId) || !bytes.Equal(again.Op, first.Op) {
		t.Errorf("%v is sent again as %v", first, again)
	}
	if again := asRetry(&pb.Put{}, 0).(*pb.Put); again.RetryAgeMs == 0 {
		t.Error("a retry without delay is taken for a first attempt")
	}
	if get := (&pb.Get{}); asRetry(get, time.Second) != wire.Message(get) {
		t.Error("a get is not sent as it was")
	}
}
