/* SPDX-License-Identifier: MIT */
/*
 * service/neighbor.h - what the gateway answers to ARP and NDP. Pure.
 *
 * (network/network.c is written against this header; keep its shape.)
 */
#ifndef SERVICE_NEIGHBOR_H
#define SERVICE_NEIGHBOR_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/check.h"
#include "wire/arp.h"
#include "wire/ip.h"
#include "wire/ndp.h"

struct neighbor_setup {
	struct mac gateway_mac;
	struct prefix net4, net6;
	struct ip gateway4, gateway6;
};

struct neighbor_answer {
	struct ip src, dst;	/* of the IPv6 header; hop limit is 255 */
	struct mac dst_mac;	/* of the Ethernet header */
	struct ndp advert;	/* has_mac, mac set */
};

/* The reply to an ARP message, if it wants one from us. */
MUST bool neighbor_arp(const struct neighbor_setup *s, const struct arp *ask,
		       struct arp *answer);

/*
 * The advert that answers an NDP message, if it wants one from us. ip is
 * the packet that carried it (source address; :: in DAD).
 */
MUST bool neighbor_ndp(const struct neighbor_setup *s,
		       const struct ip_packet *ip, const struct ndp *ask,
		       struct neighbor_answer *answer);

#endif
