// What the compiler calls where a program is wrong. It allocates nothing, and has
// no file beneath it: it may be called by the allocator, and before anything is there.

@external("virga", "log")
declare function hostLog(level: i32, text: usize, len: u32): void;

const line: usize = memory.data(256);

/** Logs what was wrong, in ASCII, and ends the instance. */
export function abort(message: string | null, file: string | null, at: u32, column: u32): void {
  let size = append(0, message ? message : "it aborted");
  size = append(size, " in ");
  size = append(size, file ? file : "?");
  size = append(size, ", line ");
  size = number(size, at);
  hostLog(8, line, size);
  unreachable();
}

function append(size: u32, text: string): u32 {
  for (let i = 0; i < text.length && size < 256; i++) {
    const c = load<u16>(changetype<usize>(text) + (<usize>i << 1));
    store<u8>(line + size++, c < 128 ? c : 63);
  }
  return size;
}

function number(size: u32, n: u32): u32 {
  if (n >= 10) size = number(size, n / 10);
  if (size < 256) store<u8>(line + size++, 48 + (n % 10));
  return size;
}
