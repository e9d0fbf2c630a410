/* SPDX-License-Identifier: MIT */
/*
 * network/switch.h - what guests of one network say to each other
 *
 * Theory of operation
 * ===================
 *
 * Guests reach each other as on a switch: frames of one go to the other's
 * link as they are, with both ends' own addresses and MACs; no connection
 * ends here. But it is a switch that looks at IP, and knows who is who
 * (proto/guests.h): a packet goes where the address it is for is, at
 * whichever MAC the sender has sent it, and but for datagrams to groups nothing
 * is flooded.
 *
 *   ARP, NDP    a request goes to the guest that has the address asked for,
 *               an answer to who asked, if the sender speaks for itself; an
 *               advert to all nodes goes to all (RFC 4862 section 5.4.4).
 *               Router advertisements and redirects go nowhere: there is one
 *               router; nor does what only a DHCP server says
 *   IP          to one guest; of what is for a group, or for all, datagrams of
 *               UDP (mDNS, SSDP ..) go to each other link whose guests may all
 *               be spoken to at that port; they are no flow
 *
 * A packet needs a *flow*: of TCP, UDP or echo by addresses and ports, of any
 * other protocol by its number. Its first packet is asked about: the rules
 * `out` of the one, then `in` of the other (network/guard.h, GUARD_TO_GUEST).
 * Which program it is of is not known there. ICMP errors pass that quote a
 * packet of a flow, to whom that packet was from. A segment that has no flow
 * is answered by RST, so that nobody waits where we have begun anew.
 *
 *   TCP   2 h 4 min idle; 4 min before both have spoken; 10 s after the end
 *   UDP, others   2 min
 *   echo  30 s
 *
 * What is said of a frame (base/frame.h) passes on, if it is true. Datagrams
 * in fragments are put together, and cut again for the way out.
 *
 * Isolated guests (network_setup.isolate) find the gateway at each other's
 * addresses, and are told by ICMP that it may not be.
 *
 * Limits. Flows share the flow table: SWITCH_PART of it at most, of what one
 * guest has begun SWITCH_GUEST_PART, and each guest's share (proto/share.h);
 * one more is DROP_FLOWS. A packet over the MTU is DROP_TOOBIG, and who sent
 * it is told. A batch of TCP is of segments of SWITCH_SEGMENT_LEAST bytes at
 * least. To all others a guest says SWITCH_FLOODS frames at once, and then one
 * in SWITCH_FLOOD_NS; more is DROP_LIMIT.
 */
#ifndef NETWORK_SWITCH_H
#define NETWORK_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/frame.h"
#include "base/wheel.h"
#include "flow/table.h"
#include "wire/arp.h"
#include "wire/ip.h"
#include "wire/ndp.h"

#define SWITCH_PART		2	/* of the flows: one in so many */
#define SWITCH_GUEST_PART	8
#define SWITCH_SEGMENT_LEAST	88
#define SWITCH_FLOODS		200u	/* to all others, at once */
#define SWITCH_FLOOD_NS		UINT64_C(10000000)	/* then one in so long */

struct network;
struct arrival;

/* The key's guest is who began it. */
struct switched {
	struct flow flow;		/* first; FLOW_SWITCH_* */
	struct timer timer;
	uint64_t idle_ns;		/* since when nothing was said */
	uint64_t sent, got;		/* bytes behind IP, by who began it */
	uint8_t by;			/* the guest that did */
	bool fin, other_fin, reset;	/* of TCP: what was seen */
};

/* May guests reach each other here, and are there any? */
bool switch_is_on(const struct network *net);

/* Is that address another guest's than the one's that has src? */
bool switch_is_for(const struct network *net, const struct ip *src,
		   const struct ip *dst);

/*
 * A whole packet for another guest; its source is the sender's own. Offsets
 * of meta count from the IP header.
 */
enum drop switch_packet(struct network *net, const struct ip_packet *ip,
			const struct frame_meta *meta);

/* Is that a group here, or everybody on the network? */
bool switch_is_group(const struct network *net, const struct ip *dst);

/* A datagram for such, with the sender's own address. */
enum drop switch_group(struct network *net, const struct arrival *from,
		       const struct ip_packet *ip,
		       const struct frame_meta *meta);

/* to: of the frame. What the gateway does not answer itself. */
enum drop switch_arp(struct network *net, const struct arrival *from,
		     const struct mac *to, const struct arp *a);
enum drop switch_ndp(struct network *net, const struct arrival *from,
		     const struct ip_packet *ip, const struct ndp *n);

void switch_timer(struct network *net, struct switched *s);
void switch_free(struct network *net, struct switched *s);

#endif
