/* SPDX-License-Identifier: MIT */
/* test/unit/doctor_dnsanswer.c - answers of DNS to a probe, and what is none */
#include "doctor/dnsanswer.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "wire/dns.h"

#define ID	"\x12\x34"
#define COUNTS	"\0\1\0"		/* one question; so many answers: */
#define ASKED	"\1a\1b\0\0\1\0\1"
#define OWNER	"\xc0\x0c"
#define A(ip)	OWNER "\0\1\0\1\0\0\0\x3c\0\4" ip
#define PTR(n)	OWNER "\0\xc\0\1\0\0\0\x3c\0" n

static const char query[] = ID "\1\0\0\1\0\0\0\0\0\0" ASKED;

#define MSG(s)	.msg = (s), .len = sizeof(s) - 1

static const struct {
	const char *name;
	const char *msg;
	size_t len;
	bool good;
	unsigned rcode, n;
	const char *ptr;
} cases[] = {
	{ "address", MSG(ID "\x81\x80" COUNTS "\1\0\0\0\0" ASKED
			 A("\1\2\3\4")), true, 0, 1, "" },
	{ "two", MSG(ID "\x81\x80" COUNTS "\2\0\0\0\0" ASKED
		     A("\1\2\3\4") A("\1\2\3\5")), true, 0, 2, "" },
	{ "more than there is room", MSG(ID "\x81\x80" COUNTS "\6\0\0\0\0"
		ASKED A("1234") A("1234") A("1234") A("1234") A("1234")
		A("1234")), true, 0, PROBE_ADDRESSES, "" },
	{ "name", MSG(ID "\x81\x80" COUNTS "\1\0\0\0\0" ASKED
		      PTR("\6\4host\0")), true, 0, 0, "host" },
	{ "name of two", MSG(ID "\x81\x80" COUNTS "\1\0\0\0\0" ASKED
			     PTR("\7\1x\3abc\0")), true, 0, 0, "x.abc" },
	{ "compressed", MSG(ID "\x81\x80" COUNTS "\1\0\0\0\0" ASKED
			    PTR("\4\1x" OWNER)), true, 0, 0, "" },
	{ "root", MSG(ID "\x81\x80" COUNTS "\1\0\0\0\0" ASKED PTR("\1\0")),
	  true, 0, 0, "" },
	{ "name cut", MSG(ID "\x81\x80" COUNTS "\1\0\0\0\0" ASKED
			  PTR("\3\4ho")), true, 0, 0, "" },
	{ "record cut", MSG(ID "\x81\x80" COUNTS "\1\0\0\0\0" ASKED OWNER
			    "\0\1\0\1\0\0\0\x3c\0\4\1\2\3"), true, 0, 0, "" },
	{ "no such name", MSG(ID "\x81\x83" COUNTS "\0\0\0\0\0" ASKED), true,
	  3, 0, "" },
	{ "an error without question", MSG(ID "\x81\x82\0\0\0\0\0\0\0\0"),
	  true, 2, 0, "" },

	{ "no error without question", MSG(ID "\x81\x80\0\0\0\0\0\0\0\0") },
	{ "another id", MSG("\x12\x35\x81\x80" COUNTS "\0\0\0\0\0" ASKED) },
	{ "another question", MSG(ID "\x81\x80" COUNTS "\0\0\0\0\0"
				  "\1a\1c\0\0\1\0\1") },
	{ "a question", MSG(ID "\1\0" COUNTS "\0\0\0\0\0" ASKED) },
	{ "nothing", MSG("") },
};

static void check_case(size_t i)
{
	const char *name = cases[i].name;
	uint8_t *copy = malloc(cases[i].len + !cases[i].len);
	const struct view q = { (const uint8_t *)query, sizeof(query) - 1 };
	struct probe_answer a = { .n = 99 };
	bool good;

	if (!copy)
		abort();
	memcpy(copy, cases[i].msg, cases[i].len);
	good = dnsanswer_parse((struct view){ copy, cases[i].len }, q, &a);
	CHECK(name, good == cases[i].good);
	if (good && cases[i].good)
		CHECK(name, a.rcode == cases[i].rcode && a.n == cases[i].n &&
			    !strcmp(a.name, cases[i].ptr));
	else if (!good)
		CHECK(name, a.n == 99);
	/* Cut anywhere: no more than is there. */
	for (size_t n = 0; n < cases[i].len; n++)
		if (dnsanswer_parse((struct view){ copy, n }, q, &a))
			CHECK(name, a.n <= cases[i].n);
	free(copy);
}

void test_doctor_dnsanswer(void);
void test_doctor_dnsanswer(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
}
