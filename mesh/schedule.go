package mesh

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule gives the moments of a cron expression in a time zone. It is safe
// for concurrent use.
type Schedule struct {
	spec cron.Schedule
	zone *time.Location
}

// ParseSchedule reads a cron expression of five fields (minute, hour, day of
// the month, month, day of the week), or a name such as @hourly, and the name
// of a time zone; empty is UTC. What cannot be read, and what never comes, is
// Invalid.
func ParseSchedule(expression, zone string) (Schedule, error) {
	invalid := func(format string, args ...any) (Schedule, error) {
		return Schedule{}, Errorf(Invalid, "schedule", format, args...)
	}
	location, err := time.LoadLocation(zone)
	switch {
	case err != nil || zone == "Local":
		return invalid("time zone %.64q is not known: expected a name such as Europe/Berlin, or UTC", zone)
	case len(expression) > maxCron:
		return invalid("the cron expression has %d bytes: expected at most %d", len(expression), maxCron)
	case strings.Contains(expression, "=") || strings.HasPrefix(expression, "@every"):
		return invalid("%q: expected five fields, such as \"*/5 * * * *\", or @hourly, @daily, @weekly, @monthly, @yearly", expression)
	}
	spec, err := cron.ParseStandard(expression)
	if err != nil {
		return invalid("%q: %s: expected five fields, such as \"*/5 * * * *\"", expression, err)
	}
	s := Schedule{spec, location}
	if s.Next(time.Now()).IsZero() {
		return invalid("%q never comes: expected days that are in the calendar", expression)
	}
	return s, nil
}

// maxCron bounds a cron expression, in bytes.
const maxCron = 256

// Next is the first moment after t; zero if there is none within five years.
// Moments are those that clocks of the zone show: an hour that they skip has
// none, one that they show twice has its moments twice.
func (s Schedule) Next(t time.Time) time.Time {
	next := s.spec.Next(t.In(s.zone))
	if next.IsZero() {
		return time.Time{}
	}
	return next.UTC()
}

// Last is the last moment that is after from and not after until; zero if
// there is none. However long the time between, it looks at few of them.
func (s Schedule) Last(from, until time.Time) (last time.Time) {
	for _, back := range []time.Duration{time.Hour, 25 * time.Hour, 32 * 24 * time.Hour, 367 * 24 * time.Hour, until.Sub(from)} {
		for next := s.Next(later(from, until.Add(-back))); !next.IsZero() && !next.After(until); next = s.Next(next) {
			last = next
		}
		if !last.IsZero() {
			return last
		}
	}
	return last
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
