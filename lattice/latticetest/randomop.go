package latticetest

import (
	"fmt"
	"math/rand/v2"

	"github.com/virga-mesh/virga/lattice"
)

// RandomOp draws an operation that a value of kind accepts, whatever it
// holds, from few enough elements and fields for collisions.
func RandomOp(kind lattice.Kind, rng *rand.Rand) lattice.Op { return randomOp(kind, rng, 0) }

func randomOp(kind lattice.Kind, rng *rand.Rand, depth int) lattice.Op {
	switch verbs := kind.Verbs(); verbs[rng.IntN(len(verbs))] {
	case lattice.VerbSet:
		return randomSet(kind, rng)
	case lattice.VerbAdd:
		return lattice.AddOp(randomElements(rng)...)
	case lattice.VerbRemove:
		return lattice.RemoveOp(randomElements(rng)...)
	case lattice.VerbInc:
		return randomInc(kind, rng)
	case lattice.VerbOffer:
		return lattice.OfferOp(randomScalar(rng))
	case lattice.VerbEnable:
		return lattice.EnableOp()
	case lattice.VerbDisable:
		return lattice.DisableOp()
	case lattice.VerbPut:
		return randomPut(rng, depth)
	case lattice.VerbDrop:
		kinds := lattice.Kinds()
		return lattice.DropOp(kinds[rng.IntN(len(kinds))].String())
	case lattice.VerbObserve:
		return lattice.ObserveOp(randomClock(rng))
	}
	return lattice.TickOp()
}

func randomSet(kind lattice.Kind, rng *rand.Rand) lattice.Op {
	payload := fmt.Append(nil, "p", rng.IntN(4))
	switch kind {
	case lattice.PriorityKind:
		return lattice.SetPriorityOp(float64(rng.IntN(5)-2)/2, payload)
	case lattice.MultiCausalKind:
		deps := map[string]*lattice.VectorClock{}
		for range rng.IntN(3) {
			deps[fmt.Sprint("k", rng.IntN(3))] = randomClock(rng)
		}
		return lattice.SetAfterOp(payload, deps)
	}
	return lattice.SetOp(payload)
}

func randomElements(rng *rand.Rand) []string {
	elements := make([]string, rng.IntN(4))
	for i := range elements {
		elements[i] = fmt.Sprint("e", rng.IntN(8))
	}
	return elements
}

func randomInc(kind lattice.Kind, rng *rand.Rand) lattice.Op {
	n := rng.Int64N(10)
	if kind == lattice.PNCounterKind {
		n -= 5
	}
	return lattice.IncOp(n)
}

func randomScalar(rng *rand.Rand) lattice.Scalar {
	switch rng.IntN(3) {
	case 0:
		return lattice.IntScalar(rng.Int64N(9) - 4)
	case 1:
		return lattice.FloatScalar(float64(rng.IntN(17)-8) / 2)
	}
	return lattice.TextScalar(fmt.Sprint("t", rng.IntN(4)))
}

func randomClock(rng *rand.Rand) *lattice.VectorClock {
	counts := map[string]uint64{}
	for range rng.IntN(3) {
		counts[fmt.Sprint("w", rng.IntN(4))] = rng.Uint64N(4)
	}
	return lattice.NewVectorClock(counts)
}

// maxDepth is how deep generated maps nest.
const maxDepth = 2

// randomPut gives each field name a kind of its own, so that kinds never meet.
func randomPut(rng *rand.Rand, depth int) lattice.Op {
	kinds := lattice.Kinds()
	kind := kinds[rng.IntN(len(kinds))]
	for depth == maxDepth && (kind == lattice.MapKind || kind == lattice.ORMapKind) {
		kind = kinds[rng.IntN(len(kinds))]
	}
	return lattice.PutOp(kind.String(), kind, randomOp(kind, rng, depth+1))
}
