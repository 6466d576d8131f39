package soak

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds   = flag.Uint64("seeds", 6, "how many schedules to play")
	first   = flag.Uint64("first", 1, "the seed of the first")
	lasting = flag.Duration("lasting", 0, "play no further schedule after this time; 0: all of them")
	seed    = flag.Uint64("seed", 0, "play and print this schedule alone")
	rounds  = flag.Int("rounds", 0, "play the first rounds only; 0: all of them")
	only    = flag.String("only", "", "faults whose name has this in it; empty: all")
	say     = flag.Bool("say", false, "show what the nodes log")
)

// Each seed is a test of its own; as many run at once as there are cores.
func TestSeeds(t *testing.T) {
	if *seed != 0 {
		t.Log(schedule(*seed).String())
		play(t, *seed)
		return
	}
	began := time.Now()
	for s := *first; s < *first+*seeds; s++ {
		t.Run(fmt.Sprint("seed ", s), func(t *testing.T) {
			t.Parallel()
			if *lasting > 0 && time.Since(began) > *lasting {
				t.Skipf("%v have passed", *lasting)
			}
			play(t, s)
		})
	}
}

func schedule(seed uint64) Schedule {
	return Generate(seed, *only).Prefix(*rounds)
}

// play runs a schedule. Where it fails, the command that replays it is told.
func play(t *testing.T, seed uint64) {
	s := schedule(seed)
	log := slog.New(slog.DiscardHandler)
	if *say {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	began := time.Now()
	defer func() { // a failed bubble ends the test
		t.Logf("took %v", time.Since(began).Round(time.Millisecond))
		if t.Failed() {
			t.Logf("replay with: go test ./internal/soak -run TestSeeds -seed %d%s", seed, again())
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		virtual := time.Now()
		result, err := Run(t.Context(), s, log)
		if err != nil {
			t.Error(err)
		}
		for _, violation := range result.Violations {
			t.Error(violation)
		}
		t.Logf("%d nodes, %d rounds, %v of virtual time: %d writes acknowledged, %d failed, %d reads",
			s.Nodes, len(s.Rounds), time.Since(virtual).Round(time.Second), result.Acked, result.Failed, result.Reads)
	})
}

// again gives the flags that change what a seed means.
func again() string {
	var b strings.Builder
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "only" || f.Name == "rounds" {
			fmt.Fprintf(&b, " -%s=%q", f.Name, f.Value)
		}
	})
	return b.String()
}
