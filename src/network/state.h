/* SPDX-License-Identifier: MIT */
/*
 * network/state.h - what network.c and frames.c share of one network.
 */
#ifndef NETWORK_STATE_H
#define NETWORK_STATE_H

#include <stdint.h>

#include "network/autoconf.h"
#include "network/direct.h"
#include "network/guard.h"
#include "network/network.h"
#include "network/openings.h"
#include "network/paths.h"
#include "network/policy.h"
#include "proto/ctx.h"
#include "proto/ping.h"
#include "proto/reassembly.h"
#include "proto/tcp.h"
#include "proto/udp.h"
#include "service/dns.h"
#include "service/neighbor.h"

#define PORT_DNS 53

/* A slot of the flow table holds one of these. */
union slot {
	struct flow flow;
	struct tcp tcp;
	struct udp_map udp_map;
	struct udp_flow udp;
	struct ping ping;
	struct direct direct;
};

/* A socket of the host's that leads to a port of the guest's. */
struct udp_offer {
	uint32_t name;			/* the driver's */
	struct handle map;
};

struct network {
	struct proto p;			/* first: what proto/ is lent */
	struct network_setup setup;
	struct policy policy;
	struct guard guard;
	struct openings openings;
	struct neighbor_setup neighbor;
	struct ip guest6;		/* the name's: heard; :: not yet */
	struct dns *dns;
	struct reassembly reassembly;
	uint32_t host_began;		/* conversations (direct.h), now */
	struct autoconf autoconf;
	struct paths paths;
	struct timer moved_timer;	/* to look for flows that moved */
	uint32_t moved_at;		/* slot of the flow table */
	uint64_t frames_from_guest, bytes_from_guest;
	uint8_t datagram[2 * FRAME_MAX_BYTES];
	struct udp_gather gather;
	unsigned n_udp_offers;
	struct udp_offer udp_offers[NETWORK_UDP_OFFERS_MAX];
};

/* Of what the gateway says itself. */
extern const struct env_mark network_own_mark;

/* A packet of the guest's that had to wait, past Ethernet and fragments. */
void network_packet_again(struct network *net, const struct frame_meta *meta,
			  struct view packet);

/* Tell the guest that this packet may not pass: by RST, or ICMP. */
void network_refuse(struct network *net, const struct ip_packet *ip);

/* network/changes.c: the timer for it has fired. */
void network_look_for_moved(struct network *net);

/* IPv4 has one address for the guest; in IPv6 it takes more by itself. */
bool network_is_guests(const struct network *net, const struct ip *ip);

/* The guest's name stands for that address from now on; ::, for none. */
void network_name_ip6(struct network *net, const struct ip *ip);

#endif
