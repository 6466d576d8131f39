package main

import (
	"context"
	"testing"

	"go.uber.org/goleak"
)

func Example() {
	main()
	// Output: square(7) = 49
}

func TestRunLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	if err := run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	run(ctx) // with an error or without: what matters is that it returns
}
