/* SPDX-License-Identifier: MIT */
/*
 * service/dhcp4.h - the gateway as DHCPv4 server (RFC 2131). Pure.
 *
 * Whose question it is the caller knows (proto/guests.h), and each guest's
 * address is known before it asks: so nothing is kept, whatever MAC a guest
 * has gets that address, and a lease is the same after any restart.
 */
#ifndef SERVICE_DHCP4_H
#define SERVICE_DHCP4_H

#include <stdbool.h>

#include "base/check.h"
#include "wire/dhcp4.h"

#define DHCP4_LEASE_S	3600u

struct dhcp4_setup {
	struct prefix net4;
	struct ip gateway4, guest4;
	uint16_t mtu;			/* of the guest's link */
	const char *hostname;		/* borrowed; "" none */
	const char *search;		/* borrowed; blanks between; "" none */
};

struct dhcp4_answer {
	struct dhcp4_reply reply;
	struct ip dst;			/* of the IP header, from the gateway */
	bool everyone;			/* Ethernet broadcast, else chaddr */
};

/*
 * The answer to a message, if it gets one. RELEASE and DECLINE change
 * nothing: the address is the guest's for good.
 */
MUST bool dhcp4_answer(const struct dhcp4_setup *s, const struct dhcp4 *m,
		       struct dhcp4_answer *out);

#endif
