/* Two Virga functions in C: csquare squares a whole number, and visits counts
 * its calls under the key "visits".
 *
 *	clang --target=wasm32 -mbulk-memory -O2 -nostdlib -Wl,--no-entry -I sdk/c -o square.wasm examples/csquare/square.c
 *	virga fn deploy csquare square.wasm
 *	virga call csquare 12
 */
#include "virga.h"

static virga_answer csquare(const virga_value *args, uint32_t count) {
	int64_t n;
	if (count != 1)
		return virga_fail(VIRGA_INVALID, "expected 1 argument");
	if (!virga_as_int(args[0], &n))
		return virga_fail(VIRGA_INVALID, "argument 1: expected a whole number");
	return virga_return(virga_int(n * n));
}

static virga_answer visits(const virga_value *args, uint32_t count) {
	virga_answer counted = virga_update(virga_string("visits"), VIRGA_PNCOUNTER_KIND, virga_inc(1));
	if (counted.status != VIRGA_OK)
		return counted;
	return virga_get(virga_string("visits"));
}

VIRGA_GUEST({"csquare", csquare}, {"visits", visits})
