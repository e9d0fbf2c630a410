/* SPDX-License-Identifier: MIT */
/*
 * wire/ip.h - IPv4 (RFC 791) and IPv6 (RFC 8200) headers as one value.
 */
#ifndef WIRE_IP_H
#define WIRE_IP_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/rd.h"
#include "base/span.h"
#include "base/wr.h"

#define IPV4_HEADER_BYTES 20
#define IPV6_HEADER_BYTES 40
#define IPV6_FRAGMENT_BYTES 8	/* of the fragment header */

enum ip_proto {
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ICMP6 = 58,
};

struct ip_packet {
	struct ip src, dst;
	bool v6;
	uint8_t proto;		/* after extension headers, for IPv6; of a
				   fragment: what its header says */
	uint16_t proto_at;	/* where in whole that stands */
	uint8_t ttl;		/* hop limit */
	uint8_t tos;		/* traffic class: DSCP and ECN */
	bool dont_fragment;	/* on the way; IPv6: always */
	bool fragment;		/* one of several; payload is its piece */
	bool more;		/* fragments follow */
	uint16_t frag_offset;	/* bytes */
	uint32_t frag_id;
	struct view payload;	/* what follows the headers, padding cut */
	struct view whole;	/* header and payload, for ICMP quotes */
};

/**
 * ip_parse_packet() - read an IPv4 or IPv6 packet
 * @r:	the packet from its first byte; Ethernet padding may follow
 * @v6:	which of the two the Ethernet type announced
 * @out: written on success only; views point into r's bytes
 *
 * IPv4: header checksum verified, options skipped. IPv6: hop-by-hop (only
 * first), destination options and fragment headers are walked, at most 8;
 * a routing header with segments left is refused (RFC 5095). What a
 * fragment header of several is followed by is the payload.
 *
 * Return: DROP_OK, or
 *   DROP_SHORT		cut off
 *   DROP_LENGTH	total length contradicts header length or r, or IPv6
 *			payload length 0 (jumbograms)
 *   DROP_VALUE		wrong version, IPv4-mapped address in IPv6, more
 *			than 8 extension headers, routing header
 *   DROP_CHECKSUM	IPv4 header checksum
 */
MUST enum drop ip_parse_packet(struct rd r, bool v6, struct ip_packet *out);

/*
 * The same of a packet whose last far bytes lie elsewhere (base/frame.h): its
 * lengths have to account for exactly those, and the views end before them.
 */
MUST enum drop ip_parse_head(struct rd r, size_t far, bool v6,
			     struct ip_packet *out);

/*
 * Consume the header of a packet of which the rest may be missing, as an ICMP
 * error quotes it; no extension header is looked behind. false: cut off, or
 * not of that family.
 */
MUST bool ip_peek(struct rd *r, bool v6, struct ip *src, struct ip *dst,
		  uint8_t *proto);

/*
 * Emit the header for a payload of payload_len bytes (IPv4: 20 bytes with
 * checksum, identification frag_id; IPv6: 40 bytes, no extension). Used
 * of p: src, dst, proto, ttl, tos, dont_fragment, frag_id, frag_offset and
 * more. The family is that of src. For IPv6 a fragment header is written,
 * too, if frag_offset or more is set.
 */
void ip_emit(struct wr *w, const struct ip_packet *p, size_t payload_len);

/* The bytes that ip_emit() writes for that family. */
static inline size_t ip_header_bytes(const struct ip *ip)
{
	return ip_is4(ip) ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
}

#endif
