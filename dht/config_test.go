package dht

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

func TestConfigIsValidated(t *testing.T) {
	good := newTestMesh(t).settings("127.0.0.1:1", "example.org:2").config
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Config){
		"credential":  func(c *Config) { *c = Config{} },
		"Heartbeat":   func(c *Config) { c.Heartbeat = time.Microsecond },
		"MaxPeers":    func(c *Config) { c.MaxPeers = 3 },
		"ForgetAfter": func(c *Config) { c.ForgetAfter = -1 },
		"bootstrap":   func(c *Config) { c.Bootstrap = []string{"nowhere"} },
	} {
		bad := good
		spoil(&bad)
		if _, err := New(bad); mesh.KindOf(err) != mesh.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want Invalid that names it", want, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	mixed := []string{"10.0.0.1:7", "", "x", "0.0.0.0:7", "[::]:7", "10.0.0.1:0", "224.0.0.1:7", "[2001:db8::1]:7", "host:7"}
	good := []string{"10.0.0.1:7", "[2001:db8::1]:7"}
	if got := dialable(mixed); !slices.Equal(got, good) {
		t.Errorf("dialable: %v, want %v", got, good)
	}
	if got := fromMultiaddrs(toMultiaddrs(good)); !slices.Equal(got, good) {
		t.Errorf("to multiaddrs and back: %v, want %v", got, good)
	}
	if got := len(dialable(slices.Repeat(good, maxAddrs))); got != maxAddrs {
		t.Errorf("%d addresses, bound %d", got, maxAddrs)
	}
}

func FuzzRecall(f *testing.F) {
	f.Add("12D3KooWExample", "10.0.0.1:7", int64(0))
	f.Fuzz(func(t *testing.T, node, addr string, seen int64) {
		r := newTestRoster()
		r.recall([]known{{Node: node, Addrs: []string{addr}, Seen: start.Add(time.Duration(seen))}}, start)
		for _, n := range r.nodes {
			if n.seen.After(start) || len(dialable(n.addrs)) != len(n.addrs) {
				t.Errorf("recalled %+v", n)
			}
		}
	})
}
