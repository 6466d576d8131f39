/* The Virga guest ABI, version 1, for modules written in C. The whole of it
 * is specified in docs/guest-abi.md. Copy this file next to your sources. */
#ifndef VIRGA_H
#define VIRGA_H

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

/* The library. Each writes an answer to out if it fits into cap bytes, and
 * returns its length; an answer that did not fit is fetched by virga_take. */
#define VIRGA_EXCHANGE(name)                                                        \
	VIRGA_IMPORT(name)                                                              \
	uint32_t virga_##name(const void *a, uint32_t a_len, const void *b, uint32_t b_len, void *out, uint32_t cap)

VIRGA_EXCHANGE(get);       /* a: key                       -> value */
VIRGA_EXCHANGE(put);       /* a: key, b: value             -> nothing */
VIRGA_EXCHANGE(delete);    /* a: key                       -> nothing */
VIRGA_EXCHANGE(id);        /*                              -> text */
VIRGA_EXCHANGE(namespace); /*                              -> text */
VIRGA_EXCHANGE(send);      /* a: invocation, b: value      -> nothing */
VIRGA_EXCHANGE(recv);      /* a: nanoseconds, 8 bytes      -> messages */

VIRGA_IMPORT(take) uint32_t virga_take(void *out, uint32_t cap);
VIRGA_IMPORT(deadline) int64_t virga_deadline(void);
VIRGA_IMPORT(log) void virga_log(int32_t level, const void *text, uint32_t len);

#endif
