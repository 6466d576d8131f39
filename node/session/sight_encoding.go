package session

import (
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// encode gives the bytes that travel; nil where there is nothing to tell.
func (t *sight) encode(past lattice.Past) []byte {
	m := &pb.Sight{Past: encodePast(past), Asks: t.asks}
	if len(t.reads) > 0 {
		m.Reads = t.encodeReads(m)
	}
	if n := len(t.writes); n > 0 {
		m.Writes = &pb.Glances{Keys: make([]string, 0, n), Versions: make([]uint64, 0, n)}
		for key, version := range t.writes {
			add(m.Writes, key, version)
		}
	}
	if len(t.unsaid) > 0 {
		m.Unsaid = &pb.Glances{}
		for key, next := range t.unsaid {
			add(m.Unsaid, key, next.version())
			m.Unsaid.Values = append(m.Unsaid.Values, next.message(math.MaxInt).Value)
		}
	}
	m.Made, m.Done = encodeMade(t.made), encodeMade(t.done)
	raw, err := proto.Marshal(m)
	if err != nil {
		panic("session: a sight cannot be encoded: " + err.Error())
	}
	if len(raw) == 0 {
		return nil
	}
	return raw
}

// encodeReads gives the reads; who has read something is noted in the sight's message.
func (t *sight) encodeReads(m *pb.Sight) *pb.Glances {
	reads := &pb.Glances{Keys: make([]string, 0, len(t.reads)), Versions: make([]uint64, 0, len(t.reads)), Holders: make([]uint32, 0, len(t.reads))}
	var pasts [][]byte
	for key, known := range t.reads {
		for i := range known {
			g := &known[i]
			add(reads, key, g.version)
			if g.holder == "" {
				reads.Holders = append(reads.Holders, 0)
				continue
			}
			at := slices.IndexFunc(m.Holders, func(other []byte) bool { return string(other) == string(g.holder) })
			if at < 0 {
				at = len(m.Holders)
				m.Holders = append(m.Holders, []byte(g.holder))
			}
			reads.Holders = append(reads.Holders, uint32(at)+1)
			if how := g.how; how != nil {
				pasts = append(pasts, encodePast(how.needs), encodePast(how.made), encodePast(how.asOf))
			} else {
				pasts = append(pasts, nil, nil, nil)
			}
		}
	}
	if slices.ContainsFunc(pasts, func(past []byte) bool { return past != nil }) {
		reads.Pasts = pasts
	}
	return reads
}

func encodeMade(made madeWrites) *pb.Glances {
	if len(made) == 0 {
		return nil
	}
	m := &pb.Glances{}
	for w := range made {
		add(m, w.key, w.op)
	}
	return m
}

func add(m *pb.Glances, key mesh.Key, version uint64) {
	m.Keys, m.Versions = append(m.Keys, key.String()), append(m.Versions, version)
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
	if err := t.decodeReads(m); err != nil {
		return nil, past, err
	}
	err = eachOf(m.Writes, func(_ int, key mesh.Key, version uint64) error {
		t.wrote(key, version)
		return nil
	})
	if err != nil {
		return nil, past, err
	}
	for _, part := range []struct {
		told *pb.Glances
		into *madeWrites
	}{{m.Made, &t.made}, {m.Done, &t.done}} {
		err := eachOf(part.told, func(_ int, key mesh.Key, op uint64) error {
			part.into.add(madeWrite{key, op})
			return nil
		})
		if err != nil {
			return nil, past, err
		}
	}
	unsaid := m.GetUnsaid()
	if len(unsaid.GetValues()) != len(unsaid.GetKeys()) {
		return nil, past, mesh.Errorf(mesh.Invalid, "session", "%d values of %d writes", len(unsaid.GetValues()), len(unsaid.GetKeys()))
	}
	return t, past, eachOf(unsaid, func(i int, key mesh.Key, version uint64) error {
		next, err := parseSeen(&pb.Seen{Version: version, Value: unsaid.Values[i]})
		if err == nil && !next.isHere() {
			err = mesh.Errorf(mesh.Invalid, "session", "a write of key %s has no value", key)
		}
		if err == nil {
			t.leave(key, next)
		}
		return err
	})
}

func (t *sight) decodeReads(m *pb.Sight) error {
	reads, held := m.GetReads(), 0
	if len(reads.GetHolders()) != len(reads.GetKeys()) {
		return mesh.Errorf(mesh.Invalid, "session", "%d holders of %d reads", len(reads.GetHolders()), len(reads.GetKeys()))
	}
	holders := make([]mesh.NodeID, len(m.Holders))
	for i, holder := range m.Holders {
		holders[i] = mesh.NodeID(holder)
	}
	t.reads = make(map[mesh.Key][]glance, len(reads.GetKeys()))
	return eachOf(reads, func(i int, key mesh.Key, version uint64) (err error) {
		g := glance{version: version}
		switch at := int(reads.Holders[i]); {
		case at > len(holders):
			return mesh.Errorf(mesh.Invalid, "session", "key %s was read by node %d of %d", key, at, len(holders))
		case at > 0:
			g.holder, g.how = holders[at-1], &reading{}
			if pasts := reads.Pasts; len(pasts) > 0 {
				if len(pasts) < 3*held+3 {
					return mesh.Errorf(mesh.Invalid, "session", "%d pasts of more than %d reads", len(pasts), held)
				}
				if g.how, err = readingOf(pasts[3*held], pasts[3*held+1], pasts[3*held+2]); err != nil {
					return err
				}
			}
			g.how.version = version
			held++
		}
		t.look(key, g)
		return nil
	})
}

// eachOf visits the glances of a message; nil has none.
func eachOf(m *pb.Glances, visit func(i int, key mesh.Key, version uint64) error) error {
	if len(m.GetVersions()) != len(m.GetKeys()) {
		return mesh.Errorf(mesh.Invalid, "session", "%d versions of %d keys", len(m.GetVersions()), len(m.GetKeys()))
	}
	for i, text := range m.GetKeys() {
		namespace, name, _ := strings.Cut(text, "/")
		key := mesh.Key{Namespace: namespace, Name: name}
		if err := key.Validate(); err != nil {
			return err
		}
		if err := visit(i, key, m.Versions[i]); err != nil {
			return err
		}
	}
	return nil
}
