package store

import (
	"github.com/virga-mesh/virga/mesh"
)

// The first byte of a record's key says what the record is. Within cells,
// keys are ordered by namespace and name, so that a prefix of names is a range.
const (
	cellRecord     = 'c' // then mesh.Key.Path
	deletedRecord  = 'd' // then 8 bytes of the key's id, mesh.Key.Path
	expiryRecord   = 'e' // then the moment in 8 bytes, mesh.Key.Path
	floorRecord    = 'f' // then the partition
	hintRecord     = 'h' // then the length of the node's id, the node, mesh.Key.Path
	identityRecord = 'i' // one record
	queueRecord    = 'q' // then its number in 8 bytes
	tableRecord    = 't' // one record, valid after a clean end
	indexRecord    = 'x' // then the partition, 8 bytes of the key's id, mesh.Key.Path
)

func appendCellKey(dst []byte, key mesh.Key) []byte {
	dst = append(append(dst, cellRecord), key.Namespace...)
	return append(append(dst, 0), key.Name...)
}

// keyOfCell reads what appendCellKey writes.
func keyOfCell(record []byte) (mesh.Key, error) { return mesh.KeyFromPath(string(record[1:])) }

func appendHintPrefix(dst []byte, node mesh.NodeID) []byte {
	return append(append(dst, hintRecord, byte(len(node))), node...)
}

func appendHintKey(dst []byte, node mesh.NodeID, key mesh.Key) []byte {
	dst = append(appendHintPrefix(dst, node), key.Namespace...)
	return append(append(dst, 0), key.Name...)
}

// splitHintKey reads what appendHintKey writes.
func splitHintKey(record []byte) (mesh.NodeID, mesh.Key, error) {
	if len(record) < 2 || len(record) < 2+int(record[1]) {
		return "", mesh.Key{}, mesh.Errorf(mesh.Internal, "hint", "record key of %d bytes is too short", len(record))
	}
	node, path := record[2:2+record[1]], record[2+record[1]:]
	key, err := mesh.KeyFromPath(string(path))
	return mesh.NodeID(node), key, err
}

// afterPrefix is the least key greater than all that begin with prefix; nil
// if there is none.
func afterPrefix(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 255 {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
