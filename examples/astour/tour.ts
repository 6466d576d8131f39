// A tour of the library for guests in AssemblyScript: each function uses another
// part of it. examples/ctour is the same in C.
//
//	(cd sdk/assemblyscript && npm ci)
//	sdk/assemblyscript/build examples/astour/tour.ts tour.wasm
//	virga fn deploy visit tour.wasm
//	virga call visit '"ada"'

import { Answer, Functions, Kind, Log, Messages, Operation, Pieces, Self, StageArgument, State, Status, Value, offer } from "../../sdk/assemblyscript/assembly";

export * from "../../sdk/assemblyscript/assembly/guest";

// Gives the first of several answers that is an error.
function firstError(all: Answer[]): Answer {
  for (let i = 0; i < all.length; i++) {
    if (!all[i].ok) return all[i];
  }
  return Answer.of(Value.none());
}

// visit(name): counts the visits of all, remembers who came, and who came last.
offer("visit", (args) => {
  const name = args.length == 1 ? args[0].reader() : Value.none().reader();
  const called = name.text();
  if (name.failed) return Answer.fail(Status.Invalid, "expected a name");
  const failed = firstError([
    State.update("visits", Kind.PNCounter, Operation.inc(1)),
    State.update("visitors", Kind.ORSet, Operation.add([args[0]])),
  ]);
  if (!failed.ok) return failed;
  const counted = State.get("visits");
  if (!counted.ok) return counted;
  const last = new Map<string, Value>();
  last.set("visits", counted.value);
  last.set("name", Value.text(called));
  const put = State.put("last", Value.map(last));
  return put.ok ? counted : put;
});

function keyOf(args: Value[]): string {
  return args.length == 1 ? args[0].reader().text() : "";
}

// forget(key) deletes it.
offer("forget", (args) => State.remove(keyOf(args)));

// get(key) gives what a key of any kind holds.
offer("get", (args) => State.get(keyOf(args)));

// kinds() makes a key of each kind of lattice, with each of its operations.
offer("kinds", (args) => {
  const some = [Value.text("b"), Value.int(2), Value.text("a"), Value.int(2), Value.float(1.5)];
  const seen = new Map<string, u64>();
  seen.set("w", 3);
  const madeFrom = new Map<string, Map<string, u64>>();
  madeFrom.set(State.key("default", "k/causal"), seen);
  return firstError([
    State.update("k/bool", Kind.Bool, Operation.enable()),
    State.update("k/flag", Kind.Flag, Operation.enable()),
    State.update("k/flag", Kind.Flag, Operation.disable()),
    State.update("k/max", Kind.Max, Operation.offerInt(7)),
    State.update("k/max", Kind.Max, Operation.offerInt(-3)),
    State.update("k/min", Kind.Min, Operation.offerFloat(-1.25)),
    State.update("k/latest", Kind.Max, Operation.offerText("z")),
    State.update("k/set", Kind.Set, Operation.add(some)),
    State.update("k/ordered-set", Kind.OrderedSet, Operation.add([Value.int(-1000000)])),
    State.update("k/or-set", Kind.ORSet, Operation.add(some)),
    State.update("k/or-set", Kind.ORSet, Operation.remove([Value.float(1.5)])),
    State.update("k/gcounter", Kind.GCounter, Operation.inc(5)),
    State.update("k/pncounter", Kind.PNCounter, Operation.inc(-300)),
    State.update("k/lww", Kind.LWW, Operation.set(Value.array(some))),
    State.update("k/priority", Kind.Priority, Operation.setPriority(1, Value.text("first"))),
    State.update("k/priority", Kind.Priority, Operation.setPriority(2, Value.text("second"))),
    State.update("k/causal", Kind.Causal, Operation.set(Value.text("c"))),
    State.update("k/multi-causal", Kind.MultiCausal, Operation.setAfter(Value.text("m"), madeFrom)),
    State.update("k/mv-register", Kind.MVRegister, Operation.set(Value.bool(true))),
    State.update("k/map", Kind.Map, Operation.field("n", Kind.GCounter, Operation.inc(2))),
    State.update("k/or-map", Kind.ORMap, Operation.field("a", Kind.LWW, Operation.set(Value.text("v")))),
    State.update("k/or-map", Kind.ORMap, Operation.field("b", Kind.Flag, Operation.enable())),
    State.update("k/or-map", Kind.ORMap, Operation.drop("b")),
    State.update("k/clock", Kind.Clock, Operation.tick()),
    State.update("k/clock", Kind.Clock, Operation.observe(seen)),
  ]);
});

function functionOf(args: Value[]): string {
  return args.length == 0 ? "" : args[0].reader().text();
}

// relay(function, arguments...) calls another function.
offer("relay", (args) => Functions.call(functionOf(args), args.slice(1)));

// compose(dag, stage, argument) calls a DAG with an argument of one of its stages.
offer("compose", (args) => Functions.callDAG(functionOf(args), [new StageArgument(args[1].reader().text(), args[2])]));

// composeLater(dag, stage, argument) starts a run of a DAG, and waits for it.
offer("composeLater", (args) => {
  const started = Functions.startDAG(functionOf(args), [new StageArgument(args[1].reader().text(), args[2])]);
  return started.ok ? Functions.wait(started.text) : started;
});

// later(function, arguments...) starts a run, and waits for it.
offer("later", (args) => {
  const started = Functions.start(functionOf(args), args.slice(1));
  if (!started.ok) return started;
  const standing = Functions.standing(started.text);
  return standing.over ? standing.answer : Functions.wait(started.text);
});

// greet(value) sends itself a message, and receives it.
offer("greet", (args) => {
  if (args.length != 1) return Answer.fail(Status.Invalid, "expected a value");
  const self = Self.id();
  const sent = Messages.send(self, args[0]);
  if (!sent.ok) return sent;
  const received = Messages.receive(10 * 1000 * 1000 * 1000);
  if (received.length != 1 || received[0].from != self) return Answer.fail(Status.UserError, "the message did not arrive");
  return Answer.of(received[0].body);
});

// where() tells of this invocation: [id, run, namespace, whether it has a deadline].
offer("where", (args) => {
  Log.info("asked where it is");
  return Answer.of(Value.array([Value.text(Self.id()), Value.text(Self.run()), Value.text(Self.namespace()), Value.bool(Self.deadline() > 0)]));
});

// copy(key) gives what a key holds, reading and writing a little at a time.
offer("copy", (args) => {
  const key = keyOf(args);
  let piece = Pieces.read(key, 0, 0);
  for (let at: u64 = 0; piece.standing.ok && at < piece.size; at += piece.data.length) {
    piece = Pieces.read(key, at, 100000);
    const emitted = piece.standing.ok ? Pieces.emit(piece.format, piece.data) : piece.standing;
    if (!emitted.ok) return emitted;
  }
  return piece.standing.ok ? Answer.of(Value.none()) : piece.standing;
});

// mean(numbers) is their mean; [] has none.
offer("mean", (args) => {
  const r = (args.length == 1 ? args[0] : Value.none()).reader();
  const numbers = r.array();
  let sum: f64 = 0;
  for (let i = 0; i < numbers && !r.failed; i++) sum += r.float();
  if (r.failed) return Answer.fail(Status.Invalid, "expected an array of numbers");
  return Answer.of(numbers == 0 ? Value.none() : Value.float(sum / numbers));
});
