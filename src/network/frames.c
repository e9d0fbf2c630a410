/* SPDX-License-Identifier: MIT */
/*
 * network/frames.c - a frame's way through the gateway
 *
 * Ethernet -> whose is it -> ARP, or IP -> checks of source and destination
 * -> for another guest (network/switch.h), or for the gateway itself
 * (neighbours, DNS, echo), else policy_route() -> TCP, UDP or echo, each to
 * its flow. What is refused is counted by its reason; what the guest may be
 * told, it is told by ICMP.
 */
#include "base/csum.h"
#include "network/state.h"
#include "wire/agent.h"
#include "wire/arp.h"
#include "wire/icmp.h"
#include "wire/ndp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

/* Of what the gateway says itself. */
const struct env_mark network_own_mark = { .ttl = PROTO_HOP_LIMIT };

/* One small frame of our own: ARP and neighbour answers. */
static void send_small(struct network *net, unsigned link, const struct wr *w,
		       uint8_t *buf)
{
	const struct frame_meta meta = { 0 };
	const struct span v = { .p = buf, .len = (size_t)(w->p - buf) };

	ASSERT(!w->bad);
	proto_send_link(&net->p, link, &meta, &v, 1);
}

/* Nobody else is to be asked, or it may not be. */
static bool gateway_answers(const struct network *net,
			    const struct arrival *from, const struct ip *target)
{
	const int has = guests_find(&net->p.guests, target);

	return !from->aside && (has < 0 || (net->setup.isolate &&
					    has != (int)from->guest));
}

static enum drop arp_frame(struct network *net, struct rd r,
			   const struct arrival *from)
{
	uint8_t buf[ETH_HEADER_BYTES + ARP_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	struct arp ask, answer;
	const enum drop drop = arp_parse(r, &ask);
	struct eth eth = { .src = net->p.gateway_mac, .type = ETH_ARP };

	if (drop != DROP_OK)
		return drop;
	(void)guests_heard(&net->p.guests, from->guest, &ask.sender,
			   &ask.sender_mac, false);
	if (ask.op == ARP_REPLY || !gateway_answers(net, from, &ask.target))
		return switch_arp(net, from, &from->to, &ask);
	if (!neighbor_arp(&net->neighbor, &ask, &answer))
		return DROP_OK;
	eth.dst = answer.target_mac;
	eth_emit(&w, &eth);
	arp_emit(&w, &answer);
	send_small(net, from->link, &w, buf);
	return DROP_OK;
}

static enum drop ndp_packet(struct network *net, const struct ip_packet *ip,
			    const struct arrival *from)
{
	uint8_t buf[PROTO_HEAD_BYTES], body[64];
	struct wr w = wr(buf, sizeof(buf)), b = wr(body, sizeof(body));
	struct ndp ask;
	struct neighbor_answer a;
	enum drop drop = ndp_parse(ip, &ask);
	struct eth eth = { .src = net->p.gateway_mac, .type = ETH_IPV6 };
	struct ip_packet out = { .v6 = true, .proto = PROTO_ICMP6, .ttl = 255 };

	/* Router advertisements, redirects: of a guest's. */
	if (drop == DROP_NOTOURS && net->p.guests.n > 1)
		drop = DROP_ROLE;
	if (drop != DROP_OK)
		return drop;
	if (!ip_is_unspecified(&ip->src) && !network_heard(net, from, &ip->src))
		return DROP_SOURCE;
	if (ask.type == NDP_ROUTER_SOLICIT) {
		autoconf_solicited(&net->autoconf, &net->p, from->link);
		return DROP_OK;
	}
	if (ask.type == NDP_NEIGHBOR_ADVERT ||
	    !gateway_answers(net, from, &ask.target))
		return switch_ndp(net, from, ip, &ask);
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
	send_small(net, from->link, &w, buf);
	return DROP_OK;
}

bool network_checksum_ok(const struct frame_meta *meta,
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
		       uint16_t port, struct policy_route *out)
{
	struct proto *p = &net->p;
	const struct ip *gw = proto_gateway(p, &ip->src);

	*out = policy_route(&net->policy, &p->env, &ip->dst, port);
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

void network_refuse(struct network *net, const struct ip_packet *ip)
{
	struct flow_key key = { .guest_ip = ip->src, .peer_ip = ip->dst,
				.kind = FLOW_TCP };
	struct tcp_segment seg;

	if (ip->proto != PROTO_TCP) {
		proto_icmp_error(&net->p, proto_gateway(&net->p, &ip->src), ip,
				 ICMP_PROHIBITED, 0);
	} else if (tcp_parse(ip->payload, &seg) == DROP_OK) {
		key.guest_port = seg.src_port;
		key.peer_port = seg.dst_port;
		tcp_refuse(&net->p, &key, &seg);
	}
}

/* May the guest begin that flow? Else *drop, and it is told, if it may be. */
static bool may_begin(struct network *net, const struct ip_packet *ip,
		      const struct frame_meta *meta,
		      const struct guard_flow *flow, enum drop *drop)
{
	const enum guard_verdict v = guard_packet_begins(net, flow,
			GUARD_GUEST_PACKET, ip, meta);

	*drop = guard_drop(v);
	if (v == GUARD_BLOCK && net->guard.rules.refuse)
		network_refuse(net, ip);
	return v == GUARD_PASS;
}

static struct guard_flow flow_of_packet(const struct network *net,
					const struct ip_packet *ip,
					uint16_t src, uint16_t dst)
{
	return (struct guard_flow){
		.path = guard_path_to(net, &ip->dst), .protocol = ip->proto,
		.guest = { .ip = ip->src, .port = src },
		.peer = { .ip = ip->dst, .port = dst },
	};
}

static bool to_gateway(const struct network *net, const struct ip_packet *ip)
{
	return ip_equal(&ip->dst, proto_gateway(&net->p, &ip->dst));
}

static int open_dns(void *ctx, const struct endpoint *from,
		    struct handle owner)
{
	(void)from;
	return dns_stream_open(ctx, owner);
}

static bool is_for_agent(const struct network *net, const struct ip_packet *ip,
			 const struct tcp_segment *seg)
{
	return net->setup.agent && seg->dst_port == AGENT_PORT &&
	       to_gateway(net, ip);
}

static enum drop tcp_new(struct network *net, const struct ip_packet *ip,
			 const struct frame_meta *meta,
			 const struct flow_key *key,
			 const struct tcp_segment *seg, const uint32_t *past)
{
	struct tcp_target target = {
		.to.port = seg->dst_port,
		.reopens = past, .past = past ? *past : 0,
	};
	struct guard_flow flow;
	struct policy_route r;
	enum drop drop;

	if (to_gateway(net, ip) && seg->dst_port == PORT_DNS) {
		target.open = open_dns;
		target.ops = dns_stream_ops();
		target.ctx = net->dns;
		return tcp_open(&net->p, key, seg, &target);
	}
	if (is_for_agent(net, ip, seg)) {
		target.open = net->p.env.ops->agent_open;
		target.ops = &net->p.env.ops->agent;
		target.ctx = net->p.env.ctx;
		return tcp_open(&net->p, key, seg, &target);
	}
	drop = route(net, ip, seg->dst_port, &r);
	if (drop != DROP_OK)
		return drop;
	flow = flow_of_packet(net, ip, seg->src_port, seg->dst_port);
	if (!may_begin(net, ip, meta, &flow, &drop))
		return drop;
	target.to.ip = r.to;
	target.has_next = r.has_next;
	target.next_to = r.next_to;
	target.ttl = proto_next_ttl(ip->ttl);
	target.mss = paths_mss(net, &r.to);
	return tcp_open(&net->p, key, seg, &target);
}

static enum drop tcp_packet(struct network *net, const struct ip_packet *ip,
			    const struct frame_meta *meta)
{
	struct flow_key key = { .guest_ip = ip->src, .peer_ip = ip->dst,
				.kind = FLOW_TCP };
	struct tcp_segment seg;
	const enum drop drop = tcp_parse(ip->payload, &seg);
	struct flow *f;
	uint32_t past;

	if (drop != DROP_OK)
		return drop;
	seg.data.far = meta->far;
	seg.data.len += meta->far_bytes;
	key.guest_port = seg.src_port;
	key.peer_port = seg.dst_port;
	f = flow_find(&net->p.flows, &key);
	if (f && tcp_rx(&net->p, (struct tcp *)(void *)f, &seg, &past))
		return DROP_OK;
	if (seg.flags & TCP_RST)
		return DROP_NOFLOW;
	if ((seg.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && seg.dst_port &&
	    seg.src_port)
		return tcp_new(net, ip, meta, &key, &seg, f ? &past : NULL);
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
	const struct udp_flow *known;
	struct guard_flow flow;
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
	if (!udp.no_csum && !network_checksum_ok(meta, ip))
		return DROP_CHECKSUM;
	if (to_gateway(net, ip) && udp.dst_port == PORT_DNS) {
		ask_dns(net, ip, &udp, size);
		return DROP_OK;
	}
	if (!udp.dst_port)
		return DROP_VALUE;
	key.guest_port = udp.src_port;
	key.peer_port = udp.dst_port;
	known = udp_exchange_find(&net->p, &key);
	if (known && known->called) {
		to = known->to;
		return udp_from_guest(&net->p, &key, &to, ip, &udp, size);
	}
	drop = route(net, ip, udp.dst_port, &r);
	if (drop != DROP_OK)
		return drop;
	if (!known) {
		flow = flow_of_packet(net, ip, udp.src_port, udp.dst_port);
		if (!may_begin(net, ip, meta, &flow, &drop))
			return drop;
	}
	if (paths_refuse(net, ip, &r.to, size ? size + ip->whole.len -
			 udp.data.len : ip->whole.len))
		return DROP_TOOBIG;
	to = (struct endpoint){ .ip = r.to, .port = udp.dst_port };
	return udp_from_guest(&net->p, &key, &to, ip, &udp, size);
}

static enum drop echo_packet(struct network *net, const struct ip_packet *ip,
			     const struct frame_meta *meta)
{
	struct flow_key key = { .guest_ip = ip->src, .peer_ip = ip->dst,
				.kind = FLOW_PING };
	struct guard_flow flow;
	struct icmp_echo echo;
	struct policy_route r;
	enum drop drop = icmp_parse_echo(ip, &echo);

	if (drop != DROP_OK || echo.reply)
		return drop;
	if (to_gateway(net, ip)) {	/* always answered, by ourselves */
		ping_reply(&net->p, &ip->dst, &ip->src, &network_own_mark, &echo);
		return DROP_OK;
	}
	drop = route(net, ip, 0, &r);
	if (drop != DROP_OK)
		return drop;
	key.guest_port = echo.id;
	if (!flow_find(&net->p.flows, &key)) {
		flow = flow_of_packet(net, ip, 0, 0);
		flow.icmp_type = ip->payload.p[0];
		if (!may_begin(net, ip, meta, &flow, &drop))
			return drop;
	}
	if (paths_refuse(net, ip, &r.to, ip->whole.len))
		return DROP_TOOBIG;
	return ping_from_guest(&net->p, &key, &r.to, ip, &echo);
}

/* The gateway's own address on the link, or a group that a router is in. */
static bool is_on_link(const struct network *net, const struct ip *dst)
{
	static const struct ip groups[] = {	/* RFC 4291 section 2.8 */
		{ .b = { 0xff, 2, [15] = 1 } },
		{ .b = { 0xff, 2, [15] = 2 } },
	};

	return ip_equal(dst, &net->autoconf.own) ||
	       ip_equal(dst, &groups[0]) || ip_equal(dst, &groups[1]);
}

/*
 * What goes no further than this link is echo, if anything. A guest that has
 * its routes by advertisements knows the gateway by that address.
 */
static enum drop on_link_packet(struct network *net,
				const struct ip_packet *ip,
				const struct frame_meta *meta)
{
	const struct ip *own = &net->autoconf.own;
	struct icmp_echo echo;
	enum drop drop;

	if (ip->proto != PROTO_ICMP6) {
		proto_icmp_error(&net->p, own, ip, ICMP_PROHIBITED, 0);
		return DROP_POLICY;
	}
	if (!network_checksum_ok(meta, ip))
		return DROP_CHECKSUM;
	drop = icmp_parse_echo(ip, &echo);
	if (drop == DROP_OK && !echo.reply)
		ping_reply(&net->p, own, &ip->src, &network_own_mark, &echo);
	return drop;
}

static enum drop ip_dispatch(struct network *net, const struct ip_packet *ip,
			     const struct frame_meta *meta)
{
	enum drop drop;

	if (switch_is_for(net, &ip->src, &ip->dst))
		return switch_packet(net, ip, meta);
	if (ip->v6 && is_on_link(net, &ip->dst))
		return on_link_packet(net, ip, meta);
	if (to_gateway(net, ip) && direct_from_guest(net, ip, meta, &drop))
		return drop;
	switch (ip->proto) {
	case PROTO_TCP:
		if (!network_checksum_ok(meta, ip))
			return DROP_CHECKSUM;
		return tcp_packet(net, ip, meta);
	case PROTO_UDP:
		return udp_packet(net, ip, meta);
	case PROTO_ICMP:
		if (ip->v6)
			break;
		return network_checksum_ok(meta, ip) ?
		       echo_packet(net, ip, meta) : DROP_CHECKSUM;
	case PROTO_ICMP6:
		if (!ip->v6)
			break;
		return network_checksum_ok(meta, ip) ?
		       echo_packet(net, ip, meta) : DROP_CHECKSUM;
	default:
		break;
	}
	if (!ip_is_multicast(&ip->dst) && !ip_is_broadcast(&ip->dst))
		proto_icmp_error(&net->p, proto_gateway(&net->p, &ip->src),
				 ip, ICMP_PROTO_UNREACHABLE, ip->proto_at);
	return DROP_PROTO;
}

void network_packet_again(struct network *net, const struct frame_meta *meta,
			  struct view packet)
{
	struct rd first = rd(packet.p, packet.len);
	struct ip_packet ip;
	enum drop drop = ip_parse_packet(rd(packet.p, packet.len),
					 rd_u8(&first) >> 4 == 6, &ip);

	if (drop == DROP_OK && guests_find(&net->p.guests, &ip.src) < 0)
		drop = DROP_SOURCE;	/* it has gone meanwhile */
	if (drop == DROP_OK)
		drop = ip_dispatch(net, &ip, meta);
	net->p.drops[drop]++;
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
			     const struct arrival *from,
			     const struct frame_meta *meta)
{
	const struct member *m = &net->members[from->guest];
	const struct autoconf_guest guest = {
		.id = from->guest, .mac = from->mac,
		.ip4 = m->ip4, .ip6 = m->ip6, .name = m->name,
	};
	struct udp udp;
	const enum drop drop = udp_parse(ip->payload, &udp);

	if (drop != DROP_OK)
		return drop;
	if (!udp.no_csum && !network_checksum_ok(meta, ip))
		return DROP_CHECKSUM;
	return autoconf_dhcp(&net->autoconf, &net->p, ip, &guest, &udp);
}

/*
 * A source of which a guest speaks before it has an address of its own; with
 * it, it joins groups (RFC 3590 section 4), and nobody here is in them.
 */
static bool is_without_address(const struct ip *src)
{
	return ip_is_link_local(src) || ip_is_unspecified(src);
}

static enum drop ip_frame(struct network *net, struct rd r, bool v6,
			  const struct arrival *from,
			  const struct frame_meta *meta)
{
	struct ip_packet ip;
	const enum drop drop = ip_parse_head(r, meta->far_bytes, v6, &ip);

	if (drop != DROP_OK)
		return drop;
	if (v6 && !net->setup.v6)
		return DROP_ETHERTYPE;
	if (meta->far_bytes && (ip.proto != PROTO_TCP || ip.fragment ||
				net->setup.host_port))
		return DROP_VALUE;
	/* Never in fragments: RFC 6980 */
	if (is_ndp(&ip) && !ip.fragment)
		return ndp_packet(net, &ip, from);
	if (!from->aside && autoconf_is_dhcp(&net->autoconf, &ip))
		return dhcp_packet(net, &ip, from, meta);
	if (ip.proto == PROTO_UDP && !ip.fragment && switch_is_on(net) &&
	    switch_is_group(net, &ip.dst) && !ip_is_unspecified(&ip.src))
		return network_heard(net, from, &ip.src) ?
		       switch_group(net, from, &ip, meta) : DROP_SOURCE;
	if (v6 && is_without_address(&ip.src) && !is_on_link(net, &ip.dst) &&
	    !switch_is_for(net, &ip.src, &ip.dst))
		return ip_is_multicast(&ip.dst) ? DROP_OK : DROP_SOURCE;
	if (!network_heard(net, from, &ip.src))
		return DROP_SOURCE;
	if (from->aside && !switch_is_for(net, &ip.src, &ip.dst))
		return DROP_NOTFORUS;
	return ip.fragment ? fragment(net, &ip) : ip_dispatch(net, &ip, meta);
}

static void count_frame(struct network *net, unsigned guest, size_t len)
{
	struct guest *of = &net->p.guests.at[guest];

	of->frames_from++;
	of->bytes_from += len;
}

static enum drop frame(struct network *net, unsigned link,
		       const struct frame_meta *meta, const uint8_t *buf,
		       size_t len)
{
	struct rd r = rd(buf, len);
	struct frame_meta m = *meta;
	struct eth eth;
	const enum drop drop = eth_parse(&r, &eth);
	const size_t header = len - r.left;
	struct arrival from;
	int id;

	if (drop != DROP_OK)
		return drop;
	id = network_hear(net, link, &eth.src);
	if (id < 0)
		return DROP_SOURCE;
	from = (struct arrival){
		.link = link, .guest = (unsigned)id,
		.mac = eth.src, .to = eth.dst,
		.aside = !mac_equal(&eth.dst, &net->p.gateway_mac) &&
			 !(eth.dst.b[0] & 1),
	};
	count_frame(net, from.guest, len + meta->far_bytes);
	/* From here on they count from the IP header. */
	m.csum_start = (uint16_t)(m.csum_start > header ?
				  m.csum_start - header : 0);
	m.hdr_len = (uint16_t)(m.hdr_len > header ? m.hdr_len - header : 0);
	if (from.aside && net->p.guests.n == 1)
		return DROP_NOTFORUS;
	switch (eth.type) {
	case ETH_ARP:
		return arp_frame(net, r, &from);
	case ETH_IPV4: case ETH_IPV6:
		return ip_frame(net, r, eth.type == ETH_IPV6, &from, &m);
	default:
		return DROP_ETHERTYPE;
	}
}

void network_frame(struct network *net, unsigned link,
		   const struct frame_meta *meta, const uint8_t *buf,
		   size_t len, uint64_t now_ns)
{
	ASSERT(link < NETWORK_LINKS_MAX);
	net->p.now_ns = now_ns;
	net->frames_from_guest++;
	net->bytes_from_guest += len + meta->far_bytes;
	net->p.drops[frame(net, link, meta, buf, len)]++;
}
