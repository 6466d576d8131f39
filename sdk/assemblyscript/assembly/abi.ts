// The Virga guest ABI, version 1: its numbers and its imports. docs/guest-abi.md specifies it.

export const ABI: u32 = 1;

/** The formats of values. */
export namespace Format {
  export const Raw: u8 = 1;
  export const Text: u8 = 2;
  export const JSON: u8 = 3;
  export const CBOR: u8 = 4;
  export const Protobuf: u8 = 5;
}

/** The status of an answer: OK, or the kind of an error. */
export namespace Status {
  export const OK: u8 = 0;
  export const Internal: u8 = 1;
  export const NotFound: u8 = 2;
  export const KindMismatch: u8 = 3;
  export const Denied: u8 = 4;
  export const Overloaded: u8 = 5;
  export const Unavailable: u8 = 6;
  export const DeadlineExceeded: u8 = 7;
  export const Cancelled: u8 = 8;
  export const UserError: u8 = 9;
  export const Invalid: u8 = 10;
  export const Conflict: u8 = 11;
}

/** Which import of the one form is asked. */
export const enum Ask {
  Get,
  Read,
  Put,
  Update,
  Delete,
  Call,
  Start,
  CallDAG,
  StartDAG,
  Await,
  ID,
  Namespace,
  Send,
  Recv,
  Part,
  Emit,
}

@external("virga", "get")
declare function hostGet(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "read")
declare function hostRead(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "put")
declare function hostPut(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "update")
declare function hostUpdate(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "delete")
declare function hostDelete(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "call")
declare function hostCall(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "start")
declare function hostStart(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "call_dag")
declare function hostCallDAG(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "start_dag")
declare function hostStartDAG(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "await")
declare function hostAwait(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "id")
declare function hostID(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "namespace")
declare function hostNamespace(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "send")
declare function hostSend(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "recv")
declare function hostRecv(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "part")
declare function hostPart(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "emit")
declare function hostEmit(a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32;
@external("virga", "take")
export declare function hostTake(out: usize, cap: u32): u32;
@external("virga", "deadline")
export declare function hostDeadline(): i64;
@external("virga", "log")
export declare function hostLog(level: i32, text: usize, len: u32): void;

/** Calls an import. It writes an answer to out if it fits, and gives its length. */
export function host(which: Ask, a: usize, aLen: u32, b: usize, bLen: u32, out: usize, cap: u32): u32 {
  switch (which) {
    case Ask.Get: return hostGet(a, aLen, b, bLen, out, cap);
    case Ask.Read: return hostRead(a, aLen, b, bLen, out, cap);
    case Ask.Put: return hostPut(a, aLen, b, bLen, out, cap);
    case Ask.Update: return hostUpdate(a, aLen, b, bLen, out, cap);
    case Ask.Delete: return hostDelete(a, aLen, b, bLen, out, cap);
    case Ask.Call: return hostCall(a, aLen, b, bLen, out, cap);
    case Ask.Start: return hostStart(a, aLen, b, bLen, out, cap);
    case Ask.CallDAG: return hostCallDAG(a, aLen, b, bLen, out, cap);
    case Ask.StartDAG: return hostStartDAG(a, aLen, b, bLen, out, cap);
    case Ask.Await: return hostAwait(a, aLen, b, bLen, out, cap);
    case Ask.ID: return hostID(a, aLen, b, bLen, out, cap);
    case Ask.Namespace: return hostNamespace(a, aLen, b, bLen, out, cap);
    case Ask.Send: return hostSend(a, aLen, b, bLen, out, cap);
    case Ask.Part: return hostPart(a, aLen, b, bLen, out, cap);
    case Ask.Emit: return hostEmit(a, aLen, b, bLen, out, cap);
    default: return hostRecv(a, aLen, b, bLen, out, cap);
  }
}
