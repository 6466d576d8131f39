package sim

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/marcopolo/simnet"
)

// Conditions are what happens to a packet on its way.
type Conditions struct {
	Delay     time.Duration // from host to host
	Jitter    time.Duration // added at random, up to this; more than 0 reorders
	Loss      float64       // probability of being lost
	Duplicate float64       // probability of arriving twice
}

// Network carries packets between hosts. A host is an IP address; it may
// open and close sockets. All methods are safe for concurrent use.
type Network struct {
	lock       sync.Mutex
	chance     *rand.Rand
	conditions Conditions
	sockets    map[netip.AddrPort]*socket
	side       map[netip.Addr]int              // while partitioned: hosts on different sides do not hear each other
	isolated   map[netip.Addr]bool             // hosts that nobody hears
	cut        map[[2]netip.Addr]bool          // pairs that do not hear each other
	slow       map[[2]netip.Addr]time.Duration // what is added to the way from one host to another
	held       map[netip.Addr][]held           // what goes to hosts, and comes from them, and is kept back
	nextPort   uint16
}

// NewNetwork makes a network without hosts. What it decides by chance follows from seed.
func NewNetwork(seed uint64, conditions Conditions) *Network {
	return &Network{
		chance:     rand.New(rand.NewPCG(seed, 0)),
		conditions: conditions,
		sockets:    map[netip.AddrPort]*socket{},
		isolated:   map[netip.Addr]bool{},
		cut:        map[[2]netip.Addr]bool{},
		slow:       map[[2]netip.Addr]time.Duration{},
		held:       map[netip.Addr][]held{},
		nextPort:   40000,
	}
}

// HostIP is the address of the nth host.
func HostIP(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}) }

// ListenPacket opens sockets of a host, in place of net.ListenPacket. Port 0
// draws a free port, and the unspecified address stands for the host's.
func (n *Network) ListenPacket(host netip.Addr) func(network, address string) (net.PacketConn, error) {
	return func(_, address string) (net.PacketConn, error) {
		asked, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		if !asked.Addr().IsUnspecified() && asked.Addr() != host {
			return nil, fmt.Errorf("listen %s: not an address of host %s", address, host)
		}
		return n.listen(host, asked.Port())
	}
}

func (n *Network) listen(host netip.Addr, port uint16) (net.PacketConn, error) {
	n.lock.Lock()
	defer n.lock.Unlock()
	if port == 0 {
		n.nextPort++
		port = n.nextPort
	}
	addr := netip.AddrPortFrom(host, port)
	if _, taken := n.sockets[addr]; taken {
		return nil, fmt.Errorf("listen %s: address already in use", addr)
	}
	s := newSocket(n, addr)
	n.sockets[addr] = s
	return s, nil
}

// SetConditions changes what happens to packets sent from now on.
func (n *Network) SetConditions(c Conditions) {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.conditions = c
}

// Partition cuts the network into sides that do not hear each other. Hosts
// that are not named are on a side together.
func (n *Network) Partition(sides ...[]netip.Addr) {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.side = map[netip.Addr]int{}
	for i, hosts := range sides {
		for _, host := range hosts {
			n.side[host] = i + 1
		}
	}
}

// Cut lets two hosts hear each other no more, beside any partition.
func (n *Network) Cut(a, b netip.Addr) {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.cut[[2]netip.Addr{a, b}], n.cut[[2]netip.Addr{b, a}] = true, true
}

// Heal ends a partition, and what Cut began.
func (n *Network) Heal() {
	n.Partition()
	n.lock.Lock()
	defer n.lock.Unlock()
	clear(n.cut)
}

// Isolate cuts one host off, beside any partition.
func (n *Network) Isolate(host netip.Addr) { n.setIsolated(host, true) }

// Rejoin ends what Isolate began.
func (n *Network) Rejoin(host netip.Addr) { n.setIsolated(host, false) }

func (n *Network) setIsolated(host netip.Addr, isolated bool) {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.isolated[host] = isolated
}

// Slow lets what one host sends another take so much longer; 0: no longer.
func (n *Network) Slow(from, to netip.Addr, by time.Duration) {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.slow[[2]netip.Addr{from, to}] = by
}

// held is a packet that is kept back.
type held struct {
	packet *simnet.Packet
	target *socket
}

// Hold keeps back what goes to a host and what comes from it, until Release:
// then it arrives, in order, as if it had been sent then. So it is for who talks
// to a process that is stopped and goes on. Beyond maxQueued packets more are lost.
func (n *Network) Hold(host netip.Addr) {
	n.lock.Lock()
	defer n.lock.Unlock()
	if n.held[host] == nil {
		n.held[host] = []held{}
	}
}

// Release ends what Hold began.
func (n *Network) Release(host netip.Addr) {
	n.lock.Lock()
	defer n.lock.Unlock()
	kept := n.held[host]
	delete(n.held, host)
	for _, h := range kept {
		h.target.deliver(h.packet, n.conditions.Delay)
	}
}

// keep keeps a packet back, if that is to be.
func (n *Network) keep(p *simnet.Packet, target *socket, hosts ...netip.Addr) bool {
	for _, host := range hosts {
		if kept, holds := n.held[host]; holds {
			if len(kept) < maxQueued {
				n.held[host] = append(kept, held{p, target})
			}
			return true
		}
	}
	return false
}

// hears reports whether a packet may pass between two hosts.
func (n *Network) hears(from, to netip.Addr) bool {
	return n.side[from] == n.side[to] && !n.isolated[from] && !n.isolated[to] && !n.cut[[2]netip.Addr{from, to}]
}

// RecvPacket takes a packet from a socket and decides its fate.
func (n *Network) RecvPacket(p *simnet.Packet) {
	from, to := p.From.(*net.UDPAddr).AddrPort(), p.To.(*net.UDPAddr).AddrPort()
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	n.lock.Lock()
	defer n.lock.Unlock()
	target := n.sockets[to]
	if target == nil || !n.hears(from.Addr(), to.Addr()) || n.chance.Float64() < n.conditions.Loss {
		return
	}
	if n.keep(p, target, to.Addr(), from.Addr()) {
		return
	}
	longer := n.slow[[2]netip.Addr{from.Addr(), to.Addr()}]
	target.deliver(p, n.delay()+longer)
	if n.chance.Float64() < n.conditions.Duplicate {
		target.deliver(p, n.delay()+longer)
	}
}

func (n *Network) delay() time.Duration {
	d := n.conditions.Delay
	if n.conditions.Jitter > 0 {
		d += time.Duration(n.chance.Int64N(int64(n.conditions.Jitter)))
	}
	return d
}

func (n *Network) closed(s *socket) {
	n.lock.Lock()
	defer n.lock.Unlock()
	if n.sockets[s.addr] == s {
		delete(n.sockets, s.addr)
	}
}
