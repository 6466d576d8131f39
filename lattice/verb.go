package lattice

import (
	"fmt"
	"slices"
)

// Verb is what an operation does. The numbers are part of the encoding:
// append, never renumber.
type Verb uint8

// The verbs.
const (
	VerbSet     Verb = 1  // replaces a payload
	VerbAdd     Verb = 2  // puts elements into a set
	VerbRemove  Verb = 3  // takes elements out of a set
	VerbInc     Verb = 4  // counts
	VerbOffer   Verb = 5  // offers a scalar to a max or min
	VerbEnable  Verb = 6  // turns a bool or flag on
	VerbDisable Verb = 7  // turns a flag off
	VerbPut     Verb = 8  // applies an operation to a map's field
	VerbDrop    Verb = 9  // takes a map's field away
	VerbTick    Verb = 10 // counts one event of the writer in a clock
	VerbObserve Verb = 11 // merges a clock into a clock
)

var verbNames = [...]string{
	VerbSet: "set", VerbAdd: "add", VerbRemove: "remove", VerbInc: "inc", VerbOffer: "offer", VerbEnable: "enable",
	VerbDisable: "disable", VerbPut: "put", VerbDrop: "drop", VerbTick: "tick", VerbObserve: "observe",
}

// String is the verb's name.
func (v Verb) String() string {
	if v.valid() {
		return verbNames[v]
	}
	return fmt.Sprintf("Verb(%d)", uint8(v))
}

func (v Verb) valid() bool { return v > 0 && int(v) < len(verbNames) }

var verbsOf = [...][]Verb{
	NoKind:          nil,
	BoolKind:        {VerbEnable},
	MaxKind:         {VerbOffer},
	MinKind:         {VerbOffer},
	SetKind:         {VerbAdd},
	OrderedSetKind:  {VerbAdd},
	MapKind:         {VerbPut},
	LWWKind:         {VerbSet},
	PriorityKind:    {VerbSet},
	ClockKind:       {VerbTick, VerbObserve},
	CausalKind:      {VerbSet},
	MultiCausalKind: {VerbSet},
	GCounterKind:    {VerbInc},
	PNCounterKind:   {VerbInc},
	ORSetKind:       {VerbAdd, VerbRemove},
	ORMapKind:       {VerbPut, VerbDrop},
	MVRegisterKind:  {VerbSet},
	FlagKind:        {VerbEnable, VerbDisable},
}

// Verbs lists the verbs that k has. The slice must not be changed.
func (k Kind) Verbs() []Verb {
	if !k.Valid() {
		return nil
	}
	return verbsOf[k]
}

// mustHave is a NoSuchVerbError unless k has v.
func (k Kind) mustHave(v Verb) error {
	if slices.Contains(k.Verbs(), v) {
		return nil
	}
	return &NoSuchVerbError{Kind: k, Verb: v, Has: k.Verbs()}
}
