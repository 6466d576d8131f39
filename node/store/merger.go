package store

import (
	"io"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
)

// mergerName is stored with the data; the engine refuses to open it with another.
const mergerName = "virga.lattice.cell.1"

// cellMerger makes the engine merge the deltas of a record as cells, when it
// reads or compacts. A delta that cannot be read or does not fit is reported
// and left out: the rest of the record stays readable.
func cellMerger(log *slog.Logger) *pebble.Merger {
	return &pebble.Merger{
		Name: mergerName,
		Merge: func(key, value []byte) (pebble.ValueMerger, error) {
			m := &deltas{log: log, key: append([]byte(nil), key...)}
			m.first = append([]byte(nil), value...)
			return m, nil
		},
	}
}

// deltas is one record on its way to being one cell. Cells merge in any
// order. With a single delta nothing is decoded.
type deltas struct {
	log    *slog.Logger
	key    []byte
	first  []byte       // the only delta so far, encoded
	merged lattice.Cell // of all, once there were two
	many   bool
}

// MergeNewer adds a delta.
func (m *deltas) MergeNewer(value []byte) error {
	if !m.many {
		m.many = true
		m.add(m.first)
	}
	m.add(value)
	return nil
}

// MergeOlder adds a delta.
func (m *deltas) MergeOlder(value []byte) error { return m.MergeNewer(value) }

// Finish gives the cell's encoding.
func (m *deltas) Finish(bool) ([]byte, io.Closer, error) {
	if !m.many {
		return m.first, nil, nil
	}
	return m.merged.AppendBinary(nil), nil, nil
}

func (m *deltas) add(value []byte) {
	delta, err := lattice.DecodeCell(value)
	if err == nil {
		_, err = m.merged.Merge(delta)
	}
	if err != nil {
		m.log.Error("a delta in the store is damaged and left out", "record", string(m.key), "err", err)
	}
}
