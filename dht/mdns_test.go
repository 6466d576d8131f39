package dht

import (
	"os"
	"regexp"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

// RFC 6335, section 5.1: at most 15 letters, digits and hyphens after the underscore.
func TestServiceNamesAreValidAndKeepMeshesApart(t *testing.T) {
	one, other := serviceName(newTestMesh(t).root.MeshID().String()), serviceName(newTestMesh(t).root.MeshID().String())
	if !regexp.MustCompile(`^_[a-z0-9-]{1,15}\._udp$`).MatchString(one) || one == other {
		t.Errorf("service names %q and %q", one, other)
	}
}

func TestNodesFindEachOtherByMDNS(t *testing.T) {
	if os.Getenv("VIRGA_TEST_MDNS") == "" {
		t.Skip("set VIRGA_TEST_MDNS to let nodes announce themselves on the local network")
	}
	m := newTestMesh(t)
	var nodes []*testNode
	for range 3 {
		s := m.settings()
		s.config.MDNS = true
		nodes = append(nodes, m.start(s))
	}
	m.await("the whole view", func() bool { return seeEachOther(nodes) })
}

func TestWhatMDNSFindsIsDialled(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := []*testNode{m.start(m.settings()), m.start(m.settings())}
		localPeers{nodes[0].DHT}.HandlePeerFound(peer.AddrInfo{ID: peer.ID(nodes[1].self), Addrs: toMultiaddrs(nodes[1].endpoint.Addrs())})
		m.await("the whole view", func() bool { return seeEachOther(nodes) })
	})
}
