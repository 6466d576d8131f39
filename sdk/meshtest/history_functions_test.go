package meshtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// A run that began anew executes its stages again; a node that is lost has others
// execute them again: what the executions read and wrote is told apart.
func TestExecutionsAreToldApart(t *testing.T) {
	h, key := &meshtest.History{}, "x"
	d := &mesh.DAG{Name: "d", Stages: []mesh.Stage{{Name: "1"}, {Name: "2"}}, Edges: []mesh.Edge{{From: "1", To: "2"}}}
	if err := h.Order(d); err != nil {
		t.Fatal(err)
	}
	run := mesh.NewRunID()
	note := func(stage string, attempt uint32, write bool, version string) {
		t.Helper()
		id := mesh.InvocationID{Node: "n", Run: run, Stage: stage, Attempt: attempt}
		if err := meshtest.Note(h, id, key, version, write); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Record(meshtest.Access{Session: "a", Key: key, Writes: true, Version: "1"}, meshtest.Access{Session: "a", Key: key, Writes: true, Version: "2"}); err != nil {
		t.Fatal(err)
	}
	note("1", 1, false, "2")
	note("1", 2, false, "1")
	note("2", 2, false, "1")
	for level, want := range map[mesh.Consistency]int{mesh.CausalKey: 0, mesh.CausalSession: 0, mesh.Repeatable: 0} {
		if found, err := h.Check(level); err != nil || len(found) != want {
			t.Errorf("%s: found %v, %v, want %d", level, found, err, want)
		}
	}
	note("1", 1<<10, true, "3")
	note("1", 2<<10, false, "1")
	note("1", 2<<10, true, "3") // once more
	note("2", 2<<10, false, "3")
	h.Ended(run, nil)
	if err := h.Record(meshtest.Access{Session: "a", Key: key, Version: "1", Final: true}); err != nil {
		t.Fatal(err)
	}
	found, err := h.Check(mesh.Transactional)
	if err != nil || len(found) != 2 || found[1].Anomaly != meshtest.Lost || !strings.Contains(found[1].String(), "writes x = 3") {
		t.Errorf("of a run that began anew: found %v, %v", found, err)
	}
}

func TestWhatIsNoAccessIsInvalid(t *testing.T) {
	h := recorded(t, "a w x 1")
	for name, a := range map[string]meshtest.Access{
		"nobody's":            {Key: "x", Version: "1"},
		"no key":              {Session: "a", Version: "1"},
		"nothing is written":  {Session: "a", Key: "x", Writes: true},
		"a version once more": {Session: "b", Key: "x", Writes: true, Version: "1"},
	} {
		if err := h.Record(a); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	if _, err := h.Check(mesh.Consistency(99)); !errors.Is(err, mesh.Invalid) {
		t.Errorf("no level: %v, want Invalid", err)
	}
	var value string
	for name, err := range map[string]error{
		"get": h.Get(t.Context(), "x", &value), "put": h.Put(t.Context(), "x", "2"),
		"delete": h.Delete(t.Context(), "x"), "argument": h.Argument(t.Context(), "x", "1"),
	} {
		if !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s outside of a function: %v, want Invalid", name, err)
		}
	}
}

func TestOrdersThatCannotBeAreInvalid(t *testing.T) {
	h := recorded(t, "a w x 1") // knows that 2 comes after 1
	for name, d := range map[string]*mesh.DAG{
		"a cycle":       {Stages: []mesh.Stage{{Name: "a"}, {Name: "b"}}, Edges: []mesh.Edge{{From: "a", To: "b"}, {From: "b", To: "a"}}},
		"no such stage": {Stages: []mesh.Stage{{Name: "c"}}, Edges: []mesh.Edge{{From: "c", To: "d"}}},
		"another order": {Stages: []mesh.Stage{{Name: "1"}, {Name: "2"}}, Edges: []mesh.Edge{{From: "2", To: "1"}}},
	} {
		if err := h.Order(d); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}

// Functions of a real mesh note what they do, also what is missing, by reference, retried.
func TestFunctionsAndClientsNoteWhatTheyDo(t *testing.T) {
	h := &meshtest.History{}
	attempts := 0
	m := meshtest.New(t, 1, meshtest.Handle("all", func(ctx context.Context, config string) (string, error) {
		if attempts++; attempts == 1 {
			return "", errors.Join(h.Argument(ctx, "config", config), h.Put(ctx, "x", 7), errors.New("at first it fails"))
		}
		var missing, n int
		if err := h.Get(ctx, "nosuch", &missing); !errors.Is(err, mesh.NotFound) {
			return "", fmt.Errorf("a missing key gave %w", err)
		}
		if err := errors.Join(h.Put(ctx, "x", 7), h.Get(ctx, "x", &n), h.Delete(ctx, "x")); err != nil || n != 7 {
			return "", fmt.Errorf("read %d, %w", n, err)
		}
		return "", h.Put(ctx, "x", 8)
	}), meshtest.Handle("again", func(ctx context.Context, _ fn.None) (string, error) {
		err := h.Put(ctx, "x", 8)
		return string(mesh.KindOf(err)), nil
	}))
	raw := m.Dial(t)
	client := h.Client("client", raw)
	if err := client.Put(t.Context(), "config", "blue"); err != nil {
		t.Fatal(err)
	}
	all := sdk.Func[sdk.Ref, string](raw, "all")
	all.Options.Consistency = mesh.Repeatable
	all.Options.Stage = mesh.StageOptions{Retry: mesh.Retry{Attempts: 2, Backoff: time.Millisecond}}
	if _, err := all.Call(t.Context(), raw.Ref("config")); err != nil {
		t.Fatal(err)
	}
	if kind, err := sdk.Func[fn.None, string](raw, "again").Call(t.Context(), fn.None{}); err != nil || kind != string(mesh.Invalid) {
		t.Errorf("another run that writes the same gave %q, %v", kind, err)
	}
	if err := client.Put(t.Context(), "config", "blue"); !errors.Is(err, mesh.Invalid) {
		t.Errorf("a client that writes the same gave %v", err)
	}
	var config string
	var x int
	if err := errors.Join(client.Get(t.Context(), "config", &config), client.Final(t.Context(), "x", &x)); err != nil || config != "blue" || x != 8 {
		t.Errorf("read %q and %d, %v", config, x, err)
	}
	if err := client.Delete(t.Context(), "config"); err != nil {
		t.Error(err)
	}
	h.Require(t, mesh.Repeatable)
}
