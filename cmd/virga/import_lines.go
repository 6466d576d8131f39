package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/internal/jsonl"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// Bounds of what an import has under way.
const (
	importsAtOnce = 64 // lines, each of another key
	writesOfLine  = 16
	importTry     = 30 * time.Second // for one attempt at a write
	importTries   = 6
)

// importer writes lines. Those of one key are written one after another, by
// the worker that the key belongs to.
type importer struct {
	client  *sdk.Client
	options sdk.StateOptions
	o       importOptions

	lock sync.Mutex
	done imported
}

// importLines writes what it reads, up to the first line that fails, and says
// what was written. It returns when nothing is under way any more.
func importLines(ctx context.Context, a *app, client *sdk.Client, o importOptions, in io.Reader) (imported, error) {
	options, err := o.stateOptions()
	if err != nil {
		return imported{}, err
	}
	im := &importer{client: client, options: options, o: o, done: imported{File: o.file}}
	group, ctx := errgroup.WithContext(ctx)
	queues := make([]chan jsonl.Entry, importsAtOnce)
	for i := range queues {
		queues[i] = make(chan jsonl.Entry)
		group.Go(func() error { return im.work(ctx, queues[i]) })
	}
	group.Go(func() error {
		defer func() {
			for _, q := range queues {
				close(q)
			}
		}()
		return im.read(ctx, a, in, queues)
	})
	err = group.Wait()
	return im.done, err
}

// read hands the lines out.
func (im *importer) read(ctx context.Context, a *app, in io.Reader, queues []chan jsonl.Entry) error {
	seed, progress := maphash.MakeSeed(), a.newProgress("lines")
	for e, err := range importedEntries(ctx, im.o.file, in) {
		if err != nil {
			return err
		}
		if im.o.namespace != "" {
			e.Key.Namespace = im.o.namespace
		}
		select {
		case queues[maphash.String(seed, e.Key.Path())%importsAtOnce] <- e:
		case <-ctx.Done():
			return mesh.AsError("import", ctx.Err())
		}
		progress.so(e.Line)
	}
	return nil
}

// work writes the lines of some keys.
func (im *importer) work(ctx context.Context, queue <-chan jsonl.Entry) error {
	var last mesh.Key
	skip := false
	for e := range queue {
		isNew := e.Key != last
		if last = e.Key; isNew {
			var err error
			if skip, err = im.toSkip(ctx, e); err != nil {
				return im.failed(e, err)
			}
		}
		if skip || expired(e, time.Now()) {
			im.count(func(done *imported) {
				done.Lines++
				if isNew && skip {
					done.Skipped++
				} else if isNew {
					done.Expired++
				}
			})
			continue
		}
		if err := im.write(ctx, e); err != nil {
			return im.failed(e, err)
		}
		im.count(func(done *imported) {
			done.Lines++
			done.Left += int64(e.Left)
			if isNew {
				done.Keys++
			}
		})
	}
	return nil
}

func (im *importer) count(add func(*imported)) {
	im.lock.Lock()
	defer im.lock.Unlock()
	add(&im.done)
}

// failed says which line an error belongs to.
func (im *importer) failed(e jsonl.Entry, err error) error {
	located := *mesh.AsError("", err)
	located.Op = fmt.Sprintf("line %d: %s", e.Line, located.Op)
	return inFile(im.o.file, &located)
}

// toSkip reports whether a key is to be left alone for being there already.
func (im *importer) toSkip(ctx context.Context, e jsonl.Entry) (bool, error) {
	if !im.o.skipExisting {
		return false, nil
	}
	client := im.client.In(e.Key.Namespace)
	var err error
	if e.Kind.Divisible() { // which may be large
		_, err = client.Element(ctx, e.Key.Name, "")
		if errors.Is(err, mesh.Invalid) { // it is there, with another kind
			return true, nil
		}
	} else {
		_, err = client.Get(ctx, e.Key.Name)
	}
	if errors.Is(err, mesh.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// write makes the writes of a line, some beside one another.
func (im *importer) write(ctx context.Context, e jsonl.Entry) error {
	if len(e.Ops) == 1 {
		return im.writeOne(ctx, e, e.Ops[0])
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writesOfLine)
	for _, op := range e.Ops {
		group.Go(func() error { return im.writeOne(ctx, e, op) })
	}
	return group.Wait()
}

// writeOne makes a write, again and again while it is not known to be made,
// for a while: a counter counts it once.
func (im *importer) writeOne(ctx context.Context, e jsonl.Entry, op lattice.Op) (err error) {
	options := im.options
	if !e.Expires.IsZero() {
		options.TTL = max(time.Until(e.Expires), time.Millisecond)
	}
	client := im.client.In(e.Key.Namespace).WithState(options)
	write := client.Write(e.Key.Name, e.Kind, op)
	for try := range importTries {
		if err = attempt(ctx, write); err == nil {
			im.count(func(done *imported) { done.Writes++ })
			return nil
		}
		if kind := mesh.KindOf(err); ctx.Err() != nil || !kind.Retryable() && kind != mesh.DeadlineExceeded {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond << try):
		case <-ctx.Done():
			return err
		}
	}
	return err
}

func attempt(ctx context.Context, write *sdk.Write) error {
	ctx, cancel := context.WithTimeout(ctx, importTry)
	defer cancel()
	_, err := write.Do(ctx)
	return err
}
