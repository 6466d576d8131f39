package trigger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// shelf is a store that nodes share, for tests of more than one keeper: what
// replication is to the room. It knows no key but registers, and no time.
type shelf struct {
	mu     sync.Mutex
	cells  map[mesh.Key]lattice.Cell
	writes int
	notes  []*Notes
	owner  mesh.NodeID
}

func newShelf() *shelf { return &shelf{cells: make(map[mesh.Key]lattice.Cell)} }

func (s *shelf) Get(_ context.Context, key mesh.Key) (lattice.Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value, ok := s.cells[key].Value(); ok {
		return value, nil
	}
	return lattice.Value{}, mesh.Errorf(mesh.NotFound, "get", "no such key")
}

func (s *shelf) GetVersion(ctx context.Context, key mesh.Key) (lattice.Value, string, error) {
	value, err := s.Get(ctx, key)
	if err != nil {
		return value, "", err
	}
	return value, fmt.Sprint(value.Stamp().Time), nil
}

// version gives the version of a key; s is locked.
func (s *shelf) version(key mesh.Key) string {
	if value, ok := s.cells[key].Value(); ok {
		return fmt.Sprint(value.Stamp().Time)
	}
	return ""
}

func (s *shelf) Put(_ context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(key, kind, op)
}

// put writes; s is locked.
func (s *shelf) put(key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	s.writes++
	var cell lattice.Cell
	delta, err := cell.Apply(kind, op, lattice.Write{Stamp: lattice.Stamp{Time: uint64(s.writes), Node: "shelf"}})
	if err != nil {
		return err
	}
	s.cells[key] = delta
	for _, notes := range s.notes {
		notes.Changed(key)
	}
	return nil
}

func (s *shelf) Swap(_ context.Context, key mesh.Key, version string, payload []byte, _ time.Duration) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version(key) != version {
		return "", mesh.Errorf(mesh.Conflict, "swap", "another version")
	}
	err := s.put(key, lattice.LWWKind, lattice.SetOp(payload))
	return s.version(key), err
}

func (s *shelf) Delete(_ context.Context, key mesh.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cells, key)
	for _, notes := range s.notes {
		notes.Changed(key)
	}
	return nil
}

func (s *shelf) List(_ context.Context, prefix, after string, limit int) (names []string, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range slices.SortedFunc(maps.Keys(s.cells), func(a, b mesh.Key) int { return strings.Compare(a.Path(), b.Path()) }) {
		if key.Namespace == mesh.SystemNamespace && strings.HasPrefix(key.Name, prefix) && key.Name > after {
			names = append(names, key.Name)
		}
	}
	return names[:min(len(names), limit)], len(names) > limit, nil
}

// shelved is the shelf as one node's own store, and its place in the mesh.
type shelved struct{ *shelf }

func (s shelved) Get(key mesh.Key) (lattice.Cell, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cell, has := s.cells[key]
	return cell, has, nil
}

func (s shelved) List(ctx context.Context, _, prefix, after string, limit int) (keys []mesh.KeyInfo, more bool, err error) {
	names, more, err := s.shelf.List(ctx, prefix, after, limit)
	for _, name := range names {
		keys = append(keys, mesh.KeyInfo{Name: name})
	}
	return keys, more, err
}

func (s shelved) Owners(mesh.Key, int) []mesh.NodeID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []mesh.NodeID{s.owner}
}

// turn makes a node the one closest to all keys.
func (s *shelf) turn(owner mesh.NodeID) {
	s.mu.Lock()
	s.owner = owner
	s.mu.Unlock()
	for _, notes := range s.notes {
		notes.ViewChanged()
	}
}

func (s shelved) Handle(context.Context, *pb.Watch) (*pb.WatchReply, error) {
	return nil, mesh.Errorf(mesh.Unavailable, "watch", "nothing is watched here")
}

func (s shelved) HandleScan(context.Context, *pb.Scan) (*pb.ScanReply, error) {
	return nil, mesh.Errorf(mesh.Unavailable, "scan", "nothing is scanned here")
}
