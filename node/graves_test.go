package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

const collectAfter = 30 * time.Second

// burying are meshes that forget marks of deletes early, and what they miss late.
func burying(nodes int) simmesh.Options {
	return simmesh.Options{Nodes: nodes, Configure: func(_ int, cfg *node.Config) {
		cfg.CollectAfter, cfg.ForgetAfter = collectAfter, time.Hour
	}}
}

func remove(t *testing.T, m *simmesh.Mesh, through int, name string) {
	t.Helper()
	if err := at(m, through).Delete(within(t, 30*time.Second), name); err != nil {
		t.Fatalf("delete %s through node %d: %v", name, through, err)
	}
}

// recordsHeld is how many keys, deleted ones included, the nodes that run hold.
func recordsHeld(t *testing.T, m *simmesh.Mesh) (sum uint64) {
	t.Helper()
	for _, i := range m.Running() {
		sum += stats(t, m, i).Keys
	}
	return sum
}

func TestMarksOfDeletesAreForgottenByAllOwners(t *testing.T) {
	simulate(t, burying(4), func(t *testing.T, m *simmesh.Mesh) {
		before := recordsHeld(t, m)
		put(t, m, 0, "k", "v")
		remove(t, m, 1, "k")
		time.Sleep(collectAfter - 5*time.Second)
		if now := recordsHeld(t, m); now != before+3 {
			t.Errorf("%d records before the time of the mark, want %d", now, before+3)
		}
		time.Sleep(collectAfter)
		if now := recordsHeld(t, m); now != before {
			t.Errorf("%d records after the time of the mark, want %d", now, before)
		}
		put(t, m, 2, "k", "anew")
		for i := range m.Len() {
			wants(t, "the key", get(t, m, i, "k"), nil, "anew")
		}
	})
}

func TestAMissingNodeKeepsTheMarksOfDeletes(t *testing.T) {
	simulate(t, burying(3), func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 0, "k", "v")
		time.Sleep(time.Second) // all owners have it
		if err := m.Kill(2); err != nil {
			t.Fatal(err)
		}
		before := recordsHeld(t, m)
		time.Sleep(5 * time.Second) // the others know
		remove(t, m, 0, "k")
		time.Sleep(4 * collectAfter)
		if now := recordsHeld(t, m); now < before {
			t.Errorf("%d records while a node is missing, of %d", now, before)
		}
		if err := m.Restart(within(t, time.Minute), 2); err != nil {
			t.Fatal(err)
		}
		for i := range m.Len() {
			wants(t, "the key", get(t, m, i, "k"), nil, "(NotFound)")
		}
		time.Sleep(time.Minute)
		if now := recordsHeld(t, m); now >= before {
			t.Errorf("%d records after it has come back, of %d", now, before)
		}
		for i := range m.Len() {
			wants(t, "the key, when all forgot the mark", get(t, m, i, "k"), nil, "(NotFound)")
		}
	})
}

// returns lets a node come back that the mesh gave up, with a key that was deleted.
func returns(t *testing.T, m *simmesh.Mesh, giveUp func(id mesh.NodeID)) {
	t.Helper()
	put(t, m, 0, "dead", "v")
	put(t, m, 0, "living", "v")
	time.Sleep(time.Second)
	id := m.Node(2).ID()
	if err := m.Kill(2); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	remove(t, m, 0, "dead")
	giveUp(id)
	time.Sleep(4 * collectAfter)
	if err := m.Restart(within(t, time.Minute), 2); err != nil {
		t.Fatal(err)
	}
	if err := m.Settle(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	for i := range m.Len() {
		wants(t, "what was deleted", get(t, m, i, "dead"), nil, "(NotFound)")
		wants(t, "what lives", get(t, m, i, "living"), nil, "v")
	}
	files, err := m.Disk(2).List("/data/returned-1")
	if err != nil || !strings.Contains(strings.Join(files, " "), "manifest.json") {
		t.Errorf("what was set aside: %v, %v", files, err)
	}
}

func TestANodeThatWasForgottenBringsNothingBack(t *testing.T) {
	simulate(t, burying(3), func(t *testing.T, m *simmesh.Mesh) {
		returns(t, m, func(id mesh.NodeID) {
			if err := sdk.Attach(m.Node(0)).Forget(within(t, time.Minute), id); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func TestANodeThatWasAwayForTooLongBringsNothingBack(t *testing.T) {
	options := burying(3)
	configure := options.Configure
	options.Configure = func(i int, cfg *node.Config) {
		configure(i, cfg)
		cfg.ForgetAfter = 30 * time.Second
	}
	simulate(t, options, func(t *testing.T, m *simmesh.Mesh) {
		returns(t, m, func(mesh.NodeID) {})
	})
}

func TestAMeshThatWasAwayForLongKeepsAllItHolds(t *testing.T) {
	options := burying(3)
	configure := options.Configure
	options.Configure = func(i int, cfg *node.Config) {
		configure(i, cfg)
		cfg.ForgetAfter = 30 * time.Second
	}
	simulate(t, options, func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 0, "k", "v")
		put(t, m, 0, "dead", "v")
		remove(t, m, 0, "dead")
		time.Sleep(2 * collectAfter) // some marks were forgotten
		for i := range m.Len() {
			if err := m.Stop(i); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		for i := range m.Len() {
			if err := m.Restart(within(t, time.Minute), i); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		for i := range m.Len() {
			wants(t, "the key", get(t, m, i, "k"), nil, "v")
			if _, err := m.Disk(i).Stat("/data/returned-1"); err == nil {
				t.Errorf("node %d set something aside", i)
			}
		}
	})
}
