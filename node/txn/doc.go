// Package txn makes the writes of a transactional run: all of them or none,
// whichever node dies meanwhile.
//
// The home of a transaction, the node that coordinates its run, draws one stamp
// for all writes, and keeps a record of them at most owners of it: that is the
// commit. Then it makes each write, as one of a transaction that is not sealed,
// and answers. Once all are with most of their owners it makes each once more,
// sealed, with causes that have all the others, and drops the record.
//
// Each step can be taken again, by anyone, also beside the home. Who reads a
// write that is not sealed resolves it first: the home is waited for, or, where
// it is gone, the record is read and the transaction completed. Owners of records
// complete what nobody reads.
//
// The package does not read for runs, knows no owners, and does not say what
// conflicts.
package txn
