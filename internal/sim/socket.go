package sim

import (
	"container/heap"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/marcopolo/simnet"
)

// socket is one simulated UDP socket. Packets on their way to it wait in a
// queue ordered by when they are due, which one goroutine empties: packets
// that are due together arrive in the order in which they were sent.
type socket struct {
	*simnet.SimConn
	network *Network
	addr    netip.AddrPort

	lock  sync.Mutex
	queue packetQueue
	sent  uint64
	wake  chan struct{}
	done  chan struct{}
	idle  sync.WaitGroup
	once  sync.Once
}

// maxQueued bounds the packets on their way to one socket; more are lost, as in a full router.
const maxQueued = 8192

func newSocket(n *Network, addr netip.AddrPort) *socket {
	s := &socket{
		SimConn: simnet.NewBlockingSimConn(net.UDPAddrFromAddrPort(addr)),
		network: n,
		addr:    addr,
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	s.SetUpPacketReceiver(n)
	s.idle.Go(s.pump)
	return s
}

// Close frees the address. Packets on their way are lost.
func (s *socket) Close() error {
	err := s.SimConn.Close()
	s.once.Do(func() {
		s.network.closed(s)
		close(s.done)
	})
	s.idle.Wait()
	return err
}

func (s *socket) deliver(p *simnet.Packet, after time.Duration) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if len(s.queue) >= maxQueued {
		return
	}
	s.sent++
	heap.Push(&s.queue, queued{packet: p, due: time.Now().Add(after), order: s.sent})
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *socket) pump() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		packet, wait := s.next()
		if packet != nil {
			s.SimConn.RecvPacket(packet)
			continue
		}
		timer.Reset(wait)
		select {
		case <-s.wake:
		case <-timer.C:
		case <-s.done:
			return
		}
	}
}

// next takes the first packet if it is due, or says how long to wait.
func (s *socket) next() (*simnet.Packet, time.Duration) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if len(s.queue) == 0 {
		return nil, time.Hour
	}
	if wait := time.Until(s.queue[0].due); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&s.queue).(queued).packet, 0
}

type queued struct {
	packet *simnet.Packet
	due    time.Time
	order  uint64
}

type packetQueue []queued

func (q packetQueue) Len() int { return len(q) }
func (q packetQueue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].order < q[j].order
	}
	return q[i].due.Before(q[j].due)
}
func (q packetQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *packetQueue) Push(x any)   { *q = append(*q, x.(queued)) }
func (q *packetQueue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}
