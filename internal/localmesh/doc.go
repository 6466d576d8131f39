// Package localmesh starts and stops a mesh of virgad processes on this
// machine, for trying Virga out and for tests on real processes. Everything
// of one mesh lies in its home folder:
//
//	root.pem                     the mesh's root key
//	client.token, context.json   the context with which clients connect
//	settings.yaml                what all nodes are configured with beside their own
//	nodes/n1/virgad.yaml         configuration of the first node
//	nodes/n1/data/               its credential and state
//	nodes/n1/virgad.log          what it said
//	nodes/n1/virgad.pid          its process, while it runs
//
// It is not for meshes of several machines: there each node is started by
// what starts other daemons, with a join token.
package localmesh
