/* SPDX-License-Identifier: MIT */
/*
 * sim/guest_dgram.c - programs of the guest that send datagrams
 *
 * They never repeat a request: what crossed the gateway is counted, and at
 * the end the counts of its two edges must agree.
 */
#include "base/check.h"
#include "sim/world.h"
#include "wire/icmp.h"
#include "wire/udp.h"

static uint8_t l4[FRAME_MAX_BYTES];

static void send_chat(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)arg;
	const struct plan_chat *c = &w->plan.chat[i];
	struct sim_packet p = {
		.guest = world_whose(w, c->guest_port),
		.v6 = c->v6, .offload = i & 1,
		.dst = world_peer(w, c->v6, c->via_gateway, i),
		.proto = PROTO_UDP, .ttl = c->ttl,
		.csum_offset = UDP_CSUM_OFFSET, .tag = TAG_CHAT | i,
	};
	const size_t all = (size_t)c->bytes * c->batch;
	struct wr out = wr(l4, sizeof(l4));

	(void)data, (void)len;
	if (c->batch > 1) {
		p.offload = true;
		p.gso = c->v6 ? FRAME_GSO_UDP6 : FRAME_GSO_UDP4;
		p.gso_size = (uint16_t)c->bytes;
	}
	udp_emit(&out, (uint16_t)(WORLD_CHAT_GUEST + c->guest_port),
		 (uint16_t)(WORLD_CHAT_PORT + i), all, 0);
	for (unsigned k = 0; k < c->batch; k++)
		wr_bytes(&out, pattern(PATTERN_CHAT(i, true), 0), c->bytes);
	ASSERT(!out.bad);
	sim_guest_send(w, &p, l4, (size_t)(out.p - l4));
	if (++w->chats[i].sent < c->sends)
		world_after(w, c->gap_ns, send_chat, arg, NULL, 0);
}

static void send_ping(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)arg;
	const struct plan_chat *c = &w->plan.ping[i];
	const struct sim_packet p = {
		.guest = world_whose(w, i),
		.v6 = c->v6, .dst = world_peer(w, c->v6, c->via_gateway,
					       50 + i),
		.proto = c->v6 ? PROTO_ICMP6 : PROTO_ICMP, .ttl = c->ttl,
		.tag = TAG_PING | i,
	};
	const struct ip own = world_guest_ip(w, p.guest, c->v6);
	const uint16_t seq = (uint16_t)w->pings[i].sent;
	const struct icmp_echo echo = {
		.id = (uint16_t)(WORLD_PING_ID + i), .seq = seq,
		.data = { .p = pattern(PATTERN_PING(i), seq),
			  .len = c->bytes },
	};
	struct wr out = wr(l4, sizeof(l4));

	(void)data, (void)len;
	icmp_emit_echo(&out, &own, &p.dst, &echo);
	ASSERT(!out.bad);
	sim_guest_send(w, &p, l4, (size_t)(out.p - l4));
	if (++w->pings[i].sent < c->sends)
		world_after(w, c->gap_ns, send_ping, arg, NULL, 0);
}

static void send_ask(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)arg;
	const struct plan_ask *a = &w->plan.ask[i];
	const struct sim_packet p = {
		.guest = world_whose(w, i),
		.v6 = a->v6, .dst = world_peer(w, a->v6, true, i),
		.proto = PROTO_UDP, .ttl = 64,
		.csum_offset = UDP_CSUM_OFFSET, .tag = TAG_ASK | i,
	};
	struct wr out = wr(l4, UDP_HEADER_BYTES);
	const size_t n = resolver_question(i, a->own, l4 + UDP_HEADER_BYTES,
					   512);

	(void)data, (void)len;
	udp_emit(&out, (uint16_t)(WORLD_ASK_PORT + i), WORLD_PORT_DNS, n, 0);
	sim_guest_send(w, &p, l4, UDP_HEADER_BYTES + n);
}

void guest_dgram_start(struct world *w)
{
	for (unsigned i = 0; i < w->plan.chats; i++)
		world_after(w, rng_below(&w->rng, 20000000), send_chat, i,
			    NULL, 0);
	for (unsigned i = 0; i < w->plan.pings; i++)
		world_after(w, rng_below(&w->rng, 20000000), send_ping, i,
			    NULL, 0);
	for (unsigned i = 0; i < w->plan.asks; i++)
		world_after(w, w->plan.ask[i].at_ns, send_ask, i, NULL, 0);
}

/* Could the gateway drop datagrams for want of a flow, a socket, or room? */
static bool may_drop(const struct world *w)
{
	struct network_stats st;

	network_get_stats(w->net, &st);
	return st.drops[DROP_FLOWS] || st.drops[DROP_SYSTEM] ||
	       (w->plan.programs && st.drops[DROP_LIMIT]);
}

static void check_count(struct world *w, const char *what, unsigned i,
			const struct plan_chat *c, const struct sim_count *n,
			bool own)
{
	const bool fewer = may_drop(w);
	const unsigned carried = own ? n->emitted : n->carried;
	const unsigned replies = n >= w->pings && n < w->pings +
				 PLAN_PINGS_MAX ? 1 : c->replies;

	if (carried > n->arrived + n->damaged || (carried < n->arrived && !fewer))
		world_fail(w, "%s %u: %u arrived, %u went on", what, i,
			   n->arrived, carried);
	if (!own && n->emitted != n->given)
		world_fail(w, "%s %u: %u answers, %u of them to the guest",
			   what, i, n->given, n->emitted);
	/* Of an exchange whose time-out was leapt over nothing is left. */
	if (n->errors_told > n->errors_given ||
	    (n->errors_told < n->errors_given && !w->leapt_ns))
		world_fail(w, "%s %u: %u errors, the guest told of %u", what,
			   i, n->errors_given, n->errors_told);
	/* Nobody fetches answers before they come, or leaves them. */
	if (!fewer && !own && !w->leapt_ns && !w->plan.send_fails && c->peer == PLAN_ECHO &&
	    n->given != n->carried * replies)
		world_fail(w, "%s %u: %u answers to %u, %u fetched", what, i,
			   n->carried * replies, n->carried, n->given);
}

void guest_dgram_end(struct world *w)
{
	for (unsigned i = 0; i < w->plan.chats; i++)
		check_count(w, "chat", i, &w->plan.chat[i], &w->chats[i],
			    false);
	for (unsigned i = 0; i < w->plan.pings; i++)
		check_count(w, "ping", i, &w->plan.ping[i], &w->pings[i],
			    w->plan.ping[i].via_gateway);
	for (unsigned i = 0; i < w->plan.asks; i++)
		if (w->asks[i].answered < w->asks[i].arrived ||
		    w->asks[i].answered > w->asks[i].arrived +
					  w->asks[i].damaged)
			world_fail(w, "question %u: asked %u times, answered "
				   "%u times", i, w->asks[i].arrived,
				   w->asks[i].answered);
}
