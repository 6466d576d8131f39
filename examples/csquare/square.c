/* A Virga function without a runtime, a libc or an allocator: csquare squares
 * a whole number, and visits counts its calls under the key "visits".
 *
 *	clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry -o square.wasm square.c
 *	virga fn deploy csquare square.wasm
 *	virga call csquare 12
 */
#include "virga.h"

enum { csquare, visits }; /* the order in which virga_functions lists them */

static uint8_t arguments[4096];
static uint8_t answer[256];

VIRGA_EXPORT(virga_abi) uint32_t abi(void) { return VIRGA_ABI; }

/* JSON only: the node writes the arguments as JSON, whatever the caller sent. */
VIRGA_EXPORT(virga_formats) uint32_t formats(void) { return 1u << VIRGA_JSON; }

VIRGA_EXPORT(virga_functions) uint64_t functions(void) {
	static const char names[] = "csquare\nvisits";
	return virga_span(names, sizeof names - 1);
}

VIRGA_EXPORT(virga_alloc) void *alloc(uint32_t size) { return size <= sizeof arguments ? arguments : 0; }

static uint64_t fail(uint8_t kind, const char *why) {
	uint32_t n = 0;
	answer[n++] = kind;
	while (*why && n < sizeof answer)
		answer[n++] = (uint8_t)*why++;
	return virga_span(answer, n);
}

/* Writes n in decimal after the first bytes of out, and returns the new length. */
static uint32_t append_number(uint8_t *out, uint32_t len, int64_t n) {
	uint8_t digits[20];
	uint32_t count = 0;
	uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	do
		digits[count++] = (uint8_t)('0' + rest % 10);
	while (rest /= 10);
	if (n < 0)
		out[len++] = '-';
	while (count)
		out[len++] = digits[--count];
	return len;
}

/* Reads a whole number of at most 9 digits, which fills the text; 0 if it is none. */
static int read_number(const uint8_t *text, uint32_t len, int64_t *n) {
	int negative = len > 0 && text[0] == '-';
	uint32_t at = negative;
	if (len == at || len - at > 9)
		return 0;
	for (*n = 0; at < len; at++) {
		if (text[at] < '0' || text[at] > '9')
			return 0;
		*n = *n * 10 + (text[at] - '0');
	}
	if (negative)
		*n = -*n;
	return 1;
}

static uint64_t number_answer(int64_t n) {
	answer[0] = VIRGA_OK;
	answer[1] = VIRGA_JSON;
	return virga_span(answer, append_number(answer, 2, n));
}

/* The one argument: four bytes of length, the format, the number. */
static uint64_t call_square(const uint8_t *args, uint32_t size) {
	uint32_t len = size < 4 ? 0 : args[0] | args[1] << 8 | args[2] << 16 | (uint32_t)args[3] << 24;
	int64_t n;
	if (size < 5 || len != size - 4)
		return fail(VIRGA_INVALID, "expected 1 argument");
	if (!read_number(args + 5, len - 1, &n))
		return fail(VIRGA_INVALID, "argument 1: expected a whole number of at most 9 digits");
	return number_answer(n * n);
}

static uint64_t call_visits(void) {
	static uint8_t value[64];
	int64_t count = 0;
	uint32_t len = virga_get("visits", 6, 0, 0, value, sizeof value);
	if (len > sizeof value || (value[0] != VIRGA_OK && value[0] != VIRGA_NOT_FOUND))
		return fail(VIRGA_UNAVAILABLE, "the count cannot be read");
	if (value[0] == VIRGA_OK && !(len > 2 && value[1] == VIRGA_JSON && read_number(value + 2, len - 2, &count)))
		return fail(VIRGA_INVALID, "the key visits holds something else than a count");
	value[0] = VIRGA_JSON;
	len = append_number(value, 1, count + 1);
	virga_put("visits", 6, value, len, answer, sizeof answer);
	if (answer[0] != VIRGA_OK)
		return fail(VIRGA_UNAVAILABLE, "the count cannot be written");
	return number_answer(count + 1);
}

VIRGA_EXPORT(virga_call) uint64_t call(uint32_t function, const uint8_t *args, uint32_t size) {
	switch (function) {
	case csquare:
		return call_square(args, size);
	case visits:
		return call_visits();
	}
	return fail(VIRGA_NOT_FOUND, "no such function");
}
