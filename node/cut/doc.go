// Package cut tells a node whether what it holds has all of some past
// (lattice.Past), so that what a run reads of it is a causal cut and no older
// than what the run has seen. It asks for nothing that is stored: each node
// vouches for its own writes.
//
// A write is made by one of its key's owners, which sends it to the others and
// knows who has answered. So it can vouch that another node has all that it
// wrote up to a time of its clock, as far as that owns it. A node that may have
// missed something (it could not be reached, or was not sent it since others
// were taken for the owners) has to compare what it holds first: it audits.
//
// Vouchers count while all members of the mesh are there and see the same
// mesh. What cannot be told this way a reader has to ask a quorum of owners for.
package cut
