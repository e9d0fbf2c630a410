/* SPDX-License-Identifier: MIT */
/* test/unit/network_openings.c - links base and network, nothing else. */
#include "network/openings.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

#define SECOND	UINT64_C(1000000000)
#define START	(1000 * SECOND)

struct rig {
	struct openings o;
	struct env env;
	size_t memory;
	bool none;
};

static void *mem_alloc(void *ctx, size_t bytes)
{
	struct rig *r = ctx;
	void *p = r->none ? NULL : malloc(bytes);

	if (p) {
		memset(p, 0xa5, bytes);	/* it need not be zeroed */
		r->memory += bytes;
	}
	return p;
}

static void mem_free(void *ctx, void *p, size_t bytes)
{
	((struct rig *)ctx)->memory -= bytes;
	free(p);
}

static void random_bytes(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	memset(buf, 7, len);
}

static const struct env_ops ops = { .mem_alloc = mem_alloc,
				    .mem_free = mem_free,
				    .random = random_bytes };

static struct rig *start(void)
{
	struct rig *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->env = (struct env){ .ops = &ops, .ctx = r };
	return r;
}

static void end(struct rig *r, const char *name)
{
	openings_fini(&r->o, &r->env);
	CHECK(name, !r->memory && !r->o.used);
	free(r);
}

static void note(struct rig *r, const char *name, uint32_t v4, uint32_t ttl_s,
		 uint64_t now_ns)
{
	const struct ip ip = ip_from_v4(v4);

	openings_note(&r->o, &r->env, 0, name, &ip, ttl_s, now_ns);
}

/* The names of an address, with a blank behind each. */
static const char *names(const struct rig *r, uint32_t v4, uint64_t since_ns)
{
	static char text[OPENING_NAMES_MAX * OPENING_NAME_BYTES];
	const struct ip ip = ip_from_v4(v4);
	const char *name[OPENING_NAMES_MAX];
	const unsigned n = openings_names(&r->o, 0, &ip, since_ns, name);

	text[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		strcat(text, name[i]);
		strcat(text, " ");
	}
	return text;
}

/* ---- how long ---- */

static void check_time(void)
{
	struct rig *r = start();

	note(r, "a.test", 0xcb007101, 1, START);
	note(r, "b.test", 0xcb007101, 3600, START);
	note(r, "c.test", 0xcb007101, UINT32_MAX, START);
	CHECK("all", !strcmp(names(r, 0xcb007101, START),
			     "c.test b.test a.test "));
	CHECK("ten minutes", !strcmp(names(r, 0xcb007101,
					   START + 600 * SECOND - 1),
				     "c.test b.test a.test "));
	CHECK("no more", !strcmp(names(r, 0xcb007101, START + 600 * SECOND),
				 "c.test b.test "));
	CHECK("its TTL", !strcmp(names(r, 0xcb007101, START + 3600 * SECOND),
				 "c.test "));
	CHECK("a day", !strcmp(names(r, 0xcb007101, START + 86400 * SECOND),
			       ""));
	CHECK("to what began then", !strcmp(names(r, 0xcb007101, 0),
					    "c.test b.test a.test "));
	/* Given again it lasts anew, but not for less. */
	note(r, "b.test", 0xcb007101, 1, START + 10 * SECOND);
	CHECK("the longer", !strcmp(names(r, 0xcb007101,
					  START + 3599 * SECOND),
				    "b.test c.test "));
	note(r, "a.test", 0xcb007101, 1, START + 700 * SECOND);
	CHECK("anew", !strcmp(names(r, 0xcb007101, START + 1299 * SECOND),
			      "a.test b.test c.test "));
	CHECK("another address", !strcmp(names(r, 0xcb007102, START), ""));
	CHECK("as many", r->o.used == 3 && !r->o.lost);
	end(r, "time");
}

/* ---- limits ---- */

static void check_names_of_one(void)
{
	struct rig *r = start();
	const char *got;

	for (unsigned i = 0; i < OPENING_NAMES_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u.test", i);
		note(r, name, 0xcb007101, 60, START);
	}
	note(r, "other.test", 0xcb007102, 60, START);
	note(r, "n0.test", 0xcb007101, 60, START);
	CHECK("none lost", !r->o.lost);
	note(r, "more.test", 0xcb007101, 60, START);
	got = names(r, 0xcb007101, START);
	CHECK("the oldest goes", !strstr(got, "n1.test") &&
	      strstr(got, "n0.test") && strstr(got, "n2.test") &&
	      !strncmp(got, "more.test n0.test ", 18));
	CHECK("counted", r->o.lost == 1);
	CHECK("of that address", !strcmp(names(r, 0xcb007102, START),
					 "other.test "));
	/* What does not hold any more is no loss. */
	note(r, "late.test", 0xcb007101, 60, START + 600 * SECOND);
	CHECK("not counted", r->o.lost == 1);
	end(r, "names of one");
}

static void check_full(void)
{
	struct rig *r = start();

	for (uint32_t i = 0; i < OPENINGS_MAX; i++)
		note(r, "a.test", 0x08000000 + i, 60, START);
	note(r, "a.test", 0x08000000, 60, START);
	CHECK("all there", r->o.used == OPENINGS_MAX && !r->o.lost);
	note(r, "b.test", 0x09000000, 60, START);
	CHECK("one is lost", r->o.lost == 1);
	CHECK("the oldest", !strcmp(names(r, 0x08000001, START), "") &&
	      !strcmp(names(r, 0x08000000, START), "a.test ") &&
	      !strcmp(names(r, 0x08000002, START), "a.test ") &&
	      !strcmp(names(r, 0x09000000, START), "b.test "));
	for (uint32_t i = 0; i < 10 * OPENINGS_MAX; i++)
		note(r, "c.test", 0x0b000000 + i % (2 * OPENINGS_MAX), 60,
		     START);
	CHECK("no more memory", r->memory == OPENINGS_BYTES);
	CHECK("those before are gone", !strcmp(names(r, 0x09000000, START),
					       ""));
	CHECK("the last is there", !strcmp(names(r, 0x0b000000 +
				2 * OPENINGS_MAX - 1, START), "c.test "));
	end(r, "full");
}

static void check_refused(void)
{
	char longest[OPENING_NAME_BYTES + 1];
	struct rig *r = start();

	memset(longest, 'a', sizeof(longest));
	longest[OPENING_NAME_BYTES] = '\0';
	note(r, longest, 0xcb007101, 60, START);
	CHECK("too long", !strcmp(names(r, 0xcb007101, START), "") &&
	      r->o.lost == 1);
	longest[OPENING_NAME_BYTES - 1] = '\0';
	note(r, longest, 0xcb007101, 60, START);
	CHECK("long", !strncmp(names(r, 0xcb007101, START), longest,
			       OPENING_NAME_BYTES - 1));
	end(r, "refused");

	r = start();
	r->none = true;
	note(r, "a.test", 0xcb007101, 60, START);
	CHECK("no memory", !strcmp(names(r, 0xcb007101, START), "") &&
	      r->o.lost == 1);
	end(r, "no memory");
}

/* One guest's own make room for it, however many it asks for. */
static void check_shares(void)
{
	struct rig *r = start();
	const char *has[OPENING_NAMES_MAX];
	char name[16];
	struct ip ip;

	for (uint32_t i = 0; i < 3 * OPENINGS_MAX; i++) {
		const unsigned guest = i % 100 == 0 && i < 1000 ? 2 : 1;

		snprintf(name, sizeof(name), "n%u.test", i);
		ip = ip_from_v4(0x0a000000 + i);
		openings_note(&r->o, &r->env, guest, name, &ip, 60, START);
	}
	for (uint32_t i = 0; i < 1000; i += 100) {
		ip = ip_from_v4(0x0a000000 + i);
		CHECK("the other's", openings_names(&r->o, 2, &ip, START,
						    has) == 1);
	}
	ip = ip_from_v4(0x0a000000 + 3 * OPENINGS_MAX - 1);
	CHECK("the newest", openings_names(&r->o, 1, &ip, START, has) == 1);
	CHECK("so many of each", r->o.of[1] == OPENINGS_MAX - 10 &&
				 r->o.of[2] == 10);
	openings_forget(&r->o, 1);
	for (uint32_t i = 0; i < OPENINGS_MAX - 10; i++) {
		ip = ip_from_v4(0x0b000000 + i);
		openings_note(&r->o, &r->env, 2, "a.test", &ip, 60, START);
	}
	CHECK("who has gone has nothing", !r->o.of[1] &&
	      r->o.of[2] >= OPENINGS_MAX - 20);
	end(r, "shares");
}

void test_network_openings(void);
void test_network_openings(void)
{
	check_time();
	check_names_of_one();
	check_full();
	check_refused();
	check_shares();
}
