// Package wire turns protobuf messages into frames and back, and the words
// of package mesh into messages. It knows no connection and no stream: those
// are the subject of mesh/link. The frames are listed in docs/wire.md.
package wire
