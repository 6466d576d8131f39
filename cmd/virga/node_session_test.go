package main

import (
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/localmesh"
)

// TestANodeIsAddedAndRemovedWithOneCommand removes, on real processes, every
// node that first held the state.
func TestANodeIsAddedAndRemovedWithOneCommand(t *testing.T) {
	s := newSession(t)
	s.succeeds("up", "-n", "2")
	for _, key := range []string{"a", "b", "c", "d"} {
		s.succeeds("kv", "put", key, "of "+key)
	}
	s.succeeds("node", "add")
	s.succeeds("node", "remove", "n1")
	s.fails(3, []string{"NotFound", "n2, n3"}, "node", "remove", "n1")
	s.succeeds("node", "add")
	s.succeeds("node", "drain", "n2")
	for _, key := range []string{"a", "b", "c", "d"} {
		s.wants("of "+key+"\n", "kv", "get", key)
	}
	s.fails(3, []string{"NotFound"}, "kv", "get", "nothing")

	list, _, _ := s.run("node", "list")
	if strings.Count(list, "live") != 2 || strings.Contains(list, "missing") {
		t.Errorf("node list printed\n%s", list)
	}
	nodes, err := localmesh.Nodes(s.home)
	if err != nil || len(nodes) != 3 {
		t.Fatalf("nodes %+v, %v", nodes, err)
	}
	for i, name := range []string{"n2", "n3", "n4"} {
		if nodes[i].Name != name {
			t.Errorf("node %d is %s, want %s", i, nodes[i].Name, name)
		}
	}
	for deadline := time.Now().Add(localmesh.StopTimeout); nodes[0].PID != 0; nodes, _ = localmesh.Nodes(s.home) {
		if time.Now().After(deadline) {
			t.Fatalf("n2 has drained, and still runs as process %d", nodes[0].PID)
		}
		<-time.After(20 * time.Millisecond)
	}
}
