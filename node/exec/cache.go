package exec

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// newCache keeps compiled modules in dir, or in memory only.
func newCache(dir string) (wazero.CompilationCache, error) {
	if dir == "" {
		return wazero.NewCompilationCache(), nil
	}
	return wazero.NewCompilationCacheWithDir(dir)
}

// compile takes all processors, since somebody waits for what it compiles. It
// also survives a damaged file in the cache.
func (m *modules) compile(ctx context.Context, wasm []byte) (wazero.CompiledModule, error) {
	ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	wasm = mergeData(wasm)
	compiled, err := m.runtime.CompileModule(ctx, wasm)
	if err != nil && m.options.CacheDir != "" && strings.Contains(err.Error(), "compilationcache") {
		m.options.Log.Warn("the cache of compiled modules is damaged and is emptied", "folder", m.options.CacheDir, "error", err)
		removeFiles(m.options.CacheDir)
		compiled, err = m.runtime.CompileModule(ctx, wasm)
	}
	if err != nil {
		return nil, invalidModule("it does not compile: %w", err)
	}
	return compiled, nil
}

func removeFiles(dir string) {
	filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			os.Remove(path)
		}
		return nil
	})
}
