// Package dags runs random DAGs on whole meshes of real nodes, on the
// simulated network of internal/sim and under virtual time, while nodes are
// killed and cut off, and holds what they result in against a dumb oracle
// that evaluates a DAG as one would by hand.
//
// What is checked of each call:
//
//   - A result is the oracle's. Stages that the oracle skips have none.
//   - An error is one that the DAG itself explains, or Unavailable (or, where the
//     node that was called dies, whatever the end of that is to its caller).
//   - A call through a node that nothing befalls, while one other node at most
//     is away at a time, and no more than attempts allow, succeeds.
//   - It ends within its deadline.
//   - Where nothing befalls any node, no stage runs twice.
//   - Runs whose stages read and write state, while others write it, see nothing
//     that their level forbids (internal/check). When all has settled the keys are
//     read once more: no acknowledged write is lost, and no transaction is there in half.
//
// The same seed gives the same schedule, not the same interleaving.
package dags
