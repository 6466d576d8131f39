package fn

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// Function is a function under the name by which a program offers it.
type Function struct {
	Name string
	Raw  Raw
}

// exports is the one global state of the SDK. A WebAssembly module has a
// single entry point, which has no other way to find the functions of the
// program that it was built from.
var exports struct {
	sync.Mutex
	functions []Function
}

// Export offers f under name, from this program built as a WebAssembly module
// as well as from a worker. It is called at package level:
//
//	var _ = fn.Export("square", square)
//
// A name that is not valid, or that is taken, panics: the program is wrong.
func Export[In, Out any](name string, f func(context.Context, In) (Out, error)) Function {
	return export(name, Wrap(f))
}

// ExportInit is Export for a function that needs to be made first, as WrapInit says.
func ExportInit[In, Out any](name string, construct func(context.Context) (func(context.Context, In) (Out, error), error)) Function {
	return export(name, WrapInit(construct))
}

// Exported lists what this program exports, by name.
func Exported() []Function {
	exports.Lock()
	defer exports.Unlock()
	return slices.Clone(exports.functions)
}

func export(name string, raw Raw) Function {
	if err := (mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name}).Validate(); err != nil {
		panic(fmt.Sprintf("fn.Export: %v", err))
	}
	exports.Lock()
	defer exports.Unlock()
	byName := func(e Function, name string) int { return cmp.Compare(e.Name, name) }
	at, taken := slices.BinarySearchFunc(exports.functions, name, byName)
	if taken {
		panic(fmt.Sprintf("fn.Export: two functions are named %q", name))
	}
	function := Function{Name: name, Raw: raw}
	exports.functions = slices.Insert(exports.functions, at, function)
	return function
}
