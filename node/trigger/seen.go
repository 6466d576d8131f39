package trigger

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash/fnv"
	"math/bits"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// version tells a state of a key from its other states: the first bytes of
// the digest of its value. That of a key that does not exist is zero.
type version [8]byte

// versionOf gives the version of an encoded lattice.Value, empty for none.
func versionOf(encoded []byte) version {
	if len(encoded) == 0 {
		return version{}
	}
	sum := sha256.Sum256(encoded)
	return version(sum[:8])
}

// seen is what a trigger knows of the keys that it watches: the state that was
// fired last of each that exists, or that it had when the trigger was created.
// The store holds it in parts, so that a change of one key writes few of them.
type seen struct {
	versions map[string]version
	changed  uint32 // bit n: part n differs from what is stored
	bound    int    // of keys
}

const seenParts = 32

func newSeen(bound int) *seen { return &seen{versions: make(map[string]version), bound: bound} }

func partOf(name string) int {
	sum := fnv.New32a()
	sum.Write([]byte(name)) // never fails
	return int(sum.Sum32() % seenParts)
}

// set notes the state of a key. Beyond the bound another key is forgotten,
// whose state may then be fired again.
func (s *seen) set(name string, v version) {
	known, has := s.versions[name]
	if known == v && has == (v != version{}) {
		return
	}
	s.changed |= 1 << partOf(name)
	if (v == version{}) {
		delete(s.versions, name)
		return
	}
	if !has && len(s.versions) >= s.bound {
		for other := range s.versions {
			s.set(other, version{})
			break
		}
	}
	s.versions[name] = v
}

// messages encodes the parts that changed.
func (s *seen) messages() map[int]*pb.TriggerSeen {
	parts := make(map[int]*pb.TriggerSeen)
	for n := range seenParts {
		if s.changed&(1<<n) != 0 {
			parts[n] = &pb.TriggerSeen{}
		}
	}
	if len(parts) == 0 {
		return nil
	}
	for name, v := range s.versions {
		if part := parts[partOf(name)]; part != nil {
			part.Keys = append(part.Keys, &pb.TriggerSeenKey{Name: name, Version: v[:]})
		}
	}
	return parts
}

// Bounds of how much is written, and read, at once.
const partsAtOnce = 8

// save writes the parts that changed, and gives those that there are now.
func (s *seen) save(ctx context.Context, state State, t *mesh.Trigger) (written uint32, err error) {
	writing, ctx := errgroup.WithContext(ctx)
	writing.SetLimit(partsAtOnce)
	for n, part := range s.messages() {
		writing.Go(func() error {
			return state.Put(ctx, seenKey(t, n), lattice.LWWKind, lattice.SetOp(payload(part)))
		})
	}
	if err := writing.Wait(); err != nil {
		return 0, err
	}
	written, s.changed = s.changed, 0
	return written, nil
}

// load reads the parts that there are.
func (s *seen) load(ctx context.Context, state State, t *mesh.Trigger, parts uint32) error {
	read := make([]pb.TriggerSeen, seenParts)
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(partsAtOnce)
	for n := range seenParts {
		if parts&(1<<n) == 0 {
			continue
		}
		reading.Go(func() error {
			value, err := state.Get(ctx, seenKey(t, n))
			if errors.Is(err, mesh.NotFound) {
				return nil // lost: what it had may be fired again
			}
			if err != nil {
				return err
			}
			return readPayload(value, &read[n])
		})
	}
	if err := reading.Wait(); err != nil {
		return err
	}
	for n := range read {
		for _, key := range read[n].Keys {
			if len(key.Version) == len(version{}) {
				s.versions[key.Name] = version(key.Version)
			}
		}
	}
	return nil
}

// forgetRecords removes what the store holds of a trigger beside its
// definition. What cannot be removed now stays, and is never read.
func forgetRecords(ctx context.Context, state State, t *mesh.Trigger, parts uint32) error {
	err := state.Delete(ctx, progressKey(t))
	for ; parts != 0; parts &= parts - 1 {
		if failed := state.Delete(ctx, seenKey(t, bits.TrailingZeros32(parts))); err == nil {
			err = failed
		}
	}
	return err
}
