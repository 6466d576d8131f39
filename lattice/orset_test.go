package lattice_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

// TestORSetAgainstModel compares replicas that exchange deltas with the plain
// definition: an element is there if some addition of it has been seen and not
// removed. The sets are large against the deltas, so that both ways of burial are taken.
func TestORSetAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	replicas := make([]*orModel, 3)
	for i := range replicas {
		replicas[i] = &orModel{name: fmt.Sprint("w", i), added: map[int]string{}, removed: map[int]bool{}}
	}
	var deltas []orDelta
	tag := 0
	for range 3000 {
		r := replicas[rng.IntN(len(replicas))]
		element := fmt.Sprint(rng.IntN(60))
		switch rng.IntN(8) {
		case 0, 1, 2:
			tag++
			deltas = append(deltas, r.add(tag, element))
		case 3:
			deltas = append(deltas, r.remove(element))
		case 4:
			if rng.IntN(20) == 0 {
				r.receive(replicas[rng.IntN(len(replicas))].whole())
			}
		default:
			if len(deltas) > 0 {
				r.receive(deltas[rng.IntN(len(deltas))])
			}
		}
		if got, want := slices.Collect(r.set.Sorted()), r.want(); !slices.Equal(got, want) {
			t.Fatalf("%s holds %v, want %v", r.name, got, want)
		}
	}
	for range 2 {
		for _, r := range replicas {
			for _, other := range replicas {
				r.receive(other.whole())
			}
		}
	}
	for _, r := range replicas {
		if r.set.Compare(&replicas[0].set) != lattice.Equal {
			t.Error("replicas differ after they exchanged all")
		}
		if spans := r.set.Context().Spans(); spans != len(replicas) {
			t.Errorf("a context without gaps has %d spans, want one for each of %d writers", spans, len(replicas))
		}
	}
}

// orModel is a replica beside its definition, in which each addition has a tag.
type orModel struct {
	name    string
	set     lattice.ORSet[string]
	added   map[int]string
	removed map[int]bool
}

type orDelta struct {
	delta   *lattice.ORSet[string]
	added   map[int]string
	removed map[int]bool
}

// seen are the additions of element that are alive here.
func (m *orModel) seen(element string) map[int]bool {
	tags := map[int]bool{}
	for tag, e := range m.added {
		if e == element && !m.removed[tag] {
			tags[tag] = true
		}
	}
	return tags
}

func (m *orModel) add(tag int, element string) orDelta {
	d := orDelta{m.set.Add(m.name, element), map[int]string{tag: element}, m.seen(element)}
	m.note(d)
	return d
}

func (m *orModel) remove(element string) orDelta {
	d := orDelta{m.set.Remove(element), nil, m.seen(element)}
	m.note(d)
	return d
}

func (m *orModel) receive(d orDelta) {
	m.set.Merge(d.delta)
	m.note(d)
}

func (m *orModel) note(d orDelta) {
	maps.Copy(m.added, d.added)
	maps.Copy(m.removed, d.removed)
}

func (m *orModel) whole() orDelta {
	return orDelta{m.set.Clone(), maps.Clone(m.added), maps.Clone(m.removed)}
}

func (m *orModel) want() []string {
	alive := map[string]bool{}
	for tag, element := range m.added {
		if !m.removed[tag] {
			alive[element] = true
		}
	}
	return slices.Sorted(maps.Keys(alive))
}

func TestORSetAddWins(t *testing.T) {
	a, b := &lattice.ORSet[string]{}, &lattice.ORSet[string]{}
	b.Merge(a.Add("a", "x"))
	removed := b.Remove("x")
	added := a.Add("a", "x")
	a.Merge(removed)
	b.Merge(added)
	if !a.Contains("x") || !b.Contains("x") {
		t.Errorf("an addition at the same time as a removal was lost: %v, %v", a.Contains("x"), b.Contains("x"))
	}
	b.Remove("x", "never there")
	if a.Merge(b); a.Contains("x") {
		t.Error("a removal that saw every addition had no effect")
	}
}

func TestORSetStaysCompact(t *testing.T) {
	s := &lattice.ORSet[int]{}
	for i := range 1000 {
		s.Add("a", i%10)
		s.Remove(i % 7)
	}
	empty := s.Size()
	if spans := s.Context().Spans(); spans != 1 || empty > 3000 {
		t.Errorf("after 1000 additions: %d spans, %d bytes", spans, empty)
	}
}
