// Package meshtest runs whole meshes inside a test of a program that uses
// Virga: real nodes, whose disks are in memory, in the test's own process.
//
//	func TestGreet(t *testing.T) {
//		m := meshtest.New(t, 3, meshtest.Handle("greet", greet))
//		got, err := sdk.Func[string, string](m.Dial(t), "greet").Call(t.Context(), "ada")
//		if err != nil || got != "hello ada" {
//			t.Errorf("greet gave %q, %v", got, err)
//		}
//	}
//
// New connects the nodes by sockets on loopback. Simulate connects them by a
// simulated network under the virtual time of testing/synctest, where nodes
// can be killed and cut off, packets lost and delayed, and an hour takes no
// time.
//
// A History notes what functions and clients read and wrote, and tells what a
// level of consistency forbids of it. Of runs at mesh.Transactional, whose writes
// are made when they have succeeded, tell it how they ended: History.Ended.
//
// What is tested is the real thing: identities, QUIC, replication, sandboxes.
// The package is not for benchmarks, and not for programs that run a node:
// they use package node.
package meshtest
