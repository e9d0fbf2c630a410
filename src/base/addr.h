/* SPDX-License-Identifier: MIT */
/*
 * base/addr.h - IP addresses, prefixes and endpoints as values.
 *
 * One type carries both families: an IPv4 address is held in its mapped
 * form ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). A mapped address never
 * arrives in an IPv6 header: wire/ refuses it, so the form is unambiguous.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define IP_TEXT_BYTES	46	/* longest text form and its NUL */
#define MAC_TEXT_BYTES	18
#define ENDPOINT_TEXT_BYTES (IP_TEXT_BYTES + 8)	/* "[...]:65535" */

struct ip {
	uint8_t b[16];		/* network order; IPv4 mapped */
};

struct mac {
	uint8_t b[6];
};

struct endpoint {
	struct ip ip;
	uint16_t port;		/* host order */
};

/* Addresses whose first bits are those of ip. */
struct prefix {
	struct ip ip;
	uint8_t bits;		/* 0..32 for IPv4, 0..128 for IPv6 */
};

/* IPv4 address from its 32 bits in host order (127.0.0.1 = 0x7f000001). */
struct ip ip_from_v4(uint32_t v4);

/* The 32 bits of an IPv4 address in host order; ip must be IPv4. */
uint32_t ip_to_v4(struct ip ip);

bool ip_is4(const struct ip *ip);
bool ip_equal(const struct ip *a, const struct ip *b);
bool mac_equal(const struct mac *a, const struct mac *b);

bool ip_is_unspecified(const struct ip *ip);	/* 0.0.0.0, :: */
bool ip_is_loopback(const struct ip *ip);	/* 127/8, ::1 */
bool ip_is_multicast(const struct ip *ip);	/* 224/4, ff00::/8 */
bool ip_is_broadcast(const struct ip *ip);	/* 255.255.255.255 */
bool ip_is_link_local(const struct ip *ip);	/* 169.254/16, fe80::/10 */

/*
 * May it be anybody's in the world? Not so if it is loopback, private
 * (RFC 1918, RFC 4193, 100.64/10), link-local, site-local, unspecified,
 * multicast or reserved; nor if it is IPv6 and has such an IPv4 address in
 * it (NAT64, 6to4, Teredo, compatible).
 */
bool ip_is_public(const struct ip *ip);

/* fe80:: with the modified EUI-64 of a MAC: RFC 4291 appendix A. */
struct ip ip_link_local(const struct mac *mac);

bool prefix_has(const struct prefix *p, const struct ip *ip);

/**
 * ip_parse() - read an address in its usual text form
 * @text:	NUL-terminated; dotted quad (four decimal parts, no leading
 *		zeros) or RFC 4291 section 2.2, no zone, no brackets
 * @out:	written on success only
 *
 * An IPv4-mapped text (::ffff:1.2.3.4) gives the IPv4 address.
 *
 * Return: true, or false if the text is no address.
 */
MUST bool ip_parse(const char *text, struct ip *out);

/* "ADDR/BITS" or "ADDR" (all bits). Bits after the prefix must be zero. */
MUST bool prefix_parse(const char *text, struct prefix *out);

/* "xx:xx:xx:xx:xx:xx", either case. */
MUST bool mac_parse(const char *text, struct mac *out);

/* RFC 5952 form. buf holds IP_TEXT_BYTES. Returns buf. */
const char *ip_format(const struct ip *ip, char *buf);
const char *mac_format(const struct mac *mac, char *buf);

/* "1.2.3.4:80" or "[::1]:80". buf holds ENDPOINT_TEXT_BYTES. Returns buf. */
const char *endpoint_format(const struct endpoint *e, char *buf);

#endif
