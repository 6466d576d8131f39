package meshtest_test

import (
	"context"
	"testing"

	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// The tests of this file are what the tests of a program that uses the
// package look like. The package's documentation shows the first of them.

// greet is a function under test: it keeps in the mesh whom it has met.
func greet(ctx context.Context, name string) (string, error) {
	return "hello " + name, fn.Add(ctx, "met", name)
}

func TestGreet(t *testing.T) {
	m := meshtest.New(t, 3, meshtest.Handle("greet", greet))
	got, err := sdk.Func[string, string](m.Dial(t), "greet").Call(t.Context(), "ada")
	if err != nil || got != "hello ada" {
		t.Errorf("greet gave %q, %v", got, err)
	}
	met, err := sdk.ORSet[string](m.Client(2), "met").All(t.Context())
	if err != nil || len(met) != 1 {
		t.Errorf("met %v, %v", met, err)
	}
}

func TestGreetOutlivesANode(t *testing.T) {
	meshtest.Simulate(t, 3, func(t *testing.T, m *meshtest.Simulation) {
		m.Kill(0)
		got, err := sdk.Func[string, string](m.Dial(t), "greet").Call(t.Context(), "ada")
		if err != nil || got != "hello ada" {
			t.Errorf("greet gave %q, %v", got, err)
		}
	}, meshtest.Handle("greet", greet))
}
