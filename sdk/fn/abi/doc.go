// Package abi is the contract between a node and a WebAssembly module that
// speaks the Virga guest ABI: the names on both sides of the boundary and the
// bytes that cross it. docs/guest-abi.md specifies it for authors of guests
// in any language; this package is its Go form, which node/exec (the host)
// and sdk/fn (the Go guest) share. It calls nothing: who allocates and who
// copies is the business of those two.
package abi

// Version is what a module's export virga_abi returns.
const Version = 1

// What a module exports beside "memory". FormatsExport may be missing.
const (
	VersionExport   = "virga_abi"       // () -> i32: Version
	AllocExport     = "virga_alloc"     // (size i32) -> i32: a buffer for the arguments of the next call
	FunctionsExport = "virga_functions" // () -> i64: a span with the names of the functions, one per line
	CallExport      = "virga_call"      // (index, arguments, size i32) -> i64: a span with an answer
	FormatsExport   = "virga_formats"   // () -> i32: bit n is set if the module reads mesh.Format n
	StartExport     = "_initialize"     // () -> (): run once, before everything else
)

// HostModule is the name of the module that a guest imports its library from.
const HostModule = "virga"

// What a guest imports from HostModule. All but the last three have the one
// form (a, a_len, b, b_len, out, out_cap i32) -> i32: up to two inputs, and
// the length of an answer, which has been written to out if out_cap sufficed
// and is otherwise fetched by Take.
const (
	Get       = "get"       // a: key                     -> value
	Read      = "read"      // a: key                     -> state in the encoding of package lattice
	Put       = "put"       // a: key, b: value           -> nothing; sets an lww register
	Update    = "update"    // a: key, b: kind, operation -> nothing
	Delete    = "delete"    // a: key                     -> nothing
	Call      = "call"      // a: function, b: arguments  -> value
	Start     = "start"     // a: function, b: arguments  -> run id, as text
	CallDAG   = "call_dag"  // a: dag, b: arguments, of each the stage's name as text and a value -> value
	StartDAG  = "start_dag" // a: dag, b: as CallDAG      -> run id, as text
	Await     = "await"     // a: run id, b: see AwaitEnd -> state, 1 byte; value
	ID        = "id"        //                            -> invocation id, as text
	Namespace = "namespace" //                            -> the function's namespace, as text
	Send      = "send"      // a: invocation id, b: value -> nothing
	Recv      = "recv"      // a: wait in ns, 8 bytes LE  -> messages
	Part      = "part"      // a: key, b: see PartSize    -> size, 8 bytes LE; format; data
	Emit      = "emit"      // a: piece, b: its format    -> nothing; appends to the result
	Take      = "take"      // (out, out_cap i32) -> i32: the last answer
	Deadline  = "deadline"  // () -> i64: ns since 1970, 0 for none
	Log       = "log"       // (level, text, text_len i32) -> ()
)

// AwaitEnd, as the second input of Await, waits until the run is over; nothing
// in its place gives how the run stands.
const AwaitEnd = "end"

// PartSize is the length of the second input of Part: an offset in 8 bytes and
// a length in 4, little-endian. MaxPiece bounds what one Part gives.
const (
	PartSize = 12
	MaxPiece = 1 << 20
)

// PackSpan puts a place in memory into the one result that a guest's function has.
func PackSpan(offset, size uint32) uint64 { return uint64(offset)<<32 | uint64(size) }

// UnpackSpan reads what PackSpan writes.
func UnpackSpan(span uint64) (offset, size uint32) { return uint32(span >> 32), uint32(span) }
