/* SPDX-License-Identifier: MIT */
/*
 * linux/netlink.c - rtnetlink
 *
 * One request at a time, each with its answer (linux/nlmsg.h).
 */
#include "linux/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/nlmsg.h"

struct netlink {
	int fd;
};

struct netlink *netlink_open(void)
{
	struct netlink *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return NULL;
	nl->fd = nlmsg_open(NETLINK_ROUTE);
	if (nl->fd < 0) {
		errno = -nl->fd;
		free(nl);
		return NULL;
	}
	return nl;
}

/* Of rtnetlink's groups, which have numbers, as bits. */
#define GROUP(number) (1u << ((number) - 1))

struct netlink *netlink_watch(void)
{
	const struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = GROUP(RTNLGRP_LINK) |
			     GROUP(RTNLGRP_IPV4_IFADDR) |
			     GROUP(RTNLGRP_IPV6_IFADDR) |
			     GROUP(RTNLGRP_IPV4_ROUTE) |
			     GROUP(RTNLGRP_IPV6_ROUTE) |
			     GROUP(RTNLGRP_IPV4_RULE) |
			     GROUP(RTNLGRP_IPV6_RULE),
	};
	struct netlink *nl = netlink_open();
	int err;

	if (!nl || (fcntl(nl->fd, F_SETFL, O_NONBLOCK) == 0 &&
		    bind(nl->fd, (const void *)&groups, sizeof(groups)) == 0))
		return nl;
	err = errno;
	netlink_close(nl);
	errno = err;
	return NULL;
}

static void see_change(void *arg, const struct nlmsghdr *h)
{
	unsigned *changes = arg;

	switch (h->nlmsg_type) {
	case RTM_NEWADDR:
		*changes |= NETLINK_ADDRESS_CAME;
		break;
	case RTM_DELADDR:
		*changes |= NETLINK_ADDRESS_GONE;
		break;
	default:
		*changes |= NETLINK_ROUTES;
		break;
	}
}

unsigned netlink_changes(struct netlink *nl)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	unsigned changes = 0;
	struct nlmsg_answer a = { .each = see_change, .arg = &changes };
	ssize_t n;

	do {
		n = nlmsg_receive(nl->fd, buf, sizeof(buf));
		if (n > 0)
			(void)!nlmsg_read(&a, buf, (size_t)n);
		if (n == -ENOBUFS || n == -EMSGSIZE)
			changes = NETLINK_ALL_CHANGES;
	} while (n > 0 || n == -ENOBUFS || n == -EMSGSIZE);
	return changes;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	close(nl->fd);
	free(nl);
}

int netlink_fd(const struct netlink *nl)
{
	return nl->fd;
}

static void put_ip(struct nlmsg *q, uint16_t type, const struct ip *ip)
{
	if (ip_is4(ip))
		nlmsg_put(q, type, ip->b + 12, 4);
	else
		nlmsg_put(q, type, ip->b, 16);
}

static unsigned char family(const struct ip *ip)
{
	return ip_is4(ip) ? AF_INET : AF_INET6;
}

/* An address attribute as a value; false if its length is no family's. */
static bool get_ip(const struct nlmsg_attr *a, struct ip *out)
{
	const uint8_t *b = a->value.p;

	switch (a->value.len) {
	case 4:
		*out = ip_from_v4((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
				  (uint32_t)b[2] << 8 | b[3]);
		return true;
	case 16:
		memcpy(out->b, b, 16);
		return true;
	default:
		return false;
	}
}

int netlink_link_up(struct netlink *nl, const char *ifname, unsigned mtu,
		    const struct mac *mac, unsigned txqlen)
{
	struct nlmsg q;
	struct ifinfomsg *ifi = nlmsg_begin(&q, RTM_NEWLINK, NLM_F_ACK,
					    sizeof(*ifi));

	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	nlmsg_put(&q, IFLA_IFNAME, ifname, strlen(ifname) + 1);
	if (mtu)
		nlmsg_put_u32(&q, IFLA_MTU, mtu);
	if (mac)
		nlmsg_put(&q, IFLA_ADDRESS, mac->b, sizeof(mac->b));
	if (txqlen)
		nlmsg_put_u32(&q, IFLA_TXQLEN, txqlen);
	return nlmsg_ask(nl->fd, &q, NULL, NULL);
}

int netlink_link_mtu(struct netlink *nl, unsigned index, unsigned mtu)
{
	struct nlmsg q;
	struct ifinfomsg *ifi = nlmsg_begin(&q, RTM_NEWLINK, NLM_F_ACK,
					    sizeof(*ifi));

	ifi->ifi_index = (int)index;
	nlmsg_put_u32(&q, IFLA_MTU, mtu);
	return nlmsg_ask(nl->fd, &q, NULL, NULL);
}

/* tun, WireGuard, PPP, IP in IP: no frames of Ethernet's kind. */
static void save_dev(void *arg, const struct nlmsghdr *h)
{
	const struct ifinfomsg *ifi = nlmsg_body(h, sizeof(*ifi));
	struct view left = nlmsg_attrs(h, sizeof(*ifi));
	struct netlink_dev *dev = arg;
	struct nlmsg_attr a;

	if (!ifi)
		return;
	dev->tunnel = (ifi->ifi_flags & IFF_POINTOPOINT) ||
		      ifi->ifi_type == ARPHRD_NONE;
	while (nlmsg_attr_next(&left, &a))
		if (a.type == IFLA_MTU)
			dev->mtu = nlmsg_attr_u32(&a);
}

int netlink_dev(struct netlink *nl, unsigned index, struct netlink_dev *out)
{
	struct netlink_dev dev = { 0 };
	struct nlmsg q;
	struct ifinfomsg *ifi = nlmsg_begin(&q, RTM_GETLINK, 0, sizeof(*ifi));
	int rc;

	ifi->ifi_index = (int)index;
	rc = nlmsg_ask(nl->fd, &q, save_dev, &dev);
	if (!rc)
		*out = dev;
	return rc;
}

struct tunnels {
	unsigned but;
	bool found;
};

static void find_tunnel(void *arg, const struct nlmsghdr *h)
{
	const struct ifinfomsg *ifi = nlmsg_body(h, sizeof(*ifi));
	struct netlink_dev dev = { 0 };
	struct tunnels *t = arg;

	save_dev(&dev, h);
	t->found |= dev.tunnel && (ifi->ifi_flags & IFF_UP) &&
		    (unsigned)ifi->ifi_index != t->but;
}

bool netlink_has_tunnel(struct netlink *nl, unsigned but)
{
	struct tunnels t = { .but = but };
	struct nlmsg q;

	nlmsg_begin(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	(void)!nlmsg_ask(nl->fd, &q, find_tunnel, &t);
	return t.found;
}

int netlink_no_auto_ip6(struct netlink *nl, const char *ifname)
{
	static const uint8_t none = IN6_ADDR_GEN_MODE_NONE;
	struct nlattr *spec, *inet6;
	struct nlmsg q;

	nlmsg_begin(&q, RTM_NEWLINK, NLM_F_ACK, sizeof(struct ifinfomsg));
	nlmsg_put(&q, IFLA_IFNAME, ifname, strlen(ifname) + 1);
	spec = nlmsg_nest(&q, IFLA_AF_SPEC);
	inet6 = nlmsg_nest(&q, AF_INET6);
	nlmsg_put(&q, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof(none));
	nlmsg_unnest(&q, inet6);
	nlmsg_unnest(&q, spec);
	return nlmsg_ask(nl->fd, &q, NULL, NULL);
}

int netlink_addr_add(struct netlink *nl, const char *ifname,
		     const struct ip *ip, uint8_t bits)
{
	struct ifaddrmsg *ifa;
	struct nlmsg q;

	ifa = nlmsg_begin(&q, RTM_NEWADDR,
			  NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof(*ifa));
	ifa->ifa_family = family(ip);
	ifa->ifa_prefixlen = bits;
	ifa->ifa_flags = IFA_F_PERMANENT;
	ifa->ifa_scope = ip_is_link_local(ip) ? RT_SCOPE_LINK :
						RT_SCOPE_UNIVERSE;
	ifa->ifa_index = if_nametoindex(ifname);
	if (!ifa->ifa_index)
		return -errno;
	put_ip(&q, IFA_LOCAL, ip);
	put_ip(&q, IFA_ADDRESS, ip);
	if (ip_is4(ip)) {
		const uint32_t all = bits < 32 ? UINT32_MAX >> bits : 0;
		struct ip broadcast = ip_from_v4(ip_to_v4(*ip) | all);

		if (bits < 31)
			put_ip(&q, IFA_BROADCAST, &broadcast);
	} else {
		ifa->ifa_flags |= IFA_F_NODAD;
	}
	return nlmsg_ask(nl->fd, &q, NULL, NULL);
}

int netlink_route_default(struct netlink *nl, const char *ifname,
			  const struct ip *gateway)
{
	const unsigned ifindex = if_nametoindex(ifname);
	struct rtmsg *rtm;
	struct nlmsg q;

	if (!ifindex)
		return -errno;
	rtm = nlmsg_begin(&q, RTM_NEWROUTE,
			  NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof(*rtm));
	rtm->rtm_family = family(gateway);
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	put_ip(&q, RTA_GATEWAY, gateway);
	nlmsg_put_u32(&q, RTA_OIF, ifindex);
	return nlmsg_ask(nl->fd, &q, NULL, NULL);
}

static void read_metrics(struct view left, struct netlink_path *path)
{
	struct nlmsg_attr a;

	while (nlmsg_attr_next(&left, &a))
		if (a.type == RTAX_MTU)
			path->mtu = nlmsg_attr_u32(&a);
}

static void read_path(struct view left, struct netlink_path *path)
{
	struct nlmsg_attr a;

	while (nlmsg_attr_next(&left, &a)) {
		if (a.type == RTA_OIF)
			path->dev = nlmsg_attr_u32(&a);
		else if (a.type == RTA_PREFSRC)
			get_ip(&a, &path->source);
		else if (a.type == RTA_METRICS)
			read_metrics(a.value, path);
	}
}

static void save_path(void *arg, const struct nlmsghdr *h)
{
	const struct rtmsg *rtm = nlmsg_body(h, sizeof(*rtm));
	struct netlink_path *path = arg;
	enum route_kind *kind = &path->kind;

	if (!rtm)
		return;
	read_path(nlmsg_attrs(h, sizeof(*rtm)), path);
	switch (rtm->rtm_type) {
	case RTN_UNICAST:
		*kind = ROUTE_UNICAST;
		break;
	case RTN_LOCAL:
	case RTN_ANYCAST:		/* IPv6: the host answers there */
		*kind = ROUTE_LOCAL;
		break;
	case RTN_UNREACHABLE:
		*kind = ROUTE_NONE;
		break;
	default:
		*kind = ROUTE_OTHER;
		break;
	}
}

void netlink_path(struct netlink *nl, const struct ip *ip,
		  const struct ip *from, struct netlink_path *out)
{
	struct rtmsg *rtm;
	struct nlmsg q;

	*out = (struct netlink_path){ .kind = ROUTE_OTHER };
	/* Connecting to these reaches the host, whatever its routes say. */
	if (ip_is_unspecified(ip) || ip_is_loopback(ip)) {
		out->kind = ROUTE_LOCAL;
		return;
	}
	rtm = nlmsg_begin(&q, RTM_GETROUTE, 0, sizeof(*rtm));
	rtm->rtm_family = family(ip);
	rtm->rtm_dst_len = ip_is4(ip) ? 32 : 128;
	put_ip(&q, RTA_DST, ip);
	if (from) {
		rtm->rtm_src_len = rtm->rtm_dst_len;
		put_ip(&q, RTA_SRC, from);
	}
	switch (-nlmsg_ask(nl->fd, &q, save_path, out)) {
	case 0:
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EAFNOSUPPORT:		/* no IPv6 here at all */
		out->kind = ROUTE_NONE;
		break;
	default:
		out->kind = ROUTE_OTHER;
		break;
	}
}

enum route_kind netlink_route_kind(struct netlink *nl, const struct ip *ip)
{
	struct netlink_path path;

	netlink_path(nl, ip, NULL, &path);
	return path.kind;
}

/* What a dump of routes yields, one at a time. */
struct route {
	uint32_t table;
	uint32_t metric;
	uint32_t oif;			/* 0: none, or several */
	struct prefix dst;
	bool has_gateway;
	struct ip gateway;
};

static void read_route(struct view left, struct route *r)
{
	struct nlmsg_attr a;

	while (nlmsg_attr_next(&left, &a)) {
		switch (a.type) {
		case RTA_DST:
			get_ip(&a, &r->dst.ip);
			break;
		case RTA_TABLE:
			r->table = nlmsg_attr_u32(&a);
			break;
		case RTA_OIF:
			r->oif = nlmsg_attr_u32(&a);
			break;
		case RTA_PRIORITY:
			r->metric = nlmsg_attr_u32(&a);
			break;
		case RTA_GATEWAY:
			r->has_gateway = get_ip(&a, &r->gateway);
			break;
		default:
			break;
		}
	}
}

/* false: it leads nowhere, or is of the host's own addresses. */
static bool route_read(const struct nlmsghdr *h, struct route *r)
{
	const struct rtmsg *rtm = nlmsg_body(h, sizeof(*rtm));

	if (!rtm || rtm->rtm_type != RTN_UNICAST)
		return false;
	*r = (struct route){ .table = rtm->rtm_table,
			     .dst.bits = rtm->rtm_dst_len };
	if (rtm->rtm_family == AF_INET)
		r->dst.ip = ip_from_v4(0);
	read_route(nlmsg_attrs(h, sizeof(*rtm)), r);
	return r->table != RT_TABLE_LOCAL;
}

static int dump_routes(struct netlink *nl, unsigned char af, nlmsg_fn *each,
		       void *arg)
{
	struct rtmsg *rtm;
	struct nlmsg q;
	int err, tries = 3;

	do {			/* EINTR: routes changed meanwhile */
		rtm = nlmsg_begin(&q, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));
		rtm->rtm_family = af;
		err = nlmsg_ask(nl->fd, &q, each, arg);
	} while (err == -EINTR && --tries);
	return err;
}

struct overlap {
	struct prefix p;
	unsigned but;
	bool found;
};

static void check_overlap(void *arg, const struct nlmsghdr *h)
{
	struct overlap *o = arg;
	struct route r;

	if (!route_read(h, &r) || (o->but && r.oif == o->but))
		return;
	if (ip_is4(&r.dst.ip) != ip_is4(&o->p.ip) || r.dst.bits <= 8)
		return;
	if (prefix_has(&r.dst, &o->p.ip) || prefix_has(&o->p, &r.dst.ip))
		o->found = true;
}

int netlink_overlaps(struct netlink *nl, const struct prefix *p, unsigned but)
{
	struct overlap o = { .p = *p, .but = but };
	const int err = dump_routes(nl, family(&p->ip), check_overlap, &o);

	if (err == -EAFNOSUPPORT)
		return 0;
	return err ? err : o.found;
}

static void find_default(void *arg, const struct nlmsghdr *h)
{
	bool *found = arg;
	struct route r;

	*found |= route_read(h, &r) && r.table == RT_TABLE_MAIN &&
		  r.dst.bits == 0;
}

int netlink_has_default(struct netlink *nl, bool v6)
{
	bool found = false;
	int err = dump_routes(nl, AF_INET, find_default, &found);

	if (!err && v6)
		err = dump_routes(nl, AF_INET6, find_default, &found);
	if (err == -EAFNOSUPPORT || err == -EOPNOTSUPP)
		err = 0;
	return err ? err : found;
}

struct addresses {
	struct ip *out;
	unsigned n, max;
};

/* The address that a message tells of; ::, none. */
static struct ip own_address(const struct nlmsghdr *h)
{
	struct view left = nlmsg_attrs(h, sizeof(struct ifaddrmsg));
	struct nlmsg_attr a;
	struct ip ip = { 0 };

	/* Of a link to a peer the second is the peer's. */
	while (nlmsg_attr_next(&left, &a))
		if (a.type == IFA_LOCAL ||
		    (a.type == IFA_ADDRESS && ip_is_unspecified(&ip)))
			get_ip(&a, &ip);
	return ip;
}

static void add_address(void *arg, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *ifa = nlmsg_body(h, sizeof(*ifa));
	const struct ip ip = own_address(h);
	struct addresses *all = arg;

	if (ifa && all->n < all->max && ifa->ifa_scope != RT_SCOPE_LINK &&
	    !ip_is_loopback(&ip) && !ip_is_link_local(&ip) &&
	    !ip_is_unspecified(&ip))
		all->out[all->n++] = ip;
}

static int dump_addresses(struct netlink *nl, unsigned char af,
			  nlmsg_fn *each, void *arg)
{
	struct nlmsg q;
	struct ifaddrmsg *ifa = nlmsg_begin(&q, RTM_GETADDR, NLM_F_DUMP,
					    sizeof(*ifa));

	ifa->ifa_family = af;
	return nlmsg_ask(nl->fd, &q, each, arg);
}

unsigned netlink_addresses(struct netlink *nl, bool v6, struct ip *out,
			   unsigned max)
{
	struct addresses all = { .out = out, .max = max };

	/* What a dump that failed has told until then is good enough. */
	(void)!dump_addresses(nl, v6 ? AF_INET6 : AF_INET, add_address, &all);
	return all.n;
}

struct holder {
	unsigned index;
	const struct ip *ip;
	bool found;
};

static void find_address(void *arg, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *ifa = nlmsg_body(h, sizeof(*ifa));
	const struct ip ip = own_address(h);
	struct holder *o = arg;

	o->found |= ifa && ifa->ifa_index == o->index &&
		    ip_equal(&ip, o->ip);
}

bool netlink_has_address(struct netlink *nl, unsigned index,
			 const struct ip *ip)
{
	struct holder o = { .index = index, .ip = ip };

	(void)!dump_addresses(nl, family(ip), find_address, &o);
	return o.found;
}

static void keep_default(void *arg, const struct nlmsghdr *h)
{
	struct route *best = arg;
	struct route r;

	if (route_read(h, &r) && r.table == RT_TABLE_MAIN &&
	    r.dst.bits == 0 && r.has_gateway &&
	    (!best->has_gateway || r.metric < best->metric))
		*best = r;
}

bool netlink_default_gateway(struct netlink *nl, struct ip *out)
{
	struct route best = { .has_gateway = false };

	if (dump_routes(nl, AF_INET, keep_default, &best) ||
	    !best.has_gateway)
		return false;
	*out = best.gateway;
	return true;
}

/* The prefix on a link: its route has no gateway. */
static void keep_on_link(void *arg, const struct nlmsghdr *h)
{
	struct route *link = arg;
	struct route r;

	if (route_read(h, &r) && r.table == RT_TABLE_MAIN &&
	    r.dst.bits == 64 && !r.has_gateway && r.oif == link->oif &&
	    !ip_is_link_local(&r.dst.ip) && !link->dst.bits)
		link->dst = r.dst;
}

bool netlink_default_gateway6(struct netlink *nl, struct ip *out)
{
	struct route best = { .has_gateway = false };

	if (dump_routes(nl, AF_INET6, keep_default, &best) ||
	    !best.has_gateway)
		return false;
	*out = best.gateway;
	if (!ip_is_link_local(out))
		return true;
	if (dump_routes(nl, AF_INET6, keep_on_link, &best) || !best.dst.bits)
		return false;
	*out = best.dst.ip;
	out->b[15] = 1;
	return true;
}
