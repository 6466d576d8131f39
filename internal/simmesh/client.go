package simmesh

import (
	"context"
	"slices"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/sdk"
)

// Everything is what a client may be allowed.
func Everything() admission.Grant {
	return admission.Grant{Role: admission.Client, Verbs: admission.AllVerbs}
}

// Dial connects a client over QUIC, with a key of its own and what grant
// allows: to the nodes given, or to any that runs. The caller closes it.
func (m *Mesh) Dial(ctx context.Context, grant admission.Grant, nodes ...int) (*sdk.Client, error) {
	pinned := len(nodes) > 0
	if !pinned {
		nodes = m.Running()
	}
	cfg := sdk.Config{Pinned: pinned, Log: m.options.Log}
	for _, i := range nodes {
		cfg.Addrs = slices.Concat(cfg.Addrs, m.Node(i).Addrs())
	}
	token, err := m.Token(grant, nil)
	if err != nil {
		return nil, err
	}
	cfg.Token = token.Text()
	if m.options.Network != nil {
		cfg.ListenPacket = m.options.Network.ListenPacket(sim.HostIP(firstClient + m.dialled))
		m.dialled++
	}
	return sdk.Dial(ctx, cfg)
}

// firstClient is the host of the first client on a simulated network.
const firstClient = 10_000
