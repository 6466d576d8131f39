package effects

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// MaxRemembered bounds how many different effects of one execution are told
// apart by what they are. Those beyond have their place among all as well.
const MaxRemembered = 1 << 16

// Ledger names the effects of one execution. What an effect is called
// depends on what it is, and on how often the execution had the same before:
// not on the order of different ones, so that goroutines may have them. It is
// safe for concurrent use. A nil Ledger names nothing.
type Ledger struct {
	work Work

	mu    sync.Mutex
	seen  map[mesh.RunID]uint64
	total uint64
}

// NewLedger begins the ledger of an execution; nil if its effects have no ids.
func NewLedger(w Work) *Ledger {
	if !w.Named() {
		return nil
	}
	return &Ledger{work: w}
}

// Write names a write. The id is empty for one that does no harm when it is
// made twice. age is how long ago it may have been made first; 0: never.
func (l *Ledger) Write(key mesh.Key, kind lattice.Kind, op lattice.Op) (id string, age time.Duration) {
	if l == nil || !op.Accumulates(kind) {
		return "", 0
	}
	raw := l.name([]byte("write"), []byte(key.Namespace), []byte(key.Name), []byte{byte(kind)}, op.AppendBinary(nil))
	return string(raw[:]), l.work.Age()
}

// Call names a call of a function: the work that it is.
func (l *Ledger) Call(ref mesh.FuncRef, args []mesh.Value) Work { return l.call("call", ref, args) }

// Start names the start of a run: the work that it is, and its id.
func (l *Ledger) Start(ref mesh.FuncRef, args []mesh.Value) Work { return l.call("start", ref, args) }

// CallDAG is Call of a DAG. The arguments tell, in whatever way, the stages' own apart.
func (l *Ledger) CallDAG(dag mesh.FuncRef, args []mesh.Value) Work {
	return l.call("call dag", dag, args)
}

// StartDAG is Start of a DAG.
func (l *Ledger) StartDAG(dag mesh.FuncRef, args []mesh.Value) Work {
	return l.call("start dag", dag, args)
}

func (l *Ledger) call(verb string, ref mesh.FuncRef, args []mesh.Value) Work {
	if l == nil {
		return Work{}
	}
	said := make([][]byte, 0, 2+2*len(args))
	said = append(said, []byte(verb), []byte(ref.Namespace+"/"+ref.Name+"@"+ref.Version))
	for _, arg := range args {
		said = append(said, []byte{byte(arg.Format)}, arg.Data)
	}
	return Work{ID: l.name(said...), Since: l.work.Since}
}

// name gives the id of the next effect that is what is said.
func (l *Ledger) name(said ...[]byte) mesh.RunID {
	what := derive(l.work.ID, said...)
	l.mu.Lock()
	if l.seen == nil {
		l.seen = map[mesh.RunID]uint64{}
	}
	nth, known := l.seen[what]
	if known || len(l.seen) < MaxRemembered {
		l.seen[what] = nth + 1
	} else {
		nth = l.total
	}
	l.total++
	l.mu.Unlock()
	return derive(what, binary.LittleEndian.AppendUint64(nil, nth))
}
