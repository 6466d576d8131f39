package run

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

func runNumber(n int) (id mesh.RunID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

func TestHistoryIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	h := newHistory(time.Minute, 1000)
	for i := range historyRuns + 10 {
		h.add(&coordination{id: runNumber(i)}, 0, now)
	}
	if len(h.runs) != historyRuns || h.get(runNumber(9), now) != nil || h.get(runNumber(10), now) == nil {
		t.Errorf("%d runs; the oldest should have gone first", len(h.runs))
	}
	h.add(&coordination{id: runNumber(-1)}, 600, now)
	h.add(&coordination{id: runNumber(-2)}, 1001, now)
	if h.get(runNumber(-2), now) != nil {
		t.Error("a run larger than all of the room was kept")
	}
	h.add(&coordination{id: runNumber(-3)}, 600, now)
	if h.get(runNumber(-1), now) != nil || h.get(runNumber(-3), now) == nil || h.bytes != 600 {
		t.Errorf("%d bytes are kept", h.bytes)
	}
	if h.get(runNumber(-3), now.Add(time.Minute+1)) != nil || len(h.runs) != 0 || h.bytes != 0 {
		t.Error("a run outlived its time")
	}
}

func TestForgottenIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	f := forgotten{attempts: map[runKey]uint32{}}
	key := func(n int) runKey { return runKey{runNumber(n), "n1"} }
	f.add(key(0), 2, now)
	f.add(key(0), 1, now)
	if !f.has(key(0), 2) || f.has(key(0), 3) || f.has(runKey{runNumber(0), "n2"}, 1) {
		t.Error("attempts up to the second are over, of this coordinator only")
	}
	for i := range forgottenRuns + 10 {
		f.add(key(i), 1, now)
	}
	if len(f.attempts) > forgottenRuns || f.has(key(0), 1) || !f.has(key(forgottenRuns), 1) {
		t.Errorf("%d attempts are remembered", len(f.attempts))
	}
	f.add(key(-1), 1, now.Add(forgottenFor+1))
	if len(f.attempts) != 1 {
		t.Errorf("%d attempts outlived their time", len(f.attempts)-1)
	}
}
