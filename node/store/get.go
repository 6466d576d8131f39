package store

import (
	"errors"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// get reads a record as the engine's Get does, whose error it gives; the value
// is valid until the closer is closed. The filter of a table only saves
// looking for what is not there: where one is damaged, the record is looked
// for all the same. The engine has then told onCorruption of it.
func get(db *pebble.DB, record []byte) (value []byte, closer io.Closer, err error) {
	value, closer, err = db.Get(record)
	if !pebble.IsCorruptionError(err) {
		return value, closer, err
	}
	end := append(record[:len(record):len(record)], 0)
	records, iterErr := db.NewIter(&pebble.IterOptions{LowerBound: record, UpperBound: end})
	if iterErr != nil {
		return nil, nil, err
	}
	found := records.First()
	if found {
		value, iterErr = records.ValueAndErr()
	}
	if iterErr = errors.Join(iterErr, records.Error()); found && iterErr == nil {
		return value, records, nil
	}
	if iterErr = errors.Join(iterErr, records.Close()); iterErr != nil {
		return nil, nil, err
	}
	return nil, nil, pebble.ErrNotFound
}
