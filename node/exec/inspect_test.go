package exec_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/fn/abi"
)

func TestInspectSaysWhatAModuleOffers(t *testing.T) {
	b := start(t, exec.Options{})
	info, err := b.Inspect(t.Context(), guestOf(opUnreachable).assemble())
	if err != nil || info.Kind != mesh.Wasm || len(info.Functions) != 1 || info.Functions[0] != "f" {
		t.Errorf("%+v, %v", info, err)
	}
	command := wat{pages: 1, functions: []watFunction{{name: "_start"}}}
	info, err = b.Inspect(t.Context(), command.assemble())
	if err != nil || info.Kind != mesh.Command || len(info.Functions) != 0 || len(info.Hash) != 64 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestInspectSaysWhatIsWrong(t *testing.T) {
	b := start(t, exec.Options{Limits: mesh.Limits{Memory: 1 << 20, Time: time.Second}})
	changed := func(change func(*wat)) []byte {
		w := guestOf(opUnreachable)
		change(&w)
		return w.assemble()
	}
	valid := guestOf(opUnreachable).assemble()
	for name, test := range map[string]struct {
		module []byte
		text   string
	}{
		"empty":          {nil, `not WebAssembly: it begins with ""`},
		"text":           {[]byte("package main\n"), `it begins with "package " (70 61 63 6b 61 67 65 20), expected "\x00asm" (00 61 73 6d)`},
		"ELF":            {[]byte("\x7fELF\x02\x01\x01\x00"), `it begins with "\x7fELF`},
		"magic only":     {[]byte("\x00asm"), "not WebAssembly"},
		"component":      {[]byte("\x00asm\x0d\x00\x01\x00"), "a component: expected a core module"},
		"other version":  {[]byte("\x00asm\x02\x00\x00\x00"), "version 02 00 00 00: expected 01 00 00 00"},
		"truncated":      {valid[:len(valid)-3], "does not compile"},
		"garbage inside": {append(bytes.Clone(valid[:8]), 0xff, 0x01, 0x02), "does not compile"},
		"too large":      {make([]byte, exec.MaxModule+1), "expected at most 50331648"},
		"no memory":      {changed(func(w *wat) { w.noExport = true }), `exports no memory called "memory"`},
		"much memory":    {changed(func(w *wat) { w.pages = 100 }), "starts with 6553600 bytes of memory: expected at most 1048576"},
		"a huge table":   {changed(func(w *wat) { w.table = 1 << 24 }), "a table of 16777216 elements: expected at most 1048576"},
		"neither kind":   {wat{pages: 1, functions: []watFunction{{name: "run"}}}.assemble(), "neither virga_abi nor _start: expected a module of the guest ABI or a WASI command; it exports run"},
		"no call":        {changed(func(w *wat) { w.functions = w.functions[:3] }), "does not export the function virga_call (i32, i32, i32) -> (i64)"},
		"other call":     {changed(func(w *wat) { w.functions[3].params = []byte{i32} }), "exports virga_call as (i32) -> (i64): expected (i32, i32, i32) -> (i64)"},
		"other ABI":      {changed(func(w *wat) { w.functions[0].code = i32Const(2) }), "version 2 of the guest ABI: expected 1"},
		"no functions":   {changed(func(w *wat) { w.functions[2].code = i64Const(0) }), "has no function"},
		"wrong name":     {changed(func(w *wat) { w.data = " " }), "gives a wrong name"},
		"traps at once":  {changed(func(w *wat) { w.functions[0].code = []byte{opUnreachable} }), "does not start: the module trapped: unreachable"},
		"wild names":     {changed(func(w *wat) { w.functions[2].code = i64Const(-1) }), "broke the guest ABI"},
		"unknown module": {
			changed(func(w *wat) { w.imports = []watImport{{"env", "f", nil, nil}} }),
			"imports env.f: expected imports from wasi_snapshot_preview1 and virga only",
		},
		"unknown import": {
			changed(func(w *wat) { w.imports = []watImport{{abi.HostModule, "steal", nil, nil}} }),
			"imports virga.steal, which this node does not have",
		},
		"wrong import": {
			changed(func(w *wat) { w.imports = []watImport{{abi.HostModule, abi.Take, nil, nil}} }),
			"imports virga.take as () -> (): expected (i32, i32) -> (i32)",
		},
		"start with arguments": {
			wat{pages: 1, functions: []watFunction{{name: "_start", params: []byte{i32}}}}.assemble(), "exports _start as (i32) -> (): expected () -> ()",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Inspect(t.Context(), test.module)
			wantError(t, err, mesh.Invalid, test.text)
		})
	}
	spinning := changed(func(w *wat) { w.functions[0].code = []byte{opLoop, opVoid, opBr, 0, opEnd, opUnreachable} })
	_, err := b.Inspect(t.Context(), spinning)
	wantError(t, err, mesh.DeadlineExceeded, "")
}

func TestCompiledModulesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	var written [2]time.Time
	for i := range written {
		b := start(t, exec.Options{CacheDir: dir})
		if _, err := b.Inspect(t.Context(), guestOf(opUnreachable).assemble()); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("files in the cache: %v, %v; expected one", files, err)
		}
		info, err := os.Stat(files[0])
		if err != nil {
			t.Fatal(err)
		}
		written[i] = info.ModTime()
	}
	if !written[0].Equal(written[1]) {
		t.Error("the module was compiled again")
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	dir := t.TempDir()
	folder := func() (files []string, bytes int64) {
		files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
		for _, file := range files {
			info, statErr := os.Stat(file)
			if err = errors.Join(err, statErr); err == nil {
				bytes += info.Size()
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		return files, bytes
	}
	b := start(t, exec.Options{CacheDir: dir})
	if _, err := b.Inspect(t.Context(), guestOf(opUnreachable).assemble()); err != nil {
		t.Fatal(err)
	}
	first, one := folder()
	bounded := start(t, exec.Options{CacheDir: dir, CacheBytes: 3 * one})
	for nops := range 6 {
		code := append(bytes.Repeat(append(i32Const(1), opDrop), nops), opUnreachable)
		if _, err := bounded.Inspect(t.Context(), guestOf(code...).assemble()); err != nil {
			t.Fatal(err)
		}
		if files, held := folder(); held > 3*one || len(files) == 0 {
			t.Errorf("after %d modules: %d files with %d bytes, expected some with at most %d", nops+1, len(files), held, 3*one)
		}
	}
	if files, _ := folder(); slices.Contains(files, first[0]) {
		t.Error("the file that was written first is still there")
	}
}

func TestADamagedCacheIsEmptied(t *testing.T) {
	dir := t.TempDir()
	module := guestOf(opUnreachable).assemble()
	for i := range 4 {
		b := start(t, exec.Options{CacheDir: dir})
		if _, err := b.Inspect(t.Context(), module); err != nil {
			t.Errorf("start %d: %v", i, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		damage(t, dir, i)
	}
}

// damage cuts or changes each file below dir.
func damage(t *testing.T, dir string, how int) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in the cache: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		switch how {
		case 0:
			content = content[:len(content)/2]
		case 1:
			content = nil
		default:
			content[len(content)/2] ^= 0xff
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(guestOf(opUnreachable).assemble())
	b := start(f, exec.Options{Limits: mesh.Limits{Memory: 1 << 20, Time: time.Second}})
	f.Fuzz(func(t *testing.T, module []byte) {
		if _, err := b.Inspect(t.Context(), module); err != nil && mesh.KindOf(err) == mesh.Internal {
			t.Error(err)
		}
	})
}
