/* SPDX-License-Identifier: MIT */
/*
 * linux/netlink.c - rtnetlink by libmnl
 *
 * One request at a time: each is sent with a sequence number of its own
 * and its answer awaited. rtnetlink puts the answer on our queue before
 * sendto() returns, so this never sleeps; parts of older answers, which
 * only an error in between can leave behind, are passed over.
 */
#include "linux/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_BYTES	32768	/* the kernel's largest part of a dump */

struct netlink {
	struct mnl_socket *mnl;
	unsigned port;
	uint32_t seq;
	_Alignas(struct nlmsghdr) char request[512];
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
};

static struct netlink *open_socket(int flags, unsigned groups)
{
	struct netlink *nl = calloc(1, sizeof(*nl));
	int err;

	if (!nl)
		return NULL;
	nl->mnl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	if (!nl->mnl || mnl_socket_bind(nl->mnl, groups,
					MNL_SOCKET_AUTOPID) < 0) {
		err = errno;
		netlink_close(nl);
		errno = err;
		return NULL;
	}
	nl->port = mnl_socket_get_portid(nl->mnl);
	return nl;
}

struct netlink *netlink_open(void)
{
	return open_socket(0, 0);
}

/* Of rtnetlink's groups, which have numbers, as bits. */
#define GROUP(number) (1u << ((number) - 1))

struct netlink *netlink_watch(void)
{
	return open_socket(SOCK_NONBLOCK,
			   GROUP(RTNLGRP_LINK) |
			   GROUP(RTNLGRP_IPV4_IFADDR) |
			   GROUP(RTNLGRP_IPV6_IFADDR) |
			   GROUP(RTNLGRP_IPV4_ROUTE) |
			   GROUP(RTNLGRP_IPV6_ROUTE) |
			   GROUP(RTNLGRP_IPV4_RULE) |
			   GROUP(RTNLGRP_IPV6_RULE));
}

static int see_change(const struct nlmsghdr *h, void *arg)
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
	return MNL_CB_OK;
}

unsigned netlink_changes(struct netlink *nl)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	unsigned changes = 0;
	ssize_t n;

	do {
		n = mnl_socket_recvfrom(nl->mnl, buf, sizeof(buf));
		if (n > 0)
			(void)!mnl_cb_run(buf, (size_t)n, 0, 0, see_change,
					  &changes);
		if (n < 0 && (errno == ENOBUFS || errno == ENOSPC))
			changes = NETLINK_ALL_CHANGES;
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == ENOBUFS ||
				     errno == ENOSPC)));
	return changes;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	if (nl->mnl)
		mnl_socket_close(nl->mnl);
	free(nl);
}

int netlink_fd(const struct netlink *nl)
{
	return mnl_socket_get_fd(nl->mnl);
}

/* Begin a request; its fixed part of `bytes` is zeroed and *body'd. */
static struct nlmsghdr *begin(struct netlink *nl, uint16_t type,
			      uint16_t flags, size_t bytes, void **body)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(nl->request);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++nl->seq;
	*body = mnl_nlmsg_put_extra_header(h, bytes);
	return h;
}

/* The next part of the answer to the latest request: its length, -errno. */
static ssize_t answer(struct netlink *nl)
{
	const struct nlmsghdr *h = (const void *)nl->answer;
	ssize_t n;

	do
		n = mnl_socket_recvfrom(nl->mnl, nl->answer,
					sizeof(nl->answer));
	while ((n < 0 && errno == EINTR) ||
	       (n >= (ssize_t)sizeof(*h) && h->nlmsg_seq != nl->seq));
	return n < 0 ? -errno : n;
}

/* Send h, give each part of the answer to cb. 0 or -errno of the kernel. */
static int ask(struct netlink *nl, const struct nlmsghdr *h, mnl_cb_t cb,
	       void *arg)
{
	int ret;

	if (mnl_socket_sendto(nl->mnl, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		const ssize_t n = answer(nl);

		if (n < 0)
			return (int)n;
		ret = mnl_cb_run(nl->answer, (size_t)n, nl->seq, nl->port,
				 cb, arg);
	} while (ret > MNL_CB_STOP);
	return ret < 0 ? -errno : 0;
}

static void put_ip(struct nlmsghdr *h, uint16_t type, const struct ip *ip)
{
	if (ip_is4(ip))
		mnl_attr_put(h, type, 4, ip->b + 12);
	else
		mnl_attr_put(h, type, 16, ip->b);
}

static unsigned char family(const struct ip *ip)
{
	return ip_is4(ip) ? AF_INET : AF_INET6;
}

/* An address attribute as a value; false if its length is no family's. */
static bool get_ip(const struct nlattr *a, struct ip *out)
{
	const uint8_t *b = mnl_attr_get_payload(a);

	switch (mnl_attr_get_payload_len(a)) {
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
	struct ifinfomsg *ifi;
	struct nlmsghdr *h;
	void *body;

	h = begin(nl, RTM_NEWLINK, NLM_F_ACK, sizeof(*ifi), &body);
	ifi = body;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	mnl_attr_put_strz(h, IFLA_IFNAME, ifname);
	if (mtu)
		mnl_attr_put_u32(h, IFLA_MTU, mtu);
	if (mac)
		mnl_attr_put(h, IFLA_ADDRESS, sizeof(mac->b), mac->b);
	if (txqlen)
		mnl_attr_put_u32(h, IFLA_TXQLEN, txqlen);
	return ask(nl, h, NULL, NULL);
}

int netlink_link_mtu(struct netlink *nl, unsigned index, unsigned mtu)
{
	struct nlmsghdr *h;
	void *body;

	h = begin(nl, RTM_NEWLINK, NLM_F_ACK, sizeof(struct ifinfomsg),
		  &body);
	((struct ifinfomsg *)body)->ifi_index = (int)index;
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return ask(nl, h, NULL, NULL);
}

static int dev_attr(const struct nlattr *a, void *arg)
{
	struct netlink_dev *dev = arg;

	if (mnl_attr_get_type(a) == IFLA_MTU)
		dev->mtu = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

/* tun, WireGuard, PPP, IP in IP: no frames of Ethernet's kind. */
static int save_dev(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	struct netlink_dev *dev = arg;

	dev->tunnel = (ifi->ifi_flags & IFF_POINTOPOINT) ||
		      ifi->ifi_type == ARPHRD_NONE;
	mnl_attr_parse(h, sizeof(*ifi), dev_attr, dev);
	return MNL_CB_STOP;
}

int netlink_dev(struct netlink *nl, unsigned index, struct netlink_dev *out)
{
	struct netlink_dev dev = { 0 };
	struct nlmsghdr *h;
	void *body;
	int rc;

	h = begin(nl, RTM_GETLINK, 0, sizeof(struct ifinfomsg), &body);
	((struct ifinfomsg *)body)->ifi_index = (int)index;
	rc = ask(nl, h, save_dev, &dev);
	if (!rc)
		*out = dev;
	return rc;
}

struct tunnels {
	unsigned but;
	bool found;
};

static int find_tunnel(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	struct tunnels *t = arg;
	struct netlink_dev dev;

	(void)save_dev(h, &dev);
	t->found |= dev.tunnel && (ifi->ifi_flags & IFF_UP) &&
		    (unsigned)ifi->ifi_index != t->but;
	return MNL_CB_OK;		/* to the dump's end: leave nothing */
}

bool netlink_has_tunnel(struct netlink *nl, unsigned but)
{
	struct tunnels t = { .but = but };
	struct nlmsghdr *h;
	void *body;

	h = begin(nl, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg),
		  &body);
	(void)!ask(nl, h, find_tunnel, &t);
	return t.found;
}

int netlink_no_auto_ip6(struct netlink *nl, const char *ifname)
{
	struct nlattr *spec, *inet6;
	struct nlmsghdr *h;
	void *body;

	h = begin(nl, RTM_NEWLINK, NLM_F_ACK, sizeof(struct ifinfomsg),
		  &body);
	mnl_attr_put_strz(h, IFLA_IFNAME, ifname);
	spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	inet6 = mnl_attr_nest_start(h, AF_INET6);
	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(h, inet6);
	mnl_attr_nest_end(h, spec);
	return ask(nl, h, NULL, NULL);
}

int netlink_addr_add(struct netlink *nl, const char *ifname,
		     const struct ip *ip, uint8_t bits)
{
	struct ifaddrmsg *ifa;
	struct nlmsghdr *h;
	void *body;

	h = begin(nl, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
		  sizeof(*ifa), &body);
	ifa = body;
	ifa->ifa_family = family(ip);
	ifa->ifa_prefixlen = bits;
	ifa->ifa_flags = IFA_F_PERMANENT;
	ifa->ifa_scope = ip_is_link_local(ip) ? RT_SCOPE_LINK :
						RT_SCOPE_UNIVERSE;
	ifa->ifa_index = if_nametoindex(ifname);
	if (!ifa->ifa_index)
		return -errno;
	put_ip(h, IFA_LOCAL, ip);
	put_ip(h, IFA_ADDRESS, ip);
	if (ip_is4(ip)) {
		const uint32_t all = bits < 32 ? UINT32_MAX >> bits : 0;
		struct ip broadcast = ip_from_v4(ip_to_v4(*ip) | all);

		if (bits < 31)
			put_ip(h, IFA_BROADCAST, &broadcast);
	} else {
		ifa->ifa_flags |= IFA_F_NODAD;
	}
	return ask(nl, h, NULL, NULL);
}

int netlink_route_default(struct netlink *nl, const char *ifname,
			  const struct ip *gateway)
{
	const unsigned ifindex = if_nametoindex(ifname);
	struct nlmsghdr *h;
	struct rtmsg *rtm;
	void *body;

	if (!ifindex)
		return -errno;
	h = begin(nl, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
		  sizeof(*rtm), &body);
	rtm = body;
	rtm->rtm_family = family(gateway);
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	put_ip(h, RTA_GATEWAY, gateway);
	mnl_attr_put_u32(h, RTA_OIF, ifindex);
	return ask(nl, h, NULL, NULL);
}

static int metric_attr(const struct nlattr *a, void *arg)
{
	if (mnl_attr_get_type(a) == RTAX_MTU)
		*(unsigned *)arg = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int path_attr(const struct nlattr *a, void *arg)
{
	struct netlink_path *path = arg;

	if (mnl_attr_get_type(a) == RTA_OIF)
		path->dev = mnl_attr_get_u32(a);
	else if (mnl_attr_get_type(a) == RTA_PREFSRC)
		get_ip(a, &path->source);
	else if (mnl_attr_get_type(a) == RTA_METRICS)
		mnl_attr_parse_nested(a, metric_attr, &path->mtu);
	return MNL_CB_OK;
}

static int save_path(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	struct netlink_path *path = arg;
	enum route_kind *kind = &path->kind;

	mnl_attr_parse(h, sizeof(*rtm), path_attr, path);

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
	return MNL_CB_STOP;
}

void netlink_path(struct netlink *nl, const struct ip *ip,
		  const struct ip *from, struct netlink_path *out)
{
	struct nlmsghdr *h;
	struct rtmsg *rtm;
	void *body;

	*out = (struct netlink_path){ .kind = ROUTE_OTHER };
	/* Connecting to these reaches the host, whatever its routes say. */
	if (ip_is_unspecified(ip) || ip_is_loopback(ip)) {
		out->kind = ROUTE_LOCAL;
		return;
	}
	h = begin(nl, RTM_GETROUTE, 0, sizeof(*rtm), &body);
	rtm = body;
	rtm->rtm_family = family(ip);
	rtm->rtm_dst_len = ip_is4(ip) ? 32 : 128;
	put_ip(h, RTA_DST, ip);
	if (from) {
		rtm->rtm_src_len = rtm->rtm_dst_len;
		put_ip(h, RTA_SRC, from);
	}
	switch (-ask(nl, h, save_path, out)) {
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
	uint8_t type;			/* RTN_* */
	struct prefix dst;
	bool has_gateway;
	struct ip gateway;
};

static int route_attr(const struct nlattr *a, void *arg)
{
	struct route *r = arg;

	switch (mnl_attr_get_type(a)) {
	case RTA_DST:
		get_ip(a, &r->dst.ip);
		break;
	case RTA_TABLE:
		r->table = mnl_attr_get_u32(a);
		break;
	case RTA_OIF:
		r->oif = mnl_attr_get_u32(a);
		break;
	case RTA_PRIORITY:
		r->metric = mnl_attr_get_u32(a);
		break;
	case RTA_GATEWAY:
		r->has_gateway = get_ip(a, &r->gateway);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static struct route route_read(const struct nlmsghdr *h)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	struct route r = {
		.table = rtm->rtm_table,
		.type = rtm->rtm_type,
		.dst.bits = rtm->rtm_dst_len,
	};

	if (rtm->rtm_family == AF_INET)
		r.dst.ip = ip_from_v4(0);
	mnl_attr_parse(h, sizeof(*rtm), route_attr, &r);
	return r;
}

static int dump_routes(struct netlink *nl, unsigned char af, mnl_cb_t cb,
		       void *arg)
{
	struct nlmsghdr *h;
	void *body;
	int err, tries = 3;

	do {			/* EINTR: routes changed meanwhile */
		h = begin(nl, RTM_GETROUTE, NLM_F_DUMP,
			  sizeof(struct rtmsg), &body);
		((struct rtmsg *)body)->rtm_family = af;
		err = ask(nl, h, cb, arg);
	} while (err == -EINTR && --tries);
	return err;
}

struct overlap {
	struct prefix p;
	unsigned but;
	bool found;
};

static int check_overlap(const struct nlmsghdr *h, void *arg)
{
	const struct route r = route_read(h);
	struct overlap *o = arg;

	if (r.table == RT_TABLE_LOCAL || r.type != RTN_UNICAST ||
	    (o->but && r.oif == o->but))
		return MNL_CB_OK;
	if (ip_is4(&r.dst.ip) != ip_is4(&o->p.ip) || r.dst.bits <= 8)
		return MNL_CB_OK;
	if (prefix_has(&r.dst, &o->p.ip) || prefix_has(&o->p, &r.dst.ip))
		o->found = true;
	return MNL_CB_OK;		/* to the dump's end: leave nothing */
}

int netlink_overlaps(struct netlink *nl, const struct prefix *p, unsigned but)
{
	struct overlap o = { .p = *p, .but = but };
	const int err = dump_routes(nl, family(&p->ip), check_overlap, &o);

	if (err == -EAFNOSUPPORT)
		return 0;
	return err ? err : o.found;
}

static int find_default(const struct nlmsghdr *h, void *arg)
{
	const struct route r = route_read(h);
	bool *found = arg;

	if (r.table == RT_TABLE_MAIN && r.type == RTN_UNICAST &&
	    r.dst.bits == 0)
		*found = true;
	return MNL_CB_OK;
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

static int own_attr(const struct nlattr *a, void *arg)
{
	const unsigned type = mnl_attr_get_type(a);
	struct ip *ip = arg;

	/* Of a link to a peer the second is the peer's. */
	if (type == IFA_LOCAL ||
	    (type == IFA_ADDRESS && ip_is_unspecified(ip)))
		get_ip(a, ip);
	return MNL_CB_OK;
}

static int add_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	struct addresses *all = arg;
	struct ip ip = { 0 };

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*ifa))
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*ifa), own_attr, &ip);
	if (all->n < all->max && ifa->ifa_scope != RT_SCOPE_LINK &&
	    !ip_is_loopback(&ip) && !ip_is_link_local(&ip) &&
	    !ip_is_unspecified(&ip))
		all->out[all->n++] = ip;
	return MNL_CB_OK;		/* to the dump's end: leave nothing */
}

unsigned netlink_addresses(struct netlink *nl, bool v6, struct ip *out,
			   unsigned max)
{
	struct addresses all = { .out = out, .max = max };
	struct nlmsghdr *h;
	void *body;

	h = begin(nl, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg),
		  &body);
	((struct ifaddrmsg *)body)->ifa_family = v6 ? AF_INET6 : AF_INET;
	/* What a dump that failed has told until then is good enough. */
	(void)!ask(nl, h, add_address, &all);
	return all.n;
}

struct holder {
	unsigned index;
	const struct ip *ip;
	bool found;
};

static int find_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	struct holder *o = arg;
	struct ip ip = { 0 };

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*ifa) ||
	    ifa->ifa_index != o->index)
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*ifa), own_attr, &ip);
	o->found |= ip_equal(&ip, o->ip);
	return MNL_CB_OK;
}

bool netlink_has_address(struct netlink *nl, unsigned index,
			 const struct ip *ip)
{
	struct holder o = { .index = index, .ip = ip };
	struct nlmsghdr *h;
	void *body;

	h = begin(nl, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg),
		  &body);
	((struct ifaddrmsg *)body)->ifa_family = family(ip);
	(void)!ask(nl, h, find_address, &o);
	return o.found;
}

static int keep_default(const struct nlmsghdr *h, void *arg)
{
	const struct route r = route_read(h);
	struct route *best = arg;

	if (r.table == RT_TABLE_MAIN && r.type == RTN_UNICAST &&
	    r.dst.bits == 0 && r.has_gateway &&
	    (!best->has_gateway || r.metric < best->metric))
		*best = r;
	return MNL_CB_OK;
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
