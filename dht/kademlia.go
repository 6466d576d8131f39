package dht

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/libp2p/go-libp2p"
	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/x/rate"
	"github.com/multiformats/go-multiaddr"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
)

// bucketSize is Kademlia's k: how many nodes a look-up finds. In a mesh of
// up to so many every table holds everyone.
const bucketSize = 32

// kademlia is the private Kademlia DHT on the node's own port. Its table is
// fed from the view, so that a node that died is out of both at once;
// look-ups add what they find.
type kademlia struct {
	host host.Host
	dht  *kad.IpfsDHT
	lent *lender
}

func startKademlia(c Config, endpoint *link.Endpoint, inView func(mesh.NodeID) bool) (*kademlia, error) {
	lent := &lender{sockets: endpoint.Shared()}
	h, err := newHost(c, endpoint, lent)
	if err != nil {
		return nil, errors.Join(err, lent.close())
	}
	d, err := kad.New(h,
		kad.ProtocolPrefix("/virga"), kad.Mode(kad.ModeServer), kad.DisableProviders(), kad.DisableValues(),
		kad.BucketSize(bucketSize), kad.DisableAutoRefresh(), kad.RoutingTableRefreshQueryTimeout(2*time.Second))
	if err != nil {
		return nil, errors.Join(err, h.Close(), lent.close())
	}
	k := &kademlia{host: h, dht: d, lent: lent}
	h.Network().Notify(&network.NotifyBundle{DisconnectedF: func(_ network.Network, c network.Conn) {
		if p := c.RemotePeer(); !inView(mesh.NodeID(p)) && h.Network().Connectedness(p) != network.Connected {
			d.RoutingTable().RemovePeer(p)
		}
	}})
	return k, nil
}

// newHost makes the libp2p host on the endpoint's sockets. Who may connect
// is decided in the TLS handshake by the endpoint, so that libp2p's limits
// for strangers are lifted.
func newHost(c Config, endpoint *link.Endpoint, lent *lender) (host.Host, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(c.Credential.Key())
	if err != nil {
		return nil, err
	}
	limits, err := resourceLimits()
	if err != nil {
		return nil, err
	}
	conns, err := connmgr.NewConnManager(c.MaxPeers/2, c.MaxPeers)
	if err != nil {
		return nil, errors.Join(err, limits.Close())
	}
	advertised := toMultiaddrs(endpoint.Addrs())
	return libp2p.New(
		libp2p.Identity(key), libp2p.UserAgent("virga"),
		libp2p.QUICReuse(lent.lend),
		libp2p.Transport(libp2pquic.NewTransport, libp2pquic.WithTLSIdentityOption(endpoint.TLSOptions()...)),
		libp2p.ListenAddrs(lent.listenAddrs()...),
		libp2p.AddrsFactory(func([]multiaddr.Multiaddr) []multiaddr.Multiaddr { return advertised }),
		libp2p.ResourceManager(limits), libp2p.ConnectionManager(conns),
		libp2p.SwarmOpts(swarm.WithDialTimeout(dialTimeout), swarm.WithDialRanker(swarm.NoDelayDialRanker)),
		libp2p.UDPBlackHoleSuccessCounter(nil), libp2p.IPv6BlackHoleSuccessCounter(nil),
		libp2p.DisableIdentifyAddressDiscovery(), libp2p.DisableRelay(), libp2p.DisableMetrics(),
	)
}

// resourceLimits bounds what libp2p holds for the whole mesh, and not, as it
// does by itself, to a few connections for each address.
func resourceLimits() (network.ResourceManager, error) {
	limits := rcmgr.PartialLimitConfig{System: rcmgr.ResourceLimits{
		Conns: 4096, ConnsInbound: 4096, ConnsOutbound: 4096, Streams: 16384, StreamsInbound: 16384, StreamsOutbound: 16384,
	}, Transient: rcmgr.ResourceLimits{Conns: 512, ConnsInbound: 512, ConnsOutbound: 512, Streams: 2048, StreamsInbound: 2048, StreamsOutbound: 2048}}
	return rcmgr.NewResourceManager(
		rcmgr.NewFixedLimiter(limits.Build(rcmgr.DefaultLimits.AutoScale())),
		rcmgr.WithConnRateLimiters(&rate.Limiter{}), rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: math.MaxInt}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 128, ConnCount: math.MaxInt}}))
}

// follow keeps the routing table to what the view says. A nil kademlia has ended.
func (k *kademlia) follow(e Event) {
	if k == nil {
		return
	}
	p := peer.ID(e.Peer.ID)
	if e.Up {
		k.host.Peerstore().AddAddrs(p, toMultiaddrs(e.Peer.Addrs), peerstore.ConnectedAddrTTL)
		// A full bucket refuses the node: it knows enough there.
		_, _ = k.dht.RoutingTable().TryAddPeer(p, true, false)
		return
	}
	k.dht.RoutingTable().RemovePeer(p)
	k.host.Peerstore().UpdateAddrs(p, peerstore.ConnectedAddrTTL, 0)
	_ = k.host.Network().ClosePeer(p) // it is gone either way
}

// closest finds the nodes closest to where key hashes to; never this one.
func (k *kademlia) closest(ctx context.Context, key string) ([]mesh.NodeID, error) {
	peers, err := k.dht.GetClosestPeers(ctx, key)
	if err != nil {
		return nil, err
	}
	nodes := make([]mesh.NodeID, len(peers))
	for i, p := range peers {
		nodes[i] = mesh.NodeID(p)
	}
	return nodes, nil
}

// addrs gives where a node was last known to be.
func (k *kademlia) addrs(id mesh.NodeID) []string {
	return fromMultiaddrs(k.host.Peerstore().Addrs(peer.ID(id)))
}

func (k *kademlia) close() error {
	return errors.Join(k.dht.Close(), k.host.Close(), k.lent.close())
}
