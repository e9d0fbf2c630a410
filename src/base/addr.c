/* SPDX-License-Identifier: MIT */
#include "base/addr.h"

#include <string.h>

#define GROUPS 8		/* 16-bit groups of an IPv6 address */

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

struct ip ip_from_v4(uint32_t v4)
{
	struct ip ip;

	memcpy(ip.b, mapped, sizeof(mapped));
	ip.b[12] = (uint8_t)(v4 >> 24);
	ip.b[13] = (uint8_t)(v4 >> 16);
	ip.b[14] = (uint8_t)(v4 >> 8);
	ip.b[15] = (uint8_t)v4;
	return ip;
}

uint32_t ip_to_v4(struct ip ip)
{
	return (uint32_t)ip.b[12] << 24 | (uint32_t)ip.b[13] << 16 |
	       (uint32_t)ip.b[14] << 8 | ip.b[15];
}

bool ip_is4(const struct ip *ip)
{
	return !memcmp(ip->b, mapped, sizeof(mapped));
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return !memcmp(a->b, b->b, sizeof(a->b));
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
	return !memcmp(a->b, b->b, sizeof(a->b));
}

bool ip_is_unspecified(const struct ip *ip)
{
	static const struct ip none;

	return ip_is4(ip) ? ip_to_v4(*ip) == 0 : ip_equal(ip, &none);
}

bool ip_is_loopback(const struct ip *ip)
{
	static const struct ip one = { .b[15] = 1 };

	return ip_is4(ip) ? ip->b[12] == 127 : ip_equal(ip, &one);
}

bool ip_is_multicast(const struct ip *ip)
{
	return ip_is4(ip) ? ip->b[12] >> 4 == 14 : ip->b[0] == 0xff;
}

bool ip_is_broadcast(const struct ip *ip)
{
	return ip_is4(ip) && ip_to_v4(*ip) == UINT32_MAX;
}

bool ip_is_link_local(const struct ip *ip)
{
	if (ip_is4(ip))
		return ip->b[12] == 169 && ip->b[13] == 254;
	return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

static bool v4_is_public(uint32_t v4)
{
	static const struct {
		uint32_t net;
		unsigned bits;
	} not[] = {
		{ 0x00000000, 8 },	/* "this network" */
		{ 0x0a000000, 8 },	/* RFC 1918 */
		{ 0x64400000, 10 },	/* RFC 6598: carriers' NAT, VPNs */
		{ 0x7f000000, 8 },	/* loopback */
		{ 0xa9fe0000, 16 },	/* link-local */
		{ 0xac100000, 12 },	/* RFC 1918 */
		{ 0xc0000000, 24 },	/* RFC 6890: protocols' own */
		{ 0xc0a80000, 16 },	/* RFC 1918 */
		{ 0xe0000000, 3 },	/* multicast, reserved, broadcast */
	};

	for (size_t i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		if (!((v4 ^ not[i].net) >> (32 - not[i].bits)))
			return false;
	return true;
}

static uint32_t v4_at(const struct ip *ip, unsigned at)
{
	const uint8_t *b = ip->b + at;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	       (uint32_t)b[2] << 8 | b[3];
}

bool ip_is_public(const struct ip *ip)
{
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t teredo[4] = { 0x20, 0x01 };
	const uint8_t *b = ip->b;

	if (ip_is4(ip))
		return v4_is_public(ip_to_v4(*ip));
	/* Of ::/8 nothing else is anybody's (RFC 6052 section 2.1). */
	if (b[0] == 0)
		return !memcmp(b, nat64, sizeof(nat64)) &&
		       v4_is_public(v4_at(ip, 12));
	if (b[0] == 0x20 && b[1] == 0x02)	/* 6to4: RFC 3056 */
		return v4_is_public(v4_at(ip, 2));
	if (!memcmp(b, teredo, sizeof(teredo)))	/* RFC 4380 section 4 */
		return v4_is_public(~v4_at(ip, 12));
	return (b[0] & 0xfe) != 0xfc &&		/* RFC 4193 */
	       !(b[0] == 0xfe && b[1] & 0x80) &&	/* fe80::, fec0:: */
	       b[0] != 0xff;
}

struct ip ip_link_local(const struct mac *mac)
{
	const uint8_t *m = mac->b;

	return (struct ip){ .b = {
		0xfe, 0x80, 0, 0, 0, 0, 0, 0,
		m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5],
	} };
}

bool prefix_has(const struct prefix *p, const struct ip *ip)
{
	const unsigned bits = p->bits + (ip_is4(&p->ip) ? 96u : 0u);
	const unsigned bytes = bits / 8, rest = bits % 8;

	if (ip_is4(&p->ip) != ip_is4(ip) || memcmp(p->ip.b, ip->b, bytes))
		return false;
	return !rest || !((p->ip.b[bytes] ^ ip->b[bytes]) >> (8 - rest));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* A decimal of at most max without leading zeros; NULL if there is none. */
static const char *parse_decimal(const char *s, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (!is_digit(*s) || (s[0] == '0' && is_digit(s[1])))
		return NULL;
	for (; is_digit(*s); s++) {
		v = v * 10 + (unsigned)(*s - '0');
		if (v > max)
			return NULL;
	}
	*out = v;
	return s;
}

/* "a.b.c.d"; the character after it, or NULL. */
static const char *parse_quad(const char *s, uint8_t out[4])
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned v;

		if (i && *s++ != '.')
			return NULL;
		s = parse_decimal(s, 255, &v);
		if (!s)
			return NULL;
		out[i] = (uint8_t)v;
	}
	return s;
}

static const char *parse_group(const char *s, unsigned *out)
{
	unsigned v = 0, n = 0;

	for (; n < 4 && hex_value(*s) >= 0; n++, s++)
		v = v << 4 | (unsigned)hex_value(*s);
	*out = v;
	return n ? s : NULL;
}

/* Groups up to the end of text or of what is one; -1 if malformed. */
static const char *parse_groups(const char *s, uint8_t out[16], unsigned *at,
				int *gap)
{
	while (*s && *s != '/') {
		const char *end;
		unsigned v;

		if (*at + 4 <= 16 && (end = parse_quad(s, out + *at))) {
			*at += 4;
			return end;
		}
		s = parse_group(s, &v);
		if (!s || *at + 2 > 16)
			return NULL;
		out[(*at)++] = (uint8_t)(v >> 8);
		out[(*at)++] = (uint8_t)v;
		if (s[0] == ':' && s[1] == ':' && *gap < 0) {
			*gap = (int)*at;
			s += 2;
		} else if (s[0] == ':' && s[1] && s[1] != '/') {
			s++;
		} else {
			return s;
		}
	}
	return s;
}

static const char *parse_v6(const char *s, struct ip *out)
{
	struct ip ip = { { 0 } };
	unsigned at = 0, tail;
	int gap = -1;

	if (s[0] == ':' && s[1] == ':') {
		gap = 0;
		s += 2;
	}
	s = parse_groups(s, ip.b, &at, &gap);
	if (!s || (gap < 0 ? at != 16 : at > 14))
		return NULL;
	if (gap >= 0) {
		tail = at - (unsigned)gap;
		memmove(ip.b + 16 - tail, ip.b + gap, tail);
		memset(ip.b + gap, 0, 16 - at);
	}
	*out = ip;
	return s;
}

static const char *parse_any(const char *s, struct ip *out)
{
	uint8_t quad[4];
	const char *end = parse_quad(s, quad);

	if (!end)
		return parse_v6(s, out);
	memcpy(out->b, mapped, sizeof(mapped));
	memcpy(out->b + 12, quad, 4);
	return end;
}

bool ip_parse(const char *text, struct ip *out)
{
	struct ip ip;
	const char *end = parse_any(text, &ip);

	if (!end || *end)
		return false;
	*out = ip;
	return true;
}

static bool rest_is_zero(const struct ip *ip, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		if (ip->b[i / 8] >> (7 - i % 8) & 1)
			return false;
	return true;
}

bool prefix_parse(const char *text, struct prefix *out)
{
	struct ip ip;
	const char *s = parse_any(text, &ip);
	unsigned max, bits;

	if (!s)
		return false;
	max = ip_is4(&ip) ? 32 : 128;
	bits = max;
	if (*s == '/')
		s = parse_decimal(s + 1, max, &bits);
	if (!s || *s || !rest_is_zero(&ip, bits + 128 - max))
		return false;
	*out = (struct prefix){ .ip = ip, .bits = (uint8_t)bits };
	return true;
}

bool mac_parse(const char *text, struct mac *out)
{
	struct mac mac;

	for (unsigned i = 0; i < 6; i++, text += 3) {
		const int high = hex_value(text[0]);
		const int low = high < 0 ? -1 : hex_value(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac.b[i] = (uint8_t)(high << 4 | low);
	}
	*out = mac;
	return true;
}

static char *put_decimal(char *s, unsigned v)
{
	if (v >= 10)
		s = put_decimal(s, v / 10);
	*s++ = (char)('0' + v % 10);
	return s;
}

static char *put_hex(char *s, unsigned v)
{
	if (v >= 16)
		s = put_hex(s, v / 16);
	*s++ = "0123456789abcdef"[v % 16];
	return s;
}

/* RFC 5952 section 4.2: the longest run of zero groups, at least two. */
static unsigned longest_gap(const unsigned *group, unsigned *length)
{
	unsigned best = GROUPS, run = 0;

	*length = 1;
	for (unsigned i = 0; i < GROUPS; i++) {
		run = group[i] ? 0 : run + 1;
		if (run > *length) {
			*length = run;
			best = i + 1 - run;
		}
	}
	return best;
}

static char *put_v6(char *s, const struct ip *ip)
{
	unsigned group[GROUPS], gap, length;

	for (unsigned i = 0; i < GROUPS; i++)
		group[i] = (unsigned)ip->b[2 * i] << 8 | ip->b[2 * i + 1];
	gap = longest_gap(group, &length);
	for (unsigned i = 0; i < GROUPS; i++) {
		if (i == gap) {
			*s++ = ':';
			i += length - 1;
			if (i == GROUPS - 1)
				*s++ = ':';
			continue;
		}
		if (i)
			*s++ = ':';
		s = put_hex(s, group[i]);
	}
	return s;
}

static char *put_ip(char *s, const struct ip *ip)
{
	if (!ip_is4(ip))
		return put_v6(s, ip);
	for (unsigned i = 12; i < 16; i++) {
		if (i > 12)
			*s++ = '.';
		s = put_decimal(s, ip->b[i]);
	}
	return s;
}

const char *ip_format(const struct ip *ip, char *buf)
{
	*put_ip(buf, ip) = '\0';
	return buf;
}

const char *mac_format(const struct mac *mac, char *buf)
{
	char *s = buf;

	for (unsigned i = 0; i < 6; i++) {
		if (i)
			*s++ = ':';
		*s++ = "0123456789abcdef"[mac->b[i] >> 4];
		*s++ = "0123456789abcdef"[mac->b[i] & 15];
	}
	*s = '\0';
	return buf;
}

const char *endpoint_format(const struct endpoint *e, char *buf)
{
	const bool v6 = !ip_is4(&e->ip);
	char *s = buf;

	if (v6)
		*s++ = '[';
	s = put_ip(s, &e->ip);
	if (v6)
		*s++ = ']';
	*s++ = ':';
	*put_decimal(s, e->port) = '\0';
	return buf;
}
