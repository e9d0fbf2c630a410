/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_conflict.c - which binds of the guest are looked at. */
#include "keeper/conflict.h"

#include <stddef.h>

#include "config/value.h"
#include "test.h"

static const struct {
	const char *name;
	const char *localhost, *ignored;	/* NULL: not set */
	uint16_t port;
	bool udp, want;
} cases[] = {
	{ "auto", "auto", NULL, 8000, false, true },
	{ "auto, UDP", "auto", NULL, 8000, true, true },
	{ "no port", "auto", NULL, 0, false, false },
	{ "no port, UDP", "auto", NULL, 0, true, false },
	{ "lowest", "auto", NULL, 1, false, true },
	{ "highest", "auto", NULL, 65535, false, true },
	{ "highest, UDP", "auto", NULL, 65535, true, true },
	{ "off", "off", NULL, 8000, false, false },
	{ "off, UDP", "off", NULL, 8000, true, false },
	{ "listed", "80,8000-8010", NULL, 8010, false, true },
	{ "listed, UDP", "80,8000-8010", NULL, 80, true, true },
	{ "not listed", "80,8000-8010", NULL, 8011, false, false },
	{ "ignored", "auto", "8000", 8000, false, false },
	{ "not ignored", "auto", "8000", 8001, false, true },
	{ "listed and ignored", "8000", "8000", 8000, false, true },
	{ "picked by the kernel, TCP", "auto", NULL, 40000, false, true },
	{ "picked by the kernel, UDP", "auto", NULL, 40000, true, false },
	{ "just below", "auto", NULL, 32767, true, true },
	{ "the first of these", "auto", NULL, 32768, true, false },
	{ "the last of these", "auto", NULL, 60999, true, false },
	{ "just above", "auto", NULL, 61000, true, true },
	{ "mDNS", "auto", NULL, 5353, true, false },
	{ "its port, TCP", "auto", NULL, 5353, false, true },
	{ "picked but listed", "40000", NULL, 40000, true, true },
};

static const struct {
	const char *name, *localhost, *conflict;
	bool want;
} modes[] = {
	{ "the default", NULL, NULL, false },
	{ "to tell", "auto", "tell", false },
	{ "to refuse", "auto", "refuse", true },
	{ "some ports", "80", "refuse", true },
	{ "nothing to refuse", "off", "refuse", false },
};

void test_keeper_conflict(void);
void test_keeper_conflict(void)
{
	struct config c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		config_defaults(&c);
		CHECK(cases[i].name, !value_localhost(&c, cases[i].localhost));
		CHECK(cases[i].name, !cases[i].ignored ||
		      !value_ignored_ports(&c, cases[i].ignored));
		CHECK(cases[i].name, conflict_concerns(&c, cases[i].port,
						       cases[i].udp) ==
				     cases[i].want);
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		config_defaults(&c);
		CHECK(modes[i].name, !modes[i].localhost ||
		      !value_localhost(&c, modes[i].localhost));
		CHECK(modes[i].name, !modes[i].conflict ||
		      !value_localhost_conflict(&c, modes[i].conflict));
		CHECK(modes[i].name, conflict_refuses(&c) == modes[i].want);
	}
	config_defaults(&c);
	CHECK("no word of ours", value_localhost_conflict(&c, "deny"));
	CHECK("no word of ours", value_localhost_conflict(&c, ""));
	CHECK("untouched", c.localhost_conflict == CONFLICT_TELL);
}
