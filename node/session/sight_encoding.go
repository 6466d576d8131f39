package session

import (
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// A sight travels as the message Sight of the protocol. It is in each hop, so it is
// written and read here by hand: in less than half the time, without a map or a
// message of which nothing is left.

// The fields of Sight.
const (
	sightPast    protowire.Number = 1
	sightReads   protowire.Number = 2
	sightWrites  protowire.Number = 3
	sightAsks    protowire.Number = 4
	sightUnsaid  protowire.Number = 5
	sightHolders protowire.Number = 6
	sightMade    protowire.Number = 7
	sightDone    protowire.Number = 8
)

// encode gives the bytes that travel; nil where there is nothing to tell.
func (t *sight) encode(past lattice.Past) []byte {
	var raw []byte
	if !past.IsZero() {
		raw = appendBytes(raw, sightPast, encodePast(past))
	}
	var c columns
	if len(t.reads) > 0 {
		holders := t.columnsOfReads(&c)
		raw = c.append(raw, sightReads)
		for _, holder := range holders {
			raw = appendBytes(raw, sightHolders, holder)
		}
	}
	if len(t.writes) > 0 {
		c.reset()
		for key, version := range t.writes {
			c.add(key, version)
		}
		raw = c.append(raw, sightWrites)
	}
	if t.asks {
		raw = protowire.AppendVarint(protowire.AppendTag(raw, sightAsks, protowire.VarintType), 1)
	}
	if len(t.unsaid) > 0 {
		c.reset()
		for key, next := range t.unsaid {
			c.add(key, next.version())
			c.values = append(c.values, next.message(math.MaxInt).Value)
		}
		raw = c.append(raw, sightUnsaid)
	}
	raw = appendMade(raw, sightMade, t.made, &c)
	return appendMade(raw, sightDone, t.done, &c)
}

// columnsOfReads fills the columns of the reads, and gives who has read something.
func (t *sight) columnsOfReads(c *columns) (holders []mesh.NodeID) {
	c.grow(len(t.reads))
	some := slices.ContainsFunc(t.reads, func(g glance) bool { return g.how.hasPast() })
	for i := range t.reads {
		g := &t.reads[i]
		c.add(g.key, g.version)
		if g.holder == "" {
			c.holders = append(c.holders, 0)
			continue
		}
		at := 0
		for at < len(holders) && holders[at] != g.holder {
			at++
		}
		if at == len(holders) {
			holders = append(holders, g.holder)
		}
		c.holders = protowire.AppendVarint(c.holders, uint64(at)+1)
		switch how := g.how; {
		case some && how != nil:
			c.pasts = append(c.pasts, encodePast(how.needs), encodePast(how.made), encodePast(how.asOf))
		case some:
			c.pasts = append(c.pasts, nil, nil, nil)
		}
	}
	return holders
}

func appendMade(raw []byte, field protowire.Number, made madeWrites, c *columns) []byte {
	if len(made) == 0 {
		return raw
	}
	c.reset()
	for _, w := range made {
		c.add(w.key, w.op)
	}
	return c.append(raw, field)
}

func decodeSight(raw []byte) (t *sight, past lattice.Past, err error) {
	t = &sight{}
	var reads columns
	var holders []mesh.NodeID
	err = eachField(raw, func(f field) (err error) {
		switch f.number {
		case sightPast:
			past, err = parsePast(f.part)
		case sightReads:
			reads, err = parseColumns(f.part)
		case sightHolders:
			holders = append(holders, mesh.NodeID(f.part))
		case sightAsks:
			t.asks = f.value != 0
		case sightWrites:
			err = eachVersion(f.part, t.wrote)
		case sightMade:
			err = eachVersion(f.part, t.made.addOp)
		case sightDone:
			err = eachVersion(f.part, t.done.addOp)
		case sightUnsaid:
			err = t.parseUnsaid(f.part)
		}
		return err
	})
	if err == nil {
		err = t.parseReads(&reads, holders)
	}
	return t, past, err
}

func (t *sight) parseUnsaid(raw []byte) error {
	c, err := parseColumns(raw)
	if err != nil {
		return err
	}
	if len(c.values) != len(c.keys) {
		return mesh.Errorf(mesh.Invalid, "session", "%d values of %d writes", len(c.values), len(c.keys))
	}
	for i, key := range c.keys {
		next, err := parseSeen(&pb.Seen{Version: c.version(i), Value: c.values[i]})
		if err == nil && !next.isHere() {
			err = mesh.Errorf(mesh.Invalid, "session", "a write of key %s has no value", key)
		}
		if err != nil {
			return err
		}
		t.leave(key, next)
	}
	return nil
}

func (t *sight) parseReads(c *columns, holders []mesh.NodeID) (err error) {
	if len(c.keys) == 0 {
		return nil
	}
	t.reads = make([]glance, 0, len(c.keys))
	left, held := c.holders, 0
	for i, key := range c.keys {
		at, n := protowire.ConsumeVarint(left)
		switch {
		case n < 0:
			return mesh.Errorf(mesh.Invalid, "session", "%d holders of %d reads", i, len(c.keys))
		case at > uint64(len(holders)):
			return mesh.Errorf(mesh.Invalid, "session", "key %s was read by node %d of %d", key, at, len(holders))
		}
		left = left[n:]
		g := glance{key: key, version: c.version(i)}
		if at > 0 {
			g.holder = holders[at-1]
			if len(c.pasts) > 0 {
				if len(c.pasts) < 3*held+3 {
					return mesh.Errorf(mesh.Invalid, "session", "%d pasts of more than %d reads", len(c.pasts), held)
				}
				if g.how, err = readingOf(c.pasts[3*held], c.pasts[3*held+1], c.pasts[3*held+2]); err != nil {
					return err
				}
				g.how.version = g.version
			}
			held++
		}
		t.look(g)
	}
	return nil
}
