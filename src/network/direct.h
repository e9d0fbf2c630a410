/* SPDX-License-Identifier: MIT */
/*
 * network/direct.h - packets between the guest and the host's own stack
 *
 * Theory of operation
 * ============ *
 *
 * With an interface on the host (network_setup.host_port) the host's kernel
 * has the gateway's address, and a route to the subnet. What it sends to the
 * guest goes there as it is, and the guest's answers come back as they are:
 * both see each other's real addresses and ports, and no socket of ours is
 * between them. The host's port carries IP packets, no Ethernet: nothing of
 * ARP, neighbours or router advertisements has to be kept from either.
 *
 * Which packets pass. From the host: source the gateway's address,
 * destination one of the guest's. From the guest: destination the gateway's
 * address, never another one, so that nothing of a guest's is ever routed by
 * the host; and only if it belongs to a *conversation*: one that the host has
 * begun, or one that the guest begins (a SYN, a datagram), where host access
 * allows it and a socket of the host's waits at that address or the wildcard
 * (env's host_listens(): the kernel is asked then and there, so that nothing
 * is out of date). Whatever else the guest sends to the gateway is the
 * gateway's own business, as without the interface: services on the host's
 * loopback, DNS, echo.
 *
 * A conversation is a flow of its own kind (flow/table.h) with a time-out:
 *
 *   TCP   2 h 4 min idle (RFC 5382 REQ-5); 4 min before both have spoken (the
 *         same); 10 s after a RST, or a FIN of each: TIME-WAIT is the ends' own
 *   UDP   2 min (RFC 4787 REQ-5); without host access since the host spoke
 *   echo  30 s, by identifier; only the host's own requests
 *
 * With IP options or extension headers nothing of the guest's passes.
 *
 * What the host has begun gives the guest no more than that: a SYN of its own
 * with the same ports is dropped, and after the end asks as any other does.
 * So two that begin at once (RFC 9293 section 3.5) do not meet.
 *
 * ICMP errors pass where they quote a packet of a conversation. Fragments of
 * the guest's are put together before; of the host's, later ones pass
 * without being asked for, for it is trusted.
 *
 * Limits. Conversations share the flow table; one more is DROP_FLOWS. What the
 * host begins has half of it: any user of the host may begin it.
 */
#ifndef NETWORK_DIRECT_H
#define NETWORK_DIRECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/frame.h"
#include "base/wheel.h"
#include "flow/table.h"
#include "wire/ip.h"

struct network;

struct direct {
	struct flow flow;		/* first; FLOW_DIRECT_* */
	struct timer timer;
	uint64_t idle_ns;		/* since when nothing was said */
	uint64_t from_guest, to_guest;	/* bytes behind the IP headers */
	bool by_host;			/* which began it */
	bool guest_fin, host_fin, reset;	/* of TCP: what was seen */
};

/*
 * A packet of the guest's for the gateway's address, whole and with the
 * checksum that meta speaks of; offsets of meta count from the IP header.
 * true: it went to the host's stack, or *drop says why not; false: it is the
 * gateway's.
 */
bool direct_from_guest(struct network *net, const struct ip_packet *ip,
		       const struct frame_meta *meta, enum drop *drop);

/* A conversation's timer was popped. */
void direct_timer(struct network *net, struct direct *d);

void direct_free(struct network *net, struct direct *d);

#endif
