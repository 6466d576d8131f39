package session

import "github.com/virga-mesh/virga/mesh"

// A node need not ask the home about the first read of a key where no other stage
// can be reading it: it goes on with what it has read, and the home hears of that
// with the results. Stages that come after it know by then which version the run
// sees.
//
// A run at mesh.Transactional may begin anew, and its writes wait for its end: so
// there it is the same with all stages. Those beside one another may read two
// versions of a key: that is a conflict, which shows in the end.

// maxGlances bounds how many reads travel with the run. Beyond that the home is asked.
const maxGlances = 32

// sight is what a node knows of what a session has read and written, here and
// before. It has no lock of its own.
type sight struct {
	reads  []glance            // few, in no order; two of a key that differ are a conflict, of which the home hears
	writes map[mesh.Key]uint64 // versions
	asks   bool                // the home is asked about first reads
	unsaid map[mesh.Key]seen   // writes of the last stage, which the home has not heard of; it makes them at mesh.Transactional
	bytes  int                 // of unsaid
	made   madeWrites          // by the run at mesh.Repeatable
	done   madeWrites          // before it began anew
	shared bool                // functions take part that the stage calls: the home hears of each write
}

// glance is a version of a key that a run has read.
type glance struct {
	key     mesh.Key
	version uint64
	how     *reading    // of a transaction, else nil
	holder  mesh.NodeID // who read it; empty: the home has heard of it, and how is nil
}

func (g *glance) seen() seen { return seen{missing: g.version == 0, hash: g.version} }

// room reports whether one more read may travel with the run.
func (t *sight) room() bool { return !t.asks && t.hasRoom() }

func (t *sight) hasRoom() bool { return len(t.reads) < maxGlances }

// read gives the read of a key that was first taken up, if there is one.
func (t *sight) read(key mesh.Key) (first glance, known bool) {
	for i := range t.reads {
		if t.reads[i].key == key {
			return t.reads[i], true
		}
	}
	return glance{}, false
}

// look takes up a read. What the home has heard of is left out where there is
// no room: then the home is asked from now on.
func (t *sight) look(g glance) {
	for i := range t.reads {
		if known := &t.reads[i]; known.version == g.version && known.key == g.key {
			if g.holder == "" {
				*known = g
			}
			return
		}
	}
	if g.holder == "" && !t.hasRoom() {
		t.asks = true
		return
	}
	t.reads = append(t.reads, g)
}

func (t *sight) wrote(key mesh.Key, version uint64) {
	if t.writes == nil {
		t.writes = map[mesh.Key]uint64{}
	}
	t.writes[key] = version
}

// leave leaves a write unsaid.
func (t *sight) leave(key mesh.Key, next seen) {
	if t.unsaid == nil {
		t.unsaid = map[mesh.Key]seen{}
	}
	t.bytes += next.value.Size() - t.unsaid[key].value.Size()
	t.unsaid[key] = next
}

// said notes that the home has heard of a write.
func (t *sight) said(key mesh.Key) {
	t.bytes -= t.unsaid[key].value.Size()
	delete(t.unsaid, key)
}

// merge takes up what another node knows, which is not used any more.
func (t *sight) merge(other *sight) {
	t.asks = t.asks || other.asks
	t.made.merge(other.made)
	t.done.merge(other.done)
	if len(t.reads) == 0 && len(other.reads) <= maxGlances {
		t.reads = other.reads
	} else {
		for _, g := range other.reads {
			t.look(g)
		}
	}
	for key, version := range other.writes {
		t.wrote(key, version)
	}
}

// untold is what the home may not have heard of.
func (t *sight) untold() (reads []glance) {
	for _, g := range t.reads {
		if g.holder != "" {
			reads = append(reads, g)
		}
	}
	return reads
}

// heard notes that the home has heard of reads.
func (t *sight) heard(reads []glance) {
	for _, g := range reads {
		t.look(glance{key: g.key, version: g.version})
	}
}
