// Package elastic decides how many nodes a mesh is to have from what they
// publish about themselves: how busy they are, how full, how slow. Every node
// decides for itself, from the same figures, so that any of them can tell;
// the live one with the lowest id of those that can acts on it.
//
// Policy.Judge is a pure function of the figures of one moment. Machine adds
// what takes time: a load is acted on when it has lasted, and a while after the
// last change. It has no I/O and no clock: who owns one looks at the mesh now
// and then, and hands over what is there.
//
// It is not for starting and stopping nodes: see node/hook.
package elastic
