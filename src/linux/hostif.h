/* SPDX-License-Identifier: MIT */
/*
 * linux/hostif.h - an interface of the host's, on a guest's network
 *
 * A tun with the gateway's addresses, up, and so with routes to the subnets.
 * It is not persistent: it goes with the last copy of its descriptor. The
 * host makes no address of its own there and takes no router's word.
 */
#ifndef LINUX_HOSTIF_H
#define LINUX_HOSTIF_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/fail.h"

#define HOSTIF_PATTERN "slipway%d"

struct hostif_setup {
	struct ip gateway4, gateway6;
	uint8_t bits4, bits6;		/* of the subnets */
	bool v6;
	unsigned mtu;
};

struct hostif {
	int fd;				/* of the caller's; -1: there is none */
	uint32_t offloads;
	unsigned index;
	char name[IFNAMSIZ];
};

/* Needs CAP_NET_ADMIN. 0, or -1 with fail set and out untouched. */
MUST int hostif_open(const struct hostif_setup *s, struct hostif *out,
		     struct fail *fail);

#endif
