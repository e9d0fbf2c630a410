/* SPDX-License-Identifier: MIT */
/*
 * test/unit/service_dhcp6.c - what clients ask, what the gateway answers.
 *
 * Messages are written as bytes. Of an answer, what follows the identifiers
 * is compared byte for byte, but for the parameters, which are the same in
 * all that have any.
 */
#include "service/dhcp6.h"

#include <string.h>

#include "exact.h"
#include "test.h"

#define XID		"\x12\x34\x56"
#define CLIENT		"\0\x01\0\x0a\0\x03\0\x01\x02\0\0\0\0\x07"
#define OWN_DUID	"\0\x03\0\x01\x02\0\0\0\0\x01"
#define SERVER		"\0\x02\0\x0a" OWN_DUID
#define OTHER_SERVER	"\0\x02\0\x0a\0\x03\0\x01\x02\0\0\0\0\x09"
#define PREFERENCE	"\0\x07\0\x01\xff"
#define RAPID		"\0\x0e\0\0"
#define STATUS(n)	"\0\x0d\0\x02\0" n
#define IA(len, id)	"\0\x03\0" len "\0\0\0" id
#define TIMES		"\0\0\0\0\0\0\0\0"
#define T1_T2		"\0\0\x07\x08\0\0\x0b\x40"	/* 1,800 and 2,880 s */
#define GUEST		"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"
#define NEAR		"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x77"
#define FAR		"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x77"
#define V4		"\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04"
#define ADDR(ip)	"\0\x05\0\x18" ip TIMES
#define GRANTED		"\0\x05\0\x18" GUEST "\0\0\x0e\x10\0\0\x1c\x20"
#define PD		"\0\x19\0\x0c\0\0\0\x09" TIMES
#define PD_NONE		"\0\x19\0\x12\0\0\0\x09" TIMES STATUS("\x06")
#define PD_UNBOUND	"\0\x19\0\x12\0\0\0\x09" TIMES STATUS("\x03")
#define TA		"\0\x04\0\x04\0\0\0\x08"
#define TA_NONE		"\0\x04\0\x0a\0\0\0\x08" STATUS("\x02")
#define PARAMETERS	"\0\x17\0\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01" \
			"\0\x18\0\x08\x01" "a\x04test\0"
#define ORO(codes, len)	"\0\x06\0" len codes
#define MSG(type, rest)	.msg = type XID rest, .len = sizeof(type XID rest) - 1
#define SAYS(t, rest)	.answers = true, .type = t, .want = rest, \
			.want_len = sizeof(rest) - 1

static const struct {
	const char *name;
	const char *msg;
	size_t len;
	enum drop drop;
	bool unicast;
	bool answers;
	uint8_t type;
	const char *want;
	size_t want_len;
} cases[] = {
	{ "solicit", MSG("\x01", CLIENT IA("\x0c", "\x07") TIMES),
	  SAYS(2, PREFERENCE IA("\x28", "\x07") T1_T2 GRANTED PARAMETERS) },
	{ "solicit, with a wish",
	  MSG("\x01", CLIENT IA("\x28", "\x07") TIMES ADDR(NEAR)),
	  SAYS(2, PREFERENCE IA("\x28", "\x07") T1_T2 GRANTED PARAMETERS) },
	{ "solicit, rapid commit",
	  MSG("\x01", CLIENT RAPID IA("\x0c", "\x07") TIMES),
	  SAYS(7, RAPID IA("\x28", "\x07") T1_T2 GRANTED PARAMETERS) },
	{ "solicit of a prefix", MSG("\x01", CLIENT PD),
	  SAYS(2, PREFERENCE PD_NONE PARAMETERS) },
	{ "solicit of all kinds",
	  MSG("\x01", CLIENT TA PD IA("\x0c", "\x07") TIMES
	      IA("\x0c", "\x08") TIMES),
	  SAYS(2, PREFERENCE TA_NONE PD_NONE IA("\x28", "\x07") T1_T2 GRANTED
	       IA("\x12", "\x08") TIMES STATUS("\x02") PARAMETERS) },
	{ "solicit, nothing wanted but DNS",
	  MSG("\x01", CLIENT ORO("\0\x17", "\x02")),
	  SAYS(2, PREFERENCE
	       "\0\x17\0\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01") },
	{ "unknown options", MSG("\x01", CLIENT "\0\x63\0\x02zz" PD),
	  SAYS(2, PREFERENCE PD_NONE PARAMETERS) },
	{ "request",
	  MSG("\x03", CLIENT SERVER IA("\x28", "\x07") TIMES ADDR(GUEST)),
	  SAYS(7, IA("\x28", "\x07") T1_T2 GRANTED PARAMETERS) },
	{ "request from elsewhere",
	  MSG("\x03", CLIENT SERVER IA("\x28", "\x07") TIMES ADDR(FAR)),
	  SAYS(7, IA("\x12", "\x07") TIMES STATUS("\x04") PARAMETERS) },
	{ "request of another server",
	  MSG("\x03", CLIENT OTHER_SERVER IA("\x0c", "\x07") TIMES) },
	{ "renew",
	  MSG("\x05", CLIENT SERVER IA("\x28", "\x07") TIMES ADDR(GUEST)),
	  SAYS(7, IA("\x28", "\x07") T1_T2 GRANTED PARAMETERS) },
	{ "renew of another address",
	  MSG("\x05", CLIENT SERVER IA("\x28", "\x07") TIMES ADDR(NEAR)),
	  SAYS(7, IA("\x44", "\x07") T1_T2 GRANTED ADDR(NEAR) PARAMETERS) },
	{ "renew of a prefix", MSG("\x05", CLIENT SERVER PD),
	  SAYS(7, PD_UNBOUND PARAMETERS) },
	{ "rebind",
	  MSG("\x06", CLIENT IA("\x28", "\x07") TIMES ADDR(GUEST)),
	  SAYS(7, IA("\x28", "\x07") T1_T2 GRANTED PARAMETERS) },
	{ "confirm",
	  MSG("\x04", CLIENT IA("\x28", "\x07") TIMES ADDR(NEAR)),
	  SAYS(7, STATUS("\0")) },
	{ "confirm elsewhere",
	  MSG("\x04", CLIENT IA("\x28", "\x07") TIMES ADDR(FAR)),
	  SAYS(7, STATUS("\x04")) },
	{ "confirm of nothing", MSG("\x04", CLIENT IA("\x0c", "\x07") TIMES) },
	{ "release",
	  MSG("\x08", CLIENT SERVER IA("\x28", "\x07") TIMES ADDR(GUEST)),
	  SAYS(7, STATUS("\0")) },
	{ "release of another's",
	  MSG("\x08", CLIENT SERVER IA("\x28", "\x07") TIMES ADDR(NEAR)),
	  SAYS(7, STATUS("\0") IA("\x12", "\x07") TIMES STATUS("\x03")) },
	{ "decline",
	  MSG("\x09", CLIENT SERVER IA("\x28", "\x07") TIMES ADDR(GUEST)),
	  SAYS(7, STATUS("\0")) },
	{ "information", MSG("\x0b", CLIENT), SAYS(7, PARAMETERS) },
	{ "information, with its time",
	  MSG("\x0b", CLIENT ORO("\0\x20", "\x02")),
	  SAYS(7, "\0\x20\0\x04\0\0\x1c\x20") },
	{ "information of another server", MSG("\x0b", CLIENT OTHER_SERVER) },
	{ "request to one", MSG("\x03", CLIENT SERVER PD), .unicast = true,
	  SAYS(7, STATUS("\x05")) },
	{ "solicit to one", MSG("\x01", CLIENT PD), .unicast = true },
	{ "rebind to one", MSG("\x06", CLIENT PD), .unicast = true },

	{ "solicit without a name", MSG("\x01", PD), DROP_VALUE },
	{ "solicit to a server", MSG("\x01", CLIENT SERVER PD), DROP_VALUE },
	{ "request of no server", MSG("\x03", CLIENT PD), DROP_VALUE },
	{ "information with an IA", MSG("\x0b", CLIENT PD), DROP_VALUE },
	{ "two names", MSG("\x01", CLIENT CLIENT), DROP_VALUE },
	{ "a short name", MSG("\x01", "\0\x01\0\x02" "ab"), DROP_LENGTH },
	{ "an advertise", MSG("\x02", CLIENT SERVER), DROP_NOTOURS },
	{ "a reply", MSG("\x07", CLIENT SERVER), DROP_NOTOURS },
	{ "a reconfigure", MSG("\x0a", CLIENT SERVER), DROP_NOTOURS },
	{ "a relay's", MSG("\x0c", CLIENT), DROP_NOTOURS },
	{ "type 0", MSG("\0", CLIENT), DROP_NOTOURS },
	{ "half an IA", MSG("\x01", CLIENT "\0\x03\0\x0b\0\0\0\x07\0\0\0\0"
			    "\0\0\0"), DROP_LENGTH },
	{ "half an address", MSG("\x01", CLIENT IA("\x27", "\x07") TIMES
			     "\0\x05\0\x17" GUEST "\0\0\0\0\0\0\0"),
	  DROP_LENGTH },
	{ "an address past its IA", MSG("\x01", CLIENT IA("\x10", "\x07") TIMES
			     "\0\x05\0\x18" GUEST TIMES), DROP_SHORT },
	{ "an address of IPv4",
	  MSG("\x01", CLIENT IA("\x28", "\x07") TIMES ADDR(V4)), DROP_VALUE },
	{ "odd wishes", MSG("\x01", CLIENT "\0\x06\0\x01\x17"), DROP_LENGTH },
	{ "rapid commit with more", MSG("\x01", CLIENT "\0\x0e\0\x01x"),
	  DROP_LENGTH },
	{ "nine prefixes",
	  MSG("\x01", CLIENT PD PD PD PD PD PD PD PD PD), DROP_LIMIT },
	{ "nine addresses",
	  MSG("\x01", CLIENT IA("\xfc", "\x07") TIMES ADDR(NEAR) ADDR(NEAR)
	      ADDR(NEAR) ADDR(NEAR) ADDR(NEAR) ADDR(NEAR) ADDR(NEAR)
	      ADDR(NEAR) "\0\x63\0\x0c" "123456789012"
	      IA("\x28", "\x08") TIMES ADDR(NEAR)), DROP_LIMIT },
};

static struct dhcp6_setup setup(void)
{
	struct dhcp6_setup s = {
		.gateway_mac = { { 2, 0, 0, 0, 0, 1 } },
		.net6 = { .bits = 64 }, .search = "a.test",
	};

	s.net6.ip.b[0] = s.gateway6.b[0] = s.guest6.b[0] = 0xfd;
	s.gateway6.b[15] = 1;
	s.guest6.b[15] = 2;
	return s;
}

static void check_answer(size_t i, const struct dhcp6 *m,
			 const struct dhcp6_reply *r)
{
	static const char names[] = CLIENT SERVER;
	const size_t head = 4 + sizeof(names) - 1;
	const char *name = cases[i].name;
	uint8_t buf[DHCP6_REPLY_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	size_t len;

	dhcp6_emit(&w, m, r);
	len = (size_t)(w.p - buf);
	CHECK(name, !w.bad && len >= head);
	CHECK(name, buf[0] == cases[i].type && !memcmp(buf + 1, XID, 3));
	CHECK(name, !memcmp(buf + 4, names, sizeof(names) - 1));
	CHECK(name, len - head == cases[i].want_len &&
		    !memcmp(buf + head, cases[i].want, len - head));
}

static void check_case(size_t i)
{
	const struct dhcp6_setup s = setup();
	const char *name = cases[i].name;
	uint8_t *copy = exact(cases[i].msg, cases[i].len);
	struct dhcp6_reply r;
	struct dhcp6 m;

	CHECK(name, dhcp6_parse((struct view){ copy, cases[i].len }, &m) ==
		    cases[i].drop);
	if (cases[i].drop == DROP_OK) {
		const bool yes = dhcp6_answer(&s, &m, !cases[i].unicast, &r);

		CHECK(name, yes == cases[i].answers);
		if (yes)
			check_answer(i, &m, &r);
	}
	for (size_t cut = 0; cut < cases[i].len; cut++) {
		uint8_t *part = exact(cases[i].msg, cut);
		const enum drop drop =
			dhcp6_parse((struct view){ part, cut }, &m);

		CHECK(name, cut >= 4 || drop == DROP_SHORT);
		free(part);
	}
	free(copy);
}

/* All that may be asked for at once has room in an answer. */
static void check_longest(void)
{
	struct dhcp6_setup s = setup();
	const uint8_t duid[DHCP6_DUID_MAX] = { 1 };
	struct dhcp6 m = {
		.type = DHCP6_RENEW, .n_ia = DHCP6_IAS_MAX,
		.client_id = { .p = duid, .len = sizeof(duid) },
		.n_addr = DHCP6_ADDRS_MAX, .wants_refresh = true,
	};
	char search[512] = "";
	uint8_t buf[DHCP6_REPLY_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	struct dhcp6_reply r;

	for (unsigned i = 0; i < 40; i++)
		strcat(search, "domain.test ");
	s.search = search;
	for (unsigned i = 0; i < DHCP6_IAS_MAX; i++)
		m.ia[i].kind = DHCP6_OPT_IA_NA;
	m.ia[0].n = DHCP6_ADDRS_MAX;
	for (unsigned i = 0; i < DHCP6_ADDRS_MAX; i++)
		m.addr[i].b[0] = 0x20;
	CHECK("longest", dhcp6_answer(&s, &m, true, &r));
	dhcp6_emit(&w, &m, &r);
	CHECK("longest", !w.bad);
}

void test_service_dhcp6(void);
void test_service_dhcp6(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
	check_longest();
}
