package dht

import (
	"net"
	"net/netip"

	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// dialable keeps the addresses, ip:port, that a packet can be sent to. What
// others say of addresses passes through it.
func dialable(addrs []string) []string {
	var good []string
	for _, addr := range addrs {
		a, err := netip.ParseAddrPort(addr)
		if err == nil && a.Port() != 0 && !a.Addr().IsUnspecified() && !a.Addr().IsMulticast() && len(good) < maxAddrs {
			good = append(good, addr)
		}
	}
	return good
}

// toMultiaddrs gives libp2p's form of addresses.
func toMultiaddrs(addrs []string) []multiaddr.Multiaddr {
	var multi []multiaddr.Multiaddr
	for _, addr := range addrs {
		a, err := netip.ParseAddrPort(addr)
		if err != nil {
			continue
		}
		if m, err := quicreuse.ToQuicMultiaddr(net.UDPAddrFromAddrPort(a), quic.Version1); err == nil {
			multi = append(multi, m)
		}
	}
	return multi
}

// fromMultiaddrs gives the ip:port of those addresses that are QUIC's.
func fromMultiaddrs(multi []multiaddr.Multiaddr) []string {
	var addrs []string
	for _, m := range multi {
		if udp, _, err := quicreuse.FromQuicMultiaddr(m); err == nil {
			addrs = append(addrs, udp.String())
		}
	}
	return dialable(addrs)
}
