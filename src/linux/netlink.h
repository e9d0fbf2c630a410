/* SPDX-License-Identifier: MIT */
/* linux/netlink.h - interfaces, addresses and routes (rtnetlink). */
#ifndef LINUX_NETLINK_H
#define LINUX_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"

struct netlink;			/* one rtnetlink socket */

/* NULL with errno on failure. Of the caller's network namespace. */
struct netlink *netlink_open(void);
/* The same, not blocking, to be told of changes. */
struct netlink *netlink_watch(void);

enum netlink_change {
	NETLINK_ADDRESS_CAME = 1 << 0,
	NETLINK_ADDRESS_GONE = 1 << 1,
	NETLINK_ROUTES = 1 << 2,	/* or rules, or interfaces */
	NETLINK_ALL_CHANGES = (1 << 3) - 1,
};

/*
 * What has changed, of all that netlink_watch() has been told since: bits of
 * enum netlink_change, all of them when it was told too much.
 */
unsigned netlink_changes(struct netlink *nl);
void netlink_close(struct netlink *nl);
int netlink_fd(const struct netlink *nl);

/* All return 0 or -errno of the kernel. */

/* Set what is given (0 or NULL: leave it), then bring the interface up. */
MUST int netlink_link_up(struct netlink *nl, const char *ifname, unsigned mtu,
			 const struct mac *mac, unsigned txqlen);
/* That alone, of an interface that is there. */
MUST int netlink_link_mtu(struct netlink *nl, unsigned index, unsigned mtu);
/* The kernel is to make no fe80 address by itself; before link_up. */
MUST int netlink_no_auto_ip6(struct netlink *nl, const char *ifname);
/* IPv6 without duplicate address detection. */
MUST int netlink_addr_add(struct netlink *nl, const char *ifname,
			  const struct ip *ip, uint8_t bits);
MUST int netlink_route_default(struct netlink *nl, const char *ifname,
			       const struct ip *gateway);

enum route_kind {
	ROUTE_NONE,		/* no route: unreachable */
	ROUTE_UNICAST,		/* elsewhere */
	ROUTE_LOCAL,		/* the host itself, in any spelling */
	ROUTE_OTHER,		/* broadcast, multicast, blackhole, … */
};

/*
 * Where the host would send a packet for ip now (RTM_GETROUTE). After
 * netlink_open() it needs sendto() and recvmsg() only, so it may be asked
 * from a sandbox. ROUTE_OTHER too if the kernel gave no answer.
 */
enum route_kind netlink_route_kind(struct netlink *nl, const struct ip *ip);

/* How the host would send a packet. */
struct netlink_path {
	enum route_kind kind;
	unsigned dev;			/* index of the interface; 0: none */
	unsigned mtu;			/* of the route itself; 0: not given */
	struct ip source;		/* that would be chosen; ::, none */
};

/*
 * The same question, and more of the answer. from: the source address that
 * the packet has; NULL: none yet.
 */
void netlink_path(struct netlink *nl, const struct ip *ip,
		  const struct ip *from, struct netlink_path *out);

/* An interface. */
struct netlink_dev {
	unsigned mtu;
	bool tunnel;			/* it leads to a program, or is one */
};

/* 0 or -errno. Needs what netlink_route_kind() needs. */
MUST int netlink_dev(struct netlink *nl, unsigned index,
		     struct netlink_dev *out);

/* Is there any tunnel that is up, but for the interface of index `but`? */
bool netlink_has_tunnel(struct netlink *nl, unsigned but);

/* Is it an address of that interface? */
bool netlink_has_address(struct netlink *nl, unsigned index,
			 const struct ip *ip);

/*
 * Does the host have a route (any table but local) that lies over p: a
 * prefix of more than 8 bits that holds p, or that p holds? 1, 0, -errno.
 * Routes that lead nowhere (unreachable, blackhole, …) do not count, nor
 * those by the interface of index `but`, 0: none.
 */
MUST int netlink_overlaps(struct netlink *nl, const struct prefix *p,
			  unsigned but);

/*
 * Has the main table a default route that leads somewhere, of IPv4 or, if
 * asked for, of IPv6? 1, 0, -errno.
 */
MUST int netlink_has_default(struct netlink *nl, bool v6);

/*
 * The host's addresses of one family that are neither loopback nor link-local,
 * at most max, in the kernel's order. Their number. Needs what
 * netlink_route_kind() needs.
 */
unsigned netlink_addresses(struct netlink *nl, bool v6, struct ip *out,
			   unsigned max);

/*
 * The IPv4 default route's gateway (for `host-ip` in a guest, without
 * starting ip(8)): main table, lowest metric. true if there is one.
 */
bool netlink_default_gateway(struct netlink *nl, struct ip *out);

/*
 * The same of IPv6, as an address that needs no interface: where the route is to
 * a link-local one, as router advertisements have it, the first (::1) of the
 * prefix of 64 bits that is on that link. true if there is one.
 */
bool netlink_default_gateway6(struct netlink *nl, struct ip *out);

#endif
