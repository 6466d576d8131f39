package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// minIDEnd is the least length of what is taken for the end of a node's id, as
// logs and tables show it. Ids end at random: something shorter, such as the
// name of a node that is no longer there, may well be the end of another's id.
const minIDEnd = 8

// nodeNameHelp says how commands take a node.
var nodeNameHelp = fmt.Sprintf(`NODE is a node's id, its last %d characters or more, an address of the node, or
the name of a node of the mesh on this machine, such as n2.`, minIDEnd)

// findNode gives the node that a name stands for, among those that the node
// which was asked knows. What names a node of the mesh on this machine stands
// for no other, even while that node is not known.
func (a *app) findNode(status sdk.NodeStatus, name string) (mesh.NodeID, error) {
	if name == "" {
		return "", mesh.Errorf(mesh.Invalid, "find node", "the name is empty: expected an id, its last %d characters or more, an address or a local name", minIDEnd)
	}
	addr, isLocal, err := a.localAddr(name)
	if err != nil {
		return "", err
	}
	means := func(node sdk.PeerStatus) bool {
		if isLocal {
			return slices.Contains(node.Addrs, addr)
		}
		id := node.ID.String()
		return id == name || len(name) >= minIDEnd && strings.HasSuffix(id, name) || slices.Contains(node.Addrs, name)
	}
	var matches []string
	var found mesh.NodeID
	for _, node := range append([]sdk.PeerStatus{{ID: status.ID, Addrs: status.Addrs}}, status.Peers...) {
		if means(node) {
			matches, found = append(matches, node.ID.String()), node.ID
		}
	}
	switch len(matches) {
	case 1:
		return found, nil
	case 0:
		return "", mesh.Errorf(mesh.NotFound, "find node", "%q is no node that the mesh knows: expected an id, its last %d characters or more, an address or a local name; virga node list shows them", name, minIDEnd)
	}
	slices.Sort(matches)
	return "", mesh.Errorf(mesh.Invalid, "find node", "%q may be %s: expected one node", name, strings.Join(matches, " or "))
}

// localAddr gives the address of a node of the mesh on this machine by its
// name, and whether there is one.
func (a *app) localAddr(name string) (addr string, ok bool, err error) {
	nodes, err := localmesh.Nodes(a.home)
	if err != nil {
		return "", false, err
	}
	for _, node := range nodes {
		if node.Name == name {
			return node.Addr, true, nil
		}
	}
	return "", false, nil
}
