package dht

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"

	"github.com/virga-mesh/virga/mesh"
)

// findLocally announces this node on the local network and learns those that
// announce themselves for the same mesh, until ctx ends.
func (d *DHT) findLocally(ctx context.Context) {
	service := mdns.NewMdnsService(d.kademlia.Load().host, serviceName(d.config.Credential.MeshID().String()), localPeers{d})
	if err := service.Start(); err != nil {
		d.config.Log.Warn("mDNS does not work here; going on without", "err", err)
	}
	<-ctx.Done()
	if err := service.Close(); err != nil {
		d.config.Log.Debug("mDNS did not end well", "err", err)
	}
}

// serviceName keeps meshes apart. A label of a DNS name has at most 15
// characters after its underscore (RFC 6763, section 7.2).
func serviceName(meshID string) string { return "_virga-" + meshID[:8] + "._udp" }

// localPeers takes what mDNS finds.
type localPeers struct{ dht *DHT }

// HandlePeerFound learns a node; whether it is one of the mesh shows when it is dialled.
func (l localPeers) HandlePeerFound(found peer.AddrInfo) {
	l.dht.update(func(now time.Time) {
		l.dht.roster.learn(mesh.NodeID(found.ID), fromMultiaddrs(found.Addrs), bySearch, now, now)
	})
}
