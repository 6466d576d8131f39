package run

import (
	"math"
	"slices"
	"testing"
	"time"
)

func stagesOf(reports []report) (stages []int) {
	for i := range reports {
		stages = append(stages, reports[i].stage)
	}
	return stages
}

func reportOf(stage int) report { return report{stage: stage, started: time.UnixMicro(1)} }

func TestReportsArePassedOnUnread(t *testing.T) {
	first := reports{own: []report{reportOf(0)}}
	var second reports
	second.pass(first.encoded(), 4)
	second.own = append(second.own, reportOf(1), reportOf(2))
	var third reports
	third.pass(second.encoded(), 4)
	third = joinedReports([]reports{third, {own: []report{reportOf(3)}}})
	if got := stagesOf(third.all(4)); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("stages %v", got)
	}
	if got := stagesOf(third.all(2)); !slices.Equal(got, []int{0, 1, 3}) {
		t.Errorf("of those passed on, stages %v: expected the run's alone", got)
	}
}

func TestReportsThatCannotBeAreLeftOut(t *testing.T) {
	var r reports
	r.pass([]byte("no reports"), 2)
	r.pass(make([]byte, 2*reportBytes), 2)
	if got := r.all(2); len(got) != 0 || len(r.passed) != len("no reports") {
		t.Errorf("%d bytes are kept, read as %v", len(r.passed), got)
	}
}

func TestReportsFitIntoTheirBound(t *testing.T) {
	const most = math.MaxUint32
	largest := report{
		stage: most, started: time.UnixMicro(math.MaxInt64), took: math.MaxInt64, bytes: math.MaxInt64, queued: math.MaxInt64,
		moved: math.MaxInt64, attempt: most, hits: most, misses: most, executions: most, skipped: true,
	}
	if n := len(reports{own: []report{largest}}.encoded()); n > reportBytes {
		t.Errorf("a report takes %d bytes: expected at most %d", n, reportBytes)
	}
}
