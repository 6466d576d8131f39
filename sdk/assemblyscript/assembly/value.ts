// Values: made from AssemblyScript's types, and read as such. A whole number, a
// float, a bool, null, an array and a map are CBOR (RFC 8949), in the one form
// that Virga's Go library gives them too, so that they are equal as elements of sets.

import { Format } from "./abi";
import { Writer, compare, textOf, utf8 } from "./bytes";

export class Value {
  /** format is one of Format, or 0 for no value. */
  constructor(
    public format: u8,
    public data: Uint8Array,
  ) {}

  static none(): Value {
    return new Value(0, new Uint8Array(0));
  }
  static text(text: string): Value {
    return new Value(Format.Text, utf8(text));
  }
  static bytes(data: Uint8Array): Value {
    return new Value(Format.Raw, data);
  }
  static int(n: i64): Value {
    return new Value(Format.CBOR, (n < 0 ? head(new Writer(), 1, ~(<u64>n)) : head(new Writer(), 0, n)).done());
  }
  static float(f: f64): Value {
    return new Value(Format.CBOR, float(new Writer(), f).done());
  }
  static bool(b: bool): Value {
    return new Value(Format.CBOR, new Writer().byte(b ? 0xf5 : 0xf4).done());
  }
  static null(): Value {
    return new Value(Format.CBOR, new Writer().byte(0xf6).done());
  }

  /** Items that are JSON or protobuf do not fit into an array or a map: they trap. */
  static array(items: Value[]): Value {
    const w = head(new Writer(), 4, items.length);
    for (let i = 0; i < items.length; i++) items[i].within(w);
    return new Value(Format.CBOR, w.done());
  }
  static map(fields: Map<string, Value>): Value {
    const keys = fields.keys().map<Uint8Array>((key) => utf8(key));
    keys.sort((a, b) => (a.length != b.length ? a.length - b.length : compare(a, b)));
    const w = head(new Writer(), 5, keys.length);
    for (let i = 0; i < keys.length; i++) {
      head(w, 3, keys[i].length).bytes(keys[i]);
      fields.get(textOf(keys[i])).within(w);
    }
    return new Value(Format.CBOR, w.done());
  }

  private within(w: Writer): void {
    switch (this.format) {
      case 0: w.byte(0xf6); break;
      case Format.Raw: head(w, 2, this.data.length).bytes(this.data); break;
      case Format.Text: head(w, 3, this.data.length).bytes(this.data); break;
      case Format.CBOR: w.bytes(this.data); break;
      default: unreachable();
    }
  }

  /** The value as it is stored: its format, and its data; nothing for no value. */
  stored(): Uint8Array {
    return this.format == 0 ? this.data : new Writer().byte(this.format).bytes(this.data).done();
  }
  static ofStored(b: Uint8Array): Value {
    return b.length == 0 ? Value.none() : new Value(b[0], b.subarray(1));
  }

  reader(): Reader {
    return new Reader(this);
  }
}

function head(w: Writer, major: u8, n: u64): Writer {
  major <<= 5;
  if (n < 24) return w.byte(major | <u8>n);
  if (n <= 0xff) return w.byte(major | 24).byte(<u8>n);
  if (n <= 0xffff) return w.byte(major | 25).bigEndian(n, 2);
  if (n <= 0xffffffff) return w.byte(major | 26).bigEndian(n, 4);
  return w.byte(major | 27).bigEndian(n, 8);
}

/** The fewest bits that hold all of f. */
function float(w: Writer, f: f64): Writer {
  const narrow = <f32>f;
  if (f == f && <f64>narrow != f) return w.byte(0xfb).bigEndian(reinterpret<u64>(f), 8);
  const bits = reinterpret<u32>(narrow);
  const short = half(bits);
  return short < 0 ? w.byte(0xfa).bigEndian(bits, 4) : w.byte(0xf9).bigEndian(short, 2);
}

/** The 16 bits of a float of 32 bits if they hold all of it, else -1. */
function half(bits: u32): i32 {
  const sign = (bits >> 16) & 0x8000;
  const fraction = bits & 0x7fffff;
  const exponent = <i32>((bits >> 23) & 0xff) - 127;
  if (exponent == 128) return fraction ? 0x7e00 : sign | 0x7c00;
  if (exponent == -127 && fraction == 0) return sign;
  if (exponent >= -14 && exponent <= 15 && !(fraction & 0x1fff)) return sign | ((exponent + 15) << 10) | (fraction >> 13);
  const whole = fraction | 0x800000;
  const drop = -1 - exponent;
  if (exponent >= -24 && exponent < -14 && !(whole & ((1 << drop) - 1))) return sign | (whole >> drop);
  return -1;
}

function ofHalf(half: u32): f64 {
  const exponent = <i32>((half >> 10) & 31);
  const fraction = <f64>(half & 0x3ff);
  const sign: f64 = half & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction ? NaN : sign * Infinity;
  if (exponent == 0) return sign * fraction * 2 ** -24;
  return sign * (fraction + 1024) * 2 ** (<f64>exponent - 25);
}

/**
 * Reads a value item by item. What is of another type than was asked for, or
 * malformed, sets failed, and everything read from then on is 0 or empty.
 */
export class Reader {
  failed: bool = false;
  private at: i32 = 0;
  private data: Uint8Array;
  private format: u8;
  private small: u8 = 0; // of the last head
  private number: u64 = 0;

  constructor(value: Value) {
    this.data = value.data;
    this.format = value.format;
  }

  /** Whether everything has been read. */
  get done(): bool {
    return this.failed || this.at >= this.data.length;
  }

  private fail(): void {
    this.failed = true;
    this.number = 0;
  }

  /** The type of the next item, as RFC 8949 numbers them, or 255. */
  private peek(): u8 {
    return this.format == Format.CBOR && this.at < this.data.length ? this.data[this.at] >> 5 : 255;
  }

  /** Reads a head: its type. Lengths that are not said at the start are refused: Virga makes none. */
  private head(): u8 {
    const major = this.peek();
    if (this.failed || major == 255) {
      this.fail();
      return 255;
    }
    this.small = this.data[this.at++] & 31;
    const bytes = this.small < 24 ? 0 : 1 << (this.small - 24);
    if (this.small > 27 || bytes > this.data.length - this.at) {
      this.fail();
      return 255;
    }
    this.number = bytes == 0 ? this.small : 0;
    for (let i = 0; i < bytes; i++) this.number = (this.number << 8) | this.data[this.at++];
    return major;
  }

  int(): i64 {
    const major = this.head();
    if (major > 1 || this.number > <u64>i64.MAX_VALUE) this.fail();
    return major == 1 ? -1 - <i64>this.number : <i64>this.number;
  }

  /** A float, or a whole number as one. */
  float(): f64 {
    const major = this.head();
    if (major == 0) return <f64>this.number;
    if (major == 1) return -1 - <f64>this.number;
    if (major == 7 && this.small == 25) return ofHalf(<u32>this.number);
    if (major == 7 && this.small == 26) return reinterpret<f32>(<u32>this.number);
    if (major == 7 && this.small == 27) return reinterpret<f64>(this.number);
    this.fail();
    return 0;
  }

  private simple(first: u8, last: u8): u8 {
    if (this.head() != 7 || this.small < first || this.small > last) this.fail();
    return this.small;
  }

  bool(): bool {
    return this.simple(20, 21) == 21 && !this.failed;
  }

  /** Takes null, or no value at all, if that is next. */
  null(): bool {
    if (this.format == 0) return true;
    if (this.peek() != 7 || this.data[this.at] < 0xf6 || this.data[this.at] > 0xf7) return false;
    this.at++;
    return true;
  }

  private chunk(want: u8, format: u8): Uint8Array {
    if (this.format == format && this.at == 0 && !this.failed) {
      this.at = this.data.length;
      return this.data;
    }
    if (this.head() != want || this.number > <u64>(this.data.length - this.at)) {
      this.fail();
      return new Uint8Array(0);
    }
    this.at += <i32>this.number;
    return this.data.subarray(this.at - <i32>this.number, this.at);
  }

  text(): string {
    return textOf(this.chunk(3, Format.Text));
  }

  bytes(): Uint8Array {
    return this.chunk(2, Format.Raw);
  }

  private count(want: u8): i32 {
    if (this.head() != want || this.number > <u64>(this.data.length - this.at)) this.fail();
    return <i32>this.number;
  }

  /** How many items follow. */
  array(): i32 {
    return this.count(4);
  }

  /** How many pairs of a key and a value follow. */
  map(): i32 {
    return this.count(5);
  }

  /** Takes one item of any type, and gives it. */
  item(): Value {
    const from = this.at;
    if (this.format != Format.CBOR) {
      this.at = this.data.length;
      return new Value(this.format, this.data);
    }
    for (let left: u64 = 1; left > 0 && !this.failed; left--) {
      const major = this.head();
      const long = major >= 2 && major <= 5 && this.number > <u64>(this.data.length - this.at);
      if (long) this.fail();
      if (major == 2 || major == 3) this.at += <i32>this.number;
      left += major == 4 ? this.number : major == 5 ? 2 * this.number : major == 6 ? 1 : 0;
    }
    return this.failed ? Value.none() : new Value(Format.CBOR, this.data.subarray(from, this.at));
  }
}
