package replica

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func TestGraveScripts(t *testing.T) {
	golden.Scripts(t, "graves", func() func(string) string {
		g := newGraves(graveRules{after: time.Minute, takeover: 15 * time.Second, settle: 20 * time.Second, bound: 2})
		start := time.UnixMilli(1_000_000)
		now := start
		return func(command string) string {
			words := append(strings.Fields(command), "", "")
			n, _ := strconv.Atoi(words[2])
			mark := mesh.Tombstone{Key: key(words[1]), Digest: uint64(n), Since: lattice.Stamp{Time: uint64(start.UnixMilli()) << 16}}
			said := func(yes bool) string { return fmt.Sprintf("%v: %v", now.Sub(start), yes) }
			switch words[0] {
			case "due":
				return said(g.Due(mark.Since, n, now))
			case "agreed":
				g.Agreed(mark, now)
			case "ripe":
				return said(g.Ripe(mark, now))
			case "over":
				g.Over(mark.Key)
			case "view":
				view, _ := strconv.Atoi(words[1])
				g.View(uint64(view))
			case "wait":
				d, err := time.ParseDuration(words[1])
				if err != nil {
					return err.Error()
				}
				now = now.Add(d)
			default:
				return "unknown command " + words[0]
			}
			return ""
		}
	})
}
