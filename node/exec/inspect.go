package exec

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn/abi"
)

// MaxModule bounds the bytes of a module: it travels in one frame.
const MaxModule = 48 << 20

// ModuleInfo is what a module offers.
type ModuleInfo struct {
	Kind      mesh.FuncKind // Wasm or Command
	Hash      string        // hex SHA-256
	Functions []string      // for Wasm: the names it exports; sorted if the guest sorts them
}

// Inspect compiles a module, checks its shape and starts it within the
// default limits, and says what it offers. A module that a node cannot run is
// an Invalid error that names what was wrong and what was expected.
func (e *Executor) Inspect(ctx context.Context, wasm []byte) (ModuleInfo, error) {
	hash := hashOf(wasm)
	mod, err := e.modules.add(ctx, hash, wasm)
	if err != nil {
		return ModuleInfo{}, mesh.AsError("inspect module", err)
	}
	return ModuleInfo{Kind: mod.kind, Hash: hash, Functions: mod.names}, nil
}

const (
	wasmMagic = "\x00asm"
	// The version of a core module, and that of a component as its binary format is today.
	coreVersion      = "\x01\x00\x00\x00"
	componentVersion = "\x0d\x00\x01\x00"

	wasiModule   = "wasi_snapshot_preview1"
	commandStart = "_start"
	memoryExport = "memory"
)

// checkHeader tells what a file is that is not a core module.
func checkHeader(wasm []byte) error {
	head := wasm[:min(len(wasm), 8)]
	switch {
	case len(wasm) > MaxModule:
		return invalidModule("it has %d bytes: expected at most %d", len(wasm), MaxModule)
	case !bytes.HasPrefix(wasm, []byte(wasmMagic)) || len(head) < 8:
		return invalidModule("not WebAssembly: it begins with %q (% x), expected %q (% x) and a version", head, head, wasmMagic, wasmMagic)
	case string(head[4:]) == componentVersion:
		return invalidModule("a component: expected a core module; build for wasip1, not for wasip2 or the component model")
	case string(head[4:]) != coreVersion:
		return invalidModule("WebAssembly of version % x: expected % x", head[4:], coreVersion)
	}
	return nil
}

// checkShape tells by its imports and exports what kind of function a module is.
func checkShape(runtime wazero.Runtime, m wazero.CompiledModule) (mesh.FuncKind, error) {
	if err := checkImports(runtime, m); err != nil {
		return 0, err
	}
	if m.ExportedMemories()[memoryExport] == nil {
		return 0, invalidModule("it exports no memory called %q", memoryExport)
	}
	exports := m.ExportedFunctions()
	switch {
	case exports[commandStart] != nil:
		return mesh.Command, checkSignature(exports, commandStart, "() -> ()")
	case exports[abi.VersionExport] != nil:
		return mesh.Wasm, checkGuest(exports)
	}
	return 0, invalidModule("it exports neither %s nor %s: expected a module of the guest ABI or a WASI command; it exports %s",
		abi.VersionExport, commandStart, nameList(exports))
}

func checkGuest(exports map[string]api.FunctionDefinition) error {
	for _, want := range []struct{ name, signature string }{
		{abi.VersionExport, "() -> (i32)"},
		{abi.AllocExport, "(i32) -> (i32)"},
		{abi.FunctionsExport, "() -> (i64)"},
		{abi.CallExport, "(i32, i32, i32) -> (i64)"},
	} {
		if err := checkSignature(exports, want.name, want.signature); err != nil {
			return err
		}
	}
	for name, signature := range map[string]string{abi.FormatsExport: "() -> (i32)", abi.StartExport: "() -> ()"} {
		if exports[name] == nil {
			continue
		}
		if err := checkSignature(exports, name, signature); err != nil {
			return err
		}
	}
	return nil
}

func checkSignature(exports map[string]api.FunctionDefinition, name, want string) error {
	f := exports[name]
	if f == nil {
		return invalidModule("it does not export the function %s %s", name, want)
	}
	if got := signature(f); got != want {
		return invalidModule("it exports %s as %s: expected %s", name, got, want)
	}
	return nil
}

// checkImports accepts what the host modules of the runtime offer, and nothing else.
func checkImports(runtime wazero.Runtime, m wazero.CompiledModule) error {
	for _, f := range m.ImportedFunctions() {
		from, name, _ := f.Import()
		host := runtime.Module(from)
		if host == nil || from != wasiModule && from != abi.HostModule {
			return invalidModule("it imports %s.%s: expected imports from %s and %s only", from, name, wasiModule, abi.HostModule)
		}
		offered := host.ExportedFunctionDefinitions()[name]
		if offered == nil {
			return invalidModule("it imports %s.%s, which this node does not have", from, name)
		}
		if got, want := signature(f), signature(offered); got != want {
			return invalidModule("it imports %s.%s as %s: expected %s", from, name, got, want)
		}
	}
	if len(m.ImportedMemories()) > 0 {
		return invalidModule("it imports a memory: expected it to export its own")
	}
	return nil
}

// signature writes a type as "(i32, i64) -> (i32)".
func signature(f api.FunctionDefinition) string {
	list := func(types []api.ValueType) string {
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = api.ValueTypeName(t)
		}
		return "(" + strings.Join(names, ", ") + ")"
	}
	return list(f.ParamTypes()) + " -> " + list(f.ResultTypes())
}

func nameList(exports map[string]api.FunctionDefinition) string {
	return enumerate(slices.Sorted(maps.Keys(exports)))
}

// enumerate lists names for an error message.
func enumerate(names []string) string {
	const most = 10
	switch {
	case len(names) == 0:
		return "no function"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func invalidModule(format string, args ...any) error {
	return mesh.Errorf(mesh.Invalid, "module", format, args...)
}
