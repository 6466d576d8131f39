package sdk

import (
	"context"
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func register(text string, at uint64) lattice.Cell {
	var cell lattice.Cell
	delta, err := cell.Apply(lattice.LWWKind, lattice.SetOp([]byte(text)), lattice.Write{Stamp: lattice.Stamp{Time: at, Node: "n"}, Writer: "w"})
	if err != nil {
		panic(err)
	}
	return delta
}

func TestATokenIsTheSession(t *testing.T) {
	s := NewSession(PRAM)
	key := mesh.Key{Namespace: "default", Name: "k"}
	s.sawRead(key, register("read", 1), false)
	s.sawWrite(key, register("written", 2), false)
	again, err := OpenSession(s.Token())
	if err != nil || again.Guarantees() != PRAM {
		t.Fatal(err)
	}
	floor, most, err := again.toRead(key)
	if err != nil || most || floor.Compare(register("written", 2)) != lattice.Equal {
		t.Errorf("a read must see %v, most %v, %v", floor, most, err)
	}
	for _, token := range [][]byte{[]byte("no token"), {8, 255, 1}} {
		if _, err := OpenSession(token); mesh.KindOf(err) != mesh.Invalid {
			t.Errorf("the token %q gave %v, want Invalid", token, err)
		}
	}
}

func TestEachGuaranteeDemandsItsOwn(t *testing.T) {
	key := mesh.Key{Namespace: "default", Name: "k"}
	for _, c := range []struct {
		g              Guarantees
		reads, follows uint64 // stamps that a read must see, and a write come after; 0: nothing
	}{
		{MonotonicReads, 1, 0}, {ReadYourWrites, 2, 0}, {MonotonicWrites, 0, 2}, {WritesFollowReads, 0, 1}, {PRAM, 2, 2}, {AllGuarantees, 2, 2},
	} {
		s := NewSession(c.g)
		s.sawRead(key, register("v", 1), false)
		s.sawWrite(key, register("v", 2), false)
		floor, _, err := s.toRead(key)
		after, _, err2 := s.toFollow(key)
		for what, got := range map[string]struct {
			cell lattice.Cell
			want uint64
		}{"a read must see": {floor, c.reads}, "a write must follow": {after, c.follows}} {
			want := lattice.Cell{}
			if got.want > 0 {
				want = register("v", got.want)
			}
			if err != nil || err2 != nil || got.cell.Compare(want) != lattice.Equal {
				t.Errorf("%b: %s %v, want %v (%v, %v)", c.g, what, got.cell, want, err, err2)
			}
		}
	}
}

// confirming is a node that answers any get with one cell.
type confirming struct{ cell lattice.Cell }

func (c confirming) Do(context.Context, wire.Message) (wire.Message, error) {
	return &pb.GetReply{Cell: c.cell.AppendBinary(nil)}, nil
}

func TestWhatASessionCannotCarryMostOwnersMustHold(t *testing.T) {
	s := NewSession(AllGuarantees)
	client := Attach(confirming{register("v", 1)}).WithSession(s)
	for i := range maxSessionKeys + 5 {
		if _, err := client.Get(t.Context(), fmt.Sprint("k", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.keys) > maxSessionKeys+1 || !s.overflow {
		t.Errorf("the session carries %d keys, overflow %v", len(s.keys), s.overflow)
	}
	if _, most, _ := s.toRead(mesh.Key{Namespace: "default", Name: "k0"}); !most {
		t.Error("a key that was dropped is not read from most owners")
	}
	key, large := mesh.Key{Namespace: "default", Name: "large"}, register(string(make([]byte, 2*maxSeen)), 2)
	if s := NewSession(AllGuarantees); s.sawRead(key, large, false) || !s.sawRead(key, large, true) || !s.keys[key].most {
		t.Error("a large value that most owners may not hold is taken as seen")
	}
}

func TestParseGuarantees(t *testing.T) {
	if g, err := ParseGuarantees("monotonic-reads, writes-follow-reads"); err != nil || g != MonotonicReads|WritesFollowReads {
		t.Errorf("%b, %v", g, err)
	}
	if _, err := ParseGuarantees("pram,linearizable"); mesh.KindOf(err) != mesh.Invalid {
		t.Errorf("an unknown guarantee gave %v", err)
	}
}
