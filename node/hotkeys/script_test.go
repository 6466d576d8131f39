package hotkeys

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

	"github.com/virga-mesh/virga/mesh"
)

var update = flag.Bool("update", false, "rewrite the golden scripts with what the machines do now")

// runScripts runs each script of a folder in testdata. A script is a list of
// steps; a step is lines of commands, "----", lines of expected output, and
// an empty line. Steps that start with # are prose.
func runScripts(t *testing.T, folder string, start func() func(words []string) string) {
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

func runScript(script string, do func(words []string) string) []byte {
	var out bytes.Buffer
	for i, step := range strings.Split(strings.TrimSpace(script), "\n\n") {
		if i > 0 {
			out.WriteByte('\n')
		}
		commands, _, _ := strings.Cut(step, "\n----")
		out.WriteString(commands + "\n")
		if strings.HasPrefix(commands, "#") {
			continue
		}
		out.WriteString("----\n")
		for line := range strings.Lines(commands) {
			if result := do(strings.Fields(line)); result != "" {
				fmt.Fprintln(&out, result)
			}
		}
	}
	return out.Bytes()
}

func named(name string) mesh.Key { return mesh.Key{Namespace: "default", Name: name} }

func number(word string) float64 {
	f, err := strconv.ParseFloat(word, 64)
	if err != nil {
		panic(err) // a script of ours is wrong
	}
	return f
}

func span(word string) time.Duration {
	d, err := time.ParseDuration(word)
	if err != nil {
		panic(err)
	}
	return d
}

// rates writes keys with their rates.
func rates(rated []Rated) string {
	var words []string
	for _, r := range rated {
		words = append(words, fmt.Sprintf("%s %.2f", r.Key.Name, r.Rate))
	}
	return strings.Join(words, ", ")
}

func TestCounterScripts(t *testing.T) {
	runScripts(t, "counter", func() func([]string) string {
		c := newCounter(4, 10*time.Second)
		return func(words []string) string {
			switch words[0] {
			case "counter": // of so many keys, and a life
				c = newCounter(int(number(words[1])), span(words[2]))
			case "read": // a key, so many times
				c.Add(named(words[1]), number(words[2]))
			case "pass":
				c.Decay(span(words[1]))
			case "steady": // a key, so many times a second, for so many seconds
				for range int(number(words[3])) {
					c.Add(named(words[1]), number(words[2]))
					c.Decay(time.Second)
				}
			case "top":
				return "top: " + rates(c.Top())
			case "hot": // with so many deviations, and at least this rate
				return "hot: " + rates(hot(c.Top(), c.bound, number(words[1]), number(words[2])))
			default:
				return "unknown command " + words[0]
			}
			return ""
		}
	})
}

func TestRaisingScripts(t *testing.T) {
	runScripts(t, "raising", func() func([]string) string {
		r := newRaising(Options{Rate: 100, MaxExtra: 4, Grace: 10 * time.Second, Period: time.Second, Counted: 4})
		start := time.Unix(0, 0)
		now := start
		return func(words []string) string {
			switch words[0] {
			case "report": // node, key, rate
				r.Report(mesh.NodeID(words[1]), named(words[2]), number(words[3]), now)
			case "forget":
				r.Forget(named(words[1]))
			case "tick": // after a time
				now = now.Add(span(words[1]))
				var told []string
				for _, w := range r.Tick(now) {
					told = append(told, fmt.Sprintf("%s gets %d", w.key.Name, w.extra))
				}
				if len(told) == 0 {
					told = []string{"nothing changes"}
				}
				return fmt.Sprintf("%v: %s", now.Sub(start), strings.Join(told, ", "))
			case "raised":
				var told []string
				for _, w := range r.Raised() {
					told = append(told, fmt.Sprintf("%s has %d", w.key.Name, w.extra))
				}
				return fmt.Sprintf("%d known; %s", len(r.keys), strings.Join(told, ", "))
			default:
				return "unknown command " + words[0]
			}
			return ""
		}
	})
}
