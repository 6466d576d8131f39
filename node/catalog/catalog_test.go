package catalog

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/hlc"
	"github.com/virga-mesh/virga/node/store"
)

// oneNode is the state of a mesh of one node: its store.
type oneNode struct{ *store.Store }

func (s oneNode) Get(_ context.Context, key mesh.Key) (lattice.Value, error) {
	cell, _, err := s.Store.Get(key)
	if err != nil {
		return lattice.Value{}, err
	}
	value, ok := cell.Value()
	if !ok {
		return lattice.Value{}, mesh.Errorf(mesh.NotFound, "get", "no such key")
	}
	return value, nil
}

func (s oneNode) Find(ctx context.Context, key mesh.Key) (lattice.Value, error) {
	return s.Get(ctx, key)
}

func (s oneNode) PutForNow(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	return s.Put(ctx, key, kind, op)
}

func (s oneNode) Put(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	_, _, err := s.Apply(ctx, key, kind, op, mesh.Memory)
	return err
}

func (s oneNode) Delete(ctx context.Context, key mesh.Key) error {
	_, _, err := s.Store.Delete(ctx, key, mesh.Memory)
	return err
}

func (s oneNode) List(ctx context.Context, prefix, after string, limit int) ([]string, bool, error) {
	keys, more, err := s.Store.List(ctx, mesh.SystemNamespace, prefix, after, limit)
	var names []string
	for _, key := range keys {
		names = append(names, key.Name)
	}
	return names, more, err
}

// open makes a catalog whose announcements reach itself.
func open(t *testing.T) *Catalog {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "store", FS: vfs.NewMem(), Node: "node-1", Clock: hlc.New("node-1", time.Now, 0)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var c *Catalog
	c = New(oneNode{s}, func(_ context.Context, namespace, name string) error {
		c.Forget(namespace, name)
		return nil
	})
	return c
}

func function(name, version string) mesh.FuncRef {
	return mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name, Version: version}
}

// deploy stores content as a version of a function.
func deploy(t *testing.T, c *Catalog, name, version, content string) mesh.FuncInfo {
	t.Helper()
	info := mesh.FuncInfo{
		Ref: function(name, version), Kind: mesh.Wasm, Export: name,
		Module: ModuleHash([]byte(content)), Size: int64(len(content)), Limits: mesh.Limits{Time: time.Second},
	}
	if err := c.Deploy(t.Context(), info, []byte(content)); err != nil {
		t.Fatal(err)
	}
	return info
}

// versions names the versions of a function, and the current one.
func versions(t *testing.T, c *Catalog, name string) (all []string, current string) {
	t.Helper()
	v, err := c.Versions(t.Context(), function(name, ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range v.All {
		if version.Deployed.IsZero() {
			t.Errorf("version %s was deployed at no time", version.Ref.Version)
		}
		all = append(all, version.Ref.Version)
	}
	return all, v.Current
}

func TestTheLatestDeploymentIsCurrentAndOlderOnesStay(t *testing.T) {
	c := open(t)
	deploy(t, c, "square", "v1", "one")
	want := deploy(t, c, "square", "v2", "two")
	got, err := c.Function(t.Context(), function("square", ""))
	if err != nil || got.Ref != want.Ref || got.Module != want.Module || got.Limits != want.Limits || got.Export != want.Export {
		t.Errorf("current = %+v, %v, want %+v", got, err, want)
	}
	if old, err := c.Function(t.Context(), function("square", "v1")); err != nil || old.Ref.Version != "v1" {
		t.Errorf("v1 = %+v, %v", old, err)
	}
	if module, err := c.Module(t.Context(), want.Module); err != nil || string(module) != "two" {
		t.Errorf("module = %q, %v", module, err)
	}
}

func TestRollBackMakesAnOlderVersionCurrent(t *testing.T) {
	c := open(t)
	deploy(t, c, "square", "v1", "one")
	deploy(t, c, "square", "v2", "two")
	if err := c.Use(t.Context(), function("square", "v1")); err != nil {
		t.Fatal(err)
	}
	if got, current := versions(t, c, "square"); current != "v1" || !slices.Equal(got, []string{"v1", "v2"}) {
		t.Errorf("Versions = %v, current %q", got, current)
	}
	if err := c.Use(t.Context(), function("square", "v9")); !errors.Is(err, mesh.NotFound) || !strings.Contains(err.Error(), "v1, v2") {
		t.Errorf("a version that is not there gave %v", err)
	}
	if err := c.Use(t.Context(), function("square", "")); !errors.Is(err, mesh.Invalid) {
		t.Errorf("no version gave %v", err)
	}
}

func TestADeletedFunctionStaysDeletedUntilDeployedAgain(t *testing.T) {
	c := open(t)
	deploy(t, c, "square", "v1", "one")
	if err := c.DeleteFunction(t.Context(), function("square", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Function(t.Context(), function("square", "")); !errors.Is(err, mesh.NotFound) {
		t.Errorf("a deleted function gave %v", err)
	}
	if err := c.DeleteFunction(t.Context(), function("square", "")); !errors.Is(err, mesh.NotFound) {
		t.Errorf("deleting it again gave %v", err)
	}
	deploy(t, c, "square", "v2", "two")
	if got, _ := versions(t, c, "square"); !slices.Equal(got, []string{"v2"}) {
		t.Errorf("after a new deployment: %v", got)
	}
}

func TestHostsComeAndGo(t *testing.T) {
	c := open(t)
	info := mesh.FuncInfo{Ref: function("cube", "worker"), Kind: mesh.Worker}
	hosts := func() []mesh.NodeID {
		t.Helper()
		got, err := c.Function(t.Context(), function("cube", ""))
		if err != nil {
			t.Fatal(err)
		}
		return got.Hosts
	}
	for _, node := range []mesh.NodeID{"a", "b"} {
		if err := c.Host(t.Context(), info, node, true); err != nil {
			t.Fatal(err)
		}
	}
	if got := hosts(); !slices.Equal(got, []mesh.NodeID{"a", "b"}) {
		t.Errorf("hosts = %q, want a and b", got)
	}
	if err := c.Unhost(t.Context(), info.Ref, "a"); err != nil {
		t.Fatal(err)
	}
	if got := hosts(); !slices.Equal(got, []mesh.NodeID{"b"}) {
		t.Errorf("hosts = %q, want b", got)
	}
	if err := c.Retire(t.Context(), "b", func(mesh.FuncRef) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if got := hosts(); len(got) != 0 {
		t.Errorf("hosts = %q, want none", got)
	}
}

func TestANativeFunctionTakesOverOnlyWhenAsked(t *testing.T) {
	c := open(t)
	deploy(t, c, "square", "v1", "one")
	native := mesh.FuncInfo{Ref: function("square", "native"), Kind: mesh.Native}
	current := func() string {
		t.Helper()
		_, current := versions(t, c, "square")
		return current
	}
	if err := c.Host(t.Context(), native, "a", false); err != nil {
		t.Fatal(err)
	}
	if got := current(); got != "v1" {
		t.Errorf("current = %q, want v1: a node that starts does not undo a deployment", got)
	}
	if err := c.Host(t.Context(), native, "a", true); err != nil {
		t.Fatal(err)
	}
	if got := current(); got != "native" {
		t.Errorf("current = %q, want native", got)
	}
}

func TestFunctionsArePaged(t *testing.T) {
	c := open(t)
	for _, name := range []string{"incr", "square", "squash", "sum"} {
		deploy(t, c, name, "v1", name)
	}
	page, more, err := c.Functions(t.Context(), mesh.DefaultNamespace, "squ", "", 1)
	if err != nil || len(page) != 1 || page[0].Ref.Name != "square" || !more {
		t.Errorf("first page = %v, more %v, %v", page, more, err)
	}
	page, more, err = c.Functions(t.Context(), mesh.DefaultNamespace, "squ", "square", 10)
	if err != nil || len(page) != 1 || page[0].Ref.Name != "squash" || more {
		t.Errorf("second page = %v, more %v, %v", page, more, err)
	}
}

func TestADAGNeedsItsFunctions(t *testing.T) {
	c := open(t)
	deploy(t, c, "incr", "v1", "one")
	d := &mesh.DAG{
		Namespace: mesh.DefaultNamespace, Name: "pipeline",
		Stages: []mesh.Stage{{Name: "first", Func: function("incr", "")}, {Name: "second", Func: function("square", "")}},
		Edges:  []mesh.Edge{{From: "first", To: "second"}},
	}
	err := c.CreateDAG(t.Context(), d)
	if !errors.Is(err, mesh.NotFound) || !strings.Contains(err.Error(), "stage second") || !strings.Contains(err.Error(), "square") {
		t.Errorf("an unknown function gave %v", err)
	}
	deploy(t, c, "square", "v1", "two")
	if err := c.CreateDAG(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	got, err := c.DAG(t.Context(), mesh.DefaultNamespace, "pipeline")
	if err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("DAG = %+v, %v", got, err)
	}
}

func TestDeletingADAGLeavesItsFunctions(t *testing.T) {
	c := open(t)
	deploy(t, c, "incr", "v1", "one")
	d := &mesh.DAG{Namespace: mesh.DefaultNamespace, Name: "alone", Stages: []mesh.Stage{{Name: "incr", Func: function("incr", "")}}}
	if err := c.CreateDAG(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteDAG(t.Context(), mesh.DefaultNamespace, "alone"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DAG(t.Context(), mesh.DefaultNamespace, "alone"); !errors.Is(err, mesh.NotFound) {
		t.Errorf("a deleted DAG gave %v", err)
	}
	if dags, _, err := c.DAGs(t.Context(), mesh.DefaultNamespace, "", "", 10); err != nil || len(dags) != 0 {
		t.Errorf("DAGs = %v, %v", dags, err)
	}
	if _, err := c.Function(t.Context(), function("incr", "")); err != nil {
		t.Errorf("the DAG took its function along: %v", err)
	}
}

func TestWhatIsReadBeforeAChangeIsNotRememberedAfterIt(t *testing.T) {
	c := open(t)
	n := name{mesh.DefaultNamespace, "square"}
	_, err := recall(c, c.functions, n, func() (*functionRecord, error) {
		c.Forget(n.namespace, n.name) // the announcement overtakes the read
		return &functionRecord{current: "old"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.functions[n].value != nil {
		t.Error("the old record is remembered")
	}
}

func TestADamagedModuleIsRefused(t *testing.T) {
	c := open(t)
	hash := ModuleHash([]byte("right"))
	if err := c.state.Put(t.Context(), moduleKey(hash), lattice.LWWKind, lattice.SetOp(rawPayload([]byte("wrong")))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Module(t.Context(), hash); !errors.Is(err, mesh.Internal) {
		t.Errorf("other bytes under a hash gave %v", err)
	}
}
