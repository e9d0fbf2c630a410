/* SPDX-License-Identifier: MIT */
/*
 * proto/ctx.h - what the translators of one network share.
 *
 * Owned by network/, lent to every function of proto/ for the call.
 */
#ifndef PROTO_CTX_H
#define PROTO_CTX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/drop.h"
#include "base/siphash.h"
#include "base/wheel.h"
#include "env/env.h"
#include "flow/table.h"
#include "proto/crowd.h"
#include "proto/guests.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"

struct proto;
struct tcp;
struct udp_gather;
struct udp_map;

/* Datagrams with which a peer begins an exchange at an offer; lent. */
struct proto_call {
	const struct udp_map *map;
	struct endpoint peer;		/* as the host names it */
	struct endpoint shown;		/* as the guest will */
	struct env_mark mark;		/* segment: bytes of each but the last */
	struct view data;
	unsigned n;
};

struct proto {
	struct env env;
	struct flow_table flows;
	struct wheel wheel;

	struct mac gateway_mac;
	struct guests guests;
	struct ip gateway4, gateway6;
	struct prefix net4, net6;	/* the guests' subnets */
	unsigned mtu;			/* of the guests' links */

	uint64_t now_ns;		/* of this turn */
	struct siphash_key isn_key;	/* RFC 6528 */
	uint32_t ip_id;
	uint32_t half_open;		/* TCP flows not yet established */
	uint32_t half_of[NETWORK_GUESTS_MAX];
	struct tcp *half_oldest, *half_newest;	/* by when they began */
	struct crowd up, down;		/* TCP flows with bulk */
	struct tcp *owed;		/* flows with work for the turn's end */
	struct proto_held {
		struct tcp *first, **end;	/* where the next one goes */
	} held[NETWORK_LINKS_MAX];	/* flows that wait for a link's room */
	uint32_t full;			/* links that have none, a bit each */
	struct timer full_timer;	/* then each is tried all the same */
	uint32_t called;		/* UDP exchanges that peers began, now */
	uint64_t udp_offers;		/* ever, but for guests' own maps */
	/* May it begin? Else *why; DROP_OK: not now, it will come again. */
	bool (*may_call)(struct proto *p, const struct proto_call *call,
			 enum drop *why);
	/* Of IPv6: what the path there takes; 0: as much as it says. */
	uint16_t (*path_takes)(struct proto *p, const struct ip *to);
	uint8_t *datagram;		/* scratch: 2 * FRAME_MAX_BYTES */
	struct udp_gather *gather;	/* of this turn, see proto/udp.h */

	uint64_t frames_to_guest, bytes_to_guest;
	/* Of the ICMP errors to each guest, see ctx.c. */
	uint64_t errors_ns[NETWORK_GUESTS_MAX];
	uint64_t drops[DROP_MAX];
	uint64_t retransmits;
	uint64_t store_bytes;		/* of the flows' stores, now */
};

#define PROTO_HOP_LIMIT 64		/* of packets of our own */

/* Shorter packets pass everywhere: they need no care about fragments. */
#define PROTO_NARROW_BYTES 576

/* Room for Ethernet, IP and the longest TCP header. */
#define PROTO_HEAD_BYTES (ETH_HEADER_BYTES + IPV6_HEADER_BYTES + 60)

/*
 * Write Ethernet and IP headers for l4_len bytes of proto from src (ours)
 * to the guest's address dst, hop limit 64, not to be fragmented.
 */
void proto_emit_ip(struct proto *p, struct wr *w, const struct ip *src,
		   const struct ip *dst, uint8_t proto, size_t l4_len);

/*
 * Put a frame on the link of the guest that has the address `to`, and count
 * it. A full link loses the frame, as a full queue on any wire does, and so
 * does a guest that is nowhere; false then.
 */
bool proto_send(struct proto *p, const struct ip *to,
		const struct frame_meta *meta, const struct span *v,
		unsigned n);

/* The same by the link alone. */
bool proto_send_link(struct proto *p, unsigned link,
		     const struct frame_meta *meta, const struct span *v,
		     unsigned n);

/* The link of the guest that has the address; -1: it is nowhere. */
int proto_link_to(const struct proto *p, const struct ip *to);

/* Was that link full when last heard of? */
static inline bool proto_is_full(const struct proto *p, unsigned link)
{
	return p->full >> link & 1;
}

/* The MAC of a guest's address; lent until something is heard. */
static inline const struct mac *proto_mac(const struct proto *p,
					  const struct ip *ip)
{
	const int id = guests_to(&p->guests, ip);

	return guests_mac(&p->guests, id < 0 ? 0 : (unsigned)id, ip);
}

/*
 * Answer a packet of the guest's with an ICMP error from `from` (the
 * gateway, or whoever reported it). quote: from its IP header on. Does
 * nothing where icmp_may_answer() forbids it; ip is the quote, parsed.
 * word: as for icmp_emit_error().
 */
void proto_icmp_error(struct proto *p, const struct ip *from,
		      const struct ip_packet *ip, enum icmp_error error,
		      uint32_t word);

/* How the host cuts what a datagram socket sends; zeroed: as at first. */
struct proto_cut {
	bool whole;			/* not at all */
	uint16_t mtu;			/* see env_ops.dgram_fragment() */
};

/*
 * A packet of so many bytes is to be sent by sock, whose cut is *cut: whole,
 * or in such pieces as the path takes.
 */
void proto_cut_for(struct proto *p, struct proto_cut *cut, int sock,
		   const struct ip *to, bool whole, size_t bytes);

/* What flows remember of the time: whole seconds of the driver's clock. */
static inline uint32_t proto_seconds(const struct proto *p)
{
	return (uint32_t)(p->now_ns / 1000000000u);
}

/* The gateway's address of that address's family. */
static inline const struct ip *proto_gateway(const struct proto *p,
					     const struct ip *ip)
{
	return ip_is4(ip) ? &p->gateway4 : &p->gateway6;
}

/*
 * May the guest see that address as who speaks to it at `guest`, and answer
 * there? Else the gateway is shown.
 */
bool proto_can_be_seen(const struct proto *p, const struct ip *ip,
		       const struct ip *guest);

/*
 * Whom the guest is to hear an error from about a packet of src's (its own
 * address): who reported it to the host, or the gateway, if that was the
 * host itself over loopback, or nobody.
 */
static inline struct ip proto_offender(const struct proto *p,
				       const struct env_net_error *e,
				       const struct ip *src)
{
	if (ip_is_loopback(&e->offender) || ip_is_unspecified(&e->offender) ||
	    ip_is4(&e->offender) != ip_is4(src))
		return *proto_gateway(p, src);
	return e->offender;
}

/*
 * Hop limit for the host's socket: one less than the guest's, as a router
 * does; 0, the host's own, where the guest used a usual default, which
 * spares most datagrams a control message.
 */
static inline uint8_t proto_next_ttl(uint8_t ttl)
{
	return ttl == 64 || ttl == 128 || ttl == 255 ? 0 : (uint8_t)(ttl - 1);
}

/* The same for what the host received: host: from itself, so no hop. */
static inline uint8_t proto_ttl_to_guest(uint8_t ttl, bool host)
{
	if (!ttl)
		return PROTO_HOP_LIMIT;
	return host || ttl == 1 ? ttl : (uint8_t)(ttl - 1);
}

#endif
