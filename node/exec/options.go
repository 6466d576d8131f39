package exec

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// ModuleSource gives the bytes of a WebAssembly module by its hash, the hex
// SHA-256 that mesh.FuncInfo names. The executor checks that they fit.
type ModuleSource interface {
	Module(ctx context.Context, hash string) ([]byte, error)
}

// Options say how an executor runs. Zero means the default.
type Options struct {
	// CacheDir holds compiled modules, over restarts. Empty keeps them in memory only.
	CacheDir string
	// CacheBytes bounds what CacheDir holds: of more, the files written first go.
	// Executors that share the folder share the bound. Default 1 GiB.
	CacheBytes int64
	// ReadyDir holds the modules that are in memory, for this executor alone:
	// the next one begins with loading them. Empty: it begins with none.
	ReadyDir string
	// Modules is where modules come from. Without it, functions of modules are Unavailable.
	Modules ModuleSource
	// Concurrency bounds the invocations that run at once; those that wait
	// for a call of their own, or for a message, do not count. Default 1024.
	Concurrency int
	// Queue bounds the invocations beyond those: together, at most
	// Concurrency plus Queue are under way. Where others have taken all of
	// that, a caller still has its share, up to twice as many. Default 4096.
	Queue int
	// Limits are those of functions that bring none. Defaults: 128 MiB, 30 s,
	// no bound of concurrency but the node's.
	Limits mesh.Limits
	// Memory bounds the linear memory of all WebAssembly instances together,
	// idle ones included. Default 2 GiB.
	Memory uint64
	// CompiledModules bounds how many modules are kept ready to run. Default 64.
	CompiledModules int
	// Warm says how many instances of modules are ready: see Executor.Tend.
	Warm WarmPolicy
	// Log receives the output of guests, and the stacks of panics. Default: slog.Default.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Concurrency = cmp.Or(o.Concurrency, 1024)
	o.Queue = cmp.Or(o.Queue, 4096)
	o.Limits.Memory = cmp.Or(o.Limits.Memory, 128<<20)
	o.Limits.Time = cmp.Or(o.Limits.Time, 30*time.Second)
	o.Memory = cmp.Or(o.Memory, 2<<30)
	o.CacheBytes = cmp.Or(o.CacheBytes, 1<<30)
	o.CompiledModules = cmp.Or(o.CompiledModules, 64)
	o.Warm = o.Warm.withDefaults()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}
