/* SPDX-License-Identifier: MIT */
/* doctor/netif.h - interfaces of the caller's network namespace. */
#ifndef DOCTOR_NETIF_H
#define DOCTOR_NETIF_H

#include <net/if.h>
#include <stdbool.h>

#include "base/addr.h"

#define NETIF_MAX 16		/* that are looked at */

struct netif {
	char name[IFNAMSIZ];
	struct ip ip;		/* IPv4 */
	uint8_t bits;		/* of its subnet */
	bool up;
	unsigned mtu;
};

/* Those with an IPv4 address, but for loopback: how many of at most max. */
unsigned netif_list(struct netif *out, unsigned max);

/* Is ip in the subnet of that interface? */
bool netif_has(const struct netif *n, const struct ip *ip);

/* The prefix of that interface. */
struct prefix netif_subnet(const struct netif *n);

#endif
