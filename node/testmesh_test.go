package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// moduleCache holds compiled modules for all nodes of all tests.
var moduleCache string

func TestMain(m *testing.M) {
	var err error
	if moduleCache, err = os.MkdirTemp("", "virga-node-"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(moduleCache)
		os.Exit(code)
	}))
}

// start runs a mesh on loopback until the test ends.
func start(t *testing.T, o simmesh.Options) *simmesh.Mesh {
	t.Helper()
	m, err := simmesh.Start(within(t, time.Minute), shareModules(o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// shareModules lets the nodes compile each module once.
func shareModules(o simmesh.Options) simmesh.Options {
	configure := o.Configure
	o.Configure = func(i int, cfg *node.Config) {
		cfg.ModuleCache = moduleCache
		if configure != nil {
			configure(i, cfg)
		}
	}
	return o
}

// bubble runs a test under virtual time, beside others: how fast the machine is
// makes no difference there.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// simulate runs a test on a mesh over a simulated network, under virtual time.
func simulate(t *testing.T, o simmesh.Options, test func(t *testing.T, m *simmesh.Mesh)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		test(t, start(t, simulated(o)))
	})
}

// simulated puts a mesh on a simulated network, for a test that makes its
// own bubble because it uses channels within.
func simulated(o simmesh.Options) simmesh.Options {
	if o.Network == nil {
		o.Network = sim.NewNetwork(1, sim.Conditions{Delay: time.Millisecond})
	}
	return o
}

// within is a context for a part of a test, in virtual time where that runs.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// at is a client of the ith node, in its process.
func at(m *simmesh.Mesh, i int) *sdk.Client { return sdk.Attach(m.Node(i)) }

// dial connects a client that may do everything: to the nodes given, or to any.
func dial(t *testing.T, m *simmesh.Mesh, nodes ...int) *sdk.Client {
	t.Helper()
	return dialAs(t, m, simmesh.Everything(), nodes...)
}

// dialAs connects a client that may do what grant says.
func dialAs(t *testing.T, m *simmesh.Mesh, grant admission.Grant, nodes ...int) *sdk.Client {
	t.Helper()
	client, err := m.Dial(within(t, 30*time.Second), grant, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// call runs a function within half a minute.
func call[Out any](t *testing.T, c *sdk.Client, name string, args ...any) (Out, error) {
	t.Helper()
	var out Out
	value, err := c.Call(within(t, 30*time.Second), name, args...)
	if err != nil {
		return out, err
	}
	return sdk.Only[Out](sdk.Results{{Stage: name, Value: value}})
}

// wants fails the test unless there is no error and got is what was wanted.
func wants[T comparable](t *testing.T, what string, got T, err error, want T) {
	t.Helper()
	if err != nil || got != want {
		t.Errorf("%s gave %v, %v; want %v", what, got, err, want)
	}
}

// wantsError fails the test unless err is of a kind and says all parts.
func wantsError(t *testing.T, what string, err error, kind mesh.ErrorKind, parts ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s gave the error %v; want %v", what, err, kind)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s gave the error %q, which does not say %q", what, err, part)
		}
	}
}

// put writes a text through a node, which must work.
func put(t *testing.T, m *simmesh.Mesh, through int, name, text string) {
	t.Helper()
	if err := sdk.Register[string](at(m, through), name).Put(within(t, 30*time.Second), text); err != nil {
		t.Fatalf("put %s through node %d: %v", name, through, err)
	}
}

// get reads a text through a node: the text, or "(kind)" of the error.
func get(t *testing.T, m *simmesh.Mesh, through int, name string) string {
	t.Helper()
	text, err := sdk.Register[string](at(m, through), name).Get(within(t, 30*time.Second))
	if err != nil {
		return fmt.Sprintf("(%v)", mesh.KindOf(err))
	}
	return text
}

// until waits until done says so, which it must within d. It is for what
// nothing announces; the pauses are virtual where time is.
func until(t *testing.T, d time.Duration, what string, done func() bool) {
	t.Helper()
	ctx := within(t, d)
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("%v passed, and still not: %s", d, what)
		case <-time.After(time.Millisecond):
		}
	}
}

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func incr(_ context.Context, n int) (int, error) { return n + 1, nil }

// arithmetic makes square and incr native functions of the ith node.
func arithmetic(int) []node.Option {
	return []node.Option{node.Handle("square", square), node.Handle("incr", incr)}
}

// natives gives the same options to all nodes.
func natives(options ...node.Option) func(int) []node.Option {
	return func(int) []node.Option { return options }
}
