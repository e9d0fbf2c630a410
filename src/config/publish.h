/* SPDX-License-Identifier: MIT */
/*
 * config/publish.h - which ports of the host are a guest's, as it is written:
 *
 *	[ADDR[%DEV]:]PORT[-PORT][:GUESTPORT][/tcp|/udp]
 *	auto
 *
 * ADDR is one of the host's, IPv6 in brackets; without it all of both
 * families are meant. %DEV alone means all that come in by that interface.
 * A range leads to as many ports of the guest's, from GUESTPORT on. auto:
 * each port, of TCP and UDP, at which the guest listens on all of its
 * addresses.
 */
#ifndef CONFIG_PUBLISH_H
#define CONFIG_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"

#define PUBLISH_TEXT_BYTES	80
#define PUBLISH_DEV_BYTES	16	/* IFNAMSIZ */
#define PUBLISH_GUEST_BYTES	33	/* CONFIG_NAME_BYTES */

struct publish {
	char text[PUBLISH_TEXT_BYTES];	/* as it was written */
	bool automatic;			/* TCP and UDP */
	bool udp;			/* else TCP */
	bool has_ip;
	struct ip ip;
	char dev[PUBLISH_DEV_BYTES];	/* "": any */
	uint16_t first, last;		/* of the host's, both included */
	uint16_t guest_first;
	char guest[PUBLISH_GUEST_BYTES];	/* whose; "": the first's */
};

/* NULL, or why text is none (a static string); then *out is undefined. */
MUST const char *publish_parse(const char *text, struct publish *out);

/* Is it about that protocol? */
bool publish_is_for(const struct publish *p, bool udp);

/* Would the two want the same port of the same address? */
bool publish_overlap(const struct publish *a, const struct publish *b);

/* Do they ask for the same, though they may be written in two ways? */
bool publish_same(const struct publish *a, const struct publish *b);

/* The host's port that leads to that one of the guest's; 0: none. */
uint16_t publish_host_port(const struct publish *p, uint16_t guest_port);

#endif
