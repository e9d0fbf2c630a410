/* SPDX-License-Identifier: MIT */
#include "linux/hostroutes.h"

#include <sys/socket.h>
#include <time.h>

#include "linux/hostenv.h"
#include "linux/netlink.h"
#include "linux/sockaddr.h"

#define OWN_KEPT_NS	UINT64_C(200000000)
/* For one look at all flows: it is told of a change before it is made. */
#define LOOK_KEPT_NS	UINT64_C(10000000)

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool is_fresh(uint64_t asked_at, uint64_t now)
{
	return asked_at && now - asked_at < LOOK_KEPT_NS;
}

/* Without an answer of the kernel's it is not lost. */
static bool is_lost(const struct hostenv *he, const struct ip *ip)
{
	const enum route_kind kind = netlink_route_kind(he->netlink, ip);

	return kind == ROUTE_NONE || kind == ROUTE_UNICAST;
}

/* Most flows have the same one. */
bool hostroutes_stranded(void *ctx, int id)
{
	struct hostenv *he = ctx;
	struct endpoint at;
	struct sockaddr_any sa;
	socklen_t len = sizeof(sa);
	const uint64_t now = now_ns();

	if (getsockname(id, &sa.sa, &len) < 0 || !sockaddr_to(&sa, &at) ||
	    ip_is_unspecified(&at.ip))
		return false;
	if (!is_fresh(he->local.at_ns, now) ||
	    !ip_equal(&he->local.ip, &at.ip)) {
		he->local.at_ns = now;
		he->local.ip = at.ip;
		he->local.lost = is_lost(he, &at.ip);
	}
	return he->local.lost;
}

/* Whom the stream is between; false: it is bound to no address. */
static bool ends_of(int id, struct ip *local, struct ip *peer)
{
	struct sockaddr_any sa;
	struct endpoint e;
	socklen_t len = sizeof(sa);

	if (getsockname(id, &sa.sa, &len) < 0 || !sockaddr_to(&sa, &e) ||
	    ip_is_unspecified(&e.ip))
		return false;
	*local = e.ip;
	len = sizeof(sa);
	if (getpeername(id, &sa.sa, &len) < 0 || !sockaddr_to(&sa, &e))
		return false;
	*peer = e.ip;
	return true;
}

/*
 * Another address would be chosen now, and this one is not of the interface
 * by which its packets would leave: whoever gets them there does not know it.
 */
static bool is_moved(const struct hostenv *he, const struct ip *local,
		     const struct ip *peer)
{
	struct netlink_path now, ours;

	netlink_path(he->netlink, peer, NULL, &now);
	if (now.kind != ROUTE_UNICAST || ip_equal(&now.source, local))
		return false;		/* without a route: it may return */
	netlink_path(he->netlink, peer, local, &ours);
	return ours.kind == ROUTE_UNICAST && ours.dev == now.dev &&
	       !netlink_has_address(he->netlink, ours.dev, local);
}

bool hostroutes_moved(void *ctx, int id)
{
	struct hostenv *he = ctx;
	const uint64_t now = now_ns();
	struct ip local, peer;

	if (!ends_of(id, &local, &peer) || ip_is_loopback(&peer) ||
	    ip_is_loopback(&local))
		return false;
	if (!is_fresh(he->moved.at_ns, now) ||
	    !ip_equal(&he->moved.local, &local) ||
	    !ip_equal(&he->moved.peer, &peer)) {
		he->moved.at_ns = now;
		he->moved.local = local;
		he->moved.peer = peer;
		he->moved.yes = is_moved(he, &local, &peer);
	}
	return he->moved.yes;
}

/* Every connection that the host refuses asks, so not each asks the kernel. */
bool hostroutes_address(void *ctx, bool v6, unsigned n, struct ip *out)
{
	struct hostenv *he = ctx;
	const uint64_t now = now_ns();

	if (!he->own.at_ns || now - he->own.at_ns > OWN_KEPT_NS) {
		he->own.at_ns = now;
		for (unsigned i = 0; i < 2; i++)
			he->own.n[i] = netlink_addresses(he->netlink, i,
					he->own.at[i], HOSTENV_OWN_MAX);
	}
	for (unsigned i = 0; i < 2; i++, v6 = !v6) {
		if (n < he->own.n[v6]) {
			*out = he->own.at[v6][n];
			return true;
		}
		n -= he->own.n[v6];
	}
	return false;
}

enum env_route hostroutes_kind(void *ctx, const struct ip *ip)
{
	const struct hostenv *he = ctx;

	switch (netlink_route_kind(he->netlink, ip)) {
	case ROUTE_NONE:
		return ENV_ROUTE_NONE;
	case ROUTE_UNICAST:
		return ENV_ROUTE_WORLD;
	case ROUTE_LOCAL:
		return ENV_ROUTE_HOST;
	case ROUTE_OTHER:
		break;
	}
	return ENV_ROUTE_OTHER;
}

/* Most hosts have no tunnel, and then nothing is to be known of a path. */
void hostroutes_path(void *ctx, const struct ip *ip, struct env_path *out)
{
	struct hostenv *he = ctx;
	struct netlink_path path;
	struct netlink_dev dev;

	*out = (struct env_path){ .dev = 0 };
	if (!he->tunnels.asked) {
		he->tunnels.asked = true;
		he->tunnels.any = netlink_has_tunnel(he->netlink,
						     he->host_index);
	}
	if (!he->tunnels.any)
		return;
	netlink_path(he->netlink, ip, NULL, &path);
	if (path.kind != ROUTE_UNICAST ||
	    netlink_dev(he->netlink, path.dev, &dev) < 0)
		return;
	out->dev = path.dev;
	out->tunnel = dev.tunnel && path.dev != he->host_index;
	out->mtu = path.mtu && path.mtu < dev.mtu ? path.mtu : dev.mtu;
}

void hostroutes_changed(struct hostenv *he)
{
	he->local.at_ns = he->moved.at_ns = 0;
	he->tunnels.asked = false;
}
