package bench

import (
	"encoding/json"
	"testing"
)

// A case in which nothing was measured is reported like any other.
func TestAReportOfNothingCanBeWritten(t *testing.T) {
	var r Report
	r.SetFloor(SampleOf())
	row := r.Add("nothing", SampleOf())
	if row.PerSec != 0 || row.P50Ratio != 0 || row.RateRatio != 0 {
		t.Errorf("of nothing: %+v", row)
	}
	if _, err := json.Marshal(row); err != nil {
		t.Error(err)
	}
}

func TestWhatTakesNoTimeHasARate(t *testing.T) {
	var r Report
	if row := r.AddAlone("at once", SampleOf(0)); row.N != 1 || row.P50US <= 0 || row.PerSec <= 0 {
		t.Errorf("what took no time: %+v", row)
	}
}
