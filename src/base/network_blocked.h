/* SPDX-License-Identifier: MIT */
/*
 * base/network_blocked.h - a packet that the firewall has kept from passing,
 * as one tells of it: to the log, to `why --last`, at a command's end.
 */
#ifndef BASE_NETWORK_BLOCKED_H
#define BASE_NETWORK_BLOCKED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define BLOCKED_NAME_BYTES	256	/* RFC 1035 section 2.3.4, and NUL */
#define BLOCKED_NO_RULE		UINT32_MAX

struct network_blocked {
	uint32_t generation;	/* of the rules, see network_set_rules() */
	uint32_t rule;		/* number in them; BLOCKED_NO_RULE: default */
	bool in;		/* which check said so: `in`, else `out` */
	bool told;		/* the sender was refused, not ignored */
	uint8_t origin;		/* enum firewall_origin */
	uint8_t protocol;	/* of IP; with a name: UDP or TCP */
	/* Who began, and where to; as the guest's end has them on its link. */
	struct endpoint src, dst;
	uint32_t size;		/* bytes of the IP packet; 0: there was none */
	uint32_t tcp_seq, tcp_ack;
	uint16_t tcp_window;
	uint8_t tcp_flags;	/* of RFC 9293 section 3.1 */
	uint8_t icmp_type, icmp_code;
	/* A question to our DNS, for a name that may not be asked for; "" */
	char name[BLOCKED_NAME_BYTES];
};

#endif
