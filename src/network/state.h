/* SPDX-License-Identifier: MIT */
/*
 * network/state.h - what the files of this module share of one network.
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
#include "network/switch.h"
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
	struct switched switched;
};

/* A socket of the host's that leads to a port of the guest's. */
struct udp_offer {
	uint32_t name;			/* the driver's */
	struct handle map;
};

/* What a guest is besides its addresses and MACs (proto/guests.h). */
struct member {
	char name[NETWORK_NAME_BYTES];		/* of DNS */
	char rule_name[NETWORK_NAME_BYTES];
	struct ip ip4, ip6;		/* as it was set up */
	bool own_ip6;
	struct ip named6;		/* the name's: heard; :: not yet */
	bool told;			/* that another took what is its own */
	uint32_t switched;		/* flows to others that it began, now */
	uint64_t floods_ns;		/* what it may say to all, see switch.c */
};

/* Where a frame has come from. */
struct arrival {
	unsigned link, guest;
	struct mac mac;
	struct mac to;
	bool aside;			/* that is not the gateway's */
};

struct network {
	struct proto p;			/* first: what proto/ is lent */
	struct network_setup setup;
	struct policy policy;
	struct guard guard;
	struct openings openings;
	struct neighbor_setup neighbor;
	struct member members[NETWORK_GUESTS_MAX];
	struct dns *dns;
	struct reassembly reassembly;
	uint32_t host_began;		/* conversations (direct.h), now */
	uint32_t switched;		/* flows (switch.h), now */
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

/* Is the L4 checksum right, or vouched for by the link? */
bool network_checksum_ok(const struct frame_meta *meta,
			 const struct ip_packet *ip);

/* network/changes.c: the timer for it has fired. */
void network_look_for_moved(struct network *net);

/* ---- network/guests.c ---- */

/* Guest 0, of net->setup. */
void network_first_guest(struct network *net);

/* Is there a guest at that address, as far as the host is concerned? */
bool network_is_guests(const struct network *net, const struct ip *ip);

/* The guest whose frame that is, or GUESTS_NOBODY. */
int network_hear(struct network *net, unsigned link, const struct mac *mac);

/*
 * The guest speaks with that address: false if it may not. What it may take
 * by itself it has then.
 */
bool network_heard(struct network *net, const struct arrival *from,
		   const struct ip *ip);

#endif
