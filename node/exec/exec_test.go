package exec_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/internal/wasmbuild"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if sharedCache != "" {
		os.RemoveAll(sharedCache)
	}
	if err := goleak.Find(); err != nil && code == 0 {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}

// sharedCache keeps what was compiled for the next test of this process.
var sharedCache string

// modules is a ModuleSource that holds what tests put into it.
type modules struct {
	mu     sync.Mutex
	byHash map[string][]byte
	asked  int
}

func (m *modules) put(wasm []byte) (hash string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := sha256.Sum256(wasm)
	hash = hex.EncodeToString(sum[:])
	if m.byHash == nil {
		m.byHash = map[string][]byte{}
	}
	m.byHash[hash] = wasm
	return hash
}

func (m *modules) Module(_ context.Context, hash string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	wasm, ok := m.byHash[hash]
	if !ok {
		return nil, mesh.Errorf(mesh.NotFound, "", "no module %s", hash)
	}
	return wasm, nil
}

// bench is an executor with what tests need around it.
type bench struct {
	*exec.Executor
	modules *modules
	log     *logBuffer
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// start gives an executor that the test's end closes.
func start(t testing.TB, options exec.Options) bench {
	t.Helper()
	b := bench{modules: &modules{}, log: &logBuffer{}}
	if options.Modules == nil {
		options.Modules = b.modules
	}
	if options.CacheDir == "" {
		if sharedCache == "" {
			var err error
			if sharedCache, err = os.MkdirTemp("", "virga-exec-"); err != nil {
				t.Fatal(err)
			}
		}
		options.CacheDir = sharedCache
	}
	options.Log = slog.New(slog.NewTextHandler(b.log, nil))
	e, err := exec.New(options)
	if err != nil {
		t.Fatal(err)
	}
	b.Executor = e
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if n := e.MemoryInUse(); n != 0 {
			t.Errorf("%d bytes of the guests' memory were not given back", n)
		}
	})
	return b
}

func ref(name string) mesh.FuncRef {
	return mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name}
}

// native registers f and gives how to call it.
func native[In, Out any](t testing.TB, b bench, name string, limits mesh.Limits, f func(context.Context, In) (Out, error)) mesh.FuncInfo {
	t.Helper()
	if err := b.Handle(ref(name), fn.Wrap(f), limits); err != nil {
		t.Fatal(err)
	}
	return mesh.FuncInfo{Ref: ref(name), Kind: mesh.Native}
}

// call encodes args, invokes info and decodes the result.
func call[Out any](ctx context.Context, b bench, info mesh.FuncInfo, lib fn.Library, args ...any) (out Out, err error) {
	values := make([]mesh.Value, len(args))
	for i, arg := range args {
		if values[i], err = codec.Encode(arg); err != nil {
			return out, err
		}
	}
	result, err := b.Invoke(ctx, exec.Invocation{Func: info, Args: values, Library: lib})
	if err != nil {
		return out, err
	}
	return out, codec.Decode(result, &out)
}

func wantError(t testing.TB, err error, kind mesh.ErrorKind, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, expected %v with %q", err, kind, text)
	}
}

// state is a library over lattices in memory, on one executor.
type state struct {
	bench bench
	mu    sync.Mutex
	cells map[mesh.Key]lattice.Value
	infos map[string]mesh.FuncInfo
	clock lattice.Stamp
}

func newState(b bench) *state {
	return &state{bench: b, cells: map[mesh.Key]lattice.Value{}, infos: map[string]mesh.FuncInfo{}}
}

func (s *state) ID() mesh.InvocationID { panic("the executor answers this itself") }

func (s *state) Namespace() string { panic("the executor answers this itself") }

func (s *state) Recv(context.Context, time.Duration) ([]fn.Message, error) {
	panic("the executor answers this itself")
}

func (s *state) Get(_ context.Context, key mesh.Key) (lattice.Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.cells[key]
	if !ok {
		return lattice.Value{}, mesh.Errorf(mesh.NotFound, "get", "no key %v", key)
	}
	return value, nil
}

func (s *state) Put(_ context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.cells[key]
	if !ok {
		value = lattice.New(kind)
	}
	if value.Kind() != kind {
		return mesh.Errorf(mesh.KindMismatch, "put", "the key holds a %v", value.Kind())
	}
	s.clock = s.clock.Next(time.Now())
	delta, err := lattice.Apply(value, op, lattice.Write{Stamp: s.clock, Writer: "test"})
	if err != nil {
		return mesh.Errorf(mesh.Invalid, "put", "%w", err)
	}
	if _, err := value.Merge(delta); err != nil {
		return err
	}
	s.cells[key] = value
	return nil
}

func (s *state) Delete(_ context.Context, key mesh.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cells, key)
	return nil
}

func (s *state) Call(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.Value, error) {
	info, ok := s.infos[ref.Name]
	if !ok {
		return mesh.Value{}, mesh.Errorf(mesh.NotFound, "call", "no function %v", ref)
	}
	return s.bench.Invoke(ctx, exec.Invocation{Func: info, Args: args, Library: s})
}

func (s *state) Start(context.Context, mesh.FuncRef, []mesh.Value) (mesh.RunID, error) {
	return mesh.RunID{}, mesh.Errorf(mesh.Unavailable, "start", "no runs here")
}

func (s *state) CallDAG(context.Context, mesh.FuncRef, []fn.StageArg) (mesh.Value, error) {
	return mesh.Value{}, mesh.Errorf(mesh.Unavailable, "call dag", "no dags here")
}

func (s *state) StartDAG(context.Context, mesh.FuncRef, []fn.StageArg) (mesh.RunID, error) {
	return mesh.RunID{}, mesh.Errorf(mesh.Unavailable, "start dag", "no dags here")
}

func (s *state) Await(context.Context, mesh.RunID, bool) (mesh.RunState, mesh.Value, error) {
	return 0, mesh.Value{}, mesh.Errorf(mesh.NotFound, "await", "no runs here")
}

func (s *state) Send(_ context.Context, to mesh.InvocationID, body mesh.Value) error {
	return s.bench.Deliver(to, exec.Message{Message: fn.Message{From: to, Body: body}})
}

// built compiles a package of testdata or the examples once per process.
func built(t testing.TB, dir string) []byte {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	if wasm, ok := builds.byDir[dir]; ok {
		return wasm
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	wasm, err := wasmbuild.Build(ctx, filepath.FromSlash(dir))
	if err != nil {
		t.Fatal(err)
	}
	if builds.byDir == nil {
		builds.byDir = map[string][]byte{}
	}
	builds.byDir[dir] = wasm
	return wasm
}

var builds struct {
	sync.Mutex
	byDir map[string][]byte
}

var fnMessage = exec.Message{Message: fn.Message{Body: mesh.Value{Format: mesh.Raw}}}
