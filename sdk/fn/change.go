package fn

import "time"

// Change is the first argument of a function that a trigger runs because a
// key changed. T is what the key holds: in the form that Plain gives, so that
// a set is a list, and a map of any kind a map.
type Change[T any] struct {
	Namespace string    `json:"namespace"`
	Key       string    `json:"key"`
	Kind      string    `json:"kind,omitempty"` // of the lattice
	Deleted   bool      `json:"deleted"`        // the key does not exist any more
	Value     T         `json:"value,omitempty"`
	Omitted   bool      `json:"omitted,omitempty"` // the value is too large, or several concurrent ones: read the key
	Time      time.Time `json:"time"`              // when the trigger handed it over
}
