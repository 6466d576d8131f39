package nemesis

import (
	"context"
	"net/netip"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/virga-mesh/virga/mesh"
)

// iptables is the program that has the kernel drop packets.
const iptables = "iptables"

// firewallable says why no packets can be dropped by the kernel: it is tried
// only where the network is the program's own.
func firewallable(*arena) string {
	if !isApart() {
		return "a firewall needs root, and a network that is seen by nobody else"
	}
	if _, err := exec.LookPath(iptables); err != nil {
		return "a firewall needs " + iptables
	}
	return ""
}

// loopbackUp brings up the loopback interface of a network that has just been made.
func loopbackUp() error {
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	loopback.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback)
}

// wallIn drops all that a node sends and is sent, by clients, too.
func wallIn(ctx context.Context, a *arena, victim int) (string, error) {
	return "", firewall(ctx, "-A", a.nodes[victim].Addr)
}

func wallOut(ctx context.Context, a *arena, victim int) error {
	return firewall(ctx, "-D", a.nodes[victim].Addr)
}

func firewall(ctx context.Context, verb, node string) error {
	addr, err := netip.ParseAddrPort(node)
	if err != nil {
		return mesh.Errorf(mesh.Invalid, "firewall", "%q: expected ip:port", node)
	}
	for _, end := range []string{"--dport", "--sport"} {
		rule := []string{"-w", verb, "INPUT", "-i", "lo", "-p", "udp", end, strconv.Itoa(int(addr.Port())), "-j", "DROP"}
		if said, err := exec.CommandContext(ctx, iptables, rule...).CombinedOutput(); err != nil {
			return mesh.Errorf(mesh.Internal, "firewall", "%v: %w: %s", rule, err, said)
		}
	}
	return nil
}
