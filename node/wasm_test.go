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

// To compile a module for the first time takes seconds, and many with the
// race detector: all tests share these two.
const (
	guestModule   = "exec/testdata/guest"   // functions of all manners, some of them bad
	commandModule = "exec/testdata/command" // a plain WASI command
)

// firstCompile bounds a deployment that may be the first of its module.
const firstCompile = 5 * time.Minute

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
	info, err := c.Deploy(within(t, firstCompile), name, module(t, folder), sdk.DeployOptions{Export: export})
	if err != nil {
		t.Fatalf("deploy %s: %v", name, err)
	}
	return info.Ref.Version
}

func TestAFunctionDeployedAtOneNodeIsCalledThroughAll(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3})
	deploy(t, dial(t, m, 0), "square", guestModule, "")
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
	const one, other = "join+x", `"x"` // what the versions make of the arguments "join" and "x"
	m := start(t, simmesh.Options{Nodes: 3})
	author := dial(t, m, 0)
	all := func(when, version, want string) {
		t.Helper()
		for i := range m.Len() {
			got, err := call[string](t, at(m, i), "f"+version, "join", "x")
			wants(t, when, got, err, want)
		}
	}
	first := deploy(t, author, "f", guestModule, "join")
	all("the first version", "", one)
	second := deploy(t, author, "f", commandModule, "")
	all("the second version", "", other)
	all("the first version by name", "@"+first, one)
	if err := at(m, 1).UseVersion(within(t, time.Minute), "f", first); err != nil {
		t.Fatal(err)
	}
	all("the first version again", "", one)
	all("the second version by name", "@"+second, other)
	versions, err := at(m, 2).GetFunc(within(t, time.Minute), "f")
	if err != nil || versions.Current.Ref.Version != first || len(versions.Versions) != 2 {
		t.Errorf("the versions are %+v, %v", versions, err)
	}
	_, err = at(m, 2).Call(within(t, time.Minute), "f@nosuch", "join")
	wantsError(t, "an unknown version", err, mesh.NotFound, "no such version", first, second)
}

func TestADeletedFunctionIsGoneAtEveryNode(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3})
	deploy(t, at(m, 0), "square", guestModule, "")
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
		{"half a module", "f", module(t, guestModule)[:1000], "", "does not compile"},
		{"an export that is not there", "f", module(t, guestModule), "cube", "square"},
		{"a bad name", "no spaces", module(t, guestModule), "", "no spaces"},
		{"a version of one's own", "f@1", module(t, guestModule), "", "f@1"},
	} {
		_, err := c.Deploy(within(t, time.Minute), test.name, test.module, sdk.DeployOptions{Export: test.export})
		wantsError(t, test.what, err, mesh.Invalid, test.part)
	}
	_, err := call[int](t, c, "f", 1)
	wantsError(t, "what was not deployed", err, mesh.NotFound)
}

func TestDeployedFunctionsSurviveARestartOfAllNodes(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		deploy(t, at(m, 0), "square", guestModule, "")
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
