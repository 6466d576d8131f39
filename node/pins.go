package node

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Pins are a map in the mesh's own namespace: namespace/name of a function ->
// the number of nodes that keep it warm, in decimal.
var pinsKey = mesh.Key{Namespace: mesh.SystemNamespace, Name: "pins"}

// maxPins bounds the functions that are pinned, and maxPinNodes the nodes of one.
const (
	maxPins     = 1024
	maxPinNodes = 1024
)

// lookAtPins is how often a node reads the pins, and pinsTimeout how long it waits.
const (
	lookAtPins  = 2 * time.Second
	pinsTimeout = time.Second
)

// pins are those that were read last.
type pins struct {
	mu     sync.Mutex
	looked time.Time
	nodes  map[mesh.FuncRef]int // without versions
}

// current gives the pins, which it reads anew now and then. While they
// cannot be read those read last hold.
func (p *pins) current(ctx context.Context, r *rooms, now time.Time) map[mesh.FuncRef]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.looked) < lookAtPins || r.waiting.Load() != nil {
		return p.nodes
	}
	p.looked = now
	ctx, cancel := context.WithTimeout(ctx, pinsTimeout)
	defer cancel()
	value, err := r.replica.Get(ctx, pinsKey, 0)
	switch {
	case errors.Is(err, mesh.NotFound):
		p.nodes = nil
	case err == nil:
		p.nodes = readPins(value)
	}
	return p.nodes
}

func readPins(value lattice.Value) map[mesh.FuncRef]int {
	pinned := map[mesh.FuncRef]int{}
	for field, inner := range value.Fields() {
		namespace, name, _ := strings.Cut(field, "/")
		payload, err := registerValue(inner)
		if err != nil {
			continue
		}
		if n, err := strconv.Atoi(string(payload.Data)); err == nil && n > 0 && len(pinned) < maxPins {
			pinned[mesh.FuncRef{Namespace: namespace, Name: name}] = min(n, maxPinNodes)
		}
	}
	return pinned
}

// pinFunc keeps a function warm on a number of nodes.
func (r *rooms) pinFunc(ctx context.Context, m *pb.PinFunc) (wire.Message, error) {
	ref, err := wire.ToFuncRef(m.GetRef())
	if err != nil {
		return nil, err
	}
	op := "pin " + ref.String()
	if ref.Version != "" {
		return nil, mesh.Errorf(mesh.Invalid, op, "a version: expected a name alone, of which the current version is kept warm")
	}
	if m.Nodes > maxPinNodes {
		return nil, mesh.Errorf(mesh.Invalid, op, "%d nodes: expected 0 to %d", m.Nodes, maxPinNodes)
	}
	if m.Nodes > 0 {
		if err := r.mayPin(ctx, op, ref); err != nil {
			return nil, err
		}
	}
	payload := mesh.Value{Format: mesh.Text, Data: strconv.AppendUint(nil, uint64(m.Nodes), 10)}.AppendBinary(nil)
	field := ref.Namespace + "/" + ref.Name
	return nil, r.state.Put(ctx, pinsKey, lattice.MapKind, lattice.PutOp(field, lattice.LWWKind, lattice.SetOp(payload)))
}

// mayPin gives an error unless the function exists, can be kept warm, and is
// not one too many.
func (r *rooms) mayPin(ctx context.Context, op string, ref mesh.FuncRef) error {
	info, err := r.catalog.Function(ctx, ref)
	if err != nil {
		return err
	}
	if !info.Kind.Anywhere() {
		return mesh.Errorf(mesh.Invalid, op, "a %v function, which is always ready where it is hosted: expected a module", info.Kind)
	}
	value, err := r.state.Get(ctx, pinsKey)
	if errors.Is(err, mesh.NotFound) {
		return nil
	}
	if err != nil {
		return mesh.AsError(op, err)
	}
	pinned := readPins(value)
	if _, known := pinned[ref]; !known && len(pinned) >= maxPins {
		return mesh.Errorf(mesh.Overloaded, op, "%d functions are pinned: expected fewer than %d", len(pinned), maxPins)
	}
	return nil
}
