// Package golden plays scripts to state machines, and compares what they do
// with what the scripts say, and texts with files. It is for tests.
package golden

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden scripts with what the machines do now")

// Scripts runs each script of a folder in testdata, with a machine of its
// own. A script is a list of steps; a step is lines of commands, "----", lines
// of expected output, and an empty line. A step without "----" that starts
// with # is prose. A command that gives nothing adds no line.
func Scripts(t *testing.T, folder string, start func() func(command string) string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts in testdata/%s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, path, play(string(script), start()))
		})
	}
}

// Text compares a text with a file of testdata.
func Text(t *testing.T, file, got string) {
	t.Helper()
	compare(t, filepath.Join("testdata", file), []byte(got))
}

// compare sees that a file holds what is given, or has it do so.
func compare(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: it is now\n%s\nwhere the file has\n%s", path, got, want)
	}
}

// Words runs scripts of commands that are words.
func Words(t *testing.T, folder string, start func() func(words []string) string) {
	t.Helper()
	Scripts(t, folder, func() func(string) string {
		do := start()
		return func(command string) string { return do(strings.Fields(command)) }
	})
}

func play(script string, do func(command string) string) []byte {
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

// Number reads a number of a script, and panics where there is none: a
// script of ours is wrong.
func Number(word string) float64 {
	f, err := strconv.ParseFloat(word, 64)
	if err != nil {
		panic(err)
	}
	return f
}

// Span reads a duration of a script, as Number reads a number.
func Span(word string) time.Duration {
	d, err := time.ParseDuration(word)
	if err != nil {
		panic(err)
	}
	return d
}
