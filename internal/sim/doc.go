// Package sim is the ground on which whole meshes are tested: a simulated
// packet network that delays, loses, duplicates and reorders packets and cuts
// hosts off, under the virtual time of testing/synctest. What it decides by
// chance comes from a seed. Nodes on such a network are started by
// internal/simmesh.
//
// Everything above the packets is the real thing: QUIC, TLS, libp2p, Pebble
// (on a file system in memory), WebAssembly.
package sim
