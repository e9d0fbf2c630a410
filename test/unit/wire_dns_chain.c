/* SPDX-License-Identifier: MIT */
/*
 * test/unit/wire_dns_chain.c - links base and wire, nothing else.
 *
 * An answer is written down as its records: "OWNER TTL TYPE DATA", one a
 * line, behind the question for www.example. A line of "--" ends a section.
 */
#include "wire/dns_chain.h"

#include "base/wr.h"
#include "exact.h"
#include "test.h"
#include "wire/dns.h"

#define MESSAGE_BYTES 8192
#define MAX 4
#define V4(last) { { [10] = 0xff, 0xff, 192, 0, 2, (last) } }
#define V6(last) { { 0x20, 0x01, 0x0d, 0xb8, [15] = (last) } }

struct want {
	struct ip ip;
	uint32_t ttl_s;
};

static const struct {
	const char *name;
	const char *records;
	unsigned n;
	struct want want[MAX];
} cases[] = {
	{ "its own", "www.example 60 A 192.0.2.1\n", 1, { { V4(1), 60 } } },
	{ "both families", "www.example 60 A 192.0.2.1\n"
	  "www.example 70 AAAA 2001:db8::2\n", 2,
	  { { V4(1), 60 }, { V6(2), 70 } } },
	{ "in any case", "wWw.EXAMPLE 60 A 192.0.2.1\n", 1,
	  { { V4(1), 60 } } },
	{ "an alias", "www.example 60 CNAME cdn.test\n"
	  "cdn.test 90 A 192.0.2.1\n", 1, { { V4(1), 60 } } },
	{ "an alias of an alias", "www.example 60 CNAME Cdn.test\n"
	  "cdn.test 20 CNAME node.test\nnode.TEST 90 A 192.0.2.1\n"
	  "node.test 10 A 192.0.2.2\n", 2,
	  { { V4(1), 20 }, { V4(2), 10 } } },
	{ "from back to front", "node.test 90 A 192.0.2.1\n"
	  "cdn.test 20 CNAME node.test\nwww.example 60 CNAME cdn.test\n", 1,
	  { { V4(1), 20 } } },
	{ "a DNAME and what it makes", "example 60 DNAME test\n"
	  "www.example 60 CNAME www.test\nwww.test 60 A 192.0.2.1\n", 1,
	  { { V4(1), 60 } } },
	{ "an alias and an address", "www.example 60 A 192.0.2.1\n"
	  "www.example 60 CNAME cdn.test\ncdn.test 60 A 192.0.2.2\n", 2,
	  { { V4(1), 60 }, { V4(2), 60 } } },
	{ "no such TTL", "www.example 4294967295 A 192.0.2.1\n", 1,
	  { { V4(1), 0 } } },
	{ "more than there is room for", "www.example 60 A 192.0.2.1\n"
	  "www.example 60 A 192.0.2.2\nwww.example 60 A 192.0.2.3\n"
	  "www.example 60 A 192.0.2.4\nwww.example 60 A 192.0.2.5\n", 4,
	  { { V4(1), 60 }, { V4(2), 60 }, { V4(3), 60 }, { V4(4), 60 } } },

	{ "nothing", "", 0 },
	{ "another's", "xww.example 60 A 192.0.2.1\n"
	  "www.example.com 60 A 192.0.2.1\nexample 60 A 192.0.2.1\n"
	  "a.www.example 60 A 192.0.2.1\n", 0 },
	{ "another's alias", "cdn.example 60 CNAME www.test\n"
	  "www.test 60 A 192.0.2.1\n", 0 },
	{ "a chain with a gap", "www.example 60 CNAME a.test\n"
	  "b.test 60 A 192.0.2.1\n", 0 },
	{ "a loop", "www.example 60 CNAME a.test\n"
	  "a.test 60 CNAME www.example\n", 0 },
	{ "of another class", "www.example 60 A/CH 192.0.2.1\n", 0 },
	{ "an alias of another class", "www.example 60 CNAME/CH a.test\n"
	  "a.test 60 A 192.0.2.1\n", 0 },
	{ "in the authorities", "--\nwww.example 60 A 192.0.2.1\n", 0 },
	{ "behind them", "--\n--\nwww.example 60 A 192.0.2.1\n", 0 },
	{ "an alias in the authorities", "a.test 60 A 192.0.2.1\n--\n"
	  "www.example 60 CNAME a.test\n", 0 },
	{ "a mapped address", "www.example 60 AAAA ::ffff:192.0.2.1\n", 0 },
	{ "three bytes", "www.example 60 A \\3\n", 0 },
	{ "sixteen of A", "www.example 60 A 2001:db8::1\n", 0 },
	{ "four of AAAA", "www.example 60 AAAA 192.0.2.1\n", 0 },
	{ "a hint", "www.example 60 HTTPS \\hint\n", 0 },
};

static uint16_t type_of(const char *s)
{
	static const struct {
		const char *name;
		uint16_t type;
	} types[] = { { "CNAME", 5 }, { "DNAME", 39 }, { "HTTPS", 65 },
		      { "AAAA", 28 }, { "A", 1 } };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strncmp(s, types[i].name, strlen(types[i].name)))
			return types[i].type;
	return 0;
}

static void put_name(struct wr *w, const char *name)
{
	while (*name) {
		const size_t n = strcspn(name, ".");

		wr_u8(w, (uint8_t)n);
		wr_bytes(w, name, n);
		name += n + (name[n] == '.');
	}
	wr_u8(w, 0);
}

static void put_data(struct wr *w, const char *data)
{
	/* SvcPriority 1, target ".", ipv4hint=192.0.2.1 (RFC 9460) */
	static const char hint[] = "\0\1\0\0\4\0\4\300\0\2\1";
	uint8_t buf[256];
	struct wr d = wr(buf, sizeof(buf));
	struct ip ip;

	if (!strcmp(data, "\\hint")) {
		wr_bytes(&d, hint, sizeof(hint) - 1);
	} else if (!strcmp(data, "\\3")) {
		wr_bytes(&d, "\300\0\2", 3);
	} else if (!strncmp(data, "::ffff:", 7)) {
		CHECK(data, ip_parse(data, &ip));
		wr_bytes(&d, ip.b, 16);
	} else if (ip_parse(data, &ip)) {
		wr_bytes(&d, ip.b + (ip_is4(&ip) ? 12 : 0),
			 ip_is4(&ip) ? 4 : 16);
	} else {
		put_name(&d, data);
	}
	wr_be16(w, (uint16_t)(d.p - buf));
	wr_bytes(w, buf, (size_t)(d.p - buf));
}

/* Header and question; the counts of records are filled in later. */
static struct wr head(uint8_t *buf)
{
	struct wr w = wr(buf, MESSAGE_BYTES);

	wr_bytes(&w, "\x12\x34\x81\x80\0\1\0\0\0\0\0\0", 12);
	put_name(&w, "www.example");
	wr_be32(&w, 0x00010001);
	return w;
}

static size_t build(uint8_t *buf, const char *records)
{
	struct wr w = head(buf);
	unsigned section = 0;

	while (*records) {
		const size_t n = strcspn(records, "\n");
		char owner[128], ttl[16], type[16], data[128], line[256];

		memcpy(line, records, n);
		line[n] = '\0';
		records += n + 1;
		if (!strcmp(line, "--")) {
			section++;
			continue;
		}
		CHECK(line, sscanf(line, "%127s %15s %15s %127s", owner, ttl,
				   type, data) == 4);
		put_name(&w, owner);
		wr_be16(&w, type_of(type));
		wr_be16(&w, strstr(type, "/CH") ? 3 : 1);
		wr_be32(&w, (uint32_t)strtoul(ttl, NULL, 10));
		put_data(&w, data);
		buf[7 + 2 * section]++;
	}
	CHECK("room", !w.bad);
	return (size_t)(w.p - buf);
}

/* From a heap block of exactly len bytes. */
static unsigned addresses(const uint8_t *msg, size_t len,
			  struct dns_address *out)
{
	uint8_t *copy = exact(msg, len);
	const struct view v = { .p = copy, .len = len };
	const unsigned n = dns_addresses(v, out, MAX);

	free(copy);
	return n;
}

static void check_case(size_t i)
{
	const char *name = cases[i].name;
	struct dns_address at[MAX];
	uint8_t buf[MESSAGE_BYTES];
	const size_t len = build(buf, cases[i].records);
	const unsigned n = addresses(buf, len, at);

	CHECK(name, n == cases[i].n);
	for (unsigned k = 0; k < n; k++) {
		CHECK(name, ip_equal(&at[k].ip, &cases[i].want[k].ip));
		CHECK(name, at[k].ttl_s == cases[i].want[k].ttl_s);
	}
	for (size_t cut = 0; cut < len; cut++)
		CHECK(name, addresses(buf, cut, at) <= n);
}

/* One byte of a good answer's head made another. */
static void check_head(void)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t byte;
	} spoilt[] = {
		{ "a question", 2, 0x01 }, { "NXDOMAIN", 3, 0x83 },
		{ "no question", 5, 0 }, { "two questions", 5, 2 },
		{ "no answer", 7, 0 },
	};
	struct dns_address at[MAX];

	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		uint8_t buf[MESSAGE_BYTES];
		const size_t len = build(buf, cases[0].records);

		buf[spoilt[i].at] = spoilt[i].byte;
		CHECK(spoilt[i].name, addresses(buf, len, at) == 0);
	}
}

/* An owner of these bytes, of an A record. */
static unsigned with_owner(const char *owner, size_t len)
{
	struct dns_address at[MAX];
	uint8_t buf[MESSAGE_BYTES];
	struct wr w = head(buf);

	wr_bytes(&w, owner, len);
	wr_bytes(&w, "\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1", 14);
	buf[7] = 1;
	return addresses(buf, (size_t)(w.p - buf), at);
}

static void check_pointers(void)
{
	CHECK("to the question", with_owner("\xc0\x0c", 2) == 1);
	CHECK("to its end", with_owner("\3www\xc0\x10", 6) == 1);
	CHECK("by two", with_owner("\3WWW\xc0\x10", 6) == 1);
	CHECK("to another place", with_owner("\xc0\x10", 2) == 0);
	CHECK("to itself", with_owner("\xc0\x1d", 2) == 0);
	CHECK("forward", with_owner("\xc0\x1f", 2) == 0);
	CHECK("out of it", with_owner("\xff\xff", 2) == 0);
	CHECK("into the head", with_owner("\xc0\0", 2) == 0);
	CHECK("neither", with_owner("\x80\x0c", 2) == 0);
	CHECK("back to its own label", with_owner("\3www\xc0\x1d", 6) == 0);
}

/* Aliases: n of them, and then an address. */
static unsigned chain(unsigned n, unsigned before)
{
	struct dns_address at[MAX];
	uint8_t buf[MESSAGE_BYTES];
	struct wr w = head(buf);

	for (unsigned i = 0; i <= n + before; i++) {
		const unsigned link = i < before ? 0 : i - before;
		char owner[16] = "www.example", to[16];

		if (link)
			snprintf(owner, sizeof(owner), "n%u.test", link);
		snprintf(to, sizeof(to), "n%u.test", link + 1);
		put_name(&w, i < before ? "other.test" : owner);
		wr_be16(&w, i < before || link == n ? 1 : 5);
		wr_be16(&w, 1);
		wr_be32(&w, 60);
		put_data(&w, i < before || link == n ? "192.0.2.1" : to);
	}
	buf[6] = (uint8_t)((n + before + 1) >> 8);
	buf[7] = (uint8_t)(n + before + 1);
	CHECK("room", !w.bad);
	return addresses(buf, (size_t)(w.p - buf), at);
}

static void check_limits(void)
{
	CHECK("as many links", chain(DNS_CHAIN_LINKS, 0) == 1);
	CHECK("one more", chain(DNS_CHAIN_LINKS + 1, 0) == 0);
	CHECK("as many records", chain(0, DNS_CHAIN_RECORDS - 1) == 1);
	CHECK("one more", chain(0, DNS_CHAIN_RECORDS) == 0);
}

void test_wire_dns_chain(void);
void test_wire_dns_chain(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
	check_head();
	check_pointers();
	check_limits();
}
