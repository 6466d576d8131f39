package mesh

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
	"unicode/utf8"
)

// TriggerID tells a trigger from all others, also from those that had its
// name before. It is drawn at random.
type TriggerID [16]byte

// NewTriggerID draws an id.
func NewTriggerID() TriggerID {
	var id TriggerID
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id
}

// String is the id in hexadecimal.
func (t TriggerID) String() string { return hex.EncodeToString(t[:]) }

// IsZero reports whether no id was drawn.
func (t TriggerID) IsZero() bool { return t == TriggerID{} }

// CauseKind says what fires a trigger. The numbers are part of the wire
// format: append, never renumber.
type CauseKind uint8

// The causes.
const (
	OnKey    CauseKind = 1 // a change of one key
	OnPrefix CauseKind = 2 // a change of any key with a prefix
	OnCron   CauseKind = 3 // the moments of a schedule
	OnTime   CauseKind = 4 // one moment
)

// String is the kind's name.
func (k CauseKind) String() string {
	switch k {
	case OnKey:
		return "key"
	case OnPrefix:
		return "prefix"
	case OnCron:
		return "cron"
	case OnTime:
		return "time"
	}
	return fmt.Sprintf("cause(%d)", uint8(k))
}

// Cause is what fires a trigger.
type Cause struct {
	Kind CauseKind
	// Key is the name of a key in the trigger's namespace, or a prefix of names, which may be empty.
	Key string
	// Cron is an expression of five fields, in the time zone Zone; empty is UTC.
	Cron, Zone string
	// After is how long the one moment is away when a node takes the trigger
	// on, which then notes it as At.
	After time.Duration
	At    time.Time
}

// OnChange reports whether changes of keys are the cause.
func (c Cause) OnChange() bool { return c.Kind == OnKey || c.Kind == OnPrefix }

// Trigger runs a function or a DAG when something happens. Zero numbers mean
// the defaults.
type Trigger struct {
	Namespace string
	Name      string
	ID        TriggerID // zero: drawn by the node that takes it on
	Created   time.Time // set by the node that takes it on
	Cause     Cause

	Func FuncRef // what runs, or
	DAG  string  // of the trigger's namespace
	// Args are handed over with each run, after what tells of a change. A
	// DAG's stages without parents get them.
	Args []Value

	AtOnce   int           // runs under way at once
	Rate     int           // runs begun within a second
	Attempts int           // of an event whose runs fail
	Timeout  time.Duration // of a run; zero: that of the node
}

// Bounds and defaults of triggers.
const (
	DefaultTriggerRuns     = 8
	MaxTriggerRuns         = 256
	DefaultTriggerRate     = 50
	MaxTriggerRate         = 10_000
	DefaultTriggerAttempts = 3
	MaxTriggerAttempts     = 100
	MaxTriggerArgs         = 64 << 10 // bytes
	MaxTriggerDelay        = 10 * 365 * 24 * time.Hour
)

// WithDefaults puts the defaults in place of zero numbers.
func (t Trigger) WithDefaults() Trigger {
	if t.AtOnce == 0 {
		t.AtOnce = DefaultTriggerRuns
	}
	if t.Rate == 0 {
		t.Rate = DefaultTriggerRate
	}
	if t.Attempts == 0 {
		t.Attempts = DefaultTriggerAttempts
	}
	return t
}

// Runs is what the trigger runs, for people.
func (t *Trigger) Runs() string {
	if t.DAG != "" {
		return "dag " + t.DAG
	}
	return t.Func.String()
}

// Validate gives an Invalid error that names the first thing wrong. Whether
// what it runs exists is not known here.
func (t *Trigger) Validate() error {
	if err := ValidateNamespace(t.Namespace); err != nil {
		return err
	}
	if err := validateIdentifier("trigger", t.Name); err != nil {
		return err
	}
	if t.Namespace == SystemNamespace {
		return t.invalid("namespace %q is the mesh's own: expected another", t.Namespace)
	}
	if err := t.validateTarget(); err != nil {
		return err
	}
	if err := t.validateNumbers(); err != nil {
		return err
	}
	return t.validateCause()
}

func (t *Trigger) invalid(format string, args ...any) error {
	return Errorf(Invalid, "trigger "+t.Name, format, args...)
}

func (t *Trigger) validateTarget() error {
	hasFunc := t.Func != FuncRef{}
	switch {
	case hasFunc && t.DAG != "":
		return t.invalid("runs function %s and dag %s: expected one of them", t.Func, t.DAG)
	case hasFunc:
		return t.Func.Validate()
	case t.DAG != "":
		return validateIdentifier("dag", t.DAG)
	}
	return t.invalid("runs nothing: expected a function or a dag")
}

func (t *Trigger) validateNumbers() error {
	bytes := 0
	for _, arg := range t.Args {
		bytes += len(arg.Data)
	}
	switch {
	case bytes > MaxTriggerArgs:
		return t.invalid("the arguments have %d bytes: expected at most %d", bytes, MaxTriggerArgs)
	case t.AtOnce < 0 || t.AtOnce > MaxTriggerRuns:
		return t.invalid("%d runs at once: expected 1 to %d", t.AtOnce, MaxTriggerRuns)
	case t.Rate < 0 || t.Rate > MaxTriggerRate:
		return t.invalid("%d runs per second: expected 1 to %d", t.Rate, MaxTriggerRate)
	case t.Attempts < 0 || t.Attempts > MaxTriggerAttempts:
		return t.invalid("%d attempts: expected 1 to %d", t.Attempts, MaxTriggerAttempts)
	case t.Timeout < 0 || t.Timeout > MaxFuncTime:
		return t.invalid("timeout %v: expected a positive duration of at most %v", t.Timeout, MaxFuncTime)
	}
	return nil
}

func (t *Trigger) validateCause() error {
	c := t.Cause
	switch c.Kind {
	case OnKey:
		return Key{Namespace: t.Namespace, Name: c.Key}.Validate()
	case OnPrefix:
		if len(c.Key) > MaxName || !utf8.ValidString(c.Key) || hasZero(c.Key) {
			return t.invalid("prefix %.64q: expected at most %d bytes of UTF-8 without a zero byte", c.Key, MaxName)
		}
		return nil
	case OnCron:
		_, err := ParseSchedule(c.Cron, c.Zone)
		return err
	case OnTime:
		switch {
		case c.After < 0 || c.After > MaxTriggerDelay:
			return t.invalid("a delay of %v: expected a positive one of at most %v", c.After, MaxTriggerDelay)
		case !c.At.IsZero() && (c.At.Year() < 1970 || c.At.Year() > 9999):
			return t.invalid("the moment %v: expected one of the years 1970 to 9999", c.At)
		}
		return nil
	}
	return t.invalid("has no cause: expected the change of a key or of a prefix, a schedule, or a moment")
}

// TriggerStatus is a trigger and how it stands.
type TriggerStatus struct {
	Trigger
	Keeper    NodeID    // the node that fires it; empty: none yet
	LastFired time.Time // zero: never
	NextDue   time.Time // zero: not by the clock, or never again
	Fired     uint64    // events that ran
	Failed    uint64    // events that were given up
	Waiting   int       // events that have yet to run, or run now
	LastError string    // why the last run that failed did
}
