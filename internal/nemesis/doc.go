// Package nemesis runs a mesh of real virgad processes under load while it
// does to one node after another what machines do: processes are killed and
// paused, hosts cut off, files torn and flipped, disks filled. It tells what
// was acknowledged and is lost, what was counted twice, how long calls had to
// wait, and how long the mesh took to be whole again. Command chaos runs it.
//
// One fault is on at a time, on one node, and the next one comes when every
// node has said again that it is ready: with three owners of each key and
// two that must hold a write, nothing acknowledged may be lost then, and
// nothing may be counted twice, however often it was attempted. Beside those who
// read and write, some may run a DAG (Options.Runners) of which each stage counts, by an id under
// which they call it again until it has its result: the counters hold exactly
// what the runs counted. Others run DAGs at each level of consistency but eventual (Options.Callers) whose
// stages tell what they read and wrote: that is held against the level by package check, which knows
// nothing of the mesh. A run without a result tells nothing; what it wrote is known when it is read, by the version.
//
// Nodes hear each other through a Proxy, which can cut one off without rights
// on the machine, while clients reach it still. As root the program has a
// network and mounts of its own: there a firewall cuts a node off from clients,
// too, and a disk that can be filled is a file system in memory.
package nemesis
