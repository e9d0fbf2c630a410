/* SPDX-License-Identifier: MIT */
/*
 * network/autoconf.h - how a guest with its defaults comes up: DHCPv4, router
 * advertisements with stateless addresses, and DHCPv6.
 *
 * The adverts ask for both kinds of IPv6 address: DHCPv6 gives the one that
 * `status` shows and our DNS answers, the stateless one serves a kernel that
 * has no DHCPv6 client at hand. They do not get into each other's way: a
 * guest may have many.
 *
 * A guest that has never asked is told nothing, so that a network whose
 * guest was set up otherwise stays asleep.
 */
#ifndef NETWORK_AUTOCONF_H
#define NETWORK_AUTOCONF_H

#include <stdbool.h>

#include "base/wheel.h"
#include "network/network.h"
#include "proto/ctx.h"
#include "service/dhcp4.h"
#include "service/dhcp6.h"
#include "wire/ndp.h"
#include "wire/udp.h"

#define AUTOCONF_REPEAT_NS (UINT64_C(600) * 1000000000)	/* RFC 4861 6.2.1 */

/* Who asks, and what is meant for it. */
struct autoconf_guest {
	unsigned id;			/* proto/guests.h */
	struct mac mac;			/* from which it asks */
	struct ip ip4, ip6;
	const char *name;		/* borrowed; "" none */
};

struct autoconf {
	struct timer timer;		/* armed once a guest has solicited */
	struct dhcp4_setup dhcp4;
	struct dhcp6_setup dhcp6;
	struct ndp_router router;
	struct ip own;			/* the gateway's link-local address */
	uint64_t told_ns;		/* when the last advert went; 0 never */
	uint32_t links;			/* that get them, a bit each */
};

/* setup is borrowed for good; what is a guest's own is told when it asks. */
void autoconf_init(struct autoconf *a, const struct network_setup *setup);

/* Is that packet one of a DHCP client's, whatever its source? */
bool autoconf_is_dhcp(const struct autoconf *a, const struct ip_packet *ip);

/* Its UDP datagram; the checksum was verified. */
enum drop autoconf_dhcp(const struct autoconf *a, struct proto *p,
			const struct ip_packet *ip,
			const struct autoconf_guest *from,
			const struct udp *udp);

/* A router solicitation has come in at that link (RFC 4861 section 6.2.6). */
void autoconf_solicited(struct autoconf *a, struct proto *p, unsigned link);

/* The link's MTU is another now (p->mtu). */
void autoconf_set_mtu(struct autoconf *a, struct proto *p);

/* The timer has fired. */
void autoconf_timer(struct autoconf *a, struct proto *p);

#endif
