package mesh

import (
	"maps"
	"slices"
	"time"
)

// StageOptions say how a stage runs. The zero value runs it once, when all
// its inputs are there, on the node that the planner prefers.
type StageOptions struct {
	// Any runs the stage for each of its parents' results alone, instead of
	// once for all of them: the call's own arguments, and that result. The
	// first result that is not invalid is the stage's; the others are given up.
	Any *AnyOf
	// Batch runs the function once for what several runs ask of it.
	Batch Batch
	// Map runs the function for each element of a list.
	Map Map
	// Retry runs the function again when it fails.
	Retry Retry
	// Hedge runs a second copy when the first takes long.
	Hedge Hedge
	// Timeout bounds each attempt of the function, up to MaxFuncTime; 0: the
	// run's deadline and the function's own limit alone.
	Timeout time.Duration
	// Colocate names a group: stages of one group run on one node. Empty: none.
	Colocate string
	// Labels are what a node must be labelled with to run the stage.
	Labels map[string]string
}

// AnyOf is "wait for any" (Cloudburst's MULTIEXEC).
type AnyOf struct {
	// Invalid results are dropped: those that equal one of these, in format
	// and bytes. A stage with nothing but invalid results fails.
	Invalid []Value
}

// Batch gathers the arguments of several invocations of a stage's function,
// across runs, for one. The function takes one argument, the list of the
// argument lists, and gives a list of as many results. The zero Batch is none.
type Batch struct {
	Size   int           // invocations at most, 2 to MaxBatch
	Within time.Duration // that the first one waits for others, up to MaxBatchWait
}

// Map runs a stage's function for each element of a list, which is the
// stage's last argument; the others are given to all. The stage's result is
// the list of results, in order. The zero Map is none.
type Map struct {
	Parallel int // elements at once, 1 to MaxParallel
}

// Retry says how often a stage's function is run in all, at most, when it
// returns an error or takes longer than its Timeout. The zero Retry runs it once.
type Retry struct {
	Attempts int           // 2 to MaxRetries
	Backoff  time.Duration // before the second attempt, doubled before each further one; 0: none
	Longest  time.Duration // of these waits; 0: MaxBackoff
}

// Hedge runs a second copy of a stage's function on another node when the
// first has no result after a time. The first good result counts, the other
// copy is cancelled.
type Hedge struct {
	On    bool
	After time.Duration // 0: what 95 % of the function's invocations took lately
}

// Bounds of stage options.
const (
	MaxInvalid   = 16
	MaxBatch     = 1024
	MaxBatchWait = 10 * time.Second
	MaxParallel  = 1024
	MaxElements  = 10_000 // of the list that a stage is mapped over
	MaxRetries   = 100
	MaxBackoff   = time.Minute
	MaxLabels    = 16
)

// IsZero reports whether the stage runs plainly.
func (o *StageOptions) IsZero() bool {
	return o.Any == nil && o.Batch == Batch{} && o.Map == Map{} && o.Retry == Retry{} && o.Hedge == Hedge{} &&
		o.Timeout == 0 && o.Colocate == "" && len(o.Labels) == 0
}

// Validate gives an Invalid error that names the stage and the option, what
// that holds and what was expected.
func (o *StageOptions) Validate(stage string) error {
	invalid := func(format string, args ...any) error {
		e := *Errorf(Invalid, "stage options", format, args...)
		e.Stage = stage
		return &e
	}
	switch {
	case o.Any != nil && len(o.Any.Invalid) > MaxInvalid:
		return invalid("%d invalid results: expected at most %d", len(o.Any.Invalid), MaxInvalid)
	case o.Batch != Batch{} && (o.Batch.Size < 2 || o.Batch.Size > MaxBatch):
		return invalid("batches of %d: expected 2 to %d", o.Batch.Size, MaxBatch)
	case o.Batch.Within < 0 || o.Batch.Within > MaxBatchWait:
		return invalid("batches gathered for %v: expected up to %v", o.Batch.Within, MaxBatchWait)
	case o.Map.Parallel < 0 || o.Map.Parallel > MaxParallel:
		return invalid("map of %d elements at once: expected 1 to %d", o.Map.Parallel, MaxParallel)
	case o.Batch != Batch{} && (o.Map != Map{} || o.Hedge.On):
		return invalid("batch with map or hedge: expected one of them")
	case o.Retry.Attempts < 0 || o.Retry.Attempts > MaxRetries:
		return invalid("%d attempts: expected 2 to %d", o.Retry.Attempts, MaxRetries)
	case o.Retry.Attempts < 2 && o.Retry != Retry{}:
		return invalid("a retry of %d attempts: expected 2 to %d", o.Retry.Attempts, MaxRetries)
	case o.Retry.Backoff < 0 || o.Retry.Backoff > MaxBackoff || o.Retry.Longest < 0 || o.Retry.Longest > MaxBackoff:
		return invalid("a backoff of %v, up to %v: expected up to %v", o.Retry.Backoff, o.Retry.Longest, MaxBackoff)
	case o.Hedge.After < 0 || o.Hedge.After > MaxFuncTime || o.Hedge.After > 0 && !o.Hedge.On:
		return invalid("a hedge after %v: expected up to %v, and the hedge on", o.Hedge.After, MaxFuncTime)
	case o.Timeout < 0 || o.Timeout > MaxFuncTime:
		return invalid("a timeout of %v: expected up to %v", o.Timeout, MaxFuncTime)
	}
	if o.Colocate != "" {
		if err := validateIdentifier("colocation group", o.Colocate); err != nil {
			return err
		}
	}
	return ValidateLabels(o.Labels)
}

// ValidateLabels gives an Invalid error that says what labels may be: up to
// MaxLabels, keys and values with the letters of function names.
func ValidateLabels(labels map[string]string) error {
	if len(labels) > MaxLabels {
		return Errorf(Invalid, "labels", "%d labels: expected at most %d", len(labels), MaxLabels)
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if err := validateIdentifier("label", key); err != nil {
			return err
		}
		if value := labels[key]; len(value) > MaxIdentifier || !identifierBytes.spells(value) {
			return Errorf(Invalid, "labels", "label %s=%.130q: expected a value of up to %d characters of A-Z, a-z, 0-9, '-', '_' and '.'", key, value, MaxIdentifier)
		}
	}
	return nil
}
