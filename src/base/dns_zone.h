/* SPDX-License-Identifier: MIT */
/* base/dns_zone.h - a domain that has DNS servers of its own. */
#ifndef BASE_DNS_ZONE_H
#define BASE_DNS_ZONE_H

#include <stdint.h>

#include "base/addr.h"

#define DNS_ZONES_MAX		8
#define DNS_ZONE_SERVERS_MAX	2	/* of each */
#define DNS_ZONE_BYTES		256	/* of its name, NUL-terminated */

/* Who is asked for it and for all that is below, best first. */
struct dns_zone {
	char name[DNS_ZONE_BYTES];	/* lower case, no final dot, not "" */
	uint32_t n;			/* 1..DNS_ZONE_SERVERS_MAX */
	struct endpoint at[DNS_ZONE_SERVERS_MAX];
};

#endif
