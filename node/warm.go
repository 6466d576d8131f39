package node

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/node/sched"
)

// warmKeeper keeps functions warm on as many nodes as their load, or a pin,
// calls for. Each node works that out from what all tell, and keeps those
// warm that it is among the closest nodes to.
type warmKeeper struct {
	rooms  *rooms
	add    float64 // WarmPolicy.Add
	scaler *sched.Scaler
	pins   pins

	mu     sync.Mutex
	wanted map[mesh.FuncRef]int // nodes, as of the last look
}

func newWarmKeeper(r *rooms) *warmKeeper {
	return &warmKeeper{rooms: r, add: r.cfg.Warm.Add, scaler: sched.NewScaler(r.cfg.Warm.scaling())}
}

// run tends what is warm until ctx ends.
func (k *warmKeeper) run(ctx context.Context) {
	ticker := time.NewTicker(lookAtWork)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		k.tend(ctx, time.Now())
	}
}

// tendTimeout bounds what tend waits for descriptions of functions.
const tendTimeout = 2 * time.Second

// tend looks at the load of all functions, and at the pins, and lets the
// executor keep what is to be warm here.
func (k *warmKeeper) tend(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, tendTimeout)
	defer cancel()
	r := k.rooms
	pinned := k.pins.current(ctx, r, now)
	loads := k.loads(ctx, now, pinned)
	staying := r.staying()
	wanted := k.scaler.Look(now, len(staying), loads)
	k.mu.Lock()
	k.wanted = wanted
	k.mu.Unlock()
	var keep []exec.Keep
	for ref, nodes := range wanted {
		instances := k.instances(loads[ref], nodes)
		if instances == 0 || !slices.Contains(sched.Keepers(ref, staying, nodes), r.self) {
			continue
		}
		if info, err := r.catalog.Function(ctx, ref); err == nil {
			keep = append(keep, exec.Keep{Func: info, Instances: instances})
		}
	}
	r.exec.Tend(now, keep)
}

// instances is how many of a function one of its nodes keeps ready: none for
// the sake of load alone where one node is enough, which warms itself.
func (k *warmKeeper) instances(load sched.FuncLoad, nodes int) int {
	if nodes <= 1 && load.Pinned == 0 {
		return 0
	}
	busy := math.Ceil(load.Busy / float64(nodes) / k.add)
	return int(min(max(busy, 1), max(load.Places, 1)))
}

// loads puts together what all nodes tell of functions.
func (k *warmKeeper) loads(ctx context.Context, now time.Time, pinned map[mesh.FuncRef]int) map[mesh.FuncRef]sched.FuncLoad {
	r := k.rooms
	sums := map[mesh.FuncRef]*loadSum{}
	for _, node := range r.live() {
		capacity, uses := 0, []*pb.FuncUse(nil)
		if node == r.self {
			own := r.workload()
			capacity, uses = int(own.Capacity), own.Functions
		} else if told := r.workloads.of(node, now); told != nil {
			capacity, uses = told.capacity, told.uses
		}
		for _, use := range uses {
			if ref, err := wire.ToFuncRef(use.Ref); err == nil {
				sumOf(sums, ref).add(use, capacity)
			}
		}
	}
	loads := make(map[mesh.FuncRef]sched.FuncLoad, len(sums))
	for ref, sum := range sums {
		loads[ref] = sum.load()
	}
	for name, nodes := range pinned {
		info, err := r.catalog.Function(ctx, name)
		if err != nil || !info.Kind.Anywhere() {
			continue
		}
		load := loads[info.Ref]
		load.Pinned, load.Places = nodes, max(load.Places, 1)
		loads[info.Ref] = load
	}
	return loads
}

// loadSum adds up the use of a function over the nodes.
type loadSum struct {
	sched.FuncLoad
	weight, mean float64 // of the mean times, in microseconds
}

func sumOf(sums map[mesh.FuncRef]*loadSum, ref mesh.FuncRef) *loadSum {
	if sums[ref] == nil {
		sums[ref] = &loadSum{}
	}
	return sums[ref]
}

// add counts what runs at this moment, or what does on average if that is more.
func (s *loadSum) add(use *pb.FuncUse, capacity int) {
	rate := float64(use.MilliRate) / 1000
	s.Rate += rate
	s.Busy += max(float64(use.Running+use.Waiting), rate*float64(use.MeanUs)/1e6)
	places := float64(capacity)
	if use.Limit > 0 {
		places = min(places, float64(use.Limit))
	}
	s.Places = max(s.Places, places)
	if use.MeanUs > 0 && rate > 0 {
		s.weight += rate
		s.mean += rate * float64(use.MeanUs)
	}
}

func (s *loadSum) load() sched.FuncLoad {
	if s.weight > 0 {
		s.Mean = time.Duration(s.mean / s.weight * float64(time.Microsecond))
	}
	return s.FuncLoad
}

// wantedNodes is how many nodes are to keep a function warm, as of the last look.
func (k *warmKeeper) wantedNodes(ref mesh.FuncRef) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.wanted[ref]
}
