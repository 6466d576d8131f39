package localmesh

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// behave tells the test binary, started in the place of virgad, what to do.
const behave = "LOCALMESH_TEST_DAEMON"

func TestMain(m *testing.M) {
	switch os.Getenv(behave) {
	case "die":
		fmt.Fprintln(os.Stderr, "the port is taken, says the daemon")
		os.Exit(1)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Minute) // killed long before
		os.Exit(0)
	case "obedient":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		select {
		case <-stop:
		case <-time.After(time.Minute):
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// oneNode makes a home with one node that is not started.
func oneNode(t *testing.T) (home string, n Node) {
	t.Helper()
	home = t.TempDir()
	if _, _, err := (Options{}).prepare(home, nil, 1); err != nil {
		t.Fatal(err)
	}
	nodes, err := Nodes(home)
	if err != nil || len(nodes) != 1 || nodes[0].PID != 0 {
		t.Fatalf("Nodes = %+v, %v", nodes, err)
	}
	return home, nodes[0]
}

func startAs(t *testing.T, n *Node, behaviour string) {
	t.Helper()
	t.Setenv(behave, behaviour)
	if err := n.start(os.Args[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Kill() })
}

func TestANodeThatDiesEarlyShowsItsLog(t *testing.T) {
	t.Setenv(behave, "die")
	home := t.TempDir()
	_, err := Up(t.Context(), Options{Home: home, Nodes: 2, Virgad: os.Args[0]})
	if err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Fatalf("Up = %v, want the log's words", err)
	}
	nodes, err := Nodes(home)
	if err != nil || len(nodes) != 2 {
		t.Fatalf("Nodes = %v, %v", nodes, err)
	}
	for _, n := range nodes {
		if n.PID != 0 {
			t.Errorf("%s runs after a failed Up", n.Name)
		}
	}
}

func TestUpEndsWithItsContext(t *testing.T) {
	t.Setenv(behave, "obedient")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	home := t.TempDir()
	_, err := Up(ctx, Options{Home: home, Nodes: 1, Virgad: os.Args[0]})
	if !errors.Is(err, mesh.Unavailable) || !strings.Contains(err.Error(), "node n1 is not ready") {
		t.Errorf("Up = %v, want Unavailable of n1", err)
	}
	if nodes, err := Nodes(home); err != nil || nodes[0].PID != 0 {
		t.Errorf("what Up started still runs: %+v, %v", nodes, err)
	}
}

func TestAForeignProcessIsNeverTouched(t *testing.T) {
	home, n := oneNode(t)
	if err := os.WriteFile(n.pidFile(), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	nodes, err := Nodes(home)
	if err != nil || nodes[0].PID != 0 {
		t.Errorf("this test is taken for a node: %+v, %v", nodes, err)
	}
	n.PID = os.Getpid()
	if err := n.Kill(); err != nil { // would end this test
		t.Error(err)
	}
	if stopped, err := Down(t.Context(), home); err != nil || len(stopped) != 0 {
		t.Errorf("Down = %v, %v: expected nothing to stop", stopped, err)
	}
	if _, err := os.Stat(n.pidFile()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stale pid file stays: %v", err)
	}
}

func TestDownStopsTwice(t *testing.T) {
	home, n := oneNode(t)
	startAs(t, &n, "obedient")
	stopped, err := Down(t.Context(), home)
	if err != nil || len(stopped) != 1 || stopped[0].PID != n.PID {
		t.Errorf("Down = %+v, %v", stopped, err)
	}
	if n.alive() {
		t.Error("the node still runs")
	}
	if stopped, err := Down(t.Context(), home); err != nil || len(stopped) != 0 {
		t.Errorf("the second Down = %+v, %v", stopped, err)
	}
}

func TestAStubbornNodeIsKilled(t *testing.T) {
	home, n := oneNode(t)
	startAs(t, &n, "stubborn")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Down(ctx, home); err != nil || n.alive() {
		t.Errorf("Down = %v, alive %v", err, n.alive())
	}
}

func TestDownOfNothing(t *testing.T) {
	home := filepath.Join(t.TempDir(), "never")
	if stopped, err := Down(t.Context(), home); err != nil || stopped != nil {
		t.Errorf("Down = %v, %v", stopped, err)
	}
	if _, err := os.Stat(home); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Down made a folder: %v", err)
	}
}

func TestHowManyNodes(t *testing.T) {
	running, stopped := Node{PID: 1}, Node{}
	for _, c := range []struct {
		name    string
		want    int
		nodes   []Node
		missing int
		kind    mesh.ErrorKind
		err     string
	}{
		{"a new mesh", 0, nil, DefaultNodes, 0, ""},
		{"a new mesh of five", 5, nil, 5, 0, ""},
		{"again as before", 0, []Node{stopped, stopped}, 0, 0, ""},
		{"one of two died", 0, []Node{running, stopped}, 0, 0, ""},
		{"one more", 3, []Node{running, running}, 1, 0, ""},
		{"runs already", 2, []Node{running, running}, 0, mesh.Conflict, "virga down"},
		{"fewer", 1, []Node{stopped, stopped}, 0, mesh.Invalid, "another home"},
		{"too many", MaxNodes + 1, nil, 0, mesh.Invalid, "expected 1 to"},
		{"negative", -1, nil, 0, mesh.Invalid, "expected 1 to"},
	} {
		missing, err := Options{Home: "h", Nodes: c.want}.missing(c.nodes)
		if c.err == "" && (err != nil || missing != c.missing) {
			t.Errorf("%s: %d, %v, want %d", c.name, missing, err, c.missing)
		}
		if c.err != "" && (!errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v, want %s with %q", c.name, err, c.kind, c.err)
		}
	}
}

func TestPortsAndIdentityAreKept(t *testing.T) {
	home, first := oneNode(t)
	nodes, err := Nodes(home)
	if err != nil {
		t.Fatal(err)
	}
	before, nodes, err := Options{}.prepare(home, nodes, 2)
	if err != nil || len(nodes) != 3 || nodes[0].Addr != first.Addr {
		t.Fatalf("prepare = %+v, %v", nodes, err)
	}
	after, _, err := Options{}.prepare(home, nodes, 0)
	if err != nil || after.Token.ID() != before.Token.ID() || len(after.Addrs) != 3 {
		t.Errorf("the context changed: %v, %v", after.Addrs, err)
	}
}

func TestOneAtATime(t *testing.T) {
	home, _ := oneNode(t)
	unlock, err := lock(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Down(ctx, home); !errors.Is(err, mesh.Conflict) {
		t.Errorf("Down while another works: %v, want Conflict", err)
	}
}

func TestDamagedNodes(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"not YAML", "listen: [", "virgad.yaml"},
		{"no address", "data: d\n", "no listen address"},
	} {
		home, n := oneNode(t)
		if err := os.WriteFile(n.config(), []byte(c.yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Nodes(home); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want Invalid with %q", c.name, err, c.want)
		}
	}
	for _, name := range []string{"", "n", "n0", "n01", "n-1", "x1", "n1x"} {
		if nodeNumber(name) != 0 {
			t.Errorf("%q is taken for a node", name)
		}
	}
}

func TestNodesTellEachOtherOfWhatStandsInFront(t *testing.T) {
	home := t.TempDir()
	front := func(addr string) (string, error) { return "127.0.0.2" + addr[strings.LastIndexByte(addr, ':'):], nil }
	saved, nodes, err := (Options{Front: front}).prepare(home, nil, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range nodes {
		config, err := ReadNodeConfig(n.config())
		if err != nil {
			t.Fatal(err)
		}
		told, _ := front(n.Addr)
		if config.Listen[0] != n.Addr || config.Advertise[0] != told || config.Bootstrap[i] != told {
			t.Errorf("%s is told %+v: want it to listen on %s and to tell %s", n.Name, config, n.Addr, told)
		}
		if saved.Addrs[i] != n.Addr {
			t.Errorf("clients are told %v: want %s", saved.Addrs, n.Addr)
		}
	}
}

// settingsOf reads the configurations of nodes, and those keys in them that nodes do not have of their own.
func settingsOf(t *testing.T, home string) (all []Settings) {
	t.Helper()
	nodes, err := Nodes(home)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		config, err := ReadNodeConfig(n.config())
		if err != nil || config.Token == "" || config.Data != data {
			t.Fatalf("%s has %+v, %v", n.Name, config, err)
		}
		all = append(all, config.Settings)
	}
	return all
}

func TestAllNodesHaveTheSettings(t *testing.T) {
	home, n := oneNode(t)
	if err := n.configure(nil, Settings{"log_level": "debug"}); err != nil { // as if it was written by hand
		t.Fatal(err)
	}
	prepare := func(settings Settings, missing int) {
		t.Helper()
		nodes, err := Nodes(home)
		if err == nil {
			_, _, err = Options{Settings: settings}.prepare(home, nodes, missing)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	prepare(Settings{"nodes_max": 5, "nodes_hook": []any{"virga", "node", "follow"}}, 0)
	prepare(nil, 1) // as the last time
	want := `[map[log_level:debug nodes_hook:[virga node follow] nodes_max:5] map[nodes_hook:[virga node follow] nodes_max:5]]`
	if got := fmt.Sprint(settingsOf(t, home)); got != want {
		t.Errorf("the settings are %s, expected %s", got, want)
	}
	prepare(Settings{"concurrency": 4}, 0)
	if got := fmt.Sprint(settingsOf(t, home)); got != "[map[concurrency:4 log_level:debug] map[concurrency:4]]" {
		t.Errorf("after others were given the settings are %s", got)
	}
	prepare(Settings{}, 0)
	if got := fmt.Sprint(settingsOf(t, home)); got != "[map[log_level:debug] map[]]" {
		t.Errorf("after none were given the settings are %s", got)
	}
	nodes, _ := Nodes(home)
	if _, _, err := (Options{Settings: Settings{"listen": "x"}}).prepare(home, nodes, 0); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), "listen") {
		t.Errorf("a setting that nodes have of their own gave %v", err)
	}
}

func TestAMeshThatWasStoppedDoesNotGrow(t *testing.T) {
	home, _ := oneNode(t)
	if _, err := Grow(t.Context(), Options{Home: home, Virgad: os.Args[0]}, 1); !errors.Is(err, mesh.Conflict) || !strings.Contains(err.Error(), "virga up") {
		t.Errorf("Grow = %v, want Conflict", err)
	}
}
