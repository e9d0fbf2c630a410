/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_published.c - whom other machines are led to. */
#include "keeper/published.h"

#include <string.h>

#include "test.h"

/* A listener as the guest bound it ("::6" for IPv6 only), and each half. */
static const struct {
	const char *bound, *half[2];
} cases[] = {
	{ "0.0.0.0", { "172.20.0.2", NULL } },
	{ "::", { "172.20.0.2", "fd00::2" } },
	{ "::6", { NULL, "fd00::2" } },
	{ "172.20.0.9", { "172.20.0.9", NULL } },
	{ "fd00::9", { NULL, "fd00::9" } },
	{ "127.0.0.1", { NULL, NULL } },
	{ "127.0.0.53", { NULL, NULL } },
	{ "::1", { NULL, NULL } },
	{ "fe80::1", { NULL, NULL } },
};

void test_keeper_published(void);
void test_keeper_published(void)
{
	struct ip guest[2], ip;
	char text[IP_TEXT_BYTES];

	CHECK("IPv4", ip_parse("172.20.0.2", &guest[0]));
	CHECK("IPv6", ip_parse("fd00::2", &guest[1]));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *bound = cases[i].bound;
		struct guest_listener l = { .v6only = !strcmp(bound, "::6") };

		CHECK(bound, ip_parse(l.v6only ? "::" : bound, &l.ip));
		for (unsigned half = 0; half < 2; half++) {
			const char *want = cases[i].half[half];

			CHECK(bound, published_target(&l, half, guest, &ip) ==
				     !!want);
			if (want)
				CHECK(bound, !strcmp(ip_format(&ip, text),
						     want));
		}
	}
	guest[1] = (struct ip){ 0 };
	CHECK("no IPv6", !published_target(&(struct guest_listener){ 0 }, 1,
					   guest, &ip));
}
