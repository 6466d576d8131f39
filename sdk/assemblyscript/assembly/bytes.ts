// Bytes, written one after the other.

export function utf8(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

export function textOf(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

/** The order of bytes: as numbers, and the shorter first where one begins with the other. */
export function compare(a: Uint8Array, b: Uint8Array): i32 {
  const order = memory.compare(a.dataStart, b.dataStart, min(a.length, b.length));
  return order != 0 ? order : a.length - b.length;
}

export class Writer {
  private buffer: Uint8Array = new Uint8Array(64);
  private size: i32 = 0;

  private room(more: i32): void {
    if (this.size + more <= this.buffer.length) return;
    const larger = new Uint8Array(max(this.size + more, 2 * this.buffer.length));
    memory.copy(larger.dataStart, this.buffer.dataStart, this.size);
    this.buffer = larger;
  }

  byte(b: u8): Writer {
    this.room(1);
    this.buffer[this.size++] = b;
    return this;
  }

  bytes(b: Uint8Array): Writer {
    this.room(b.length);
    memory.copy(this.buffer.dataStart + this.size, b.dataStart, b.length);
    this.size += b.length;
    return this;
  }

  bigEndian(n: u64, bytes: i32): Writer {
    while (bytes-- > 0) this.byte(<u8>(n >> (8 * bytes)));
    return this;
  }

  littleEndian(n: u64, bytes: i32): Writer {
    for (let i = 0; i < bytes; i++) this.byte(<u8>(n >> (8 * i)));
    return this;
  }

  uvarint(n: u64): Writer {
    for (; n >= 0x80; n >>= 7) this.byte(<u8>(n | 0x80));
    return this.byte(<u8>n);
  }

  varint(n: i64): Writer {
    return this.uvarint((<u64>n << 1) ^ <u64>(n >> 63));
  }

  /** Bytes after their number. */
  counted(b: Uint8Array): Writer {
    return this.uvarint(b.length).bytes(b);
  }

  done(): Uint8Array {
    return this.buffer.subarray(0, this.size);
  }
}
