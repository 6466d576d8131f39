package sim

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// pair opens a socket on each of two hosts of a network.
func pair(t *testing.T, n *Network) (a, b net.PacketConn) {
	t.Helper()
	open := func(host int) net.PacketConn {
		conn, err := n.ListenPacket(HostIP(host))("udp", "0.0.0.0:7000")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	return open(1), open(2)
}

func send(t *testing.T, from, to net.PacketConn, text string) {
	t.Helper()
	if _, err := from.WriteTo([]byte(text), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
}

// receive gives the next packet, or "" when none comes within a minute.
func receive(t *testing.T, conn net.PacketConn) string {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	var buf [1500]byte
	n, _, err := conn.ReadFrom(buf[:])
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

func TestPacketsTakeTheirDelayInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, NewNetwork(1, Conditions{Delay: 20 * time.Millisecond}))
		sent := time.Now()
		send(t, a, b, "one")
		send(t, a, b, "two")
		if one, two := receive(t, b), receive(t, b); one != "one" || two != "two" {
			t.Errorf("received %q, %q", one, two)
		}
		if took := time.Since(sent); took != 20*time.Millisecond {
			t.Errorf("took %v, want 20ms", took)
		}
	})
}

func TestPartitionAndHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1, Conditions{})
		a, b := pair(t, n)
		n.Partition([]netip.Addr{HostIP(1)}, []netip.Addr{HostIP(2)})
		send(t, a, b, "lost")
		if got := receive(t, b); got != "" {
			t.Errorf("%q crossed the partition", got)
		}
		n.Heal()
		send(t, a, b, "found")
		if got := receive(t, b); got != "found" {
			t.Errorf("received %q after the heal", got)
		}
	})
}

func TestWhatIsHeldArrivesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1, Conditions{Delay: time.Millisecond})
		a, b := pair(t, n)
		n.Hold(HostIP(2))
		send(t, a, b, "first")
		send(t, a, b, "second")
		send(t, b, a, "back")
		if got := receive(t, b) + receive(t, a); got != "" {
			t.Errorf("%q arrived while it was held", got)
		}
		n.Release(HostIP(2))
		for _, want := range []string{"first", "second"} {
			if got := receive(t, b); got != want {
				t.Errorf("received %q, want %q", got, want)
			}
		}
		if got := receive(t, a); got != "back" {
			t.Errorf("received %q, want what the held host had sent", got)
		}
		send(t, a, b, "third")
		if got := receive(t, b); got != "third" {
			t.Errorf("received %q after the release", got)
		}
	})
}

func TestLossAndDuplicationFollowTheSeed(t *testing.T) {
	arrivals := func(t *testing.T, seed uint64) (count int) {
		synctest.Test(t, func(t *testing.T) {
			a, b := pair(t, NewNetwork(seed, Conditions{Loss: 0.3, Duplicate: 0.2, Jitter: time.Millisecond}))
			for range 20 {
				send(t, a, b, "x")
			}
			for receive(t, b) != "" {
				count++
			}
		})
		return count
	}
	first := arrivals(t, 7)
	if first == 0 || first == 20 {
		t.Errorf("%d of 20 packets arrived with loss and duplication", first)
	}
	if again := arrivals(t, 7); again != first {
		t.Errorf("the same seed gave %d arrivals, then %d", first, again)
	}
}

func TestAClosedAddressIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1, Conditions{})
		listen := n.ListenPacket(HostIP(1))
		first, err := listen("udp", "10.0.0.1:9")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := listen("udp", "10.0.0.1:9"); err == nil {
			t.Error("an address was opened twice")
		}
		first.Close()
		second, err := listen("udp", "10.0.0.1:9")
		if err != nil {
			t.Fatal(err)
		}
		second.Close()
		if _, err := listen("udp", "10.0.0.2:9"); err == nil {
			t.Error("a host opened another's address")
		}
	})
}
