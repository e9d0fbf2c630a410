/* SPDX-License-Identifier: MIT */
#include "proto/udp.h"

#include <string.h>

#include "base/csum.h"
#include "proto/datagram.h"
#include "proto/icmp_map.h"

#define PACKET_BYTES	65535u		/* of the longest that a frame holds */
#define TURN_DATAGRAMS	64		/* read per socket and turn */
#define QUOTE_BYTES	64		/* of the payload, in an ICMP error */

static struct udp_flow *as_flow(struct flow *f)
{
	return (struct udp_flow *)(void *)f;
}

/* Rebuild the datagram that failed, as the guest sent it, and quote it. */
static void tell_error(struct proto *p, const struct udp_flow *u,
		       const struct env_net_error *e, const uint8_t *payload,
		       size_t len)
{
	const struct flow_key *k = &u->flow.key;
	uint8_t quote[IPV6_HEADER_BYTES + UDP_HEADER_BYTES + QUOTE_BYTES];
	struct wr w = wr(quote, sizeof(quote));
	struct ip_packet ip = {
		.src = k->guest_ip, .dst = k->peer_ip, .ttl = 1,
		.proto = PROTO_UDP, .v6 = !ip_is4(&k->guest_ip),
	};
	const struct ip from = proto_offender(p, e, &k->guest_ip);

	if (len > QUOTE_BYTES)
		len = QUOTE_BYTES;
	ip_emit(&w, &ip, UDP_HEADER_BYTES + e->payload_bytes);
	udp_emit(&w, k->guest_port, k->peer_port, e->payload_bytes, 0);
	wr_bytes(&w, payload, len);
	ASSERT(!w.bad);
	ip.whole = (struct view){ .p = quote, .len = (size_t)(w.p - quote) };
	proto_icmp_error(p, &from, &ip, icmp_map(e), e->mtu);
}

/*
 * Pass on what the host's socket has to say. sender: of the datagram that
 * it has just refused as too long, as it does not say to which port that
 * went; or NULL.
 */
static void drain_errors(struct proto *p, struct udp_map *m,
			 const struct udp_flow *sender)
{
	struct env_net_error e;
	uint8_t payload[QUOTE_BYTES];

	for (unsigned i = 0; i < TURN_DATAGRAMS; i++) {
		const struct udp_flow *u;

		if (!p->env.ops->dgram_error(p->env.ctx, m->sock, &e, payload,
					     sizeof(payload)))
			return;
		u = udp_exchange_of(p, m, &e.to);
		if (!u && !e.to.port)
			u = sender;
		if (u)
			tell_error(p, u, &e, payload,
				   e.payload_bytes < sizeof(payload) ?
				   e.payload_bytes : sizeof(payload));
	}
}

static void send_failed(struct proto *p, const struct ip_packet *ip, int error)
{
	enum icmp_error what;

	if (icmp_map_send(error, &what))
		proto_icmp_error(p, proto_gateway(p, &ip->src), ip, what, 0);
}

/* Data leaves by its exchange; ip: the packet, or the first of a batch. */
static enum drop send_to_host(struct proto *p, const struct udp_flow *u,
			      const struct env_mark *mark,
			      const struct ip_packet *ip, const struct span *v)
{
	const size_t each = mark->segment ? mark->segment : v->len;
	struct udp_map *m = udp_map_of(p, u);
	struct env_mark by = *mark;
	int r;

	by.local = u->local;
	by.dev = u->dev;
	proto_cut_for(p, &m->cut, m->sock, &u->to.ip, ip->dont_fragment,
		      UDP_HEADER_BYTES + IPV6_HEADER_BYTES + each);
	r = p->env.ops->dgram_send(p->env.ctx, m->sock, &u->to, &by, v, 1);
	if (r >= 0)
		return DROP_OK;
	if (r == -ENV_TOO_BIG)
		drain_errors(p, m, u);
	send_failed(p, ip, -r);
	return DROP_SYSTEM;
}

void udp_turn_end(struct proto *p)
{
	struct udp_gather *g = p->gather;
	const struct span v = { .p = g->data, .len = g->len };
	struct flow *f = g->n ? flow_get(&p->flows, g->flow) : NULL;

	if (g->n > 1)
		g->mark.segment = g->segment;
	if (f && send_to_host(p, as_flow(f), &g->mark, &g->first, &v)) {
		p->drops[DROP_OK] -= g->n;	/* as they were counted */
		p->drops[DROP_SYSTEM] += g->n;
	}
	g->n = 0;
}

/* May this datagram follow those that are gathered? */
static bool follows(const struct proto *p, const struct udp_gather *g,
		    const struct udp_flow *u, const struct ip_packet *ip,
		    const struct env_mark *mark, size_t len)
{
	return g->n && g->n < UDP_GATHER_MAX && !g->full &&
	       handle_equal(g->flow, flow_handle(&p->flows, &u->flow)) &&
	       len && len <= g->segment && len <= sizeof(g->data) - g->len &&
	       mark->ttl == g->mark.ttl && mark->tos == g->mark.tos &&
	       ip->dont_fragment == g->first.dont_fragment;
}

static void gather_first(struct proto *p, const struct udp_flow *u,
			 const struct ip_packet *ip,
			 const struct env_mark *mark, size_t len)
{
	struct udp_gather *g = p->gather;
	const size_t headers = ip->whole.len - ip->payload.len;
	const size_t quoted = ip->whole.len < sizeof(g->quote) ?
			      ip->whole.len : sizeof(g->quote);

	g->flow = flow_handle(&p->flows, &u->flow);
	g->mark = *mark;
	g->len = 0;
	g->segment = (uint16_t)len;
	g->full = false;
	memcpy(g->quote, ip->whole.p, quoted);
	g->first = *ip;
	g->first.whole = (struct view){ .p = g->quote, .len = quoted };
	g->first.payload = (struct view){ .p = g->quote + headers,
					  .len = quoted - headers };
}

/*
 * Is there room for it, and for the quote of its headers? What is as long as
 * the packets of the link may be is not, nor are chains of IPv6 headers.
 */
static bool may_gather(const struct proto *p, const struct ip_packet *ip,
		       size_t len)
{
	const size_t headers = ip->whole.len - ip->payload.len;

	return ip->whole.len <= p->mtu && len <= UDP_GATHER_BYTES &&
	       headers + UDP_HEADER_BYTES <= UDP_QUOTE_BYTES;
}

/* A datagram of the guest's, with those like it or by itself. */
static enum drop gather(struct proto *p, const struct udp_flow *u,
			const struct ip_packet *ip,
			const struct env_mark *mark, struct view data)
{
	struct udp_gather *g = p->gather;

	if (!follows(p, g, u, ip, mark, data.len)) {
		udp_turn_end(p);
		gather_first(p, u, ip, mark, data.len);
	}
	ASSERT(data.len <= sizeof(g->data) - g->len);
	memcpy(g->data + g->len, data.p, data.len);
	g->len += (uint32_t)data.len;
	g->full = data.len < g->segment;
	g->n++;
	return DROP_OK;
}

enum drop udp_from_guest(struct proto *p, const struct flow_key *key,
			 const struct endpoint *to, const struct ip_packet *ip,
			 const struct udp *udp, size_t segment)
{
	enum drop why = DROP_OK;
	struct udp_flow *u = udp_exchange_find(p, key);
	const struct span v = { .p = (void *)(uintptr_t)udp->data.p,
				.len = udp->data.len };
	const struct env_mark mark = {
		.ttl = proto_next_ttl(ip->ttl), .tos = ip->tos,
		.segment = (uint16_t)segment,
	};

	if (!u)
		u = udp_exchange_open(p, key, to, &why);
	if (!u)
		return why;
	u->answered = true;
	u->from_guest += udp->data.len;
	udp_exchange_used(p, u);
	if (!segment && may_gather(p, ip, udp->data.len))
		return gather(p, u, ip, &mark, udp->data);
	udp_turn_end(p);
	return send_to_host(p, u, &mark, ip, &v);
}

/* len bytes: one datagram, or a batch of segment bytes each that fit. */
static void send_to_guest(struct proto *p, const struct endpoint *from,
			  const struct endpoint *to,
			  const struct env_mark *mark, const void *data,
			  size_t len, size_t segment)
{
	const struct ip_packet ip = {
		.src = from->ip, .dst = to->ip, .proto = PROTO_UDP,
		.ttl = mark->ttl, .tos = mark->tos,
	};
	uint8_t head[UDP_HEADER_BYTES];
	struct wr w = wr(head, sizeof(head));
	const csum_t sum = csum_pseudo(0, &from->ip, &to->ip, PROTO_UDP,
				       (uint32_t)(UDP_HEADER_BYTES + len));
	const struct span v[2] = {
		{ .p = head, .len = sizeof(head) },
		{ .p = (void *)(uintptr_t)data, .len = len },
	};

	udp_emit(&w, from->port, to->port, len, csum_fold(sum));
	if (segment)
		datagram_send_batch(p, &ip, UDP_CSUM_OFFSET, v, segment);
	else
		datagram_send(p, &ip, UDP_CSUM_OFFSET, v, len ? 2 : 1);
}

void udp_to_guest(struct proto *p, const struct endpoint *from,
		  const struct endpoint *to, const struct env_mark *mark,
		  const void *data, size_t len)
{
	send_to_guest(p, from, to, mark, data, len, 0);
}

/* What came in one piece goes on in one where it fits a packet, as cut. */
static void batch_to_guest(struct proto *p, const struct endpoint *from,
			   const struct endpoint *to,
			   const struct env_mark *mark, const uint8_t *data,
			   size_t len)
{
	const size_t segment = mark->segment;
	const size_t headers = ip_header_bytes(&to->ip) + UDP_HEADER_BYTES;

	if (headers + segment <= p->mtu && headers + len <= PACKET_BYTES) {
		send_to_guest(p, from, to, mark, data, len, segment);
		return;
	}
	for (size_t at = 0; at < len; at += segment)
		udp_to_guest(p, from, to, mark, data + at,
			     len - at < segment ? len - at : segment);
}

/* Datagrams that a socket gave one after the other, in p->datagram. */
struct series {
	struct endpoint peer;
	struct env_mark mark;
	size_t segment, len;		/* of each but the last; of all */
	unsigned n;			/* 0: none */
};

static void pass_on(struct proto *p, struct udp_map *m, struct series *s)
{
	const struct endpoint guest = {
		.ip = m->flow.key.guest_ip, .port = m->flow.key.guest_port,
	};
	struct proto_call call = {
		.peer = s->peer, .mark = s->mark, .n = s->n,
		.data = { .p = p->datagram, .len = s->len },
	};
	enum drop why = DROP_NOFLOW;
	struct udp_flow *u;
	const unsigned n = s->n;
	struct endpoint from;

	s->n = 0;
	call.mark.segment = (uint16_t)s->segment;
	u = udp_exchange_from(p, m, &call, &why);
	if (!u) {
		p->drops[why] += n;
		return;
	}
	u->to_guest += s->len;
	udp_exchange_used(p, u);
	from = (struct endpoint){ .ip = u->flow.key.peer_ip,
				  .port = u->flow.key.peer_port };
	s->mark.ttl = proto_ttl_to_guest(s->mark.ttl,
					 ip_is_loopback(&s->peer.ip));
	if (s->len > s->segment) {
		s->mark.segment = (uint16_t)s->segment;
		batch_to_guest(p, &from, &guest, &s->mark, p->datagram,
			       s->len);
	} else {
		udp_to_guest(p, &from, &guest, &s->mark, p->datagram, s->len);
	}
}

void udp_called_again(struct proto *p, struct handle map,
		      const struct proto_call *call)
{
	struct flow *f = flow_get(&p->flows, map);
	struct series s = {
		.peer = call->peer, .mark = call->mark, .n = call->n,
		.segment = call->mark.segment, .len = call->data.len,
	};
	struct udp_map *m = (struct udp_map *)(void *)f;

	if (!f || m->sock < 0)
		return;
	s.mark.segment = 0;
	if (s.len)
		memcpy(p->datagram, call->data.p, s.len);
	m->exchanges++;		/* it stays, whatever becomes of its own */
	pass_on(p, m, &s);
	udp_map_leave(p, m);
}

/* May a datagram of len bytes follow those of the series? */
static bool continues(const struct proto *p, const struct series *s,
		      const struct endpoint *peer,
		      const struct env_mark *mark, size_t len)
{
	const size_t headers = ip_header_bytes(&peer->ip) + UDP_HEADER_BYTES;

	return s->n && s->n < UDP_GATHER_MAX && !mark->segment &&
	       ip_equal(&peer->ip, &s->peer.ip) &&
	       peer->port == s->peer.port && mark->ttl == s->mark.ttl &&
	       mark->tos == s->mark.tos && mark->dev == s->mark.dev &&
	       ip_equal(&mark->local, &s->mark.local) &&
	       len && len <= s->segment &&
	       s->len == s->n * s->segment &&
	       headers + s->segment <= p->mtu &&
	       headers + s->len + len <= PACKET_BYTES;
}

/*
 * Take the len bytes that lie behind the series: they belong to it, or it
 * is passed on and they begin another. Datagrams that were taken.
 */
static unsigned take(struct proto *p, struct udp_map *m,
		     struct series *s, const struct endpoint *peer,
		     const struct env_mark *mark, size_t len)
{
	if (continues(p, s, peer, mark, len)) {
		s->len += len;
		s->n++;
		return 1;
	}
	if (s->n) {
		const uint8_t *at = p->datagram + s->len;

		pass_on(p, m, s);
		memmove(p->datagram, at, len);
	}
	*s = (struct series){
		.peer = *peer, .mark = *mark, .len = len, .n = 1,
		.segment = mark->segment ? mark->segment : len,
	};
	if (len > s->segment)
		s->n = (unsigned)((len + s->segment - 1) / s->segment);
	return s->n;
}

void udp_host_event(struct proto *p, struct udp_map *m, unsigned events)
{
	struct series s = { .n = 0 };

	m->exchanges++;		/* it stays, whatever becomes of its own */
	if (events & ENV_FAILED)
		drain_errors(p, m, NULL);
	for (unsigned i = 0; i < TURN_DATAGRAMS; i++) {
		struct endpoint peer;
		struct env_mark mark;
		const size_t behind = s.n ? s.len : 0;
		const int64_t len = p->env.ops->dgram_recv(p->env.ctx,
				m->sock, &peer, &mark, p->datagram + behind,
				FRAME_MAX_BYTES);

		if (len == -ENV_AGAIN)
			break;
		if (len >= 0)	/* else an error that the queue tells too */
			i += take(p, m, &s, &peer, &mark, (size_t)len) - 1;
	}
	if (s.n)
		pass_on(p, m, &s);
	udp_map_leave(p, m);
}
