package run

import "sync/atomic"

// Counts are what stages with options, and runs that commit, have cost since
// the node started.
type Counts struct {
	Retries   uint64 // attempts after the first
	Hedges    uint64 // second copies
	HedgesWon uint64 // whose result came first
	Batches   uint64 // invocations for several calls
	Batched   uint64 // calls in them
	Elsewhere uint64 // elements of lists that other nodes ran for this one
	Conflicts uint64 // runs, or commits of them, for which what was read did not agree
	Anew      uint64 // runs that began anew for that
}

type counts struct {
	retries, hedges, hedgesWon, batches, batched, elsewhere, conflicts, anew atomic.Uint64
}

// Counts gives the counts so far.
func (r *Runs) Counts() Counts {
	return Counts{
		Retries: r.counts.retries.Load(), Hedges: r.counts.hedges.Load(), HedgesWon: r.counts.hedgesWon.Load(),
		Batches: r.counts.batches.Load(), Batched: r.counts.batched.Load(), Elsewhere: r.counts.elsewhere.Load(),
		Conflicts: r.counts.conflicts.Load(), Anew: r.counts.anew.Load(),
	}
}
