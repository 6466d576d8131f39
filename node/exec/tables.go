package exec

import "encoding/binary"

// maxTable bounds the elements of the tables that a module starts with. The
// sandbox takes 8 bytes for each, which count against no limit of memory, and
// wazero does not tell of tables before it allocates them.
const maxTable = 1 << 20

const tableSection = 4

// checkTables reads just enough of a module (WebAssembly core specification,
// sections 5.3.9, 5.5.2 and 5.5.7) to refuse large tables. What is malformed is left
// for the compiler to refuse.
func checkTables(wasm []byte) error {
	for rest := wasm[len(wasmMagic)+len(coreVersion):]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return nil
		}
		body := rest[1+n:][:size]
		rest = rest[1+n:][size:]
		if id != tableSection {
			continue
		}
		if elements := countElements(body); elements > maxTable {
			return invalidModule("it starts with a table of %d elements: expected at most %d", elements, maxTable)
		}
	}
	return nil
}

// countElements adds up the least sizes of the tables in a table section.
func countElements(body []byte) (elements uint64) {
	tables, n := binary.Uvarint(body)
	if n <= 0 {
		return 0
	}
	body = body[n:]
	for ; tables > 0 && len(body) > 2; tables-- {
		hasMax := body[1]&1 != 0
		body = body[2:] // the type of the elements, and the flags of the limits
		least, n := binary.Uvarint(body)
		if n <= 0 {
			return elements
		}
		elements += least
		body = body[n:]
		if hasMax {
			_, n := binary.Uvarint(body)
			if n <= 0 {
				return elements
			}
			body = body[n:]
		}
	}
	return elements
}
