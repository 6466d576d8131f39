package replica

import "github.com/virga-mesh/virga/mesh"

// lasting is how durable a copy must be before anybody is told that it is
// there, and forgets or drops something for it: a debt, a partition, a doubt.
func (r *Replica) lasting() mesh.Durability { return max(r.Durability, mesh.Logged) }
