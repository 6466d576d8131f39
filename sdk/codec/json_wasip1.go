package codec

import "github.com/virga-mesh/virga/mesh"

// FromJSON is not there in guests: the host hands JSON over as CBOR.
func FromJSON([]byte) (mesh.Value, error) {
	return mesh.Value{}, invalid("decode", "expected raw, text or CBOR, got JSON, which a WebAssembly guest does not read")
}
