/* SPDX-License-Identifier: MIT */
/*
 * proto/datagram.h - one IP datagram to the guest, of any size
 *
 * Where it does not fit the link it goes in fragments (RFC 791 section
 * 3.2, RFC 8200 section 4.5).
 */
#ifndef PROTO_DATAGRAM_H
#define PROTO_DATAGRAM_H

#include "proto/ctx.h"

#define DATAGRAM_SPANS	2	/* L4 header and data, at most */

/**
 * datagram_send() - send a datagram to the guest
 * @ip:		src, dst, proto, ttl and tos are used
 * @csum_offset: where in v[0], the L4 header, a checksum holds the sum of
 *		the pseudo header and is to be completed; 0: it is complete.
 *		Completed here if the datagram goes in fragments, else left
 *		to the link.
 * @v:		header and data; n is 1 or DATAGRAM_SPANS. At most 65,535
 *		bytes with the IPv4 header; what is more is dropped.
 */
void datagram_send(struct proto *p, const struct ip_packet *ip,
		   uint16_t csum_offset, const struct span *v, unsigned n);

/*
 * The same for several at once: v is one header, as if of a datagram of
 * that length, and the data of datagrams of segment bytes, the last one
 * perhaps shorter. There are at least two, each fits the link, and with the
 * IP header all are 65,535 bytes at most.
 */
void datagram_send_batch(struct proto *p, const struct ip_packet *ip,
			 uint16_t csum_offset,
			 const struct span v[DATAGRAM_SPANS], size_t segment);

#endif
