package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// NodeStatus is what a node says of itself.
type NodeStatus struct {
	ID             mesh.NodeID
	Addrs          []string
	Ready          bool
	NotReadyReason string
	Software       string
	Started        time.Time
	MeshID         []byte
	Peers          []PeerStatus // the other nodes that it knows
	Keys           uint64       // of which it holds a copy as an owner
	StoredBytes    uint64
	CachedKeys     uint64
	CachedBytes    uint64
	Nodes          NodesWanted
	Running        uint64            // invocations under way
	ResidentBytes  uint64            // memory of its process
	Draining       bool              // it hands over what it holds, to leave
	Labels         map[string]string // that stages may ask for
	Waiting        uint64            // invocations that wait for a place
	Capacity       uint64            // places for invocations
}

// PeerStatus is what a node knows of another.
type PeerStatus struct {
	ID           mesh.NodeID
	Addrs        []string
	Live         bool      // else it is missing, and expected back
	MissingSince time.Time // zero while it is live
	Draining     bool      // it hands over what it holds, to leave
	RoundTrip    time.Duration
	Labels       map[string]string // as it told them last
}

// Status asks the node that the client is connected to about itself.
func (c *Client) Status(ctx context.Context) (NodeStatus, error) {
	reply, err := do[*pb.StatusReply](ctx, c, "status", &pb.Status{})
	if err != nil {
		return NodeStatus{}, err
	}
	status := NodeStatus{
		ID: mesh.NodeID(reply.Node), Addrs: reply.Addrs,
		Ready: reply.Ready, NotReadyReason: reply.NotReadyReason,
		Software: reply.Software, Started: time.UnixMilli(reply.StartedUnixMs), MeshID: reply.MeshId,
		Keys: reply.Keys, StoredBytes: reply.StoredBytes,
		CachedKeys: reply.CachedKeys, CachedBytes: reply.CachedBytes,
		Running: reply.Running, ResidentBytes: reply.ResidentBytes, Draining: reply.Draining,
		Nodes:  toNodesWanted(reply.NodesWanted),
		Labels: reply.Labels, Waiting: reply.Waiting, Capacity: reply.Capacity,
	}
	for _, peer := range reply.Peers {
		known := PeerStatus{
			ID: mesh.NodeID(peer.Node), Addrs: peer.Addrs, Live: peer.Live, Draining: peer.Draining, Labels: peer.Labels,
			RoundTrip: time.Duration(peer.RoundTripUs) * time.Microsecond,
		}
		if !peer.Live {
			known.MissingSince = time.UnixMilli(peer.MissingUnixMs)
		}
		status.Peers = append(status.Peers, known)
	}
	return status, nil
}
