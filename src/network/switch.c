/* SPDX-License-Identifier: MIT */
#include "network/switch.h"

#include "network/meta.h"
#include "network/state.h"
#include "proto/datagram.h"
#include "proto/share.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define SECOND_NS	UINT64_C(1000000000)
#define IDLE_TCP_NS	(7440 * SECOND_NS)	/* RFC 5382 REQ-5 */
#define IDLE_YOUNG_NS	(240 * SECOND_NS)
#define IDLE_OVER_NS	(10 * SECOND_NS)
#define IDLE_PING_NS	(30 * SECOND_NS)
#define IDLE_NS		(120 * SECOND_NS)	/* RFC 4787 REQ-5 */

/* What a packet says of the flow that it belongs to. */
struct said {
	struct flow_key key;		/* guest: who sends it */
	bool begins;			/* it may be the first */
	bool error;			/* about one of the other end's */
	bool fin, reset;
	struct tcp_segment seg;		/* of TCP */
};

static struct switched *as_switched(struct flow *f)
{
	return (struct switched *)(void *)f;
}

bool switch_is_on(const struct network *net)
{
	return net->p.guests.n > 1 && !net->setup.isolate;
}

bool switch_is_for(const struct network *net, const struct ip *src,
		   const struct ip *dst)
{
	const int id = net->p.guests.n > 1 ?
		       guests_find(&net->p.guests, dst) : GUESTS_NOBODY;

	return id >= 0 && id != guests_find(&net->p.guests, src);
}

/* ---- what a packet says ---- */

static enum drop read_tcp(const struct ip_packet *ip, struct said *s)
{
	const enum drop drop = tcp_parse(ip->payload, &s->seg);

	if (drop != DROP_OK)
		return drop;
	s->key.kind = FLOW_SWITCH_TCP;
	s->key.guest_port = s->seg.src_port;
	s->key.peer_port = s->seg.dst_port;
	s->begins = (s->seg.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
	s->fin = s->seg.flags & TCP_FIN;
	s->reset = s->seg.flags & TCP_RST;
	return DROP_OK;
}

/* Which the gateway alone may say on a link: RFC 2131, RFC 8415. */
static bool is_dhcp_server(const struct ip_packet *ip, const struct udp *udp)
{
	return ip->v6 ? udp->src_port == 547 || udp->dst_port == 546 :
			udp->src_port == 67 || udp->dst_port == 68;
}

static enum drop read_udp(const struct ip_packet *ip, struct said *s)
{
	struct udp udp;
	const enum drop drop = udp_parse(ip->payload, &udp);

	if (drop != DROP_OK)
		return drop;
	if (is_dhcp_server(ip, &udp))
		return DROP_ROLE;
	s->key.kind = FLOW_SWITCH_UDP;
	s->key.guest_port = udp.src_port;
	s->key.peer_port = udp.dst_port;
	s->begins = true;
	return DROP_OK;
}

/* The flow of the packet that an ICMP error quotes, which came from dst. */
static enum drop read_error(const struct ip_packet *ip, struct said *s)
{
	struct rd r = rd(ip->payload.p, ip->payload.len);
	const uint8_t type = rd_u8(&r), code = rd_u8(&r);
	struct ip src, dst;
	enum icmp_error error;
	uint8_t proto;

	rd_bytes(&r, ICMP_HEADER_BYTES - 2);
	if (r.bad || !icmp_error_read(!ip->v6, type, code, &error) ||
	    !ip_peek(&r, ip->v6, &src, &dst, &proto))
		return DROP_PROTO;
	if (!ip_equal(&src, &ip->dst) || !ip_equal(&dst, &ip->src))
		return DROP_SOURCE;
	s->error = true;
	s->key.peer_port = rd_be16(&r);		/* the quoted one's source */
	s->key.guest_port = rd_be16(&r);
	switch (proto) {
	case PROTO_TCP:
		s->key.kind = FLOW_SWITCH_TCP;
		break;
	case PROTO_UDP:
		s->key.kind = FLOW_SWITCH_UDP;
		break;
	case PROTO_ICMP: case PROTO_ICMP6:
		s->key.kind = FLOW_SWITCH_PING;
		s->key.guest_port = 0;
		s->key.peer_port = rd_be16(&r);	/* the identifier */
		break;
	default:
		r.bad = false;		/* there are no ports */
		s->key.kind = FLOW_SWITCH_OTHER;
		s->key.guest_port = s->key.peer_port = proto;
		break;
	}
	return r.bad ? DROP_SHORT : DROP_OK;
}

/* The identifier is the port of who asks. */
static enum drop read_icmp(const struct ip_packet *ip, struct said *s)
{
	struct icmp_echo echo;

	if (ip->v6 != (ip->proto == PROTO_ICMP6))
		return DROP_PROTO;
	if (icmp_parse_echo(ip, &echo) != DROP_OK)
		return read_error(ip, s);
	s->key.kind = FLOW_SWITCH_PING;
	*(echo.reply ? &s->key.peer_port : &s->key.guest_port) = echo.id;
	s->begins = !echo.reply;
	return DROP_OK;
}

static enum drop read_packet(const struct ip_packet *ip, struct said *s)
{
	*s = (struct said){
		.key = { .guest_ip = ip->src, .peer_ip = ip->dst },
	};
	switch (ip->proto) {
	case PROTO_TCP:
		return read_tcp(ip, s);
	case PROTO_UDP:
		return read_udp(ip, s);
	case PROTO_ICMP: case PROTO_ICMP6:
		return read_icmp(ip, s);
	default:
		s->key.kind = FLOW_SWITCH_OTHER;
		s->key.guest_port = s->key.peer_port = ip->proto;
		s->begins = true;
		return DROP_OK;
	}
}

/* ---- flows ---- */

static bool is_over(const struct switched *f)
{
	return f->reset || (f->fin && f->other_fin);
}

static uint64_t idle_limit(const struct switched *f)
{
	if (f->flow.key.kind == FLOW_SWITCH_PING)
		return IDLE_PING_NS;
	if (f->flow.key.kind != FLOW_SWITCH_TCP)
		return IDLE_NS;
	if (is_over(f))
		return IDLE_OVER_NS;
	return f->got ? IDLE_TCP_NS : IDLE_YOUNG_NS;
}

void switch_free(struct network *net, struct switched *s)
{
	wheel_cancel(&net->p.wheel, &s->timer);
	net->switched--;
	net->members[s->by].switched--;
	flow_free(&net->p.flows, &s->flow);
}

void switch_timer(struct network *net, struct switched *s)
{
	const uint64_t end = s->idle_ns + idle_limit(s);

	if (end > net->p.now_ns)
		wheel_arm(&net->p.wheel, &s->timer, end);
	else
		switch_free(net, s);
}

static struct flow_key other_way(const struct flow_key *k)
{
	return (struct flow_key){
		.guest_ip = k->peer_ip, .guest_port = k->peer_port,
		.peer_ip = k->guest_ip, .peer_port = k->guest_port,
		.kind = k->kind,
	};
}

/* *answers: who sends has not begun it. */
static struct switched *find(const struct network *net,
			     const struct flow_key *key, bool *answers)
{
	const struct flow_key other = other_way(key);
	struct flow *f = flow_find(&net->p.flows, key);

	*answers = !f;
	return as_switched(f ? f : flow_find(&net->p.flows, &other));
}

static struct switched *begin(struct network *net, const struct said *s)
{
	struct flow_table *t = &net->p.flows;
	const int by = guests_find(&net->p.guests, &s->key.guest_ip);
	struct flow *f = NULL;

	ASSERT(by >= 0);		/* its source was looked at */
	if (net->switched < t->n_slots / SWITCH_PART &&
	    net->members[by].switched < t->n_slots / SWITCH_GUEST_PART)
		f = share_flow(&net->p, &s->key);
	if (!f)
		return NULL;
	f->begun_s = proto_seconds(&net->p);
	as_switched(f)->by = (uint8_t)by;
	net->switched++;
	net->members[by].switched++;
	return as_switched(f);
}

/* A packet of the flow passes; its timer only ever moves back. */
static void note(struct network *net, struct switched *f,
		 const struct said *s, size_t bytes, bool answers)
{
	const bool was_over = is_over(f);

	if (s->error)
		return;
	f->reset |= s->reset;
	*(answers ? &f->other_fin : &f->fin) |= s->fin;
	*(answers ? &f->got : &f->sent) += bytes;
	f->idle_ns = net->p.now_ns;
	if (!timer_armed(&f->timer) || (!was_over && is_over(f)))
		wheel_arm(&net->p.wheel, &f->timer,
			  f->idle_ns + idle_limit(f));
}

static bool may_begin(struct network *net, const struct said *s,
		      const struct ip_packet *ip,
		      const struct frame_meta *meta, enum drop *drop)
{
	const bool ports = ip->proto == PROTO_TCP || ip->proto == PROTO_UDP;
	const bool echo = s->key.kind == FLOW_SWITCH_PING;
	const struct guard_flow flow = {
		.path = GUARD_TO_GUEST, .protocol = ip->proto,
		.icmp_type = echo ? ip->payload.p[0] : 0,
		.guest = { .ip = s->key.guest_ip,
			   .port = ports ? s->key.guest_port : 0 },
		.peer = { .ip = s->key.peer_ip,
			  .port = ports ? s->key.peer_port : 0 },
	};
	const enum guard_verdict v = guard_packet_begins(net, &flow,
			GUARD_GUEST_PACKET, ip, meta);

	*drop = guard_drop(v);
	if (v == GUARD_BLOCK && net->guard.rules.refuse)
		network_refuse(net, ip);
	return v == GUARD_PASS;
}

/* A segment that is of no flow, nor may begin one. */
static enum drop refuse_segment(struct network *net, const struct said *s,
				const struct ip_packet *ip,
				const struct frame_meta *meta)
{
	if (s->key.kind == FLOW_SWITCH_TCP && !s->error &&
	    !network_checksum_ok(meta, ip))
		return DROP_CHECKSUM;
	if (s->key.kind == FLOW_SWITCH_TCP && !s->reset && !s->error)
		tcp_refuse(&net->p, &s->key, &s->seg);
	return DROP_NOFLOW;
}

/* The flow of the packet, begun by it if it may; NULL: *drop says why not. */
static struct switched *flow_for(struct network *net, const struct said *s,
				 const struct ip_packet *ip,
				 const struct frame_meta *meta, bool *answers,
				 enum drop *drop)
{
	struct switched *f = find(net, &s->key, answers);

	/* With the ports of one that is over another begins. */
	if (f && s->begins && s->key.kind == FLOW_SWITCH_TCP && is_over(f)) {
		switch_free(net, f);
		f = NULL;
	}
	/* Nor does one flow let the other end begin one at the same ports. */
	*drop = DROP_NOFLOW;
	if (f)
		return *answers && s->begins && s->key.kind == FLOW_SWITCH_TCP ?
		       NULL : f;
	*answers = false;
	if (!s->begins) {
		*drop = refuse_segment(net, s, ip, meta);
		return NULL;
	}
	if (!may_begin(net, s, ip, meta, drop))
		return NULL;
	*drop = DROP_FLOWS;
	return begin(net, s);
}

/* ---- the way out ---- */

/* Ethernet, then what follows, to the guest that has that address. */
static void emit(struct network *net, const struct eth *eth,
		 const struct ip *to, const struct frame_meta *meta,
		 struct view body, const struct span *far, size_t far_bytes)
{
	uint8_t head[ETH_HEADER_BYTES];
	struct wr w = wr(head, sizeof(head));
	struct span v[FRAME_SPANS_MAX] = {
		{ .p = head, .len = sizeof(head) },
		{ .p = (void *)(uintptr_t)body.p, .len = body.len },
	};
	unsigned n = 2;

	eth_emit(&w, eth);
	for (; far_bytes; far_bytes -= v[n++].len) {
		ASSERT(n < FRAME_SPANS_MAX && far->len <= far_bytes);
		v[n] = *far++;
	}
	/* What the link does not take is counted. */
	(void)!proto_send(&net->p, to, meta, v, n);
}

static struct eth eth_for(const struct network *net,
			  const struct ip_packet *ip)
{
	return (struct eth){
		.dst = *proto_mac(&net->p, &ip->dst),
		.src = *proto_mac(&net->p, &ip->src),
		.type = ip->v6 ? ETH_IPV6 : ETH_IPV4,
	};
}

/*
 * What the other link is told of the frame. DROP_VALUE: that would not be
 * true; DROP_LIMIT: a batch that is not worth it.
 */
static enum drop meta_for(const struct ip_packet *ip,
			  const struct frame_meta *meta,
			  struct frame_meta *out)
{
	const size_t headers = meta_headers_bytes(ip);
	const size_t data = ip->whole.len + meta->far_bytes - headers;
	const bool tcp = ip->proto == PROTO_TCP;

	*out = (struct frame_meta){ .needs_csum = meta->needs_csum };
	if (!meta_is_true(meta, ip) || (meta->gso && meta_has_options(ip)))
		return DROP_VALUE;
	if (meta->needs_csum) {
		out->csum_start = (uint16_t)(ETH_HEADER_BYTES +
					     meta->csum_start);
		out->csum_offset = meta->csum_offset;
	}
	if (!meta->gso || data <= meta->gso_size)
		return DROP_OK;		/* a batch of one is none */
	if (tcp && meta->gso_size < SWITCH_SEGMENT_LEAST)
		return DROP_LIMIT;
	out->gso = meta->gso;
	out->gso_size = meta->gso_size;
	out->hdr_len = (uint16_t)(ETH_HEADER_BYTES + headers);
	return DROP_OK;
}

/* As it is, or in fragments, if it has come in such. */
static enum drop pass(struct network *net, const struct ip_packet *ip,
		      const struct frame_meta *meta)
{
	struct proto *p = &net->p;
	const size_t all = ip->whole.len + meta->far_bytes;
	const struct span v = { .p = (void *)(uintptr_t)ip->payload.p,
				.len = ip->payload.len };
	const struct eth eth = eth_for(net, ip);
	struct frame_meta out;
	const enum drop drop = meta_for(ip, meta, &out);
	const size_t packet = out.gso ? (size_t)out.hdr_len + out.gso_size -
					ETH_HEADER_BYTES : all;

	if (drop != DROP_OK)
		return drop;
	if (packet <= p->mtu) {
		emit(net, &eth, &ip->dst, &out, ip->whole, meta->far,
		     meta->far_bytes);
		return DROP_OK;
	}
	if (out.gso || out.needs_csum || meta->far_bytes ||
	    ip->dont_fragment || meta_has_options(ip)) {
		proto_icmp_error(p, proto_gateway(p, &ip->src), ip,
				 ICMP_TOO_BIG, p->mtu);
		return DROP_TOOBIG;
	}
	datagram_send(p, ip, 0, &v, 1);
	return DROP_OK;
}

enum drop switch_packet(struct network *net, const struct ip_packet *ip,
			const struct frame_meta *meta)
{
	struct said s;
	struct switched *f;
	bool answers;
	enum drop drop;

	if (net->setup.isolate) {
		proto_icmp_error(&net->p, proto_gateway(&net->p, &ip->src),
				 ip, ICMP_PROHIBITED, 0);
		return DROP_ISOLATED;
	}
	drop = read_packet(ip, &s);
	if (drop != DROP_OK)
		return drop;
	/* Else the one end would be taken for gone, and is not. */
	if ((s.begins || s.fin || s.reset) && s.key.kind == FLOW_SWITCH_TCP &&
	    !network_checksum_ok(meta, ip))
		return DROP_CHECKSUM;
	f = flow_for(net, &s, ip, meta, &answers, &drop);
	if (!f)
		return drop;
	drop = pass(net, ip, meta);
	if (drop == DROP_OK)
		note(net, f, &s, ip->payload.len + meta->far_bytes, answers);
	else if (!timer_armed(&f->timer))
		switch_free(net, f);	/* it has begun nothing */
	return drop;
}

/* ---- to all others ---- */

/* A token bucket, kept as the time at which it would be full again. */
static bool may_flood(struct network *net, unsigned guest)
{
	uint64_t *full_ns = &net->members[guest].floods_ns;

	if (*full_ns < net->p.now_ns)
		*full_ns = net->p.now_ns;
	if (*full_ns - net->p.now_ns >= SWITCH_FLOODS * SWITCH_FLOOD_NS)
		return false;
	*full_ns += SWITCH_FLOOD_NS;
	return true;
}

/* The links that others are on, a bit each. */
static uint32_t other_links(const struct network *net,
			    const struct arrival *from)
{
	uint32_t links = 0;

	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++) {
		const struct guest *of = &net->p.guests.at[i];

		if (of->used && of->up && of->link != NETWORK_LINK_ANY)
			links |= UINT32_C(1) << of->link;
	}
	return links & ~(UINT32_C(1) << from->link);
}

static void to_links(struct network *net, uint32_t links,
		     const struct eth *eth, const struct frame_meta *meta,
		     struct view body)
{
	uint8_t head[ETH_HEADER_BYTES];
	struct wr w = wr(head, sizeof(head));
	const struct span v[2] = {
		{ .p = head, .len = sizeof(head) },
		{ .p = (void *)(uintptr_t)body.p, .len = body.len },
	};

	eth_emit(&w, eth);
	for (unsigned i = 0; i < NETWORK_LINKS_MAX; i++)
		if (links >> i & 1)
			(void)!proto_send_link(&net->p, i, meta, v, 2);
}

/* RFC 1112 section 6.4, RFC 2464 section 7. */
static struct mac group_mac(const struct ip *dst)
{
	const uint8_t *b = dst->b + 12;

	if (!ip_is4(dst))
		return (struct mac){ { 0x33, 0x33, b[0], b[1], b[2], b[3] } };
	if (!ip_is_multicast(dst))
		return (struct mac){ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	return (struct mac){ { 1, 0, 0x5e, b[1] & 0x7f, b[2], b[3] } };
}

bool switch_is_group(const struct network *net, const struct ip *dst)
{
	const struct prefix *p = &net->p.net4;

	return ip_is_multicast(dst) || ip_is_broadcast(dst) ||
	       (prefix_has(p, dst) && ip_is4(dst) &&
		(ip_to_v4(*dst) | UINT32_C(0xffffffff) << (32 - p->bits)) ==
		UINT32_MAX);
}

/* Of those links, where each guest may be spoken to by that datagram. */
static uint32_t allowed_links(const struct network *net, uint32_t links,
			      const struct ip_packet *ip,
			      const struct udp *udp)
{
	struct guard_flow flow = {
		.path = GUARD_TO_WORLD, .protocol = PROTO_UDP,
		.guest = { .ip = ip->src, .port = udp->src_port },
		.peer = { .ip = ip->dst, .port = udp->dst_port },
	};

	if (!guard_passes(net, &flow))
		return 0;
	flow.path = GUARD_TO_GUEST;
	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++) {
		const struct guest *of = &net->p.guests.at[i];
		const struct member *m = &net->members[i];
		const uint32_t bit = of->link < NETWORK_LINKS_MAX ?
				     UINT32_C(1) << of->link : 0;

		flow.peer.ip = ip->v6 ? m->ip6 : m->ip4;
		if (of->used && (links & bit) && !guard_passes(net, &flow))
			links &= ~bit;
	}
	return links;
}

enum drop switch_group(struct network *net, const struct arrival *from,
		       const struct ip_packet *ip,
		       const struct frame_meta *meta)
{
	const struct eth eth = {
		.dst = group_mac(&ip->dst), .src = from->mac,
		.type = ip->v6 ? ETH_IPV6 : ETH_IPV4,
	};
	uint32_t links = other_links(net, from);
	struct frame_meta out;
	struct udp udp;
	enum drop drop = udp_parse(ip->payload, &udp);

	if (drop == DROP_OK && is_dhcp_server(ip, &udp))
		drop = DROP_ROLE;
	if (drop == DROP_OK)
		drop = meta_for(ip, meta, &out);
	if (drop != DROP_OK || !links)
		return drop;
	if (out.gso || ip->whole.len > net->p.mtu)
		return DROP_TOOBIG;
	if (!may_flood(net, from->guest))
		return DROP_LIMIT;
	links = allowed_links(net, links, ip, &udp);
	to_links(net, links, &eth, &out, ip->whole);
	return links ? DROP_OK : DROP_FIREWALL;
}

/* ---- neighbours ---- */

enum drop switch_arp(struct network *net, const struct arrival *from,
		     const struct mac *to, const struct arp *a)
{
	const struct frame_meta meta = { 0 };
	const struct guests *g = &net->p.guests;
	const bool probe = a->op == ARP_REQUEST &&
			   ip_is_unspecified(&a->sender);
	uint8_t body[ARP_BYTES];
	struct wr w = wr(body, sizeof(body));
	const struct eth eth = { .dst = *to, .src = from->mac,
				 .type = ETH_ARP };
	int other = guests_find(g, &a->target);

	if (!switch_is_on(net))
		return DROP_OK;
	/* It answers a probe, which has no address yet. */
	if (other < 0 && a->op == ARP_REPLY && ip_is_unspecified(&a->target))
		other = guests_by_mac(g, to);
	if (other < 0 || other == (int)from->guest)
		return DROP_OK;
	if (!mac_equal(&a->sender_mac, &from->mac) ||
	    (!probe && guests_find(g, &a->sender) != (int)from->guest))
		return DROP_SOURCE;
	arp_emit(&w, a);
	emit(net, &eth, &net->members[other].ip4, &meta,
	     (struct view){ .p = body, .len = sizeof(body) }, NULL, 0);
	return DROP_OK;
}

enum drop switch_ndp(struct network *net, const struct arrival *from,
		     const struct ip_packet *ip, const struct ndp *n)
{
	const struct frame_meta meta = { 0 };
	const struct guests *g = &net->p.guests;
	const bool advert = n->type == NDP_NEIGHBOR_ADVERT;
	const struct ip *whose = advert ? &ip->dst : &n->target;
	const int other = guests_find(g, whose);
	struct eth eth = { .src = from->mac, .type = ETH_IPV6 };

	if (!switch_is_on(net) || other == (int)from->guest ||
	    (other < 0 && !(advert && ip_is_multicast(&ip->dst))))
		return DROP_OK;
	if ((n->has_mac && !mac_equal(&n->mac, &from->mac)) ||
	    (advert && !network_heard(net, from, &n->target)))
		return DROP_SOURCE;
	eth.dst = ip_is_multicast(&ip->dst) ? group_mac(&ip->dst) :
					      *proto_mac(&net->p, &ip->dst);
	if (other >= 0)
		emit(net, &eth, whose, &meta, ip->whole, NULL, 0);
	else if (!may_flood(net, from->guest))
		return DROP_LIMIT;
	else
		to_links(net, other_links(net, from), &eth, &meta, ip->whole);
	return DROP_OK;
}
