package soak

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/hlc"
	"github.com/virga-mesh/virga/node/store"
)

// replicas is how many nodes own a key: the nodes' default.
const replicas = 3

// compareDisks holds what the owners of each key have on their disks against
// each other. The mesh goes on: copies of the disks are read.
func (r *run) compareDisks() error {
	ids := map[int]mesh.NodeID{}
	cells := map[int][keys][]byte{}
	for _, node := range r.mesh.Running() {
		ids[node] = r.mesh.Node(node).ID()
		found, err := cellsOf(r.mesh.Copy(node), ids[node])
		if err != nil {
			return fmt.Errorf("the disk of node %d: %w", node, err)
		}
		cells[node] = found
	}
	for key := range keys {
		owners := ownersOf(meshKey(key), ids)
		for _, owner := range owners[1:] {
			if first := cells[owners[0]][key]; !bytes.Equal(first, cells[owner][key]) {
				r.violation("%s: its owners differ: node %d holds %x, node %d holds %x", keyName(key), owners[0], first, owner, cells[owner][key])
			}
		}
	}
	return nil
}

// cellsOf reads the cells of all keys from a disk; nil for none, and for what is deleted.
func cellsOf(disk vfs.FS, id mesh.NodeID) (cells [keys][]byte, err error) {
	opened, err := store.Open(store.Options{
		Dir: "/data/store", FS: disk, Node: id,
		Clock: hlc.New(id, time.Now, time.Hour), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return cells, err
	}
	for key := range keys {
		cell, found, getErr := opened.Get(meshKey(key))
		if err = cmp.Or(err, getErr); found && !cell.Deleted() { // all forget a mark, but not at once
			cells[key] = cell.AppendBinary(nil)
		}
	}
	return cells, cmp.Or(err, opened.Close())
}

// ownersOf computes, without the code under test, which of the nodes own a key.
func ownersOf(key mesh.Key, ids map[int]mesh.NodeID) (owners []int) {
	for node := range ids {
		owners = append(owners, node)
	}
	at := key.Partition().ID()
	slices.SortFunc(owners, func(a, b int) int { return mesh.CompareDistance(at, ids[a].ID(), ids[b].ID()) })
	return owners[:min(replicas, len(owners))]
}

// ownersNow tells which of the nodes that run own a key, the closest first.
func (r *run) ownersNow(key int) string {
	r.lock.Lock()
	defer r.lock.Unlock()
	ids := map[int]mesh.NodeID{}
	for node, n := range r.nodes {
		if id := n.ID(); id != "" {
			ids[node] = id
		}
	}
	return fmt.Sprint(ownersOf(meshKey(key), ids))
}
