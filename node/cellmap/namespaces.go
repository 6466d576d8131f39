package cellmap

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
)

// namespaces gives numbers to namespaces, so that the keys of one share its
// name. They are never taken back; the keys of namespaces beyond those that
// have numbers have their own whole path as name.
type namespaces struct {
	mu    sync.Mutex
	known atomic.Pointer[[]string]
}

const (
	maxSpaces = 4096
	ownSpace  = maxSpaces // the number of none: the name is the key's path
)

func (s *namespaces) at(n uint16) string { return (*s.known.Load())[n] }

// number gives a namespace's number, and the name of a key under it, which
// shares no memory with the key.
func (s *namespaces) number(key mesh.Key) (space uint16, name string) {
	known := s.known.Load()
	if known != nil {
		if n := slices.Index(*known, key.Namespace); n >= 0 {
			return uint16(n), strings.Clone(key.Name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	if known := s.known.Load(); known != nil {
		all = *known
	}
	n := slices.Index(all, key.Namespace)
	switch {
	case n >= 0:
	case len(all) == maxSpaces:
		return ownSpace, key.Path()
	default:
		n = len(all)
		all = append(slices.Clip(all), strings.Clone(key.Namespace))
		s.known.Store(&all)
	}
	return uint16(n), strings.Clone(key.Name)
}

// names reports whether an entry is that of a key.
func (s *namespaces) names(space uint16, name string, key mesh.Key) bool {
	if space == ownSpace {
		return len(name) == len(key.Namespace)+1+len(key.Name) && name == key.Path()
	}
	return name == key.Name && s.at(space) == key.Namespace
}

// key gives the key of an entry.
func (s *namespaces) key(space uint16, name string) mesh.Key {
	if space == ownSpace {
		namespace, rest, _ := strings.Cut(name, "\x00")
		return mesh.Key{Namespace: namespace, Name: rest}
	}
	return mesh.Key{Namespace: s.at(space), Name: name}
}
