package node_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node"
)

// hotPolicy has keys hot from 100 reads a second on, with every read counted.
func hotPolicy(_ int, cfg *node.Config) {
	cfg.HotKeys = node.HotKeyPolicy{Rate: 100, Sample: 1, MaxReaders: 2, Life: 4 * time.Second, Grace: 10 * time.Second}
}

// askForKey reads a key through a node, and gives all of the answer.
func askForKey(t *testing.T, m *simmesh.Mesh, through int, name string) *pb.GetReply {
	t.Helper()
	key := mesh.Key{Namespace: mesh.DefaultNamespace, Name: name}
	reply, err := m.Node(through).Do(within(t, 30*time.Second), &pb.Get{Key: wire.FromKey(key)})
	if err != nil {
		t.Fatalf("get %s through node %d: %v", name, through, err)
	}
	return reply.(*pb.GetReply)
}

// load reads a key through a node, 300 times a second, for a time.
func load(t *testing.T, m *simmesh.Mesh, through int, name string, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second / 300) {
		askForKey(t, m, through, name)
	}
}

// ownersByCount tells the owners of a new key by the keys that nodes hold,
// without a read that would make a node cache it.
func ownersByCount(t *testing.T, m *simmesh.Mesh, name, text string) (owners, others []int) {
	t.Helper()
	time.Sleep(time.Second) // virtual: what the nodes told at their start has arrived
	var before []uint64
	for i := range m.Len() {
		before = append(before, stats(t, m, i).Keys)
	}
	put(t, m, 0, name, text)
	time.Sleep(time.Second) // virtual: until all owners have it
	for i := range m.Len() {
		if stats(t, m, i).Keys > before[i] {
			owners = append(owners, i)
		} else {
			others = append(others, i)
		}
	}
	return owners, others
}

// raisedAt gives the nodes that serve a key as extra readers.
func raisedAt(t *testing.T, m *simmesh.Mesh) (nodes []int) {
	t.Helper()
	for i := range m.Len() {
		if stats(t, m, i).RaisedCopies > 0 {
			nodes = append(nodes, i)
		}
	}
	return nodes
}

func TestLoadOnOneKeyGivesItReadersThatGoWithTheLoad(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 7, Configure: hotPolicy}, func(t *testing.T, m *simmesh.Mesh) {
		owners, others := ownersByCount(t, m, "popular", "0")
		if len(owners) != 3 {
			t.Fatalf("the owners are %v", owners)
		}
		load(t, m, owners[1], "popular", 15*time.Second)
		readers := raisedAt(t, m)
		if len(readers) != 2 || !slices.Contains(others, readers[0]) || !slices.Contains(others, readers[1]) {
			t.Fatalf("the extra readers are %v: expected two of %v", readers, others)
		}
		told := askForKey(t, m, owners[0], "popular").Readers
		for _, i := range readers {
			id := m.Node(i).ID()
			if !slices.ContainsFunc(told, func(b []byte) bool { return mesh.NodeID(b) == id }) {
				t.Errorf("an owner tells the readers %x: expected node %d among them", told, i)
			}
		}
		spreadReads(t, m, readers)
		hot := stats(t, m, owners[1]).HotKeys
		if len(hot) == 0 || hot[0].Key.Name != "popular" || hot[0].Rate < 50 || hot[0].Extra != 2 {
			t.Errorf("the hot keys of an owner are %+v", hot)
		}
		time.Sleep(time.Minute) // virtual
		if readers := raisedAt(t, m); len(readers) > 0 {
			t.Errorf("a minute after the load the extra readers are %v", readers)
		}
		if told := askForKey(t, m, owners[0], "popular").Readers; len(told) > 0 {
			t.Errorf("a minute after the load an owner tells the readers %x", told)
		}
	})
}

// spreadReads wants the extra readers of "popular" to answer by themselves,
// and to follow changes within a push.
func spreadReads(t *testing.T, m *simmesh.Mesh, readers []int) {
	t.Helper()
	for _, i := range readers {
		began := time.Now()
		wants(t, fmt.Sprintf("extra reader %d", i), get(t, m, i, "popular"), nil, "0")
		if took := time.Since(began); took != 0 {
			t.Errorf("the first read at extra reader %d took %v of virtual time: it asked another node", i, took)
		}
	}
	put(t, m, 0, "popular", "1")
	for _, i := range readers {
		until(t, pushBound, fmt.Sprintf("extra reader %d sees the change", i), func() bool { return get(t, m, i, "popular") == "1" })
	}
	put(t, m, 0, "popular", "0")
}

func TestEvenLoadAndAnIdleMeshHaveNoHotKeys(t *testing.T) {
	manyMatter := func(i int, cfg *node.Config) {
		hotPolicy(i, cfg)
		cfg.HotKeys.Rate = 5
	}
	simulate(t, simmesh.Options{Nodes: 5, Configure: manyMatter}, func(t *testing.T, m *simmesh.Mesh) {
		const keys = 40 // of which each node owns 24
		for i := range keys {
			put(t, m, 0, fmt.Sprint("key-", i), "v")
		}
		for turn := range 500 { // 50 times a second each key, through each node in turn
			for i := range keys {
				askForKey(t, m, (i+turn)%m.Len(), fmt.Sprint("key-", i))
			}
			time.Sleep(20 * time.Millisecond)
		}
		for i := range m.Len() {
			if s := stats(t, m, i); s.RaisedKeys != 0 {
				t.Errorf("node %d knows of %d hot keys: %+v", i, s.RaisedKeys, s.HotKeys)
			}
		}
	})
}

func TestExtraReadersOutliveThePrimary(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 7, Configure: hotPolicy}, func(t *testing.T, m *simmesh.Mesh) {
		owners, _ := ownersByCount(t, m, "popular", "0")
		load(t, m, owners[0], "popular", 15*time.Second)
		for _, dead := range owners[1:] { // one of which may be the primary
			if err := m.Kill(dead); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		load(t, m, owners[0], "popular", 30*time.Second)
		serving := 0
		for _, i := range m.Running() {
			serving += int(stats(t, m, i).RaisedCopies)
		}
		if serving != 2 {
			t.Errorf("%d nodes serve the key as extra readers: expected 2 of 5 live ones", serving)
		}
		if got := get(t, m, owners[0], "popular"); got != "0" {
			t.Errorf("the key reads %q", got)
		}
	})
}
