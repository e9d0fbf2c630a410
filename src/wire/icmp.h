/* SPDX-License-Identifier: MIT */
/*
 * wire/icmp.h - ICMP (RFC 792) and ICMPv6 (RFC 4443): echo and errors.
 */
#ifndef WIRE_ICMP_H
#define WIRE_ICMP_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/span.h"
#include "base/wr.h"
#include "wire/ip.h"

#define ICMP_HEADER_BYTES 8
#define ICMP_QUOTE_BYTES 1232	/* the most that an error quotes */

/*
 * What an error says: name, then type and code of ICMP (IANA, from RFC 792,
 * RFC 1122 section 3.2.2.1 and RFC 1812 section 5.2.7.1) and of ICMPv6
 * (RFC 4443). Where a family lacks the word, its nearest stands. The first
 * with a type and code is what those mean when they are read.
 */
#define ICMP_ERROR_LIST(X)						\
	X(NET_UNREACHABLE,	3, 0,	1, 0)				\
	X(HOST_UNREACHABLE,	3, 1,	1, 3)				\
	X(PROTO_UNREACHABLE,	3, 2,	4, 1)	/* unknown next header */ \
	X(PORT_UNREACHABLE,	3, 3,	1, 4)				\
	X(TOO_BIG,		3, 4,	2, 0)	/* with the MTU */	\
	X(PROHIBITED,		3, 13,	1, 1)	/* administratively */	\
	X(TTL_EXCEEDED,		11, 0,	3, 0)				\
	X(REASSEMBLY_EXCEEDED,	11, 1,	3, 1)				\
	X(PARAMETER,		12, 0,	4, 0)	/* with the place */	\
	X(SOURCE_ROUTE,		3, 5,	1, 3)				\
	X(NET_UNKNOWN,		3, 6,	1, 0)				\
	X(HOST_UNKNOWN,		3, 7,	1, 3)				\
	X(HOST_ISOLATED,	3, 8,	1, 3)				\
	X(NET_PROHIBITED,	3, 9,	1, 1)				\
	X(HOST_PROHIBITED,	3, 10,	1, 1)				\
	X(NET_TOS,		3, 11,	1, 0)				\
	X(HOST_TOS,		3, 12,	1, 3)				\
	X(PRECEDENCE,		3, 14,	1, 1)				\
	X(PRECEDENCE_CUTOFF,	3, 15,	1, 1)				\
	X(BEYOND_SCOPE,		3, 0,	1, 2)				\
	X(SOURCE_POLICY,	3, 13,	1, 5)				\
	X(REJECT_ROUTE,		3, 13,	1, 6)				\
	X(OPTION_MISSING,	12, 1,	4, 0)				\
	X(BAD_LENGTH,		12, 2,	4, 0)				\
	X(OPTION,		3, 2,	4, 2)	/* unknown IPv6 option */

enum icmp_error {
#define X(name, type4, code4, type6, code6) ICMP_##name,
	ICMP_ERROR_LIST(X)
#undef X
	ICMP_ERROR_MAX
};

struct icmp_echo {
	bool reply;
	uint16_t id, seq;
	struct view data;
};

/**
 * icmp_parse_echo() - read an echo request or reply of either family
 * @ip: the packet; its proto says which family. Checksum not verified.
 *
 * Return: DROP_OK, DROP_SHORT, DROP_NOTOURS (any other type),
 * DROP_VALUE (code other than 0).
 */
MUST enum drop icmp_parse_echo(const struct ip_packet *ip,
			       struct icmp_echo *out);

/* Write type, code, checksum (complete), id, seq and data. */
void icmp_emit_echo(struct wr *w, const struct ip *src, const struct ip *dst,
		    const struct icmp_echo *e);

/**
 * icmp_emit_error() - write an ICMP message that quotes a packet
 * @w:		gets the ICMP message, without IP header
 * @src, @dst:	of the IP header to be put before it (ICMPv6 checksum);
 *		their family chooses the format
 * @quote:	offending packet from its IP header on; cut to 548 bytes
 *		(IPv4, RFC 1812 section 4.3.2.3) or 1232 (IPv6, RFC 4443)
 * @word:	for ICMP_TOO_BIG the MTU; for the parameter problems
 *		(12/0, in ICMPv6 all of 4) the offset in quote of what is
 *		wrong; else it is not used
 */
void icmp_emit_error(struct wr *w, const struct ip *src,
		     const struct ip *dst, enum icmp_error error,
		     uint32_t word, struct view quote);

/**
 * icmp_error_read() - what a type and code say
 * @out: written on success only
 *
 * false: not one that reports an error, or not known.
 */
MUST bool icmp_error_read(bool v4, uint8_t type, uint8_t code,
			  enum icmp_error *out);

/*
 * May an error be sent about this packet? Not about ICMP errors, multi-
 * cast or broadcast (RFC 1122 section 3.2.2, RFC 4443 section 2.4 e), nor
 * about later fragments, of which IPv6 excepts those of other protocols
 * than ICMPv6: RFC 8200 section 4.5 wants an error about one too far out.
 */
bool icmp_may_answer(const struct ip_packet *ip);

#endif
