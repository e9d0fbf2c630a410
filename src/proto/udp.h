/* SPDX-License-Identifier: MIT */
/*
 * proto/udp.h - the guest's datagrams, to and from the host's sockets
 *
 * Theory of operation
 * ===================
 *
 * Errors that the host learns about a datagram come back as ICMP errors
 * that quote it.
 *
 * Datagrams that come one by one leave in batches where they can: those of
 * one exchange, of one length (the last may be shorter) and with the same
 * mark, one right after the other. What the guest sends is gathered until
 * another comes or the turn ends; what a socket has is read until it has no
 * more. So nothing waits longer than its turn, and nothing overtakes.
 *
 * Whose they are, and by which socket they go, is in proto/udp_map.h.
 *
 * Limits. UDP_BATCH_MAX datagrams of a guest's frame, UDP_GATHER_MAX that
 * are put together.
 */
#ifndef PROTO_UDP_H
#define PROTO_UDP_H

#include "flow/table.h"
#include "proto/ctx.h"
#include "proto/udp_map.h"
#include "wire/udp.h"

#define UDP_BATCH_MAX	128u	/* datagrams in a frame: as many as Linux sends */

#define UDP_GATHER_MAX	64u	/* datagrams: UDP_MAX_SEGMENTS of Linux */
#define UDP_GATHER_BYTES 65000u	/* together; below what IP carries */
#define UDP_QUOTE_BYTES	128	/* of the first: IPv6, UDP and some data */

/* The guest's datagrams that are to leave together. */
struct udp_gather {
	struct handle flow;		/* their exchange */
	struct env_mark mark;
	uint32_t n, len;		/* datagrams and bytes; n 0: empty */
	uint16_t segment;		/* bytes of each but the last */
	bool full;			/* the last was shorter */
	struct ip_packet first;		/* its views are of `quote` */
	uint8_t quote[UDP_QUOTE_BYTES];
	uint8_t data[UDP_GATHER_BYTES];
};

/*
 * A datagram of the guest's. `to` is where the host sends it; the key's
 * peer is what the guest calls it. segment: bytes per datagram if data is
 * a batch of several, else 0.
 */
enum drop udp_from_guest(struct proto *p, const struct flow_key *key,
			 const struct endpoint *to, const struct ip_packet *ip,
			 const struct udp *udp, size_t segment);

/*
 * Send one datagram to the guest; from and to as the guest sees them, the
 * mark as it is to be on the link.
 */
void udp_to_guest(struct proto *p, const struct endpoint *from,
		  const struct endpoint *to, const struct env_mark *mark,
		  const void *data, size_t len);

/* What was gathered leaves. */
void udp_turn_end(struct proto *p);

/*
 * What p->may_call() has kept comes again; map is the handle of the call's
 * map, which need not be there any more.
 */
void udp_called_again(struct proto *p, struct handle map,
		      const struct proto_call *call);

void udp_host_event(struct proto *p, struct udp_map *m, unsigned events);

#endif
