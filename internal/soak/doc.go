// Package soak runs seeded schedules of faults against whole meshes of real
// nodes, on the simulated network of internal/sim and under virtual time, and
// holds what clients see against a dumb oracle.
//
// A Schedule is data that follows from a seed: rounds in which clients put,
// get, delete, add and count while one fault befalls the nodes. After each
// round the mesh is whole again and has settled. What is checked:
//
//   - At any time: a key that has an acknowledged write and was never deleted
//     is never NotFound, and nothing is read that was never written.
//   - A read with a quorum of two sees every acknowledged write, and nothing of
//     what an acknowledged delete or overwrite took away.
//   - After each round that holds through any node, and every call succeeds.
//   - Then, too, the owners of each key hold the same bytes on their disks.
//
// # What the faults are limited to
//
// With three owners and a write quorum of two, an acknowledged write is on
// two disks at least. So a fault takes the disk of one node only, or what one
// machine had not synced, and only when the mesh has settled since the fault
// before. Faults that lose nothing (processes killed, hosts cut off) may befall
// any number of nodes at once.
//
// Goroutines run as the scheduler likes: the same seed gives the same
// schedule, not the same interleaving, so a rare failure may need several runs
// to be seen again.
package soak
