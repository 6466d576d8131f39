package dags

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

var (
	seeds  = flag.Uint64("seeds", 6, "how many schedules to play")
	first  = flag.Uint64("first", 1, "the seed of the first")
	lasts  = flag.Duration("lasting", 0, "play no further schedule after this time; 0: all of them")
	seed   = flag.Uint64("seed", 0, "play and print this schedule alone")
	repeat = flag.Int("repeat", 1, "play it so many times")
	say    = flag.Bool("say", false, "show what the nodes log")
)

// Each seed is a test of its own; as many run at once as there are cores.
func TestSeeds(t *testing.T) {
	if *seed != 0 {
		s := Generate(*seed)
		t.Log(s.String())
		for range *repeat {
			play(t, *seed)
		}
		return
	}
	began := time.Now()
	for s := *first; s < *first+*seeds; s++ {
		t.Run(fmt.Sprint("seed ", s), func(t *testing.T) {
			t.Parallel()
			if *lasts > 0 && time.Since(began) > *lasts {
				t.Skipf("%v have passed", *lasts)
			}
			play(t, s)
		})
	}
}

// play runs a schedule. Where it fails, the command that replays it is told.
func play(t *testing.T, seed uint64) {
	log := slog.New(slog.DiscardHandler)
	if *say {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	began := time.Now()
	defer func() { // a failed bubble ends the test
		t.Logf("took %v", time.Since(began).Round(time.Millisecond))
		if t.Failed() {
			t.Logf("replay with: go test ./internal/soak/dags -run TestSeeds -seed %d", seed)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		result, err := Run(t.Context(), Generate(seed), log)
		if err != nil {
			t.Error(err)
		}
		for _, violation := range result.Violations {
			t.Error(violation)
		}
		t.Logf("%d calls right, %d failed as they had to, %d excused, %d conflicts; %d stages ran again; %d reads and writes of state", result.Right, result.Failed, result.Excused, result.Conflicts, result.Again, result.StateReads)
	})
}

// Where runs read at eventual the checker finds what each level prevents: else
// it would find nothing with the level either.
func TestTheCheckerFindsWhatTheLevelPrevents(t *testing.T) {
	for _, level := range mesh.Levels()[1:] {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			found := false
			for seed := uint64(1); seed <= mostLaxSeeds; seed++ {
				synctest.Test(t, func(t *testing.T) {
					s := GenerateAt(seed, level)
					s.Lax, s.Faults = true, nil
					result, err := Run(t.Context(), s, slog.New(slog.DiscardHandler))
					if err != nil {
						t.Fatal(err)
					}
					t.Logf("seed %d: %d anomalies in %d reads and writes", seed, result.Anomalies, result.StateReads)
					found = found || result.Anomalies > 0
				})
				if found {
					return
				}
			}
			t.Errorf("no anomaly at eventual in %d schedules", mostLaxSeeds)
		})
	}
}

// mostLaxSeeds is how many schedules are played until an anomaly is found.
const mostLaxSeeds = 20

// The oracle refuses what it should.
func TestTheOracleSeesWhatIsWrong(t *testing.T) {
	refused := 0
	for seed := range uint64(200) {
		j := randomJob(rand.New(rand.NewPCG(seed, 1)), 0, mostStages)
		if err := j.dag.Validate(); err != nil {
			t.Fatal(err)
		}
		e := j.expected()
		if wrong := e.wrong(t.Context(), nil, mesh.Errorf(mesh.Unavailable, "", "gone"), false); wrong == "" {
			t.Fatalf("seed %d: an error that nothing explains is taken", seed)
		}
		if e.mustFail || len(e.results) == 0 {
			continue
		}
		refused++
		if wrong := e.wrong(t.Context(), nil, nil, true); wrong == "" {
			t.Fatalf("seed %d: missing results are taken", seed)
		}
	}
	if refused < 50 {
		t.Errorf("%d jobs have results: the seeds try too little", refused)
	}
}
