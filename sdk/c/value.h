/* Values: made from C's types, and read as such. A whole number, a float, a
 * bool, nothing, an array and a map are CBOR (RFC 8949), in the one form that
 * Virga's Go library gives them too, so that they are equal as elements of sets. */
#ifndef VIRGA_VALUE_H
#define VIRGA_VALUE_H

#include "memory.h"

typedef struct {
	const uint8_t *at;
	uint32_t size;
} virga_bytes; /* text is not ended by a zero byte */

typedef struct {
	uint8_t format; /* VIRGA_RAW, ..., or 0 for no value */
	virga_bytes data;
} virga_value;

static inline virga_bytes virga_string(const char *text) {
	virga_bytes b = {(const uint8_t *)text, 0};
	while (text[b.size])
		b.size++;
	return b;
}

static inline int virga_equal(virga_bytes a, virga_bytes b) {
	if (a.size != b.size)
		return 0;
	for (uint32_t i = 0; i < a.size; i++)
		if (a.at[i] != b.at[i])
			return 0;
	return 1;
}

/* Bytes that are written one after the other. Between virga_begin and
 * virga_end nothing else may take memory: one writer at a time. */
typedef struct {
	uint32_t size;
} virga_writer;

static inline virga_writer virga_begin(void) { return (virga_writer){0}; }

static inline void virga_write(virga_writer *w, const void *from, uint32_t size) {
	if (size > UINT32_MAX - w->size)
		__builtin_trap();
	virga_room(w->size, w->size + size);
	__builtin_memcpy(virga_arena.at + w->size, from, size);
	w->size += size;
}

static inline void virga_write_byte(virga_writer *w, uint8_t b) { virga_write(w, &b, 1); }

static inline void virga_write_big_endian(virga_writer *w, uint64_t n, int bytes) {
	while (bytes-- > 0)
		virga_write_byte(w, (uint8_t)(n >> 8 * bytes));
}

static inline virga_bytes virga_end(virga_writer *w) {
	virga_bytes b = {virga_arena.at, w->size};
	virga_arena.at += w->size;
	return b;
}

/* --- CBOR, written --- */

static inline void virga_write_head(virga_writer *w, int major, uint64_t n) {
	int bytes = n < 24 ? 0 : n <= UINT8_MAX ? 1 : n <= UINT16_MAX ? 2 : n <= UINT32_MAX ? 4 : 8;
	int small = bytes == 0 ? (int)n : bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27;
	virga_write_byte(w, (uint8_t)(major << 5 | small));
	virga_write_big_endian(w, n, bytes);
}

static inline void virga_write_int(virga_writer *w, int64_t n) {
	virga_write_head(w, n < 0, n < 0 ? ~(uint64_t)n : (uint64_t)n);
}
static inline void virga_write_data(virga_writer *w, virga_bytes b) {
	virga_write_head(w, 2, b.size);
	virga_write(w, b.at, b.size);
}
static inline void virga_write_text(virga_writer *w, virga_bytes b) {
	virga_write_head(w, 3, b.size);
	virga_write(w, b.at, b.size);
}
static inline void virga_write_array(virga_writer *w, uint32_t items) { virga_write_head(w, 4, items); }

/* A map of so many pairs of a key and a value, the shorter keys first, those
 * of one length in the order of their bytes. */
static inline void virga_write_map(virga_writer *w, uint32_t pairs) { virga_write_head(w, 5, pairs); }
static inline void virga_write_bool(virga_writer *w, int b) { virga_write_byte(w, b ? 0xf5 : 0xf4); }
static inline void virga_write_null(virga_writer *w) { virga_write_byte(w, 0xf6); }

/* The 16 bits of a float of 32 bits if they hold all of it, else -1. */
static inline int32_t virga_half(uint32_t bits) {
	uint32_t sign = bits >> 16 & 0x8000, fraction = bits & 0x7fffff;
	int32_t exponent = (int32_t)(bits >> 23 & 0xff) - 127;
	if (exponent == 128)
		return fraction ? 0x7e00 : (int32_t)(sign | 0x7c00);
	if (exponent == -127 && fraction == 0)
		return (int32_t)sign;
	if (exponent >= -14 && exponent <= 15 && !(fraction & 0x1fff))
		return (int32_t)(sign | (uint32_t)(exponent + 15) << 10 | fraction >> 13);
	if (exponent >= -24 && exponent < -14 && !((fraction | 0x800000) & ((1u << (-1 - exponent)) - 1)))
		return (int32_t)(sign | (fraction | 0x800000) >> (-1 - exponent));
	return -1;
}

static inline void virga_write_float(virga_writer *w, double d) {
	union {
		double d;
		uint64_t bits;
	} wide = {d};
	union {
		float f;
		uint32_t bits;
	} narrow = {(float)d};
	if (d == d && (double)narrow.f != d) {
		virga_write_byte(w, 0xfb);
		virga_write_big_endian(w, wide.bits, 8);
		return;
	}
	int32_t half = virga_half(narrow.bits);
	virga_write_byte(w, half < 0 ? 0xfa : 0xf9);
	virga_write_big_endian(w, half < 0 ? narrow.bits : (uint32_t)half, half < 0 ? 4 : 2);
}

/* A value within another one. JSON and protobuf do not fit into CBOR: 0. */
static inline int virga_write_value(virga_writer *w, virga_value v) {
	switch (v.format) {
	case 0: virga_write_null(w); return 1;
	case VIRGA_RAW: virga_write_data(w, v.data); return 1;
	case VIRGA_TEXT: virga_write_text(w, v.data); return 1;
	case VIRGA_CBOR: virga_write(w, v.data.at, v.data.size); return 1;
	}
	return 0;
}

/* --- values, made --- */

static inline virga_value virga_written(virga_writer *w) { return (virga_value){VIRGA_CBOR, virga_end(w)}; }
static inline virga_value virga_none(void) { return (virga_value){0, {0, 0}}; }
static inline virga_value virga_data(virga_bytes b) { return (virga_value){VIRGA_RAW, b}; }
static inline virga_value virga_text_of(virga_bytes b) { return (virga_value){VIRGA_TEXT, b}; }
static inline virga_value virga_text(const char *text) { return virga_text_of(virga_string(text)); }
static inline virga_value virga_int(int64_t n) {
	virga_writer w = virga_begin();
	virga_write_int(&w, n);
	return virga_written(&w);
}
static inline virga_value virga_float(double d) {
	virga_writer w = virga_begin();
	virga_write_float(&w, d);
	return virga_written(&w);
}
static inline virga_value virga_bool(int b) {
	virga_writer w = virga_begin();
	virga_write_bool(&w, b);
	return virga_written(&w);
}
static inline virga_value virga_array(const virga_value *items, uint32_t count) {
	virga_writer w = virga_begin();
	virga_write_array(&w, count);
	for (uint32_t i = 0; i < count; i++)
		if (!virga_write_value(&w, items[i]))
			__builtin_trap();
	return virga_written(&w);
}

/* --- CBOR, read --- */

/* What is still to be read. Each virga_read_... takes one item if it is of
 * its type, and returns 1; else it takes nothing and returns 0. */
typedef struct {
	virga_bytes rest;
	uint8_t format;
} virga_reader;

static inline virga_reader virga_open(virga_value v) { return (virga_reader){v.data, v.format}; }

/* Reads the head of an item: its type, and its number. Lengths that are not
 * said at the start (RFC 8949, 3.2) are refused: Virga makes none. */
static inline int virga_read_head(virga_reader *r, int *major, int *small, uint64_t *n) {
	if (r->format != VIRGA_CBOR || r->rest.size == 0)
		return 0;
	const uint8_t *at = r->rest.at;
	*major = at[0] >> 5;
	*small = at[0] & 31;
	uint32_t bytes = *small < 24 ? 0 : *small == 24 ? 1 : *small == 25 ? 2 : *small == 26 ? 4 : 8;
	if (*small > 27 || r->rest.size - 1 < bytes)
		return 0;
	*n = bytes == 0 ? (uint64_t)*small : 0;
	for (uint32_t i = 1; i <= bytes; i++)
		*n = *n << 8 | at[i];
	r->rest.at += 1 + bytes;
	r->rest.size -= 1 + bytes;
	return 1;
}

static inline int virga_read_int(virga_reader *r, int64_t *n) {
	virga_reader was = *r;
	int major, small;
	uint64_t u;
	if (virga_read_head(r, &major, &small, &u) && major < 2 && u <= INT64_MAX) {
		*n = major == 0 ? (int64_t)u : -1 - (int64_t)u;
		return 1;
	}
	*r = was;
	return 0;
}

/* Text (major 3) or bytes (major 2), of a CBOR item or of a whole value. */
static inline int virga_read_chunk(virga_reader *r, int want, uint8_t format, virga_bytes *b) {
	virga_reader was = *r;
	int major, small;
	uint64_t size;
	if (r->format == format) {
		*b = r->rest;
		*r = (virga_reader){{0, 0}, 0};
		return 1;
	}
	if (virga_read_head(r, &major, &small, &size) && major == want && size <= r->rest.size) {
		*b = (virga_bytes){r->rest.at, (uint32_t)size};
		r->rest.at += size;
		r->rest.size -= (uint32_t)size;
		return 1;
	}
	*r = was;
	return 0;
}
static inline int virga_read_text(virga_reader *r, virga_bytes *b) { return virga_read_chunk(r, 3, VIRGA_TEXT, b); }
static inline int virga_read_data(virga_reader *r, virga_bytes *b) { return virga_read_chunk(r, 2, VIRGA_RAW, b); }

static inline int virga_read_count(virga_reader *r, int want, uint32_t *count) {
	virga_reader was = *r;
	int major, small;
	uint64_t n;
	if (virga_read_head(r, &major, &small, &n) && major == want && n <= r->rest.size) {
		*count = (uint32_t)n;
		return 1;
	}
	*r = was;
	return 0;
}
static inline int virga_read_array(virga_reader *r, uint32_t *items) { return virga_read_count(r, 4, items); }
static inline int virga_read_map(virga_reader *r, uint32_t *pairs) { return virga_read_count(r, 5, pairs); }

static inline int virga_read_simple(virga_reader *r, int first, int last, int *which) {
	virga_reader was = *r;
	int major, small;
	uint64_t n;
	if (virga_read_head(r, &major, &small, &n) && major == 7 && small >= first && small <= last) {
		*which = small;
		return 1;
	}
	*r = was;
	return 0;
}
static inline int virga_read_bool(virga_reader *r, int *b) {
	int which;
	if (!virga_read_simple(r, 20, 21, &which))
		return 0;
	*b = which == 21;
	return 1;
}

/* null, and no value at all. */
static inline int virga_read_null(virga_reader *r) {
	int which;
	return r->format == 0 || virga_read_simple(r, 22, 23, &which);
}

static inline double virga_from_half(uint32_t half) {
	int exponent = half >> 10 & 31;
	double d = half & 0x3ff;
	if (exponent == 31)
		d = d == 0 ? __builtin_inf() : __builtin_nan("");
	else if (exponent > 0)
		d += 1024;
	for (int e = exponent > 0 ? exponent : 1; e < 25 && exponent != 31; e++)
		d /= 2;
	for (int e = 25; e < exponent && exponent != 31; e++)
		d *= 2;
	return half & 0x8000 ? -d : d;
}

/* A float, or a whole number as one. */
static inline int virga_read_float(virga_reader *r, double *d) {
	virga_reader was = *r;
	int major, small;
	uint64_t n;
	union {
		uint32_t bits;
		float f;
	} narrow;
	union {
		uint64_t bits;
		double d;
	} wide;
	if (virga_read_head(r, &major, &small, &n) && (major < 2 || (major == 7 && small >= 25))) {
		narrow.bits = (uint32_t)n;
		wide.bits = n;
		*d = major == 0 ? (double)n : major == 1 ? -1 - (double)n : small == 25 ? virga_from_half((uint32_t)n) : small == 26 ? narrow.f : wide.d;
		return 1;
	}
	*r = was;
	return 0;
}

/* Takes one item of any type, whatever is in it; 0 if it is malformed. */
static inline int virga_skip(virga_reader *r) {
	uint64_t left = 1;
	if (r->format != VIRGA_CBOR) {
		*r = (virga_reader){{0, 0}, 0};
		return 1;
	}
	for (; left > 0; left--) {
		int major, small;
		uint64_t n;
		if (!virga_read_head(r, &major, &small, &n) || ((major >= 2 && major <= 5) && n > r->rest.size))
			return 0;
		if (major == 2 || major == 3) {
			r->rest.at += n;
			r->rest.size -= (uint32_t)n;
		}
		left += major == 4 ? n : major == 5 ? 2 * n : major == 6 ? 1 : 0;
	}
	return 1;
}

/* A value that is just this. */
static inline int virga_as_int(virga_value v, int64_t *n) {
	virga_reader r = virga_open(v);
	return virga_read_int(&r, n) && r.rest.size == 0;
}
static inline int virga_as_float(virga_value v, double *d) {
	virga_reader r = virga_open(v);
	return virga_read_float(&r, d) && r.rest.size == 0;
}
static inline int virga_as_bool(virga_value v, int *b) {
	virga_reader r = virga_open(v);
	return virga_read_bool(&r, b) && r.rest.size == 0;
}
static inline int virga_as_text(virga_value v, virga_bytes *b) {
	virga_reader r = virga_open(v);
	return virga_read_text(&r, b) && r.rest.size == 0;
}
static inline int virga_as_data(virga_value v, virga_bytes *b) {
	virga_reader r = virga_open(v);
	return virga_read_data(&r, b) && r.rest.size == 0;
}

#endif
