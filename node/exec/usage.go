package exec

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Usage is what one version of a function took on this node lately. What is
// older than some ten seconds counts little.
type Usage struct {
	Func    mesh.FuncInfo
	Warm    int // instances that are ready, or run; 1 of what the process brings itself
	Running int
	Waiting int // for a place
	Limit   int // of invocations at once; 0: the node's

	Rate        float64       // invocations per second
	Mean, P95   time.Duration // that one takes once it has its place
	ResultBytes int64         // on average
	ColdStart   time.Duration // that one took lately; 0: there was none
	Calls       uint64        // since the node started
	ColdStarts  uint64        // of them
}

// usage is how one version of a function is used.
type usage struct {
	mu       sync.Mutex
	info     mesh.FuncInfo
	limit    int
	running  int
	waiting  int
	calls    uint64
	colds    uint64
	cold     time.Duration
	rate     rate
	took     spread
	bytes    float64 // of results, smoothed
	returned uint64  // results
	last     time.Time
}

// wait notes an invocation that is to get its place.
func (u *usage) wait(now time.Time, limit int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waiting++
	u.calls++
	u.limit, u.last = limit, now
	u.rate.add(now)
}

func (u *usage) giveUp() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waiting--
}

func (u *usage) start() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waiting--
	u.running++
}

// end notes that an invocation is over, after a cold start if cold is not 0,
// with a result of so many bytes, or -1.
func (u *usage) end(now time.Time, took, cold time.Duration, bytes int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.running--
	if u.last = now; cold > 0 {
		u.colds++
		u.cold = cold
	}
	u.took.add(now, max(0, took-cold))
	if bytes < 0 {
		return
	}
	if u.returned++; u.returned == 1 {
		u.bytes = float64(bytes)
		return
	}
	u.bytes += (float64(bytes) - u.bytes) / 8
}

func (u *usage) tell(now time.Time) Usage {
	u.mu.Lock()
	defer u.mu.Unlock()
	return Usage{
		Func: u.info, Running: u.running, Waiting: u.waiting, Limit: u.limit,
		Rate: u.rate.at(now), Mean: u.took.mean(), P95: u.took.quantile(0.95), ResultBytes: int64(u.bytes),
		ColdStart: u.cold, Calls: u.calls, ColdStarts: u.colds,
	}
}

// lastUse tells when it was used last, and whether an invocation is under way.
func (u *usage) lastUse() (last time.Time, underWay bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last, u.running+u.waiting > 0
}

// usages are how functions are used, as many as are remembered.
type usages struct {
	mu    sync.RWMutex
	byRef map[mesh.FuncRef]*usage
}

// maxUsages bounds the versions of functions whose use is remembered.
const maxUsages = 1024

// of gives the use of a function, remembered from now on.
func (u *usages) of(info *mesh.FuncInfo) *usage {
	u.mu.RLock()
	known := u.byRef[info.Ref]
	u.mu.RUnlock()
	if known != nil {
		return known
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if known = u.byRef[info.Ref]; known != nil {
		return known
	}
	if len(u.byRef) >= maxUsages {
		u.forgetOldest()
	}
	known = &usage{info: *info}
	known.info.Hosts = nil
	u.byRef[info.Ref] = known
	return known
}

// forgetOldest drops what has not been used for longest. With the lock held.
func (u *usages) forgetOldest() {
	var oldest mesh.FuncRef
	var since time.Time
	found := false
	for ref, known := range u.byRef {
		last, underWay := known.lastUse()
		if !underWay && (!found || last.Before(since)) {
			oldest, since, found = ref, last, true
		}
	}
	delete(u.byRef, oldest)
}

// Usages tells how the functions of this node are used, the most used first.
func (e *Executor) Usages(now time.Time) []Usage {
	e.usages.mu.RLock()
	all := make([]Usage, 0, len(e.usages.byRef))
	for _, u := range e.usages.byRef {
		all = append(all, u.tell(now))
	}
	e.usages.mu.RUnlock()
	for i := range all {
		all[i].Warm = e.warm(&all[i].Func)
	}
	slices.SortFunc(all, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Func.Ref.String(), b.Func.Ref.String()))
	})
	return all
}

// Usage tells how one version of a function is used here.
func (e *Executor) Usage(ref mesh.FuncRef, now time.Time) (Usage, bool) {
	e.usages.mu.RLock()
	u := e.usages.byRef[ref]
	e.usages.mu.RUnlock()
	if u == nil {
		return Usage{}, false
	}
	told := u.tell(now)
	told.Warm = e.warm(&told.Func)
	return told, true
}

// warm is how many instances of a function are ready, or run.
func (e *Executor) warm(info *mesh.FuncInfo) int {
	if !info.Kind.Anywhere() {
		if e.Runs(info.Ref) {
			return 1
		}
		return 0
	}
	e.modules.mu.Lock()
	defer e.modules.mu.Unlock()
	mod := e.modules.byHash[info.Module]
	switch {
	case mod == nil:
		return 0
	case mod.kind == mesh.Command:
		return 1
	}
	return mod.warmth.total
}

// At tells how a version of a function is used here now: the instances that
// are ready, or run; the invocations that run or wait; and how many may run at
// once, 0 where that is the node's limit, or not known yet.
func (e *Executor) At(info *mesh.FuncInfo) (warm, busy, limit int) {
	if info.Kind.Anywhere() {
		warm = e.warm(info)
	}
	e.usages.mu.RLock()
	u := e.usages.byRef[info.Ref]
	e.usages.mu.RUnlock()
	if u == nil {
		return warm, 0, info.Limits.Concurrency
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return warm, u.running + u.waiting, u.limit
}
