/* SPDX-License-Identifier: MIT */
#include "network/direct.h"

#include "network/meta.h"
#include "network/state.h"
#include "proto/share.h"
#include "wire/agent.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define SECOND_NS	UINT64_C(1000000000)
#define IDLE_TCP_NS	(7440 * SECOND_NS)
#define IDLE_YOUNG_NS	(240 * SECOND_NS)
#define IDLE_OVER_NS	(10 * SECOND_NS)
#define HOST_PART	2	/* of the flows: one in so many, at most */
#define IDLE_UDP_NS	(120 * SECOND_NS)
#define IDLE_PING_NS	(30 * SECOND_NS)

/* What a packet says of the conversation that it belongs to. */
struct said {
	struct flow_key key;
	bool begins;			/* it may be the first */
	bool error;			/* about one of the other side's */
	bool fin, reset;
};

static struct direct *as_direct(struct flow *f)
{
	return (struct direct *)(void *)f;
}

static bool read_tcp(struct view l4, struct said *s, uint16_t *src,
		     uint16_t *dst)
{
	struct tcp_segment seg;

	if (tcp_parse(l4, &seg) != DROP_OK)
		return false;
	*src = seg.src_port;
	*dst = seg.dst_port;
	s->key.kind = FLOW_DIRECT_TCP;
	s->begins = (seg.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
	s->fin = seg.flags & TCP_FIN;
	s->reset = seg.flags & TCP_RST;
	return true;
}

static bool read_udp(struct view l4, struct said *s, uint16_t *src,
		     uint16_t *dst)
{
	struct rd r = rd(l4.p, l4.len);

	*src = rd_be16(&r);
	*dst = rd_be16(&r);
	s->key.kind = FLOW_DIRECT_UDP;
	s->begins = true;
	return !r.bad;
}

/* Of an echo the identifier is the guest's port. */
static bool read_echo(const struct ip_packet *ip, bool from_guest,
		      struct said *s, uint16_t *id)
{
	struct icmp_echo echo;

	if (icmp_parse_echo(ip, &echo) != DROP_OK || echo.reply != from_guest)
		return false;
	*id = echo.id;
	s->key.kind = FLOW_DIRECT_PING;
	s->begins = !from_guest;
	return true;
}

/*
 * The conversation of the packet that an ICMP error quotes, which went the
 * other way. Only its addresses and ports are needed, and only they need be
 * there (RFC 792); extension headers are not looked behind.
 */
static bool read_error(const struct ip_packet *ip, bool from_guest,
		       struct said *s)
{
	struct rd r = rd(ip->payload.p, ip->payload.len);
	const uint8_t type = rd_u8(&r), code = rd_u8(&r);
	struct ip src, dst;
	enum icmp_error error;
	uint8_t proto;

	rd_bytes(&r, ICMP_HEADER_BYTES - 2);
	if (r.bad || !icmp_error_read(!ip->v6, type, code, &error) ||
	    !ip_peek(&r, ip->v6, &src, &dst, &proto))
		return false;
	s->key.guest_ip = from_guest ? dst : src;
	s->key.peer_ip = from_guest ? src : dst;
	const uint16_t src_port = rd_be16(&r), dst_port = rd_be16(&r);

	s->key.guest_port = from_guest ? dst_port : src_port;
	s->key.peer_port = from_guest ? src_port : dst_port;
	s->error = true;
	switch (proto) {
	case PROTO_TCP:
		s->key.kind = FLOW_DIRECT_TCP;
		break;
	case PROTO_UDP:
		s->key.kind = FLOW_DIRECT_UDP;
		break;
	case PROTO_ICMP: case PROTO_ICMP6:
		s->key.kind = FLOW_DIRECT_PING;
		s->key.guest_port = rd_be16(&r);	/* the identifier */
		s->key.peer_port = 0;
		break;
	default:		/* other bytes than ports are there */
		return false;
	}
	return !r.bad;
}

/* false: nothing that has a conversation. */
static bool read_packet(const struct ip_packet *ip, bool from_guest,
			struct said *s)
{
	uint16_t src = 0, dst = 0;

	*s = (struct said){
		.key.guest_ip = from_guest ? ip->src : ip->dst,
		.key.peer_ip = from_guest ? ip->dst : ip->src,
	};
	switch (ip->proto) {
	case PROTO_TCP:
		if (!read_tcp(ip->payload, s, &src, &dst))
			return false;
		break;
	case PROTO_UDP:
		if (!read_udp(ip->payload, s, &src, &dst))
			return false;
		break;
	case PROTO_ICMP: case PROTO_ICMP6:
		if ((ip->proto == PROTO_ICMP6) != ip->v6)
			return false;
		if (!read_echo(ip, from_guest, s, &s->key.guest_port))
			return read_error(ip, from_guest, s);
		return true;
	default:
		return false;
	}
	s->key.guest_port = from_guest ? src : dst;
	s->key.peer_port = from_guest ? dst : src;
	return src && dst;
}

static bool is_over(const struct direct *d)
{
	return d->reset || (d->guest_fin && d->host_fin);
}

static uint64_t idle_limit(const struct direct *d)
{
	if (d->flow.key.kind == FLOW_DIRECT_PING)
		return IDLE_PING_NS;
	if (d->flow.key.kind == FLOW_DIRECT_UDP)
		return IDLE_UDP_NS;
	if (is_over(d))
		return IDLE_OVER_NS;
	return !d->from_guest || !d->to_guest ? IDLE_YOUNG_NS : IDLE_TCP_NS;
}

void direct_free(struct network *net, struct direct *d)
{
	wheel_cancel(&net->p.wheel, &d->timer);
	net->host_began -= d->by_host;
	flow_free(&net->p.flows, &d->flow);
}

void direct_timer(struct network *net, struct direct *d)
{
	const uint64_t end = d->idle_ns + idle_limit(d);

	if (end > net->p.now_ns)
		wheel_arm(&net->p.wheel, &d->timer, end);
	else
		direct_free(net, d);
}

static struct direct *begin(struct network *net, const struct said *s,
			    bool by_host)
{
	struct flow_table *t = &net->p.flows;
	struct flow *f = NULL;

	if (!by_host || net->host_began < t->n_slots / HOST_PART)
		f = share_flow(&net->p, &s->key);
	if (!f)
		return NULL;
	f->begun_s = proto_seconds(&net->p);
	as_direct(f)->by_host = by_host;
	net->host_began += by_host;
	return as_direct(f);
}

/*
 * Does it keep the conversation? Of UDP nobody says when it ends: where the
 * guest may not begin anything, it may not go on for ever either with a port
 * that another of the host's may have by then (RFC 4787 section 4.3).
 */
static bool keeps(const struct network *net, const struct direct *d,
		  bool from_guest)
{
	return !from_guest || !d->by_host || net->policy.host_access ||
	       d->flow.key.kind != FLOW_DIRECT_UDP;
}

/* A packet of the conversation passes; its timer only ever moves back. */
static void note(struct network *net, struct direct *d, const struct said *s,
		 size_t bytes, bool from_guest)
{
	const bool was_over = is_over(d);

	if (s->error)
		return;
	if (s->begins && was_over)	/* the same ports once more */
		d->reset = d->guest_fin = d->host_fin = false;
	d->reset |= s->reset;
	if (from_guest) {
		d->guest_fin |= s->fin;
		d->from_guest += bytes;
	} else {
		d->host_fin |= s->fin;
		d->to_guest += bytes;
	}
	if (keeps(net, d, from_guest))
		d->idle_ns = net->p.now_ns;
	if (!timer_armed(&d->timer) || (!was_over && is_over(d)))
		wheel_arm(&net->p.wheel, &d->timer,
			  d->idle_ns + idle_limit(d));
}

/* Has the gateway a flow of its own there, that goes on? */
static bool is_gateways(const struct network *net, const struct said *s)
{
	struct flow_key key = s->key;
	const struct flow *f;

	if (key.kind == FLOW_DIRECT_PING)
		return false;
	key.kind = key.kind == FLOW_DIRECT_TCP ? FLOW_TCP : FLOW_UDP;
	f = flow_find(&net->p.flows, &key);
	if (!f || key.kind == FLOW_UDP)
		return f;
	return ((const struct tcp *)(const void *)f)->phase != TCP_LINGERING;
}

/* May the guest begin that, and does anyone of the host's wait for it? */
static bool may_begin(const struct network *net, const struct said *s)
{
	const struct env *env = &net->p.env;
	const struct endpoint at = { .ip = s->key.peer_ip,
				     .port = s->key.peer_port };

	return s->begins && !s->error &&
	       policy_host_is_open(&net->policy, at.port) &&
	       at.port != PORT_DNS &&
	       !(net->setup.agent && at.port == AGENT_PORT) &&
	       !is_gateways(net, s) &&
	       env->ops->host_listens(env->ctx, &at,
				      s->key.kind == FLOW_DIRECT_UDP);
}

/*
 * With the ports of a conversation that there is, the guest begins another.
 * The same SYN once more is none; but where the host began, or all is over, a
 * listener may have come to that port for which the guest was never allowed.
 */
static bool begins_anew(const struct direct *d, const struct said *s)
{
	return s->begins && s->key.kind == FLOW_DIRECT_TCP &&
	       (d->by_host || is_over(d));
}

static bool rules_allow(struct network *net, const struct said *s,
			const struct ip_packet *ip,
			const struct frame_meta *meta, enum guard_path path,
			enum drop *drop)
{
	const bool echo = s->key.kind == FLOW_DIRECT_PING;
	const struct guard_flow flow = {
		.path = path, .protocol = ip->proto,
		.icmp_type = echo ? ip->payload.p[0] : 0,
		.guest = { .ip = s->key.guest_ip,
			   .port = echo ? 0 : s->key.guest_port },
		.peer = { .ip = s->key.peer_ip, .port = s->key.peer_port },
	};
	const enum guard_verdict v = guard_packet_begins(net, &flow,
			path == GUARD_TO_HOST ? GUARD_GUEST_PACKET :
						GUARD_HOST_PACKET, ip, meta);

	*drop = guard_drop(v);
	return v == GUARD_PASS;
}

bool direct_from_guest(struct network *net, const struct ip_packet *ip,
		       const struct frame_meta *meta, enum drop *drop)
{
	const struct env *env = &net->p.env;
	const struct span v = { .p = (void *)(uintptr_t)ip->whole.p,
				.len = ip->whole.len };
	struct said s;
	struct flow *f;

	/* Options may ask of the host's stack what the guest may not. */
	if (!net->setup.host_port || meta_has_options(ip) ||
	    !read_packet(ip, true, &s))
		return false;
	f = flow_find(&net->p.flows, &s.key);
	*drop = DROP_POLICY;
	if (f && begins_anew(as_direct(f), &s)) {
		if (!is_over(as_direct(f)))
			return true;
		direct_free(net, as_direct(f));
		f = NULL;
	}
	if (!f && meta_is_true(meta, ip) && may_begin(net, &s)) {
		if (!rules_allow(net, &s, ip, meta, GUARD_TO_HOST, drop)) {
			if (*drop == DROP_FIREWALL && net->guard.rules.refuse)
				network_refuse(net, ip);
			return true;
		}
		*drop = DROP_FLOWS;
		f = (struct flow *)(void *)begin(net, &s, false);
		if (!f)
			return true;
	}
	if (!f)
		return false;
	*drop = DROP_VALUE;
	if (!meta_is_true(meta, ip))
		return true;
	note(net, as_direct(f), &s, ip->payload.len, true);
	*drop = env->ops->host_send(env->ctx, meta, &v, 1) < 0 ?
		DROP_LINKFULL : DROP_OK;
	return true;
}

/* ---- from the host ---- */

/* The host is told why a packet of its own goes nowhere, as by a router. */
static void tell_host(struct network *net, const struct ip_packet *ip,
		      enum icmp_error error)
{
	const struct env *env = &net->p.env;
	const struct ip *from = proto_gateway(&net->p, &ip->src);
	const struct frame_meta meta = { 0 };
	uint8_t icmp[ICMP_HEADER_BYTES + ICMP_QUOTE_BYTES];
	uint8_t head[IPV6_HEADER_BYTES];
	struct wr body = wr(icmp, sizeof(icmp)), w = wr(head, sizeof(head));
	const struct ip_packet answer = {
		.src = ip->dst, .dst = ip->src, .ttl = PROTO_HOP_LIMIT,
		.proto = ip->v6 ? PROTO_ICMP6 : PROTO_ICMP,
	};
	struct view quote = ip->whole;
	struct span v[2];

	if (!icmp_may_answer(ip) || ip_is_multicast(&ip->dst) ||
	    !ip_equal(&ip->src, from))
		return;
	if (quote.len > ICMP_QUOTE_BYTES)
		quote.len = ICMP_QUOTE_BYTES;
	icmp_emit_error(&body, &answer.src, &answer.dst,
			error, 0, quote);
	v[1] = (struct span){ .p = icmp, .len = (size_t)(body.p - icmp) };
	ip_emit(&w, &answer, v[1].len);
	v[0] = (struct span){ .p = head, .len = (size_t)(w.p - head) };
	ASSERT(!body.bad && !w.bad);
	(void)!env->ops->host_send(env->ctx, &meta, v, 2);
}

static enum drop to_guest(struct network *net, const struct ip_packet *ip,
			  const struct frame_meta *meta)
{
	const struct eth eth = {
		.dst = *proto_mac(&net->p, &ip->dst),
		.src = net->p.gateway_mac,
		.type = ip->v6 ? ETH_IPV6 : ETH_IPV4,
	};
	uint8_t head[ETH_HEADER_BYTES];
	struct wr w = wr(head, sizeof(head));
	const struct span v[2] = {
		{ .p = head, .len = sizeof(head) },
		{ .p = (void *)(uintptr_t)ip->whole.p, .len = ip->whole.len },
	};
	struct frame_meta m = *meta;

	if (m.needs_csum)
		m.csum_start = (uint16_t)(m.csum_start + sizeof(head));
	if (m.gso)
		m.hdr_len = (uint16_t)(sizeof(head) + meta_headers_bytes(ip));
	eth_emit(&w, &eth);
	/* proto_send() counts what the link does not take. */
	(void)!proto_send(&net->p, &ip->dst, &m, v, 2);
	return DROP_OK;
}

static enum drop host_packet(struct network *net, const uint8_t *buf,
			     size_t len, const struct frame_meta *meta)
{
	struct rd first = rd(buf, len);
	const bool v6 = rd_u8(&first) >> 4 == 6;
	struct ip_packet ip;
	struct said s;
	struct flow *f;
	enum drop why;
	const enum drop drop = ip_parse_packet(rd(buf, len), v6, &ip);

	if (drop != DROP_OK)
		return drop;
	if (v6 && !net->setup.v6)
		return DROP_ETHERTYPE;
	if (!ip_equal(&ip.src, proto_gateway(&net->p, &ip.src)))
		return DROP_SOURCE;
	if (!network_is_guests(net, &ip.dst)) {
		tell_host(net, &ip, ICMP_HOST_UNREACHABLE);
		return DROP_DEST;
	}
	if (ip.frag_offset)
		return to_guest(net, &ip, meta);
	if (!read_packet(&ip, false, &s))
		return DROP_PROTO;
	f = flow_find(&net->p.flows, &s.key);
	if (!f && (s.error || is_gateways(net, &s)))
		return DROP_NOFLOW;
	/* Where the guest's has been blocked the host's goes on a while. */
	if (!f && s.key.kind == FLOW_DIRECT_TCP && !s.begins)
		return DROP_NOFLOW;
	if (!f && !rules_allow(net, &s, &ip, meta, GUARD_FROM_HOST, &why)) {
		if (why == DROP_FIREWALL && net->guard.rules.refuse)
			tell_host(net, &ip, ICMP_PROHIBITED);
		return why;
	}
	if (!f)
		f = (struct flow *)(void *)begin(net, &s, true);
	if (!f)
		return DROP_FLOWS;
	note(net, as_direct(f), &s, ip.payload.len, false);
	return to_guest(net, &ip, meta);
}

void network_host_packet(struct network *net, const struct frame_meta *meta,
			 const uint8_t *buf, size_t len, uint64_t now_ns)
{
	net->p.now_ns = now_ns;
	net->p.drops[host_packet(net, buf, len, meta)]++;
}
