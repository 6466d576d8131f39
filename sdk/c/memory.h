/* The memory of one call: what the library and virga_new give is there until
 * the next call of the instance, and nobody frees it. It is taken from the
 * module's memory by memory.grow, beside what a libc may have. */
#ifndef VIRGA_MEMORY_H
#define VIRGA_MEMORY_H

#include "abi.h"

#define VIRGA_PAGE 65536u

static struct {
	uint8_t *at, *end; /* what is free */
	uint8_t *start;    /* of the block that at is in */
} virga_arena;

/* Pages for at least size bytes; traps where there is no memory, which the
 * node tells the caller as such. */
static uint8_t *virga_pages(uint32_t size) {
	uint32_t pages = size / VIRGA_PAGE + (size % VIRGA_PAGE != 0);
	uint32_t had = (uint32_t)__builtin_wasm_memory_grow(0, pages);
	if (had == UINT32_MAX)
		__builtin_trap();
	return (uint8_t *)(uintptr_t)(had * VIRGA_PAGE);
}

/* Makes room for size bytes at virga_arena.at. What is there and not given
 * away yet (kept bytes) stays, perhaps at another place. */
static void virga_room(uint32_t kept, uint32_t size) {
	if ((uint32_t)(virga_arena.end - virga_arena.at) >= size)
		return;
	uint32_t more = size < 4 * VIRGA_PAGE ? 4 * VIRGA_PAGE : size;
	uint8_t *block = virga_pages(more);
	if (block != virga_arena.end) {
		__builtin_memcpy(block, virga_arena.at, kept);
		virga_arena.start = virga_arena.at = block;
	}
	virga_arena.end = block + (more + VIRGA_PAGE - 1) / VIRGA_PAGE * VIRGA_PAGE;
}

/* size bytes, aligned for any type, with any content. */
static inline void *virga_new(uint32_t size) {
	if (size > UINT32_MAX - 15)
		__builtin_trap();
	uint32_t whole = (size + 7) & ~7u;
	virga_room(0, whole + 8);
	uint8_t *at = (uint8_t *)(((uintptr_t)virga_arena.at + 7) & ~(uintptr_t)7);
	virga_arena.at = at + whole;
	return at;
}

/* A place to come back to: virga_release gives back what was taken since. */
typedef struct {
	uint8_t *at;
} virga_mark;

static inline virga_mark virga_here(void) { return (virga_mark){virga_arena.at}; }
static inline void virga_release(virga_mark m) {
	int same = m.at >= virga_arena.start && m.at <= virga_arena.end;
	virga_arena.at = same ? m.at : virga_arena.start; /* in a block that came later, all is younger */
}

#endif
