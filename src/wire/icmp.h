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

/* What an error says, in both families' words. */
enum icmp_error {
	ICMP_NET_UNREACHABLE,	/* v4 3/0, v6 1/0 no route */
	ICMP_HOST_UNREACHABLE,	/* v4 3/1, v6 1/3 address unreachable */
	ICMP_PROTO_UNREACHABLE,	/* v4 3/2, v6 4/1 unknown next header */
	ICMP_PORT_UNREACHABLE,	/* v4 3/3, v6 1/4 */
	ICMP_PROHIBITED,	/* v4 3/13, v6 1/1 administratively */
	ICMP_TOO_BIG,		/* v4 3/4 with MTU, v6 2/0 with MTU */
	ICMP_TTL_EXCEEDED,	/* v4 11/0, v6 3/0 */
	ICMP_REASSEMBLY_EXCEEDED,	/* v4 11/1, v6 3/1 */
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
 * @mtu:	for ICMP_TOO_BIG, else 0
 */
void icmp_emit_error(struct wr *w, const struct ip *src,
		     const struct ip *dst, enum icmp_error error,
		     uint32_t mtu, struct view quote);

/*
 * May an error be sent about this packet? Not about ICMP errors, multi-
 * cast or broadcast, later fragments (RFC 1122 section 3.2.2, RFC 4443
 * section 2.4 e).
 */
bool icmp_may_answer(const struct ip_packet *ip);

#endif
