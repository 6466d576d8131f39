package exec

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/fn/abi"
)

// request is what a guest asks for: the two inputs of an import, copied.
type request struct {
	*running
	formats uint32
	a, b    []byte
}

// exchanges are the imports of the one form. Each gives the payload of an answer.
var exchanges = map[string]func(request, context.Context) ([]byte, error){
	abi.Get:       request.get,
	abi.Read:      request.read,
	abi.Put:       request.put,
	abi.Update:    request.update,
	abi.Delete:    request.delete,
	abi.Call:      request.call,
	abi.Start:     request.start,
	abi.CallDAG:   request.callDAG,
	abi.StartDAG:  request.startDAG,
	abi.Await:     request.await,
	abi.ID:        request.identify,
	abi.Namespace: request.namespace,
	abi.Send:      request.send,
	abi.Recv:      request.receive,
	abi.Part:      request.part,
	abi.Emit:      request.emit,
}

// offerLibrary makes the module that guests import.
func offerLibrary(ctx context.Context, runtime wazero.Runtime) error {
	const i32, i64 = api.ValueTypeI32, api.ValueTypeI64
	host := runtime.NewHostModuleBuilder(abi.HostModule)
	offer := func(name string, f api.GoModuleFunc, params, results []api.ValueType) {
		host.NewFunctionBuilder().WithGoModuleFunction(f, params, results).Export(name)
	}
	for name, handle := range exchanges {
		offer(name, exchange(handle), []api.ValueType{i32, i32, i32, i32, i32, i32}, []api.ValueType{i32})
	}
	offer(abi.Take, take, []api.ValueType{i32, i32}, []api.ValueType{i32})
	offer(abi.Deadline, deadline, nil, []api.ValueType{i64})
	offer(abi.Log, logText, []api.ValueType{i32, i32, i32}, nil)
	_, err := host.Instantiate(ctx)
	return err
}

// exchange copies the inputs from the guest and the answer to it.
func exchange(handle func(request, context.Context) ([]byte, error)) api.GoModuleFunc {
	return func(ctx context.Context, guest api.Module, stack []uint64) {
		r := runningIn(ctx)
		if r == nil { // while the instance starts
			stack[0] = uint64(answer(guest, stack[4:6], abi.AppendError(nil, errOutsideCall)))
			return
		}
		q := request{running: r, formats: r.formats}
		q.a = bytes.Clone(view(guest, stack[0], stack[1]))
		q.b = bytes.Clone(view(guest, stack[2], stack[3]))
		payload, err := handle(q, r.ctx)
		if err != nil {
			r.held = abi.AppendError(r.held[:0], err)
		} else {
			r.held = abi.AppendPayload(r.held[:0], payload)
		}
		stack[0] = uint64(answer(guest, stack[4:6], r.held))
	}
}

var errOutsideCall = mesh.Errorf(mesh.Invalid, "", "the library is there during a call of %s only", abi.CallExport)

// answer writes held to where out says if it fits there, and gives its length.
func answer(guest api.Module, out []uint64, held []byte) int {
	if len(held) <= int(uint32(out[1])) {
		copy(view(guest, out[0], uint64(len(held))), held)
	}
	return len(held)
}

// take gives the guest the answer that did not fit before, if it fits now.
func take(ctx context.Context, guest api.Module, stack []uint64) {
	r := runningIn(ctx)
	if r == nil {
		stack[0] = 0
		return
	}
	stack[0] = uint64(answer(guest, stack, r.held))
}

func deadline(ctx context.Context, _ api.Module, stack []uint64) {
	stack[0] = 0
	if at, ok := ctx.Deadline(); ok {
		stack[0] = uint64(at.UnixNano())
	}
}

func logText(ctx context.Context, guest api.Module, stack []uint64) {
	text := view(guest, stack[1], stack[2])
	if r := runningIn(ctx); r != nil {
		r.output.write(slog.Level(int32(stack[0])), "log", strings.ToValidUTF8(string(text[:min(len(text), maxLine)]), "?"))
	}
}

// view gives bytes of the guest's memory; beyond it, the guest is ended.
func view(guest api.Module, offset, size uint64) []byte {
	b, ok := guest.Memory().Read(uint32(offset), uint32(size))
	if !ok {
		panic(brokenABI("it passes %d bytes at %d, beyond its memory", uint32(size), uint32(offset)))
	}
	return b
}

func runningIn(ctx context.Context) *running {
	lib, err := fn.FromContext(ctx)
	if err != nil {
		return nil
	}
	r, _ := lib.(*running)
	return r
}

func (q request) key() (mesh.Key, error) { return abi.ReadKey(q.a, q.Namespace()) }

func (q request) state(ctx context.Context) (lattice.Value, error) {
	key, err := q.key()
	if err != nil {
		return lattice.Value{}, err
	}
	return q.Library.Get(ctx, key)
}

func (q request) get(ctx context.Context) ([]byte, error) {
	state, err := q.state(ctx)
	if err != nil {
		return nil, err
	}
	plain, err := fn.Plain(state)
	if err != nil {
		return nil, err
	}
	return q.payload(plain)
}

func (q request) payload(v mesh.Value) ([]byte, error) {
	v, err := readableValue(v, q.formats)
	return abi.AppendValue(nil, v), err
}

func (q request) read(ctx context.Context) ([]byte, error) {
	state, err := q.state(ctx)
	if err != nil {
		return nil, err
	}
	return state.AppendBinary(nil), nil
}

func (q request) put(ctx context.Context) ([]byte, error) {
	key, err := q.key()
	if err != nil {
		return nil, err
	}
	if _, err := mesh.DecodeValue(q.b); err != nil {
		return nil, err
	}
	return nil, q.Library.Put(ctx, key, lattice.LWWKind, lattice.SetOp(q.b))
}

func (q request) update(ctx context.Context) ([]byte, error) {
	key, err := q.key()
	if err != nil {
		return nil, err
	}
	if len(q.b) == 0 || !lattice.Kind(q.b[0]).Valid() {
		return nil, mesh.Errorf(mesh.Invalid, "", "expected the number of a kind before the operation")
	}
	op, err := lattice.DecodeOp(q.b[1:])
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "", "operation: %w", err)
	}
	return nil, q.Library.Put(ctx, key, lattice.Kind(q.b[0]), op)
}

func (q request) delete(ctx context.Context) ([]byte, error) {
	key, err := q.key()
	if err != nil {
		return nil, err
	}
	return nil, q.Library.Delete(ctx, key)
}

// called gives the function that a names, and the arguments in b.
func (q request) called() (mesh.FuncRef, []mesh.Value, error) {
	namespace, name := q.Namespace(), string(q.a)
	if before, after, other := strings.Cut(name, "/"); other {
		namespace, name = before, after
	}
	ref, err := mesh.ParseFuncRef(namespace, name)
	if err != nil {
		return ref, nil, err
	}
	args, err := abi.ReadArgs(q.b)
	return ref, args, err
}

func (q request) start(ctx context.Context) ([]byte, error) {
	ref, args, err := q.called()
	if err != nil {
		return nil, err
	}
	id, err := q.running.Start(ctx, ref, args)
	return []byte(id.String()), err
}

func (q request) await(ctx context.Context) ([]byte, error) {
	id, err := mesh.ParseRunID(string(q.a))
	if err != nil {
		return nil, err
	}
	if len(q.b) > 0 && string(q.b) != abi.AwaitEnd {
		return nil, mesh.Errorf(mesh.Invalid, "", "%.20q: expected %q, to wait for the end, or nothing", q.b, abi.AwaitEnd)
	}
	state, result, err := q.running.Await(ctx, id, len(q.b) == 0)
	if err != nil {
		return nil, err
	}
	if result, err = readableValue(result, q.formats); err != nil {
		return nil, err
	}
	return abi.AppendValue([]byte{byte(state)}, result), nil
}

func (q request) call(ctx context.Context) ([]byte, error) {
	ref, args, err := q.called()
	if err != nil {
		return nil, err
	}
	result, err := q.running.Call(ctx, ref, args)
	if err != nil {
		return nil, err
	}
	return q.payload(result)
}

// calledDAG gives the DAG that a names, and the arguments in b.
func (q request) calledDAG() (mesh.FuncRef, []fn.StageArg, error) {
	dag, err := fn.ParseDAG(q.Namespace(), string(q.a))
	if err != nil {
		return dag, nil, err
	}
	list, err := abi.ReadArgs(q.b)
	if err != nil {
		return dag, nil, err
	}
	args, err := fn.ParsePairs(list)
	return dag, args, err
}

func (q request) callDAG(ctx context.Context) ([]byte, error) {
	dag, args, err := q.calledDAG()
	if err != nil {
		return nil, err
	}
	result, err := q.running.CallDAG(ctx, dag, args)
	if err != nil {
		return nil, err
	}
	return q.payload(result)
}

func (q request) startDAG(ctx context.Context) ([]byte, error) {
	dag, args, err := q.calledDAG()
	if err != nil {
		return nil, err
	}
	id, err := q.running.StartDAG(ctx, dag, args)
	return []byte(id.String()), err
}

func (q request) identify(context.Context) ([]byte, error) { return []byte(q.id.String()), nil }

func (q request) namespace(context.Context) ([]byte, error) { return []byte(q.Namespace()), nil }

func (q request) send(ctx context.Context) ([]byte, error) {
	to, err := mesh.ParseInvocationID(string(q.a))
	if err != nil {
		return nil, err
	}
	body, err := abi.ReadValue(q.b)
	if err != nil {
		return nil, err
	}
	return nil, q.Library.Send(ctx, to, body)
}

func (q request) receive(ctx context.Context) ([]byte, error) {
	if len(q.a) != 8 {
		return nil, mesh.Errorf(mesh.Invalid, "", "the time to wait has %d bytes: expected 8, nanoseconds, little-endian", len(q.a))
	}
	wait := time.Duration(min(binary.LittleEndian.Uint64(q.a), math.MaxInt64))
	received, err := q.running.Recv(ctx, wait)
	if err != nil {
		return nil, err
	}
	messages := make([]abi.Message, len(received))
	for i, m := range received {
		body, err := readableValue(m.Body, q.formats)
		if err != nil {
			return nil, err
		}
		messages[i] = abi.Message{From: m.From.String(), Body: body}
	}
	return abi.AppendMessages(nil, messages), nil
}
