/* A tour of the library for guests in C: each function uses another part of it.
 * examples/astour is the same in AssemblyScript.
 *
 *	clang --target=wasm32 -mbulk-memory -O2 -nostdlib -Wl,--no-entry -I sdk/c -o tour.wasm examples/ctour/tour.c
 *	virga fn deploy visit tour.wasm
 *	virga call visit '"ada"'
 */
#include "virga.h"

static virga_bytes text(const char *s) { return virga_string(s); }

/* Stops at the first of several writes that fails. */
static virga_answer first_error(const virga_answer *all, uint32_t count) {
	for (uint32_t i = 0; i < count; i++)
		if (all[i].status != VIRGA_OK)
			return all[i];
	return virga_return(virga_none());
}

/* visit(name): counts the visits of all, remembers who came, and who came last. */
static virga_answer visit(const virga_value *args, uint32_t count) {
	virga_bytes name;
	int64_t visits;
	if (count != 1 || !virga_as_text(args[0], &name))
		return virga_fail(VIRGA_INVALID, "expected a name");
	virga_answer written[] = {
		virga_update(text("visits"), VIRGA_PNCOUNTER_KIND, virga_inc(1)),
		virga_update(text("visitors"), VIRGA_OR_SET_KIND, virga_add(args[0])),
	};
	virga_answer failed = first_error(written, 2);
	if (failed.status != VIRGA_OK)
		return failed;
	virga_answer counted = virga_get(text("visits"));
	if (counted.status != VIRGA_OK || !virga_as_int(virga_value_of(counted), &visits))
		return counted;
	virga_writer w = virga_begin();
	virga_write_map(&w, 2);
	virga_write_text(&w, text("name"));
	virga_write_text(&w, name);
	virga_write_text(&w, text("visits"));
	virga_write_int(&w, visits);
	virga_answer put = virga_put(text("last"), virga_written(&w));
	return put.status == VIRGA_OK ? counted : put;
}

/* forget(key) deletes it. */
static virga_answer forget(const virga_value *args, uint32_t count) {
	virga_bytes key;
	if (count != 1 || !virga_as_text(args[0], &key))
		return virga_fail(VIRGA_INVALID, "expected a key");
	return virga_delete(key);
}

/* get(key) gives what a key of any kind holds. */
static virga_answer get(const virga_value *args, uint32_t count) {
	virga_bytes key;
	if (count != 1 || !virga_as_text(args[0], &key))
		return virga_fail(VIRGA_INVALID, "expected a key");
	return virga_get(key);
}

/* kinds() makes a key of each kind of lattice, with each of its operations. */
static virga_answer kinds(const virga_value *args, uint32_t count) {
	virga_value some[] = {virga_text("b"), virga_int(2), virga_text("a"), virga_int(2), virga_float(1.5)};
	virga_tally seen[] = {{text("w"), 3}};
	virga_dependency made_from[] = {{virga_key("default", text("k/causal")), seen, 1}};
	virga_answer written[] = {
		virga_update(text("k/bool"), VIRGA_BOOL_KIND, virga_enable()),
		virga_update(text("k/flag"), VIRGA_FLAG_KIND, virga_enable()),
		virga_update(text("k/flag"), VIRGA_FLAG_KIND, virga_disable()),
		virga_update(text("k/max"), VIRGA_MAX_KIND, virga_offer_int(7)),
		virga_update(text("k/max"), VIRGA_MAX_KIND, virga_offer_int(-3)),
		virga_update(text("k/min"), VIRGA_MIN_KIND, virga_offer_float(-1.25)),
		virga_update(text("k/latest"), VIRGA_MAX_KIND, virga_offer_text(text("z"))),
		virga_update(text("k/set"), VIRGA_SET_KIND, virga_add_all(some, 5)),
		virga_update(text("k/ordered-set"), VIRGA_ORDERED_SET_KIND, virga_add(virga_int(-1000000))),
		virga_update(text("k/or-set"), VIRGA_OR_SET_KIND, virga_add_all(some, 5)),
		virga_update(text("k/or-set"), VIRGA_OR_SET_KIND, virga_remove(virga_float(1.5))),
		virga_update(text("k/gcounter"), VIRGA_GCOUNTER_KIND, virga_inc(5)),
		virga_update(text("k/pncounter"), VIRGA_PNCOUNTER_KIND, virga_inc(-300)),
		virga_update(text("k/lww"), VIRGA_LWW_KIND, virga_set(virga_array(some, 5))),
		virga_update(text("k/priority"), VIRGA_PRIORITY_KIND, virga_set_priority(1, virga_text("first"))),
		virga_update(text("k/priority"), VIRGA_PRIORITY_KIND, virga_set_priority(2, virga_text("second"))),
		virga_update(text("k/causal"), VIRGA_CAUSAL_KIND, virga_set(virga_text("c"))),
		virga_update(text("k/multi-causal"), VIRGA_MULTI_CAUSAL_KIND, virga_set_after(virga_text("m"), made_from, 1)),
		virga_update(text("k/mv-register"), VIRGA_MV_REGISTER_KIND, virga_set(virga_bool(1))),
		virga_update(text("k/map"), VIRGA_MAP_KIND, virga_field(text("n"), VIRGA_GCOUNTER_KIND, virga_inc(2))),
		virga_update(text("k/or-map"), VIRGA_OR_MAP_KIND, virga_field(text("a"), VIRGA_LWW_KIND, virga_set(virga_text("v")))),
		virga_update(text("k/or-map"), VIRGA_OR_MAP_KIND, virga_field(text("b"), VIRGA_FLAG_KIND, virga_enable())),
		virga_update(text("k/or-map"), VIRGA_OR_MAP_KIND, virga_drop(text("b"))),
		virga_update(text("k/clock"), VIRGA_CLOCK_KIND, virga_tick()),
		virga_update(text("k/clock"), VIRGA_CLOCK_KIND, virga_observe(seen, 1)),
	};
	return first_error(written, sizeof written / sizeof *written);
}

/* relay(function, arguments...) calls another function. */
static virga_answer relay(const virga_value *args, uint32_t count) {
	virga_bytes function;
	if (count < 1 || !virga_as_text(args[0], &function))
		return virga_fail(VIRGA_INVALID, "expected a function and its arguments");
	return virga_call(function, args + 1, count - 1);
}

/* compose(dag, stage, argument) calls a DAG with an argument of one of its stages. */
static virga_answer compose(const virga_value *args, uint32_t count) {
	virga_bytes dag;
	virga_stage_argument argument;
	if (count != 3 || !virga_as_text(args[0], &dag) || !virga_as_text(args[1], &argument.stage))
		return virga_fail(VIRGA_INVALID, "expected a dag, a stage and its argument");
	argument.value = args[2];
	return virga_call_dag(dag, &argument, 1);
}

/* composeLater(dag, stage, argument) starts a run of a DAG, and waits for it. */
static virga_answer compose_later(const virga_value *args, uint32_t count) {
	virga_bytes dag;
	virga_stage_argument argument;
	uint8_t state;
	if (count != 3 || !virga_as_text(args[0], &dag) || !virga_as_text(args[1], &argument.stage))
		return virga_fail(VIRGA_INVALID, "expected a dag, a stage and its argument");
	argument.value = args[2];
	virga_answer started = virga_start_dag(dag, &argument, 1);
	return started.status == VIRGA_OK ? virga_await(started.payload, 1, &state) : started;
}

/* later(function, arguments...) starts a run, and waits for it. */
static virga_answer later(const virga_value *args, uint32_t count) {
	virga_bytes function;
	uint8_t state;
	if (count < 1 || !virga_as_text(args[0], &function))
		return virga_fail(VIRGA_INVALID, "expected a function and its arguments");
	virga_answer started = virga_start(function, args + 1, count - 1);
	if (started.status != VIRGA_OK)
		return started;
	virga_answer standing = virga_await(started.payload, 0, &state);
	if (standing.status == VIRGA_OK && state != VIRGA_RUNNING)
		return standing;
	return virga_await(started.payload, 1, &state);
}

/* greet(value) sends itself a message, and receives it. */
static virga_answer greet(const virga_value *args, uint32_t count) {
	virga_bytes self = virga_id();
	virga_message message;
	if (count != 1)
		return virga_fail(VIRGA_INVALID, "expected a value");
	virga_answer sent = virga_send(self, args[0]);
	if (sent.status != VIRGA_OK)
		return sent;
	virga_answer received = virga_receive(10ll * 1000 * 1000 * 1000);
	if (received.status != VIRGA_OK)
		return received;
	if (!virga_next(&received, &message) || !virga_equal(message.from, self))
		return virga_fail(VIRGA_USER_ERROR, "the message did not arrive");
	return virga_return(message.body);
}

/* where() tells of this invocation: [id, run, namespace, whether it has a deadline]. */
static virga_answer where(const virga_value *args, uint32_t count) {
	virga_value about[] = {
		virga_text_of(virga_id()), virga_text_of(virga_run_id()), virga_text_of(virga_namespace()), virga_bool(virga_deadline() > 0),
	};
	virga_log(VIRGA_INFO, text("asked where it is"));
	return virga_return(virga_array(about, 4));
}

/* copy(key) gives what a key holds, reading and writing a little at a time. */
static virga_answer copy(const virga_value *args, uint32_t count) {
	virga_bytes key;
	virga_piece piece;
	if (count != 1 || !virga_as_text(args[0], &key))
		return virga_fail(VIRGA_INVALID, "expected a key");
	virga_answer a = virga_part(key, 0, 0, &piece);
	for (uint64_t at = 0; a.status == VIRGA_OK && at < piece.size; at += piece.data.size) {
		virga_mark here = virga_here();
		a = virga_part(key, at, 100000, &piece);
		if (a.status == VIRGA_OK)
			a = virga_emit(piece.format, piece.data);
		if (a.status == VIRGA_OK)
			virga_release(here);
	}
	return a.status == VIRGA_OK ? virga_return(virga_none()) : a;
}

/* mean(numbers) is their mean; [] has none. */
static virga_answer mean(const virga_value *args, uint32_t count) {
	uint32_t numbers, left;
	double sum = 0, number;
	virga_reader r = virga_open(count == 1 ? args[0] : virga_none());
	if (!virga_read_array(&r, &numbers))
		return virga_fail(VIRGA_INVALID, "expected an array of numbers");
	for (left = numbers; left > 0; left--, sum += number)
		if (!virga_read_float(&r, &number))
			return virga_fail(VIRGA_INVALID, "expected an array of numbers");
	return virga_return(numbers == 0 ? virga_none() : virga_float(sum / numbers));
}

VIRGA_GUEST({"visit", visit}, {"forget", forget}, {"get", get}, {"kinds", kinds}, {"relay", relay},
            {"compose", compose}, {"composeLater", compose_later},
            {"later", later}, {"greet", greet}, {"where", where}, {"copy", copy}, {"mean", mean})
