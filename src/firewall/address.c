/* SPDX-License-Identifier: MIT */
#include "firewall/address.h"

#include <string.h>

#define V4_FIRST_BIT 96		/* IPv4 addresses are held mapped */

const struct known_word port_words[PORT_WORDS] = {
	{ "RPC", PORT_RPC }, { "RPC-EPMap", PORT_RPC_EPMAP },
	{ "Teredo", PORT_TEREDO }, { "IPTLSIn", PORT_IPTLS_IN },
	{ "IPHTTPSIn", PORT_IPHTTPS_IN }, { "IPTLSOut", PORT_IPTLS_OUT },
	{ "IPHTTPSOut", PORT_IPHTTPS_OUT }, { "DHCP", PORT_DHCP },
	{ "Ply2Disc", PORT_PLY2DISC }, { "mDNS", PORT_MDNS },
	{ "CortanaOut", PORT_CORTANA_OUT }, { "TcpCDPSvc", PORT_TCP_CDP },
};

/* In the order of enum addr_word, and Windows' own name of the gateway. */
const struct known_word addr_words[ADDR_WORDS + 1] = {
	{ "LocalSubnet", ADDR_LOCAL_SUBNET }, { "DNS", ADDR_DNS },
	{ "DHCP", ADDR_DHCP }, { "Gateway", ADDR_GATEWAY },
	{ "IntrAnet", ADDR_INTRANET }, { "IntErnet", ADDR_INTERNET },
	{ "RmtIntrAnet", ADDR_REMOTE_INTRANET }, { "WINS", ADDR_WINS },
	{ "Ply2Renders", ADDR_PLY2RENDERS },
	{ "CaptivePortal", ADDR_CAPTIVE_PORTAL },
	{ "DefaultGateway", ADDR_GATEWAY },
};

static bool parse_ip(struct view w, struct ip *out)
{
	char text[IP_TEXT_BYTES];

	if (!w.len || w.len >= sizeof(text) || memchr(w.p, 0, w.len))
		return false;
	memcpy(text, w.p, w.len);
	text[w.len] = '\0';
	return ip_parse(text, out);
}

static void set_bits(struct ip *ip, unsigned from, bool one)
{
	for (unsigned i = from; i < 128; i++) {
		const uint8_t bit = (uint8_t)(0x80 >> i % 8);

		if (one)
			ip->b[i / 8] |= bit;
		else
			ip->b[i / 8] &= (uint8_t)~bit;
	}
}

/* "8", or of IPv4 "255.0.0.0": the first bit behind the prefix. */
static bool parse_bits(struct view w, bool v4, unsigned *out)
{
	const unsigned base = v4 ? V4_FIRST_BIT : 0;
	unsigned bits;
	uint32_t mask;
	struct ip ip;

	if (word_number(w, 128 - base, &bits)) {
		*out = base + bits;
		return true;
	}
	if (!v4 || !parse_ip(w, &ip) || !ip_is4(&ip))
		return false;
	mask = ip_to_v4(ip);
	if (~mask & (~mask + 1))	/* ones, then zeros */
		return false;
	*out = base + (unsigned)(mask ? 32 - __builtin_ctz(mask) : 0);
	return true;
}

static bool parse_prefix(struct view w, bool loose, struct rule_item *out)
{
	struct ip ip, first;
	unsigned bit;

	if (!parse_ip(word_cut(&w, '/'), &ip) ||
	    !parse_bits(w, ip_is4(&ip), &bit))
		return false;
	first = ip;
	set_bits(&first, bit, false);
	if (!loose && !ip_equal(&first, &ip))
		return false;
	out->addr.first = out->addr.last = first;
	set_bits(&out->addr.last, bit, true);
	return true;
}

bool address_parse(struct view w, bool loose, struct rule_item *out)
{
	struct rule_item item = { .kind = ITEM_ADDRS };
	struct view rest = w;

	if (w.len && memchr(w.p, '/', w.len)) {
		if (!parse_prefix(w, loose, &item))
			return false;
	} else if (w.len && memchr(w.p, '-', w.len)) {
		if (!parse_ip(word_trim(word_cut(&rest, '-')),
			      &item.addr.first) ||
		    !parse_ip(word_trim(rest), &item.addr.last) ||
		    ip_is4(&item.addr.first) != ip_is4(&item.addr.last) ||
		    memcmp(&item.addr.first, &item.addr.last,
			   sizeof(struct ip)) > 0)
			return false;
	} else if (parse_ip(w, &item.addr.first)) {
		item.addr.last = item.addr.first;
	} else {
		return false;
	}
	*out = item;
	return true;
}

/* The first bit behind the prefix that a range is; 129 if it is none. */
static unsigned prefix_of(const struct rule_item *item)
{
	unsigned bit = ip_is4(&item->addr.first) ? V4_FIRST_BIT : 0;

	for (; bit <= 128; bit++) {
		struct ip first = item->addr.first, last = first;

		set_bits(&first, bit, false);
		set_bits(&last, bit, true);
		if (ip_equal(&first, &item->addr.first) &&
		    ip_equal(&last, &item->addr.last))
			break;
	}
	return bit;
}

static char *put_number(char *s, unsigned v)
{
	if (v >= 10)
		s = put_number(s, v / 10);
	*s++ = (char)('0' + v % 10);
	return s;
}

const char *address_format(const struct rule_item *item, char *buf)
{
	const unsigned bit = prefix_of(item);
	char *s = buf;

	ip_format(&item->addr.first, s);
	s += strlen(s);
	if (bit < 128) {
		const bool v4 = ip_is4(&item->addr.first);

		*s++ = '/';
		*put_number(s, bit - (v4 ? V4_FIRST_BIT : 0)) = '\0';
	} else if (bit > 128) {
		*s++ = '-';
		ip_format(&item->addr.last, s);
	}
	return buf;
}

bool ports_parse(struct view w, struct rule_item *out)
{
	struct view rest = w;
	const struct view first = word_cut(&rest, '-');
	const bool range = first.len < w.len;
	unsigned a, b;

	if (!word_number(word_trim(first), 65535, &a) ||
	    !word_number(word_trim(range ? rest : first), 65535, &b) || a > b)
		return false;
	*out = (struct rule_item){ .kind = ITEM_PORTS,
		.port = { .first = (uint16_t)a, .last = (uint16_t)b } };
	return true;
}

bool icmp_parse(struct view w, struct rule_item *out)
{
	struct view code = w;
	const struct view type = word_cut(&code, ':');
	unsigned t, c = RULE_ANY_CODE;

	if (!word_number(type, 255, &t))
		return false;
	if (type.len < w.len && !word_is(code, "*") &&
	    !word_number(code, 255, &c))
		return false;
	*out = (struct rule_item){ .kind = ITEM_ICMP,
		.icmp = { .type = (uint16_t)t, .code = (uint16_t)c } };
	return true;
}

bool address_word_parse(struct view w, struct rule_item *out)
{
	uint8_t families = RULE_BOTH;
	unsigned word;

	if (w.len && (w.p[w.len - 1] == '4' || w.p[w.len - 1] == '6')) {
		families = w.p[w.len - 1] == '4' ? RULE_V4 : RULE_V6;
		w.len--;
	}
	if (!word_known(w, addr_words, ADDR_WORDS + 1, &word))
		return false;
	*out = (struct rule_item){ .kind = ITEM_ADDR_WORD,
		.word = (uint8_t)word, .families = families };
	return true;
}

/* A last label of digits is that of an address which is none. */
static bool is_number(struct view label)
{
	for (size_t i = 0; i < label.len; i++)
		if (label.p[i] < '0' || label.p[i] > '9')
			return false;
	return true;
}

static bool good_label(struct view label)
{
	if (!label.len || label.len > 63)
		return false;
	for (size_t i = 0; i < label.len; i++) {
		const uint8_t c = label.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return true;
}

bool name_pattern_parse(struct view w, char *buf)
{
	const bool dot = w.len && memchr(w.p, '.', w.len);
	struct view rest;

	if (word_is(w, "*")) {
		memcpy(buf, "*", 2);
		return true;
	}
	if (!dot)
		return false;
	if (w.p[w.len - 1] == '.')
		w.len--;
	if (!w.len || w.len >= RULE_NAME_BYTES - 2)
		return false;
	rest = w;
	if (w.len > 2 && w.p[0] == '*' && w.p[1] == '.')
		word_cut(&rest, '.');
	for (bool more = true; more;) {
		struct view label;

		more = rest.len && memchr(rest.p, '.', rest.len);
		label = word_cut(&rest, '.');
		if (!good_label(label) || (!more && is_number(label)))
			return false;
	}
	for (size_t i = 0; i < w.len; i++)
		buf[i] = (char)(w.p[i] >= 'A' && w.p[i] <= 'Z' ?
				w.p[i] + 'a' - 'A' : w.p[i]);
	buf[w.len] = '\0';
	return true;
}
