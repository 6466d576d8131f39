package nemesis

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
)

// Proxy carries the packets between nodes of a mesh on loopback: each node
// is told the address of a door in front of each other node. What enters at
// B's door from A leaves through A's door for B, so that each knows the other
// by its door alone. Packets of strangers are dropped.
type Proxy struct {
	lock  sync.Mutex // to add doors
	doors atomic.Pointer[[]*door]
	pumps sync.WaitGroup
	// dropped counts the packets of strangers and of nodes that are cut off.
	dropped atomic.Int64
}

// door stands in front of one node.
type door struct {
	node   netip.AddrPort // where the node listens
	socket *net.UDPConn
	cut    atomic.Bool
}

// proxyBuffer is how many bytes of packets a door holds while others are carried.
const proxyBuffer = 4 << 20

// Front opens a door in front of a node that listens on an address, and gives
// the door's.
func (p *Proxy) Front(node string) (string, error) {
	addr, err := netip.ParseAddrPort(node)
	if err != nil {
		return "", mesh.Errorf(mesh.Invalid, "proxy", "%q: expected ip:port", node)
	}
	socket, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr.Addr(), 0)))
	if err != nil {
		return "", mesh.Errorf(mesh.Internal, "proxy", "%w", err)
	}
	_ = socket.SetReadBuffer(proxyBuffer) // less is only slower
	d := &door{node: addr, socket: socket}
	p.lock.Lock()
	defer p.lock.Unlock()
	doors := append([]*door{d}, p.all()...)
	p.doors.Store(&doors)
	p.pumps.Go(func() { p.pump(d) })
	return socket.LocalAddr().String(), nil
}

// Cut drops all packets between a node and the others, or carries them again.
// A node without a door is NotFound.
func (p *Proxy) Cut(node string, cut bool) error {
	for _, d := range p.all() {
		if d.node.String() == node {
			d.cut.Store(cut)
			return nil
		}
	}
	return mesh.Errorf(mesh.NotFound, "proxy", "no door in front of %s", node)
}

// Close closes all doors.
func (p *Proxy) Close() {
	for _, d := range p.all() {
		d.socket.Close()
	}
	p.pumps.Wait()
}

func (p *Proxy) all() []*door {
	if doors := p.doors.Load(); doors != nil {
		return *doors
	}
	return nil
}

// pump carries what enters at a door until it is closed.
func (p *Proxy) pump(to *door) {
	buf := make([]byte, 64<<10)
	for {
		n, source, err := to.socket.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // what the system tells of an earlier packet that nobody took
		}
		from := p.doorOf(source)
		if from == nil || from.cut.Load() || to.cut.Load() {
			p.dropped.Add(1)
			continue
		}
		// A packet that cannot be sent is one that the network lost.
		_, _ = from.socket.WriteToUDPAddrPort(buf[:n], to.node)
	}
}

func (p *Proxy) doorOf(node netip.AddrPort) *door {
	for _, d := range p.all() {
		if d.node == node {
			return d
		}
	}
	return nil
}
