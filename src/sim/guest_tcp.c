/* SPDX-License-Identifier: MIT */
/*
 * sim/guest_tcp.c - the guest's TCP, receiving, and what must come of it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/rd.h"
#include "sim/guest_conn.h"

#define OPTIONS_BYTES	40u	/* at most: RFC 9293 section 3.1 */
#define DOWN_BYTES	65536u		/* of DNS answers, on one connection */
#define LINGER_NS	(1900 * WORLD_MS)	/* a last ACK is repeated */
#define TIME_WAIT_NS	(60000 * WORLD_MS)	/* as Linux has it */
#define DOWN_ANY	UINT32_MAX	/* how many is not known before */

static uint32_t down_bytes(const struct world *w, unsigned i)
{
	return w->conns[i].down ? DOWN_ANY : guest_plan(w, i)->down_bytes;
}

/* Remember [from, to) behind a gap, if there is room. */
static void keep_ooo(struct sim_conn *c, uint32_t from, uint32_t to)
{
	if (c->n_ooo == sizeof(c->ooo) / sizeof(c->ooo[0]) ||
	    !seq_lt(from, to))
		return;
	c->ooo[c->n_ooo].from = from;
	c->ooo[c->n_ooo++].to = to;
}

static void join_ooo(struct sim_conn *c)
{
	for (unsigned i = 0; i < c->n_ooo;) {
		if (seq_lt(c->rcv_nxt, c->ooo[i].from)) {
			i++;
			continue;
		}
		if (seq_lt(c->rcv_nxt, c->ooo[i].to))
			c->rcv_nxt = c->ooo[i].to;
		c->ooo[i] = c->ooo[--c->n_ooo];
		i = 0;
	}
}

/* Are these the bytes that belong there? Those of answers are kept. */
static bool right_bytes(struct world *w, unsigned i, uint32_t at,
			struct view data)
{
	struct sim_conn *c = &w->conns[i];

	if (!c->down)
		return pattern_is(PATTERN_CONN(i, false), at, data.p,
				  data.len);
	if ((uint64_t)at + data.len > DOWN_BYTES)
		return false;
	memcpy(c->down + at, data.p, data.len);
	return true;
}

/* The pointer leads to the urgent byte; what brings that has it. */
static void check_urgent(struct world *w, unsigned i,
			 const struct tcp_segment *s)
{
	const struct sim_conn *c = &w->conns[i];
	const uint32_t n = guest_plan(w, i)->down_urgent;
	const uint32_t left = c->irs + n - s->seq;

	if (w->plan.corrupt)
		return;			/* some damage does no harm */
	if (!(s->flags & TCP_URG) && n && c->urgent_due &&
	    left < s->data.len)
		world_fail(w, "an urgent byte down like any other, "
			   "connection %u", i);
	if ((s->flags & TCP_URG) && (!n || s->urgent != left + 1))
		world_fail(w, "a wrong urgent pointer, connection %u", i);
}

static void take_data(struct world *w, unsigned i,
		      const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];
	const uint32_t at = s->seq - (c->irs + 1);
	uint32_t end = s->seq + (uint32_t)s->data.len;

	if (!s->data.len)
		return;
	if (seq_lt(c->edge_max, end) &&
	    !(s->data.len == 1 && seq_le(s->seq, c->edge_max)))
		world_fail(w, "past the guest's window, connection %u", i);
	if ((uint64_t)at + s->data.len > down_bytes(w, i)) {
		world_fail(w, "more than there is, connection %u", i);
		return;
	}
	if (!right_bytes(w, i, at, s->data.near))
		world_fail(w, "wrong byte down, connection %u", i);
	if (seq_lt(c->rcv_edge, end))
		end = c->rcv_edge;
	if (seq_lt(c->rcv_nxt, s->seq)) {
		keep_ooo(c, s->seq, end);
	} else if (seq_lt(c->rcv_nxt, end)) {
		c->rcv_nxt = end;
		join_ooo(c);
	}
}

/* Every question has its answer, once. */
static void check_answers(struct world *w, unsigned i)
{
	const unsigned n = guest_plan(w, i)->questions;
	struct rd r = rd(w->conns[i].down, guest_received(&w->conns[i]));
	unsigned seen[PLAN_ASKS_MAX] = { 0 };

	while (r.left) {
		const struct rd msg = rd_cut(&r, rd_be16(&r));
		struct rd id = msg;
		const unsigned k = (unsigned)(rd_be16(&id) - WORLD_ASK_ID);

		if (r.bad || k >= n) {
			world_fail(w, "a wrong answer, connection %u", i);
			return;
		}
		seen[k]++;
		resolver_check(w, k, false, false,
			       (struct view){ .p = msg.p, .len = msg.left });
	}
	for (unsigned k = 0; k < n; k++)
		/* One that comes as the time of idleness ends has none. */
		if (seen[k] != 1 && !(seen[k] == 0 && (w->plan.no_memory ||
						       w->leapt_ns)))
			world_fail(w, "%u answers to question %u, "
				   "connection %u", seen[k], k, i);
}

/* As Linux, it knows a FIN that came before what was lost. */
static void take_fin(struct world *w, unsigned i, const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];
	const uint32_t at = s->seq + (uint32_t)s->data.len;

	if ((s->flags & TCP_FIN) && !seq_lt(c->rcv_edge, at)) {
		c->fin_known = true;
		c->fin_at = at;
	}
	if (!c->fin_known || c->fin_seen || c->fin_at != c->rcv_nxt)
		return;
	if (c->down)
		check_answers(w, i);
	else if (guest_received(c) != guest_plan(w, i)->down_bytes)
		world_fail(w, "FIN after %llu bytes down, connection %u",
			   (unsigned long long)guest_received(c), i);
	c->rcv_nxt++;
	c->fin_seen = true;
	if (c->fin_acked)
		c->over_ns = world_since(w);
}

/* The window that the gateway shows: never back, never past its need. */
static void check_edge(struct world *w, unsigned i,
		       const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];
	const uint32_t edge = s->ack + ((uint32_t)s->window << c->peer_shift);
	const uint32_t slack = (1u << c->peer_shift) - 1;
	const bool ordered = !w->plan.reorder && !w->plan.duplicate;

	if (ordered && c->edge_known && seq_lt(edge + slack, c->edge))
		world_fail(w, "the window's edge moved back, "
			   "connection %u", i);
	if (!c->edge_known || seq_lt(c->edge, edge))
		c->edge = edge;
	c->edge_known = true;
}

void guest_tcp_arrived(struct world *w, unsigned i, const uint8_t *frame,
		       size_t len)
{
	struct sim_conn *c = &w->conns[i];
	const size_t l3 = guest_plan(w, i)->v6 ? IPV6_HEADER_BYTES :
						 IPV4_HEADER_BYTES;
	const struct view l4 = { .p = frame + 14 + l3, .len = len - 14 - l3 };
	struct tcp_segment s;

	if (tcp_parse(l4, &s) != DROP_OK)
		return;
	c->answered |= s.flags & TCP_ACK;
	if (!c->there)
		return;
	memset(c->there + (s.seq - (c->iss + 1)), 1, s.data.len);
}

/* Nothing is acknowledged, selectively or not, that did not arrive. */
static void check_there(struct world *w, unsigned i,
			const struct tcp_segment *s)
{
	const struct sim_conn *c = &w->conns[i];
	const uint32_t first = c->iss + 1;

	if (w->plan.corrupt)
		return;			/* some damage does no harm */
	if (seq_lt(c->snd_una, s->ack) &&
	    seq_le(s->ack, guest_data_end(c)) &&
	    memchr(c->there + (c->snd_una - first), 0, s->ack - c->snd_una))
		world_fail(w, "acknowledges what did not arrive, "
			   "connection %u", i);
	for (unsigned k = 0; k < s->sacks; k++) {
		const struct tcp_range *r = &s->sack[k];
		/* RFC 2883: the first may tell what came twice. */
		const bool twice = !k && seq_le(first, r->from) &&
				   seq_le(r->to, s->ack);

		if (!seq_lt(r->from, r->to) ||
		    (!twice && seq_le(r->from, s->ack)) ||
		    seq_lt(guest_data_end(c), r->to) ||
		    memchr(c->there + (r->from - first), 0, r->to - r->from))
			world_fail(w, "SACKs what did not arrive, "
				   "connection %u", i);
	}
}

static void take_ack(struct world *w, unsigned i, const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];

	if (seq_lt(c->snd_max, s->ack)) {
		world_fail(w, "acknowledges what was not sent, "
			   "connection %u", i);
		return;
	}
	check_edge(w, i, s);
	check_there(w, i, s);
	if (seq_lt(s->ack, c->snd_una))
		return;
	c->dups = s->ack == c->snd_una && !s->data.len &&
		  c->snd_una != c->snd_max ? c->dups + 1 : 0;
	if (seq_lt(c->snd_una, s->ack)) {
		c->snd_una = s->ack;
		c->retries = 0;
		if (seq_lt(c->snd_nxt, c->snd_una))
			c->snd_nxt = c->snd_una;
		if (c->rto_at)
			guest_arm(w, i);
	}
	c->snd_wnd = (uint32_t)s->window << c->peer_shift;
	if (c->fin_sent && s->ack == guest_data_end(c) + 1)
		c->fin_acked = true;
	if (c->fin_acked && c->fin_seen && !c->over_ns)
		c->over_ns = world_since(w);
	if (c->dups == 3 && seq_lt(c->snd_una, guest_data_end(c))) {
		const uint32_t left = guest_data_end(c) - c->snd_una;

		guest_send_data(w, i, c->snd_una, left < c->mss ? left :
								  c->mss);
	}
}

static void later_pump(void *ctx, uint64_t arg, void *data, size_t len)
{
	(void)data, (void)len;
	guest_pump(ctx, (unsigned)arg);
}

static void check_options(struct world *w, unsigned i,
			  const struct tcp_segment *s)
{
	const struct plan_conn *p = guest_plan(w, i);

	if ((s->sack_ok && !p->guest_sack) ||
	    (s->wscale != TCP_NO_WSCALE && p->guest_wscale == TCP_NO_WSCALE) ||
	    s->mss > w->plan.mtu - (p->v6 ? 60 : 40) || s->window < 32768)
		world_fail(w, "an option that was not offered, "
			   "connection %u", i);
}

static void take_synack(struct world *w, unsigned i,
			const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];

	if ((s->flags & TCP_ACK) && s->ack != c->iss + 1)
		return;
	if (s->flags & TCP_RST) {
		if (s->flags & TCP_ACK)
			c->state = G_REFUSED;
		return;
	}
	if ((s->flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK))
		return;
	check_options(w, i, s);
	c->state = G_OPEN;
	c->connected_once = true;
	c->irs = s->seq;
	c->rcv_edge = s->seq + 1 + (c->rcv_edge - c->rcv_nxt);
	c->edge_max = c->rcv_edge;
	c->rcv_nxt = s->seq + 1;
	c->snd_una = c->iss + 1;
	c->snd_wnd = s->window;
	c->retries = 0;
	c->heard_at = w->now_ns;
	c->peer_shift = s->wscale == TCP_NO_WSCALE ? 0 : s->wscale;
	if (s->mss && s->mss < c->mss)
		c->mss = s->mss;
	if (c->rto_at)
		guest_arm(w, i);
	guest_send_ack(w, i);
	guest_arm_keepalive(w, i);
	if (guest_plan(w, i)->guest_fin_ns > world_since(w) &&
	    guest_plan(w, i)->guest_fin_ns != PLAN_NEVER)
		world_after(w, guest_plan(w, i)->guest_fin_ns -
			    world_since(w), later_pump, i, NULL, 0);
	guest_pump(w, i);
}

static void take_rst(struct world *w, unsigned i, const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];

	/* RFC 5961 section 3.2, and its edge as Linux has it */
	if (s->seq == c->rcv_nxt) {
		c->state = G_RESET;
		if (c->host_done && w->now_ns < c->host_done_ns + LINGER_NS)
			world_fail(w, "reset after a good end, "
				   "connection %u", i);
	} else if (seq_lt(c->rcv_nxt, s->seq) && seq_le(s->seq, c->rcv_edge)) {
		guest_send_ack(w, i);
	}
}

/*
 * As Linux has it: what ends before rcv_nxt or begins past the window is
 * answered if it takes sequence space, and else not looked at.
 */
static bool acceptable(const struct sim_conn *c, const struct tcp_segment *s)
{
	const uint32_t end = s->seq + (uint32_t)s->data.len +
			     !!(s->flags & TCP_FIN);

	return !seq_lt(end, c->rcv_nxt) && !seq_lt(c->rcv_edge, s->seq);
}

/*
 * Has its socket ended, by now? Out of LAST-ACK with the ACK of its FIN, out
 * of TIME-WAIT after a while (RFC 9293 section 3.6); it begins anew with what
 * has to be answered.
 */
static void leave(struct world *w, unsigned i, bool answered)
{
	struct sim_conn *c = &w->conns[i];

	if (!c->fin_acked || !c->fin_seen)
		return;
	if (!c->time_wait_ns || answered)
		c->time_wait_ns = w->now_ns;
	if (!c->first_to_close)
		c->state = G_GONE;
}

/*
 * A segment for a connection that has no socket. Where both ends are told,
 * nothing was lost and nothing asked for twice, there is nothing to say.
 */
static void nobody_there(struct world *w, unsigned i,
			 const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];

	/* RFC 9293 figure 9; and each ACK of its FIN may have been lost. */
	c->may_reset |= (s->flags & TCP_SYN) || c->first_to_close;
	if (c->state == G_GONE && plan_calm_link(&w->plan) && !c->repeated &&
	    !w->leapt_ns && !(s->flags & TCP_RST))
		world_fail(w, "a segment after the end, connection %u", i);
	guest_refuse(w, i, s);
}

static void open_segment(struct world *w, unsigned i,
			 const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];
	const bool has_text = s->data.len || (s->flags & TCP_FIN);

	c->heard_at = w->now_ns;
	c->unanswered = 0;
	if (s->flags & TCP_RST) {
		take_rst(w, i, s);
		return;
	}
	if ((s->flags & TCP_SYN) || !acceptable(c, s)) {
		if (has_text || (s->flags & TCP_SYN))
			guest_send_ack(w, i);
		return;
	}
	take_ack(w, i, s);
	check_urgent(w, i, s);
	take_data(w, i, s);
	take_fin(w, i, s);
	if (guest_received(c) >= guest_plan(w, i)->guest_reset_at) {
		guest_reset(w, i);
		return;
	}
	if (guest_received(c) > c->read)
		guest_wake_reader(w, i);
	if (has_text)
		guest_send_ack(w, i);
	guest_pump(w, i);
	leave(w, i, has_text);
}

void guest_tcp_segment(struct world *w, unsigned i,
		       const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];

	if (w->verbose)
		printf("%10.3f ms conn %u < %02x seq %u ack %u wnd %u "
		       "len %zu\n", (double)w->now_ns / 1e6, i, s->flags,
		       s->seq - c->irs, s->ack - c->iss,
		       (unsigned)s->window << c->peer_shift, s->data.len);
	if (c->state == G_OPEN && c->time_wait_ns &&
	    w->now_ns - c->time_wait_ns >= TIME_WAIT_NS)
		c->state = G_GONE;
	if (c->state == G_SYN_SENT)
		take_synack(w, i, s);
	else if (c->state == G_OPEN)
		open_segment(w, i, s);
	else
		nobody_there(w, i, s);
}

void guest_tcp_refused(struct world *w, unsigned i)
{
	if (w->conns[i].state == G_SYN_SENT)
		w->conns[i].state = G_REFUSED;
}

/* The questions of a connection to the gateway's DNS, one after another. */
static void prepare_questions(struct sim_conn *c, unsigned n)
{
	uint8_t *at;

	c->up = malloc(2 + 1024 * n);
	c->down = calloc(1, DOWN_BYTES);
	ASSERT(c->up && c->down);
	at = c->up;
	for (unsigned k = 0; k < n; k++) {
		const size_t len = resolver_question(k, false, at + 2, 1000);
		struct wr out = wr(at, 2);

		wr_be16(&out, (uint16_t)len);
		at += 2 + len;
	}
	c->up_len = (uint32_t)(at - c->up);
}

static void begin(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)arg;
	const struct plan_conn *p = guest_plan(w, i);
	struct sim_conn *c = &w->conns[i];

	(void)data, (void)len;
	c->state = G_SYN_SENT;
	c->iss = (uint32_t)rng_next(&w->rng);
	c->snd_una = c->iss;
	c->up_len = p->up_bytes;
	if (p->questions)
		prepare_questions(c, p->questions);
	c->there = calloc(1, c->up_len + 1u);
	ASSERT(c->there);
	c->mss = (uint16_t)(w->plan.mtu - (p->v6 ? 60 : 40));
	/* RFC 6691 section 2: room for options, of which it may send any. */
	if (c->mss > 10 * OPTIONS_BYTES)
		c->mss = (uint16_t)(c->mss - OPTIONS_BYTES);
	guest_send_syn(w, i);
	guest_arm(w, i);
}

static void reset_now(void *ctx, uint64_t arg, void *data, size_t len)
{
	(void)data, (void)len;
	guest_reset(ctx, (unsigned)arg);
}

void guest_tcp_start(struct world *w)
{
	for (unsigned i = 0; i < w->plan.conns; i++) {
		const uint64_t at = rng_below(&w->rng, 20000000);

		world_after(w, at, begin, i, NULL, 0);
		if (w->plan.conn[i].guest_reset_ns != PLAN_NEVER)
			world_after(w, at + w->plan.conn[i].guest_reset_ns,
				    reset_now, i, NULL, 0);
	}
}

static void check_conn(struct world *w, unsigned i, bool may_fail)
{
	const struct plan_conn *p = guest_plan(w, i);
	const struct sim_conn *c = &w->conns[i];
	/* An ACK of the last FIN may be lost, and then asked for too late. */
	const bool ended = c->fin_seen && (c->fin_acked ||
		(c->host_done && !plan_calm_link(&w->plan)));

	if (p->connect == PLAN_SILENT && c->connected_once)
		world_fail(w, "connection %u to nobody", i);
	/* Whoever asks, or is told without loss, learns of a reset. */
	if (c->state == G_OPEN && !ended &&
	    (p->guest_keepalive_ns || plan_calm_link(&w->plan)))
		world_fail(w, "connection %u was left alone", i);
	if (w->plan.end_ns && (!ended || c->over_ns > w->plan.end_ns))
		world_fail(w, "connection %u took %.3f ms", i,
			   (double)c->over_ns / 1e6);
	if (plan_resets(p) || (may_fail && !c->connected_once))
		return;
	/* Each ACK of its handshake was lost: the gateway gave it up. */
	if (!c->answered && !plan_calm_link(&w->plan))
		return;
	/* The gateway had no memory for an answer: no stream without it. One
	   that counts as idle, as time was leapt over, is ended as well. */
	if (p->questions && (w->plan.no_memory || w->leapt_ns))
		return;
	if (p->connect == PLAN_ACCEPT && !ended)
		world_fail(w, "connection %u did not end well", i);
	if ((p->connect == PLAN_REFUSE || p->connect == PLAN_UNREACHABLE) &&
	    c->state != G_REFUSED)
		world_fail(w, "connection %u was not refused", i);
}

void guest_tcp_end(struct world *w)
{
	struct network_stats st;
	bool may_fail;

	network_get_stats(w->net, &st);
	/* Without memory no program is asked about, and each SYN dropped. */
	may_fail = st.drops[DROP_FLOWS] || w->plan.no_socket ||
		   (w->plan.programs && w->plan.no_memory &&
		    st.drops[DROP_LIMIT]);
	for (unsigned i = 0; i < w->plan.conns; i++)
		check_conn(w, i, may_fail);
}
