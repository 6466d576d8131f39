package check

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// serial plays transactions one after the other on one copy, of which some begin
// anew, some conflict, and some are not answered: with torn, half of what these wrote is made.
func serial(chance *rand.Rand, torn bool) []Event {
	const keys, steps = 4, 150
	var events []Event
	var clock time.Duration
	copied, outcomes := map[string]string{}, map[string]Outcome{}
	tick := func() time.Duration { clock++; return clock }
	for run := range steps {
		name, generations := fmt.Sprint("T", run), uint32(1+chance.IntN(2))
		how := chance.IntN(4)
		for g := range generations {
			buffer := map[string]string{}
			for step := range 4 {
				key := fmt.Sprint("k", chance.IntN(keys))
				version, own := buffer[key]
				if !own {
					version = copied[key]
				}
				e := Event{Run: name, Transaction: name, Stage: fmt.Sprint(step / 2), Execution: fmt.Sprint(g), Generation: g, Key: key, Version: version, Began: tick()}
				e.Ended = tick()
				events = append(events, e)
				e.Writes, e.Acked, e.Version = true, true, fmt.Sprint(run, ".", g, ".", step)
				e.Began, e.Ended = tick(), tick()
				buffer[key] = e.Version
				events = append(events, e)
			}
			if g < generations-1 || how == 1 {
				continue
			}
			made := 0
			for key, version := range buffer {
				if made++; !torn || made%2 == 1 {
					copied[key] = version
				}
			}
		}
		switch how {
		case 1:
			outcomes[name] = Outcome{tick(), mesh.Errorf(mesh.Conflict, "", "again and again")}
		case 2:
			outcomes[name] = Outcome{tick(), errors.New("not known")}
		case 3:
		default:
			outcomes[name] = Outcome{At: tick()}
		}
	}
	for key, version := range copied {
		events = append(events, Event{Session: "end", Key: key, Version: version, Final: true, Began: tick(), Ended: tick()})
	}
	return Conclude(events, outcomes)
}

func TestSerialTransactionsHaveNoAnomaly(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	found := map[Anomaly]int{}
	for i := range uint64(20) {
		if v, err := Check(serial(rand.New(rand.NewPCG(seed, i)), false), Forbidden(mesh.Transactional)...); err != nil || len(v) > 0 {
			t.Fatalf("history %d: %v, %v", i, v, err)
		}
		_, counts, err := Tally(serial(rand.New(rand.NewPCG(seed, i)), true), Forbidden(mesh.Transactional)...)
		if err != nil {
			t.Fatal(err)
		}
		for kind, n := range counts {
			found[kind] += n
		}
	}
	for _, kind := range []Anomaly{Fractured, StaleSession, Lost} {
		if found[kind] == 0 {
			t.Errorf("no %v where commits are torn: %v", kind, found)
		}
	}
}
