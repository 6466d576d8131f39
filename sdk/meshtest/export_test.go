package meshtest

import "github.com/virga-mesh/virga/mesh"

// Note notes what an invocation read or wrote, as if it had.
func Note(h *History, id mesh.InvocationID, key, version string, writes bool) error {
	e := accessOf(id, key)
	if writes {
		return h.write(e, version, func() error { return nil })
	}
	return h.read(e, &version, func() error { return nil })
}
