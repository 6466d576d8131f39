package exec_test

import (
	"encoding/binary"
	"slices"
)

// A small assembler for WebAssembly modules that no compiler would make.

// wat describes a module: functions are bodies in machine code, exported
// under their names where they have one.
type wat struct {
	imports   []watImport
	functions []watFunction
	pages     byte // of memory, which is exported unless it is 0
	noExport  bool // of the memory
	data      string
	table     uint32 // elements
}

type watImport struct {
	module, name string
	params       []byte
	results      []byte
}

type watFunction struct {
	name    string
	params  []byte
	results []byte
	locals  byte // i32 ones beside the parameters
	code    []byte
}

// Machine code, from the tables in chapter 5 of the WebAssembly specification.
const (
	i32 = 0x7f
	i64 = 0x7e

	opUnreachable = 0x00
	opBlock       = 0x02
	opLoop        = 0x03
	opEnd         = 0x0b
	opBr          = 0x0c
	opBrIf        = 0x0d
	opCall        = 0x10
	opDrop        = 0x1a
	opLocalGet    = 0x20
	opI32Load     = 0x28
	opI32Store    = 0x36
	opMemoryGrow  = 0x40
	opI32Const    = 0x41
	opI64Const    = 0x42
	opI32Eqz      = 0x45
	opVoid        = 0x40
)

// guestOf is a module of the guest ABI with one function, f, whose call runs code.
func guestOf(code ...byte) wat {
	return wat{pages: 1, data: "f", functions: []watFunction{
		{name: "virga_abi", results: []byte{i32}, code: []byte{opI32Const, 1}},
		{name: "virga_alloc", params: []byte{i32}, results: []byte{i32}, code: i32Const(1024)},
		{name: "virga_functions", results: []byte{i64}, code: []byte{opI64Const, 1}},
		{name: "virga_call", params: []byte{i32, i32, i32}, results: []byte{i64}, code: code},
	}}
}

func i32Const(n int64) []byte { return append([]byte{opI32Const}, leb(n)...) }
func i64Const(n int64) []byte { return append([]byte{opI64Const}, leb(n)...) }

// leb is a signed LEB128 number.
func leb(n int64) (b []byte) {
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func uleb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func vector(items [][]byte) []byte { return append(uleb(len(items)), slices.Concat(items...)...) }

func bytesOf(s string) []byte { return append(uleb(len(s)), s...) }

func section(id byte, items ...[]byte) []byte {
	if len(items) == 0 {
		return nil
	}
	body := vector(items)
	return append(append([]byte{id}, uleb(len(body))...), body...)
}

func functionType(params, results []byte) []byte {
	return slices.Concat([]byte{0x60}, uleb(len(params)), params, uleb(len(results)), results)
}

// assemble gives the module's bytes.
func (w wat) assemble() []byte {
	var types, imports, functions, exports, code [][]byte
	for i, f := range w.imports {
		types = append(types, functionType(f.params, f.results))
		imports = append(imports, slices.Concat(bytesOf(f.module), bytesOf(f.name), []byte{0x00}, uleb(i)))
	}
	for i, f := range w.functions {
		index := len(w.imports) + i
		types = append(types, functionType(f.params, f.results))
		functions = append(functions, uleb(index))
		if f.name != "" {
			exports = append(exports, slices.Concat(bytesOf(f.name), []byte{0x00}, uleb(index)))
		}
		body := slices.Concat([]byte{0x00}, f.code, []byte{opEnd})
		if f.locals > 0 {
			body = slices.Concat([]byte{0x01, f.locals, i32}, f.code, []byte{opEnd})
		}
		code = append(code, append(uleb(len(body)), body...))
	}
	var memory, data, table [][]byte
	if w.pages > 0 {
		memory = [][]byte{{0x00, w.pages}}
		if !w.noExport {
			exports = append(exports, append(bytesOf("memory"), 0x02, 0x00))
		}
	}
	if w.data != "" {
		data = [][]byte{slices.Concat([]byte{0x00, opI32Const, 0x00, opEnd}, bytesOf(w.data))}
	}
	if w.table > 0 {
		table = [][]byte{append([]byte{0x70, 0x00}, uleb(int(w.table))...)}
	}
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(1, types...), section(2, imports...), section(3, functions...),
		section(4, table...), section(5, memory...), section(7, exports...), section(10, code...), section(11, data...))
}
