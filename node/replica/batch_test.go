package replica

import (
	"errors"
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func putOf(name, value string) *pb.Put {
	return &pb.Put{Key: wire.FromKey(key(name)), Kind: uint32(lattice.LWWKind), Op: lattice.SetOp([]byte(value)).AppendBinary(nil)}
}

func TestABatchAnswersEachKeyByItself(t *testing.T) {
	m := newTestMesh(t, 5)
	if _, err := m.nodes[0].add(key("set"), "x", WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	puts := &pb.PutAll{}
	for i := range 200 {
		puts.Puts = append(puts.Puts, putOf(fmt.Sprint("k", i), fmt.Sprint(i)))
	}
	puts.Puts = append(puts.Puts, putOf("set", "no set"), &pb.Put{})
	reply, err := m.nodes[1].HandlePutAll(t.Context(), puts)
	if err != nil || len(reply.Answers) != 202 {
		t.Fatalf("%d answers, %v", len(reply.GetAnswers()), err)
	}
	for i, answer := range reply.Answers[:200] {
		if answer.Error != nil || answer.Replicas < 2 {
			t.Errorf("put %d: %v", i, answer)
		}
	}
	for i, want := range []mesh.ErrorKind{mesh.KindMismatch, mesh.Invalid} {
		if got := wire.ToError(reply.Answers[200+i].Error); !errors.Is(got, want) {
			t.Errorf("answer %d: %v, want %s", 200+i, got, want)
		}
	}

	gets := &pb.GetAll{}
	for i := range 201 {
		gets.Keys = append(gets.Keys, wire.FromKey(key(fmt.Sprint("k", i))))
	}
	reply, err = m.nodes[2].HandleGetAll(t.Context(), gets)
	if err != nil {
		t.Fatal(err)
	}
	for i, answer := range reply.Answers[:200] {
		v, err := lattice.Decode(answer.Value)
		if err != nil || describeValue(v) != fmt.Sprint(i) {
			t.Errorf("get %d: %v, %v", i, answer, err)
		}
	}
	if got := wire.ToError(reply.Answers[200].Error); !errors.Is(got, mesh.NotFound) {
		t.Errorf("a missing key: %v", got)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	m := newTestMesh(t, 1)
	n := m.nodes[0]
	big := string(make([]byte, 6<<20))
	for i := range 3 {
		if _, err := n.set(key(fmt.Sprint("big", i)), big, WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	reply, err := n.HandleGetAll(t.Context(), &pb.GetAll{Keys: []*pb.Key{
		wire.FromKey(key("big0")), wire.FromKey(key("big1")), wire.FromKey(key("big2")),
	}})
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, answer := range reply.Answers {
		if answer.Error != nil && errors.Is(wire.ToError(answer.Error), mesh.Overloaded) {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d of 3 values of 6 MiB were refused: want 1", refused)
	}
	for what, batch := range map[string]*pb.PutAll{
		"none":      {},
		"too many":  {Puts: make([]*pb.Put, MaxBatch+1)},
		"too large": {Puts: []*pb.Put{putOf("a", big), putOf("b", big), putOf("c", big)}},
	} {
		if _, err := n.HandlePutAll(t.Context(), batch); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, keys := range []int{0, MaxBatch + 1} {
		if _, err := n.HandleGetAll(t.Context(), &pb.GetAll{Keys: make([]*pb.Key, keys)}); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%d keys: %v", keys, err)
		}
	}
}
