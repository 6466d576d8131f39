package run

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// apart is a catalog whose records cannot be reached for a while.
type apart struct {
	Catalog
	until time.Time
	err   error
}

func (a apart) Function(_ context.Context, ref mesh.FuncRef) (mesh.FuncInfo, error) {
	if time.Now().Before(a.until) {
		return mesh.FuncInfo{}, a.err
	}
	return mesh.FuncInfo{Ref: ref, Kind: mesh.Native}, nil
}

// A node that was cut off until now does not let a run fail because it has yet
// to reach who knows the stage's function.
func TestAFunctionThatCannotBeLookedUpIsLookedUpAgain(t *testing.T) {
	unavailable := mesh.Errorf(mesh.Unavailable, "get", "no connection stands")
	for name, c := range map[string]struct {
		away time.Duration
		err  error
		want error
		took time.Duration
	}{
		"for a moment":       {away: time.Second, err: unavailable, took: time.Second},
		"for long":           {away: time.Hour, err: unavailable, want: mesh.Unavailable, took: functionPatience},
		"there is none":      {away: time.Hour, err: mesh.Errorf(mesh.NotFound, "get", "no such function"), want: mesh.NotFound},
		"nobody is in a way": {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r := New(Config{Self: "n1", Catalog: apart{until: began.Add(c.away), err: c.err}})
				fn, err := r.function(t.Context(), &stage{fn: mesh.FuncInfo{Ref: mesh.FuncRef{Name: "f"}}})
				if took := time.Since(began); took < c.took || took > c.took+functionRest {
					t.Errorf("it took %v: expected %v", took, c.took)
				}
				switch {
				case c.want == nil && (err != nil || fn.Ref.Name != "f"):
					t.Errorf("%v, %v: expected the function", fn, err)
				case c.want != nil && mesh.KindOf(err) != c.want:
					t.Errorf("%v, want %v", err, c.want)
				}
			})
		})
	}
}
