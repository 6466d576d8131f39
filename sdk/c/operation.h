/* Operations on lattices, in the encoding of Virga's package lattice: a verb
 * and what belongs to it. Which kind has which:
 *
 *	bool                                        enable
 *	flag                                        enable, disable
 *	max, min                                    offer
 *	set, ordered-set                            add
 *	or-set                                      add, remove
 *	gcounter, pncounter                         inc
 *	lww, causal, mv-register                    set
 *	multi-causal                                set, set_after
 *	priority                                    set_priority
 *	map                                         field
 *	or-map                                      field, drop
 *	clock                                       tick, observe
 */
#ifndef VIRGA_OPERATION_H
#define VIRGA_OPERATION_H

#include "value.h"

enum {
	VIRGA_BOOL_KIND = 1,
	VIRGA_MAX_KIND,
	VIRGA_MIN_KIND,
	VIRGA_SET_KIND,
	VIRGA_ORDERED_SET_KIND,
	VIRGA_MAP_KIND,
	VIRGA_LWW_KIND,
	VIRGA_PRIORITY_KIND,
	VIRGA_CLOCK_KIND,
	VIRGA_CAUSAL_KIND,
	VIRGA_MULTI_CAUSAL_KIND,
	VIRGA_GCOUNTER_KIND,
	VIRGA_PNCOUNTER_KIND,
	VIRGA_OR_SET_KIND,
	VIRGA_OR_MAP_KIND,
	VIRGA_MV_REGISTER_KIND,
	VIRGA_FLAG_KIND
};

typedef struct {
	virga_bytes encoded;
} virga_operation;

/* How often a writer was heard, in a clock. */
typedef struct {
	virga_bytes writer;
	uint64_t count;
} virga_tally;

/* A version of another key that a multi-causal value was made from. */
typedef struct {
	virga_bytes key; /* namespace, a zero byte, name */
	const virga_tally *clock;
	uint32_t writers;
} virga_dependency;

static inline void virga_write_uvarint(virga_writer *w, uint64_t n) {
	for (; n >= 0x80; n >>= 7)
		virga_write_byte(w, (uint8_t)(n | 0x80));
	virga_write_byte(w, (uint8_t)n);
}
static inline void virga_write_varint(virga_writer *w, int64_t n) {
	virga_write_uvarint(w, (uint64_t)n << 1 ^ (uint64_t)(n >> 63));
}
static inline void virga_write_bytes(virga_writer *w, virga_bytes b) {
	virga_write_uvarint(w, b.size);
	virga_write(w, b.at, b.size);
}
static inline void virga_write_float_bits(virga_writer *w, double d) {
	union {
		double d;
		uint64_t bits;
	} as = {d == 0 ? 0 : d};
	virga_write_big_endian(w, as.bits, 8);
}
static inline virga_writer virga_verb(uint8_t verb) {
	virga_writer w = virga_begin();
	virga_write_byte(&w, verb);
	return w;
}
static inline virga_operation virga_operation_end(virga_writer *w) { return (virga_operation){virga_end(w)}; }

/* The order of bytes, as memcmp has it; the shorter first where one begins with the other. */
static inline int virga_compare(virga_bytes a, virga_bytes b) {
	for (uint32_t i = 0; i < a.size && i < b.size; i++)
		if (a.at[i] != b.at[i])
			return a.at[i] < b.at[i] ? -1 : 1;
	return (a.size > b.size) - (a.size < b.size);
}

/* A value as it is stored: its format, and its data. */
static inline virga_bytes virga_stored(virga_value v) {
	virga_writer w = virga_begin();
	virga_write_byte(&w, v.format);
	virga_write(&w, v.data.at, v.data.size);
	return virga_end(&w);
}

static inline void virga_write_payload(virga_writer *w, virga_value v, uint8_t form) {
	virga_write_uvarint(w, 1 + (uint64_t)v.data.size);
	virga_write_byte(w, v.format);
	virga_write(w, v.data.at, v.data.size);
	virga_write_byte(w, form);
}
static inline virga_operation virga_set(virga_value v) {
	virga_writer w = virga_verb(1);
	virga_write_payload(&w, v, 0);
	return virga_operation_end(&w);
}
static inline virga_operation virga_set_priority(double priority, virga_value v) {
	virga_writer w = virga_verb(1);
	virga_write_payload(&w, v, 1);
	virga_write_float_bits(&w, priority);
	return virga_operation_end(&w);
}

/* The writers must be in order, each once. */
static inline void virga_write_clock(virga_writer *w, const virga_tally *clock, uint32_t writers) {
	virga_write_uvarint(w, writers);
	for (uint32_t i = 0; i < writers; i++) {
		virga_write_bytes(w, clock[i].writer);
		virga_write_uvarint(w, clock[i].count);
	}
}

/* The dependencies must be in the order of their keys, each once. */
static inline virga_operation virga_set_after(virga_value v, const virga_dependency *after, uint32_t count) {
	if (count == 0)
		return virga_set(v);
	virga_writer w = virga_verb(1);
	virga_write_payload(&w, v, 2);
	virga_write_uvarint(&w, count);
	for (uint32_t i = 0; i < count; i++) {
		virga_write_bytes(&w, after[i].key);
		virga_write_clock(&w, after[i].clock, after[i].writers);
	}
	return virga_operation_end(&w);
}

/* Elements in any order, of which equal ones count once. */
static inline virga_operation virga_elements(uint8_t verb, const virga_value *elements, uint32_t count) {
	virga_bytes *sorted = virga_new(count * sizeof *sorted);
	uint32_t different = 0;
	for (uint32_t i = 0; i < count; i++) {
		virga_bytes e = virga_stored(elements[i]);
		uint32_t at = different;
		while (at > 0 && virga_compare(sorted[at - 1], e) > 0)
			at--;
		if (at > 0 && virga_equal(sorted[at - 1], e))
			continue;
		for (uint32_t j = different++; j > at; j--)
			sorted[j] = sorted[j - 1];
		sorted[at] = e;
	}
	virga_writer w = virga_verb(verb);
	virga_write_uvarint(&w, different);
	for (uint32_t i = 0; i < different; i++)
		virga_write_bytes(&w, sorted[i]);
	return virga_operation_end(&w);
}
static inline virga_operation virga_add_all(const virga_value *elements, uint32_t count) { return virga_elements(2, elements, count); }
static inline virga_operation virga_add(virga_value element) { return virga_elements(2, &element, 1); }
static inline virga_operation virga_remove_all(const virga_value *elements, uint32_t count) { return virga_elements(3, elements, count); }
static inline virga_operation virga_remove(virga_value element) { return virga_elements(3, &element, 1); }

static inline virga_operation virga_inc(int64_t n) {
	virga_writer w = virga_verb(4);
	virga_write_varint(&w, n);
	return virga_operation_end(&w);
}
static inline virga_operation virga_offer_int(int64_t n) {
	virga_writer w = virga_verb(5);
	virga_write_byte(&w, 1);
	virga_write_varint(&w, n);
	return virga_operation_end(&w);
}
static inline virga_operation virga_offer_float(double d) {
	virga_writer w = virga_verb(5);
	virga_write_byte(&w, 2);
	virga_write_float_bits(&w, d);
	return virga_operation_end(&w);
}
static inline virga_operation virga_offer_text(virga_bytes text) {
	virga_writer w = virga_verb(5);
	virga_write_byte(&w, 3);
	virga_write_bytes(&w, text);
	return virga_operation_end(&w);
}
static inline virga_operation virga_plain_verb(uint8_t verb) {
	virga_writer w = virga_verb(verb);
	return virga_operation_end(&w);
}
static inline virga_operation virga_enable(void) { return virga_plain_verb(6); }
static inline virga_operation virga_disable(void) { return virga_plain_verb(7); }

/* An operation on a field of a map, which is made with kind if it is missing. */
static inline virga_operation virga_field(virga_bytes field, uint8_t kind, virga_operation inner) {
	virga_writer w = virga_verb(8);
	virga_write_bytes(&w, field);
	virga_write_byte(&w, kind);
	virga_write(&w, inner.encoded.at, inner.encoded.size);
	return virga_operation_end(&w);
}
static inline virga_operation virga_drop(virga_bytes field) {
	virga_writer w = virga_verb(9);
	virga_write_bytes(&w, field);
	return virga_operation_end(&w);
}
static inline virga_operation virga_tick(void) { return virga_plain_verb(10); }
static inline virga_operation virga_observe(const virga_tally *clock, uint32_t writers) {
	virga_writer w = virga_verb(11);
	virga_write_clock(&w, clock, writers);
	return virga_operation_end(&w);
}

#endif
