package watch

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden scripts with what the machines do now")

// runScripts runs each script of a folder in testdata. A script is a list of
// steps; a step is lines of commands, "----", lines of expected output, and
// an empty line. Lines before the first step that start with # are prose.
func runScripts(t *testing.T, folder string, start func() func(command string) string) {
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts in testdata/%s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(string(want), start())
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s: the machine does\n%s\nwhere the script has\n%s", path, got, want)
			}
		})
	}
}

func runScript(script string, do func(command string) string) []byte {
	var out bytes.Buffer
	for i, step := range strings.Split(strings.TrimSpace(script), "\n\n") {
		if i > 0 {
			out.WriteByte('\n')
		}
		commands, _, found := strings.Cut(step, "\n----")
		out.WriteString(commands + "\n")
		if !found && strings.HasPrefix(commands, "#") {
			continue
		}
		out.WriteString("----\n")
		for line := range strings.Lines(commands) {
			if result := do(strings.TrimSpace(line)); result != "" {
				fmt.Fprintln(&out, result)
			}
		}
	}
	return out.Bytes()
}
