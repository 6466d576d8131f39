package mesh

import "time"

// Expiring is a key that expires, and when.
type Expiring struct {
	Key Key
	At  time.Time // to the millisecond
}
