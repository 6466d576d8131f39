package watch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// TestGathering runs the scripts in testdata/gathering:
//
//	token [n=incarnation:next...]          begins a page after these places
//	begin                                  begins a page without a token
//	ask n                                  what the node is asked for
//	answer n at=incarnation:next [k=v...]  the node tells keys: v is elements of a set,
//	                                       joined by +; - is deleted, ! omitted, ? expired
//	lost n at=incarnation:next             the node does not have the changes any more
//	big n at=incarnation:next k=v          an answer of maxGathered bytes
//	outcome                                the events, and where the watcher stands
func TestGathering(t *testing.T) {
	golden.Scripts(t, "gathering", func() func(string) string {
		s := &gatheringScript{t: t}
		return s.do
	})
}

type gatheringScript struct {
	t     *testing.T
	g     *gathering
	names map[nodeTag]string
}

func (s *gatheringScript) do(command string) string {
	words := strings.Fields(command)
	switch words[0] {
	case "token":
		from := places{}
		s.names = map[nodeTag]string{}
		for _, word := range words[1:] {
			name, at, _ := strings.Cut(word, "=")
			from[s.tag(name)] = s.place(at)
		}
		s.g = newGathering(from, false)
	case "begin":
		s.names = map[nodeTag]string{}
		s.g = newGathering(places{}, true)
	case "ask":
		s.tag(words[1])
		at, now := s.g.ask(mesh.NodeID(words[1]))
		if now {
			return "where it stands"
		}
		return fmt.Sprintf("%d:%d", at.incarnation, at.next)
	case "answer", "big":
		return s.answer(words)
	case "lost":
		s.tag(words[1])
		s.g.answer(mesh.NodeID(words[1]), told{lost: true, at: s.place(strings.TrimPrefix(words[2], "at="))})
	case "outcome":
		return s.outcome()
	default:
		s.t.Fatalf("unknown command %q", command)
	}
	return ""
}

func (s *gatheringScript) tag(name string) nodeTag {
	tag := tagOf(mesh.NodeID(name))
	s.names[tag] = name
	return tag
}

func (s *gatheringScript) place(text string) place {
	incarnation, next, _ := strings.Cut(text, ":")
	return place{s.number(incarnation), s.number(next)}
}

func (s *gatheringScript) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *gatheringScript) answer(words []string) string {
	s.tag(words[1])
	t := told{at: s.place(strings.TrimPrefix(words[2], "at="))}
	for _, word := range words[3:] {
		name, state, _ := strings.Cut(word, "=")
		e := event{name: name, omitted: state == "!"}
		switch state {
		case "!":
		case "-":
			e.cell = lattice.NewCell(lattice.Stamp{Time: 1000, Node: "n"}, lattice.Value{})
		case "?":
			e.cell = lattice.NewCell(lattice.Stamp{Time: 2000}, lattice.Value{})
		default:
			e.cell = setOf(s.t, strings.Split(state, "+")...)
		}
		t.keys = append(t.keys, e)
		t.bytes++
	}
	if words[0] == "big" {
		t.bytes = maxGathered
	}
	if !s.g.answer(mesh.NodeID(words[1]), t) {
		return "left for the next page"
	}
	return ""
}

func setOf(t *testing.T, elements ...string) lattice.Cell {
	v := lattice.New(lattice.SetKind)
	delta, err := lattice.Apply(v, lattice.AddOp(elements...), lattice.Write{})
	if err != nil {
		t.Fatal(err)
	}
	return lattice.NewCell(lattice.Stamp{}, delta)
}

func (s *gatheringScript) outcome() string {
	after, events := s.g.outcome()
	var lines []string
	if s.g.lagged() {
		lines = append(lines, "lagged")
	}
	for _, e := range events {
		state := strings.Join(slices.Collect(elementsOf(e.cell)), "+")
		switch _, exists := e.cell.Value(); {
		case e.omitted:
			state = "omitted"
		case !exists && e.cell.ResetByExpiry():
			state = "expired"
		case !exists:
			state = "deleted"
		}
		lines = append(lines, e.name+" "+state)
	}
	var stands []string
	for tag, at := range after {
		stands = append(stands, fmt.Sprintf("%s=%d:%d", s.names[tag], at.incarnation, at.next))
	}
	slices.Sort(stands)
	return strings.Join(append(lines, "at "+strings.Join(stands, " ")), "\n")
}

func elementsOf(c lattice.Cell) func(func(string) bool) {
	v, _ := c.Value()
	return v.Elements()
}
