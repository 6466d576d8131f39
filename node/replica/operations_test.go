package replica

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func key(name string) mesh.Key { return mesh.Key{Namespace: "default", Name: name} }

// holds is what a node's own copy holds, for people.
func (n *testNode) holds(k mesh.Key) string {
	cell, found, err := n.store.Get(k)
	switch {
	case err != nil:
		return err.Error()
	case !found:
		return "nothing"
	}
	return describe(cell)
}

func describe(cell lattice.Cell) string {
	v, ok := cell.Value()
	if !ok {
		return "deleted"
	}
	return describeValue(v)
}

func describeValue(v lattice.Value) string {
	switch v.Kind() {
	case lattice.LWWKind:
		payload, _ := v.Payload()
		return string(payload)
	case lattice.GCounterKind:
		n, _ := v.Count()
		return fmt.Sprint(n)
	}
	return strings.Join(slices.Sorted(v.Elements()), " ")
}

func (n *testNode) set(k mesh.Key, value string, o WriteOptions) (mesh.Ack, error) {
	return n.put(k, lattice.LWWKind, lattice.SetOp([]byte(value)), o)
}

// put puts, by turns, as a client does whose put needs to wait for nothing but
// other nodes and the log, if it is one, and as any other.
func (n *testNode) put(k mesh.Key, kind lattice.Kind, op lattice.Op, o WriteOptions) (mesh.Ack, error) {
	if n.turns.Add(1)%2 == 0 && o.Made == nil {
		if told := n.begin(putMessage(k, kind, op, o)); told != nil {
			answer := <-told
			return mesh.Ack{Replicas: int(answer.reply.GetReplicas()), Durability: mesh.Durability(answer.reply.GetDurability())}, answer.err
		}
	}
	return n.Put(context.Background(), k, kind, op, o)
}

// putMessage is a put as a client sends it.
func putMessage(k mesh.Key, kind lattice.Kind, op lattice.Op, o WriteOptions) *pb.Put {
	m := o.put(k, kind, op).message(o).(*pb.Put)
	m.Forwarded, m.Behind = o.Forwarded, o.Behind
	return m
}

// begin begins a put that departs at once, and gives where its answer will be;
// nil if it has to wait for more.
func (n *testNode) begin(m *pb.Put) <-chan putAnswer {
	asker := newPutAsker()
	replica := n.now()
	if !replica.BeginPut(m, asker) {
		return nil
	}
	replica.Depart()
	return asker.told
}

func (n *testNode) add(k mesh.Key, element string, o WriteOptions) (mesh.Ack, error) {
	return n.Put(context.Background(), k, lattice.SetKind, lattice.AddOp(element), o)
}

func (n *testNode) inc(k mesh.Key, o WriteOptions) (mesh.Ack, error) {
	return n.put(k, lattice.GCounterKind, lattice.IncOp(1), o)
}

// get is what a read of the key gives, for people.
func (n *testNode) get(k mesh.Key, quorum int) string {
	v, err := n.Get(context.Background(), k, quorum)
	if err != nil {
		return mesh.KindOf(err).String()
	}
	return describeValue(v)
}
