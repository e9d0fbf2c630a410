/* SPDX-License-Identifier: MIT */
/*
 * base/network_stats.h - a network's figures, from the core to the terminal.
 */
#ifndef BASE_NETWORK_STATS_H
#define BASE_NETWORK_STATS_H

#include <stdint.h>

#include "base/addr.h"
#include "base/drop.h"

#define NETWORK_NARROW_MAX 8

/* A path that takes less than it says (network/paths.h). */
struct network_narrow {
	uint32_t dev;			/* the host's interface by which all
					   such go; 0: to one address */
	struct ip to;
	uint16_t mtu;			/* so much does it take */
};

struct network_stats {
	uint32_t flows_tcp, flows_udp, flows_icmp;	/* now */
	uint32_t relays;		/* of the driver's, on localhost */
	uint32_t flows_max;
	uint64_t frames_from_guest, frames_to_guest;	/* ever */
	uint64_t bytes_from_guest, bytes_to_guest;	/* of frames */
	uint64_t drops[DROP_MAX];
	uint64_t retransmits;
	uint64_t store_bytes;		/* allocated now, for flows */
	uint64_t dns_questions, dns_from_cache, dns_failed;	/* ever */
	uint64_t dns_refused;		/* ever: names that rules do not allow */
	uint64_t names_lost;		/* ever: that an address was given for,
					   before their time was over */
	uint64_t dns_kept_bytes;	/* allocated now, for answers and
					   their names */
	unsigned n_narrow;		/* of those, now */
	struct network_narrow narrow[NETWORK_NARROW_MAX];
	struct ip guest6;		/* its name's; ::, none heard yet */
};

#endif
