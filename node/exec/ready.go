package exec

import (
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
)

// ready is a folder with the bytes of the modules that are in memory, each in
// a file named by its hash. With it the next life of a node begins with these,
// before it has joined the mesh that they came from. Nothing is lost with a
// file: it is written without a sync, and checked by its name.
type ready struct {
	folder string // empty: nothing is kept
	log    *slog.Logger
}

func newReady(folder string, log *slog.Logger) (ready, error) {
	if folder == "" {
		return ready{}, nil
	}
	return ready{folder, log}, os.MkdirAll(folder, 0o700)
}

func (r ready) path(hash string) string { return filepath.Join(r.folder, hash) }

// hashes lists what is there, the latest first.
func (r ready) hashes() (hashes []string) {
	if r.folder == "" {
		return nil
	}
	entries, err := os.ReadDir(r.folder)
	if err != nil {
		r.log.Warn("the folder of ready modules cannot be read", "folder", r.folder, "err", err)
	}
	written := map[string]int64{}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && isHash(entry.Name()) {
			hashes = append(hashes, entry.Name())
			written[entry.Name()] = info.ModTime().UnixNano()
		}
	}
	slices.SortFunc(hashes, func(a, b string) int { return int(min(max(written[b]-written[a], -1), 1)) })
	return hashes
}

func isHash(name string) bool {
	sum, err := hex.DecodeString(name)
	return err == nil && len(sum) == len(hashOf(nil))/2
}

// read gives a module if its file is there and whole; else the file goes.
func (r ready) read(hash string) ([]byte, bool) {
	if r.folder == "" {
		return nil, false
	}
	wasm, err := os.ReadFile(r.path(hash))
	if err == nil && hashOf(wasm) == hash {
		return wasm, true
	}
	r.remove(hash)
	return nil, false
}

func (r ready) add(hash string, wasm []byte) {
	if r.folder == "" {
		return
	}
	if info, err := os.Stat(r.path(hash)); err == nil && info.Size() == int64(len(wasm)) {
		return
	}
	if err := os.WriteFile(r.path(hash), wasm, 0o600); err != nil {
		r.log.Warn("a module is not kept ready for the next start", "module", hash, "err", err)
	}
}

func (r ready) remove(hash string) {
	if r.folder != "" {
		os.Remove(r.path(hash))
	}
}
