package codec

import "github.com/virga-mesh/virga/mesh"

func encodeProto(any) (value mesh.Value, ok bool, err error) { return mesh.Value{}, false, nil }

func decodeProto(_ []byte, into any) error {
	return mismatch(into, "protobuf, which a WebAssembly guest does not read")
}
