// Package admission says who may take part in a mesh, and what they may do.
//
// A mesh has a root key. A join token is a delegation signed by the root: a
// fresh key pair with a grant. Who holds the token makes a key of their own
// and signs, with the token's key, a membership certificate for it. Anybody
// who knows the mesh's id checks the chain root -> token -> peer offline:
// there is no issuing server. Each step can only narrow what the one before
// it granted.
//
// The package is cryptography and bytes only: it has no I/O and no clock,
// and time is passed in. How certificates travel in the TLS handshake is the
// subject of mesh/link.
package admission
