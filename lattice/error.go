package lattice

import (
	"errors"
	"fmt"
	"strings"
)

// Errors to be told apart with errors.Is.
var (
	// ErrKindMismatch: the two values are of different kinds. See KindMismatchError.
	ErrKindMismatch = errors.New("kinds differ")
	// ErrNoSuchVerb: the kind does not have the operation. See NoSuchVerbError.
	ErrNoSuchVerb = errors.New("no such verb")
	// ErrInvalid: an argument is out of bounds; the message names what was expected.
	ErrInvalid = errors.New("invalid argument")
	// ErrMalformed: bytes are not the canonical encoding of anything.
	ErrMalformed = errors.New("malformed encoding")
)

// KindMismatchError is an ErrKindMismatch with its kinds.
type KindMismatchError struct {
	Have  Kind   // what the state holds
	Got   Kind   // what was to be merged or applied
	Field string // the map field, nested ones parted by "/", in which they met; empty at the top
}

// Error names both kinds.
func (e *KindMismatchError) Error() string {
	where := ""
	if e.Field != "" {
		where = fmt.Sprintf(" in field %q", e.Field)
	}
	return fmt.Sprintf("%v%s: have %s, got %s", ErrKindMismatch, where, e.Have, e.Got)
}

// Unwrap gives ErrKindMismatch.
func (e *KindMismatchError) Unwrap() error { return ErrKindMismatch }

// inField says that a mismatch arose within a field.
func inField(field string, err error) error {
	var mismatch *KindMismatchError
	if !errors.As(err, &mismatch) {
		return fmt.Errorf("in field %q: %w", field, err)
	}
	path := field
	if mismatch.Field != "" {
		path += "/" + mismatch.Field
	}
	return &KindMismatchError{Have: mismatch.Have, Got: mismatch.Got, Field: path}
}

// NoSuchVerbError is an ErrNoSuchVerb with what the kind does have.
type NoSuchVerbError struct {
	Kind Kind
	Verb Verb
	Has  []Verb
}

// Error names the kind, the verb and the verbs that the kind has.
func (e *NoSuchVerbError) Error() string {
	names := make([]string, len(e.Has))
	for i, verb := range e.Has {
		names[i] = verb.String()
	}
	return fmt.Sprintf("%v: %s has no %s: expected one of %s", ErrNoSuchVerb, e.Kind, e.Verb, strings.Join(names, ", "))
}

// Unwrap gives ErrNoSuchVerb.
func (e *NoSuchVerbError) Unwrap() error { return ErrNoSuchVerb }
