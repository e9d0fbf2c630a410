/* SPDX-License-Identifier: MIT */
/* test/unit/wire_agent.c - links base and wire, nothing else. */
#include "wire/agent.h"

#include "exact.h"
#include "test.h"

/* Kind and flags; then port 80, id 7, value 9, ::1, and a token. */
#define BODY(kind, flags)						\
	kind flags "\0\x50" "\0\0\0\x07" "\0\0\0\x09"			\
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01" "0123456789abcdef"
#define BYTES(s) .bytes = (s), .len = sizeof(s) - 1

static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	enum drop want;
	size_t text, more;		/* their bytes, if want is OK */
} cases[] = {
	{ "no text", BYTES("\0\x2e" BODY("\x01", "\0") "\0\0") },
	{ "the last kind", BYTES("\0\x2e" BODY("\x11", "\0") "\0\0") },
	{ "all flags", BYTES("\0\x2e" BODY("\x03", "\x1f") "\0\0") },
	{ "text", BYTES("\0\x31" BODY("\x01", "\0") "\0\x03" "abc"),
	  .text = 3 },
	{ "more", BYTES("\0\x33" BODY("\x01", "\0") "\0\x03" "abcde"),
	  .text = 3, .more = 2 },

	{ "nothing", BYTES(""), DROP_SHORT },
	{ "half a length", BYTES("\0"), DROP_SHORT },
	{ "length 0", BYTES("\0\0"), DROP_SHORT },
	{ "no length of text", BYTES("\0\x2c" BODY("\x01", "\0")),
	  DROP_SHORT },
	{ "text cut", BYTES("\0\x30" BODY("\x01", "\0") "\0\x03" "ab"),
	  DROP_SHORT },
	{ "longest text", BYTES("\0\x2e" BODY("\x01", "\0") "\xff\xff"),
	  DROP_SHORT },
	{ "one too few", BYTES("\0\x2f" BODY("\x01", "\0") "\0\0"),
	  DROP_LENGTH },
	{ "one too many", BYTES("\0\x2d" BODY("\x01", "\0") "\0\0"),
	  DROP_LENGTH },
	{ "kind 0", BYTES("\0\x2e" BODY("\0", "\0") "\0\0"), DROP_VALUE },
	{ "kind 18", BYTES("\0\x2e" BODY("\x12", "\0") "\0\0"),
	  DROP_VALUE },
	{ "flag 32", BYTES("\0\x2e" BODY("\x01", "\x20") "\0\0"),
	  DROP_VALUE },
};

static void check_message(const char *name, const struct agent_message *m,
			  const uint8_t *copy, size_t i)
{
	uint8_t buf[128];
	struct wr w = wr(buf, sizeof(buf));

	CHECK(name, m->id == 7 && m->value == 9 && m->at.port == 80);
	CHECK(name, ip_is_loopback(&m->at.ip));
	CHECK(name, !memcmp(m->token, "0123456789abcdef", 16));
	CHECK(name, m->text.len == cases[i].text);
	CHECK(name, m->more.len == cases[i].more);
	CHECK(name, m->text.p == copy + AGENT_HEAD_BYTES);
	agent_emit(&w, m);
	CHECK(name, !w.bad && sizeof(buf) - w.left == cases[i].len);
	CHECK(name, !memcmp(buf, copy, cases[i].len));
}

static void check_case(size_t i)
{
	const char *name = cases[i].name;
	uint8_t *copy = exact(cases[i].bytes, cases[i].len);
	struct agent_message m = { .id = 77 };
	const struct view whole = { .p = copy, .len = cases[i].len };

	CHECK(name, agent_parse(whole, &m) == cases[i].want);
	if (cases[i].want == DROP_OK) {
		CHECK(name, agent_bytes(copy, cases[i].len) == cases[i].len);
		check_message(name, &m, copy, i);
	} else {
		CHECK(name, m.id == 77);	/* output untouched */
	}
	free(copy);
}

static void check_too_long(void)
{
	static uint8_t buf[2 * AGENT_RUN_BYTES], text[AGENT_RUN_BYTES];
	struct agent_message m = { .kind = AGENT_DATA };
	struct wr w = wr(buf, sizeof(buf));

	m.text = (struct view){ .p = text, .len = 65535 - 46 };
	agent_emit(&w, &m);
	CHECK("the longest", !w.bad &&
	      sizeof(buf) - w.left == AGENT_RUN_BYTES);
	w = wr(buf, sizeof(buf));
	m.text.len++;
	agent_emit(&w, &m);
	CHECK("one more", w.bad);
}

void test_wire_agent(void);
void test_wire_agent(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
	CHECK("no length", agent_bytes((const uint8_t *)"\x01", 1) == 0);
	check_too_long();
}
