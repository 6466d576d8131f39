// What a running function reaches of the mesh.

import { Ask, Status, host, hostDeadline, hostLog, hostTake } from "./abi";
import { Writer, textOf, utf8 } from "./bytes";
import { Operation } from "./operation";
import { Value } from "./value";

/**
 * What the library and functions answer with: Status.OK and a payload, or the
 * kind of an error and its message. A function may return the library's answer as it is.
 */
export class Answer {
  constructor(
    public status: u8,
    public payload: Uint8Array,
  ) {}

  static of(v: Value): Answer {
    return new Answer(Status.OK, v.stored());
  }
  static fail(kind: u8, why: string): Answer {
    return new Answer(kind, utf8(why));
  }
  get ok(): bool {
    return this.status == Status.OK;
  }
  /** The value of an answer that is ok. */
  get value(): Value {
    return Value.ofStored(this.payload);
  }
  /** The payload as text: of an error the message. */
  get text(): string {
    return textOf(this.payload);
  }
}

const nothing = new Uint8Array(0);
const inboxSize: u32 = 4096;
const inbox: usize = memory.data(4096); // where most answers fit

function ask(which: Ask, a: Uint8Array, b: Uint8Array): Answer {
  const size = host(which, a.dataStart, a.length, b.dataStart, b.length, inbox, inboxSize);
  const answer = new Uint8Array(size);
  if (size <= inboxSize) memory.copy(answer.dataStart, inbox, size);
  else hostTake(answer.dataStart, size);
  return new Answer(answer[0], answer.subarray(1));
}

/** State. A key is a name in the function's namespace, or what State.key gives. */
export namespace State {
  /** A key of another namespace. */
  export function key(namespace: string, name: string): string {
    return namespace + "\0" + name;
  }
  /** What a key of any kind holds, as a value: a register's payload, a counter's number, an array of a set's elements, ... */
  export function get(key: string): Answer {
    return ask(Ask.Get, utf8(key), nothing);
  }
  /** The whole state of a key, as package lattice encodes it: the payload is no value. */
  export function read(key: string): Answer {
    return ask(Ask.Read, utf8(key), nothing);
  }
  /** Sets a last-writer-wins register. */
  export function put(key: string, v: Value): Answer {
    return ask(Ask.Put, utf8(key), v.stored());
  }
  /** Applies an operation to a key, which is made with that kind if it is missing. */
  export function update(key: string, kind: u8, op: Operation): Answer {
    return ask(Ask.Update, utf8(key), new Writer().byte(kind).bytes(op.encoded).done());
  }
  /** Removes a key; a missing one is no error. */
  export function remove(key: string): Answer {
    return ask(Ask.Delete, utf8(key), nothing);
  }
}

/** A piece of a large value. */
export class Piece {
  constructor(private answer: Answer) {}

  /** Why there is none, or an answer that is ok. */
  get standing(): Answer {
    return this.answer;
  }
  /** The size of the whole value, in bytes. */
  get size(): u64 {
    return this.answer.ok ? load<u64>(this.answer.payload.dataStart) : 0;
  }
  get format(): u8 {
    return this.answer.ok ? this.answer.payload[8] : 0;
  }
  get data(): Uint8Array {
    return this.answer.ok ? this.answer.payload.subarray(9) : nothing;
  }
}

/** Large values, a little at a time. */
export namespace Pieces {
  /**
   * Reads at most most bytes, and at most 1 MiB, of what a key holds. A most of 0
   * opens the key; the pieces that follow are of its value of that moment, until
   * another key is opened.
   */
  export function read(key: string, offset: u64, most: u32): Piece {
    return new Piece(ask(Ask.Part, utf8(key), new Writer().littleEndian(offset, 8).littleEndian(most, 4).done()));
  }
  /** Appends a piece to the result, which has at most 48 MiB. A function that emits answers with no value. */
  export function emit(format: u8, data: Uint8Array): Answer {
    return ask(Ask.Emit, data, new Writer().byte(format).done());
  }
}

function list(args: Value[]): Uint8Array {
  const w = new Writer();
  for (let i = 0; i < args.length; i++) {
    const item = args[i].stored();
    w.littleEndian(item.length, 4).bytes(item);
  }
  return w.done();
}

/** How a run stands. */
export class Standing {
  constructor(
    public over: bool,
    public answer: Answer,
  ) {}
}

/** An argument of a stage of a DAG. Those of one stage come in their order. */
export class StageArgument {
  constructor(
    public stage: string,
    public value: Value,
  ) {}
}

function pairs(args: StageArgument[]): Uint8Array {
  const values: Value[] = [];
  for (let i = 0; i < args.length; i++) {
    values.push(Value.text(args[i].stage));
    values.push(args[i].value);
  }
  return list(values);
}

/** Other functions, named as name, name@version or namespace/name. */
export namespace Functions {
  /** Runs a function and waits for its result. */
  export function call(name: string, args: Value[]): Answer {
    return ask(Ask.Call, utf8(name), list(args));
  }
  /** Starts a run that goes on by itself; the answer's text is its id. */
  export function start(name: string, args: Value[]): Answer {
    return ask(Ask.Start, utf8(name), list(args));
  }
  /** Runs a DAG, named as name or namespace/name, and waits for the result of its sole sink, or of all as a map by stage. */
  export function callDAG(name: string, args: StageArgument[]): Answer {
    return ask(Ask.CallDAG, utf8(name), pairs(args));
  }
  /** Starts a run of a DAG that goes on by itself; the answer's text is its id. */
  export function startDAG(name: string, args: StageArgument[]): Answer {
    return ask(Ask.StartDAG, utf8(name), pairs(args));
  }
  /** Waits until a run is over, and gives its result, or its error. */
  export function wait(run: string): Answer {
    return resultOf(ask(Ask.Await, utf8(run), utf8("end")));
  }
  /** Tells how a run stands, without waiting. */
  export function standing(run: string): Standing {
    const answer = ask(Ask.Await, utf8(run), nothing);
    const over = !answer.ok || answer.payload[0] != 1;
    return new Standing(over, resultOf(answer));
  }
}

function resultOf(answer: Answer): Answer {
  return answer.ok ? new Answer(answer.status, answer.payload.subarray(1)) : answer;
}

/** This invocation. */
export namespace Self {
  /** Its address: node/run/stage/attempt. */
  export function id(): string {
    return ask(Ask.ID, nothing, nothing).text;
  }
  /** The id of the run that it belongs to. */
  export function run(): string {
    return id().split("/")[1];
  }
  export function namespace(): string {
    return ask(Ask.Namespace, nothing, nothing).text;
  }
  /** When this call will be ended, in nanoseconds since 1970; 0: never. */
  export function deadline(): i64 {
    return hostDeadline();
  }
}

export namespace Log {
  function line(level: i32, text: string): void {
    const b = utf8(text);
    hostLog(level, b.dataStart, b.length);
  }
  export function debug(text: string): void {
    line(-4, text);
  }
  export function info(text: string): void {
    line(0, text);
  }
  export function warn(text: string): void {
    line(4, text);
  }
  export function error(text: string): void {
    line(8, text);
  }
}

export class Message {
  constructor(
    public from: string,
    public body: Value,
  ) {}
}

/** Messages between invocations that run. */
export namespace Messages {
  export function send(to: string, v: Value): Answer {
    return ask(Ask.Send, utf8(to), v.stored());
  }
  /** What others sent. With nothing there it waits up to so many nanoseconds for a first message. An error gives none. */
  export function receive(nanoseconds: i64): Message[] {
    const answer = ask(Ask.Recv, new Writer().littleEndian(max<i64>(nanoseconds, 0), 8).done(), nothing);
    const received: Message[] = [];
    if (!answer.ok) return received;
    const items = itemsOf(answer.payload);
    for (let i = 0; i + 1 < items.length; i += 2) received.push(new Message(textOf(items[i]), Value.ofStored(items[i + 1])));
    return received;
  }
}

/** The items of a list. */
export function itemsOf(b: Uint8Array): Uint8Array[] {
  const items: Uint8Array[] = [];
  for (let at: u32 = 0; at + 4 <= <u32>b.length; ) {
    const size = load<u32>(b.dataStart + at);
    at += 4;
    if (size > <u32>b.length - at) break;
    items.push(b.subarray(at, at + size));
    at += size;
  }
  return items;
}
