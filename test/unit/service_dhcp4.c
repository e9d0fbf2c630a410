/* SPDX-License-Identifier: MIT */
/* test/unit/service_dhcp4.c - what clients ask, what the gateway answers. */
#include "service/dhcp4.h"

#include <string.h>

#include "exact.h"
#include "test.h"

#define GUEST	"\xac\x14\0\x02"		/* 172.20.0.2 */
#define GATEWAY	"\xac\x14\0\x01"
#define OTHER	"\x0a\0\0\x05"
#define NONE	"\0\0\0\0"

#define TYPE(n)		"\x35\x01" n
#define WANT(ip)	"\x32\x04" ip
#define SERVER(ip)	"\x36\x04" ip
#define END		"\xff"
#define OPTS(s)		.opts = (s), .len = sizeof(s) - 1

enum to { TO_NOBODY, TO_EVERYONE, TO_YIADDR, TO_CIADDR };

static const struct {
	const char *name;
	const char *ciaddr;
	bool broadcast;
	const char *opts;
	size_t len;
	enum drop drop;
	enum to to;
	enum dhcp4_type type;
} cases[] = {
	{ "discover", NONE, false, OPTS(TYPE("\x01") END), DROP_OK,
	  TO_YIADDR, DHCP4_OFFER },
	{ "discover by broadcast", NONE, true, OPTS(TYPE("\x01") END), DROP_OK,
	  TO_EVERYONE, DHCP4_OFFER },
	{ "discover, another address", NONE, false,
	  OPTS(TYPE("\x01") WANT(OTHER) END), DROP_OK, TO_YIADDR,
	  DHCP4_OFFER },
	{ "discover, rapid commit", NONE, false,
	  OPTS(TYPE("\x01") "\x50\0" END), DROP_OK, TO_YIADDR, DHCP4_ACK },
	{ "select", NONE, false,
	  OPTS(TYPE("\x03") WANT(GUEST) SERVER(GATEWAY) END), DROP_OK,
	  TO_YIADDR, DHCP4_ACK },
	{ "select another server", NONE, false,
	  OPTS(TYPE("\x03") WANT(GUEST) SERVER(OTHER) END), DROP_OK,
	  TO_NOBODY, 0 },
	{ "reboot", NONE, false, OPTS(TYPE("\x03") WANT(GUEST) END), DROP_OK,
	  TO_YIADDR, DHCP4_ACK },
	{ "reboot elsewhere", NONE, false, OPTS(TYPE("\x03") WANT(OTHER) END),
	  DROP_OK, TO_EVERYONE, DHCP4_NAK },
	{ "renew", GUEST, false, OPTS(TYPE("\x03") END), DROP_OK, TO_CIADDR,
	  DHCP4_ACK },
	{ "renew, flag set", GUEST, true, OPTS(TYPE("\x03") END), DROP_OK,
	  TO_CIADDR, DHCP4_ACK },
	{ "renew elsewhere", OTHER, false, OPTS(TYPE("\x03") END), DROP_OK,
	  TO_EVERYONE, DHCP4_NAK },
	{ "request of nothing", NONE, false, OPTS(TYPE("\x03") END), DROP_OK,
	  TO_EVERYONE, DHCP4_NAK },
	{ "inform", GUEST, false, OPTS(TYPE("\x08") END), DROP_OK, TO_CIADDR,
	  DHCP4_ACK },
	{ "inform of nobody", NONE, false, OPTS(TYPE("\x08") END), DROP_OK,
	  TO_NOBODY, 0 },
	{ "release", GUEST, false, OPTS(TYPE("\x07") END), DROP_OK, TO_NOBODY,
	  0 },
	{ "decline", NONE, false, OPTS(TYPE("\x04") WANT(GUEST) END), DROP_OK,
	  TO_NOBODY, 0 },

	{ "no end", NONE, false, OPTS(TYPE("\x01")), DROP_SHORT, 0, 0 },
	{ "no type", NONE, false, OPTS(END), DROP_NOTOURS, 0, 0 },
	{ "type 0", NONE, false, OPTS(TYPE("\0") END), DROP_VALUE, 0, 0 },
	{ "type 9", NONE, false, OPTS(TYPE("\x09") END), DROP_VALUE, 0, 0 },
	{ "an offer", NONE, false, OPTS(TYPE("\x02") END), DROP_NOTOURS, 0, 0 },
	{ "type twice", NONE, false, OPTS(TYPE("\x01") TYPE("\x01") END),
	  DROP_VALUE, 0, 0 },
	{ "address of 3", NONE, false,
	  OPTS(TYPE("\x01") "\x32\x03\x01\x02\x03" END), DROP_LENGTH, 0, 0 },
	{ "option past the end", NONE, false,
	  OPTS(TYPE("\x01") "\x37\xff\x01" END), DROP_SHORT, 0, 0 },
	{ "overload 4", NONE, false, OPTS(TYPE("\x01") "\x34\x01\x04" END),
	  DROP_VALUE, 0, 0 },
};

static const struct dhcp4_setup setup = {
	.mtu = 1400, .hostname = "ship", .search = "a.test b.test",
};

static struct dhcp4_setup full_setup(void)
{
	struct dhcp4_setup s = setup;

	s.net4 = (struct prefix){ .ip = ip_from_v4(0xac140000), .bits = 20 };
	s.gateway4 = ip_from_v4(0xac140001);
	s.guest4 = ip_from_v4(0xac140002);
	return s;
}

/* A BOOTREQUEST with those options; its bytes. */
static size_t make(size_t i, uint8_t *buf)
{
	memset(buf, 0, DHCP4_FIXED_BYTES);
	memcpy(buf, "\x01\x01\x06\0\x12\x34\x56\x78", 8);
	buf[10] = cases[i].broadcast ? 0x80 : 0;
	memcpy(buf + 12, cases[i].ciaddr, 4);
	memcpy(buf + 28, "\x02\0\0\0\0\x07", 6);
	memcpy(buf + 236, "\x63\x82\x53\x63", 4);
	memcpy(buf + DHCP4_FIXED_BYTES, cases[i].opts, cases[i].len);
	return DHCP4_FIXED_BYTES + cases[i].len;
}

/* The value of an option in a reply; NULL if absent. */
static const uint8_t *option(const uint8_t *msg, size_t len, uint8_t code,
			     size_t want)
{
	const uint8_t *p = msg + DHCP4_FIXED_BYTES;

	while (p < msg + len && *p != 0xff) {
		if (*p == 0) {
			p++;
			continue;
		}
		if (*p == code)
			return p[1] == want ? p + 2 : NULL;
		p += 2 + p[1];
	}
	return NULL;
}

static bool has(const uint8_t *msg, size_t len, uint8_t code,
		const char *value, size_t want)
{
	const uint8_t *p = option(msg, len, code, want);

	return p && !memcmp(p, value, want);
}

/* What every answer but NAK carries. */
static void check_reply(const char *name, const struct dhcp4 *m,
			const struct dhcp4_answer *a)
{
	uint8_t buf[DHCP4_MAX_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	size_t len;

	dhcp4_emit(&w, m, &a->reply, sizeof(buf));
	len = (size_t)(w.p - buf);
	CHECK(name, !w.bad && len >= DHCP4_MIN_BYTES);
	CHECK(name, buf[0] == 2 && !memcmp(buf + 4, "\x12\x34\x56\x78", 4));
	CHECK(name, !memcmp(buf + 28, "\x02\0\0\0\0\x07", 6));
	CHECK(name, has(buf, len, 54, GATEWAY, 4));
	if (a->reply.type == DHCP4_NAK) {
		CHECK(name, !memcmp(buf + 16, NONE, 4));
		CHECK(name, !option(buf, len, 51, 4));
		return;
	}
	CHECK(name, has(buf, len, 1, "\xff\xff\xf0\0", 4));
	CHECK(name, has(buf, len, 3, GATEWAY, 4));
	CHECK(name, has(buf, len, 6, GATEWAY, 4));
	CHECK(name, has(buf, len, 26, "\x05\x78", 2));
	CHECK(name, has(buf, len, 28, "\xac\x14\x0f\xff", 4));
	CHECK(name, has(buf, len, 12, "ship", 4));
	CHECK(name, has(buf, len, 15, "a.test", 6));
	CHECK(name, has(buf, len, 119, "\x01" "a\x04test\0\x01" "b\x04test\0",
			16));
	if (m->type == DHCP4_INFORM)
		CHECK(name, !option(buf, len, 51, 4));
	else
		CHECK(name, has(buf, len, 51, "\0\0\x0e\x10", 4) &&
			    has(buf, len, 58, "\0\0\x07\x08", 4) &&
			    has(buf, len, 59, "\0\0\x0c\x4e", 4) &&
			    !memcmp(buf + 16, GUEST, 4));
}

static void check_case(size_t i)
{
	const struct dhcp4_setup s = full_setup();
	const char *name = cases[i].name;
	uint8_t buf[DHCP4_FIXED_BYTES + 64], *copy;
	const size_t len = make(i, buf);
	struct dhcp4_answer a = { 0 };
	struct dhcp4 m = { 0 };

	copy = exact(buf, len);
	CHECK(name, dhcp4_parse((struct view){ copy, len }, &m) ==
		    cases[i].drop);
	if (cases[i].drop == DROP_OK) {
		CHECK(name, dhcp4_answer(&s, &m, &a) ==
			    (cases[i].to != TO_NOBODY));
		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *part = exact(buf, cut);

			CHECK(name, dhcp4_parse((struct view){ part, cut },
						&m) != DROP_OK);
			free(part);
		}
	}
	if (cases[i].drop == DROP_OK && cases[i].to != TO_NOBODY) {
		CHECK(name, a.reply.type == cases[i].type);
		CHECK(name, a.everyone == (cases[i].to == TO_EVERYONE));
		CHECK(name, ip_equal(&a.dst, cases[i].to == TO_EVERYONE ?
				     &(struct ip){ .b = { [10] = 0xff, 0xff,
					0xff, 0xff, 0xff, 0xff } } :
				     cases[i].to == TO_CIADDR ? &m.ciaddr :
				     &s.guest4));
		check_reply(name, &m, &a);
	}
	free(copy);
}

void test_service_dhcp4(void);
void test_service_dhcp4(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
}
