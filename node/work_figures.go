package node

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/node/metrics"
)

// workFigures are what functions and DAGs take on this node.
func (r *rooms) workFigures() metrics.Work {
	load, cold := r.exec.Load(), r.exec.ColdStarts()
	w := metrics.Work{
		Capacity: uint64(load.Capacity), DAGs: r.dagCalls.all(),
		ColdStarts: metrics.Durations{Count: cold.Count, Seconds: cold.Sum.Seconds(), UpTo: map[float64]uint64{}},
	}
	for i, bound := range exec.ColdBounds {
		w.ColdStarts.UpTo[bound.Seconds()] = cold.UpTo[i]
	}
	for _, u := range r.exec.Usages(time.Now()) {
		if len(w.Functions) == maxTold {
			break
		}
		w.Functions = append(w.Functions, metrics.Function{
			Ref: u.Func.Ref, Calls: u.Calls, ColdStarts: u.ColdStarts, Warm: u.Warm, Mean: u.Mean, P95: u.P95,
		})
	}
	return w
}

// dagCalls counts the runs of DAGs that were asked for here, of the first
// maxCountedDAGs. Its zero value is ready.
type dagCalls struct {
	mu     sync.Mutex
	byName map[[2]string]uint64 // namespace, name
}

const maxCountedDAGs = 256

func (d *dagCalls) count(namespace, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	of := [2]string{namespace, name}
	if _, known := d.byName[of]; !known && len(d.byName) >= maxCountedDAGs {
		return
	}
	if d.byName == nil {
		d.byName = map[[2]string]uint64{}
	}
	d.byName[of]++
}

func (d *dagCalls) all() (dags []metrics.DAG) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for of, calls := range d.byName {
		dags = append(dags, metrics.DAG{Namespace: of[0], Name: of[1], Calls: calls})
	}
	slices.SortFunc(dags, func(a, b metrics.DAG) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return dags
}
