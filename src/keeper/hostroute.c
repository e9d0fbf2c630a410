/* SPDX-License-Identifier: MIT */
#include "keeper/hostroute.h"

#include <stddef.h>

#include "linux/netlink.h"

/*
 * Somewhere in the world: two of IPv4, since a VPN's routes may be halves,
 * and one of IPv6. Nothing is sent there.
 */
static const char *const somewhere[] = {
	"1.1.1.1", "193.0.14.129", "2001:500:2::c",
};

void hostroute_open(struct hostroute *h)
{
	*h = (struct hostroute){
		.changes = netlink_watch(), .ask = netlink_open(),
		.due_ns = UINT64_MAX,
	};
}

int hostroute_fd(const struct hostroute *h)
{
	return h->changes ? netlink_fd(h->changes) : -1;
}

void hostroute_event(struct hostroute *h, uint64_t now_ns)
{
	h->seen |= netlink_changes(h->changes);
	if (h->seen && h->due_ns == UINT64_MAX)
		h->due_ns = now_ns + HOSTROUTE_SETTLE_NS;
}

unsigned hostroute_settled(struct hostroute *h)
{
	const unsigned seen = h->seen;

	h->seen = 0;
	h->due_ns = UINT64_MAX;
	return seen;
}

/* Of the way to one address; 0: there is none. */
static unsigned mtu_to(struct netlink *nl, const char *text)
{
	struct netlink_path path;
	struct netlink_dev dev;
	struct ip ip;

	if (!ip_parse(text, &ip))
		return 0;
	netlink_path(nl, &ip, NULL, &path);
	if (path.kind != ROUTE_UNICAST || netlink_dev(nl, path.dev, &dev))
		return 0;
	return path.mtu && path.mtu < dev.mtu ? path.mtu : dev.mtu;
}

unsigned hostroute_mtu(const struct hostroute *h)
{
	unsigned least = 0;

	for (size_t i = 0; h->ask && i < sizeof(somewhere) /
					 sizeof(somewhere[0]); i++) {
		const unsigned mtu = mtu_to(h->ask, somewhere[i]);

		if (mtu && (!least || mtu < least))
			least = mtu;
	}
	return least;
}
