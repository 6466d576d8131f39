package latticetest

import (
	"fmt"
	"math/rand/v2"

	"github.com/virga-mesh/virga/lattice"
)

// History plays operations on a few replicas of one key, and hands deltas
// about with loss, repetition and disorder. It generates values as they
// come about in a mesh.
type History struct {
	Kind     lattice.Kind
	Replicas []lattice.Value // one for each writer
	Deltas   []lattice.Value // every delta that was made, in order
	rng      *rand.Rand
	time     uint64
}

// NewHistory starts with replicas at the bottom of kind.
func NewHistory(kind lattice.Kind, replicas int, rng *rand.Rand) *History {
	h := &History{Kind: kind, rng: rng}
	for range replicas {
		h.Replicas = append(h.Replicas, lattice.New(kind))
	}
	return h
}

// Step makes one operation at one replica, or delivers a delta or a whole
// replica to another. The error is a broken promise of Apply or Merge.
func (h *History) Step() error {
	at := h.rng.IntN(len(h.Replicas))
	switch h.rng.IntN(6) {
	case 0, 1, 2:
		return h.write(at)
	case 3:
		return h.deliver(at, h.Replicas[h.rng.IntN(len(h.Replicas))])
	}
	if len(h.Deltas) == 0 {
		return nil
	}
	return h.deliver(at, h.Deltas[h.rng.IntN(len(h.Deltas))])
}

// Run takes steps.
func (h *History) Run(steps int) error {
	for range steps {
		if err := h.Step(); err != nil {
			return err
		}
	}
	return nil
}

func (h *History) write(at int) error {
	h.time++
	// Two replicas may well have the same time, and then the node decides.
	stamp := lattice.Stamp{Time: h.time/2 + 1, Node: fmt.Sprint("n", at)}
	op := RandomOp(h.Kind, h.rng)
	write := lattice.Write{Stamp: stamp, Writer: fmt.Sprint("w", at), Fate: h.fate}
	if h.rng.IntN(4) > 0 { // some are made several times, at one replica or at more
		write.ID = lattice.NewWriteID(fmt.Sprint("write-", h.rng.IntN(len(h.Deltas)+1)))
	}
	delta, err := ApplyChecked(h.Replicas[at], op, write)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	h.Deltas = append(h.Deltas, delta)
	return h.deliver(at, delta)
}

// fate is any: the laws hold whatever a writer says of its writes.
func (h *History) fate(lattice.WriteID) lattice.Fate { return lattice.Fate(h.rng.IntN(3)) }

func (h *History) deliver(at int, what lattice.Value) error {
	sent, err := lattice.Decode(what.AppendBinary(nil))
	if err != nil {
		return err
	}
	_, err = h.Replicas[at].Merge(sent)
	return err
}

// Converge gives every replica to every other, twice.
func (h *History) Converge() error {
	for range 2 {
		for at := range h.Replicas {
			for _, other := range h.Replicas {
				if err := h.deliver(at, other); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Samples gives n values, drawn from the replicas and deltas and copied, the bottom among them.
func (h *History) Samples(n int) []lattice.Value {
	all := append(append([]lattice.Value{}, h.Replicas...), h.Deltas...)
	h.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	samples := []lattice.Value{lattice.New(h.Kind)}
	for _, v := range all[:min(n-1, len(all))] {
		samples = append(samples, v.Clone())
	}
	return samples
}

// ApplyChecked is lattice.Apply, with the law of deltas tried on it: the state
// is left alone; the delta survives its encoding; merging it once more changes
// nothing; and what it makes of the state is the same whether it is merged into the state or the state into it.
func ApplyChecked(state lattice.Value, op lattice.Op, at lattice.Write) (lattice.Value, error) {
	before := encode(&Value{state})
	delta, err := lattice.Apply(state, op, at)
	if string(encode(&Value{state})) != string(before) {
		return delta, broken("apply does not change the state", &Value{state})
	}
	if err != nil {
		return delta, err
	}
	s, d := &Value{state}, &Value{delta}
	if err := (checker[*Value]{DecodeValue}).two(s, d); err != nil {
		return delta, fmt.Errorf("state and delta of %s: %w", op, err)
	}
	return delta, nil
}
