package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/sdk"
)

func statusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell how the mesh and each of its nodes stand",
		Long: `Tell how the mesh and each of its nodes stand. Each node that is known is asked
itself; one that does not answer in time is shown as unreachable. How many nodes
the mesh is to have, and why, is told once they have published their load.`,
		Example: "  virga status\n  virga status --output json",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runStatus(cmd.Context(), a) },
	}
}

const (
	askTimeout = 2 * time.Second // for one node
	askAtOnce  = 16              // nodes
)

func runStatus(ctx context.Context, a *app) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		first, err := client.Status(ctx)
		if err != nil {
			return err
		}
		nodes, err := a.askAll(ctx, first)
		if err != nil {
			return err
		}
		return a.show(meshStatus{Mesh: hex.EncodeToString(first.MeshID), Nodes: nodes, Wanted: describeWanted(first.Nodes)})
	})
}

// askAll asks the nodes that the first one knows, and those that only the context knows.
func (a *app) askAll(ctx context.Context, first sdk.NodeStatus) ([]nodeState, error) {
	states := []nodeState{describeNode(first)}
	for _, peer := range first.Peers {
		states = append(states, nodeState{ID: peer.ID.String(), Addrs: peer.Addrs, State: stateUnreachable})
	}
	for _, addr := range a.contextAddrs() {
		if !slices.ContainsFunc(states, func(s nodeState) bool { return slices.Contains(s.Addrs, addr) }) {
			states = append(states, nodeState{Addrs: []string{addr}, State: stateUnreachable})
		}
	}
	var group errgroup.Group
	group.SetLimit(askAtOnce)
	for i := range states[1:] {
		state := &states[1+i]
		group.Go(func() error { a.ask(ctx, state); return nil })
	}
	group.Wait() // no error: who does not answer is unreachable
	slices.SortFunc(states, func(x, y nodeState) int {
		return cmp.Or(cmp.Compare(strings.Join(x.Addrs, " "), strings.Join(y.Addrs, " ")), cmp.Compare(x.ID, y.ID))
	})
	return states, ctx.Err()
}

// contextAddrs are the addresses that the context remembers, if there is one.
func (a *app) contextAddrs() []string {
	saved, err := sdk.LoadContext(a.home)
	if err != nil {
		return nil
	}
	return saved.Addrs
}

func (a *app) ask(ctx context.Context, state *nodeState) {
	if len(state.Addrs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	client, err := a.dial(ctx, sdk.Config{ContextDir: a.home, Addrs: state.Addrs, Pinned: true})
	if err != nil {
		return
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err == nil && (state.ID == "" || state.ID == status.ID.String()) {
		*state = describeNode(status)
	}
}

// The states of nodes.
const (
	stateReady       = "ready"
	stateNotReady    = "not ready"
	stateUnreachable = "unreachable"
)

type meshStatus struct {
	Mesh   string       `json:"mesh"`
	Nodes  []nodeState  `json:"nodes"`
	Wanted *wantedNodes `json:"wanted,omitempty"` // as the node that was asked first finds
}

type nodeState struct {
	ID       string            `json:"id,omitempty"`
	Addrs    []string          `json:"addrs"`
	State    string            `json:"state"`
	Reason   string            `json:"reason,omitempty"`
	Software string            `json:"software,omitempty"`
	Started  string            `json:"started,omitempty"`
	Peers    int               `json:"live_peers"`
	Keys     uint64            `json:"keys"`
	Stored   uint64            `json:"stored_bytes"`
	Cached   uint64            `json:"cached_keys"`
	Running  uint64            `json:"running"`
	Waiting  uint64            `json:"waiting"`  // invocations, for a place
	Capacity uint64            `json:"capacity"` // places
	Labels   map[string]string `json:"labels,omitempty"`
	Resident uint64            `json:"resident_bytes"`
}

func describeNode(s sdk.NodeStatus) nodeState {
	n := nodeState{
		ID: s.ID.String(), Addrs: s.Addrs, State: stateReady, Reason: s.NotReadyReason, Software: s.Software,
		Started: s.Started.UTC().Format(time.RFC3339), Keys: s.Keys, Stored: s.StoredBytes,
		Cached: s.CachedKeys, Running: s.Running, Resident: s.ResidentBytes,
		Waiting: s.Waiting, Capacity: s.Capacity, Labels: s.Labels,
	}
	if !s.Ready {
		n.State = stateNotReady
	}
	for _, peer := range s.Peers {
		if peer.Live {
			n.Peers++
		}
	}
	return n
}

func (s meshStatus) text(w io.Writer) {
	ready := 0
	var rows [][]string
	for _, n := range s.Nodes {
		if n.State == stateReady {
			ready++
		}
		id, state := cmp.Or(n.ID, "?"), n.State
		if n.Reason != "" {
			state += ": " + n.Reason
		}
		rows = append(rows, []string{
			id, strings.Join(n.Addrs, " "), state, fmt.Sprint(n.Peers), fmt.Sprint(n.Keys), fmt.Sprint(n.Running), mebibytes(n.Resident), labelText(n.Labels),
		})
	}
	fmt.Fprintf(w, "mesh %s: %d nodes, %d ready\n", s.Mesh, len(s.Nodes), ready)
	s.Wanted.text(w)
	writeTable(w, []string{"NODE", "ADDRESS", "STATE", "PEERS", "KEYS", "RUNNING", "MEMORY", "LABELS"}, rows)
}

func mebibytes(bytes uint64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

// labelText writes labels as "a=1 b=2".
func labelText(labels map[string]string) string {
	words := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, key+"="+labels[key])
	}
	return cmp.Or(strings.Join(words, " "), "-")
}
