package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk"
)

// topMesh is a mesh of nodes "a", "b" and so on at addresses "a:1", "b:1", of
// which some do not answer. Each time it is asked a node is a second older
// and has served 100 gets more.
type topMesh struct {
	away      string
	published bool // the figures of c
	mu        sync.Mutex
	asked     map[string]uint64
}

func (m *topMesh) node(id string) answer {
	return func(req wire.Message) (wire.Message, error) {
		switch req := req.(type) {
		case *pb.Status:
			reply := &pb.StatusReply{Node: []byte(id), Addrs: []string{id + ":1"}}
			for _, peer := range []string{"a", "b", "c"} {
				if peer != id {
					reply.Peers = append(reply.Peers, &pb.PeerStatus{Node: []byte(peer), Addrs: []string{peer + ":1"}, Live: true})
				}
			}
			return reply, nil
		case *pb.Stats:
			if of := req.Node; string(of) == "c" && m.published {
				return &pb.StatsReply{Node: of, PublishedUnixMs: 1_000_000, Keys: 5, MemoryBytes: 16 << 20, MemoryLimit: 64 << 20}, nil
			} else if len(of) > 0 {
				return nil, mesh.Errorf(mesh.NotFound, "stats", "nothing was published")
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			m.asked[id]++
			return &pb.StatsReply{
				Node: []byte(id), Ready: true, UptimeMs: 1000 * m.asked[id], Keys: 7, MemoryBytes: 32 << 20, MemoryLimit: 64 << 20,
				Requests: []*pb.RequestCount{{Operation: "get", Outcome: "ok", Count: 100 * m.asked[id]}},
				Owed:     []*pb.OwedPeer{{Node: []byte("c"), Keys: 3, OldestMs: 5000}}, Repairs: 9,
				Load: &pb.NodeLoad{Places: 250, Processors: 870}, NodesWanted: &pb.NodesWanted{Nodes: 4, Live: 3, Reason: "utilisation is 87 %, above 70 %"},
				HotKeys: []*pb.HotKeyRate{{Key: &pb.Key{Namespace: "default", Name: "popular"}, MilliReads: 50_000, Extra: 2}},
			}, nil
		}
		return nil, errors.New("unexpected")
	}
}

// top runs the command on the mesh, under virtual time.
func (m *topMesh) top(t *testing.T, args ...string) (stdout string, err error) {
	m.asked = map[string]uint64{}
	var out, errs bytes.Buffer
	a := newApp(strings.NewReader(""), &out, &errs)
	a.dial = func(_ context.Context, c sdk.Config) (*sdk.Client, error) {
		id := "a"
		if len(c.Addrs) > 0 {
			id, _, _ = strings.Cut(c.Addrs[0], ":")
		}
		if strings.Contains(m.away, id) {
			return nil, mesh.Errorf(mesh.Unavailable, "dial", "nobody is there")
		}
		return sdk.Attach(m.node(id)), nil
	}
	root := rootCommand(a)
	root.SetArgs(append([]string{"--home", t.TempDir(), "top"}, args...))
	synctest.Test(t, func(t *testing.T) { err = root.ExecuteContext(t.Context()) })
	return out.String(), err
}

func TestTopTellsAllNodesAndWhoDoesNotAnswer(t *testing.T) {
	out, err := (&topMesh{away: "c"}).top(t, "--once", "--output", "json")
	if err != nil {
		t.Fatal(err)
	}
	var table topTable
	if err := json.Unmarshal([]byte(out), &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Nodes) != 3 || table.Nodes[2].State != stateUnreachable || table.Nodes[2].Addrs[0] != "c:1" {
		t.Fatalf("the nodes are %+v: expected a, b and an unreachable c", table.Nodes)
	}
	for _, n := range table.Nodes[:2] {
		if n.State != stateReady || n.Keys != 7 || n.Memory != 0.5 || n.GetRate == nil || *n.GetRate != 100 || n.OwedKeys != 3 || n.OldestOwed != 5 || n.Repairs != 9 {
			t.Errorf("a node is %+v", n)
		}
	}
	if w := table.Wanted; w == nil || w.Nodes != 4 || w.Live != 3 || w.Reason == "" || table.Nodes[0].Places != 0.25 {
		t.Errorf("the nodes that are wanted are %+v", w)
	}
	if want := (topHotKey{Key: "default/popular", Rate: 100, Nodes: 2, Extra: 2}); len(table.HotKeys) != 1 || table.HotKeys[0] != want {
		t.Errorf("the hot keys are %+v: expected %+v", table.HotKeys, want)
	}
}

func TestTopTellsWhatANodeThatIsAwayPublished(t *testing.T) {
	m := &topMesh{away: "c", published: true}
	out, err := m.top(t, "--once", "--output", "json")
	if err != nil {
		t.Fatal(err)
	}
	var table topTable
	if err := json.Unmarshal([]byte(out), &table); err != nil {
		t.Fatal(err)
	}
	if c := table.Nodes[2]; c.State != stateUnreachable || c.AsOf != "1970-01-01T00:16:40Z" || c.Keys != 5 || c.Memory != 0.25 || c.GetRate != nil {
		t.Errorf("the node that is away is %+v", c)
	}
	if out, err = m.top(t, "--once"); err != nil || !strings.Contains(out, "unreachable, as of 1970-01-01T00:16:40Z") || !strings.Contains(out, "25%") {
		t.Errorf("as text: %v\n%s", err, out)
	}
}

func TestTopAsText(t *testing.T) {
	out, err := (&topMesh{away: "c"}).top(t, "--once")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"4 wanted: utilisation is 87 %, above 70 %\n", " 87% ", "100.0", "50%", "0 sending, 3 owed for 5s", "unreachable", "default/popular"} {
		if !strings.Contains(out, part) {
			t.Errorf("the table does not say %q:\n%s", part, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("a table that is printed once has escape sequences")
	}
}

func TestTopNeedsTheMeshOnce(t *testing.T) {
	if _, err := (&topMesh{away: "abc"}).top(t, "--once"); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("top of a mesh that is away gave %v", err)
	}
	for _, args := range [][]string{{"--interval", "0s"}, {"--keys", "-1"}, {"--output", "json"}} {
		if _, err := (&topMesh{}).top(t, args...); !errors.Is(err, mesh.Invalid) {
			t.Errorf("top %v gave %v: expected a usage error", args, err)
		}
	}
}
