package sdk

import (
	"maps"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// StageOption says how a stage of a DAG runs; mesh.StageOptions tells what
// each means, and its bounds.
type StageOption func(*mesh.StageOptions) error

// WaitForAny runs the stage for each of its parents' results alone, and takes the
// first result that is none of the invalid ones. Those are
// encoded as results of functions are: nil is what a function that returns
// nil gives.
func WaitForAny(invalid ...any) StageOption {
	return func(o *mesh.StageOptions) error {
		o.Any = &mesh.AnyOf{}
		for _, v := range invalid {
			encoded, err := codec.Encode(v)
			if err != nil {
				return err
			}
			o.Any.Invalid = append(o.Any.Invalid, encoded)
		}
		return nil
	}
}

// Batch runs the function once for up to size invocations, of several runs,
// that come within a time of the first.
func Batch(size int, within time.Duration) StageOption {
	return func(o *mesh.StageOptions) error {
		if size < 2 {
			return mesh.Errorf(mesh.Invalid, "batch", "batches of %d: expected 2 to %d", size, mesh.MaxBatch)
		}
		o.Batch = mesh.Batch{Size: size, Within: within}
		return nil
	}
}

// MapEach runs the function for each element of its last argument, a list,
// for so many at once.
func MapEach(parallel int) StageOption {
	return func(o *mesh.StageOptions) error {
		if parallel < 1 {
			return mesh.Errorf(mesh.Invalid, "map", "%d elements at once: expected 1 to %d", parallel, mesh.MaxParallel)
		}
		o.Map = mesh.Map{Parallel: parallel}
		return nil
	}
}

// Retry runs the function up to so many times in all, until it returns no
// error; before the second attempt it waits for backoff, and twice as long
// before each further one. See LongestBackoff.
func Retry(attempts int, backoff time.Duration) StageOption {
	return func(o *mesh.StageOptions) error {
		if attempts < 2 {
			return mesh.Errorf(mesh.Invalid, "retry", "%d attempts: expected 2 to %d", attempts, mesh.MaxRetries)
		}
		o.Retry.Attempts, o.Retry.Backoff = attempts, backoff
		return nil
	}
}

// LongestBackoff bounds the waits of Retry.
func LongestBackoff(d time.Duration) StageOption {
	return option(func(o *mesh.StageOptions) { o.Retry.Longest = d })
}

// Hedge runs a second copy of the function on another node when the first
// has no result after a time; 0: after what 95 % of invocations took lately.
func Hedge(after time.Duration) StageOption {
	return option(func(o *mesh.StageOptions) { o.Hedge = mesh.Hedge{On: true, After: after} })
}

// Timeout bounds each attempt of the function.
func Timeout(d time.Duration) StageOption {
	return option(func(o *mesh.StageOptions) { o.Timeout = d })
}

// Colocate puts the stage on one node with all others of the group.
func Colocate(group string) StageOption {
	return option(func(o *mesh.StageOptions) { o.Colocate = group })
}

// Label lets the stage run only on nodes with this label.
func Label(key, value string) StageOption {
	return option(func(o *mesh.StageOptions) {
		if o.Labels = maps.Clone(o.Labels); o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels[key] = value
	})
}

func option(set func(*mesh.StageOptions)) StageOption {
	return func(o *mesh.StageOptions) error {
		set(o)
		return nil
	}
}

// EdgeOption says when an edge of a DAG is taken.
type EdgeOption func(*mesh.Edge) error

// When takes the edge only for results of which a condition is true:
// ". > 3", "order.items.0.price exists"; see mesh.Condition.
func When(condition string) EdgeOption {
	return func(e *mesh.Edge) (err error) {
		e.When, err = mesh.ParseCondition(condition)
		return err
	}
}
