package node_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/internal/wasmbuild"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

const (
	squareModule  = "../examples/square"
	guestModule   = "exec/testdata/guest"   // functions of all manners, some of them bad
	commandModule = "exec/testdata/command" // a plain WASI command
)

var modules struct {
	sync.Mutex
	byFolder map[string][]byte
}

// module builds the program in a folder, once.
func module(t *testing.T, folder string) []byte {
	t.Helper()
	modules.Lock()
	defer modules.Unlock()
	if wasm, ok := modules.byFolder[folder]; ok {
		return wasm
	}
	wasm, err := wasmbuild.Build(within(t, 5*time.Minute), filepath.FromSlash(folder))
	if err != nil {
		t.Fatal(err)
	}
	if modules.byFolder == nil {
		modules.byFolder = map[string][]byte{}
	}
	modules.byFolder[folder] = wasm
	return wasm
}

// deploy makes a program's function the current version of name, and gives the version.
func deploy(t *testing.T, c *sdk.Client, name, folder, export string) string {
	t.Helper()
	info, err := c.Deploy(within(t, time.Minute), name, module(t, folder), sdk.DeployOptions{Export: export})
	if err != nil {
		t.Fatalf("deploy %s: %v", name, err)
	}
	return info.Ref.Version
}

func TestAFunctionDeployedAtOneNodeIsCalledThroughAll(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3})
	deploy(t, dial(t, m, 0), "square", squareModule, "")
	for i := range m.Len() {
		got, err := call[int](t, at(m, i), "square", 7)
		wants(t, "square(7) attached", got, err, 49)
		got, err = call[int](t, dial(t, m, i), "square", 8)
		wants(t, "square(8) dialled", got, err, 64)
	}
	_, err := call[int](t, at(m, 2), "square", "x")
	wantsError(t, `square("x")`, err, mesh.Invalid, "argument 1", "expected int")
}

func TestANewVersionIsWhatEveryNodeRunsFromTheNextCallOn(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3})
	author := dial(t, m, 0)
	first := deploy(t, author, "f", squareModule, "square")
	for i := range m.Len() {
		got, err := call[int](t, at(m, i), "f", 5)
		wants(t, "the first version", got, err, 25)
	}
	second := deploy(t, author, "f", guestModule, "echo")
	for i := range m.Len() {
		got, err := call[int](t, at(m, i), "f", 5)
		wants(t, "the second version", got, err, 5)
		got, err = call[int](t, at(m, i), "f@"+first, 5)
		wants(t, "the first version by name", got, err, 25)
	}
	if err := at(m, 1).UseVersion(within(t, time.Minute), "f", first); err != nil {
		t.Fatal(err)
	}
	for i := range m.Len() {
		got, err := call[int](t, at(m, i), "f", 5)
		wants(t, "the first version again", got, err, 25)
		got, err = call[int](t, at(m, i), "f@"+second, 5)
		wants(t, "the second version by name", got, err, 5)
	}
	versions, err := at(m, 2).GetFunc(within(t, time.Minute), "f")
	if err != nil || versions.Current.Ref.Version != first || len(versions.Versions) != 2 {
		t.Errorf("the versions are %+v, %v", versions, err)
	}
	_, err = call[int](t, at(m, 2), "f@nosuch", 5)
	wantsError(t, "an unknown version", err, mesh.NotFound, "no such version", first, second)
}

func TestADeletedFunctionIsGoneAtEveryNode(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3})
	deploy(t, at(m, 0), "square", squareModule, "")
	for i := range m.Len() {
		got, err := call[int](t, at(m, i), "square", 3)
		wants(t, "square(3)", got, err, 9)
	}
	if err := at(m, 1).DeleteFunc(within(t, time.Minute), "square"); err != nil {
		t.Fatal(err)
	}
	for i := range m.Len() {
		_, err := call[int](t, at(m, i), "square", 3)
		wantsError(t, "square after its deletion", err, mesh.NotFound, "square")
	}
	wantsError(t, "deleting it again", at(m, 2).DeleteFunc(within(t, time.Minute), "square"), mesh.NotFound)
}

func TestAPlainCommandRunsOnEveryNode(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2})
	deploy(t, dial(t, m, 0), "words", commandModule, "")
	for i := range m.Len() {
		got, err := call[string](t, at(m, i), "words", "join", 1, "b")
		wants(t, "the command", got, err, `1 "b"`)
	}
	_, err := call[string](t, at(m, 1), "words", "fail")
	wantsError(t, "a command that fails", err, mesh.UserError, "code 3", "what went wrong")
}

func TestWhatNoNodeCouldRunIsNotDeployed(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	c := dial(t, m)
	for _, test := range []struct {
		what   string
		name   string
		module []byte
		export string
		part   string
	}{
		{"text", "f", []byte("package main"), "", "not WebAssembly"},
		{"nothing", "f", nil, "", "not WebAssembly"},
		{"a component", "f", []byte("\x00asm\x0d\x00\x01\x00"), "", "component"},
		{"half a module", "f", module(t, squareModule)[:1000], "", "does not compile"},
		{"an export that is not there", "f", module(t, squareModule), "cube", "square"},
		{"a bad name", "no spaces", module(t, squareModule), "", "no spaces"},
		{"a version of one's own", "f@1", module(t, squareModule), "", "f@1"},
	} {
		_, err := c.Deploy(within(t, time.Minute), test.name, test.module, sdk.DeployOptions{Export: test.export})
		wantsError(t, test.what, err, mesh.Invalid, test.part)
	}
	_, err := call[int](t, c, "f", 1)
	wantsError(t, "what was not deployed", err, mesh.NotFound)
}

func TestDeployedFunctionsSurviveARestartOfAllNodes(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		deploy(t, at(m, 0), "square", squareModule, "")
		for i := range m.Len() {
			if err := m.Kill(i); err != nil {
				t.Fatal(err)
			}
		}
		for i := range m.Len() {
			if err := m.Restart(within(t, time.Minute), i); err != nil {
				t.Fatal(err)
			}
		}
		for i := range m.Len() {
			got, err := call[int](t, at(m, i), "square", 6)
			wants(t, "square(6) after the restart", got, err, 36)
		}
	})
}
