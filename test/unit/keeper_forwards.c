/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_forwards.c - where a port of localhost leads. */
#include "keeper/forwards.h"

#include <string.h>

#include "test.h"

/* Listeners as the guest bound them; "6" after :: for IPv6 only. */
static const struct {
	const char *bound[3];
	const char *half[2];	/* 127.0.0.1, ::1 */
} cases[] = {
	{ { NULL }, { NULL, NULL } },
	{ { "127.0.0.1" }, { "127.0.0.1", "127.0.0.1" } },
	{ { "0.0.0.0" }, { "127.0.0.1", "127.0.0.1" } },
	{ { "::1" }, { "::1", "::1" } },
	{ { "::" }, { "127.0.0.1", "::1" } },
	{ { "::6" }, { "::1", "::1" } },
	{ { "127.0.0.1", "::1" }, { "127.0.0.1", "::1" } },
	{ { "::1", "127.0.0.1" }, { "127.0.0.1", "::1" } },
	{ { "0.0.0.0", "::6" }, { "127.0.0.1", "::1" } },
	{ { "172.20.0.2" }, { "172.20.0.2", "172.20.0.2" } },
	{ { "172.20.0.2", "127.0.0.1" }, { "127.0.0.1", "127.0.0.1" } },
	{ { "172.20.0.2", "::1" }, { "172.20.0.2", "::1" } },
	{ { "fd00::2" }, { "fd00::2", "fd00::2" } },
	{ { "fd00::2", "127.0.0.1" }, { "127.0.0.1", "fd00::2" } },
	{ { "127.0.0.53" }, { "127.0.0.53", "127.0.0.53" } },
	{ { "::", "172.20.0.2" }, { "127.0.0.1", "::1" } },
};

static struct guest_listener listener(const char *text)
{
	struct guest_listener l = { .v6only = !strcmp(text, "::6") };

	CHECK(text, ip_parse(l.v6only ? "::" : text, &l.ip));
	return l;
}

void test_keeper_forwards(void);
void test_keeper_forwards(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guest_listener l[3];
		char text[IP_TEXT_BYTES];
		size_t n = 0;

		for (; n < 3 && cases[i].bound[n]; n++)
			l[n] = listener(cases[i].bound[n]);
		for (unsigned half = 0; half < 2; half++) {
			const char *want = cases[i].half[half];
			struct ip ip = { 0 };

			CHECK(want ? want : "nothing",
			      forwards_target(l, n, half, &ip) == !!want);
			if (want)
				CHECK(want, !strcmp(ip_format(&ip, text),
						    want));
		}
	}
}
