package mesh_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

func validTrigger() mesh.Trigger {
	return mesh.Trigger{
		Namespace: "default", Name: "t", Cause: mesh.Cause{Kind: mesh.OnPrefix, Key: "user/"},
		Func: mesh.FuncRef{Namespace: "default", Name: "f"},
	}
}

func TestInvalidTriggersSayWhatWasExpected(t *testing.T) {
	for _, test := range []struct {
		change func(*mesh.Trigger)
		says   string
	}{
		{func(t *mesh.Trigger) { t.Name = "a b" }, "trigger name"},
		{func(t *mesh.Trigger) { t.Namespace = mesh.SystemNamespace }, "the mesh's own"},
		{func(t *mesh.Trigger) { t.Func = mesh.FuncRef{} }, "runs nothing"},
		{func(t *mesh.Trigger) { t.DAG = "d" }, "expected one of them"},
		{func(t *mesh.Trigger) { t.Cause = mesh.Cause{} }, "has no cause"},
		{func(t *mesh.Trigger) { t.Cause = mesh.Cause{Kind: mesh.OnKey} }, "0 bytes"},
		{func(t *mesh.Trigger) { t.Cause.Key = strings.Repeat("x", 2000) }, "at most 1024 bytes"},
		{func(t *mesh.Trigger) { t.Cause = mesh.Cause{Kind: mesh.OnCron, Cron: "* * * *"} }, "five fields"},
		{func(t *mesh.Trigger) { t.Cause = mesh.Cause{Kind: mesh.OnCron, Cron: "@every 1s"} }, "five fields"},
		{func(t *mesh.Trigger) { t.Cause = mesh.Cause{Kind: mesh.OnCron, Cron: "TZ=x"} }, "five fields"},
		{func(t *mesh.Trigger) { t.Cause = mesh.Cause{Kind: mesh.OnCron, Cron: "0 0 31 2 *"} }, "never comes"},
		{func(t *mesh.Trigger) {
			t.Cause = mesh.Cause{Kind: mesh.OnCron, Cron: "* * * * *", Zone: "Mars/Olympus"}
		}, "Europe/Berlin"},
		{func(t *mesh.Trigger) { t.Cause = mesh.Cause{Kind: mesh.OnTime, After: -1} }, "a delay of"},
		{func(t *mesh.Trigger) { t.AtOnce = 1000 }, "runs at once"},
		{func(t *mesh.Trigger) { t.Rate = -1 }, "runs per second"},
		{func(t *mesh.Trigger) { t.Attempts = 1000 }, "attempts"},
		{func(t *mesh.Trigger) { t.Timeout = 48 * time.Hour }, "timeout"},
		{func(t *mesh.Trigger) {
			t.Args = []mesh.Value{{Format: mesh.Raw, Data: make([]byte, mesh.MaxTriggerArgs+1)}}
		}, "the arguments have"},
	} {
		tr := validTrigger()
		test.change(&tr)
		if err := tr.Validate(); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v gave %v: expected Invalid, %q", tr, err, test.says)
		}
	}
	tr := validTrigger()
	if err := tr.Validate(); err != nil {
		t.Error(err)
	}
}

func TestAScheduleGoesByTheClocksOfItsZone(t *testing.T) {
	moment := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at.UTC()
	}
	for _, test := range []struct{ cron, zone, after, next string }{
		{"*/5 * * * *", "", "2026-03-01T10:02:30Z", "2026-03-01T10:05:00Z"},
		{"*/5 * * * *", "", "2026-03-01T10:05:00Z", "2026-03-01T10:10:00Z"},
		{"0 9 * * mon-fri", "Europe/Berlin", "2026-03-06T12:00:00Z", "2026-03-09T08:00:00Z"},
		{"0 9 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T07:00:00Z"},  // summer time began
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"}, // the clocks skip 02:30
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"}, // and show it twice
		{"@daily", "America/New_York", "2026-07-01T00:00:00Z", "2026-07-01T04:00:00Z"},
		{"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
	} {
		s, err := mesh.ParseSchedule(test.cron, test.zone)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := s.Next(moment(test.after)); !got.Equal(moment(test.next)) {
			t.Errorf("%s in %s after %s: %s, expected %s", test.cron, test.zone, test.after, got.Format(time.RFC3339), test.next)
		}
	}
}

func TestTheLastMomentOfALongTime(t *testing.T) {
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		cron        string
		from, until time.Duration
		want        time.Duration // from begin; 0: none
	}{
		{"* * * * *", 0, 30 * time.Second, 0},
		{"* * * * *", 0, time.Minute, time.Minute},
		{"* * * * *", 0, 5 * 365 * 24 * time.Hour, 5 * 365 * 24 * time.Hour},
		{"0 12 * * *", 0, 100 * time.Hour, 84 * time.Hour},
		{"0 0 29 2 *", 0, 3 * 365 * 24 * time.Hour, 59 * 24 * time.Hour},
		{"* * * * *", time.Hour, time.Minute, 0},
	} {
		s, err := mesh.ParseSchedule(test.cron, "")
		if err != nil {
			t.Fatal(err)
		}
		got := s.Last(begin.Add(test.from), begin.Add(test.until))
		if test.want == 0 != got.IsZero() || test.want != 0 && !got.Equal(begin.Add(test.want)) {
			t.Errorf("%s until %s: %s, expected %s", test.cron, test.until, got, begin.Add(test.want))
		}
	}
}
