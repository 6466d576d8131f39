package metrics

import (
	"iter"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
)

// Operation is what was asked of the state.
type Operation uint8

// The operations that are counted.
const (
	Get Operation = iota
	Put
	Delete
	List
	operations
)

var operationNames = [operations]string{Get: "get", Put: "put", Delete: "delete", List: "list"}

// String is the operation as the label of a metric.
func (o Operation) String() string { return operationNames[o] }

// Outcomes of requests: ok, or 1 + the kind of the error.
const (
	ok       = 0
	outcomes = 2 + int(mesh.Conflict)
)

func outcomeName(outcome int) string {
	if outcome == ok {
		return "ok"
	}
	return mesh.ErrorKind(outcome - 1).String()
}

// Requests counts what clients and functions asked of this node's state, by
// operation and outcome. The zero value is ready. It is safe for concurrent use.
type Requests struct {
	counts [operations][outcomes]atomic.Uint64
}

// Count notes that an operation ended with err, nil when it worked. It is one
// atomic addition where err is nil.
func (r *Requests) Count(o Operation, err error) {
	outcome := ok
	if err != nil {
		outcome = 1 + int(mesh.KindOf(err))
	}
	if outcome >= outcomes {
		outcome = 1 + int(mesh.Internal)
	}
	r.counts[o][outcome].Add(1)
}

// RequestCount is how many requests for one operation had one outcome.
type RequestCount struct {
	Operation Operation
	Outcome   string // "ok", or the kind of the error
	Count     uint64
}

// All gives the counts of every operation and outcome, those that are 0 too.
func (r *Requests) All() iter.Seq[RequestCount] {
	return func(yield func(RequestCount) bool) {
		for operation := range operations {
			for outcome := range outcomes {
				if !yield(RequestCount{operation, outcomeName(outcome), r.counts[operation][outcome].Load()}) {
					return
				}
			}
		}
	}
}
