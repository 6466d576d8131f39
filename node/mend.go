package node

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
)

// damagedAtOnce bounds the damaged keys that wait to be mended. What is beyond
// it anti-entropy finds.
const damagedAtOnce = 1024

// noteDamage notes a key whose record is damaged.
func (r *rooms) noteDamage(key mesh.Key) {
	select {
	case r.damaged <- key:
	default:
	}
}

// mendDamage takes damaged keys from their other owners, one after another,
// once the node has joined.
func (r *rooms) mendDamage(ctx context.Context) {
	select {
	case <-r.dht.Ready():
	case <-ctx.Done():
		return
	}
	for {
		select {
		case key := <-r.damaged:
			r.replica.Mend(ctx, key)
		case <-ctx.Done():
			return
		}
	}
}

// refilled notes that a store which had lost its data holds again what it
// should, as far as anyone who may know is there.
func (r *rooms) refilled() {
	if !r.store.Condition().Refill || r.missesMembers() {
		return
	}
	if err := r.store.Refilled(); err != nil {
		r.log.Warn("cannot note that the store is refilled", "err", err)
	}
}
