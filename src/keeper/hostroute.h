/* SPDX-License-Identifier: MIT */
/*
 * keeper/hostroute.h - the host's way to the world, as it changes.
 *
 * Changes of routes, rules, addresses and interfaces come in bursts: a VPN
 * that comes up makes dozens. They are looked at once, HOSTROUTE_SETTLE_NS
 * after the first of a burst.
 */
#ifndef KEEPER_HOSTROUTE_H
#define KEEPER_HOSTROUTE_H

#include <stdbool.h>
#include <stdint.h>

#define HOSTROUTE_SETTLE_NS UINT64_C(10000000)

struct netlink;

struct hostroute {
	struct netlink *changes, *ask;	/* NULL: not to be had */
	unsigned seen;			/* enum netlink_change, of the burst */
	uint64_t due_ns;		/* when to look; UINT64_MAX: nothing */
};

/* Never fails: without netlink nothing changes. */
void hostroute_open(struct hostroute *h);

/* For the loop; -1: none. */
int hostroute_fd(const struct hostroute *h);

/* It is readable. */
void hostroute_event(struct hostroute *h, uint64_t now_ns);

/* due_ns has come: what has changed since (enum netlink_change). */
unsigned hostroute_settled(struct hostroute *h);

/*
 * The MTU of the host's way to the world: of the routes that it would take,
 * by IPv4 and IPv6, the smaller one; 0: it has no route. An interface that no
 * such route leads to does not count.
 */
unsigned hostroute_mtu(const struct hostroute *h);

#endif
