package mesh

import (
	"slices"
	"strings"
	"time"
)

// FuncRef names a function, and a version of it where Version is not empty.
type FuncRef struct {
	Namespace string
	Name      string
	Version   string // empty for the current one
}

// String is "name" or "name@version", with "namespace/" before it where that is not the default.
func (f FuncRef) String() string {
	s := f.Name
	if f.Namespace != "" && f.Namespace != DefaultNamespace {
		s = f.Namespace + "/" + s
	}
	if f.Version != "" {
		s += "@" + f.Version
	}
	return s
}

// ParseFuncRef reads "name" or "name@version" within namespace.
func ParseFuncRef(namespace, s string) (FuncRef, error) {
	name, version, _ := strings.Cut(s, "@")
	ref := FuncRef{Namespace: namespace, Name: name, Version: version}
	return ref, ref.Validate()
}

// Validate gives an Invalid error that says what a function may be called.
func (f FuncRef) Validate() error {
	if err := ValidateNamespace(f.Namespace); err != nil {
		return err
	}
	return validateIdentifier("function", f.Name)
}

// MaxIdentifier bounds the names of functions, DAGs and stages, in bytes.
const MaxIdentifier = 128

func validateIdentifier(what, name string) error {
	if len(name) == 0 || len(name) > MaxIdentifier || !identifierBytes.spells(name) {
		return Errorf(Invalid, what, "%s name %.130q: expected 1 to %d characters of A-Z, a-z, 0-9, '-', '_' and '.'", what, name, MaxIdentifier)
	}
	return nil
}

// ValidateAlias gives an Invalid error that says what another name of a
// version may be: one that no version has.
func ValidateAlias(alias string) error {
	if err := validateIdentifier("alias", alias); err != nil {
		return err
	}
	if alias == Native.String() || alias == Worker.String() || len(alias) == contentVersionLen && hexDigits.spells(alias) {
		return Errorf(Invalid, "alias", "alias %q: expected what no version is called: not native, worker, or %d hexadecimal digits", alias, contentVersionLen)
	}
	return nil
}

// contentVersionLen is how long the versions of modules are: hexadecimal
// digits of a hash.
const contentVersionLen = 12

// FuncKind says how a function is brought to the mesh. The numbers are part of the wire format.
type FuncKind uint8

// The kinds of functions.
const (
	Native  FuncKind = 1 // Go code in the process of a node
	Worker  FuncKind = 2 // Go code in a process attached to a node
	Wasm    FuncKind = 3 // a WebAssembly module that speaks the guest ABI
	Command FuncKind = 4 // a WASI command: arguments on stdin, result on stdout
)

var funcKindNames = [...]string{"", "native", "worker", "wasm", "command"}

// String is the kind's name.
func (k FuncKind) String() string {
	if int(k) < len(funcKindNames) {
		return funcKindNames[k]
	}
	return "unknown"
}

// Anywhere reports whether any node can run the function: its code is in the store.
func (k FuncKind) Anywhere() bool { return k == Wasm || k == Command }

// MaxFuncTime is the longest time limit of an invocation.
const MaxFuncTime = 24 * time.Hour

// Limits bound one invocation of a function. Zero means the node's default.
type Limits struct {
	Memory      uint64        // bytes of linear memory
	Time        time.Duration // from start to result
	Concurrency int           // invocations at once on one node
}

// FuncInfo describes one version of a function.
type FuncInfo struct {
	Ref    FuncRef // with the version
	Kind   FuncKind
	Module string   // for wasm and command: hex SHA-256 of the module
	Size   int64    // bytes of the module
	Export string   // for wasm: the name under which the module exports it
	Limits Limits   // of each invocation
	Hosts  []NodeID // for native and worker: where it runs
}

// Equal reports whether both describe a version alike.
func (f *FuncInfo) Equal(other *FuncInfo) bool {
	return f.Ref == other.Ref && f.Kind == other.Kind && f.Module == other.Module && f.Size == other.Size &&
		f.Export == other.Export && f.Limits == other.Limits && slices.Equal(f.Hosts, other.Hosts)
}
