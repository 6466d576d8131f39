/* Virga functions in C: a library of headers alone, without a libc. One file
 * of a module includes it and ends with the list of its functions:
 *
 *	#include <virga.h>
 *
 *	static virga_answer square(const virga_value *args, uint32_t count) {
 *		int64_t n;
 *		if (count != 1 || !virga_as_int(args[0], &n))
 *			return virga_fail(VIRGA_INVALID, "expected a whole number");
 *		return virga_return(virga_int(n * n));
 *	}
 *
 *	VIRGA_GUEST({"square", square})
 *
 *	clang --target=wasm32 -mbulk-memory -O2 -nostdlib -Wl,--no-entry -I sdk/c -o square.wasm square.c
 *	virga fn deploy square square.wasm
 *
 * What a function gets and makes is there until it returns: to keep
 * something, put it under a key. What cannot be done is an answer whose status
 * is not VIRGA_OK; a function may return it as it is, and its caller sees it. */
#ifndef VIRGA_H
#define VIRGA_H

#include "operation.h"

/* What the library and functions answer with: VIRGA_OK and a payload, or the
 * kind of an error and its message. */
typedef struct {
	uint8_t status;
	virga_bytes payload;
} virga_answer;

typedef virga_answer (*virga_function)(const virga_value *args, uint32_t count);

static inline virga_value virga_value_in(virga_bytes b) {
	return b.size == 0 ? virga_none() : (virga_value){b.at[0], {b.at + 1, b.size - 1}};
}

/* The value that an answer with status VIRGA_OK carries. */
static inline virga_value virga_value_of(virga_answer a) { return virga_value_in(a.payload); }

static inline virga_answer virga_return(virga_value v) {
	if (v.format == 0)
		return (virga_answer){VIRGA_OK, {0, 0}};
	return (virga_answer){VIRGA_OK, virga_stored(v)};
}
static inline virga_answer virga_fail(uint8_t kind, const char *why) { return (virga_answer){kind, virga_string(why)}; }

/* --- the host, asked --- */

typedef uint32_t (*virga_import)(const void *, uint32_t, const void *, uint32_t, void *, uint32_t);

static inline virga_answer virga_ask(virga_import import, virga_bytes a, virga_bytes b) {
	virga_room(0, 4096);
	uint32_t cap = (uint32_t)(virga_arena.end - virga_arena.at);
	uint32_t size = import(a.at, a.size, b.at, b.size, virga_arena.at, cap);
	if (size > cap) {
		virga_room(0, size);
		virga_host_take(virga_arena.at, size);
	}
	uint8_t *answer = virga_arena.at;
	virga_arena.at += size;
	return (virga_answer){answer[0], {answer + 1, size - 1}};
}

static inline virga_bytes virga_nothing(void) { return (virga_bytes){0, 0}; }

/* --- state. A key is a name in the function's namespace, or virga_key's. --- */

static inline virga_bytes virga_key(const char *namespace, virga_bytes name) {
	virga_bytes in = virga_string(namespace);
	virga_writer w = virga_begin();
	virga_write(&w, in.at, in.size + 1);
	virga_write(&w, name.at, name.size);
	return virga_end(&w);
}

/* What a key of any kind holds, as a value: a register's payload, a counter's
 * number, an array of a set's elements, ... VIRGA_NOT_FOUND if there is no such key. */
static inline virga_answer virga_get(virga_bytes key) { return virga_ask(virga_host_get, key, virga_nothing()); }

/* The whole state of a key, as package lattice encodes it: the payload is no value. */
static inline virga_answer virga_read(virga_bytes key) { return virga_ask(virga_host_read, key, virga_nothing()); }

/* Sets a last-writer-wins register. */
static inline virga_answer virga_put(virga_bytes key, virga_value v) { return virga_ask(virga_host_put, key, virga_stored(v)); }

/* Applies an operation to a key, which is made with that kind if it is missing. */
static inline virga_answer virga_update(virga_bytes key, uint8_t kind, virga_operation op) {
	virga_writer w = virga_begin();
	virga_write_byte(&w, kind);
	virga_write(&w, op.encoded.at, op.encoded.size);
	return virga_ask(virga_host_update, key, virga_end(&w));
}
static inline virga_answer virga_delete(virga_bytes key) { return virga_ask(virga_host_delete, key, virga_nothing()); }

/* A piece of a large value. */
typedef struct {
	uint64_t size; /* of the whole value, in bytes */
	uint8_t format;
	virga_bytes data;
} virga_piece;

/* Reads at most most bytes, and at most 1 MiB, of what a key holds: *piece. A
 * most of 0 opens the key; the pieces that follow are of its value of that
 * moment, until another key is opened. virga_release frees what was read. */
static inline virga_answer virga_part(virga_bytes key, uint64_t offset, uint32_t most, virga_piece *piece) {
	uint8_t place[12];
	for (int i = 0; i < 8; i++)
		place[i] = (uint8_t)(offset >> 8 * i);
	for (int i = 0; i < 4; i++)
		place[8 + i] = (uint8_t)(most >> 8 * i);
	virga_answer a = virga_ask(virga_host_part, key, (virga_bytes){place, 12});
	*piece = (virga_piece){0, 0, {0, 0}};
	if (a.status != VIRGA_OK || a.payload.size < 9)
		return a;
	for (int i = 0; i < 8; i++)
		piece->size |= (uint64_t)a.payload.at[i] << 8 * i;
	piece->format = a.payload.at[8];
	piece->data = (virga_bytes){a.payload.at + 9, a.payload.size - 9};
	return a;
}

/* Appends a piece to the result, which has at most 48 MiB. A function that
 * emits returns virga_none. */
static inline virga_answer virga_emit(uint8_t format, virga_bytes piece) {
	return virga_ask(virga_host_emit, piece, (virga_bytes){&format, 1});
}

/* --- functions --- */

static inline void virga_write_length(virga_writer *w, uint32_t n) {
	uint8_t b[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
	virga_write(w, b, 4);
}
static inline void virga_write_arguments(virga_writer *w, const virga_value *args, uint32_t count) {
	for (uint32_t i = 0; i < count; i++) {
		virga_write_length(w, args[i].format == 0 ? 0 : 1 + args[i].data.size);
		if (args[i].format != 0) {
			virga_write_byte(w, args[i].format);
			virga_write(w, args[i].data.at, args[i].data.size);
		}
	}
}
static inline virga_bytes virga_arguments(const virga_value *args, uint32_t count) {
	virga_writer w = virga_begin();
	virga_write_arguments(&w, args, count);
	return virga_end(&w);
}

/* Runs a function, named as name, name@version or namespace/name, and waits for its result. */
static inline virga_answer virga_call(virga_bytes function, const virga_value *args, uint32_t count) {
	return virga_ask(virga_host_call, function, virga_arguments(args, count));
}

/* Starts a run that goes on by itself. The payload is its id, text. */
static inline virga_answer virga_start(virga_bytes function, const virga_value *args, uint32_t count) {
	return virga_ask(virga_host_start, function, virga_arguments(args, count));
}

/* An argument of a stage of a DAG. Those of one stage come in their order. */
typedef struct {
	virga_bytes stage;
	virga_value value;
} virga_stage_argument;

static inline virga_bytes virga_stage_arguments(const virga_stage_argument *args, uint32_t count) {
	virga_writer w = virga_begin();
	for (uint32_t i = 0; i < count; i++) {
		virga_value pair[] = {virga_text_of(args[i].stage), args[i].value};
		virga_write_arguments(&w, pair, 2);
	}
	return virga_end(&w);
}

/* Runs a DAG, named as name or namespace/name, and waits for the result of its sole sink, or of all as a map by stage. */
static inline virga_answer virga_call_dag(virga_bytes dag, const virga_stage_argument *args, uint32_t count) {
	return virga_ask(virga_host_call_dag, dag, virga_stage_arguments(args, count));
}

/* Starts a run of a DAG that goes on by itself. The payload is its id, text. */
static inline virga_answer virga_start_dag(virga_bytes dag, const virga_stage_argument *args, uint32_t count) {
	return virga_ask(virga_host_start_dag, dag, virga_stage_arguments(args, count));
}

enum { VIRGA_RUNNING = 1, VIRGA_SUCCEEDED = 2 };

/* Waits until a run is over, or, with wait 0, tells how it stands: *state, and
 * the result as the value of the answer. The error of a run that failed is the answer. */
static inline virga_answer virga_await(virga_bytes run, int wait, uint8_t *state) {
	virga_answer a = virga_ask(virga_host_await, run, wait ? virga_string("end") : virga_nothing());
	if (a.status == VIRGA_OK && a.payload.size > 0) {
		*state = a.payload.at[0];
		a.payload.at++;
		a.payload.size--;
	}
	return a;
}

/* --- this invocation --- */

/* The address of this invocation, text: node/run/stage/attempt. */
static inline virga_bytes virga_id(void) { return virga_ask(virga_host_id, virga_nothing(), virga_nothing()).payload; }

/* The id of the run that it belongs to, text. */
static inline virga_bytes virga_run_id(void) {
	virga_bytes id = virga_id(), run = {id.at, 0};
	while (run.at < id.at + id.size && *run.at++ != '/')
		;
	while (run.at + run.size < id.at + id.size && run.at[run.size] != '/')
		run.size++;
	return run;
}
static inline virga_bytes virga_namespace(void) { return virga_ask(virga_host_namespace, virga_nothing(), virga_nothing()).payload; }

/* When this call will be ended, in nanoseconds since 1970; 0: never. */
static inline int64_t virga_deadline(void) { return virga_host_deadline(); }

enum { VIRGA_DEBUG = -4, VIRGA_INFO = 0, VIRGA_WARNING = 4, VIRGA_ERROR = 8 };

static inline void virga_log(int32_t level, virga_bytes text) { virga_host_log(level, text.at, text.size); }

/* --- messages --- */

static inline virga_answer virga_send(virga_bytes invocation, virga_value v) {
	return virga_ask(virga_host_send, invocation, v.format == 0 ? virga_nothing() : virga_stored(v));
}

typedef struct {
	virga_bytes from; /* an invocation */
	virga_value body;
} virga_message;

/* What others sent. With nothing there it waits up to so many nanoseconds for
 * a first message; read them one by one with virga_next. */
static inline virga_answer virga_receive(int64_t nanoseconds) {
	uint64_t wait = nanoseconds < 0 ? 0 : (uint64_t)nanoseconds;
	uint8_t b[8];
	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t)(wait >> 8 * i);
	return virga_ask(virga_host_recv, (virga_bytes){b, 8}, virga_nothing());
}

/* Takes the first item of a list. */
static inline int virga_item(virga_bytes *list, virga_bytes *item) {
	if (list->size < 4)
		return 0;
	const uint8_t *b = list->at;
	uint32_t size = b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24;
	if (size > list->size - 4)
		return 0;
	*item = (virga_bytes){b + 4, size};
	*list = (virga_bytes){b + 4 + size, list->size - 4 - size};
	return 1;
}
static inline int virga_next(virga_answer *received, virga_message *m) {
	virga_bytes body;
	if (!virga_item(&received->payload, &m->from) || !virga_item(&received->payload, &body))
		return 0;
	m->body = virga_value_in(body);
	return 1;
}

/* --- the module --- */

typedef struct {
	const char *name;
	virga_function run;
} virga_entry;

static uint8_t *virga_buffer; /* for arguments, and how much fits */
static uint32_t virga_buffer_size;

static inline void *virga_buffer_for(uint32_t size) {
	if (size > virga_buffer_size) {
		uint32_t more = size < 1u << 31 && size < 2 * virga_buffer_size ? 2 * virga_buffer_size : size;
		virga_buffer = virga_pages(more);
		virga_buffer_size = more;
	}
	return virga_buffer;
}

static inline uint64_t virga_names(const virga_entry *entries, uint32_t count) {
	virga_writer w = virga_begin();
	for (uint32_t i = 0; i < count; i++) {
		virga_bytes name = virga_string(entries[i].name);
		virga_write(&w, name.at, name.size);
		virga_write_byte(&w, '\n');
	}
	virga_bytes names = virga_end(&w);
	return virga_span(names.at, names.size);
}

static inline virga_answer virga_run(virga_function run, virga_bytes list) {
	uint32_t count = 0;
	virga_bytes item;
	for (virga_bytes rest = list; virga_item(&rest, &item);)
		count++;
	virga_value *args = virga_new(count * sizeof *args);
	for (uint32_t i = 0; virga_item(&list, &item); i++)
		args[i] = virga_value_in(item);
	return run(args, count);
}

static inline uint64_t virga_dispatch(const virga_entry *entries, uint32_t known, uint32_t index, virga_bytes list) {
	virga_arena.at = virga_arena.start;
	virga_answer a = index < known ? virga_run(entries[index].run, list) : virga_fail(VIRGA_NOT_FOUND, "no such function");
	virga_writer w = virga_begin();
	virga_write_byte(&w, a.status);
	virga_write(&w, a.payload.at, a.payload.size);
	virga_bytes answer = virga_end(&w);
	return virga_span(answer.at, answer.size);
}

/* Exports functions, each as {"name", function}. Once in a module. */
#define VIRGA_GUEST(...)                                                                                       \
	static const virga_entry virga_entries[] = {__VA_ARGS__};                                                  \
	enum { virga_entry_count = sizeof virga_entries / sizeof *virga_entries };                                 \
	VIRGA_EXPORT(virga_abi) uint32_t virga_export_abi(void) { return VIRGA_ABI; }                              \
	VIRGA_EXPORT(virga_formats) uint32_t virga_export_formats(void) {                                          \
		return 1u << VIRGA_RAW | 1u << VIRGA_TEXT | 1u << VIRGA_CBOR;                                          \
	}                                                                                                          \
	VIRGA_EXPORT(virga_functions) uint64_t virga_export_functions(void) {                                      \
		return virga_names(virga_entries, virga_entry_count);                                                  \
	}                                                                                                          \
	VIRGA_EXPORT(virga_alloc) void *virga_export_alloc(uint32_t size) { return virga_buffer_for(size); }       \
	VIRGA_EXPORT(virga_call) uint64_t virga_export_call(uint32_t index, const uint8_t *args, uint32_t size) {  \
		return virga_dispatch(virga_entries, virga_entry_count, index, (virga_bytes){args, size});             \
	}

#endif
