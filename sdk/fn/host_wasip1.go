package fn

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"
	"unsafe"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn/abi"
)

// hostLibrary is the Library of a guest: each method is an import. The
// context of a call ends at the host, not here: the host knows the deadline,
// and a call that is cancelled ends the instance.
type hostLibrary struct{}

//go:wasmimport virga get
func hostGet(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga read
func hostRead(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga update
func hostUpdate(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga delete
func hostDelete(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga call
func hostCall(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga start
func hostStart(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga call_dag
func hostCallDAG(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga start_dag
func hostStartDAG(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga await
func hostAwait(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga id
func hostID(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga namespace
func hostNamespace(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga send
func hostSend(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga recv
func hostRecv(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga part
func hostPart(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga emit
func hostEmit(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga take
func hostTake(out unsafe.Pointer, outCap uint32) uint32

//go:wasmimport virga deadline
func hostDeadline() int64

func (hostLibrary) ID() mesh.InvocationID {
	payload, err := exchange(hostID, nil, nil)
	if err != nil {
		return mesh.InvocationID{}
	}
	id, _ := mesh.ParseInvocationID(string(payload))
	return id
}

func (hostLibrary) Namespace() string {
	payload, _ := exchange(hostNamespace, nil, nil)
	return string(payload)
}

func (hostLibrary) Get(_ context.Context, key mesh.Key) (lattice.Value, error) {
	payload, err := exchange(hostRead, []byte(key.Path()), nil)
	if err != nil {
		return lattice.Value{}, err
	}
	return lattice.Decode(payload)
}

func (hostLibrary) Put(_ context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	_, err := exchange(hostUpdate, []byte(key.Path()), op.AppendBinary([]byte{byte(kind)}))
	return err
}

func (hostLibrary) Delete(_ context.Context, key mesh.Key) error {
	_, err := exchange(hostDelete, []byte(key.Path()), nil)
	return err
}

func (hostLibrary) Call(_ context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.Value, error) {
	return callBy(hostCall, ref, args)
}

func (hostLibrary) CallDAG(_ context.Context, dag mesh.FuncRef, args []StageArg) (mesh.Value, error) {
	return callBy(hostCallDAG, dag, Pairs(args))
}

func callBy(ask hostImport, ref mesh.FuncRef, args []mesh.Value) (mesh.Value, error) {
	payload, err := exchange(ask, wholeName(ref), abi.AppendArgs(make([]byte, 0, abi.ArgsSize(args)), args))
	if err != nil {
		return mesh.Value{}, err
	}
	return abi.ReadValue(payload)
}

func wholeName(ref mesh.FuncRef) []byte {
	name := ref.Namespace + "/" + ref.Name
	if ref.Version != "" {
		name += "@" + ref.Version
	}
	return []byte(name)
}

func (hostLibrary) Start(_ context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.RunID, error) {
	return startBy(hostStart, ref, args)
}

func (hostLibrary) StartDAG(_ context.Context, dag mesh.FuncRef, args []StageArg) (mesh.RunID, error) {
	return startBy(hostStartDAG, dag, Pairs(args))
}

func startBy(ask hostImport, ref mesh.FuncRef, args []mesh.Value) (mesh.RunID, error) {
	payload, err := exchange(ask, wholeName(ref), abi.AppendArgs(make([]byte, 0, abi.ArgsSize(args)), args))
	if err != nil {
		return mesh.RunID{}, err
	}
	return mesh.ParseRunID(string(payload))
}

func (hostLibrary) Await(_ context.Context, id mesh.RunID, noWait bool) (mesh.RunState, mesh.Value, error) {
	until := abi.AwaitEnd
	if noWait {
		until = ""
	}
	payload, err := exchange(hostAwait, []byte(id.String()), []byte(until))
	if err != nil {
		return 0, mesh.Value{}, err
	}
	if len(payload) == 0 {
		return 0, mesh.Value{}, mesh.Errorf(mesh.Internal, "await run "+id.String(), "the answer has no state")
	}
	result, err := abi.ReadValue(payload[1:])
	return mesh.RunState(payload[0]), result, err
}

func (hostLibrary) Send(_ context.Context, to mesh.InvocationID, body mesh.Value) error {
	_, err := exchange(hostSend, []byte(to.String()), abi.AppendValue(nil, body))
	return err
}

func (hostLibrary) Recv(_ context.Context, wait time.Duration) ([]Message, error) {
	payload, err := exchange(hostRecv, binary.LittleEndian.AppendUint64(nil, uint64(max(wait, 0))), nil)
	if err != nil {
		return nil, err
	}
	read, err := abi.ReadMessages(payload)
	if err != nil {
		return nil, err
	}
	messages := make([]Message, len(read))
	for i, m := range read {
		if messages[i].From, err = mesh.ParseInvocationID(m.From); err != nil {
			return nil, err
		}
		messages[i].Body = m.Body
	}
	return messages, nil
}

func (hostLibrary) part(key mesh.Key, offset int64, b []byte) (n int, size int64, format mesh.Format, err error) {
	place := binary.LittleEndian.AppendUint64(nil, uint64(offset))
	place = binary.LittleEndian.AppendUint32(place, uint32(min(len(b), abi.MaxPiece)))
	payload, err := exchange(hostPart, []byte(key.Path()), place)
	if err != nil {
		return 0, 0, 0, err
	}
	const head = 9 // the size, and the format
	if len(payload) < head {
		return 0, 0, 0, mesh.Errorf(mesh.Internal, "read "+key.String(), "a piece has %d bytes: expected at least %d", len(payload), head)
	}
	return copy(b, payload[head:]), int64(binary.LittleEndian.Uint64(payload)), mesh.Format(payload[8]), nil
}

func (hostLibrary) Emit(format mesh.Format, piece []byte) error {
	_, err := exchange(hostEmit, piece, []byte{byte(format)})
	return err
}

type hostImport func(a unsafe.Pointer, aLen uint32, b unsafe.Pointer, bLen uint32, out unsafe.Pointer, outCap uint32) uint32

// inbox is where most answers fit. Nothing else runs between the host's
// writing to it and the copy made of it.
var inbox [4 << 10]byte

// exchange asks the host and gives a copy of the answer's payload, or its error.
func exchange(ask hostImport, a, b []byte) ([]byte, error) {
	n := ask(start(a), uint32(len(a)), start(b), uint32(len(b)), unsafe.Pointer(&inbox), uint32(len(inbox)))
	var answer []byte
	if n <= uint32(len(inbox)) {
		answer = bytes.Clone(inbox[:n])
	} else {
		answer = make([]byte, n)
		hostTake(start(answer), n)
	}
	payload, _, err := abi.ReadAnswer(answer)
	return payload, err
}

func start(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }
