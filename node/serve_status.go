package node

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/virga-mesh/virga/dht"
	"github.com/virga-mesh/virga/internal/version"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func (r *rooms) status() *pb.StatusReply {
	stored, cached := r.store.Stats(), r.cache.Stats()
	meshID := r.meshID
	reply := &pb.StatusReply{
		Node: []byte(r.self), Addrs: r.endpoint.Addrs(), MeshId: meshID[:], Software: version.String(),
		StartedUnixMs: r.started.UnixMilli(), NotReadyReason: r.notReady(),
		Keys: uint64(stored.Keys), StoredBytes: uint64(stored.DiskBytes),
		CachedKeys: uint64(cached.Keys), CachedBytes: uint64(cached.Bytes),
		Running: uint64(r.exec.Running()), ResidentBytes: residentBytes(),
		NodesWanted: r.follower.wanted(),
	}
	load := r.exec.Load()
	reply.Labels, reply.Waiting, reply.Capacity = r.cfg.Labels, uint64(load.Waiting), uint64(load.Capacity)
	reply.Ready = reply.NotReadyReason == ""
	for _, member := range r.dht.Known() {
		if member.ID == r.self {
			reply.Draining = member.Draining
		} else {
			reply.Peers = append(reply.Peers, r.peerStatus(member))
		}
	}
	return reply
}

func (r *rooms) peerStatus(m dht.Member) *pb.PeerStatus {
	status := &pb.PeerStatus{Node: []byte(m.ID), Addrs: m.Addrs, Live: m.Live, Draining: m.Draining}
	if !m.Live {
		status.MissingUnixMs = m.MissingSince.UnixMilli()
	}
	if conn, ok := r.endpoint.Conn(m.ID); ok {
		status.RoundTripUs = uint64(conn.RTT().Microseconds())
	}
	if told := r.workloads.of(m.ID, time.Now()); told != nil {
		status.Labels = told.labels
	}
	return status
}

// residentBytes is the memory of this process that is in RAM, or what the Go
// runtime holds where the system does not tell.
func residentBytes() uint64 {
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(statm)); len(fields) > 1 {
			if pages, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
				return pages * uint64(os.Getpagesize())
			}
		}
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.Sys
}
