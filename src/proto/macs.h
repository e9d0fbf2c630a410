/* SPDX-License-Identifier: MIT */
/*
 * proto/macs.h - at which MAC each of the guest's addresses is
 *
 * A virtual machine brings a MAC of its own, may change it, and may have
 * more than one on its link: it bridges, or moves to another card. So the
 * MAC of an address is the one that spoke last with that address, as in a
 * bridge's table; an address that was only probed for is nobody's yet.
 *
 * There is one IPv4 address, hence one MAC for it. Of IPv6 the last
 * MACS_MAX addresses are known; any other is taken to be where IPv4 is.
 */
#ifndef PROTO_MACS_H
#define PROTO_MACS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define MACS_MAX 16u

struct macs_entry {
	struct ip ip;
	struct mac mac;
};

struct macs {
	struct mac own;			/* the gateway's: never a guest's */
	struct mac main;		/* of IPv4, and of what is not listed */
	bool fixed;			/* main it is, whatever is heard */
	bool has_ip4;			/* main was heard with IPv4 */
	unsigned n, last, next;		/* in six; next is overwritten next */
	struct macs_entry six[MACS_MAX];
};

void macs_init(struct macs *m, const struct mac *own, const struct mac *main,
	       bool fixed);

/* A frame came from that MAC, and the address is the sender's. */
void macs_heard(struct macs *m, const struct ip *ip, const struct mac *mac);

/* Where to send; never NULL, lent until something is heard. */
const struct mac *macs_of(const struct macs *m, const struct ip *ip);

#endif
