// Package dht says who owns a key and who is alive.
//
// It keeps the view: the nodes that this node holds a live, authenticated
// data-plane connection to. Owners are answered from the view, in memory.
// Beside it runs a private Kademlia DHT (libp2p's kad-dht) on the same UDP
// port; it finds nodes, and answers for meshes larger than the view.
//
// It does not move or store state, and it decides nothing about keys: that a
// node is an owner is a matter of distance alone. docs/rationale/view.md
// tells why there is a view beside the Kademlia tables.
package dht
