// Package link carries messages between the peers of a mesh over QUIC: one
// UDP port a node, connections that only members of the mesh can make, and
// requests, replies and one-way messages as frames on them.
//
// An Endpoint owns the sockets. Between two nodes there is one warm
// connection, and both sides may call over it. Small messages share one
// long-lived stream in each direction of calling; large ones travel on
// streams of their own. docs/wire.md tells the format.
//
// The package does not know what messages mean, who owns what, or which
// peers there are: a Handler serves what arrives, and others say whom to
// connect to. It lends its sockets to libp2p (Shared), but does not import
// the libp2p host, so that programs that only call functions stay small.
package link
