/* SPDX-License-Identifier: MIT */
/*
 * sim/guest_tx.c - the guest's TCP, sending: segments, windows, timers
 *
 * Slow start and elegance are left out; retransmission, windows, probes,
 * SACK, keepalives and both ways to end are in. Nothing here looks into
 * proto/.
 */
#include <stdio.h>

#include "base/check.h"
#include "sim/guest_conn.h"

#define FLIGHT_MAX	100000u
#define GSO_BYTES	20000u
#define RTO_NS		(300 * WORLD_MS)
#define RTO_MAX_NS	(5000 * WORLD_MS)
#define RETRIES_SYN	8
#define KEEPALIVES_MAX	15

/* Four bytes of an option that nobody knows (RFC 6994 for experiments). */
static void add_odd_option(uint8_t *l4, struct wr *out)
{
	const size_t header = (size_t)(out->p - l4);

	if (header + 4 > TCP_MAX_HEADER_BYTES)
		return;
	wr_be32(out, 0xfe04abcd);
	l4[12] = (uint8_t)((header + 4) << 2);
}

static void transmit(struct world *w, unsigned i, struct tcp_segment *s,
		     uint64_t at, uint32_t len)
{
	static uint8_t l4[FRAME_MAX_BYTES];
	const struct plan_conn *p = guest_plan(w, i);
	const struct sim_conn *c = &w->conns[i];
	struct wr out = wr(l4, sizeof(l4));
	struct sim_packet packet = {
		.guest = world_whose(w, i),
		.v6 = p->v6, .offload = p->guest_gso, .ttl = 64,
		.dst = world_peer(w, p->v6, p->via_gateway || p->questions, i),
		.proto = PROTO_TCP, .csum_offset = TCP_CSUM_OFFSET,
		.tag = len ? TAG_CONN | i : TAG_NONE,
	};

	s->src_port = (uint16_t)(WORLD_GUEST_PORT + i);
	s->dst_port = p->questions ? WORLD_PORT_DNS :
				     (uint16_t)(WORLD_PORT + i);
	if (p->guest_ts) {
		s->has_ts = true;
		s->ts_val = (uint32_t)(w->now_ns / WORLD_MS);
	}
	if (len > c->mss) {
		packet.gso = p->v6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
		packet.gso_size = c->mss;
	}
	tcp_emit(&out, s, 0);
	if (p->guest_odd_options)
		add_odd_option(l4, &out);
	wr_bytes(&out, c->up ? c->up + at :
		 pattern(PATTERN_CONN(i, true), at), len);
	ASSERT(!out.bad);
	if (w->verbose)
		printf("%10.3f ms conn %u > %02x seq %u ack %u wnd %u "
		       "len %u\n", (double)w->now_ns / 1e6, i, s->flags,
		       s->seq - c->iss, s->ack - c->irs, s->window, len);
	sim_guest_send(w, &packet, l4, (size_t)(out.p - l4));
}

static unsigned shift_of(const struct world *w, unsigned i)
{
	const uint8_t shift = guest_plan(w, i)->guest_wscale;

	/* Without scaling on both sides there is none (RFC 7323). */
	return shift == TCP_NO_WSCALE ? 0 : shift;
}

/* Window to advertise; promises it. */
static uint16_t take_window(struct world *w, unsigned i, bool syn)
{
	struct sim_conn *c = &w->conns[i];
	const struct plan_conn *p = guest_plan(w, i);
	const unsigned shift = syn ? 0 : shift_of(w, i);
	const uint64_t unread = c->irs ? guest_received(c) - c->read : 0;
	const uint32_t room = (uint32_t)(p->guest_buffer > unread ?
					 p->guest_buffer - unread : 0);
	uint32_t edge = c->rcv_nxt + room, window;

	if (p->guest_shrinks && !syn && rng_chance(&w->rng, 200))
		edge = c->rcv_nxt + rng_below(&w->rng, room + 1);
	else if (seq_lt(edge, c->rcv_edge))
		edge = c->rcv_edge;
	window = (edge - c->rcv_nxt) >> shift;
	window = window > 65535 ? 65535 : window;
	edge = c->rcv_nxt + (window << shift);
	if (p->guest_shrinks || seq_lt(c->rcv_edge, edge))
		c->rcv_edge = edge;
	if (seq_lt(c->edge_max, edge))
		c->edge_max = edge;
	return (uint16_t)window;
}

static void put_sack(const struct world *w, unsigned i, struct tcp_segment *s)
{
	const struct sim_conn *c = &w->conns[i];

	if (!guest_plan(w, i)->guest_sack)
		return;
	for (unsigned k = 0; k < c->n_ooo && k < 3; k++)
		s->sack[s->sacks++] = (struct tcp_range){
			c->ooo[k].from, c->ooo[k].to };
}

/* RFC 9293 section 3.8.5: from the start, in all that goes before it. */
static void put_urgent(const struct world *w, unsigned i,
		       struct tcp_segment *s)
{
	const uint32_t n = guest_plan(w, i)->up_urgent;
	const uint32_t left = w->conns[i].iss + n - s->seq;

	if (!n || left >= UINT16_MAX)
		return;
	s->flags |= TCP_URG;
	s->urgent = (uint16_t)(left + 1);
}

void guest_send_ack(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];
	struct tcp_segment s = {
		.seq = c->snd_max, .ack = c->rcv_nxt, .flags = TCP_ACK,
		.window = take_window(w, i, false), .wscale = TCP_NO_WSCALE,
	};

	/* A window may be rounded, but does not shrink: RFC 7323 section 2.4 */
	if (c->edge_known && seq_lt(c->edge, s.seq))
		s.seq = c->edge;
	put_sack(w, i, &s);
	put_urgent(w, i, &s);
	transmit(w, i, &s, 0, 0);
}

void guest_send_syn(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];
	struct tcp_segment s = {
		.seq = c->iss, .flags = TCP_SYN,
		.window = take_window(w, i, true),
		.mss = guest_plan(w, i)->guest_mss,
		.wscale = guest_plan(w, i)->guest_wscale,
		.sack_ok = guest_plan(w, i)->guest_sack,
	};

	transmit(w, i, &s, 0, 0);
	c->snd_nxt = c->snd_max = c->iss + 1;
	if (guest_plan(w, i)->guest_stale) {	/* RFC 9293 section 3.5.1 */
		s = (struct tcp_segment){
			.seq = c->iss + 1, .flags = TCP_ACK, .window = 1000,
			.ack = (uint32_t)rng_next(&w->rng),
			.wscale = TCP_NO_WSCALE,
		};
		transmit(w, i, &s, 0, 0);
	}
}

void guest_send_rst(struct world *w, unsigned i, uint32_t seq, uint32_t ack)
{
	struct tcp_segment s = { .seq = seq, .ack = ack,
				 .flags = TCP_RST | TCP_ACK,
				 .wscale = TCP_NO_WSCALE };

	transmit(w, i, &s, 0, 0);
}

/* RFC 9293 section 3.10.7.1 */
void guest_refuse(struct world *w, unsigned i, const struct tcp_segment *s)
{
	struct tcp_segment rst = { .seq = s->ack, .flags = TCP_RST,
				   .wscale = TCP_NO_WSCALE };

	if (s->flags & TCP_RST)
		return;
	if (!(s->flags & TCP_ACK)) {
		rst.seq = 0;
		rst.ack = s->seq + (uint32_t)s->data.len +
			  !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
		rst.flags |= TCP_ACK;
	}
	transmit(w, i, &rst, 0, 0);
}

void guest_reset(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];

	if (c->state == G_GONE)
		return;			/* nothing is left to reset */
	if (c->state == G_OPEN)
		guest_send_rst(w, i, c->snd_nxt, c->rcv_nxt);
	c->state = G_RESET;
}

/* May our FIN go out now? */
static bool may_end(const struct world *w, unsigned i)
{
	return world_since(w) >= guest_plan(w, i)->guest_fin_ns;
}

void guest_send_data(struct world *w, unsigned i, uint32_t seq, uint32_t len)
{
	struct sim_conn *c = &w->conns[i];
	const bool fin = seq + len == guest_data_end(c) && may_end(w, i);
	struct tcp_segment s = {
		.seq = seq, .ack = c->rcv_nxt,
		.flags = (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0)),
		.window = take_window(w, i, false), .wscale = TCP_NO_WSCALE,
	};

	put_sack(w, i, &s);
	put_urgent(w, i, &s);
	transmit(w, i, &s, seq - (c->iss + 1), len);
	c->first_to_close |= fin && !c->fin_sent && !c->fin_seen;
	c->repeated |= seq_lt(seq, c->snd_max);
	c->fin_sent |= fin;
	if (seq_lt(c->snd_max, seq + len + fin))
		c->snd_max = seq + len + fin;
}

/* Bytes that may go at snd_nxt, at most one frame's; 0 and *more false:
 * nothing, not even a FIN. */
static uint32_t next_piece(const struct world *w, unsigned i, bool *more)
{
	const struct sim_conn *c = &w->conns[i];
	const uint32_t most = guest_plan(w, i)->guest_gso &&
		GSO_BYTES > c->mss ? GSO_BYTES - GSO_BYTES % c->mss : c->mss;
	const uint32_t wnd = c->snd_wnd < FLIGHT_MAX ? c->snd_wnd : FLIGHT_MAX;
	const uint32_t edge = c->snd_una + wnd;
	uint32_t len = guest_data_end(c) - c->snd_nxt;

	*more = false;
	if (seq_lt(guest_data_end(c), c->snd_nxt))
		return 0;		/* the FIN is out */
	if (!len) {
		*more = may_end(w, i);
		return 0;
	}
	if (!seq_lt(c->snd_nxt, edge))
		return 0;
	*more = true;
	if (len > edge - c->snd_nxt)
		len = edge - c->snd_nxt;
	return len > most ? most : len;
}

void guest_pump(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];
	bool more;

	if (c->state != G_OPEN ||
	    (guest_plan(w, i)->guest_waits_for_fin && !c->fin_seen))
		return;
	for (;;) {
		const uint32_t len = next_piece(w, i, &more);

		if (!more)
			break;
		guest_send_data(w, i, c->snd_nxt, len);
		c->snd_nxt += len;
		if (c->snd_nxt == guest_data_end(c) && may_end(w, i))
			c->snd_nxt++;
	}
	if ((c->snd_una != c->snd_max ||
	     seq_lt(c->snd_una, guest_data_end(c))) && !c->rto_at)
		guest_arm(w, i);
}

static void syn_again(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];

	if (++c->retries > RETRIES_SYN) {
		c->state = G_CLOSED;
		return;
	}
	guest_send_syn(w, i);
	guest_arm(w, i);
}

static void timer(void *ctx, uint64_t arg, void *data, size_t len);

static void run_timer_at(struct world *w, unsigned i, uint64_t at_ns)
{
	w->conns[i].timer_at = at_ns;
	world_after(w, at_ns - w->now_ns, timer, i, NULL, 0);
}

/* The host has read all for long: its window's update never came. */
static void check_probe(struct world *w, unsigned i)
{
	for (unsigned k = 0; k < WORLD_SOCKS; k++) {
		const struct sim_sock *s = &w->socks[k];

		if (s->kind == SOCK_CONN && s->conn == i && s->connected &&
		    !s->dead && s->drained == s->received && s->received &&
		    s->drained_ns + 200 * WORLD_MS < w->now_ns &&
		    plan_calm_link(&w->plan))
			world_fail(w, "the window stays shut, connection %u",
				   i);
	}
}

static void timer(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)arg;
	struct sim_conn *c = &w->conns[i];

	(void)data, (void)len;
	if (!c->timer_at || c->timer_at > w->now_ns)
		return;			/* armed anew since */
	c->timer_at = 0;
	if (c->rto_at > w->now_ns) {
		run_timer_at(w, i, c->rto_at);
		return;
	}
	c->rto_at = 0;
	if (c->state == G_SYN_SENT) {
		syn_again(w, i);
		return;
	}
	if (c->state != G_OPEN || seq_lt(guest_data_end(c), c->snd_una))
		return;			/* all is acknowledged */
	if (guest_plan(w, i)->guest_waits_for_fin && !c->fin_seen)
		return;
	c->retries++;
	c->snd_nxt = c->snd_una;
	if (c->snd_wnd == 0 && c->snd_una != guest_data_end(c)) {
		check_probe(w, i);
		guest_send_data(w, i, c->snd_una, 1);	/* a window probe */
		c->snd_nxt = c->snd_una;
		guest_arm(w, i);
		return;
	}
	guest_pump(w, i);
}

void guest_arm(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];
	uint64_t rto = RTO_NS << (c->retries < 5 ? c->retries : 5);

	rto = rto > RTO_MAX_NS ? RTO_MAX_NS : rto;
	c->rto_at = w->now_ns + rto;
	if (!c->timer_at || c->rto_at < c->timer_at)
		run_timer_at(w, i, c->rto_at);
}

/* An old byte's sequence number, to be answered (RFC 9293, 3.8.4). */
static void send_keepalive(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];
	struct tcp_segment s = {
		.seq = c->snd_una - 1, .ack = c->rcv_nxt, .flags = TCP_ACK,
		.window = take_window(w, i, false), .wscale = TCP_NO_WSCALE,
	};

	c->repeated = true;
	transmit(w, i, &s, 0, 0);
}

static void keepalive(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)arg;
	struct sim_conn *c = &w->conns[i];

	(void)data, (void)len;
	if (c->state != G_OPEN || (c->fin_acked && c->fin_seen))
		return;
	if (w->now_ns - c->heard_at >= guest_plan(w, i)->guest_keepalive_ns) {
		if (++c->unanswered > KEEPALIVES_MAX) {
			world_fail(w, "no answer to keepalives, "
				   "connection %u", i);
			return;
		}
		send_keepalive(w, i);
	}
	guest_arm_keepalive(w, i);
}

void guest_arm_keepalive(struct world *w, unsigned i)
{
	if (guest_plan(w, i)->guest_keepalive_ns)
		world_after(w, guest_plan(w, i)->guest_keepalive_ns,
			    keepalive, i, NULL, 0);
}

static void reader(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)arg;
	struct sim_conn *c = &w->conns[i];
	const struct plan_conn *p = guest_plan(w, i);
	const uint32_t open = c->rcv_edge - c->rcv_nxt;
	uint64_t step = guest_received(c) - c->read;
	uint64_t room;

	(void)data, (void)len;
	c->reader_at = 0;
	if (c->state != G_OPEN)
		return;
	if (world_since(w) < p->guest_sleep_ns) {
		c->reader_at = WORLD_START_NS + p->guest_sleep_ns;
		world_after(w, c->reader_at - w->now_ns, reader, arg, NULL, 0);
		return;
	}
	c->read += step < p->guest_drain ? step : p->guest_drain;
	if (guest_received(c) > c->read)
		guest_wake_reader(w, i);
	/* After the last FIN no kernel sends updates. */
	room = p->guest_buffer - (guest_received(c) - c->read);
	if (c->fin_seen || open >= c->mss || open >= p->guest_buffer / 2 ||
	    (room < open + c->mss && room < p->guest_buffer / 2))
		return;
	if (w->plan.drop_first_update && !w->update_dropped)
		w->update_dropped = true;
	else
		guest_send_ack(w, i);
}

void guest_wake_reader(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];

	if (c->reader_at)
		return;
	c->reader_at = w->now_ns + WORLD_MS;
	world_after(w, WORLD_MS, reader, i, NULL, 0);
}
