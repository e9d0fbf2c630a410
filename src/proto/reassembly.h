/* SPDX-License-Identifier: MIT */
/*
 * proto/reassembly.h - the guest's fragments made whole again
 *
 * By RFC 791 section 3.2 and RFC 8200 section 4.5. A datagram with pieces
 * that overlap is refused as a whole (RFC 5722, for IPv4 too, as Linux
 * does); a piece that comes twice with the same bytes is passed over.
 *
 * Limits. REASSEMBLY_MAX datagrams at once; the oldest makes room, of the
 * guest that has the most. Of each at most RANGES_MAX stretches with holes between; REASSEMBLY_NS for all of
 * one to arrive, after which the sender is told if its first piece is here.
 */
#ifndef PROTO_REASSEMBLY_H
#define PROTO_REASSEMBLY_H

#include "base/wheel.h"
#include "proto/ctx.h"
#include "proto/ranges.h"
#include "wire/ip.h"

#define REASSEMBLY_MAX	32
#define REASSEMBLY_NS	(UINT64_C(60) * 1000000000)	/* RFC 8200 */

/* One datagram of which not all has arrived. */
struct partial {
	struct ip src, dst;
	uint32_t id;
	uint8_t proto;
	uint8_t owner;			/* the guest that sends it */
	bool used;
	bool has_end;			/* `end` is known */
	uint8_t ttl, tos;		/* of the first piece */
	uint32_t end;			/* bytes of payload */
	uint64_t deadline_ns;
	struct ranges have;		/* of the payload */
	uint8_t *p;			/* room for headers, then the payload */
	uint32_t cap;			/* a power of two; 0 if p is NULL */
};

struct reassembly {
	struct timer timer;		/* armed while any is partial */
	struct partial partial[REASSEMBLY_MAX];
	uint8_t *whole;			/* lent by reassembly_add() */
	uint32_t whole_cap;
};

/**
 * reassembly_add() - a piece of a datagram
 * @ip:		with ip->fragment
 * @out:	the whole packet from its IP header on, if that was the last
 *		piece missing; lent until reassembly_done(). p is NULL else.
 *
 * Return: DROP_OK, DROP_LENGTH (a piece that is not a multiple of 8 bytes,
 * or reaches past the longest packet or the known end), DROP_FRAGMENT
 * (overlap, too many holes) or DROP_LIMIT (no memory).
 */
MUST enum drop reassembly_add(struct proto *p, struct reassembly *r,
			      const struct ip_packet *ip, struct view *out);

/* The packet lent by reassembly_add() is no longer needed. */
void reassembly_done(struct proto *p, struct reassembly *r);

/* The timer has fired: give up what is too old. */
void reassembly_timer(struct proto *p, struct reassembly *r);

/* Give all memory back. */
void reassembly_fini(struct proto *p, struct reassembly *r);

#endif
