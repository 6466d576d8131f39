package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// topTable is how all nodes stand, and the hottest keys of the mesh.
type topTable struct {
	Nodes   []topNode    `json:"nodes"`
	HotKeys []topHotKey  `json:"hot_keys"`
	Wanted  *wantedNodes `json:"wanted,omitempty"` // as one of the nodes finds
}

type topNode struct {
	ID    string   `json:"id,omitempty"`
	Addrs []string `json:"addrs"`
	State string   `json:"state"`
	AsOf  string   `json:"as_of,omitempty"` // of one that is unreachable: when it published what follows

	Keys        uint64  `json:"keys"`
	MemoryBytes uint64  `json:"memory_bytes"`
	Memory      float64 `json:"memory_occupancy"`
	DiskBytes   uint64  `json:"disk_bytes"`
	CacheKeys   uint64  `json:"cache_keys"`
	Cache       float64 `json:"cache_occupancy"`
	CacheHits   uint64  `json:"cache_hits"`
	CacheMisses uint64  `json:"cache_misses"`
	Pushes      uint64  `json:"pushes_sent"`

	// Nil: not known, because the node did not answer twice.
	GetRate   *float64 `json:"gets_per_second"`
	WriteRate *float64 `json:"writes_per_second"`

	Sending      uint64  `json:"deltas_sending"`
	OwedKeys     uint64  `json:"keys_owed"`
	OldestOwed   float64 `json:"oldest_owed_seconds"`
	Repairs      uint64  `json:"repairs"`
	Unsettled    uint64  `json:"unsettled_partitions"`
	Damaged      uint64  `json:"damaged_records"`
	Places       float64 `json:"places_utilisation"`
	Processors   float64 `json:"processors_utilisation"`
	Waiting      uint64  `json:"invocations_waiting"`
	P99Micros    int64   `json:"requests_p99_us"`
	Runs         uint64  `json:"runs"`
	Invocations  uint64  `json:"invocations"`
	RaisedKeys   uint64  `json:"hot_keys"`
	RaisedCopies uint64  `json:"hot_key_copies"`
}

type topHotKey struct {
	Key   string  `json:"key"`
	Rate  float64 `json:"reads_per_second"` // of all nodes that answered
	Nodes int     `json:"nodes"`            // that serve it and count it
	Extra int     `json:"extra_readers"`    // beside its owners
}

func describeTop(s *sampler, keys int) topTable {
	t := topTable{Nodes: []topNode{}, HotKeys: []topHotKey{}}
	for _, n := range s.nodes {
		t.Nodes = append(t.Nodes, describeTopNode(n))
		if t.Wanted == nil && n.now != nil {
			t.Wanted = describeWanted(n.now.Nodes)
		}
	}
	slices.SortFunc(t.Nodes, func(a, b topNode) int {
		return cmp.Or(cmp.Compare(strings.Join(a.Addrs, " "), strings.Join(b.Addrs, " ")), cmp.Compare(a.ID, b.ID))
	})
	t.HotKeys = append(t.HotKeys, hottest(s.nodes, keys)...)
	return t
}

func describeTopNode(n *sampled) topNode {
	d := topNode{Addrs: n.addrs, State: stateUnreachable}
	if n.id != "" {
		d.ID = n.id.String()
	}
	s := n.now
	switch {
	case s != nil && s.Ready:
		d.State = stateReady
	case s != nil:
		d.State = stateNotReady
	case n.last != nil:
		s = n.last
		d.AsOf = s.Published.UTC().Format(time.RFC3339)
	default:
		return d
	}
	d.Keys, d.MemoryBytes, d.Memory, d.DiskBytes = s.Keys, s.MemoryBytes, part(s.MemoryBytes, s.MemoryLimit), s.DiskBytes
	d.CacheKeys, d.Cache, d.CacheHits, d.CacheMisses = s.CacheKeys, part(s.CacheBytes, s.CacheLimit), s.CacheHits, s.CacheMisses
	d.Pushes, d.Sending, d.Repairs, d.Unsettled, d.Damaged = s.PushesSent, s.Sending, s.Repairs, s.Unsettled, s.Damaged
	d.Runs, d.Invocations, d.RaisedKeys, d.RaisedCopies = s.Runs, s.Invocations, s.RaisedKeys, s.RaisedCopies
	d.Places, d.Processors, d.Waiting, d.P99Micros = s.Load.Places, s.Load.Processors, s.Load.Waiting, s.Load.Latency.Microseconds()
	for _, peer := range s.Owed {
		d.OwedKeys += peer.Keys
	}
	d.OldestOwed = oldest(s.Owed).Seconds()
	if rate, known := n.rate("get"); known {
		d.GetRate = &rate
	}
	if rate, known := n.rate("put", "delete"); known {
		d.WriteRate = &rate
	}
	return d
}

// part is how much of a limit is taken, 0 to about 1; 0 without a limit.
func part(taken, limit uint64) float64 {
	if limit == 0 {
		return 0
	}
	return float64(taken) / float64(limit)
}

// hottest adds up what the nodes say of the same key.
func hottest(nodes []*sampled, limit int) []topHotKey {
	byKey := map[mesh.Key]*topHotKey{}
	for _, n := range nodes {
		if n.now == nil {
			continue
		}
		for _, hot := range n.now.HotKeys {
			sum := byKey[hot.Key]
			if sum == nil {
				sum = &topHotKey{Key: hot.Key.String()}
				byKey[hot.Key] = sum
			}
			sum.Rate += hot.Rate
			sum.Nodes++
			sum.Extra = max(sum.Extra, hot.Extra)
		}
	}
	all := slices.SortedFunc(maps.Values(byKey), func(a, b *topHotKey) int {
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(a.Key, b.Key))
	})
	var top []topHotKey
	for _, hot := range all[:min(limit, len(all))] {
		top = append(top, *hot)
	}
	return top
}

func (t topTable) text(w io.Writer) {
	t.Wanted.text(w)
	var rows [][]string
	for _, n := range t.Nodes {
		rows = append(rows, n.row())
	}
	writeTable(w, topHeader, rows)
	if len(t.HotKeys) == 0 {
		return
	}
	fmt.Fprintln(w)
	rows = nil
	for _, hot := range t.HotKeys {
		rows = append(rows, []string{hot.Key, fmt.Sprintf("%.1f", hot.Rate), fmt.Sprint(hot.Nodes), fmt.Sprint(hot.Extra)})
	}
	writeTable(w, []string{"KEY", "READS/S", "NODES", "EXTRA READERS"}, rows)
}

var topHeader = []string{
	"NODE", "ADDRESS", "STATE", "LOAD", "KEYS", "MEMORY", "DISK", "CACHED", "CACHE", "GETS/S", "WRITES/S", "HOT", "LAG", "REPAIRS", "UNSETTLED",
}

func (n topNode) row() []string {
	row := []string{cmp.Or(n.ID, "?"), strings.Join(n.Addrs, " "), n.State}
	if n.AsOf != "" {
		row[2] += ", as of " + n.AsOf
	} else if n.State == stateUnreachable {
		return append(row, slices.Repeat([]string{"-"}, len(topHeader)-len(row))...)
	}
	return append(row,
		percent(max(n.Places, n.Processors)), fmt.Sprint(n.Keys), percent(n.Memory), mebibytes(n.DiskBytes), fmt.Sprint(n.CacheKeys), percent(n.Cache),
		perSecond(n.GetRate), perSecond(n.WriteRate), fmt.Sprint(n.RaisedCopies), n.lag(), fmt.Sprint(n.Repairs), fmt.Sprint(n.Unsettled),
	)
}

func (n topNode) lag() string {
	lag := fmt.Sprintf("%d sending", n.Sending)
	if n.OldestOwed > 0 {
		age := time.Duration(n.OldestOwed * float64(time.Second)).Round(time.Second)
		lag += fmt.Sprintf(", %d owed for %v", n.OwedKeys, age)
	}
	return lag
}

func percent(part float64) string { return fmt.Sprintf("%.0f%%", 100*part) }

func perSecond(rate *float64) string {
	if rate == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f", *rate)
}
