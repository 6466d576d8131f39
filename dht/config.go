package dht

import (
	"cmp"
	"log/slog"
	"net"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

// Config says how a DHT works. Credential is required; the zero value of
// every other field means its default.
type Config struct {
	// Credential is the node's own, the same that its Endpoint has.
	Credential admission.Credential
	// Bootstrap are addresses at which nodes of the mesh may answer, as host:port.
	Bootstrap []string
	// MDNS finds nodes on the local network, and lets them find this one.
	MDNS bool
	// Book keeps the known nodes over a restart. Default: they are forgotten.
	Book Book
	// Heartbeat is how often neighbours are asked for a sign of life. A
	// neighbour that is silent for 3 heartbeats and does not answer a dial
	// within a fourth is out of the view; one of which packets still come has 10.
	// Default 500 ms.
	Heartbeat time.Duration
	// MaxPeers is how many connected nodes the view is meant to hold: beyond
	// it only the nearest nodes are dialled, and owners are found by Lookup.
	// Default 512.
	MaxPeers int
	// ForgetAfter is for how long a missing node is dialled. Default 24 h.
	ForgetAfter time.Duration
	// Log may be nil: slog.Default.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Heartbeat = cmp.Or(c.Heartbeat, 500*time.Millisecond)
	c.MaxPeers = cmp.Or(c.MaxPeers, 512)
	c.ForgetAfter = cmp.Or(c.ForgetAfter, 24*time.Hour)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// validate gives an Invalid error that names what is wrong and what was expected.
func (c Config) validate() error {
	invalid := func(format string, args ...any) error { return mesh.Errorf(mesh.Invalid, "dht", format, args...) }
	switch {
	case c.Credential.IsZero():
		return invalid("no credential: expected the node's")
	case c.Heartbeat < time.Millisecond:
		return invalid("Heartbeat is %v: expected at least 1ms", c.Heartbeat)
	case c.MaxPeers < nearest || c.MaxPeers > maxMembers:
		return invalid("MaxPeers is %d: expected %d to %d", c.MaxPeers, nearest, maxMembers)
	case c.ForgetAfter < 0:
		return invalid("ForgetAfter is %v: expected a positive duration", c.ForgetAfter)
	}
	for _, addr := range c.Bootstrap {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return invalid("bootstrap address %q: expected host:port", addr)
		}
	}
	return nil
}
