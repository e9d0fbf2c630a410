/* SPDX-License-Identifier: MIT */
#include "proto/ping.h"

#include "proto/datagram.h"
#include "proto/icmp_map.h"
#include "proto/share.h"

#define TURN_REPLIES	64	/* read per socket and turn */
#define QUOTE_BYTES	64	/* of the failed request, in an ICMP error */

static uint8_t icmp_proto(const struct ip *ip)
{
	return ip_is4(ip) ? PROTO_ICMP : PROTO_ICMP6;
}

void ping_free(struct proto *p, struct ping *g)
{
	wheel_cancel(&p->wheel, &g->timer);
	p->env.ops->dgram_close(p->env.ctx, g->sock);
	flow_free(&p->flows, &g->flow);
}

static void send_failed(struct proto *p, const struct ip_packet *ip, int error)
{
	enum icmp_error what;

	if (icmp_map_send(error, &what))
		proto_icmp_error(p, proto_gateway(p, &ip->src), ip, what, 0);
}

/* A series with its socket; NULL with the reason, the guest told. */
static struct ping *ping_open(struct proto *p, const struct flow_key *key,
			      const struct ip *to, const struct ip_packet *ip,
			      enum drop *why)
{
	struct ping *g = (struct ping *)(void *)share_flow(p, key);

	if (!g) {
		*why = DROP_FLOWS;
		return NULL;
	}
	g->sock = p->env.ops->ping_open(p->env.ctx, !ip_is4(&key->guest_ip),
					flow_handle(&p->flows, &g->flow));
	if (g->sock < 0) {
		send_failed(p, ip, -g->sock);
		flow_free(&p->flows, &g->flow);
		*why = DROP_SYSTEM;
		return NULL;
	}
	g->to = *to;
	g->flow.begun_s = proto_seconds(p);
	return g;
}

enum drop ping_from_guest(struct proto *p, const struct flow_key *key,
			  const struct ip *to, const struct ip_packet *ip,
			  const struct icmp_echo *echo)
{
	struct flow *f = flow_find(&p->flows, key);
	struct ping *g = (struct ping *)(void *)f;
	const struct endpoint peer = { .ip = *to };
	struct wr w = wr(p->datagram, FRAME_MAX_BYTES);
	const struct env_mark mark = {
		.ttl = proto_next_ttl(ip->ttl), .tos = ip->tos,
	};
	enum drop why = DROP_OK;
	struct span v;
	int r;

	if (!g)
		g = ping_open(p, key, to, ip, &why);
	if (!g)
		return why;
	g->idle_ns = p->now_ns;
	g->seq = echo->seq;
	if (!timer_armed(&g->timer))
		wheel_arm(&p->wheel, &g->timer, p->now_ns + PING_IDLE_NS);
	proto_cut_for(p, &g->cut, g->sock, to, ip->dont_fragment,
		      ip->whole.len);
	icmp_emit_echo(&w, &ip->src, &ip->dst, echo);
	ASSERT(!w.bad);
	v = (struct span){ .p = p->datagram,
			   .len = (size_t)(w.p - p->datagram) };
	r = p->env.ops->dgram_send(p->env.ctx, g->sock, &peer,
				   &mark, &v, 1);
	if (r < 0) {
		send_failed(p, ip, -r);
		return DROP_SYSTEM;
	}
	return DROP_OK;
}

void ping_reply(struct proto *p, const struct ip *from, const struct ip *to,
		const struct env_mark *mark, const struct icmp_echo *echo)
{
	const struct ip_packet ip = {
		.src = *from, .dst = *to, .proto = icmp_proto(from),
		.ttl = mark->ttl, .tos = mark->tos,
	};
	uint8_t *body = p->datagram + FRAME_MAX_BYTES;
	struct wr w = wr(body, FRAME_MAX_BYTES);
	struct icmp_echo reply = *echo;
	struct span v = { .p = body };

	reply.reply = true;
	icmp_emit_echo(&w, from, to, &reply);
	ASSERT(!w.bad);
	v.len = (size_t)(w.p - body);
	datagram_send(p, &ip, 0, &v, 1);
}

/* Quote the guest's own request in an error about it. */
static void tell_error(struct proto *p, const struct ping *g,
		       const struct env_net_error *e, const uint8_t *payload,
		       size_t len)
{
	const struct flow_key *k = &g->flow.key;
	uint8_t quote[IPV6_HEADER_BYTES + ICMP_HEADER_BYTES + QUOTE_BYTES];
	struct wr w = wr(quote, sizeof(quote));
	struct ip_packet ip = {
		.src = k->guest_ip, .dst = k->peer_ip, .ttl = 1,
		.proto = icmp_proto(&k->guest_ip),
		.v6 = !ip_is4(&k->guest_ip),
	};
	struct icmp_echo echo = { .seq = g->seq };
	const struct ip from = proto_offender(p, e, &k->guest_ip);
	const struct ip_packet was = {
		.proto = ip.proto, .payload = { .p = payload, .len = len },
	};

	/* The host's own word about a datagram comes without it. */
	if (len && icmp_parse_echo(&was, &echo) != DROP_OK)
		return;
	echo.id = k->guest_port;
	ip_emit(&w, &ip, ICMP_HEADER_BYTES + echo.data.len);
	icmp_emit_echo(&w, &ip.src, &ip.dst, &echo);
	ASSERT(!w.bad);
	ip.whole = (struct view){ .p = quote, .len = (size_t)(w.p - quote) };
	ip.payload = (struct view){
		.p = quote + ip_header_bytes(&ip.src),
		.len = ip.whole.len - ip_header_bytes(&ip.src),
	};
	proto_icmp_error(p, &from, &ip, icmp_map(e), e->mtu);
}

static void drain_errors(struct proto *p, const struct ping *g)
{
	uint8_t payload[ICMP_HEADER_BYTES + QUOTE_BYTES];
	struct env_net_error e;

	for (unsigned i = 0; i < TURN_REPLIES; i++) {
		if (!p->env.ops->dgram_error(p->env.ctx, g->sock, &e, payload,
					     sizeof(payload)))
			return;
		tell_error(p, g, &e, payload,
			   e.payload_bytes < sizeof(payload) ?
			   e.payload_bytes : sizeof(payload));
	}
}

void ping_host_event(struct proto *p, struct ping *g, unsigned events)
{
	const struct flow_key *k = &g->flow.key;

	if (events & ENV_FAILED)
		drain_errors(p, g);
	for (unsigned i = 0; i < TURN_REPLIES; i++) {
		struct ip_packet ip = { .proto = icmp_proto(&k->guest_ip) };
		struct endpoint peer;
		struct icmp_echo echo;
		struct env_mark mark;
		const int64_t len = p->env.ops->dgram_recv(p->env.ctx,
				g->sock, &peer, &mark, p->datagram,
				FRAME_MAX_BYTES);

		if (len == -ENV_AGAIN)
			return;
		if (len < 0)
			continue;
		ip.payload = (struct view){ .p = p->datagram,
					    .len = (size_t)len };
		if (icmp_parse_echo(&ip, &echo) != DROP_OK || !echo.reply ||
		    !ip_equal(&peer.ip, &g->to)) {
			p->drops[DROP_NOFLOW]++;
			continue;
		}
		g->idle_ns = p->now_ns;
		echo.id = k->guest_port;
		mark.ttl = proto_ttl_to_guest(mark.ttl,
					      ip_is_loopback(&peer.ip));
		ping_reply(p, &k->peer_ip, &k->guest_ip, &mark, &echo);
	}
}

void ping_timer(struct proto *p, struct ping *g)
{
	const uint64_t end = g->idle_ns + PING_IDLE_NS;

	if (end > p->now_ns)
		wheel_arm(&p->wheel, &g->timer, end);
	else
		ping_free(p, g);
}
