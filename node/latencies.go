package node

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Times are counted in buckets, four for each doubling of a microsecond, up
// to more than an hour.
const (
	bucketsPerDoubling = 4
	latencyBuckets     = 33 * bucketsPerDoubling
)

// latencies counts how long requests take. The zero value is ready. It is
// safe for concurrent use.
type latencies struct {
	counts [latencyBuckets]atomic.Uint64
}

func (l *latencies) note(took time.Duration) {
	bucket := 0
	if took > time.Microsecond {
		bucket = int(bucketsPerDoubling * math.Log2(float64(took)/float64(time.Microsecond)))
	}
	l.counts[min(bucket, latencyBuckets-1)].Add(1)
}

// turn gives the 99th percentile since it was called before, rounded up to
// the end of its bucket; 0 when there was nothing.
func (l *latencies) turn() time.Duration {
	var counts [latencyBuckets]uint64
	var all, passed uint64
	for i := range l.counts {
		counts[i] = l.counts[i].Swap(0)
		all += counts[i]
	}
	for i, n := range counts {
		if passed += n; all > 0 && 100*passed >= 99*all {
			return time.Duration(math.Exp2(float64(i+1)/bucketsPerDoubling) * float64(time.Microsecond))
		}
	}
	return 0
}

// isTimed is for requests of clients for single keys, or some: those that
// take about as long as each other.
func isTimed(req wire.Message) bool {
	switch m := req.(type) {
	case *pb.Get, *pb.GetElement, *pb.GetAll, *pb.PutAll:
		return true
	case *pb.Put:
		return !m.Forwarded
	case *pb.Delete:
		return !m.Forwarded
	case *pb.Touch:
		return !m.Forwarded
	case *pb.CompareAndSet:
		return !m.Forwarded
	}
	return false
}
