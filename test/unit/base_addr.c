/* SPDX-License-Identifier: MIT */
/* test/unit/base_addr.c - links base, nothing else. */
#include "base/addr.h"

#include <string.h>

#include "exact.h"
#include "test.h"

static const struct {
	const char *text;
	const char *again;		/* as we write it; NULL: as text */
} good[] = {
	{ "0.0.0.0", NULL },
	{ "1.2.3.4", NULL },
	{ "255.255.255.255", NULL },
	{ "::", NULL },
	{ "::1", NULL },
	{ "1::", NULL },
	{ "1:2:3:4:5:6:7:8", NULL },
	{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
	{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
	{ "1:2:3::5:6:7:8", "1:2:3:0:5:6:7:8" },
	{ "0:0:1:0:0:0:1:0", "0:0:1::1:0" },
	{ "1:0:0:2:0:0:3:4", "1::2:0:0:3:4" },
	{ "2001:DB8::ABCD", "2001:db8::abcd" },
	{ "2001:0db8::0001", "2001:db8::1" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
	{ "64:ff9b::1.2.3.4", "64:ff9b::102:304" },
	{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
	{ "::ffff:1.2.3.4", "1.2.3.4" },
	{ "::ffff:102:304", "1.2.3.4" },
};

static const char *const bad[] = {
	"", " ", "1", "1.", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5",
	".1.2.3", "1..2.3", "256.1.1.1", "1.1.1.256", "01.2.3.4",
	"1.2.3.00", "0x1.2.3.4", "-1.2.3.4", "+1.2.3.4", " 1.2.3.4",
	"1.2.3.4 ", "1.2.3.4/8", "4294967297.2.3.4", "99999999999.1.1.1",
	":", ":::", "::::", "1", "1:", ":1", "1:2", "1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7:", "1:2:3:4:5:6:7:8:", ":1:2:3:4:5:6:7:8",
	"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
	"1:2:3:4::5:6:7:8", "1::2::3", "1:::2", "12345::", "g::", "::g",
	"::1%lo", "[::1]", "::1 ", "::1/64", "::1.2.3", "::1.2.3.4.5",
	"::1.2.3.4:5", "::1.2.3.256", "1.2.3.4::",
	"1:2:3:4:5:6:7:1.2.3.4", "::1:2:3:4:5:6:1.2.3.4", "fe80::1::",
};

static void check_text(void)
{
	char buf[IP_TEXT_BYTES];
	struct ip ip, ip2;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *name = good[i].text;

		CHECK(name, ip_parse(name, &ip));
		ip_format(&ip, buf);
		CHECK(name, !strcmp(buf, good[i].again ? good[i].again :
						       name));
		CHECK(name, ip_parse(buf, &ip2) && ip_equal(&ip, &ip2));
	}
	memset(&ip, 0xa5, sizeof(ip));
	ip2 = ip;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *copy = (char *)exact(bad[i], strlen(bad[i]) + 1);

		CHECK(bad[i], !ip_parse(copy, &ip));
		CHECK(bad[i], ip_equal(&ip, &ip2));
		free(copy);
	}
}

/* Any address that is written is read back, with any zero groups. */
static void check_round_trip(void)
{
	char buf[IP_TEXT_BYTES];
	uint32_t rng = 1;

	for (unsigned n = 0; n < 1024; n++) {
		struct ip ip = { { 0 } }, back;

		for (unsigned i = 0; i < 16; i++) {
			rng = rng * 1664525u + 1013904223u;
			if (n >> (i / 2) & 1)
				ip.b[i] = (uint8_t)(rng >> 24);
		}
		CHECK("fits", strlen(ip_format(&ip, buf)) < sizeof(buf));
		CHECK(buf, ip_parse(buf, &back) && ip_equal(&ip, &back));
	}
}

static const struct {
	const char *text;
	bool ok;
	uint8_t bits;
} prefixes[] = {
	{ "10.0.0.0/8", true, 8 },
	{ "10.1.2.3", true, 32 },
	{ "0.0.0.0/0", true, 0 },
	{ "255.255.255.254/31", true, 31 },
	{ "::/0", true, 0 },
	{ "fd00:1::/64", true, 64 },
	{ "::1", true, 128 },
	{ "2001:db8:8000::/33", true, 33 },
	{ "::ffff:10.0.0.0/8", true, 8 },
	{ "1:2:3:4:5:6:7:8/128", true, 128 },
	{ "", false, 0 },
	{ "/8", false, 0 },
	{ "10.0.0.0/", false, 0 },
	{ "10.0.0.0/33", false, 0 },
	{ "10.0.0.0/-1", false, 0 },
	{ "10.0.0.0/08", false, 0 },
	{ "10.0.0.0/8 ", false, 0 },
	{ "10.0.0.0/8/8", false, 0 },
	{ "10.0.0.0/4294967304", false, 0 },
	{ "10.0.0.1/8", false, 0 },
	{ "255.255.255.255/31", false, 0 },
	{ "128.0.0.0/0", false, 0 },
	{ "10.0.0/8", false, 0 },
	{ "::/129", false, 0 },
	{ "::1/127", false, 0 },
	{ "8000::/0", false, 0 },
	{ "2001:db8:8000::/32", false, 0 },
	{ "1:2:3:4:5:6:7:8:/128", false, 0 },
	{ "1::2:/128", false, 0 },
	{ ":/0", false, 0 },
	{ "1:/16", false, 0 },
};

static void check_prefixes(void)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const char *name = prefixes[i].text;
		char *copy = (char *)exact(name, strlen(name) + 1);
		struct prefix p = { .bits = 77 };

		CHECK(name, prefix_parse(copy, &p) == prefixes[i].ok);
		CHECK(name, p.bits == (prefixes[i].ok ? prefixes[i].bits :
							77));
		free(copy);
	}
}

static const struct {
	const char *prefix, *ip;
	bool in;
} members[] = {
	{ "10.0.0.0/8", "10.255.255.255", true },
	{ "10.0.0.0/8", "11.0.0.0", false },
	{ "10.0.0.0/8", "9.255.255.255", false },
	{ "172.20.0.0/20", "172.20.15.255", true },
	{ "172.20.0.0/20", "172.20.16.0", false },
	{ "1.2.3.4", "1.2.3.4", true },
	{ "1.2.3.4", "1.2.3.5", false },
	{ "0.0.0.0/0", "255.255.255.255", true },
	{ "0.0.0.0/0", "::1", false },
	{ "::/0", "::1", true },
	{ "::/0", "1.2.3.4", false },
	{ "fd00::/63", "fd00:0:0:1::", true },
	{ "fd00::/63", "fd00:0:0:2::", false },
	{ "::1", "::1", true },
	{ "::1", "::", false },
};

static void check_members(void)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const char *name = members[i].prefix;
		struct prefix p;
		struct ip ip;

		CHECK(name, prefix_parse(name, &p));
		CHECK(name, ip_parse(members[i].ip, &ip));
		CHECK(name, prefix_has(&p, &ip) == members[i].in);
	}
}

enum { UNSPEC = 1, LOOP = 2, MULTI = 4, BCAST = 8, LINK = 16 };

static const struct {
	const char *text;
	unsigned is;
} kinds[] = {
	{ "0.0.0.0", UNSPEC }, { "0.0.0.1", 0 }, { "::", UNSPEC },
	{ "::1", LOOP }, { "::2", 0 }, { "126.255.255.255", 0 },
	{ "127.0.0.0", LOOP }, { "127.255.255.255", LOOP },
	{ "128.0.0.0", 0 }, { "223.255.255.255", 0 },
	{ "224.0.0.0", MULTI }, { "239.255.255.255", MULTI },
	{ "240.0.0.0", 0 }, { "255.255.255.255", BCAST },
	{ "255.255.255.254", 0 }, { "ff00::", MULTI }, { "feff::", 0 },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", MULTI },
	{ "169.254.0.0", LINK }, { "169.255.0.0", 0 },
	{ "169.253.255.255", 0 }, { "fe80::", LINK }, { "fe7f::", 0 },
	{ "febf::1", LINK }, { "fec0::", 0 },
};

static void check_kinds(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *name = kinds[i].text;
		struct ip ip;

		CHECK(name, ip_parse(name, &ip));
		CHECK(name, ((ip_is_unspecified(&ip) ? UNSPEC : 0u) |
			     (ip_is_loopback(&ip) ? LOOP : 0u) |
			     (ip_is_multicast(&ip) ? MULTI : 0u) |
			     (ip_is_broadcast(&ip) ? BCAST : 0u) |
			     (ip_is_link_local(&ip) ? LINK : 0u)) ==
			    kinds[i].is);
	}
}

static const char *const bad_macs[] = {
	"", "02", "02:", "02:00:00:00:00", "02:00:00:00:00:",
	"02:00:00:00:00:0", "02:00:00:00:00:01:", "02:00:00:00:00:01:02",
	"2:0:0:0:0:1", "02-00-00-00-00-01", "020000000001",
	"0g:00:00:00:00:01", " 2:00:00:00:00:01", "02:00:00:00:00:01 ",
};

static void check_macs(void)
{
	struct mac mac = { { 1 } };
	char buf[MAC_TEXT_BYTES];

	for (size_t i = 0; i < sizeof(bad_macs) / sizeof(bad_macs[0]); i++) {
		char *copy = (char *)exact(bad_macs[i],
					   strlen(bad_macs[i]) + 1);

		CHECK(bad_macs[i], !mac_parse(copy, &mac) && mac.b[0] == 1);
		free(copy);
	}
	CHECK("mac", mac_parse("02:aB:Cd:00:0f:f0", &mac));
	CHECK("mac text", !strcmp(mac_format(&mac, buf),
				  "02:ab:cd:00:0f:f0"));
	CHECK("mac equal", mac_equal(&mac, &mac));
}

static void check_endpoints(void)
{
	struct endpoint e = { .ip = ip_from_v4(0x7f000001), .port = 80 };
	char buf[ENDPOINT_TEXT_BYTES];

	CHECK("v4", !strcmp(endpoint_format(&e, buf), "127.0.0.1:80"));
	CHECK("to v4", ip_to_v4(e.ip) == 0x7f000001 && ip_is4(&e.ip));
	memset(e.ip.b, 0xff, 16);
	e.port = 65535;
	CHECK("longest", !strcmp(endpoint_format(&e, buf),
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"));
	e = (struct endpoint){ .port = 0 };
	CHECK("zero", !strcmp(endpoint_format(&e, buf), "[::]:0"));
}

static const struct {
	const char *text;
	bool public;
} public_or_not[] = {
	{ "0.0.0.0", false }, { "0.1.2.3", false }, { "1.0.0.0", true },
	{ "9.255.255.255", true }, { "10.0.0.0", false },
	{ "10.255.255.255", false }, { "11.0.0.0", true },
	{ "100.63.255.255", true }, { "100.64.0.0", false },
	{ "100.127.255.255", false }, { "100.128.0.0", true },
	{ "126.255.255.255", true }, { "127.0.0.1", false },
	{ "127.255.255.255", false }, { "128.0.0.0", true },
	{ "169.253.255.255", true }, { "169.254.0.0", false },
	{ "169.254.169.254", false }, { "169.255.0.0", true },
	{ "172.15.255.255", true }, { "172.16.0.0", false },
	{ "172.31.255.255", false }, { "172.32.0.0", true },
	{ "192.0.0.171", false }, { "192.0.1.0", true },
	{ "192.167.255.255", true }, { "192.168.0.0", false },
	{ "192.168.255.255", false }, { "192.169.0.0", true },
	{ "223.255.255.255", true }, { "224.0.0.0", false },
	{ "239.255.255.255", false }, { "240.0.0.0", false },
	{ "255.255.255.255", false },

	{ "::", false }, { "::1", false }, { "::2", false },
	{ "::8.8.8.8", false },			/* compatible */
	{ "::ffff:0:8.8.8.8", false },		/* translated: RFC 2765 */
	{ "64:ff9b::8.8.8.8", true },		/* NAT64 */
	{ "64:ff9b::10.0.0.1", false }, { "64:ff9b::127.0.0.1", false },
	{ "64:ff9b::169.254.169.254", false },
	{ "64:ff9b:0:0:0:1:808:808", false }, { "64:ff9b:1::808:808", false },
	{ "2002:808:808::1", true },		/* 6to4 */
	{ "2002:a00:1::1", false }, { "2002:7f00:1::1", false },
	{ "2002:c0a8:101::1", false },
	{ "2001:0:808:808::f7f7:f7f7", true },	/* Teredo: 8.8.8.8 */
	{ "2001:0:808:808::f5ff:fffe", false },	/* 10.0.0.1 */
	{ "2001:0:808:808::80ff:fffe", false },	/* 127.0.0.1 */
	{ "2001:1::1", true }, { "2001:db8::1", true },
	{ "2606:4700::1111", true }, { "fbff::1", true }, { "fc00::", false },
	{ "fdff:ffff::1", false }, { "fe00::1", true },
	{ "fe80::1", false }, { "febf::1", false }, { "fec0::1", false },
	{ "feff::1", false }, { "ff02::1", false }, { "ffff::1", false },
};

static void check_public(void)
{
	for (size_t i = 0; i < sizeof(public_or_not) / sizeof(public_or_not[0]); i++) {
		struct ip ip;

		CHECK(public_or_not[i].text, ip_parse(public_or_not[i].text, &ip));
		CHECK(public_or_not[i].text,
		      ip_is_public(&ip) == public_or_not[i].public);
	}
}

void test_base_addr(void);
void test_base_addr(void)
{
	check_text();
	check_round_trip();
	check_prefixes();
	check_members();
	check_kinds();
	check_macs();
	check_endpoints();
	check_public();
}
