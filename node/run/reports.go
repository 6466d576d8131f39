package run

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// reports are what a node has to tell of stages. What other nodes told it is
// kept as it came: only the coordinator reads that.
type reports struct {
	own    []report
	passed []byte // encoded pb.StageReports
}

// reportBytes is more than one report takes in its encoding.
const reportBytes = 128

// usualReportBytes is what most take.
const usualReportBytes = 32

// pass adds what another node told, of a run with that many stages, and leaves
// room for one report more. What is longer than it can be is left out: reports
// are for people only.
func (r *reports) pass(encoded []byte, stages int) {
	if n := len(r.passed) + len(encoded); len(encoded) > 0 && n <= stages*reportBytes {
		r.passed = append(slices.Grow(r.passed, len(encoded)+usualReportBytes), encoded...)
	}
}

// joinedReports gives the reports of all. It shares nothing with them.
func joinedReports(all []reports) (joined reports) {
	for _, r := range all {
		joined.own, joined.passed = append(joined.own, r.own...), append(joined.passed, r.passed...)
	}
	return joined
}

// encoded gives the reports as they travel. It may use the room of passed.
func (r reports) encoded() []byte {
	if len(r.own) == 0 {
		return r.passed
	}
	room := r.passed
	if room == nil {
		room = make([]byte, 0, len(r.own)*usualReportBytes)
	}
	m := &pb.StageReports{Reports: make([]*pb.StageReport, len(r.own))}
	for i := range r.own {
		m.Reports[i] = r.own[i].message()
	}
	encoded, err := proto.MarshalOptions{}.MarshalAppend(room, m)
	if err != nil {
		panic("run: reports, which are numbers, do not encode: " + err.Error())
	}
	return encoded
}

// all reads the reports of a run with that many stages, and leaves out those
// that cannot be.
func (r reports) all(stages int) []report {
	if len(r.passed) == 0 {
		return r.own
	}
	return append(parseReports(r.passed, stages), r.own...)
}

func parseReports(encoded []byte, stages int) (parsed []report) {
	var m pb.StageReports
	if proto.Unmarshal(encoded, &m) != nil {
		return nil
	}
	for _, one := range m.Reports {
		if uint64(one.Stage) < uint64(stages) && len(parsed) < stages {
			parsed = append(parsed, parseReport(one))
		}
	}
	return parsed
}
