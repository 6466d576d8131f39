/* The Virga guest ABI, version 1, for modules written in C: its numbers and
 * its imports. docs/guest-abi.md specifies it. Most guests include virga.h
 * instead, which is a library over it. */
#ifndef VIRGA_ABI_H
#define VIRGA_ABI_H

#include <stdint.h>

#define VIRGA_ABI 1

/* Formats of values. */
enum { VIRGA_RAW = 1, VIRGA_TEXT = 2, VIRGA_JSON = 3, VIRGA_CBOR = 4, VIRGA_PROTOBUF = 5 };

/* The first byte of an answer: 0, or the kind of an error. */
enum {
	VIRGA_OK = 0,
	VIRGA_INTERNAL,
	VIRGA_NOT_FOUND,
	VIRGA_KIND_MISMATCH,
	VIRGA_DENIED,
	VIRGA_OVERLOADED,
	VIRGA_UNAVAILABLE,
	VIRGA_DEADLINE_EXCEEDED,
	VIRGA_CANCELLED,
	VIRGA_USER_ERROR,
	VIRGA_INVALID,
	VIRGA_CONFLICT
};

#define VIRGA_EXPORT(name) __attribute__((export_name(#name)))
#define VIRGA_IMPORT(name) __attribute__((import_module("virga"), import_name(#name)))

/* A span: where an answer lies, and how long it is. */
static inline uint64_t virga_span(const void *at, uint32_t size) {
	return (uint64_t)(uintptr_t)at << 32 | size;
}

/* Each writes an answer to out if it fits into cap bytes, and returns its
 * length; an answer that did not fit is fetched by virga_host_take. */
#define VIRGA_EXCHANGE(name) \
	VIRGA_IMPORT(name)       \
	uint32_t virga_host_##name(const void *a, uint32_t a_len, const void *b, uint32_t b_len, void *out, uint32_t cap)

VIRGA_EXCHANGE(get);       /* a: key                        -> value */
VIRGA_EXCHANGE(read);      /* a: key                        -> state, as package lattice encodes it */
VIRGA_EXCHANGE(put);       /* a: key, b: value              -> nothing */
VIRGA_EXCHANGE(update);    /* a: key, b: kind and operation -> nothing */
VIRGA_EXCHANGE(delete);    /* a: key                        -> nothing */
VIRGA_EXCHANGE(call);      /* a: function, b: arguments     -> value */
VIRGA_EXCHANGE(start);     /* a: function, b: arguments     -> run id, as text */
VIRGA_EXCHANGE(call_dag);  /* a: dag, b: arguments, of each the stage's name as text and a value -> value */
VIRGA_EXCHANGE(start_dag); /* a: dag, b: as of call_dag     -> run id, as text */
VIRGA_EXCHANGE(await);     /* a: run id, b: "end" to wait   -> state, a byte; value */
VIRGA_EXCHANGE(id);        /*                               -> text */
VIRGA_EXCHANGE(namespace); /*                               -> text */
VIRGA_EXCHANGE(send);      /* a: invocation, b: value       -> nothing */
VIRGA_EXCHANGE(recv);      /* a: nanoseconds, 8 bytes       -> messages */
VIRGA_EXCHANGE(part);      /* a: key, b: offset in 8 bytes, length in 4 -> size in 8 bytes; format; data */
VIRGA_EXCHANGE(emit);      /* a: piece, b: its format       -> nothing; appends to the result */

VIRGA_IMPORT(take) uint32_t virga_host_take(void *out, uint32_t cap);
VIRGA_IMPORT(deadline) int64_t virga_host_deadline(void);
VIRGA_IMPORT(log) void virga_host_log(int32_t level, const void *text, uint32_t len);

#endif
