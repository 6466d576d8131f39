package exec

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tetratelabs/wazero"
)

// newCache keeps compiled modules in dir, or in memory only.
func newCache(dir string) (wazero.CompilationCache, error) {
	if dir == "" {
		return wazero.NewCompilationCache(), nil
	}
	return wazero.NewCompilationCacheWithDir(dir)
}

// compile also survives a damaged file in the cache.
func (m *modules) compile(ctx context.Context, wasm []byte) (wazero.CompiledModule, error) {
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
