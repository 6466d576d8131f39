package cut

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Scripts speak of nodes a, b, c and of times in minutes, so that 2.5 is half a
// minute later than 2. Commands:
//
//	view <digest> <member>... | broken   the mesh as this node, a, sees it anew
//	vouch <node> <life> <unsure> <time> [<digest>]
//	audits                               those to begin
//	audited <node> [failed]              the one that was begun last for the node
//	has [<node>=<time>]...               whether a has that, and whom to ask
//	held                                 what a has, without asking
func TestMachine(t *testing.T) {
	golden.Words(t, "machine", func() func([]string) string {
		s := &script{machine: newMachine("a", time.Minute), begun: map[mesh.NodeID]Audit{}}
		return s.do
	})
}

type script struct {
	*machine
	begun  map[mesh.NodeID]Audit
	views  uint64
	digest mesh.ID
}

const minute = 60 * 1000 << 16 // as lattice.Stamp.Time counts

func timeOf(word string) uint64 { return uint64(golden.Number(word) * minute) }

func digestOf(word string) (d mesh.ID) {
	copy(d[:], word)
	return d
}

func (s *script) do(words []string) string {
	switch words[0] {
	case "view":
		s.digest = digestOf(words[1])
		s.views++
		v := View{Digest: s.digest, Number: s.views, Whole: true}
		for _, word := range words[2:] {
			if word == "broken" {
				v.Whole = false
				continue
			}
			v.Members = append(v.Members, mesh.NodeID(word))
		}
		s.See(v)
	case "vouch":
		life, _ := strconv.ParseUint(words[2], 10, 64)
		unsure, _ := strconv.ParseUint(words[3], 10, 64)
		view := s.digest
		if len(words) > 5 {
			view = digestOf(words[5])
		}
		s.Vouched(mesh.NodeID(words[1]), Voucher{View: view, Life: life, Unsure: unsure, UpTo: timeOf(words[4])})
	case "audits":
		var names []string
		for _, a := range s.Audits() {
			s.begun[a.Peer] = a
			names = append(names, string(a.Peer))
		}
		return "audit " + strings.Join(names, " ")
	case "audited":
		id := mesh.NodeID(words[1])
		s.Audited(s.begun[id], len(words) == 2)
	case "has":
		var need lattice.Past
		for _, word := range words[1:] {
			node, time, _ := strings.Cut(word, "=")
			need = need.Join(lattice.PastOf(lattice.Stamp{Node: node, Time: timeOf(time)}))
		}
		yes, ask := s.Has(need)
		if yes {
			return "yes"
		}
		return strings.TrimSpace(fmt.Sprint("no ", strings.Join(names(ask), " ")))
	case "held":
		held, told := s.Held(), []string{}
		for id := range s.peers {
			if at := held.Of(string(id)); at > 0 {
				told = append(told, fmt.Sprintf("%s=%g", string(id), float64(at)/minute))
			}
		}
		slices.Sort(told)
		return cmp.Or(strings.Join(told, " "), "nothing")
	default:
		panic("script: " + words[0])
	}
	return ""
}

func names(ids []mesh.NodeID) (names []string) {
	for _, id := range ids {
		names = append(names, string(id))
	}
	return names
}
