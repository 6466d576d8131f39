package main

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/virga-mesh/virga/internal/jsonl"
	"github.com/virga-mesh/virga/mesh"
)

// importedEntries gives the entries of an input, up to the first error, which
// may be that of ctx. A read of a terminal or pipe cannot be ended: when ctx
// ends it is left behind, and ends with the program.
func importedEntries(ctx context.Context, file string, in io.Reader) iter.Seq2[jsonl.Entry, error] {
	type result struct {
		entry jsonl.Entry
		err   error
	}
	return func(yield func(jsonl.Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		results := make(chan result)
		go func() {
			defer close(results)
			for lines := jsonl.NewReader(in); ; {
				e, err := lines.Next()
				if errors.Is(err, io.EOF) {
					return
				}
				select {
				case results <- result{e, err}:
				case <-ctx.Done():
					return
				}
				if err != nil {
					return
				}
			}
		}()
		for {
			select {
			case r, more := <-results:
				if !more {
					return
				}
				if r.err != nil {
					r.err = inFile(file, r.err)
				}
				if !yield(r.entry, r.err) {
					return
				}
			case <-ctx.Done():
				yield(jsonl.Entry{}, mesh.AsError("import", ctx.Err()))
				return
			}
		}
	}
}

// inFile says in which file a line is.
func inFile(file string, err error) error {
	if file == "-" {
		file = "stdin"
	}
	located := *mesh.AsError("", err)
	located.Op = "import " + file + ": " + located.Op
	return &located
}
