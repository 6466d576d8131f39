package nemesis

import (
	"net"
	"testing"
	"time"
)

// ends opens the sockets of two nodes, with doors in front.
func ends(t *testing.T, p *Proxy) (a, b net.PacketConn, doorA, doorB net.Addr) {
	t.Helper()
	open := func() (net.PacketConn, net.Addr) {
		socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { socket.Close() })
		told, err := p.Front(socket.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		door, err := net.ResolveUDPAddr("udp4", told)
		if err != nil {
			t.Fatal(err)
		}
		return socket, door
	}
	a, doorA = open()
	b, doorB = open()
	return a, b, doorA, doorB
}

// receive gives the next packet and where it came from.
func receive(t *testing.T, socket net.PacketConn) (text, from string) {
	t.Helper()
	socket.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 1500)
	n, source, err := socket.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n]), source.String()
}

func send(t *testing.T, socket net.PacketConn, text string, to net.Addr) {
	t.Helper()
	if _, err := socket.WriteTo([]byte(text), to); err != nil {
		t.Fatal(err)
	}
}

func TestNodesKnowEachOtherByTheirDoors(t *testing.T) {
	p := &Proxy{}
	defer p.Close()
	a, b, doorA, doorB := ends(t, p)
	send(t, a, "hello", doorB)
	if text, from := receive(t, b); text != "hello" || from != doorA.String() {
		t.Errorf("b received %q from %s: want hello from %s", text, from, doorA)
	}
	send(t, b, "hello yourself", doorA)
	if text, from := receive(t, a); text != "hello yourself" || from != doorB.String() {
		t.Errorf("a received %q from %s: want it from %s", text, from, doorB)
	}
}

func TestWhatIsCutHearsNothing(t *testing.T) {
	p := &Proxy{}
	defer p.Close()
	a, b, doorA, doorB := ends(t, p)
	if err := p.Cut(a.LocalAddr().String(), true); err != nil {
		t.Fatal(err)
	}
	send(t, a, "lost", doorB)
	send(t, b, "lost, too", doorA)
	stranger, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	send(t, stranger, "of nobody", doorB)
	for deadline := time.Now().Add(10 * time.Second); p.dropped.Load() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d packets are dropped: want 3", p.dropped.Load())
		}
	}
	if err := p.Cut(a.LocalAddr().String(), false); err != nil {
		t.Fatal(err)
	}
	send(t, a, "found", doorB)
	send(t, b, "found, too", doorA)
	if text, _ := receive(t, b); text != "found" {
		t.Errorf("b received %q", text)
	}
	if text, _ := receive(t, a); text != "found, too" {
		t.Errorf("a received %q", text)
	}
}
