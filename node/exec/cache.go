package exec

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

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
	m.trimCache()
	return compiled, nil
}

// removeFiles removes all of them, those without bytes, too.
func removeFiles(dir string) { trimFiles(dir, -1) }

// trimCache keeps the folder of compiled modules within its bound. A module
// whose file goes stays in memory, and is compiled again when it is needed after that.
func (m *modules) trimCache() {
	if m.options.CacheDir != "" {
		trimFiles(m.options.CacheDir, m.options.CacheBytes)
	}
}

// trimFiles removes the files that were written first from a folder and those
// in it, until what is left has no more than limit bytes.
func trimFiles(dir string, limit int64) {
	type file struct {
		path    string
		bytes   int64
		written time.Time
	}
	var files []file
	var total int64
	filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if info, err := entry.Info(); err == nil { // else another executor removed it
			files = append(files, file{path, info.Size(), info.ModTime()})
			total += info.Size()
		}
		return nil
	})
	slices.SortFunc(files, func(a, b file) int { return a.written.Compare(b.written) })
	for _, f := range files {
		if total <= limit {
			return
		}
		os.Remove(f.path)
		total -= f.bytes
	}
}
