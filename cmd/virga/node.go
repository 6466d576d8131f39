package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/sdk"
)

func nodeCommand(a *app) *cobra.Command {
	return group("node", "Look at the nodes of the mesh", "  virga node list", nodeListCommand(a))
}

func nodeListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the nodes as one of them sees them",
		Long:    "List the nodes as one of them sees them, itself first. virga status asks each of them.",
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
		list := nodeList{Nodes: []listedNode{{ID: status.ID.String(), Addrs: status.Addrs, Live: true, Self: true}}}
		for _, peer := range status.Peers {
			list.Nodes = append(list.Nodes, listedNode{
				ID: peer.ID.String(), Addrs: peer.Addrs, Live: peer.Live, RoundTripMicros: peer.RoundTrip.Microseconds(),
			})
		}
		return a.show(list)
	})
}

type nodeList struct {
	Nodes []listedNode `json:"nodes"`
}

type listedNode struct {
	ID              string   `json:"id"`
	Addrs           []string `json:"addrs"`
	Live            bool     `json:"live"`
	Self            bool     `json:"self"` // the node that was asked
	RoundTripMicros int64    `json:"round_trip_us"`
}

func (l nodeList) text(w io.Writer) {
	var rows [][]string
	for _, n := range l.Nodes {
		state, roundTrip := "live", "-"
		if !n.Live {
			state = "lost"
		}
		if !n.Self && n.Live {
			roundTrip = micros(n.RoundTripMicros)
		}
		rows = append(rows, []string{n.ID, strings.Join(n.Addrs, " "), state, roundTrip})
	}
	writeTable(w, []string{"NODE", "ADDRESS", "STATE", "ROUND TRIP"}, rows)
}
