/* SPDX-License-Identifier: MIT */
#include "network/autoconf.h"

#include "base/csum.h"

#define ROUTER_S	1800u		/* RFC 4861 section 6.2.1: 3 repeats */
#define VALID_S		86400u
#define PREFERRED_S	14400u
#define ADVERT_GAP_NS	UINT64_C(500000000)	/* RFC 4861 section 6.2.6 */

static const struct ip all_nodes = { .b = { 0xff, 2, [15] = 1 } };
static const struct mac all_nodes_mac = { { 0x33, 0x33, 0, 0, 0, 1 } };
static const struct mac broadcast_mac = {
	{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
};
/* All_DHCP_Relay_Agents_and_Servers: RFC 8415 section 7.1 */
static const struct ip dhcp6_servers = {
	.b = { 0xff, 2, [13] = 1, [15] = 2 }
};

void autoconf_init(struct autoconf *a, const struct network_setup *setup)
{
	*a = (struct autoconf){
		.dhcp4 = {
			.net4 = setup->net4, .gateway4 = setup->gateway4,
			.mtu = (uint16_t)setup->mtu,
			.search = setup->search,
		},
		.dhcp6 = {
			.gateway_mac = setup->gateway_mac,
			.net6 = setup->net6, .gateway6 = setup->gateway6,
			.search = setup->search,
		},
		.router = {
			.mac = setup->gateway_mac, .net6 = setup->net6,
			.mtu = (uint16_t)setup->mtu, .router_s = ROUTER_S,
			.valid_s = VALID_S, .preferred_s = PREFERRED_S,
			.dhcp6 = true, .dns = setup->gateway6,
			.search = setup->search,
		},
		.own = ip_link_local(&setup->gateway_mac),
	};
}

/* One frame with an L4 message, whose checksum is complete. */
static void send(struct proto *p, unsigned link, const struct mac *to,
		 const struct ip_packet *ip, const uint8_t *l4, size_t len)
{
	const struct eth eth = {
		.dst = *to, .src = p->gateway_mac,
		.type = ip->v6 ? ETH_IPV6 : ETH_IPV4,
	};
	const struct frame_meta meta = { 0 };
	uint8_t head[PROTO_HEAD_BYTES];
	struct wr w = wr(head, sizeof(head));
	struct span v[2] = { { .p = head },
			     { .p = (void *)(uintptr_t)l4, .len = len } };

	eth_emit(&w, &eth);
	ip_emit(&w, ip, len);
	v[0].len = (size_t)(w.p - head);
	proto_send_link(p, link, &meta, v, 2);
}

static bool is_dhcp4(const struct autoconf *a, const struct ip_packet *ip,
		     const struct udp *udp)
{
	return (ip_is_broadcast(&ip->dst) ||
		ip_equal(&ip->dst, &a->dhcp4.gateway4)) &&
	       udp->dst_port == DHCP4_SERVER_PORT &&
	       udp->src_port == DHCP4_CLIENT_PORT;
}

/* To clients on the link only: RFC 8415 section 13.1. */
static bool is_dhcp6(const struct autoconf *a, const struct ip_packet *ip,
		     const struct udp *udp)
{
	return ip_is_link_local(&ip->src) &&
	       (ip_equal(&ip->dst, &dhcp6_servers) ||
		ip_equal(&ip->dst, &a->own)) &&
	       udp->dst_port == DHCP6_SERVER_PORT;
}

bool autoconf_is_dhcp(const struct autoconf *a, const struct ip_packet *ip)
{
	struct udp udp;

	if (ip->proto != PROTO_UDP || ip->fragment ||
	    udp_parse(ip->payload, &udp) != DROP_OK)
		return false;
	return ip->v6 ? is_dhcp6(a, ip, &udp) : is_dhcp4(a, ip, &udp);
}

/* UDP header and message, in place: msg begins behind room for the header. */
static void finish_udp(uint8_t *l4, const struct ip *src, const struct ip *dst,
		       uint16_t src_port, uint16_t dst_port, size_t msg_len)
{
	const size_t len = UDP_HEADER_BYTES + msg_len;
	struct wr w = wr(l4, UDP_HEADER_BYTES);
	uint16_t sum;

	udp_emit(&w, src_port, dst_port, msg_len, 0);
	sum = csum_finish(csum_add(csum_pseudo(0, src, dst, PROTO_UDP,
					       (uint32_t)len), l4, len));
	w = wr(l4, UDP_HEADER_BYTES);
	udp_emit(&w, src_port, dst_port, msg_len, sum ? sum : 0xffff);
}

static enum drop dhcp4(const struct autoconf *a, struct proto *p,
		       const struct autoconf_guest *from,
		       const struct udp *udp)
{
	struct dhcp4_setup setup = a->dhcp4;
	uint8_t l4[UDP_HEADER_BYTES + DHCP4_MAX_BYTES];
	struct wr w = wr(l4 + UDP_HEADER_BYTES, DHCP4_MAX_BYTES);
	const size_t headers = IPV4_HEADER_BYTES + UDP_HEADER_BYTES;
	struct dhcp4_answer answer;
	struct ip_packet ip = { .src = a->dhcp4.gateway4, .proto = PROTO_UDP,
				.ttl = PROTO_HOP_LIMIT };
	struct dhcp4 m;
	size_t most;
	const enum drop drop = dhcp4_parse(udp->data, &m);

	if (drop != DROP_OK)
		return drop;
	setup.guest4 = from->ip4;
	setup.hostname = from->name;
	if (!dhcp4_answer(&setup, &m, &answer))
		return DROP_OK;
	most = m.max_bytes < p->mtu ? m.max_bytes : p->mtu;
	if (most < headers + DHCP4_MIN_BYTES)
		return DROP_LENGTH;
	dhcp4_emit(&w, &m, &answer.reply, most - headers);
	ASSERT(!w.bad);
	/* It may be asked for something before it says anything more. */
	if (answer.reply.type == DHCP4_ACK &&
	    !ip_is_unspecified(&answer.reply.yiaddr))
		(void)guests_heard(&p->guests, from->id, &answer.reply.yiaddr,
				   &m.chaddr, false);
	ip.dst = answer.dst;
	finish_udp(l4, &ip.src, &ip.dst, DHCP4_SERVER_PORT, DHCP4_CLIENT_PORT,
		   (size_t)(w.p - l4) - UDP_HEADER_BYTES);
	send(p, p->guests.at[from->id].link,
	     answer.everyone ? &broadcast_mac : &m.chaddr, &ip, l4,
	     (size_t)(w.p - l4));
	return DROP_OK;
}

static enum drop dhcp6(const struct autoconf *a, struct proto *p,
		       const struct ip_packet *in,
		       const struct autoconf_guest *from,
		       const struct udp *udp)
{
	struct dhcp6_setup setup = a->dhcp6;
	uint8_t l4[UDP_HEADER_BYTES + DHCP6_REPLY_BYTES];
	struct wr w = wr(l4 + UDP_HEADER_BYTES, DHCP6_REPLY_BYTES);
	const struct ip_packet ip = {
		.v6 = true, .src = a->own, .dst = in->src,
		.proto = PROTO_UDP, .ttl = PROTO_HOP_LIMIT,
	};
	struct dhcp6_reply answer;
	struct dhcp6 m;
	const enum drop drop = dhcp6_parse(udp->data, &m);

	if (drop != DROP_OK)
		return drop;
	setup.guest6 = from->ip6;
	if (!dhcp6_answer(&setup, &m, ip_is_multicast(&in->dst), &answer))
		return DROP_OK;
	dhcp6_emit(&w, &m, &answer);
	ASSERT(!w.bad);
	if (IPV6_HEADER_BYTES + (size_t)(w.p - l4) > p->mtu)
		return DROP_LENGTH;
	finish_udp(l4, &ip.src, &ip.dst, DHCP6_SERVER_PORT, DHCP6_CLIENT_PORT,
		   (size_t)(w.p - l4) - UDP_HEADER_BYTES);
	send(p, p->guests.at[from->id].link, &from->mac, &ip, l4,
	     (size_t)(w.p - l4));
	return DROP_OK;
}

enum drop autoconf_dhcp(const struct autoconf *a, struct proto *p,
			const struct ip_packet *ip,
			const struct autoconf_guest *from,
			const struct udp *udp)
{
	return ip->v6 ? dhcp6(a, p, ip, from, udp) : dhcp4(a, p, from, udp);
}

static void advertise(struct autoconf *a, struct proto *p)
{
	const struct ip_packet ip = {
		.v6 = true, .src = a->own, .dst = all_nodes,
		.proto = PROTO_ICMP6, .ttl = 255,
	};
	uint8_t l4[NDP_ROUTER_BYTES];
	struct wr w = wr(l4, sizeof(l4));

	ndp_emit_router(&w, &ip.src, &ip.dst, &a->router);
	ASSERT(!w.bad);
	for (unsigned link = 0; link < NETWORK_LINKS_MAX; link++)
		if (a->links >> link & 1)
			send(p, link, &all_nodes_mac, &ip, l4,
			     (size_t)(w.p - l4));
	a->told_ns = p->now_ns;
	wheel_arm(&p->wheel, &a->timer, p->now_ns + AUTOCONF_REPEAT_NS);
}

static void owe_advert(struct autoconf *a, struct proto *p)
{
	const uint64_t next = a->told_ns + ADVERT_GAP_NS;

	/* However fast it asks, it is told twice a second. */
	if (!a->told_ns || p->now_ns >= next)
		advertise(a, p);
	else
		wheel_arm(&p->wheel, &a->timer, next);
}

void autoconf_solicited(struct autoconf *a, struct proto *p, unsigned link)
{
	a->links |= 1u << link;
	owe_advert(a, p);
}

void autoconf_set_mtu(struct autoconf *a, struct proto *p)
{
	a->dhcp4.mtu = a->router.mtu = (uint16_t)p->mtu;
	if (a->told_ns)
		owe_advert(a, p);
}

void autoconf_timer(struct autoconf *a, struct proto *p)
{
	advertise(a, p);
}
