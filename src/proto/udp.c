/* SPDX-License-Identifier: MIT */
#include "proto/udp.h"

#include "base/csum.h"
#include "proto/icmp_map.h"

#define IDLE_NS		(UINT64_C(120) * 1000000000)	/* RFC 4787 REQ-5 */
#define IDLE_DNS_NS	(UINT64_C(15) * 1000000000)	/* one question */
#define PORT_DNS	53
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
	struct view rest = udp->data;
	int sock;

	if (!u)
		return why;
	u->idle_ns = p->now_ns;
	if (!timer_armed(&u->timer))
		wheel_arm(&p->wheel, &u->timer, p->now_ns + idle_limit(u));
	f = flow_get(&p->flows, u->map);
	ASSERT(f);
	sock = as_map(f)->sock;
	do {
		const size_t len = segment && rest.len > segment ? segment :
								   rest.len;
		const struct span v = { .p = (void *)(uintptr_t)rest.p,
					.len = len };
		const int r = p->env.ops->dgram_send(p->env.ctx, sock, &u->to,
						     proto_next_ttl(ip->ttl), &v, 1);

		if (r < 0) {
			send_failed(p, ip, -r);
			return DROP_SYSTEM;
		}
		rest.p += len;
		rest.len -= len;
	} while (rest.len);
	return DROP_OK;
}

/* One IP packet of a datagram too large for the link (RFC 791, 8200). */
static void send_fragment(struct proto *p, const struct ip_packet *ip,
			  const struct span *v, unsigned n, size_t len)
{
	const struct eth eth = { .dst = p->guest_mac, .src = p->gateway_mac,
				 .type = ETH_IPV4 };
	const struct frame_meta meta = { 0 };
	uint8_t head[PROTO_HEAD_BYTES];
	struct wr w = wr(head, sizeof(head));
	struct span all[3] = { { .p = head } };

	eth_emit(&w, &eth);
	ip_emit(&w, ip, len);
	all[0].len = (size_t)(w.p - head);
	for (unsigned i = 0; i < n; i++)
		all[1 + i] = v[i];
	proto_send(p, &meta, all, 1 + n);
}

/* RFC 791 section 3.2: pieces of a multiple of 8 bytes. IPv4 only. */
static void send_fragments(struct proto *p, const struct endpoint *from,
			   const struct endpoint *to, uint8_t *udp_header,
			   const void *data, size_t len)
{
	const size_t room = ((p->mtu - IPV4_HEADER_BYTES) & ~(size_t)7);
	struct ip_packet ip = {
		.src = from->ip, .dst = to->ip, .proto = PROTO_UDP, .ttl = 64,
		.frag_id = p->ip_id++, .more = true,
	};
	struct span v[2] = {
		{ .p = udp_header, .len = UDP_HEADER_BYTES },
		{ .p = (void *)(uintptr_t)data,
		  .len = room - UDP_HEADER_BYTES },
	};
	size_t at = v[1].len;

	send_fragment(p, &ip, v, 2, room);
	while (at < len) {
		const size_t piece = len - at < room ? len - at : room;

		v[1] = (struct span){
			.p = (uint8_t *)(uintptr_t)data + at, .len = piece,
		};
		ip.frag_offset = (uint16_t)(at + UDP_HEADER_BYTES);
		ip.more = at + piece < len;
		send_fragment(p, &ip, &v[1], 1, piece);
		at += piece;
	}
}

void udp_to_guest(struct proto *p, const struct endpoint *from,
		  const struct endpoint *to, const void *data, size_t len)
{
	const size_t l4 = UDP_HEADER_BYTES + len;
	uint8_t head[PROTO_HEAD_BYTES], udp[UDP_HEADER_BYTES];
	struct wr w = wr(head, sizeof(head)), uw = wr(udp, sizeof(udp));
	struct frame_meta meta = {
		.needs_csum = true, .csum_offset = UDP_CSUM_OFFSET,
	};
	csum_t sum = csum_pseudo(0, &from->ip, &to->ip, PROTO_UDP,
				 (uint32_t)l4);
	struct span v[2];
	uint16_t full;

	if (ip_header_bytes(&from->ip) + l4 <= p->mtu) {
		proto_emit_ip(p, &w, &from->ip, &to->ip, PROTO_UDP, l4);
		meta.csum_start = (uint16_t)(w.p - head);
		udp_emit(&w, from->port, to->port, len, csum_fold(sum));
		v[0] = (struct span){ .p = head, .len = (size_t)(w.p - head) };
		v[1] = (struct span){ .p = (void *)(uintptr_t)data,
				      .len = len };
		proto_send(p, &meta, v, len ? 2 : 1);
		return;
	}
	if (!ip_is4(&from->ip)) {
		p->drops[DROP_FRAGMENT]++;
		return;
	}
	udp_emit(&uw, from->port, to->port, len, 0);
	full = csum_finish(csum_add(csum_add(sum, udp, sizeof(udp)), data,
				    len));
	uw = wr(udp, sizeof(udp));
	udp_emit(&uw, from->port, to->port, len, full ? full : 0xffff);
	send_fragments(p, from, to, udp, data, len);
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
		       const struct env_dgram_error *e, const uint8_t *payload,
		       size_t len)
{
	const struct flow_key *k = &u->flow.key;
	uint8_t quote[IPV6_HEADER_BYTES + UDP_HEADER_BYTES + QUOTE_BYTES];
	struct wr w = wr(quote, sizeof(quote));
	struct ip_packet ip = {
		.src = k->guest_ip, .dst = k->peer_ip, .ttl = 1,
		.proto = PROTO_UDP, .v6 = !ip_is4(&k->guest_ip),
	};
	struct ip from = e->offender;

	if (ip_is_loopback(&from) || ip_is_unspecified(&from) ||
	    ip_is4(&from) != ip_is4(&k->guest_ip))
		from = *proto_gateway(p, &k->guest_ip);
	if (len > QUOTE_BYTES)
		len = QUOTE_BYTES;
	ip_emit(&w, &ip, UDP_HEADER_BYTES + e->payload_bytes);
	udp_emit(&w, k->guest_port, k->peer_port, e->payload_bytes, 0);
	wr_bytes(&w, payload, len);
	ASSERT(!w.bad);
	ip.whole = (struct view){ .p = quote, .len = (size_t)(w.p - quote) };
	proto_icmp_error(p, &from, &ip, icmp_map(e), e->mtu);
}

static void drain_errors(struct proto *p, struct udp_map *m)
{
	struct env_dgram_error e;
	uint8_t payload[QUOTE_BYTES];

	for (unsigned i = 0; i < TURN_DATAGRAMS; i++) {
		const struct udp_flow *u;

		if (!p->env.ops->dgram_error(p->env.ctx, m->sock, &e, payload,
					     sizeof(payload)))
			return;
		u = exchange_find(p, m, &e.to);
		if (u)
			tell_error(p, u, &e, payload,
				   e.payload_bytes < sizeof(payload) ?
				   e.payload_bytes : sizeof(payload));
	}
}

void udp_host_event(struct proto *p, struct udp_map *m, unsigned events)
{
	const struct endpoint guest = {
		.ip = m->flow.key.guest_ip, .port = m->flow.key.guest_port,
	};

	if (events & ENV_FAILED)
		drain_errors(p, m);
	for (unsigned i = 0; i < TURN_DATAGRAMS; i++) {
		struct endpoint peer, from;
		struct udp_flow *u;
		uint8_t ttl;
		const int64_t len = p->env.ops->dgram_recv(p->env.ctx,
				m->sock, &peer, &ttl, p->datagram,
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
		udp_to_guest(p, &from, &guest, p->datagram, (size_t)len);
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
