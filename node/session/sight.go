package session

import (
	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

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
	reads  map[mesh.Key][]glance // two that differ are a conflict, of which the home hears
	count  int                   // of reads
	writes map[mesh.Key]uint64   // versions
	asks   bool                  // the home is asked about first reads
	unsaid map[mesh.Key]seen     // writes of the last stage, which the home has not heard of
}

// glance is a version of a key that a run has read.
type glance struct {
	version uint64
	how     *reading
	value   lattice.Value // where it is small, and the home has not heard of it, at mesh.Repeatable
	holder  mesh.NodeID   // who read it; empty: the home has heard of it, and how is nil
}

func (g *glance) seen() seen {
	return seen{missing: g.version == 0, hash: g.version, value: g.value}
}

// room reports whether one more read may travel with the run.
func (t *sight) room() bool { return !t.asks && t.hasRoom() }

func (t *sight) hasRoom() bool { return t.count < maxGlances }

// look takes up a read. What the home has heard of is left out where there is
// no room: then the home is asked from now on.
func (t *sight) look(key mesh.Key, g glance) {
	known := t.reads[key]
	for i := range known {
		if known[i].version == g.version {
			if g.holder == "" {
				known[i] = g
			}
			return
		}
	}
	if g.holder == "" && !t.hasRoom() {
		t.asks = true
		return
	}
	if t.reads == nil {
		t.reads = map[mesh.Key][]glance{}
	}
	t.reads[key] = append(known, g)
	t.count++
}

func (t *sight) wrote(key mesh.Key, version uint64) {
	if t.writes == nil {
		t.writes = map[mesh.Key]uint64{}
	}
	t.writes[key] = version
}

// merge takes up what another node knows.
func (t *sight) merge(other *sight) {
	t.asks = t.asks || other.asks
	for key, reads := range other.reads {
		for _, g := range reads {
			t.look(key, g)
		}
	}
	for key, version := range other.writes {
		t.wrote(key, version)
	}
}

// untold is what the home may not have heard of.
func (t *sight) untold() (reads map[mesh.Key][]glance) {
	for key, known := range t.reads {
		for _, g := range known {
			if g.holder != "" {
				if reads == nil {
					reads = map[mesh.Key][]glance{}
				}
				reads[key] = append(reads[key], g)
			}
		}
	}
	return reads
}

// heard notes that the home has heard of reads.
func (t *sight) heard(reads map[mesh.Key][]glance) {
	for key, known := range reads {
		for _, g := range known {
			t.look(key, glance{version: g.version})
		}
	}
}

// encode gives the bytes that travel; nil where there is nothing to tell.
func (t *sight) encode(past lattice.Past) []byte {
	m := &pb.Sight{Past: encodePast(past), Asks: t.asks}
	for key, known := range t.reads {
		for _, g := range known {
			read := &pb.Glance{Key: wire.FromKey(key), Version: g.version, Holder: []byte(g.holder)}
			if g.how != nil {
				read.Needs, read.Made, read.AsOf = encodePast(g.how.needs), encodePast(g.how.made), encodePast(g.how.asOf)
			}
			if !g.value.IsZero() {
				read.Value = g.value.AppendBinary(nil)
			}
			m.Reads = append(m.Reads, read)
		}
	}
	for key, version := range t.writes {
		m.Writes = append(m.Writes, &pb.Glance{Key: wire.FromKey(key), Version: version})
	}
	raw, err := proto.Marshal(m)
	if err != nil {
		panic("session: a sight cannot be encoded: " + err.Error())
	}
	if len(raw) == 0 {
		return nil
	}
	return raw
}

func decodeSight(raw []byte) (t *sight, past lattice.Past, err error) {
	m := &pb.Sight{}
	if err := proto.Unmarshal(raw, m); err != nil {
		return nil, past, mesh.Errorf(mesh.Invalid, "session", "%w", err)
	}
	if past, err = parsePast(m.Past); err != nil {
		return nil, past, err
	}
	t = &sight{asks: m.Asks}
	for _, read := range m.Reads {
		key, err := wire.ToKey(read.GetKey())
		if err != nil {
			return nil, past, err
		}
		g := glance{version: read.Version, holder: mesh.NodeID(read.Holder)}
		if g.holder != "" {
			if g.how, err = readingOf(read.Needs, read.Made, read.AsOf); err != nil {
				return nil, past, err
			}
			g.how.version = g.version
			now, err := parseSeen(&pb.Seen{Version: read.Version, Value: read.Value})
			if err != nil {
				return nil, past, err
			}
			g.value = now.value
		}
		t.look(key, g)
	}
	for _, write := range m.Writes {
		key, err := wire.ToKey(write.GetKey())
		if err != nil {
			return nil, past, err
		}
		t.wrote(key, write.Version)
	}
	return t, past, nil
}
