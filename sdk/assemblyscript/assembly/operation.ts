// Operations on lattices, in the encoding of Virga's package lattice: a verb and
// what belongs to it.

import { Writer, compare, utf8 } from "./bytes";
import { Value } from "./value";

export namespace Kind {
  export const Bool: u8 = 1;
  export const Max: u8 = 2;
  export const Min: u8 = 3;
  export const Set: u8 = 4;
  export const OrderedSet: u8 = 5;
  export const Map: u8 = 6;
  export const LWW: u8 = 7;
  export const Priority: u8 = 8;
  export const Clock: u8 = 9;
  export const Causal: u8 = 10;
  export const MultiCausal: u8 = 11;
  export const GCounter: u8 = 12;
  export const PNCounter: u8 = 13;
  export const ORSet: u8 = 14;
  export const ORMap: u8 = 15;
  export const MVRegister: u8 = 16;
  export const Flag: u8 = 17;
}

export class Operation {
  private constructor(public encoded: Uint8Array) {}

  private static of(verb: u8, rest: Uint8Array): Operation {
    return new Operation(new Writer().byte(verb).bytes(rest).done());
  }

  /** Replaces the payload of an lww, causal, multi-causal or mv-register. */
  static set(v: Value): Operation {
    return Operation.of(1, new Writer().counted(v.stored()).byte(0).done());
  }
  /** Offers a payload to a priority, where the lowest wins. */
  static setPriority(priority: f64, v: Value): Operation {
    return Operation.of(1, new Writer().counted(v.stored()).byte(1).bigEndian(bitsOf(priority), 8).done());
  }
  /** Replaces the payload of a multi-causal by one made from these versions of other keys (namespace, "\0", name). */
  static setAfter(v: Value, after: Map<string, Map<string, u64>>): Operation {
    if (after.size == 0) return Operation.set(v);
    const w = new Writer().counted(v.stored()).byte(2).uvarint(after.size);
    const keys = sorted(after.keys().map<Uint8Array>((key) => utf8(key)));
    for (let i = 0; i < keys.length; i++) {
      w.counted(keys[i]);
      clock(w, after.get(String.UTF8.decodeUnsafe(keys[i].dataStart, keys[i].length)));
    }
    return Operation.of(1, w.done());
  }
  /** Puts elements into a set, ordered-set or or-set. */
  static add(elements: Value[]): Operation {
    return Operation.of(2, elementsOf(elements));
  }
  /** Takes elements out of an or-set. */
  static remove(elements: Value[]): Operation {
    return Operation.of(3, elementsOf(elements));
  }
  /** Counts n: at least 0 for a gcounter, anything for a pncounter. */
  static inc(n: i64): Operation {
    return Operation.of(4, new Writer().varint(n).done());
  }
  /** Offer a scalar to a max or min. */
  static offerInt(n: i64): Operation {
    return Operation.of(5, new Writer().byte(1).varint(n).done());
  }
  static offerFloat(f: f64): Operation {
    return Operation.of(5, new Writer().byte(2).bigEndian(bitsOf(f), 8).done());
  }
  static offerText(text: string): Operation {
    return Operation.of(5, new Writer().byte(3).counted(utf8(text)).done());
  }
  /** Turns a bool or flag on. */
  static enable(): Operation {
    return Operation.of(6, new Uint8Array(0));
  }
  /** Turns a flag off. */
  static disable(): Operation {
    return Operation.of(7, new Uint8Array(0));
  }
  /** Applies an operation to a field of a map or or-map, which is made with kind if it is missing. */
  static field(name: string, kind: u8, inner: Operation): Operation {
    return Operation.of(8, new Writer().counted(utf8(name)).byte(kind).bytes(inner.encoded).done());
  }
  /** Takes a field out of an or-map. */
  static drop(field: string): Operation {
    return Operation.of(9, new Writer().counted(utf8(field)).done());
  }
  /** Counts one event of the writer in a clock. */
  static tick(): Operation {
    return Operation.of(10, new Uint8Array(0));
  }
  /** Merges counts of writers into a clock. */
  static observe(seen: Map<string, u64>): Operation {
    return Operation.of(11, clock(new Writer(), seen).done());
  }
}

/** Zero has one form. */
function bitsOf(f: f64): u64 {
  return f == 0 ? 0 : reinterpret<u64>(f);
}

function sorted(all: Uint8Array[]): Uint8Array[] {
  return all.sort((a, b) => compare(a, b));
}

function clock(w: Writer, counts: Map<string, u64>): Writer {
  const writers = sorted(counts.keys().map<Uint8Array>((writer) => utf8(writer)));
  w.uvarint(writers.length);
  for (let i = 0; i < writers.length; i++) {
    w.counted(writers[i]).uvarint(counts.get(String.UTF8.decodeUnsafe(writers[i].dataStart, writers[i].length)));
  }
  return w;
}

/** Elements in order, equal ones once. */
function elementsOf(elements: Value[]): Uint8Array {
  const all = sorted(elements.map<Uint8Array>((e) => e.stored()));
  const w = new Writer();
  let different = 0;
  for (let i = 0; i < all.length; i++) {
    if (i > 0 && compare(all[i - 1], all[i]) == 0) continue;
    w.counted(all[i]);
    different++;
  }
  return new Writer().uvarint(different).bytes(w.done()).done();
}
