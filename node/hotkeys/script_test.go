package hotkeys

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh"
)

func named(name string) mesh.Key { return mesh.Key{Namespace: "default", Name: name} }

// rates writes keys with their rates.
func rates(rated []Rated) string {
	var words []string
	for _, r := range rated {
		words = append(words, fmt.Sprintf("%s %.2f", r.Key.Name, r.Rate))
	}
	return strings.Join(words, ", ")
}

func TestCounterScripts(t *testing.T) {
	golden.Words(t, "counter", func() func([]string) string {
		c := newCounter(4, 10*time.Second)
		return func(words []string) string {
			switch words[0] {
			case "counter": // of so many keys, and a life
				c = newCounter(int(golden.Number(words[1])), golden.Span(words[2]))
			case "read": // a key, so many times
				c.Add(named(words[1]), golden.Number(words[2]))
			case "pass":
				c.Decay(golden.Span(words[1]))
			case "steady": // a key, so many times a second, for so many seconds
				for range int(golden.Number(words[3])) {
					c.Add(named(words[1]), golden.Number(words[2]))
					c.Decay(time.Second)
				}
			case "top":
				return "top: " + rates(c.Top())
			case "hot": // with so many deviations, and at least this rate
				return "hot: " + rates(hot(c.Top(), c.bound, golden.Number(words[1]), golden.Number(words[2])))
			default:
				return "unknown command " + words[0]
			}
			return ""
		}
	})
}

func TestRaisingScripts(t *testing.T) {
	golden.Words(t, "raising", func() func([]string) string {
		r := newRaising(Options{Rate: 100, MaxExtra: 4, Grace: 10 * time.Second, Period: time.Second, Counted: 4})
		start := time.Unix(0, 0)
		now := start
		return func(words []string) string {
			switch words[0] {
			case "report": // node, key, rate
				r.Report(mesh.NodeID(words[1]), named(words[2]), golden.Number(words[3]), now)
			case "forget":
				r.Forget(named(words[1]))
			case "tick": // after a time
				now = now.Add(golden.Span(words[1]))
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
