package cellmap

// index finds entries by hash: a table of their numbers, open addressing with
// linear probing. A slot holds 8 bits of the hash, so that hardly any entry is
// looked at in vain, and the entry's number and 1. An empty slot is 0.
type index struct {
	slots []uint32 // a power of two, or none
	used  int
}

const (
	numberBits = 24
	numberMask = 1<<numberBits - 1
	// maxEntries bounds the entries of one shard.
	maxEntries = numberMask - 1
	// indexCost is what the index takes for an entry, in bytes, on average:
	// it is between two and four fifths full.
	indexCost = 7
	// chunkCost is what finding an entry's chunk takes for it.
	chunkCost = 1
	minSlots  = 16
)

func slotOf(hash, n uint32) uint32     { return hash&^numberMask | (n + 1) }
func entryOf(slot uint32) uint32       { return slot&numberMask - 1 }
func fits(slot, hash uint32) bool      { return slot&^numberMask == hash&^numberMask }
func (x *index) first(hash uint32) int { return int(hash) & (len(x.slots) - 1) }
func (x *index) after(at int) int      { return (at + 1) & (len(x.slots) - 1) }

// add notes an entry that the index does not have. hashOf gives the hashes of
// those that it has.
func (x *index) add(hash, n uint32, hashOf func(uint32) uint32) {
	if 5*(x.used+1) > 4*len(x.slots) {
		x.grow(hashOf)
	}
	x.put(hash, n)
	x.used++
}

func (x *index) put(hash, n uint32) {
	at := x.first(hash)
	for x.slots[at] != 0 {
		at = x.after(at)
	}
	x.slots[at] = slotOf(hash, n)
}

func (x *index) grow(hashOf func(uint32) uint32) {
	old := x.slots
	x.slots = make([]uint32, max(minSlots, 2*len(old)))
	for _, slot := range old {
		if slot != 0 {
			x.put(hashOf(entryOf(slot)), entryOf(slot))
		}
	}
}

// remove forgets an entry, and moves those that were put behind it for want of
// its slot (Knuth, The Art of Computer Programming, volume 3, algorithm 6.4R).
func (x *index) remove(hash, n uint32, hashOf func(uint32) uint32) {
	hole := x.first(hash)
	for x.slots[hole] != slotOf(hash, n) {
		hole = x.after(hole)
	}
	for at := x.after(hole); x.slots[at] != 0; at = x.after(at) {
		home := x.first(hashOf(entryOf(x.slots[at])))
		if (at-home)&(len(x.slots)-1) >= (at-hole)&(len(x.slots)-1) {
			x.slots[hole] = x.slots[at]
			hole = at
		}
	}
	x.slots[hole] = 0
	x.used--
}
