package trigger

import (
	"context"
	"errors"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// watchWait is how long one request waits for a first change.
const watchWait = 20 * time.Second

// watchOf asks for the changes that fire a trigger since a token.
func watchOf(t *mesh.Trigger, token []byte, wait time.Duration) *pb.Watch {
	return &pb.Watch{
		Namespace: t.Namespace, Prefix: t.Cause.Key, Exact: t.Cause.Kind == mesh.OnKey,
		Token: token, WaitMs: uint32(wait.Milliseconds()),
	}
}

// found is a key that changed, or that a scan gave.
type found struct {
	name    string
	version version
	omitted bool // the version is not known
}

// page is what a source tells: changes and the token after them, or a part of a scan.
type page struct {
	keys   []found
	token  []byte
	lagged bool
	scan   bool
	after  string // of a scan: it has all keys greater than after,
	last   string // up to last where there are more
	more   bool
}

// source tells a keeper what changes, until ctx ends: first all keys, if some
// changes may have been missed. It waits until each page is taken.
func (t *Triggers) source(ctx context.Context, def *mesh.Trigger, token []byte, rescan bool, pages chan<- page) {
	if len(token) == 0 {
		rescan = true // after a token to begin with
	}
	for ctx.Err() == nil {
		if rescan && len(token) > 0 {
			if !t.scanAll(ctx, def, pages) {
				continue
			}
			rescan = false
		}
		reply, err := t.Watches.Handle(ctx, watchOf(def, token, watchWait))
		if errors.Is(err, mesh.Invalid) {
			token, rescan = nil, true // it cannot be read
		}
		if err != nil {
			t.pause(ctx, def, err)
			continue
		}
		p := page{token: reply.Token, lagged: reply.Lagged || len(token) == 0}
		for _, e := range reply.Events {
			p.keys = append(p.keys, found{e.Name, versionOf(e.Value), e.Omitted})
		}
		if !send(ctx, pages, p) {
			return
		}
		token, rescan = reply.Token, rescan || p.lagged
	}
}

func send(ctx context.Context, pages chan<- page, p page) bool {
	select {
	case pages <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

// pause waits a while after an error.
func (t *Triggers) pause(ctx context.Context, def *mesh.Trigger, err error) {
	if ctx.Err() != nil {
		return
	}
	t.Log.Debug("a trigger waits for the mesh", "trigger", def.Name, "namespace", def.Namespace, "err", err)
	timer := time.NewTimer(firstPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// scanAll tells all keys, and reports whether it did.
func (t *Triggers) scanAll(ctx context.Context, def *mesh.Trigger, pages chan<- page) bool {
	for after := ""; ; {
		p, err := t.scan(ctx, def, after)
		if err != nil {
			t.pause(ctx, def, err)
			return false
		}
		if !send(ctx, pages, p) {
			return false
		}
		if after = p.last; !p.more {
			return true
		}
	}
}

// scan gives a page of the keys of a trigger.
func (t *Triggers) scan(ctx context.Context, def *mesh.Trigger, after string) (page, error) {
	p := page{scan: true, after: after}
	if def.Cause.Kind == mesh.OnKey {
		v, exists, err := t.read(ctx, def, def.Cause.Key)
		if exists {
			p.keys = []found{{name: def.Cause.Key, version: v}}
		}
		return p, err
	}
	reply, err := t.Scanner.HandleScan(ctx, &pb.Scan{Namespace: def.Namespace, Prefix: def.Cause.Key, After: after})
	if err != nil {
		return page{}, err
	}
	p.last, p.more = reply.Last, reply.More
	for _, key := range reply.Keys {
		p.keys = append(p.keys, found{key.Name, versionOf(key.Value), key.Omitted})
	}
	return p, nil
}

// read gives the version of a key, from enough owners to see every acknowledged write.
func (t *Triggers) read(ctx context.Context, def *mesh.Trigger, name string) (v version, exists bool, err error) {
	value, err := t.State.Get(ctx, mesh.Key{Namespace: def.Namespace, Name: name})
	switch {
	case errors.Is(err, mesh.NotFound):
		return version{}, false, nil
	case err != nil:
		return version{}, false, err
	}
	return versionOf(value.AppendBinary(nil)), true, nil
}
