package bench

import (
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
