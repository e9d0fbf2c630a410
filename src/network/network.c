/* SPDX-License-Identifier: MIT */
/*
 * network/network.c - a frame's way through the gateway
 *
 * Ethernet -> ARP, or IP -> checks of source and destination -> for the
 * gateway itself (neighbours, DNS, echo), else policy_route() -> TCP, UDP
 * or echo, each to its flow. What is refused is counted by its reason;
 * what the guest may be told, it is told by ICMP.
 *
 * Timers of flows and of the DNS service share one wheel; where a popped
 * timer lies in memory tells whose it is.
 */
#include "network/network.h"

#include <string.h>

#include "base/csum.h"
#include "network/autoconf.h"
#include "network/policy.h"
#include "proto/ctx.h"
#include "proto/ping.h"
#include "proto/reassembly.h"
#include "proto/tcp.h"
#include "proto/udp.h"
#include "service/dns.h"
#include "service/neighbor.h"
#include "wire/arp.h"
#include "wire/icmp.h"
#include "wire/ndp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define PORT_DNS 53
#define OFFER_TRIES 256			/* for a port of the gateway's */

/* A slot of the flow table holds one of these. */
union slot {
	struct flow flow;
	struct tcp tcp;
	struct udp_map udp_map;
	struct udp_flow udp;
	struct ping ping;
};

struct network {
	struct proto p;			/* first: what proto/ is lent */
	struct network_setup setup;
	struct policy policy;
	struct neighbor_setup neighbor;
	struct ip guest6;		/* the name's: heard; :: not yet */
	struct dns *dns;
	struct reassembly reassembly;
	struct autoconf autoconf;
	uint64_t frames_from_guest, bytes_from_guest;
	uint8_t datagram[2 * FRAME_MAX_BYTES];
};

static size_t round64(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

size_t network_bytes(const struct network_setup *setup)
{
	return round64(sizeof(struct network)) + round64(dns_bytes()) +
	       round64(flow_table_bytes(setup->max_flows,
					round64(sizeof(union slot))));
}

/* Of what the gateway says itself. */
static const struct env_mark own_mark = { .ttl = PROTO_HOP_LIMIT };

static void dns_udp_answer(void *ctx, const struct dns_reply_to *to,
			   const uint8_t *msg, size_t len)
{
	struct network *net = ctx;
	const struct endpoint from = { .ip = to->gateway, .port = PORT_DNS };

	udp_to_guest(&net->p, &from, &to->guest, &own_mark, msg, len);
}

/* Not handled here and now: the service may be called from within a flow. */
static void dns_stream_event(void *ctx, struct handle owner, unsigned events)
{
	struct network *net = ctx;
	struct flow *f = flow_get(&net->p.flows, owner);
	struct tcp *t = (struct tcp *)(void *)f;

	if (!f || f->key.kind != FLOW_TCP)
		return;
	t->events |= (uint8_t)events;
	tcp_owe(&net->p, t);
}

static void start_dns(struct network *net, void *mem)
{
	const struct network_setup *s = &net->setup;
	struct dns_setup d = {
		.gateway4 = s->gateway4, .gateway6 = s->gateway6,
		.guest4 = s->guest4, .guest6 = s->guest6,
		.v6 = s->v6, .host_access = s->host_access,
	};
	const struct dns_ops ops = {
		.udp_answer = dns_udp_answer,
		.stream_event = dns_stream_event,
		.ctx = net,
	};

	memcpy(d.guest_name, s->guest_name, sizeof(d.guest_name));
	net->dns = dns_init(mem, &d, &net->p.env, &ops, &net->p.wheel,
			    &net->p.now_ns);
}

struct network *network_init(void *mem, const struct network_setup *setup,
			     const struct env *env, uint64_t now_ns)
{
	struct network *net = mem;
	uint8_t *rest = (uint8_t *)mem + round64(sizeof(*net));
	struct siphash_key key;

	net->setup = *setup;
	net->p.env = *env;
	net->p.gateway_mac = setup->gateway_mac;
	macs_init(&net->p.macs, &setup->gateway_mac, &setup->guest_mac,
		  !setup->learn_mac);
	net->p.gateway4 = setup->gateway4;
	net->p.gateway6 = setup->gateway6;
	net->p.mtu = setup->mtu;
	net->p.now_ns = now_ns;
	net->p.datagram = net->datagram;
	net->policy = (struct policy){
		.gateway4 = setup->gateway4, .gateway6 = setup->gateway6,
		.v6 = setup->v6, .host_access = setup->host_access,
		.link_local = setup->link_local,
	};
	net->neighbor = (struct neighbor_setup){
		.gateway_mac = setup->gateway_mac,
		.net4 = setup->net4, .net6 = setup->net6,
		.gateway4 = setup->gateway4, .gateway6 = setup->gateway6,
		.guest4 = setup->guest4, .guest6 = setup->guest6,
	};
	wheel_init(&net->p.wheel, now_ns);
	env->ops->random(env->ctx, &net->p.isn_key, sizeof(net->p.isn_key));
	env->ops->random(env->ctx, &key, sizeof(key));
	autoconf_init(&net->autoconf, &net->setup);
	start_dns(net, rest);
	net->guest6 = setup->guest6;
	network_rejoined(net);
	flow_table_init(&net->p.flows, rest + round64(dns_bytes()),
			setup->max_flows, round64(sizeof(union slot)), &key);
	return net;
}

void network_fini(struct network *net)
{
	struct flow_table *t = &net->p.flows;
	uint32_t slot = 0;

	for (struct flow *f; (f = flow_next(t, &slot)); slot++) {
		union slot *s = (union slot *)(void *)f;

		switch ((enum flow_kind)f->key.kind) {
		case FLOW_TCP:
			tcp_free(&net->p, &s->tcp, true);
			break;
		case FLOW_UDP_MAP:
			udp_map_free(&net->p, &s->udp_map);
			break;
		case FLOW_UDP:
			wheel_cancel(&net->p.wheel, &s->udp.timer);
			flow_free(t, f);
			break;
		case FLOW_PING:
			ping_free(&net->p, &s->ping);
			break;
		case FLOW_FREE: case FLOW_KIND_MAX:
			break;
		}
	}
	reassembly_fini(&net->p, &net->reassembly);
	wheel_cancel(&net->p.wheel, &net->autoconf.timer);
	dns_fini(net->dns);
}

/* One small frame of our own: ARP and neighbour answers. */
static void send_small(struct network *net, const struct wr *w, uint8_t *buf)
{
	const struct frame_meta meta = { 0 };
	const struct span v = { .p = buf, .len = (size_t)(w->p - buf) };

	ASSERT(!w->bad);
	proto_send(&net->p, &meta, &v, 1);
}

static enum drop arp_frame(struct network *net, struct rd r)
{
	uint8_t buf[ETH_HEADER_BYTES + ARP_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	struct arp ask, answer;
	const enum drop drop = arp_parse(r, &ask);
	struct eth eth = { .src = net->p.gateway_mac, .type = ETH_ARP };

	if (drop != DROP_OK)
		return drop;
	if (ip_equal(&ask.sender, &net->setup.guest4))
		macs_heard(&net->p.macs, &ask.sender, &ask.sender_mac);
	if (!neighbor_arp(&net->neighbor, &ask, &answer))
		return DROP_OK;
	eth.dst = answer.target_mac;
	eth_emit(&w, &eth);
	arp_emit(&w, &answer);
	send_small(net, &w, buf);
	return DROP_OK;
}

static enum drop ndp_packet(struct network *net, const struct ip_packet *ip,
			    const struct mac *from)
{
	uint8_t buf[PROTO_HEAD_BYTES], body[64];
	struct wr w = wr(buf, sizeof(buf)), b = wr(body, sizeof(body));
	struct ndp ask;
	struct neighbor_answer a;
	const enum drop drop = ndp_parse(ip, &ask);
	struct eth eth = { .src = net->p.gateway_mac, .type = ETH_IPV6 };
	struct ip_packet out = { .v6 = true, .proto = PROTO_ICMP6, .ttl = 255 };

	if (drop != DROP_OK)
		return drop;
	if (!ip_is_unspecified(&ip->src))
		macs_heard(&net->p.macs, &ip->src, from);
	if (ask.type == NDP_ROUTER_SOLICIT) {
		autoconf_solicited(&net->autoconf, &net->p);
		return DROP_OK;
	}
	if (!neighbor_ndp(&net->neighbor, ip, &ask, &a))
		return DROP_OK;
	out.src = a.src;
	out.dst = a.dst;
	eth.dst = a.dst_mac;
	ndp_emit_advert(&b, &a.src, &a.dst, &a.advert);
	eth_emit(&w, &eth);
	ip_emit(&w, &out, (size_t)(b.p - body));
	wr_bytes(&w, body, (size_t)(b.p - body));
	ASSERT(!b.bad);
	send_small(net, &w, buf);
	return DROP_OK;
}

/* Is the L4 checksum right, or vouched for by the link? */
static bool checksum_ok(const struct frame_meta *meta,
			const struct ip_packet *ip)
{
	csum_t sum;

	if (meta->needs_csum || meta->csum_valid)
		return true;
	sum = ip->proto == PROTO_ICMP ? 0 :
	      csum_pseudo(0, &ip->src, &ip->dst, ip->proto,
			  (uint32_t)ip->payload.len);
	return csum_fold(csum_add(sum, ip->payload.p, ip->payload.len)) ==
	       0xffff;
}

/* Where a packet goes, or the guest is told that it goes nowhere. */
static enum drop route(struct network *net, const struct ip_packet *ip,
		       struct policy_route *out)
{
	struct proto *p = &net->p;
	const struct ip *gw = proto_gateway(p, &ip->src);

	*out = policy_route(&net->policy, &p->env, &ip->dst);
	switch (out->verdict) {
	case POLICY_IGNORE:
		return DROP_DEST;
	case POLICY_REFUSE:
		proto_icmp_error(p, gw, ip, ICMP_PROHIBITED, 0);
		return DROP_POLICY;
	case POLICY_CARRY:
		break;
	}
	if (ip->ttl <= 1 && !ip_equal(&ip->dst, gw)) {
		proto_icmp_error(p, gw, ip, ICMP_TTL_EXCEEDED, 0);
		return DROP_DEST;
	}
	return DROP_OK;
}

static bool to_gateway(const struct network *net, const struct ip_packet *ip)
{
	return ip_equal(&ip->dst, proto_gateway(&net->p, &ip->dst));
}

static int open_dns(void *ctx, struct handle owner)
{
	return dns_stream_open(ctx, owner);
}

static enum drop tcp_new(struct network *net, const struct ip_packet *ip,
			 const struct flow_key *key,
			 const struct tcp_segment *seg, const uint32_t *past)
{
	struct tcp_target target = {
		.to.port = seg->dst_port,
		.reopens = past, .past = past ? *past : 0,
	};
	struct policy_route r;
	enum drop drop;

	if (to_gateway(net, ip) && seg->dst_port == PORT_DNS) {
		target.open = open_dns;
		target.ops = dns_stream_ops();
		target.ctx = net->dns;
		return tcp_open(&net->p, key, seg, &target);
	}
	drop = route(net, ip, &r);
	if (drop != DROP_OK)
		return drop;
	target.to.ip = r.to;
	target.has_next = r.has_next;
	target.next_to = r.next_to;
	target.ttl = proto_next_ttl(ip->ttl);
	return tcp_open(&net->p, key, seg, &target);
}

static enum drop tcp_packet(struct network *net, const struct ip_packet *ip)
{
	struct flow_key key = { .guest_ip = ip->src, .peer_ip = ip->dst,
				.kind = FLOW_TCP };
	struct tcp_segment seg;
	const enum drop drop = tcp_parse(ip->payload, &seg);
	struct flow *f;
	uint32_t past;

	if (drop != DROP_OK)
		return drop;
	key.guest_port = seg.src_port;
	key.peer_port = seg.dst_port;
	f = flow_find(&net->p.flows, &key);
	if (f && tcp_rx(&net->p, (struct tcp *)(void *)f, &seg, &past))
		return DROP_OK;
	if (seg.flags & TCP_RST)
		return DROP_NOFLOW;
	if ((seg.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && seg.dst_port &&
	    seg.src_port)
		return tcp_new(net, ip, &key, &seg, f ? &past : NULL);
	if (!ip_is_multicast(&ip->dst) && !ip_is_broadcast(&ip->dst))
		tcp_refuse(&net->p, &key, &seg);
	return DROP_NOFLOW;
}

/* Bytes per datagram in a frame, 0: it holds one. Else why it is refused. */
static enum drop batch_size(const struct frame_meta *meta,
			    const struct udp *udp, size_t *size)
{
	*size = 0;
	if (meta->gso != FRAME_GSO_UDP4 && meta->gso != FRAME_GSO_UDP6)
		return DROP_OK;
	if (!meta->gso_size)
		return DROP_VALUE;
	if (udp->data.len > (size_t)meta->gso_size * UDP_BATCH_MAX)
		return DROP_LIMIT;
	if (udp->data.len > meta->gso_size)
		*size = meta->gso_size;
	return DROP_OK;
}

static void ask_dns(struct network *net, const struct ip_packet *ip,
		    const struct udp *udp, size_t size)
{
	const struct dns_reply_to back = {
		.guest = { .ip = ip->src, .port = udp->src_port },
		.gateway = ip->dst,
	};
	struct view rest = udp->data;

	while (size && rest.len > size) {
		dns_udp_query(net->dns, &back,
			      (struct view){ .p = rest.p, .len = size });
		rest.p += size;
		rest.len -= size;
	}
	dns_udp_query(net->dns, &back, rest);
}

static enum drop udp_packet(struct network *net, const struct ip_packet *ip,
			    const struct frame_meta *meta)
{
	struct flow_key key = { .guest_ip = ip->src, .peer_ip = ip->dst,
				.kind = FLOW_UDP };
	struct endpoint to;
	struct policy_route r;
	struct udp udp;
	size_t size = 0;
	enum drop drop = udp_parse(ip->payload, &udp);

	if (drop == DROP_OK)
		drop = batch_size(meta, &udp, &size);
	if (drop != DROP_OK)
		return drop;
	if (udp.no_csum && ip->v6)
		return DROP_CHECKSUM;	/* RFC 8200 section 8.1 */
	if (!udp.no_csum && !checksum_ok(meta, ip))
		return DROP_CHECKSUM;
	if (to_gateway(net, ip) && udp.dst_port == PORT_DNS) {
		ask_dns(net, ip, &udp, size);
		return DROP_OK;
	}
	if (!udp.dst_port)
		return DROP_VALUE;
	drop = route(net, ip, &r);
	if (drop != DROP_OK)
		return drop;
	to = (struct endpoint){ .ip = r.to, .port = udp.dst_port };
	key.guest_port = udp.src_port;
	key.peer_port = udp.dst_port;
	return udp_from_guest(&net->p, &key, &to, ip, &udp, size);
}

static enum drop echo_packet(struct network *net, const struct ip_packet *ip)
{
	struct flow_key key = { .guest_ip = ip->src, .peer_ip = ip->dst,
				.kind = FLOW_PING };
	struct icmp_echo echo;
	struct policy_route r;
	enum drop drop = icmp_parse_echo(ip, &echo);

	if (drop != DROP_OK || echo.reply)
		return drop;
	if (to_gateway(net, ip)) {	/* always answered, by ourselves */
		ping_reply(&net->p, &ip->dst, &ip->src, &own_mark, &echo);
		return DROP_OK;
	}
	drop = route(net, ip, &r);
	if (drop != DROP_OK)
		return drop;
	key.guest_port = echo.id;
	return ping_from_guest(&net->p, &key, &r.to, ip, &echo);
}

static enum drop ip_dispatch(struct network *net, const struct ip_packet *ip,
			     const struct frame_meta *meta)
{
	switch (ip->proto) {
	case PROTO_TCP:
		if (!checksum_ok(meta, ip))
			return DROP_CHECKSUM;
		return tcp_packet(net, ip);
	case PROTO_UDP:
		return udp_packet(net, ip, meta);
	case PROTO_ICMP:
		if (ip->v6)
			break;
		return checksum_ok(meta, ip) ? echo_packet(net, ip) :
					       DROP_CHECKSUM;
	case PROTO_ICMP6:
		if (!ip->v6)
			break;
		return checksum_ok(meta, ip) ? echo_packet(net, ip) :
					       DROP_CHECKSUM;
	default:
		break;
	}
	if (!ip_is_multicast(&ip->dst) && !ip_is_broadcast(&ip->dst))
		proto_icmp_error(&net->p, proto_gateway(&net->p, &ip->src),
				 ip, ICMP_PROTO_UNREACHABLE, ip->proto_at);
	return DROP_PROTO;
}

/* Neighbour messages: valid from link-local and unspecified sources too. */
static bool is_ndp(const struct ip_packet *ip)
{
	return ip->v6 && ip->proto == PROTO_ICMP6 && ip->payload.len &&
	       ip->payload.p[0] >= NDP_ROUTER_SOLICIT &&
	       ip->payload.p[0] <= NDP_NEIGHBOR_ADVERT + 1;
}

/* One piece of a datagram, and, if it was the last, the datagram. */
static enum drop fragment(struct network *net, const struct ip_packet *piece)
{
	const struct frame_meta meta = { 0 };
	struct ip_packet ip;
	struct view whole;
	enum drop drop = reassembly_add(&net->p, &net->reassembly, piece,
					&whole);

	if (drop != DROP_OK || !whole.p)
		return drop;
	drop = ip_parse_packet(rd(whole.p, whole.len), piece->v6, &ip);
	if (drop == DROP_OK && ip.fragment)
		drop = DROP_VALUE;	/* fragments of fragments */
	if (drop == DROP_OK) {
		ip.dont_fragment = false;
		drop = ip_dispatch(net, &ip, &meta);
	}
	reassembly_done(&net->p, &net->reassembly);
	return drop;
}

static enum drop dhcp_packet(struct network *net, const struct ip_packet *ip,
			     const struct eth *eth,
			     const struct frame_meta *meta)
{
	struct udp udp;
	const enum drop drop = udp_parse(ip->payload, &udp);

	if (drop != DROP_OK)
		return drop;
	if (!udp.no_csum && !checksum_ok(meta, ip))
		return DROP_CHECKSUM;
	return autoconf_dhcp(&net->autoconf, &net->p, ip, &eth->src, &udp);
}

/* IPv4 has one address for the guest; in IPv6 it takes more by itself. */
static bool is_guests(const struct network *net, const struct ip *ip)
{
	if (ip_is4(ip))
		return ip_equal(ip, &net->setup.guest4);
	return prefix_has(&net->setup.net6, ip) &&
	       !ip_equal(ip, &net->setup.gateway6);
}

static void name_ip6(struct network *net, const struct ip *ip)
{
	net->guest6 = *ip;
	dns_set_guest6(net->dns, ip);
}

/*
 * A machine without a client of DHCPv6 has a stateless address and not
 * guest6, and its own name must not send it to an address that nobody has.
 * So the name stands for what was heard: guest6 if it is in use, for that
 * is what `status` shows, else the first one, as temporary ones come later.
 */
static void hear_ip6(struct network *net, const struct ip *ip)
{
	if (net->setup.own_ip6 && !ip_is4(ip) &&
	    !ip_equal(ip, &net->guest6) &&
	    (ip_is_unspecified(&net->guest6) ||
	     ip_equal(ip, &net->setup.guest6)))
		name_ip6(net, ip);
}

void network_rejoined(struct network *net)
{
	const struct ip none = { .b = { 0 } };

	if (net->setup.own_ip6)
		name_ip6(net, &none);
}

static enum drop ip_frame(struct network *net, struct rd r,
			  const struct eth *eth,
			  const struct frame_meta *meta)
{
	const bool v6 = eth->type == ETH_IPV6;
	struct ip_packet ip;
	const enum drop drop = ip_parse_packet(r, v6, &ip);

	if (drop != DROP_OK)
		return drop;
	if (v6 && !net->setup.v6)
		return DROP_ETHERTYPE;
	/* Never in fragments: RFC 6980 */
	if (is_ndp(&ip) && !ip.fragment)
		return ndp_packet(net, &ip, &eth->src);
	if (autoconf_is_dhcp(&net->autoconf, &ip))
		return dhcp_packet(net, &ip, eth, meta);
	if (!is_guests(net, &ip.src))
		return DROP_SOURCE;
	macs_heard(&net->p.macs, &ip.src, &eth->src);
	hear_ip6(net, &ip.src);
	return ip.fragment ? fragment(net, &ip) : ip_dispatch(net, &ip, meta);
}

static enum drop frame(struct network *net, const struct frame_meta *meta,
		       const uint8_t *buf, size_t len)
{
	struct rd r = rd(buf, len);
	struct eth eth;
	const enum drop drop = eth_parse(&r, &eth);

	if (drop != DROP_OK)
		return drop;
	if (!mac_equal(&eth.dst, &net->p.gateway_mac) && !(eth.dst.b[0] & 1))
		return DROP_NOTFORUS;
	switch (eth.type) {
	case ETH_ARP:
		return arp_frame(net, r);
	case ETH_IPV4: case ETH_IPV6:
		return ip_frame(net, r, &eth, meta);
	default:
		return DROP_ETHERTYPE;
	}
}

void network_frame(struct network *net, const struct frame_meta *meta,
		   const uint8_t *buf, size_t len, uint64_t now_ns)
{
	net->p.now_ns = now_ns;
	net->frames_from_guest++;
	net->bytes_from_guest += len;
	net->p.drops[frame(net, meta, buf, len)]++;
}

void network_sock_event(struct network *net, struct handle h,
			unsigned events, uint64_t now_ns)
{
	union slot *s;

	net->p.now_ns = now_ns;
	if (h.slot >= DNS_SLOT_BASE) {
		dns_sock_event(net->dns, h, events);
		return;
	}
	s = (union slot *)(void *)flow_get(&net->p.flows, h);
	if (!s)
		return;
	switch ((enum flow_kind)s->flow.key.kind) {
	case FLOW_TCP:
		tcp_host_event(&net->p, &s->tcp, events);
		break;
	case FLOW_UDP_MAP:
		udp_host_event(&net->p, &s->udp_map, events);
		break;
	case FLOW_PING:
		ping_host_event(&net->p, &s->ping, events);
		break;
	case FLOW_UDP: case FLOW_FREE: case FLOW_KIND_MAX:
		break;
	}
}

/* A port of the gateway's that is in no flow to that one; 0: none. */
static uint16_t free_port(const struct network *net, struct flow_key key)
{
	const struct env *env = &net->p.env;
	uint16_t at;

	env->ops->random(env->ctx, &at, sizeof(at));
	for (unsigned i = 0; i < OFFER_TRIES; i++) {
		/* RFC 6335 section 6: dynamic ports */
		key.peer_port = (uint16_t)(49152 + (at + i) % 16384);
		if (!flow_find(&net->p.flows, &key))
			return key.peer_port;
	}
	return 0;
}

void network_offer(struct network *net, int id, const struct endpoint *to,
		   uint64_t now_ns)
{
	struct proto *p = &net->p;
	struct flow_key key = {
		.guest_ip = to->ip, .guest_port = to->port,
		.peer_ip = *proto_gateway(p, &to->ip), .kind = FLOW_TCP,
	};

	p->now_ns = now_ns;
	key.peer_port = free_port(net, key);
	if (key.peer_port)
		p->drops[tcp_offer(p, &key, id)]++;
	else
		p->env.ops->tcp.close(p->env.ctx, id, true);
}

uint64_t network_next_timer(const struct network *net)
{
	return wheel_next(&net->p.wheel);
}

static void flow_timer(struct network *net, struct flow *f)
{
	union slot *s = (union slot *)(void *)f;

	switch ((enum flow_kind)f->key.kind) {
	case FLOW_TCP:
		tcp_timer(&net->p, &s->tcp);
		break;
	case FLOW_UDP:
		udp_timer(&net->p, &s->udp);
		break;
	case FLOW_PING:
		ping_timer(&net->p, &s->ping);
		break;
	case FLOW_UDP_MAP: case FLOW_FREE: case FLOW_KIND_MAX:
		break;
	}
}

void network_timers(struct network *net, uint64_t now_ns)
{
	struct timer *t;

	net->p.now_ns = now_ns;
	while ((t = wheel_pop(&net->p.wheel, now_ns))) {
		struct flow *f = flow_of(&net->p.flows, t);

		if (f)
			flow_timer(net, f);
		else if (t == &net->reassembly.timer)
			reassembly_timer(&net->p, &net->reassembly);
		else if (t == &net->autoconf.timer)
			autoconf_timer(&net->autoconf, &net->p);
		else
			ASSERT(dns_timer(net->dns, t));
	}
}

void network_turn_end(struct network *net, uint64_t now_ns)
{
	net->p.now_ns = now_ns;
	tcp_turn_end(&net->p);
}

bool network_busy(const struct network *net)
{
	return net->p.owed != NULL;
}

void network_set_resolvers(struct network *net, const struct endpoint *at,
			   size_t n)
{
	dns_set_resolvers(net->dns, at, n);
}

void network_set_hosts(struct network *net, const struct hosts *hosts)
{
	dns_set_hosts(net->dns, hosts);
}

void network_get_stats(const struct network *net, struct network_stats *out)
{
	const struct proto *p = &net->p;
	struct dns_stats dns;

	dns_get_stats(net->dns, &dns);
	*out = (struct network_stats){
		.flows_tcp = p->flows.used[FLOW_TCP],
		.flows_udp = p->flows.used[FLOW_UDP],
		.flows_icmp = p->flows.used[FLOW_PING],
		.flows_max = p->flows.n_slots,
		.frames_from_guest = net->frames_from_guest,
		.frames_to_guest = p->frames_to_guest,
		.bytes_from_guest = net->bytes_from_guest,
		.bytes_to_guest = p->bytes_to_guest,
		.retransmits = p->retransmits,
		.store_bytes = p->store_bytes,
		.dns_questions = dns.questions,
		.dns_from_cache = dns.from_cache,
		.dns_failed = dns.failed,
		.dns_kept_bytes = dns.kept_bytes,
	};
	memcpy(out->drops, p->drops, sizeof(out->drops));
}

void network_check(const struct network *net)
{
	uint32_t slot = 0;

	flow_table_check(&net->p.flows);
	for (struct flow *f; (f = flow_next(&net->p.flows, &slot)); slot++)
		if (f->key.kind == FLOW_TCP)
			tcp_check(&net->p, (struct tcp *)(void *)f);
}
