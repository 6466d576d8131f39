package main

import (
	"slices"
	"strings"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// nodeNameHelp says how commands take a node.
const nodeNameHelp = `NODE is a node's id, the end of it, an address of the node, or the name of a node of
the mesh on this machine, such as n2.`

// findNode gives the node that a name stands for, among those that the node
// which was asked knows.
func (a *app) findNode(status sdk.NodeStatus, name string) (mesh.NodeID, error) {
	addr, err := a.localAddr(name)
	if err != nil {
		return "", err
	}
	known := append([]sdk.PeerStatus{{ID: status.ID, Addrs: status.Addrs}}, status.Peers...)
	var matches []string
	var found mesh.NodeID
	for _, node := range known {
		id := node.ID.String()
		if id == name {
			return node.ID, nil
		}
		if strings.HasSuffix(id, name) || slices.Contains(node.Addrs, addr) {
			matches, found = append(matches, id), node.ID
		}
	}
	switch len(matches) {
	case 1:
		return found, nil
	case 0:
		return "", mesh.Errorf(mesh.NotFound, "find node", "%q is no node that the mesh knows; virga node list shows them", name)
	}
	slices.Sort(matches)
	return "", mesh.Errorf(mesh.Invalid, "find node", "%q may be %s: expected one node", name, strings.Join(matches, " or "))
}

// localAddr gives the address of a node of the mesh on this machine by its
// name; of what is no such name, the name itself.
func (a *app) localAddr(name string) (string, error) {
	nodes, err := localmesh.Nodes(a.home)
	if err != nil {
		return "", err
	}
	for _, node := range nodes {
		if node.Name == name {
			return node.Addr, nil
		}
	}
	return name, nil
}
