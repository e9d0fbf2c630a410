/* SPDX-License-Identifier: MIT */
/*
 * service/dhcp6.h - the gateway as DHCPv6 server (RFC 8415). Pure.
 *
 * As with DHCPv4 the guest's address is known before it asks: the first
 * IA_NA of a message has it, whatever MAC sends it, and nothing is kept. There are no prefixes and no temporary addresses.
 */
#ifndef SERVICE_DHCP6_H
#define SERVICE_DHCP6_H

#include <stdbool.h>

#include "base/check.h"
#include "wire/dhcp6.h"

#define DHCP6_PREFERRED_S	3600u
#define DHCP6_VALID_S		7200u

struct dhcp6_setup {
	struct mac gateway_mac;		/* of the server's DUID */
	struct prefix net6;
	struct ip gateway6, guest6;
	const char *search;		/* borrowed; blanks between; "" none */
};

/*
 * The answer to a message, if it gets one. multicast: it was sent to
 * All_DHCP_Relay_Agents_and_Servers, as a client has to (section 18.4).
 */
MUST bool dhcp6_answer(const struct dhcp6_setup *s, const struct dhcp6 *m,
		       bool multicast, struct dhcp6_reply *out);

#endif
