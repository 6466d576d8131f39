package catalog

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// failing is a state that cannot be read while broken is set.
type failing struct {
	State
	broken error
	reads  int
}

func (s *failing) Get(ctx context.Context, key mesh.Key) (lattice.Value, error) {
	s.reads++
	if s.broken != nil {
		return lattice.Value{}, s.broken
	}
	return s.State.Get(ctx, key)
}

func version(t *testing.T, c *Catalog) string {
	t.Helper()
	info, err := c.Function(t.Context(), function("square", ""))
	if err != nil {
		t.Fatal(err)
	}
	return info.Ref.Version
}

func TestAMissedAnnouncementIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := open(t)
		state := &failing{State: told.state}
		missed := New(state, nil) // nobody tells it anything
		deploy(t, told, "square", "v1", "one")
		if got := version(t, missed); got != "v1" {
			t.Fatalf("current is %s, want v1", got)
		}
		deploy(t, told, "square", "v2", "two")
		if got := version(t, missed); got != "v1" || state.reads != 1 {
			t.Errorf("current is %s after %d reads, want v1, remembered", got, state.reads)
		}
		state.broken = mesh.Errorf(mesh.Unavailable, "get", "too few owners")
		time.Sleep(freshFor)
		for range 3 {
			if got := version(t, missed); got != "v1" {
				t.Errorf("current is %s while the store cannot be read, want v1", got)
			}
		}
		if state.reads != 2 {
			t.Errorf("the store was asked %d times, want 2: one more in a second", state.reads)
		}
		state.broken = nil
		time.Sleep(lookAgain)
		if got := version(t, missed); got != "v2" {
			t.Errorf("current is %s, want v2", got)
		}
	})
}

func TestADeletedFunctionIsMissedAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := open(t)
		missed := New(told.state, nil)
		deploy(t, told, "square", "v1", "one")
		version(t, missed)
		if err := told.DeleteFunction(t.Context(), function("square", "")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(freshFor)
		for range 2 {
			if _, err := missed.Function(t.Context(), function("square", "")); !errors.Is(err, mesh.NotFound) {
				t.Errorf("a deleted function: %v, want NotFound", err)
			}
		}
	})
}
