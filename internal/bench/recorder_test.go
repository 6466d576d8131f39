package bench

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestARecorderSumsCallersAndStretches(t *testing.T) {
	r := NewRecorder(3)
	for range 2 {
		var callers sync.WaitGroup
		for caller := range 3 {
			callers.Go(func() {
				r.Record(caller, time.Duration(caller+1)*time.Millisecond)
				r.Record(caller, 0)
				r.Record(caller, time.Hour)
			})
		}
		callers.Wait()
		r.Ran(time.Second)
	}
	s := r.Sample()
	if s.N() != 18 || s.Callers != 3 || s.Throughput() != 9 || s.Min() != 1 || s.Max() < time.Minute || s.Max() > 61*time.Second {
		t.Errorf("%d by %d callers, %g per second, %v to %v", s.N(), s.Callers, s.Throughput(), s.Min(), s.Max())
	}
	if p := s.Percentile(50); p < 1980*time.Microsecond || p > 2020*time.Microsecond {
		t.Errorf("the median is %v", p)
	}
	if empty := NewRecorder(1).Sample(); empty.N() != 0 || empty.Throughput() != 0 {
		t.Errorf("nothing recorded gives %+v", empty)
	}
}

func TestViolationsAreToldWhereTheyWereCounted(t *testing.T) {
	r := NewRecorder(1)
	r.Record(0, time.Millisecond)
	counted, none := r.Sample(), int64(0)
	counted.Violations = &none
	for _, c := range []struct {
		sample Sample
		told   bool
	}{{counted, true}, {r.Sample(), false}} {
		var report Report
		var text strings.Builder
		if err := report.AddAlone("reads", c.sample).Write(&text); err != nil {
			t.Fatal(err)
		}
		written, err := json.Marshal(&report)
		if err != nil || strings.Contains(text.String(), "  0 violations") != c.told || strings.Contains(string(written), `"violations":0`) != c.told {
			t.Errorf("told: %v, want %v: %s%s, %v", !c.told, c.told, text.String(), written, err)
		}
	}
}
