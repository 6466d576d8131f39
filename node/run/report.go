package run

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// report says what a stage did. Reports travel with the results, each on one
// path only: a node sends a report on with its next message, whichever stage
// that is of. As every stage leads to a sink, the coordinator has them all
// when it has the results of all sinks, but for those that were on their way
// through a node that died; and those of stages whose results an any-of stage
// did not wait for.
//
// Who runs the function says when it started, how long it took, and what it
// counted; the rest is filled in where the stage ends.
type report struct {
	stage      int
	started    time.Time
	took       time.Duration
	bytes      int           // of the result
	queued     time.Duration // from the last input on until it had its place; of several executions all together
	moved      int64         // bytes of inputs, and of keys that it read, that came from other nodes
	attempt    uint32        // in which the stage was given to its node
	hits       uint32        // keys that it read, as arguments or by itself, that were on the node
	misses     uint32        // keys that were read elsewhere
	executions uint32        // of the function; 0: one
	skipped    bool
}

// dataOf is the size of the values among arguments, in bytes.
func dataOf(args []Arg) (sum int64) {
	for i := range args {
		sum += int64(len(args[i].Value.Data))
	}
	return sum
}

func (r *report) message() *pb.StageReport {
	return &pb.StageReport{
		Stage: uint32(r.stage), Attempt: r.attempt, StartedUs: uint64(r.started.UnixMicro()),
		TookUs: uint64(r.took / time.Microsecond), ResultBytes: uint64(r.bytes), QueuedUs: uint64(max(r.queued, 0) / time.Microsecond),
		MovedBytes: uint64(r.moved), CacheHits: r.hits, CacheMisses: r.misses,
		Executions: r.executions, Skipped: r.skipped,
	}
}

func parseReport(m *pb.StageReport) report {
	return report{
		stage: int(m.Stage), attempt: m.Attempt, started: time.UnixMicro(int64(m.StartedUs)),
		took: time.Duration(m.TookUs) * time.Microsecond, bytes: int(m.ResultBytes), queued: time.Duration(m.QueuedUs) * time.Microsecond,
		moved: int64(m.MovedBytes), hits: m.CacheHits, misses: m.CacheMisses,
		executions: m.Executions, skipped: m.Skipped,
	}
}

// at gives the report as records show it.
func (r *report) at(node mesh.NodeID) StageReport {
	return StageReport{
		Stage: r.stage, Node: node, Attempt: r.attempt, Started: r.started, Queued: r.queued, Took: r.took,
		Bytes: r.bytes, Moved: r.moved, Hits: int(r.hits), Misses: int(r.misses), Executions: int(r.executions), Skipped: r.skipped,
	}
}

func (s *StageReport) message() *pb.StageReport {
	r := report{
		stage: s.Stage, attempt: s.Attempt, started: s.Started, queued: s.Queued, took: s.Took,
		bytes: s.Bytes, moved: s.Moved, hits: uint32(s.Hits), misses: uint32(s.Misses), executions: uint32(s.Executions), skipped: s.Skipped,
	}
	m := r.message()
	m.Node = []byte(s.Node)
	return m
}
