package check

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// story reads a history, an event a line: "who verb key version", where who is
// a session, or run/stage, and the verb is w (writes, acknowledged), w? (writes, not
// acknowledged), d (deletes), r (reads; of nothing without a version) or f (reads in the
// end). A version may have a stamp, as in b@2. Each event is over before the
// next begins, but for those of a line with several, divided by "|".
func story(t *testing.T, text string) (events []Event) {
	t.Helper()
	for at, line := range strings.Split(strings.TrimSpace(text), "\n") {
		for _, part := range strings.Split(line, "|") {
			words := strings.Fields(part)
			e := Event{Key: words[2], Began: time.Duration(2 * at), Ended: time.Duration(2*at + 1)}
			if run, stage, ok := strings.Cut(words[0], "/"); ok {
				e.Run, e.Stage = run, stage
			} else {
				e.Session = words[0]
			}
			if len(words) > 3 {
				name, stamp, _ := strings.Cut(words[3], "@")
				e.Version = name
				fmt.Sscan(stamp, &e.Stamp)
			}
			switch words[1] {
			case "w", "d":
				e.Writes, e.Acked, e.Deletes = true, true, words[1] == "d"
			case "w?":
				e.Writes, e.Ended = true, 0
			case "f":
				e.Final = true
			case "r":
			default:
				t.Fatalf("%q is no verb", words[1])
			}
			events = append(events, e)
		}
	}
	return events
}

func TestWhatIsPlantedIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		story string
		want  []Anomaly
	}{
		"all in order": {`
			a w x 1
			b r x 1
			b w x 2
			a r x 2
			a d x 3
			b r x
			b f x`, nil},
		"what nobody wrote": {`
			a w x 1
			a r x 2`, []Anomaly{Unwritten}},
		"a lost update": {`
			a w x 1
			a w x 2
			b f x 1`, []Anomaly{Lost}},
		"a key that is gone": {`
			a w x 1
			b f x`, []Anomaly{Lost}},
		"a lost update, by stamps alone": {`
			a w x 1@1
			b w x 2@2
			c f x 1@1`, []Anomaly{Lost}},
		"one of two concurrent writes stays": {`
			a w x 1
			b w x 2
			c f x 1`, nil},
		"what was not acknowledged may be gone": {`
			a w x 1
			a w? x 2
			b f x 1`, nil},
		"two versions in a run": {`
			a w x 1
			r/1 r x 1
			a w x 2
			r/2 r x 2`, []Anomaly{NonRepeatable}},
		"a run that writes the key reads what it wrote": {`
			a w x 1
			r/1 r x 1
			r/1 w x 2
			r/2 r x 2`, nil},
		"a run whose stages write beside one another": {`
			a w x 1
			r/1 r x 1
			r/2 w x 2 | r/3 w x 3
			r/4 r x 3`, nil},
		"back to an older version": {`
			a w x 1
			a w x 2
			b r x 2
			b r x 1`, []Anomaly{NonMonotonic, StaleKey, StaleCut, StaleSession}},
		"back to nothing": {`
			a w x 1
			b r x 1
			b r x`, []Anomaly{NonMonotonic, StaleKey, StaleCut, StaleSession}},
		"nothing, since it was deleted": {`
			a w x 1
			b r x 1
			a d x 2
			b r x`, nil},
		"an own write that is not seen": {`
			a w x 1
			b r x 1
			b w x 2
			b r x 1`, []Anomaly{Overwritten, StaleKey, StaleCut, StaleSession}},
		"an own write that is not seen, and nothing was read": {`
			a w x 1
			b w x 2@2
			b r x 1`, nil},
		"the answer without the question": {`
			a w question 1
			b r question 1
			b w answer 1
			c r answer 1
			c r question`, []Anomaly{StaleCut, StaleSession}},
		"the answer in one stage, the question's absence in another": {`
			a w question 1
			b r question 1
			b w answer 1
			r/1 r answer 1
			r/2 r question`, []Anomaly{StaleSession}},
		"an older question, two steps away": {`
			a w x 1
			a w x 2
			a w y 1
			b r y 1
			b w z 1
			r/1 r z 1
			r/1 r x 1`, []Anomaly{StaleCut, StaleSession}},
		"the question before it was asked again": {`
			a w x 1
			c r x 1
			a w x 2
			b r x 2
			b w y 1
			c r y 1`, nil},
		"two who read what the other writes later": {`
			a r x 1 | b r y 1
			a w y 1 | b w x 1`, []Anomaly{Cycle}},
		"half of what a run wrote": {`
			a w x 0
			a w y 0
			r/1 r x 0
			r/1 r y 0
			r/1 w x 1
			r/1 w y 1
			s/1 r x 1
			s/2 r y 0`, []Anomaly{Fractured}},
		"half of what a run wrote, the other way": {`
			a w x 0
			a w y 0
			r/1 r y 0
			r/1 w x 1
			r/1 w y 1
			s/1 r y 0
			s/2 r x 1`, []Anomaly{Fractured}},
		"what a run wrote first, and replaced": {`
			r/1 w x 1
			r/1 w x 2
			s/1 r x 1`, []Anomaly{Fractured}},
		"what a run wrote, and what came after": {`
			r/1 w x 1
			r/1 w y 1
			a r y 1
			a w y 2
			s/1 r x 1
			s/1 r y 2`, nil},
		"half of what a run wrote, and the rest by oneself": {`
			r/1 w x 1
			r/1 w y 1@5
			s/1 r x 1
			s/1 w y 2@4
			s/1 r y 2@4`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Check(story(t, c.story), Anomalies()...)
			if err != nil {
				t.Fatal(err)
			}
			var kinds []Anomaly
			for _, v := range found {
				kinds = append(kinds, v.Anomaly)
			}
			if kinds = slices.Compact(kinds); !slices.Equal(kinds, c.want) {
				t.Errorf("found %v: expected %v\n%v", kinds, c.want, found)
			}
		})
	}
}

// A read that lasts long may see what was written long after another that began later.
func TestReadsThatOverlapAWriteMayDiffer(t *testing.T) {
	events := []Event{
		{Session: "a", Key: "x", Writes: true, Version: "1", Began: 1, Ended: 2},
		{Run: "r", Stage: "slow", Key: "x", Version: "2", Began: 3, Ended: 20},
		{Run: "r", Stage: "quick", Key: "x", Version: "1", Began: 5, Ended: 6},
		{Run: "r", Stage: "writes", Key: "x", Writes: true, Version: "2", Began: 8, Ended: 9},
	}
	found, err := Check(events, NonRepeatable)
	if err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	events[3].Began, events[3].Ended = 30, 31
	if found, err = Check(events, NonRepeatable); err != nil || len(found) != 1 {
		t.Errorf("found %v, %v where the write came after both", found, err)
	}
}

func TestWhatIsNoHistoryIsInvalid(t *testing.T) {
	for name, events := range map[string][]Event{
		"nobody's event":             {{Key: "x", Version: "1", Writes: true}},
		"it ends before it begins":   {{Session: "a", Key: "x", Began: 2, Ended: 1}},
		"a read without an end":      {{Session: "a", Key: "x"}},
		"a write without a version":  {{Session: "a", Key: "x", Writes: true}},
		"a version is written twice": {{Session: "a", Key: "x", Writes: true, Version: "1"}, {Session: "b", Key: "x", Writes: true, Version: "1"}},
		"a transaction of no run":    {{Session: "a", Transaction: "t", Key: "x", Began: 1, Ended: 2}},
		"too many":                   make([]Event, MaxEvents+1),
	} {
		if _, err := Check(events, Unwritten); mesh.KindOf(err) != mesh.Invalid || err == nil {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}

// one plays sessions and runs on one copy of all keys, where each read sees the
// last write; or on copies that hear of writes late, one each.
func one(chance *rand.Rand, late bool) (events []Event) {
	const sessions, keys, steps = 6, 5, 400
	type copyOf map[string]string
	copies := make([]copyOf, sessions)
	for i := range copies {
		copies[i] = copyOf{}
	}
	for step := range steps {
		who, key := chance.IntN(sessions), fmt.Sprint("k", chance.IntN(keys))
		at := copies[0]
		if late {
			at = copies[who]
		}
		e := Event{
			Run: fmt.Sprint("r", who), Stage: fmt.Sprint(step / 40), Key: key, Began: time.Duration(2 * step), Ended: time.Duration(2*step + 1),
			Version: at[key],
		}
		if chance.IntN(3) == 0 {
			e.Writes, e.Acked, e.Version, e.Stamp = true, true, fmt.Sprint(step), uint64(step+1)
			at[key] = e.Version
			for _, other := range copies {
				if late && chance.IntN(2) == 0 {
					other[key] = e.Version
				}
			}
		}
		events = append(events, e)
	}
	return events
}

func TestOneCopyHasOnlyWhatRunsThatSeeEachOtherHave(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range uint64(20) {
		found, err := Check(one(rand.New(rand.NewPCG(seed, i)), false), Unwritten, Lost, NonMonotonic, Overwritten, StaleKey, StaleCut, StaleSession, Cycle)
		if err != nil || len(found) > 0 {
			t.Fatalf("history %d: %v, %v", i, found, err)
		}
	}
}

func TestCopiesThatHearLateHaveEachStaleAnomaly(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	counts := map[Anomaly]int{}
	for i := range uint64(20) {
		found, err := Check(one(rand.New(rand.NewPCG(seed, i)), true), Anomalies()...)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range found {
			counts[v.Anomaly]++
			if len(v.Events) == 0 || v.String() == "" {
				t.Errorf("%v has no events", v.Anomaly)
			}
		}
	}
	for _, kind := range []Anomaly{NonRepeatable, StaleCut, StaleSession, Fractured} {
		if counts[kind] == 0 {
			t.Errorf("no %v in 20 histories: %v", kind, counts)
		}
	}
	if counts[Unwritten] > 0 || counts[Cycle] > 0 {
		t.Errorf("found what cannot be: %v", counts)
	}
}

// Stages beside one another are not in each other's past, however they end.
func TestStagesBesideOneAnotherOweEachOtherNothing(t *testing.T) {
	history := func(earlier ...string) []Event {
		events := story(t, `
			a w x 1
			a w x 2
			r/left r x 2
			r/left w y 1
			r/right r x 1
			r/right r y`)
		for i := range events[2:] {
			events[2+i].Ordered = true
			if events[2+i].Stage == "right" {
				events[2+i].Earlier = earlier
			}
		}
		return events
	}
	kinds := []Anomaly{NonMonotonic, Overwritten, StaleKey, StaleSession}
	if found, err := Check(history(), kinds...); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	_, counts, err := Tally(history("left"), kinds...)
	if want := (map[Anomaly]int{NonMonotonic: 1, Overwritten: 1, StaleKey: 2, StaleSession: 2}); err != nil || !maps.Equal(counts, want) {
		t.Errorf("one after the other: %v, %v, want %v", counts, err, want)
	}
}

// In a transaction a stage need not see what one beside it has written.
func TestAWriteBesideAStageMayBeSeenOrNot(t *testing.T) {
	history := func(earlier ...string) []Event {
		events := story(t, `
			a w x 1
			r/left w x 2
			r/right r x 1
			r/join r x 2`)
		for i := range events[1:] {
			e := &events[1+i]
			e.Ordered, e.Transaction = true, "r"
			switch e.Stage {
			case "right":
				e.Earlier = earlier
			case "join":
				e.Earlier = []string{"left", "right"}
			}
		}
		return events
	}
	if found, err := Check(history(), NonRepeatable, Overwritten); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	if _, counts, err := Tally(history("left"), NonRepeatable, Overwritten); err != nil || counts[NonRepeatable] != 1 || counts[Overwritten] != 1 {
		t.Errorf("one after the other: %v, %v, want one of each", counts, err)
	}
}

func TestEachLevelForbidsWhatItsNameSays(t *testing.T) {
	forbidden := map[Anomaly][]string{}
	for _, level := range mesh.Levels() {
		for _, kind := range Forbidden(level) {
			forbidden[kind] = append(forbidden[kind], level.String())
		}
	}
	const all = "eventual repeatable causal-key causal-cut causal-session transactional"
	for kind, want := range map[Anomaly]string{
		Unwritten: all, Lost: all,
		NonRepeatable: "repeatable transactional", StaleKey: "causal-key causal-session transactional", StaleCut: "causal-cut causal-session transactional",
		StaleSession: "causal-session transactional", NonMonotonic: "causal-session transactional", Overwritten: "causal-session transactional",
		Cycle: "causal-session transactional", Fractured: "transactional", Torn: "transactional",
	} {
		if got := strings.Join(forbidden[kind], " "); got != want {
			t.Errorf("%v is forbidden by %q, want %q", kind, got, want)
		}
	}
}

func TestATallyCountsBeyondWhatIsTold(t *testing.T) {
	events := []Event{}
	for i := range mostOfAKind + 20 {
		events = append(events, Event{Session: "a", Key: "x", Version: fmt.Sprint(i), Began: time.Duration(2*i + 1), Ended: time.Duration(2*i + 2)})
	}
	found, counts, err := Tally(events, Unwritten)
	if err != nil || len(found) != mostOfAKind || counts[Unwritten] != len(events) {
		t.Errorf("%d told, %v counted, %v", len(found), counts, err)
	}
}
