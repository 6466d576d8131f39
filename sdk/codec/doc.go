// Package codec turns Go values into mesh values and back. What a Go value
// becomes depends on its type alone, and what a mesh value is read as depends
// on its format alone, so that bytes never change their type on the way:
//
//	Go                      mesh
//	mesh.Value              as it is
//	[]byte                  mesh.Raw
//	string                  mesh.Text
//	proto.Message           mesh.Protobuf
//	everything else         mesh.CBOR, deterministic (RFC 8949, section 4.2.1)
//
// Structs become CBOR maps under the names of their `cbor` or `json` tags;
// types with MarshalText become text. JSON values are read as the CBOR that
// FromJSON makes of them. Nothing is converted that does not fit: a float is
// not an integer, text is not bytes, and 300 is not a uint8.
//
// It is not for state: package lattice has its own canonical bytes. In
// WebAssembly guests it reads neither JSON nor protobuf, to keep them small;
// the host hands JSON over as CBOR.
package codec
