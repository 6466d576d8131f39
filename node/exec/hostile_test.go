package exec_test

import (
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/fn/abi"
)

// Modules that pass inspection and then break the rules.
func TestHostileModules(t *testing.T) {
	b := start(t, exec.Options{Limits: mesh.Limits{Memory: 1 << 20, Time: 10 * time.Second}})
	good := guestOf(i64Const(int64(abi.PackSpan(8, 1)))...)
	goodInfo := mesh.FuncInfo{Ref: ref("f"), Kind: mesh.Wasm, Module: b.modules.put(good.assemble())}

	loop := guestOf(opLoop, opVoid, opBr, 0, opEnd, opUnreachable)
	overflow := guestOf(opLocalGet, 0, opLocalGet, 0, opLocalGet, 0, opCall, 3)
	// Grows its memory by a page until that fails, then traps.
	grow := guestOf(slices.Concat(
		[]byte{opLoop, opVoid}, i32Const(1), []byte{opMemoryGrow, 0}, i32Const(-1), []byte{0x47 /* i32.ne */, 0x0d /* br_if */, 0, opEnd, opUnreachable})...)
	lyingList := guestOf()
	lyingList.functions[3].code = i64Const(0)
	badAlloc := guestOf(i64Const(int64(abi.PackSpan(8, 1)))...)
	badAlloc.functions[1].code = i32Const(-16)
	noAlloc := guestOf(i64Const(int64(abi.PackSpan(8, 1)))...)
	noAlloc.functions[1].code = i32Const(0)
	// Passes the host an input far beyond its memory.
	wildInput := guestOf(slices.Concat(
		i32Const(-8), i32Const(4), i32Const(0), i32Const(0), i32Const(0), i32Const(0), []byte{opCall, 0, opDrop}, i64Const(0))...)
	wildInput.imports = []watImport{{abi.HostModule, abi.Get, []byte{i32, i32, i32, i32, i32, i32}, []byte{i32}}}

	argument := mesh.Value{Format: mesh.Raw, Data: []byte("x")}
	for _, test := range []struct {
		name   string
		module wat
		limit  time.Duration
		args   []mesh.Value
		kind   mesh.ErrorKind
		text   string
	}{
		{"unreachable", guestOf(opUnreachable), 0, nil, mesh.UserError, "the module trapped: unreachable"},
		{"infinite loop", loop, 50 * time.Millisecond, nil, mesh.DeadlineExceeded, "limit of 50ms"},
		{"stack overflow", overflow, 0, nil, mesh.UserError, "stack overflow"},
		{"memory", grow, 0, nil, mesh.UserError, "more memory than its limit of 1048576 bytes"},
		{"answer beyond the memory", guestOf(i64Const(int64(abi.PackSpan(65530, 100)))...), 0, nil, mesh.UserError, "answers with 100 bytes at 65530"},
		{"answer at the end of the world", guestOf(i64Const(-1)...), 0, nil, mesh.UserError, "broke the guest ABI"},
		{"empty answer", lyingList, 0, nil, mesh.UserError, "empty answer"},
		{"unknown status", guestOf(i64Const(int64(abi.PackSpan(0, 1)))...), 0, nil, mesh.UserError, "status 102"},
		{"buffer beyond the memory", badAlloc, 0, []mesh.Value{argument}, mesh.UserError, "beyond its memory"},
		{"no buffer", noAlloc, 0, []mesh.Value{argument}, mesh.UserError, "no room for arguments"},
		{"input beyond the memory", wildInput, 0, nil, mesh.UserError, "passes 4 bytes at"},
		{"arguments beyond the memory", good, 0, []mesh.Value{{Format: mesh.Raw, Data: make([]byte, 2<<20)}}, mesh.Invalid, "expected at most the 1048576"},
	} {
		t.Run(test.name, func(t *testing.T) {
			info := mesh.FuncInfo{Ref: ref("f"), Kind: mesh.Wasm, Module: b.modules.put(test.module.assemble()), Limits: mesh.Limits{Time: test.limit}}
			for range 2 { // the second call must not meet what the first left behind
				_, err := b.Invoke(t.Context(), exec.Invocation{Func: info, Args: test.args, Library: newState(b)})
				wantError(t, err, test.kind, test.text)
			}
			if _, err := b.Invoke(t.Context(), exec.Invocation{Func: goodInfo}); err != nil {
				t.Errorf("the node is not well: %v", err)
			}
		})
	}
}

func TestTheSourceMustGiveWhatWasAskedFor(t *testing.T) {
	b := start(t, exec.Options{})
	hash := b.modules.put(guestOf(opUnreachable).assemble())
	b.modules.byHash[hash] = []byte("something else")
	_, err := b.Invoke(t.Context(), exec.Invocation{Func: mesh.FuncInfo{Ref: ref("f"), Kind: mesh.Wasm, Module: hash}})
	wantError(t, err, mesh.Internal, "the bytes have the hash")
}

func TestTheLeastRecentlyUsedModuleIsForgotten(t *testing.T) {
	b := start(t, exec.Options{CompiledModules: 2})
	var infos []mesh.FuncInfo
	for i := range 4 {
		module := guestOf(i64Const(int64(abi.PackSpan(8+uint32(i), 1)))...)
		infos = append(infos, mesh.FuncInfo{Ref: ref("f"), Kind: mesh.Wasm, Module: b.modules.put(module.assemble())})
	}
	for range 2 {
		for _, info := range infos {
			if _, err := b.Invoke(t.Context(), exec.Invocation{Func: info}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if warm := b.Warm(); len(warm) != 2 || b.modules.asked != 8 {
		t.Errorf("%d modules are warm after %d fetches; expected 2 and 8", len(warm), b.modules.asked)
	}
}
