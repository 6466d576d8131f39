package node

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/node/metrics"
)

// usageSamples is how often the places that are taken are looked at between
// two publications.
const usageSamples = 16

// usage is how busy this node is on average between two publications.
type usage struct {
	exec       *exec.Executor
	processors func() float64 // seconds that they worked for this process so far, of one for each second that passes; nil: not told
	latencies  *latencies     // of requests; nil where nobody looks at them

	lock    sync.Mutex
	taken   float64 // sum of samples
	samples int
	since   time.Time
	spent   float64 // by processors until since
	told    pb.NodeLoad
}

func (r *rooms) newUsage() *usage {
	u := &usage{exec: r.exec, since: time.Now()}
	if r.cfg.ListenPacket == nil { // in a simulation time is not that of processors
		u.processors = processorSeconds
		u.spent = u.processors()
	}
	if r.cfg.Nodes.Latency > 0 {
		u.latencies = &latencies{}
	}
	return u
}

// measure takes samples until ctx ends.
func (r *rooms) measure(ctx context.Context) {
	if r.cfg.StatsInterval < 0 {
		return
	}
	ticker := time.NewTicker(r.cfg.StatsInterval / usageSamples)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.usage.sample()
		}
	}
}

func (u *usage) sample() {
	taken, waiting, limit := u.exec.Places()
	u.lock.Lock()
	defer u.lock.Unlock()
	u.taken += float64(taken+waiting) / float64(limit)
	u.samples++
}

// turn ends an interval: what was measured in it is told until the next one ends.
func (u *usage) turn(now time.Time) {
	u.lock.Lock()
	defer u.lock.Unlock()
	elapsed := now.Sub(u.since).Seconds()
	if elapsed <= 0 {
		return
	}
	if u.samples > 0 {
		u.told.Places = thousandths(u.taken / float64(u.samples))
	}
	if u.processors != nil {
		spent := u.processors()
		u.told.Processors = thousandths((spent - u.spent) / elapsed)
		u.spent = spent
	}
	if u.latencies != nil {
		u.told.LatencyUs = uint64(u.latencies.turn().Microseconds())
	}
	u.taken, u.samples, u.since = 0, 0, now
}

// load is how busy and how full this node is.
func (r *rooms) load(s metrics.Store) *pb.NodeLoad {
	_, waiting, _ := r.exec.Places()
	r.usage.lock.Lock()
	defer r.usage.lock.Unlock()
	told := &r.usage.told
	return &pb.NodeLoad{
		Places: told.Places, Processors: told.Processors, LatencyUs: told.LatencyUs,
		Memory: thousandths(metrics.Occupancy(s.MemoryBytes, s.MemoryLimit)), Disk: thousandths(metrics.Occupancy(s.DiskBytes, s.DiskLimit)),
		Waiting: uint64(waiting), Hook: r.follower.hook != nil,
	}
}

func thousandths(part float64) uint64 { return uint64(max(0, 1000*part+0.5)) }
