package replica

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh"
)

func TestSettlementScripts(t *testing.T) {
	golden.Scripts(t, "settlement", func() func(string) string {
		s := newSettlement("a", settlementRules{
			interval: func() time.Duration { return 10 * time.Second },
			first:    100 * time.Millisecond, longest: time.Second, pulls: 2,
		})
		return (&settlementScript{s: s, now: time.Unix(0, 0), comparisons: map[string]comparison{}, pulls: map[string]pull{}}).do
	})
}

type settlementScript struct {
	s           *settlement
	now         time.Time
	comparisons map[string]comparison
	pulls       map[string]pull
}

func (x *settlementScript) do(command string) string {
	verb, rest, _ := strings.Cut(command, " ")
	subject, _, _ := strings.Cut(rest, " ")
	switch verb {
	case "view": // view a b c: 1=ab 2=bc
		x.s.View(scriptedView(rest), x.now)
	case "up":
		x.s.PeerUp(mesh.NodeID(subject), x.now)
	case "compared": // compared b theirs=1:7 mine=1:5 sees=abc
		c, ok := x.comparisons[subject]
		if !ok {
			return "no comparison with " + subject
		}
		var sees []mesh.NodeID
		for _, id := range argument(rest, "sees") {
			sees = append(sees, mesh.NodeID(id))
		}
		x.s.Compared(c, scriptedDigests(argument(rest, "theirs")), scriptedDigests(argument(rest, "mine")), sees, x.now)
	case "not-compared":
		x.s.NotCompared(x.comparisons[subject], x.now)
	case "pulled": // pulled 1 theirs=7 mine=7
		d := x.pulls[subject]
		x.s.Pulled(d, number(argument(rest, "theirs")), number(argument(rest, "mine")), argument(rest, "whole") != "no")
	case "not-pulled":
		x.s.NotPulled(x.pulls[subject], x.now)
	case "wait":
		d, err := time.ParseDuration(subject)
		if err != nil {
			return err.Error()
		}
		x.now = x.now.Add(d)
	case "act":
		return x.act()
	case "unsettled":
		if x.s.Settled() != (x.s.Count() == 0) {
			return fmt.Sprintf("settled: %v, with %d partitions that are not", x.s.Settled(), x.s.Count())
		}
		return fmt.Sprintf("partition %s: %v; %d in all", subject, names(x.s.Unsettled(mesh.Partition(number(subject)))), x.s.Count())
	default:
		return "unknown command " + verb
	}
	return ""
}

// act prints all that is due.
func (x *settlementScript) act() string {
	var out []string
	for _, c := range x.s.Comparisons(x.now) {
		x.comparisons[string(c.peer)] = c
		out = append(out, "compare with "+string(c.peer))
	}
	for _, d := range x.s.Pulls(x.now) {
		x.pulls[fmt.Sprint(int(d.partition))] = d
		out = append(out, fmt.Sprintf("pull %d from %s", int(d.partition), string(d.peer)))
	}
	taken := x.s.Taken()
	for _, id := range []mesh.NodeID{"b", "c", "d"} {
		for _, d := range taken[id] {
			out = append(out, fmt.Sprintf("tell %s that %d is taken over at %d", string(id), int(d.partition), d.digest))
		}
	}
	if len(out) == 0 {
		out = append(out, "nothing to do")
	}
	if next, any := x.s.Next(); any {
		out = append(out, fmt.Sprint("next in ", next.Sub(x.now)))
	}
	return strings.Join(out, "\n")
}

// scriptedView reads "a b c: 1=ab 2=bc": who lives, and who owns what.
func scriptedView(text string) *ownership {
	live, owned, _ := strings.Cut(text, ":")
	var ids []mesh.NodeID
	for id := range strings.FieldsSeq(live) {
		ids = append(ids, mesh.NodeID(id))
	}
	return newOwnership(ids, func(p mesh.Partition) (owners []mesh.NodeID) {
		for _, id := range argument(owned, strconv.Itoa(int(p))) {
			owners = append(owners, mesh.NodeID(id))
		}
		return owners
	})
}

// scriptedDigests reads "1:7,2:9": the digests of partitions that are not empty.
func scriptedDigests(text string) []uint64 {
	digests := make([]uint64, mesh.Partitions)
	for pair := range strings.SplitSeq(text, ",") {
		if p, digest, ok := strings.Cut(pair, ":"); ok {
			digests[number(p)] = number(digest)
		}
	}
	return digests
}

func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func TestReleaseScripts(t *testing.T) {
	golden.Scripts(t, "release", func() func(string) string {
		r := newRelease("a")
		return func(command string) string {
			verb, rest, _ := strings.Cut(command, " ")
			switch verb {
			case "view":
				r.View(scriptedView(rest))
			case "confirmed": // confirmed b 1:7
				by, what, _ := strings.Cut(rest, " ")
				for p, digest := range scriptedDigests(what) {
					if digest != 0 {
						r.Confirmed(mesh.NodeID(by), partitionDigest{mesh.Partition(p), digest})
					}
				}
			case "dropped":
				r.Dropped(mesh.Partition(number(rest)))
			case "drops":
				var out []string
				for _, d := range r.Drops() {
					out = append(out, fmt.Sprintf("drop %d at %d", int(d.partition), d.digest))
				}
				if len(out) == 0 {
					return "nothing to drop"
				}
				return strings.Join(out, "\n")
			default:
				return "unknown command " + verb
			}
			return ""
		}
	})
}

func TestPartitionSets(t *testing.T) {
	var s partitionSet
	for _, p := range []mesh.Partition{0, 63, 64, mesh.Partitions - 1} {
		s.add(p)
	}
	decoded, err := decodePartitionSet(s.encode())
	if err != nil || decoded != s || decoded.len() != 4 {
		t.Errorf("it travels as %v, %v", slices.Collect(decoded.all()), err)
	}
	if _, err := decodePartitionSet(s.encode()[1:]); err == nil {
		t.Error("a set that is cut is taken")
	}
	if _, err := decodeDigests(encodeDigests([]partitionDigest{{mesh.Partitions, 1}})); err == nil {
		t.Error("a partition that there is not is taken")
	}
}
