/* SPDX-License-Identifier: MIT */
/*
 * network/names.h - what names are to the rules
 *
 * Rules `out` may be about names instead of addresses. Here the two meet:
 * the DNS service asks which names may be asked for at all, what it answers
 * fills the table of openings, and a flow is decided with the names that its
 * address was given for.
 *
 * A name shuts any address that it has. It opens one only if others may
 * speak for that (network/openings.h), and only as long as it is none of the
 * host's and none of the guest's own network. The gateway's address needs no
 * answer: it has the names by which guests find the host.
 */
#ifndef NETWORK_NAMES_H
#define NETWORK_NAMES_H

#include <stdint.h>

#include "firewall/firewall.h"
#include "service/dns.h"

struct network;

/* dns_ops' gate(), share() and answered(); ctx is the struct network. */
enum dns_gate names_gate(void *ctx, const char *name,
			 const struct dns_reply_to *to, struct handle owner);
int names_share(void *ctx, const uint32_t *has, uint32_t all,
		const struct dns_reply_to *to, struct handle owner);
void names_answered(void *ctx, const struct dns_answered *what,
		    const struct dns_reply_to *to, struct handle owner);

/*
 * firewall_decide() with the names of a flow `out`, which has none yet.
 * lives: it has begun some time ago, so those count that it may have had.
 */
struct firewall_verdict names_decide(const struct network *net,
				     const struct firewall_flow *flow,
				     bool lives);

#endif
