package elastic

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Verdict is what the figures of one moment call for.
type Verdict struct {
	Live   int         // nodes
	Wanted int         // nodes
	Node   mesh.NodeID // the one to go, where Wanted is less than Live
	Reason string      // in words
}

// Judge says how many nodes the live ones are to be, by what is known of
// their load. A node of which nothing is known, as of one that has just come,
// takes no part in the load; but while there is such a node none is removed.
func (p Policy) Judge(live []mesh.NodeID, loads map[mesh.NodeID]Load) Verdict {
	m := measure(live, loads)
	stay := func(format string, args ...any) Verdict {
		return Verdict{Live: m.live, Wanted: m.live, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case m.live < p.Min:
		return Verdict{Live: m.live, Wanted: p.Min, Reason: fmt.Sprintf("%s live: %d are to be there at least", count(m.live), p.Min)}
	case p.Max > 0 && m.live > p.Max:
		return Verdict{Live: m.live, Wanted: p.Max, Node: m.idlest, Reason: fmt.Sprintf("%s live: %d are to be there at most", count(m.live), p.Max)}
	case 2*m.known < m.live:
		return stay("of %s %d tell their load", count(m.live), m.known)
	}
	wanted, reason := p.more(m)
	switch {
	case wanted > m.live && p.Max > 0 && m.live == p.Max:
		return stay("%s; but %d nodes are as many as may be", reason, p.Max)
	case wanted > m.live && p.Max > 0:
		return Verdict{Live: m.live, Wanted: min(wanted, p.Max), Reason: reason}
	case wanted > m.live:
		return Verdict{Live: m.live, Wanted: wanted, Reason: reason}
	case m.live > p.Min && m.live > 1 && m.known == m.live && p.isLow(m):
		return Verdict{
			Live: m.live, Wanted: m.live - 1, Node: m.idlest,
			Reason: fmt.Sprintf("utilisation is %s, below %s", percent(m.utilisation), percent(p.Utilisation.Low)),
		}
	}
	return stay("utilisation is %s", percent(m.utilisation))
}

// more gives how many nodes are wanted, and why, where that is more than live.
func (p Policy) more(m measured) (int, string) {
	switch {
	case m.utilisation > p.Utilisation.High:
		// So many that each would be just busy enough; a doubling is far enough a guess.
		wanted := int(math.Ceil(m.busy / p.Utilisation.High))
		return min(max(wanted, m.live+1), 2*m.live), fmt.Sprintf("utilisation is %s, above %s", percent(m.utilisation), percent(p.Utilisation.High))
	case p.Disk.High > 0 && m.disk > p.Disk.High:
		return m.live + 1, fmt.Sprintf("the disk of a node is %s full, above %s", percent(m.disk), percent(p.Disk.High))
	case p.Memory.High > 0 && m.memory > p.Memory.High:
		return m.live + 1, fmt.Sprintf("the memory of a node is %s full, above %s", percent(m.memory), percent(p.Memory.High))
	case p.Latency > 0 && m.latency > p.Latency && m.utilisation >= p.Utilisation.Low:
		return m.live + 1, fmt.Sprintf("the slowest 1 %% of requests take %v, above %v", m.latency.Round(10*time.Microsecond), p.Latency)
	}
	return m.live, ""
}

// isLow reports whether one node fewer does by every measure.
func (p Policy) isLow(m measured) bool {
	left := float64(m.live - 1)
	return m.utilisation < p.Utilisation.Low && m.busy/left < p.Utilisation.High &&
		(p.Disk.High == 0 || m.disk < p.Disk.Low) &&
		(p.Memory.High == 0 || m.memory < p.Memory.Low) &&
		(p.Latency == 0 || m.latency <= p.Latency)
}

// measured is what the figures of all live nodes come to.
type measured struct {
	live, known  int // nodes; those of which the load is known
	busy         float64
	utilisation  float64 // busy of live
	memory, disk float64 // of the fullest
	latency      time.Duration
	idlest       mesh.NodeID // of those that are known; of any where none is
}

func measure(live []mesh.NodeID, loads map[mesh.NodeID]Load) measured {
	m := measured{live: len(live)}
	var slow time.Duration
	var asked int
	var known []mesh.NodeID
	for _, node := range live {
		load, ok := loads[node]
		if !ok {
			continue
		}
		known = append(known, node)
		m.busy += load.Utilisation()
		m.memory, m.disk = max(m.memory, load.Memory), max(m.disk, load.Disk)
		if load.Latency > 0 {
			slow += load.Latency
			asked++
		}
	}
	m.known = len(known)
	if m.live > 0 {
		m.utilisation = m.busy / float64(m.live)
	}
	if asked > 0 {
		m.latency = slow / time.Duration(asked)
	}
	m.idlest = idlest(known, live, loads)
	return m
}

// idlest gives the node with the least load, to a hundredth; of several the
// one with the highest id, which is the last to run a hook.
func idlest(known, live []mesh.NodeID, loads map[mesh.NodeID]Load) mesh.NodeID {
	if len(known) == 0 {
		known = live
	}
	if len(known) == 0 {
		return ""
	}
	return slices.MinFunc(known, func(a, b mesh.NodeID) int {
		x, y := math.Round(100*loads[a].Utilisation()), math.Round(100*loads[b].Utilisation())
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(b, a))
	})
}

func percent(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) }

func count(nodes int) string {
	if nodes == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", nodes)
}
