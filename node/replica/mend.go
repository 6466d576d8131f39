package replica

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
)

// Mend takes from other owners a key whose record here is damaged: what they
// hold replaces it. What cannot be reached now anti-entropy finds later.
func (r *Replica) Mend(ctx context.Context, key mesh.Key) {
	ctx, cancel := r.attempt(ctx, 0)
	defer cancel()
	mended := false
	for answer := range r.fetchAll(ctx, key, r.others(r.owners(key)), living) {
		if answer.err == nil && answer.found {
			r.keep(ctx, key, answer.cell)
			mended = true
		}
	}
	if mended {
		r.repaired.Add(1)
		r.Log.Info("a damaged record was taken from other owners", "key", key.String())
	}
}
