package run

import (
	"time"

	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// report says what a stage did. Reports travel with the results, each on one
// path only: a node sends a report on with its next message, whichever stage
// that is of. As every stage leads to a sink, the coordinator has them all
// when it has the results of all sinks.
type report struct {
	stage   int
	started time.Time
	took    time.Duration
	bytes   int // of the result
}

func reportMessages(reports []report) []*pb.StageReport {
	messages := make([]*pb.StageReport, len(reports))
	for i, r := range reports {
		messages[i] = &pb.StageReport{
			Stage: uint32(r.stage), StartedUs: uint64(r.started.UnixMicro()),
			TookUs: uint64(r.took / time.Microsecond), ResultBytes: uint64(r.bytes),
		}
	}
	return messages
}

// parseReports reads the reports of a run with that many stages, and leaves
// out those that cannot be: they are for people only.
func parseReports(messages []*pb.StageReport, stages int) []report {
	var reports []report
	for _, m := range messages {
		if uint64(m.Stage) >= uint64(stages) || len(reports) >= stages {
			continue
		}
		reports = append(reports, report{
			stage: int(m.Stage), started: time.UnixMicro(int64(m.StartedUs)),
			took: time.Duration(m.TookUs) * time.Microsecond, bytes: int(m.ResultBytes),
		})
	}
	return reports
}
