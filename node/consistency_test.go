package node_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

// reads are functions that read and write the keys "r", a register, and "n", a
// counter, through the library; "others" changes them as a client, which has
// nothing to do with the run, and waits until all nodes see it.
type reads struct {
	m     *simmesh.Mesh
	t     *testing.T
	level mesh.Consistency // of the DAGs themselves
}

type seenBy struct {
	R string
	N int64
}

func readBoth(ctx context.Context) (seenBy, error) {
	r, err := fn.Get[string](ctx, "r")
	if err != nil {
		return seenBy{}, err
	}
	n, err := fn.Read(ctx, "n")
	if err != nil {
		return seenBy{}, err
	}
	count, _ := n.Count()
	return seenBy{r, count}, nil
}

func (r *reads) functions() []node.Option {
	return []node.Option{
		node.Handle("read", func(ctx context.Context, before []seenBy) ([]seenBy, error) {
			now, err := readBoth(ctx)
			return append(before, now), err
		}),
		node.Handle("join", func(ctx context.Context, parents fn.Variadic[[]seenBy]) ([]seenBy, error) {
			var all []seenBy
			for _, p := range parents {
				all = append(all, p...)
			}
			now, err := readBoth(ctx)
			return append(all, now), err
		}),
		node.Handle("call", func(ctx context.Context, before []seenBy) ([]seenBy, error) {
			return fn.Call[[]seenBy](ctx, "read", before)
		}),
		node.Handle("others", func(ctx context.Context, before []seenBy) ([]seenBy, error) {
			return before, r.change(ctx, "another's")
		}),
		node.Handle("write", func(ctx context.Context, before []seenBy) ([]seenBy, error) {
			if err := fn.Put(ctx, "r", "mine"); err != nil {
				return nil, err
			}
			return before, fn.Inc(ctx, "n", 1)
		}),
	}
}

// change writes as a client, and waits until all nodes see it.
func (r *reads) change(ctx context.Context, text string) error {
	client := at(r.m, 0)
	if err := sdk.Register[string](client, "r").Put(ctx, text); err != nil {
		return err
	}
	if err := sdk.Counter(client, "n").Inc(ctx, 100); err != nil {
		return err
	}
	want, err := client.Get(ctx, "n")
	if err != nil {
		return err
	}
	for i := range r.m.Len() {
		for {
			got, err := sdk.Register[string](at(r.m, i), "r").Get(ctx)
			n, errN := at(r.m, i).Get(ctx, "n")
			if err == nil && errN == nil && got == text && want.Compare(n) == lattice.Equal {
				break
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

func startReads(t *testing.T, o simmesh.Options) *reads {
	r := &reads{t: t}
	o.Provide = func(int) []node.Option { return r.functions() }
	r.m = start(t, o)
	if err := r.change(within(t, time.Minute), "old"); err != nil {
		t.Fatal(err)
	}
	return r
}

// run makes a run of a chain of stages, each on the next node.
func (r *reads) run(level mesh.Consistency, functions ...string) []seenBy {
	r.t.Helper()
	d := &mesh.DAG{Namespace: mesh.DefaultNamespace, Name: fmt.Sprint("d", len(functions)), Consistency: r.level}
	place := map[string]mesh.NodeID{}
	for i, function := range functions {
		name := fmt.Sprint("s", i)
		d.Stages = append(d.Stages, mesh.Stage{Name: name, Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: function}})
		place[name] = r.m.Node((i + 1) % r.m.Len()).ID()
		if i > 0 {
			d.Edges = append(d.Edges, mesh.Edge{From: fmt.Sprint("s", i-1), To: name})
		}
	}
	create(r.t, at(r.m, 0), d)
	handle := at(r.m, 0).DAG(d.Name)
	handle.Options.Place, handle.Options.Consistency = place, level
	results, err := handle.Call(within(r.t, time.Minute), sdk.Args{"s0": {[]seenBy{}}})
	if err != nil {
		r.t.Fatal(err)
	}
	all, err := sdk.Only[[]seenBy](results)
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func TestAllStagesOfARepeatableRunReadOneVersion(t *testing.T) {
	r := startReads(t, simmesh.Options{Nodes: 3})
	chain := []string{"read", "others", "read", "call", "others", "read"}
	seen := r.run(mesh.Repeatable, chain...)
	for i, s := range seen {
		if s != (seenBy{"old", 100}) {
			t.Errorf("read %d of a repeatable run saw %v", i, s)
		}
	}
	if seen = r.run(mesh.Eventual, chain...); len(seen) != 4 || seen[3] != (seenBy{"another's", 500}) {
		t.Errorf("an eventual run saw %v: expected the last read to see what others wrote", seen)
	}
}

func TestARunIsAsConsistentAsItsDAGSays(t *testing.T) {
	r := startReads(t, simmesh.Options{Nodes: 3})
	r.level = mesh.Repeatable
	seen := r.run(mesh.Eventual, "read", "others", "read")
	if len(seen) != 2 || seen[0] != seen[1] {
		t.Errorf("the runs of a repeatable DAG saw %v: expected one version", seen)
	}
}

func TestARepeatableRunReadsWhatItWrote(t *testing.T) {
	r := startReads(t, simmesh.Options{Nodes: 3})
	seen := r.run(mesh.Repeatable, "read", "write", "others", "read", "write", "call")
	want := []seenBy{{"old", 100}, {"mine", 101}, {"mine", 102}}
	for i, s := range seen {
		if s != want[i] {
			t.Errorf("read %d saw %v, want %v", i, s, want[i])
		}
	}
	two := at(r.m, 1).WithState(sdk.StateOptions{ReadQuorum: 2})
	n, err := sdk.Counter(two, "n").Value(within(t, time.Minute))
	wants(t, "the counter after the run", n, err, 202)
}

func TestStagesBesideOneAnotherOfARepeatableRunReadOneVersion(t *testing.T) {
	r := startReads(t, simmesh.Options{Nodes: 3})
	d := dag("d", "left=read right=read more=others late=read join", "right:more more:late left:join late:join")
	create(t, at(r.m, 0), d)
	handle := at(r.m, 0).DAG("d")
	handle.Options.Consistency = mesh.Repeatable
	handle.Options.Policy = "random"
	for range 10 {
		results, err := handle.Call(within(t, time.Minute), sdk.Args{"left": {[]seenBy{}}, "right": {[]seenBy{}}})
		if err != nil {
			t.Fatal(err)
		}
		seen, err := sdk.Only[[]seenBy](results)
		if err != nil || len(seen) != 4 {
			t.Fatalf("it saw %v, %v", seen, err)
		}
		for _, s := range seen {
			if s != seen[0] {
				t.Fatalf("the run saw %v", seen)
			}
		}
	}
}

// What arguments refer to, and what a function reads in a worker's process,
// is read in the session, too.
func TestReferencesAndWorkersReadInTheSession(t *testing.T) {
	r := startReads(t, simmesh.Options{Nodes: 3})
	serve(t, dial(t, r.m, 2),
		worker.Handle("worker", func(ctx context.Context, before []seenBy) ([]seenBy, error) {
			now, err := readBoth(ctx)
			if err != nil {
				return nil, err
			}
			if _, err := fn.Call[[]seenBy](ctx, "others", []seenBy{}); err != nil {
				return nil, err
			}
			if err := fn.Put(ctx, "r", "the worker's"); err != nil {
				return nil, err
			}
			later, err := fn.Call[[]seenBy](ctx, "read", []seenBy{})
			return append(append(before, now), later...), err
		}),
		worker.Handle("referred", func(_ context.Context, in fn.Variadic[any]) (string, error) { return fmt.Sprint(in[0]), nil }),
	)
	d := dag("d", "s=read others worker read referred", "s:others others:worker worker:read read:referred")
	create(t, at(r.m, 0), d)
	handle := at(r.m, 1).DAG("d")
	handle.Options.Consistency = mesh.Repeatable
	args := sdk.Args{"s": {[]seenBy{}}, "referred": {at(r.m, 0).Ref("r")}}
	results, err := handle.Call(within(t, time.Minute), args)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sdk.Only[string](results)
	wants(t, "the reference", got, err, "the worker's")

	alone := sdk.Func[[]seenBy, []seenBy](at(r.m, 0), "worker")
	alone.Options.Consistency = mesh.Repeatable
	seen, err := alone.Call(within(t, time.Minute), nil)
	if err != nil || len(seen) != 2 || seen[1] != (seenBy{"the worker's", seen[0].N}) {
		t.Errorf("a function called alone saw %v, %v", seen, err)
	}
}

func TestNothingIsLeftOfSessionsWhenTheirRunsAreOver(t *testing.T) {
	addrs := []string{freeAddr(t), freeAddr(t), freeAddr(t)}
	r := startReads(t, simmesh.Options{Nodes: 3, Configure: func(i int, cfg *node.Config) { cfg.AdminAddr = addrs[i] }})
	for range 5 {
		r.run(mesh.Repeatable, "read", "write", "read")
	}
	for _, addr := range addrs {
		until(t, 10*time.Second, "the sessions are over", func() bool {
			_, text := fetch(t, "http://"+addr+"/metrics")
			return strings.Contains(text, "virga_run_sessions 0\n")
		})
	}
}
