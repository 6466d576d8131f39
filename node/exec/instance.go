package exec

import (
	"bytes"
	"cmp"
	"container/list"
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/fn/abi"
)

// instance is one sandbox of a module of the guest ABI. It runs one call at a time.
type instance struct {
	module *module
	api    api.Module
	memory *linearMemory
	out    *output
	clock  *sleeper
	watch  *watchdog
	leave  func() bool // ends the watch for the shutdown of the node
	alloc  api.Function
	call   api.Function
	place  *list.Element // in the list of idle instances

	// The buffer for arguments that the guest gave last.
	buffer     uint32
	bufferSize uint32
}

// minBuffer is the least that a guest is asked for, so that small calls need not ask again.
const minBuffer = 4 << 10

// maxKeptBuffer is the largest buffer that is not asked for anew when less would do.
const maxKeptBuffer = 1 << 20

// instantiate starts a sandbox that may use limit bytes of memory.
func (mod *module) instantiate(ctx context.Context, limit uint64) (*instance, error) {
	memory, err := newLinearMemory(&mod.owner.budget, mod.initialMemory(), limit)
	if err != nil {
		return nil, err
	}
	in := &instance{module: mod, memory: memory, out: newOutput(), clock: &sleeper{ctx: ctx}, watch: newWatchdog()}
	config := sandbox(in.clock).WithStdout(&in.out.stdout).WithStderr(&in.out.stderr)
	sandboxed, err := mod.owner.runtime.InstantiateModule(in.memory.within(ctx), mod.compiled, config.WithStartFunctions(abi.StartExport))
	if err != nil {
		defer memory.Free()
		return nil, in.trapped(ctx, err)
	}
	in.api = sandboxed
	in.leave = context.AfterFunc(mod.owner.ctx, in.watch.end)
	in.alloc = sandboxed.ExportedFunction(abi.AllocExport)
	in.call = sandboxed.ExportedFunction(abi.CallExport)
	mod.count(1)
	return in, nil
}

// count notes that there are n instances more.
func (mod *module) count(n int) {
	mod.owner.mu.Lock()
	defer mod.owner.mu.Unlock()
	mod.warmth.total += n
}

// within gives a context for wazero to instantiate a module in that uses m,
// and that has no library: that is for calls of functions only.
func (m *linearMemory) within(ctx context.Context) context.Context {
	ctx = fn.WithLibrary(ctx, nil)
	allocate := func(_, _ uint64) experimental.LinearMemory { return m }
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(allocate))
}

// sandbox grants clocks and random numbers, and nothing else.
func sandbox(clock *sleeper) wazero.ModuleConfig {
	return wazero.NewModuleConfig().WithName("").
		WithSysWalltime().WithSysNanotime().WithNanosleep(clock.sleep).WithRandSource(rand.Reader)
}

// sleeper lets a guest sleep no longer than its invocation lasts.
type sleeper struct{ ctx context.Context }

func (s *sleeper) sleep(ns int64) {
	timer := time.NewTimer(time.Duration(ns))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

// trapped is trapped. The watchdog may end the sandbox a moment before ctx, whose
// deadline is the same, ends.
func (in *instance) trapped(ctx context.Context, err error) error {
	return trapped(cmp.Or(ctx.Err(), in.watch.Err()), in.memory, in.out, err)
}

// describe asks a new instance what its module offers.
func (in *instance) describe(ctx context.Context, mod *module) error {
	version, err := in.ask(ctx, abi.VersionExport)
	if err != nil {
		return err
	}
	if version != abi.Version {
		return invalidModule("it speaks version %d of the guest ABI: expected %d", version, abi.Version)
	}
	mod.formats = 1<<mesh.Raw | 1<<mesh.Text | 1<<mesh.JSON | 1<<mesh.CBOR | 1<<mesh.Protobuf
	if in.api.ExportedFunction(abi.FormatsExport) != nil {
		formats, err := in.ask(ctx, abi.FormatsExport)
		if err != nil {
			return err
		}
		mod.formats = uint32(formats)
	}
	span, err := in.ask(ctx, abi.FunctionsExport)
	if err != nil {
		return err
	}
	names, err := in.read(span)
	if err != nil {
		return err
	}
	mod.names, err = readNames(string(names))
	return err
}

func readNames(text string) ([]string, error) {
	names := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	if len(names) == 0 {
		return nil, invalidModule("it has no function: expected %s to give a name on each line", abi.FunctionsExport)
	}
	for _, name := range names {
		if err := (mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name}).Validate(); err != nil {
			return nil, invalidModule("%s gives a wrong name: %s", abi.FunctionsExport, mesh.AsError("", err).Text())
		}
	}
	return names, nil
}

func (in *instance) ask(ctx context.Context, export string) (uint64, error) {
	results, err := in.api.ExportedFunction(export).Call(ctx)
	if err != nil {
		return 0, in.trapped(ctx, err)
	}
	return results[0], nil
}

// invoke calls a function for r and gives a copy of its answer, which is well
// formed. After an error the instance must not be used again.
func (in *instance) invoke(ctx context.Context, r *running, index uint32, args []mesh.Value) ([]byte, error) {
	r.enterGuest(ctx, in)
	defer in.out.end()
	in.watch.begin(ctx, r.clock.deadline)
	defer in.watch.finish()
	if caller := r.clock.parent; caller.Done() != nil {
		defer context.AfterFunc(caller, in.watch.end)()
	}
	answer, err := in.callGuest(index, args)
	if err != nil {
		return nil, in.trapped(ctx, err)
	}
	return answer, nil
}

// callGuest passes on what wazero says of a sandbox that did not return.
func (in *instance) callGuest(index uint32, args []mesh.Value) ([]byte, error) {
	offset, size, err := in.writeArgs(args)
	if err != nil {
		return nil, err
	}
	stack := [3]uint64{uint64(index), uint64(offset), uint64(size)}
	if err := in.call.CallWithStack(in.watch, stack[:]); err != nil {
		return nil, err
	}
	answer, err := in.read(stack[0])
	if err != nil {
		return nil, err
	}
	if err := checkAnswer(answer); err != nil {
		return nil, err
	}
	return bytes.Clone(answer), nil
}

func checkAnswer(answer []byte) error {
	payload, broken, err := abi.ReadAnswer(answer)
	if broken {
		return brokenABI("%s", mesh.AsError("", err).Text())
	}
	if err == nil {
		if _, err := abi.ReadValue(payload); err != nil {
			return brokenABI("%s", mesh.AsError("", err).Text())
		}
	}
	return nil
}

// writeArgs puts the arguments where the guest wants them.
func (in *instance) writeArgs(args []mesh.Value) (offset, size uint32, err error) {
	need := abi.ArgsSize(args)
	if need == 0 {
		return 0, 0, nil
	}
	if uint64(need) > in.memory.limit {
		return 0, 0, mesh.Errorf(mesh.Invalid, "", "the arguments have %d bytes: expected at most the %d of the function's memory", need, in.memory.limit)
	}
	if uint32(need) > in.bufferSize || in.bufferSize > maxKeptBuffer && need <= maxKeptBuffer {
		if err := in.allocate(max(uint32(need), minBuffer)); err != nil {
			return 0, 0, err
		}
	}
	view, ok := in.api.Memory().Read(in.buffer, uint32(need))
	if !ok {
		return 0, 0, brokenABI("%s gave %d bytes at %d, beyond its memory", abi.AllocExport, need, in.buffer)
	}
	abi.AppendArgs(view[:0], args)
	return in.buffer, uint32(need), nil
}

func (in *instance) allocate(size uint32) error {
	in.bufferSize = 0
	stack := [1]uint64{uint64(size)}
	if err := in.alloc.CallWithStack(in.watch, stack[:]); err != nil {
		return err
	}
	if in.buffer = uint32(stack[0]); in.buffer == 0 {
		return mesh.Errorf(mesh.UserError, "", "the module has no room for arguments of %d bytes", size)
	}
	in.bufferSize = size
	return nil
}

// read gives the bytes of a span, which the guest still owns.
func (in *instance) read(span uint64) ([]byte, error) {
	offset, size := abi.UnpackSpan(span)
	b, ok := in.api.Memory().Read(offset, size)
	if !ok {
		return nil, brokenABI("it answers with %d bytes at %d, beyond its memory", size, offset)
	}
	return b, nil
}

// free ends the sandbox. The memory is given back by hand: wazero does not
// when the context's end has closed the module before.
func (in *instance) free() {
	in.leave()
	in.watch.free()
	if err := in.api.Close(context.Background()); err != nil {
		in.module.owner.options.Log.Debug("close a sandbox", "error", err)
	}
	in.memory.Free()
	in.module.count(-1)
}
