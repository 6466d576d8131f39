package mesh

import (
	"context"
	"fmt"
	"strings"
)

// Consistency is what a run may rely on where it reads state. The numbers are
// part of the wire format.
type Consistency uint8

// The levels.
const (
	// Eventual lets each read see whatever the node has: the newest that has
	// reached it.
	Eventual Consistency = 0
	// Repeatable has all reads of a key by one run see one version of it: what
	// the run itself wrote last, else what it read first (Cloudburst, PVLDB
	// 13(11), section 5.1).
	Repeatable Consistency = 1
	// CausalKey has no read of a run see an older state of a key than an earlier
	// stage of it has read or written (single-key causality).
	CausalKey Consistency = 2
	// CausalCut has what one stage reads be a causal cut: nothing that it reads
	// depends on a later state of another key than the one it reads afterwards
	// (multi-key causality; Bailis et al., "Bolt-on Causal Consistency", SIGMOD 2013).
	CausalCut Consistency = 3
	// CausalSession has no read of a run be older than what the run's earlier
	// stages have read or written, or than what that depends on (Cloudburst, PVLDB
	// 13(11), section 5.2 and algorithm 2).
	CausalSession Consistency = 4
	// Transactional has all reads of a run be of one causal cut, each key in one
	// version, and has others see its writes together, when it has succeeded, or
	// not at all (transactional causal consistency: Wu et al., "Transactional
	// Causal Consistency for Serverless Computing", SIGMOD 2020; read atomic:
	// Sreekanti et al., "A Fault-Tolerance Shim for Serverless Computing", EuroSys 2020).
	Transactional Consistency = 5
)

var levels = [...]string{
	Eventual: "eventual", Repeatable: "repeatable",
	CausalKey: "causal-key", CausalCut: "causal-cut", CausalSession: "causal-session",
	Transactional: "transactional",
}

// Levels gives all levels, in the order of their numbers.
func Levels() []Consistency {
	all := make([]Consistency, len(levels))
	for i := range all {
		all[i] = Consistency(i)
	}
	return all
}

// String is the level's name.
func (c Consistency) String() string {
	if int(c) < len(levels) {
		return levels[c]
	}
	return fmt.Sprintf("consistency(%d)", uint8(c))
}

// With is the weakest level that promises what both do.
func (c Consistency) With(other Consistency) Consistency {
	weaker, stronger := min(c, other), max(c, other)
	switch {
	case weaker == stronger || weaker == Eventual || stronger == Transactional:
		return stronger
	case weaker.Causal():
		return CausalSession // of two that differ
	}
	return Transactional // of repeatable and a causal one
}

// Causal reports whether reads and writes are ordered by cause.
func (c Consistency) Causal() bool { return c >= CausalKey && c <= Transactional }

// Pinned reports whether a run sees one version of each key.
func (c Consistency) Pinned() bool { return c == Repeatable || c == Transactional }

// Validate reports a number that is no level as Invalid.
func (c Consistency) Validate() error {
	if int(c) < len(levels) {
		return nil
	}
	return Errorf(Invalid, "consistency", "%s: expected up to %d", c, len(levels)-1)
}

// ParseConsistency reads what String writes; the empty text is Eventual.
func ParseConsistency(text string) (Consistency, error) {
	if text == "" {
		return Eventual, nil
	}
	for level, name := range levels {
		if name == text {
			return Consistency(level), nil
		}
	}
	return 0, Errorf(Invalid, "consistency", "%q: expected one of %s", text, strings.Join(levels[:], ", "))
}

// Session names what the reads and writes of a run have in common, and those
// of the runs that its functions call. The zero Session is that of runs at
// Eventual: it has nothing in common.
type Session struct {
	Level Consistency
	ID    RunID  // drawn for it
	Home  NodeID // who knows which version of a key the run sees
	// Shared says that a function called by one of the run's stages takes part.
	Shared bool
	// Place is of who reads or writes in a stage. It does not travel.
	Place Place
}

// Place says what of its run is executed beside a stage, as far as that is sure.
type Place uint8

// The places.
const (
	Somewhere Place = iota // beside others, perhaps
	Beside                 // beside others, in a run that begins anew if two of them have read two versions of a key
	Alone                  // all other stages come before it, or after it
	Last                   // all others come before it
)

// IsZero reports whether reads have nothing in common.
func (s Session) IsZero() bool { return s.Level == Eventual }

// NewSession draws one; at Eventual it is zero.
func NewSession(level Consistency, home NodeID) Session {
	if level == Eventual {
		return Session{}
	}
	return Session{Level: level, ID: NewRunID(), Home: home}
}

type sessionOfContext struct{}

// InSession gives a context in which a client asks on behalf of a function
// that reads and writes in a session; the zero Session ends that.
func InSession(ctx context.Context, s Session) context.Context {
	if s == SessionOf(ctx) {
		return ctx
	}
	return context.WithValue(ctx, sessionOfContext{}, s)
}

// SessionOf gives the session of InSession, zero if there is none.
func SessionOf(ctx context.Context) Session {
	s, _ := ctx.Value(sessionOfContext{}).(Session)
	return s
}
