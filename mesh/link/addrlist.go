package link

import (
	"slices"
	"sync"
)

// maxAddrs bounds the addresses of one attempt to connect.
const maxAddrs = 64

// addrList is the addresses of an attempt to connect. It grows only.
type addrList struct {
	grown chan struct{} // gets an element, if there is room, when there are more

	mu    sync.Mutex
	addrs []string
}

func newAddrList(addrs []string) *addrList {
	l := new(addrList)
	l.add(addrs)
	l.grown = make(chan struct{}, 1)
	return l
}

// add notes the addresses that are new.
func (l *addrList) add(addrs []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, addr := range addrs {
		if len(l.addrs) < maxAddrs && !slices.Contains(l.addrs, addr) {
			l.addrs = append(l.addrs, addr)
		}
	}
	select {
	case l.grown <- struct{}{}:
	default:
	}
}

// from gives the addresses but the first n.
func (l *addrList) from(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.addrs[n:])
}
