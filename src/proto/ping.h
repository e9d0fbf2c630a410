/* SPDX-License-Identifier: MIT */
/*
 * proto/ping.h - the guest's echo requests over the host's ping sockets
 *
 * One flow is one (guest address, identifier, peer): a series of pings.
 * Each has a ping socket of the host, which chooses its own identifier;
 * sequence, payload and hop limit are the guest's. It ends when it was
 * idle for PING_IDLE_NS. Where the host allows no ping sockets
 * (net.ipv4.ping_group_range) the guest is told at once that echo is
 * administratively prohibited.
 */
#ifndef PROTO_PING_H
#define PROTO_PING_H

#include "base/wheel.h"
#include "flow/table.h"
#include "proto/ctx.h"
#include "wire/icmp.h"

#define PING_IDLE_NS	(UINT64_C(30) * 1000000000)

struct ping {
	struct flow flow;		/* first; FLOW_PING */
	struct timer timer;
	int sock;
	struct proto_cut cut;
	uint16_t seq;			/* of the last request */
	struct ip to;			/* the peer as the host reaches it */
	uint64_t idle_ns;
};

enum drop ping_from_guest(struct proto *p, const struct flow_key *key,
			  const struct ip *to, const struct ip_packet *ip,
			  const struct icmp_echo *echo);

/*
 * Send an echo reply to the guest, from and to as the guest sees them, the
 * mark as it is to be on the link.
 */
void ping_reply(struct proto *p, const struct ip *from, const struct ip *to,
		const struct env_mark *mark, const struct icmp_echo *echo);

void ping_host_event(struct proto *p, struct ping *g, unsigned events);
void ping_timer(struct proto *p, struct ping *g);
void ping_free(struct proto *p, struct ping *g);

#endif
