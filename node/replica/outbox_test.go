package replica

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Whatever comes and is answered when: each delta is sent once, in order,
// within the bounds, and one that need not wait does not.
func TestOutboxesSendEachDeltaOnceAndInOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var boxes outboxes
		nodes := []mesh.NodeID{"a", "b"}
		added, sent, flying := map[mesh.NodeID]int{}, map[mesh.NodeID]int{}, map[mesh.NodeID]int{}
		send := func(node mesh.NodeID, batch []posted) {
			bytes := 0
			for _, p := range batch {
				if got := int(p.merge.Durability); got != sent[node] {
					t.Fatalf("delta %d for %s is sent after %d others", got, node, sent[node])
				}
				sent[node]++
				bytes += len(p.merge.Delta)
			}
			if len(batch) > maxTogether || len(batch) > 1 && bytes > maxTogetherBytes {
				t.Fatalf("%d deltas of %d bytes in one message", len(batch), bytes)
			}
		}
		for range rng.IntN(2000) {
			node := nodes[rng.IntN(len(nodes))]
			if rng.IntN(100) < 70 {
				p := posted{merge: &pb.Merge{Durability: uint32(added[node]), Delta: make([]byte, rng.IntN(rng.IntN(2*maxTogetherBytes)+1))}}
				added[node]++
				boxes.add(node, p)
				if rng.IntN(3) == 0 {
					continue // others come before anything is sent
				}
				for {
					batch := boxes.next(node)
					if len(batch) == 0 {
						break
					}
					flying[node]++
					send(node, batch)
				}
				if waits := added[node] - sent[node]; waits > 0 && flying[node] < underWay {
					t.Fatalf("with %d messages under way %d deltas wait", flying[node], waits)
				}
			} else if flying[node] > 0 {
				batch := boxes.answered(node)
				if len(batch) == 0 {
					flying[node]--
				}
				send(node, batch)
			}
		}
		for _, node := range nodes {
			for batch := boxes.next(node); len(batch) > 0; batch = boxes.next(node) {
				flying[node]++
				send(node, batch)
			}
			for flying[node] > 0 {
				batch := boxes.answered(node)
				if len(batch) == 0 {
					flying[node]--
				}
				send(node, batch)
			}
			if sent[node] != added[node] {
				t.Fatalf("%d of %d deltas for %s were sent", sent[node], added[node], node)
			}
		}
		if len(boxes.byNode) > 0 {
			t.Fatalf("%d outboxes are left of idle nodes", len(boxes.byNode))
		}
	}
}

func TestEachWhoPostedIsToldItsOwnAnswer(t *testing.T) {
	refused := &pb.MergeAnswer{Error: wire.FromError(mesh.Errorf(mesh.KindMismatch, "merge", "no"), "b")}
	held := &pb.MergeAnswer{Reply: &pb.MergeReply{Durability: uint32(mesh.Synced)}}
	for name, c := range map[string]struct {
		reply wire.Message
		err   error
		want  []error
	}{
		"each has one":       {reply: &pb.MergeManyReply{Answers: []*pb.MergeAnswer{held, refused}}, want: []error{nil, mesh.KindMismatch}},
		"one is empty":       {reply: &pb.MergeManyReply{Answers: []*pb.MergeAnswer{{}, held}}, want: []error{mesh.Internal, nil}},
		"too few":            {reply: &pb.MergeManyReply{Answers: []*pb.MergeAnswer{held}}, want: []error{mesh.Internal, mesh.Internal}},
		"of another type":    {reply: &pb.MergeReply{}, want: []error{mesh.Internal, mesh.Internal}},
		"the node is silent": {err: mesh.Errorf(mesh.Unavailable, "merge", "silence"), want: []error{mesh.Unavailable, mesh.Unavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []error
			note := func(reply *pb.MergeReply, err error) {
				if (reply == nil) == (err == nil) {
					t.Errorf("told both or nothing: %v, %v", reply, err)
				}
				got = append(got, err)
			}
			tellPosted("b", []posted{{done: note}, {done: note}}, c.reply, c.err)
			for i, want := range c.want {
				if len(got) != len(c.want) || !errors.Is(got[i], want) {
					t.Fatalf("told %v, want %v", got, c.want)
				}
			}
		})
	}
}

func TestDeltasTogetherBecomeDurableTogether(t *testing.T) {
	m := newTestMesh(t, 1)
	at := m.nodes[0]
	delta := func(name string, d mesh.Durability) *pb.Merge {
		cell, err := lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp([]byte(name)), lattice.Write{Stamp: lattice.Stamp{Time: 1, Node: "x"}})
		if err != nil {
			t.Fatal(err)
		}
		return &pb.Merge{Key: wire.FromKey(key(name)), Delta: cell.AppendBinary(nil), Durability: uint32(d)}
	}
	many := &pb.MergeMany{Merges: []*pb.Merge{
		delta("a", mesh.Memory), {Key: wire.FromKey(key("b")), Delta: []byte("no cell")}, delta("c", mesh.Synced), delta("d", mesh.DefaultDurability),
	}}
	reply, err := at.HandleMergeMany(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []mesh.Durability{mesh.Memory, 0, mesh.Synced, mesh.Logged} {
		answer := reply.Answers[i]
		if want == 0 {
			if kind := mesh.KindOf(wire.ToError(answer.Error)); kind != mesh.Invalid {
				t.Errorf("what is no cell is answered with %v", answer)
			}
		} else if got := mesh.Durability(answer.GetReply().GetDurability()); got != want {
			t.Errorf("delta %d is %v: want %v", i, got, want)
		}
	}
	for _, n := range []int{0, maxTogether + 1} {
		if _, err := at.HandleMergeMany(t.Context(), &pb.MergeMany{Merges: make([]*pb.Merge, n)}); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%d deltas together: %v, want Invalid", n, err)
		}
	}
}
