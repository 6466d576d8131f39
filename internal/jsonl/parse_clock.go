package jsonl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/virga-mesh/virga/lattice"
)

func parseClock(text json.RawMessage) (w written, err error) {
	all, err := parseArray(text, `objects with "writer" and "count"`)
	if err != nil {
		return w, err
	}
	counts := make(map[string]uint64, len(all))
	for i, entry := range all {
		writer, count, err := parseCount(entry)
		if err != nil {
			return w, fmt.Errorf("count %d: %w", i+1, err)
		}
		if _, twice := counts[writer]; twice {
			return w, fmt.Errorf("count %d: writer %q is there twice: expected each once", i+1, writer)
		}
		counts[writer] = count
	}
	return one(lattice.ObserveOp(lattice.NewVectorClock(counts))), nil
}

func parseCount(text json.RawMessage) (writer string, count uint64, err error) {
	o, err := parseObject(text, "writer", "writer"+base64Suffix, "count")
	if err == nil {
		writer, err = o.name("writer", "count")
	}
	if err != nil {
		return "", 0, err
	}
	if count, err = strconv.ParseUint(string(bytes.TrimSpace(o["count"])), 10, 64); err != nil {
		return "", 0, fmt.Errorf("%s: expected a whole number of 64 bits, at least 0", shown(o["count"]))
	}
	return writer, count, nil
}
