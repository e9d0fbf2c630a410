/* SPDX-License-Identifier: MIT */
#include "proto/udp.h"

#include "base/csum.h"
#include "proto/datagram.h"
#include "proto/icmp_map.h"

#define IDLE_NS		(UINT64_C(120) * 1000000000)	/* RFC 4787 REQ-5 */
#define IDLE_DNS_NS	(UINT64_C(15) * 1000000000)	/* one question */
#define PORT_DNS	53
#define PACKET_BYTES	65535u		/* of the longest that a frame holds */
#define TURN_DATAGRAMS	64		/* read per socket and turn */
#define QUOTE_BYTES	64		/* of the payload, in an ICMP error */

static uint64_t idle_limit(const struct udp_flow *u)
{
	return u->flow.key.peer_port == PORT_DNS ? IDLE_DNS_NS : IDLE_NS;
}

static struct udp_map *as_map(struct flow *f)
{
	return (struct udp_map *)(void *)f;
}

static struct udp_flow *as_flow(struct flow *f)
{
	return (struct udp_flow *)(void *)f;
}

void udp_map_free(struct proto *p, struct udp_map *m)
{
	p->env.ops->dgram_close(p->env.ctx, m->sock);
	flow_free(&p->flows, &m->flow);
}

static void exchange_free(struct proto *p, struct udp_flow *u)
{
	struct flow *f = flow_get(&p->flows, u->map);

	ASSERT(f);
	wheel_cancel(&p->wheel, &u->timer);
	flow_free(&p->flows, &u->flow);
	if (--as_map(f)->exchanges == 0)
		udp_map_free(p, as_map(f));
}

/* The map of a guest's port, new if need be; NULL with the reason. */
static struct udp_map *map_open(struct proto *p, const struct flow_key *key,
				enum drop *why)
{
	const struct flow_key map_key = {
		.guest_ip = key->guest_ip,
		.guest_port = key->guest_port,
		.kind = FLOW_UDP_MAP,
	};
	struct flow *f = flow_find(&p->flows, &map_key);

	if (f)
		return as_map(f);
	f = flow_alloc(&p->flows, &map_key);
	if (!f) {
		*why = DROP_FLOWS;
		return NULL;
	}
	as_map(f)->sock = p->env.ops->udp_open(p->env.ctx,
					       !ip_is4(&key->guest_ip),
					       flow_handle(&p->flows, f));
	if (as_map(f)->sock < 0) {
		flow_free(&p->flows, f);
		*why = DROP_SYSTEM;
		return NULL;
	}
	return as_map(f);
}

static struct udp_flow *exchange_open(struct proto *p,
				      const struct flow_key *key,
				      const struct endpoint *to,
				      enum drop *why)
{
	struct udp_map *m = map_open(p, key, why);
	struct flow *f;

	if (!m)
		return NULL;
	f = flow_alloc(&p->flows, key);
	if (!f) {
		*why = DROP_FLOWS;
		if (!m->exchanges)
			udp_map_free(p, m);
		return NULL;
	}
	m->exchanges++;
	as_flow(f)->map = flow_handle(&p->flows, &m->flow);
	as_flow(f)->to = *to;
	return as_flow(f);
}

/* The guest's name for a peer of the host's: its loopback is the gateway. */
static struct endpoint guest_view(const struct proto *p,
				  const struct endpoint *peer)
{
	struct endpoint e = *peer;

	if (ip_is_loopback(&e.ip))
		e.ip = *proto_gateway(p, &e.ip);
	return e;
}

static struct udp_flow *exchange_find(struct proto *p,
				      const struct udp_map *m,
				      const struct endpoint *peer)
{
	struct flow_key key = {
		.guest_ip = m->flow.key.guest_ip,
		.guest_port = m->flow.key.guest_port,
		.peer_ip = peer->ip, .peer_port = peer->port,
		.kind = FLOW_UDP,
	};
	struct flow *f = flow_find(&p->flows, &key);

	if (!f) {		/* spoken to by another of its addresses */
		key.peer_ip = guest_view(p, peer).ip;
		f = flow_find(&p->flows, &key);
	}
	return f ? as_flow(f) : NULL;
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
		u = exchange_find(p, m, &e.to);
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

enum drop udp_from_guest(struct proto *p, const struct flow_key *key,
			 const struct endpoint *to, const struct ip_packet *ip,
			 const struct udp *udp, size_t segment)
{
	struct flow *f = flow_find(&p->flows, key);
	enum drop why = DROP_OK;
	struct udp_flow *u = f ? as_flow(f) : exchange_open(p, key, to, &why);
	const struct span v = { .p = (void *)(uintptr_t)udp->data.p,
				.len = udp->data.len };
	const struct env_mark mark = {
		.ttl = proto_next_ttl(ip->ttl), .tos = ip->tos,
		.segment = (uint16_t)segment,
	};
	struct udp_map *m;
	int r;

	if (!u)
		return why;
	u->idle_ns = p->now_ns;
	if (!timer_armed(&u->timer))
		wheel_arm(&p->wheel, &u->timer, p->now_ns + idle_limit(u));
	f = flow_get(&p->flows, u->map);
	ASSERT(f);
	m = as_map(f);
	if (ip->whole.len > PROTO_NARROW_BYTES &&
	    m->whole != ip->dont_fragment) {
		m->whole = ip->dont_fragment;
		p->env.ops->dgram_fragment(p->env.ctx, m->sock, ip->v6,
					   !m->whole);
	}
	r = p->env.ops->dgram_send(p->env.ctx, m->sock, &u->to, &mark, &v, 1);
	if (r >= 0)
		return DROP_OK;
	if (r == -ENV_TOO_BIG)
		drain_errors(p, m, u);
	send_failed(p, ip, -r);
	return DROP_SYSTEM;
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

void udp_host_event(struct proto *p, struct udp_map *m, unsigned events)
{
	const struct endpoint guest = {
		.ip = m->flow.key.guest_ip, .port = m->flow.key.guest_port,
	};

	if (events & ENV_FAILED)
		drain_errors(p, m, NULL);
	for (unsigned i = 0; i < TURN_DATAGRAMS; i++) {
		struct endpoint peer, from;
		struct udp_flow *u;
		struct env_mark mark;
		const int64_t len = p->env.ops->dgram_recv(p->env.ctx,
				m->sock, &peer, &mark, p->datagram,
				FRAME_MAX_BYTES);

		if (len == -ENV_AGAIN)
			return;
		if (len < 0)
			continue;	/* an error that the queue tells too */
		u = exchange_find(p, m, &peer);
		if (!u) {
			p->drops[DROP_NOFLOW]++;
			continue;
		}
		u->idle_ns = p->now_ns;
		from = (struct endpoint){ .ip = u->flow.key.peer_ip,
					  .port = u->flow.key.peer_port };
		mark.ttl = proto_ttl_to_guest(mark.ttl,
					      ip_is_loopback(&peer.ip));
		if (mark.segment && (size_t)len > mark.segment) {
			batch_to_guest(p, &from, &guest, &mark, p->datagram,
				       (size_t)len);
			i += (unsigned)((size_t)len / mark.segment);
		} else {
			udp_to_guest(p, &from, &guest, &mark, p->datagram,
				     (size_t)len);
		}
	}
}

void udp_timer(struct proto *p, struct udp_flow *u)
{
	const uint64_t end = u->idle_ns + idle_limit(u);

	if (end > p->now_ns)
		wheel_arm(&p->wheel, &u->timer, end);
	else
		exchange_free(p, u);
}
