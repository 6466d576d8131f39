package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/sdk"
)

func nodeCommand(a *app) *cobra.Command {
	return group("node", "Look at the nodes of the mesh, add and remove them",
		"  virga node list\n  virga node drain n2\n  virga node forget 5TnqAKDV",
		nodeListCommand(a), nodeAddCommand(a), nodeDrainCommand(a), nodeRemoveCommand(a), nodeForgetCommand(a), nodeFollowCommand(a))
}

func nodeListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the nodes as one of them sees them",
		Long: `List the nodes as one of them sees them, itself first: those that are live, those
that drain, and those that are missing and expected back. virga status asks each of them.`,
		Example: "  virga node list\n  virga node list --addr 127.0.0.1:7001 --output json",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runNodeList(cmd.Context(), a) },
	}
}

func runNodeList(ctx context.Context, a *app) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		return a.show(listNodes(status))
	})
}

// The states of members.
const (
	memberLive     = "live"
	memberDraining = "draining"
	memberMissing  = "missing"
)

func listNodes(status sdk.NodeStatus) nodeList {
	list := nodeList{Nodes: []listedNode{{
		ID: status.ID.String(), Addrs: status.Addrs, State: memberState(true, status.Draining), Live: true, Self: true,
		Labels: status.Labels,
	}}}
	for _, peer := range status.Peers {
		listed := listedNode{
			ID: peer.ID.String(), Addrs: peer.Addrs, State: memberState(peer.Live, peer.Draining), Live: peer.Live,
			RoundTripMicros: peer.RoundTrip.Microseconds(), Labels: peer.Labels,
		}
		if !peer.Live {
			listed.MissingSince = peer.MissingSince.UTC().Format(time.RFC3339)
		}
		list.Nodes = append(list.Nodes, listed)
	}
	return list
}

func memberState(live, draining bool) string {
	switch {
	case !live:
		return memberMissing
	case draining:
		return memberDraining
	}
	return memberLive
}

type nodeList struct {
	Nodes []listedNode `json:"nodes"`
}

type listedNode struct {
	ID              string            `json:"id"`
	Addrs           []string          `json:"addrs"`
	State           string            `json:"state"`
	Live            bool              `json:"live"`
	MissingSince    string            `json:"missing_since,omitempty"`
	Self            bool              `json:"self"` // the node that was asked
	RoundTripMicros int64             `json:"round_trip_us"`
	Labels          map[string]string `json:"labels,omitempty"`
}

func (l nodeList) text(w io.Writer) {
	var rows [][]string
	for _, n := range l.Nodes {
		state, roundTrip := n.State, "-"
		if n.MissingSince != "" {
			state += " since " + n.MissingSince
		}
		if !n.Self && n.Live {
			roundTrip = micros(n.RoundTripMicros)
		}
		rows = append(rows, []string{n.ID, strings.Join(n.Addrs, " "), state, roundTrip, labelText(n.Labels)})
	}
	writeTable(w, []string{"NODE", "ADDRESS", "STATE", "ROUND TRIP", "LABELS"}, rows)
}
