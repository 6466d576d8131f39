package node

import (
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/sched"
)

// workloads is what other nodes told of theirs. Its zero value is ready, and
// safe for concurrent use.
type workloads struct {
	mu     sync.RWMutex
	byNode map[mesh.NodeID]*workload
}

// workload is what a node told last. It is not changed.
type workload struct {
	at       time.Time
	labels   map[string]string
	running  int
	waiting  int
	capacity int
	uses     []*pb.FuncUse
	funcs    map[mesh.FuncRef]sched.FuncAt
}

// staleAfter is the age at which what was told counts as not known.
const staleAfter = 8 * time.Second

// maxTold bounds the functions of one node's workload.
const maxTold = 64

// load is how much of a node's room for invocations is in use.
func (w *workload) load() float64 {
	if w.capacity == 0 {
		return 0
	}
	return float64(w.running+w.waiting) / float64(w.capacity)
}

// parseWorkload reads what a node told.
func parseWorkload(m *pb.Workload, now time.Time) (*workload, error) {
	if err := mesh.ValidateLabels(m.Labels); err != nil {
		return nil, err
	}
	if len(m.Functions) > maxTold {
		return nil, mesh.Errorf(mesh.Invalid, "workload", "%d functions: expected at most %d", len(m.Functions), maxTold)
	}
	w := &workload{
		at: now, labels: m.Labels, running: int(m.Running), waiting: int(m.Waiting), capacity: int(m.Capacity),
		uses: m.Functions, funcs: make(map[mesh.FuncRef]sched.FuncAt, len(m.Functions)),
	}
	for _, use := range m.Functions {
		ref, err := wire.ToFuncRef(use.GetRef())
		if err != nil {
			return nil, err
		}
		w.funcs[ref] = sched.FuncAt{Warm: int(use.Warm), Busy: int(use.Running + use.Waiting), Limit: int(use.Limit)}
	}
	return w, nil
}

// handle takes the place of what a node told before.
func (w *workloads) handle(from mesh.NodeID, m *pb.Workload) error {
	told, err := parseWorkload(m, time.Now())
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byNode == nil {
		w.byNode = map[mesh.NodeID]*workload{}
	}
	w.byNode[from] = told
	return nil
}

// forget drops what a node told, which is gone.
func (w *workloads) forget(node mesh.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byNode, node)
}

// of gives what a node told lately; nil: nothing.
func (w *workloads) of(node mesh.NodeID, now time.Time) *workload {
	w.mu.RLock()
	defer w.mu.RUnlock()
	told := w.byNode[node]
	if told == nil || now.Sub(told.at) > staleAfter {
		return nil
	}
	return told
}
