package exec

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/virga-mesh/virga/mesh"
)

// loadTimeout bounds fetching a module and starting it for the first time.
const loadTimeout = 2 * time.Minute

// modules holds what is compiled, and the idle instances, the longest idle first.
type modules struct {
	options Options
	cache   wazero.CompilationCache
	ready   ready
	runtime wazero.Runtime
	budget  budget
	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	loads   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	byHash  map[string]*module
	recent  list.List // of *module, the least recently used first
	loading map[string]*load
	idle    list.List // of *instance
}

// load is a module on its way, for all who wait for it.
type load struct {
	done chan struct{}
	err  error
}

func newModules(options Options) (*modules, error) {
	m := &modules{options: options, byHash: map[string]*module{}, loading: map[string]*load{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.budget = budget{limit: options.Memory, evict: m.evictIdle}
	var err error
	if m.cache, err = newCache(options.CacheDir); err != nil {
		return nil, mesh.AsError("open the cache of compiled modules", err)
	}
	if m.ready, err = newReady(options.ReadyDir, options.Log); err != nil {
		return nil, mesh.AsError("open the folder of ready modules", err)
	}
	config := wazero.NewRuntimeConfig().WithCloseOnContextDone(true).WithCompilationCache(m.cache)
	m.runtime = wazero.NewRuntimeWithConfig(m.ctx, config)
	if _, err := wasi_snapshot_preview1.Instantiate(m.ctx, m.runtime); err != nil {
		return nil, mesh.AsError("offer WASI", err)
	}
	if err := offerLibrary(m.ctx, m.runtime); err != nil {
		return nil, mesh.AsError("offer the library", err)
	}
	m.loads.Add(1)
	go m.resume()
	return m, nil
}

// resume loads what was ready when the node's last life ended, one after the
// other, the latest first.
func (m *modules) resume() {
	defer m.loads.Done()
	for _, hash := range m.ready.hashes() {
		mod, _, err := m.acquire(m.ctx, hash)
		if err != nil {
			m.options.Log.Debug("a module of the last life is not ready", "module", hash, "err", err)
			continue
		}
		m.release(mod)
	}
}

// stopLoading ends waiting for modules; what is loaded goes on running.
func (m *modules) stopLoading() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
}

// close frees everything, after stopLoading and once nothing runs.
func (m *modules) close() error {
	m.loads.Wait()
	for m.evictIdle() {
	}
	ctx := context.Background()
	err := m.runtime.Close(ctx)
	if cacheErr := m.cache.Close(ctx); err == nil {
		err = cacheErr
	}
	return err
}

// target gives what runs a function that is a module or within one.
func (m *modules) target(ctx context.Context, info mesh.FuncInfo) (target, error) {
	mod, loading, err := m.acquire(ctx, info.Module)
	if err != nil {
		return nil, err
	}
	target, err := mod.target(info, loading)
	if err != nil {
		m.release(mod)
	}
	return target, err
}

// acquire gives a module that stays until release, fetched and compiled if
// need be, and how long that took.
func (m *modules) acquire(ctx context.Context, hash string) (*module, time.Duration, error) {
	var began time.Time
	for {
		mod, pending, err := m.lookUp(hash)
		switch {
		case err != nil:
			return nil, 0, err
		case mod != nil && began.IsZero():
			return mod, 0, nil
		case mod != nil:
			return mod, time.Since(began), nil
		case began.IsZero():
			began = time.Now()
		}
		select {
		case <-pending.done:
			if pending.err != nil {
				return nil, 0, pending.err
			}
		case <-ctx.Done():
			return nil, 0, mesh.AsError("", ctx.Err())
		case <-m.ctx.Done():
			return nil, 0, errClosed
		}
	}
}

func (m *modules) lookUp(hash string) (*module, *load, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil, errClosed
	}
	if mod := m.byHash[hash]; mod != nil {
		mod.users++
		m.recent.MoveToBack(mod.place)
		return mod, nil, nil
	}
	pending := m.loading[hash]
	if pending == nil {
		pending = &load{done: make(chan struct{})}
		m.loading[hash] = pending
		m.loads.Add(1)
		go m.load(hash, pending)
	}
	return nil, pending, nil
}

func (m *modules) release(mod *module) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mod.users--
}

func (m *modules) load(hash string, pending *load) {
	defer m.loads.Done()
	ctx, cancel := context.WithTimeout(m.ctx, loadTimeout)
	defer cancel()
	_, err := m.fetch(ctx, hash)
	m.mu.Lock()
	delete(m.loading, hash)
	m.mu.Unlock()
	pending.err = err
	close(pending.done)
}

func (m *modules) fetch(ctx context.Context, hash string) (*module, error) {
	if wasm, ok := m.ready.read(hash); ok {
		return m.add(ctx, hash, wasm)
	}
	if m.options.Modules == nil {
		return nil, mesh.Errorf(mesh.Unavailable, "", "this node has no source of modules")
	}
	wasm, err := m.options.Modules.Module(ctx, hash)
	if err != nil {
		return nil, mesh.AsError("fetch module "+hash, err)
	}
	if got := hashOf(wasm); got != hash {
		return nil, mesh.Errorf(mesh.Internal, "fetch module "+hash, "the bytes have the hash %s", got)
	}
	return m.add(ctx, hash, wasm)
}

// add compiles a module, tries it, and keeps it.
func (m *modules) add(ctx context.Context, hash string, wasm []byte) (*module, error) {
	mod, err := m.build(ctx, hash, wasm)
	if err != nil {
		return nil, err
	}
	m.ready.add(hash, wasm)
	m.mu.Lock()
	if present := m.byHash[hash]; present != nil || m.closed {
		m.mu.Unlock()
		mod.free()
		if present == nil {
			return nil, errClosed
		}
		return present, nil
	}
	m.byHash[hash] = mod
	mod.place = m.recent.PushBack(mod)
	surplus := m.surplus()
	m.mu.Unlock()
	for _, old := range surplus {
		m.drop(old)
	}
	return mod, nil
}

// drop frees a module that was taken out.
func (m *modules) drop(mod *module) {
	m.ready.remove(mod.hash)
	mod.free()
}

// surplus takes out the least recently used modules beyond the bound, except those in use.
func (m *modules) surplus() (out []*module) {
	for at := m.recent.Front(); at != nil && m.recent.Len() > m.options.CompiledModules; {
		mod, next := at.Value.(*module), at.Next()
		if mod.users == 0 && next != nil {
			m.recent.Remove(at)
			delete(m.byHash, mod.hash)
			mod.gone = true
			out = append(out, mod)
		}
		at = next
	}
	return out
}

// evictIdle frees the instance that has been idle longest.
func (m *modules) evictIdle() bool {
	m.mu.Lock()
	oldest := m.idle.Front()
	if oldest == nil {
		m.mu.Unlock()
		return false
	}
	in := oldest.Value.(*instance)
	in.module.takeOut(in)
	m.mu.Unlock()
	in.free()
	return true
}

// Warm lists the hashes of the modules that are compiled and in memory here.
func (e *Executor) Warm() []string {
	e.modules.mu.Lock()
	defer e.modules.mu.Unlock()
	hashes := make([]string, 0, len(e.modules.byHash))
	for hash := range e.modules.byHash {
		hashes = append(hashes, hash)
	}
	return hashes
}

func hashOf(wasm []byte) string {
	sum := sha256.Sum256(wasm)
	return hex.EncodeToString(sum[:])
}
