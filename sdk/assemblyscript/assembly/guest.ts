// What a module exports. The file that a module is built from exports all of it again:
//
//	export * from "virga/assembly/guest";

import "./abort";
import { ABI, Format, Status } from "./abi";
import { Writer, utf8 } from "./bytes";
import { Answer, itemsOf } from "./library";
import { Value } from "./value";

type Run = (args: Value[]) => Answer;

const names: string[] = [];
const functions: Run[] = [];

/** Offers a function under a name. To be called at the top of the module. */
export function offer(name: string, run: Run): void {
  names.push(name);
  functions.push(run);
}

let buffer: usize = 0; // where the node writes arguments
let bufferSize: u32 = 0;
let kept: Uint8Array = new Uint8Array(0); // where the node reads an answer

function span(b: Uint8Array): u64 {
  kept = b;
  return (<u64>b.dataStart << 32) | b.length;
}

export function virga_abi(): u32 {
  return ABI;
}

export function virga_formats(): u32 {
  return (1 << Format.Raw) | (1 << Format.Text) | (1 << Format.CBOR);
}

export function virga_functions(): u64 {
  return span(utf8(names.join("\n")));
}

export function virga_alloc(size: u32): usize {
  if (size > bufferSize || (bufferSize > 1 << 20 && size <= 1 << 20)) {
    buffer = buffer == 0 ? heap.alloc(size) : heap.realloc(buffer, size);
    bufferSize = size;
  }
  return buffer;
}

export function virga_call(index: u32, args: usize, size: u32): u64 {
  if (index >= <u32>functions.length) return answerOf(Answer.fail(Status.NotFound, "no such function"));
  const list = new Uint8Array(size);
  memory.copy(list.dataStart, args, size);
  return answerOf(functions[index](itemsOf(list).map<Value>((item) => Value.ofStored(item))));
}

function answerOf(a: Answer): u64 {
  return span(new Writer().byte(a.status).bytes(a.payload).done());
}
