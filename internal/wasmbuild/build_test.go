package wasmbuild_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/internal/wasmbuild"
	"github.com/virga-mesh/virga/mesh"
)

// program writes a Go module with one file and gives its folder.
func program(t *testing.T, source string) string {
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": source, "go.mod": "module example\n\ngo 1.24\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestACommandIsBuiltTheSameTwice(t *testing.T) {
	const source = "package main\n\nfunc main() { println(1) }\n"
	first, err := wasmbuild.Build(t.Context(), program(t, source))
	if err != nil {
		t.Fatal(err)
	}
	second, err := wasmbuild.Build(t.Context(), program(t, source))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(first, []byte("\x00asm")) || !bytes.Equal(first, second) {
		t.Errorf("%d bytes, then %d: expected the same module twice", len(first), len(second))
	}
}

func TestWhatDoesNotBuildSaysWhy(t *testing.T) {
	for name, test := range map[string]struct{ dir, want string }{
		"no folder":    {"/nonexistent", "expected a folder"},
		"not Go":       {t.TempDir(), "go list failed"},
		"not a main":   {program(t, "package other\n"), "package other: expected package main"},
		"wrong source": {program(t, "package main\n\nfunc main() { undefinedName() }\n"), "undefinedName"},
	} {
		if _, err := wasmbuild.Build(t.Context(), test.dir); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, expected an Invalid error with %q", name, err, test.want)
		}
	}
}

func TestNoGoTool(t *testing.T) {
	dir := program(t, "package main\n\nfunc main() {}\n")
	t.Setenv("PATH", t.TempDir())
	if _, err := wasmbuild.Build(t.Context(), dir); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), "not on PATH") {
		t.Errorf("%v, expected an Invalid error that names the tool", err)
	}
}

func TestAnOldGoTool(t *testing.T) {
	dir := program(t, "package main\n\nfunc main() {}\n")
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\necho go1.20.1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if _, err := wasmbuild.Build(t.Context(), dir); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), "go1.20.1") {
		t.Errorf("%v, expected an Invalid error that names both versions", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := wasmbuild.Build(ctx, program(t, "package main\n\nfunc main() {}\n")); !errors.Is(err, mesh.Cancelled) {
		t.Errorf("%v, expected Cancelled", err)
	}
}
