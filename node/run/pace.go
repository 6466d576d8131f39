package run

import (
	"math/bits"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Bounds of hedging.
const (
	pacedFunctions  = 1024 // functions that are timed
	paceSamples     = 20   // before which nothing is known of a function
	paceMemory      = 512  // invocations after which earlier ones count half
	hedgeEvery      = 10   // invocations of a function, at most, has a second copy
	hedgesSaved     = 10   // copies that may be made at once after many invocations without
	bucketsAnOctave = 4    // of a histogram
)

// paces knows how long the functions that are hedged took lately on behalf
// of this node, and how many more copies they may have. It is safe for
// concurrent use.
type paces struct {
	mu     sync.Mutex
	byFunc map[mesh.FuncRef]*pace
}

// pace is what is known of one function: a histogram of times whose
// invocations count less as more follow, and what hedges are left.
type pace struct {
	counts  [64 * bucketsAnOctave]uint32
	total   uint32
	savings int // towards copies, each of which takes hedgeEvery
}

func newPaces() paces { return paces{byFunc: map[mesh.FuncRef]*pace{}} }

// begin notes an invocation that may be hedged. It gives after what time, if
// that is known.
func (p *paces) begin(ref mesh.FuncRef, h mesh.Hedge) (after time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.of(ref)
	f.savings = min(f.savings+1, hedgesSaved*hedgeEvery)
	if h.After > 0 {
		return h.After, true
	}
	if f.total < paceSamples {
		return 0, false
	}
	return f.quantile(0.95), true
}

// end notes how long an invocation took until it had a result.
func (p *paces) end(ref mesh.FuncRef, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(ref).add(took)
}

// spend takes a second copy from those that a function may have.
func (p *paces) spend(ref mesh.FuncRef) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.of(ref)
	if f.savings < hedgeEvery {
		return false
	}
	f.savings -= hedgeEvery
	return true
}

// of finds a function, or begins to know it; another is forgotten for it
// beyond the bound. The first invocation may be hedged.
func (p *paces) of(ref mesh.FuncRef) *pace {
	if f := p.byFunc[ref]; f != nil {
		return f
	}
	for other := range p.byFunc {
		if len(p.byFunc) < pacedFunctions {
			break
		}
		delete(p.byFunc, other)
	}
	f := &pace{savings: hedgeEvery - 1}
	p.byFunc[ref] = f
	return f
}

func (f *pace) add(took time.Duration) {
	f.counts[bucketOf(took)]++
	if f.total++; f.total < paceMemory {
		return
	}
	f.total = 0
	for i := range f.counts {
		f.counts[i] /= 2
		f.total += f.counts[i]
	}
}

// quantile gives a time that this part of the invocations did not exceed.
func (f *pace) quantile(part float64) time.Duration {
	rest := uint32(part * float64(f.total))
	for i, n := range f.counts {
		if n > rest {
			return boundOf(i)
		}
		rest -= n
	}
	return boundOf(len(f.counts) - 1)
}

// bucketOf gives the bucket of a time: a quarter of its octave of microseconds.
func bucketOf(took time.Duration) int {
	us := uint64(max(took/time.Microsecond, 1))
	octave := bits.Len64(us) - 1
	quarter := us << 2 >> octave & (bucketsAnOctave - 1)
	return octave*bucketsAnOctave + int(quarter)
}

// boundOf gives the time that a bucket's do not reach.
func boundOf(bucket int) time.Duration {
	octave, quarter := bucket/bucketsAnOctave, bucket%bucketsAnOctave
	return time.Duration(float64(uint64(1)<<octave)*(1+float64(quarter+1)/bucketsAnOctave)) * time.Microsecond
}
