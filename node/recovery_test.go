package node_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// trail notes where stages run, and holds those that a test asks it to.
type trail struct {
	started chan string // "stage@node", of those that are held
	release chan struct{}

	mu   sync.Mutex
	ran  map[string]int // by stage
	held map[string]bool
}

func newTrail(held ...string) *trail {
	t := &trail{started: make(chan string, 16), release: make(chan struct{}), ran: map[string]int{}, held: map[string]bool{}}
	for _, stage := range held {
		t.held[stage] = true
	}
	return t
}

// handle makes a native function of the ith node that shows its arguments, as list does.
func (t *trail) handle(i int, name string) node.Option {
	return node.Handle(name, func(ctx context.Context, parts fn.Variadic[string]) (string, error) {
		t.mu.Lock()
		t.ran[name]++
		held := t.held[name]
		t.mu.Unlock()
		if held {
			t.started <- name + "@" + string(rune('0'+i))
			select {
			case <-t.release:
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		return name + "(" + strings.Join(parts, " ") + ")", nil
	})
}

func (t *trail) times(stage string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ran[stage]
}

// on lets each node provide the functions of its number.
func (t *trail) on(functions ...string) func(int) []node.Option {
	return func(i int) (options []node.Option) {
		for _, name := range strings.Fields(functions[i]) {
			options = append(options, t.handle(i, name))
		}
		return options
	}
}

// answered is how a call ended, and when.
type answered struct {
	text string
	err  error
	at   time.Time
}

// callInBackground runs a DAG with one sink through node 0.
func callInBackground(t *testing.T, m *simmesh.Mesh, d *mesh.DAG, args sdk.Args) chan answered {
	t.Helper()
	create(t, at(m, 0), d)
	answer := make(chan answered, 1)
	go func() {
		results, err := at(m, 0).DAG(d.Name).Call(t.Context(), args)
		text := ""
		if err == nil {
			text, err = sdk.Only[string](results)
		}
		answer <- answered{text, err, time.Now()}
	}()
	return answer
}

// victimOf gives the number of the node at which a stage has started.
func victimOf(started string) int { return int(started[len(started)-1] - '0') }

func TestOnlyWhatDiedWithANodeRunsAgain(t *testing.T) {
	for _, test := range []struct {
		name, stages, edges, want string
		again                     map[string]int
	}{
		{"chain", "first middle last", "first:middle middle:last", "last(middle(first(x)))", map[string]int{"first": 1, "middle": 2, "last": 1}},
		{
			"diamond", "first middle other last", "first:middle first:other middle:last other:last",
			"last(middle(first(x)) other(first(x)))", map[string]int{"first": 1, "middle": 2, "other": 1, "last": 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tr := newTrail("middle")
				m := start(t, simulated(simmesh.Options{Nodes: 5, Provide: tr.on("", "first last", "middle", "middle", "other")}))
				answer := callInBackground(t, m, dag(test.name, test.stages, test.edges), sdk.Args{"first": {"x"}})
				victim := victimOf(<-tr.started)
				time.Sleep(time.Second) // virtual: the guard knows the run by now
				killed := time.Now()
				ended := make(chan error, 1)
				go func() { ended <- m.Kill(victim) }()
				if other := victimOf(<-tr.started); other == victim {
					t.Errorf("the stage runs again on the node that died")
				}
				close(tr.release)
				got := <-answer
				wants(t, test.name, got.text, got.err, test.want)
				if took := got.at.Sub(killed); took > time.Second {
					t.Errorf("the death of a node cost %v of virtual time", took)
				}
				for stage, times := range test.again {
					wants(t, "the invocations of "+stage, tr.times(stage), nil, times)
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A node may die before anything of the run has come to it.
func TestAHopThatIsSentIntoTheVoidIsSentAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tr := newTrail("first")
		m := start(t, simulated(simmesh.Options{Nodes: 4, Provide: tr.on("", "first", "last", "last")}))
		d := dag("chain", "first last", "first:last")
		create(t, at(m, 0), d)
		run, err := at(m, 0).DAG(d.Name).Start(t.Context(), sdk.Args{"first": {"x"}})
		if err != nil {
			t.Fatal(err)
		}
		<-tr.started
		status, err := run.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		victim := 2
		if status.Stages[1].Node == m.Node(3).ID() {
			victim = 3
		}
		killed := time.Now()
		ended := make(chan error, 1)
		go func() { ended <- m.Kill(victim) }()
		time.Sleep(time.Millisecond) // virtual: nobody has noticed
		close(tr.release)
		results, err := run.Wait(within(t, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		got, err := sdk.Only[string](results)
		wants(t, "the chain", got, err, "last(first(x))")
		if took := time.Since(killed); took > time.Second {
			t.Errorf("the death of a node cost %v of virtual time", took)
		}
		wants(t, "the invocations of first", tr.times("first"), nil, 1)
		status, err = run.Status(t.Context())
		if err != nil || status.Attempt != 2 || status.Stages[0].Attempt != 1 || status.Stages[1].Attempt != 2 {
			t.Errorf("the status is %+v, %v", status, err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAnyOfTakesTheFirstValidResultAcrossNodes(t *testing.T) {
	tr := newTrail("slow")
	m := start(t, simmesh.Options{Nodes: 4, Provide: tr.on("", "fast slow", "pick", "last")})
	d := dag("race", "fast slow pick last", "fast:pick slow:pick pick:last")
	d.Stages[2].Any = &mesh.AnyOf{}
	create(t, at(m, 0), d)
	results, err := at(m, 0).DAG("race").Call(within(t, 30*time.Second), sdk.Args{"pick": {"own"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sdk.Only[string](results)
	wants(t, "the race", got, err, "last(pick(own fast()))")
	<-tr.started

	d.Name, d.Stages[2].Any.Invalid = "none", []mesh.Value{{Format: mesh.Text, Data: []byte("pick(fast())")}, {Format: mesh.Text, Data: []byte("pick(slow())")}}
	close(tr.release)
	create(t, at(m, 0), d)
	_, err = at(m, 0).DAG("none").Call(within(t, 30*time.Second), nil)
	wantsError(t, "no valid result", err, mesh.UserError, "stage pick", "none of 2 results")
}

func TestConditionsDecideWhichStagesRunAcrossNodes(t *testing.T) {
	tr := newTrail()
	numbers := natives(
		node.Handle("give", func(_ context.Context, n int) (map[string]int, error) { return map[string]int{"n": n}, nil }),
		node.Handle("bytes", func(context.Context, fn.Variadic[int]) ([]byte, error) { return []byte{1}, nil }),
		node.Handle("size", func(_ context.Context, m map[string]int) (int, error) { return m["n"], nil }),
		node.Handle("add", func(_ context.Context, all fn.Variadic[int]) (sum int, err error) {
			for _, n := range all {
				sum += n
			}
			return sum, nil
		}),
	)
	m := start(t, simmesh.Options{Nodes: 3, Provide: func(i int) []node.Option { return append(numbers(i), tr.handle(i, "list")) }})
	d := dag("branches", "give small=size large=size sum=add alone=add", "give:small give:large small:sum large:sum small:alone")
	d.Edges[0].When = mesh.Condition{Path: "n", Op: mesh.Less, JSON: "10"}
	d.Edges[1].When = mesh.Condition{Path: "n", Op: mesh.AtLeast, JSON: "5"}
	create(t, at(m, 0), d)
	for _, test := range []struct {
		n, sum int
		sinks  string
	}{{3, 103, "sum alone"}, {7, 114, "sum alone"}, {12, 112, "sum"}} {
		for through := range m.Len() {
			results, err := callDAG(t, m, through, d, sdk.Args{"give": {test.n}, "sum": {100}, "alone": {1}})
			if err != nil {
				t.Fatal(err)
			}
			var sinks []string
			for _, r := range results {
				sinks = append(sinks, r.Stage)
			}
			wants(t, "the sinks that ran", strings.Join(sinks, " "), nil, test.sinks)
			sum, err := sdk.Result[int](results, "sum")
			wants(t, "the sum", sum, err, test.sum)
		}
	}
	run, err := at(m, 0).DAG(d.Name).Start(within(t, 30*time.Second), sdk.Args{"give": {12}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	status, err := run.Status(within(t, 30*time.Second))
	if err != nil || !status.Stages[1].Skipped || status.Stages[2].Skipped || !status.Stages[4].Skipped {
		t.Errorf("the status is %+v, %v", status, err)
	}
	odd := dag("odd", "bytes size", "bytes:size")
	odd.Edges[0].When = mesh.Condition{Path: "n", Op: mesh.Exists}
	create(t, at(m, 0), odd)
	_, err = callDAG(t, m, 0, odd, nil)
	wantsError(t, "a condition on bytes", err, mesh.UserError, "edge bytes:size", "n exists")
}
