/* SPDX-License-Identifier: MIT */
/*
 * proto/tcp_segment.c - segments as they leave: window, options, headers
 */
#include "base/csum.h"
#include "proto/tcp.h"

static bool has_wscale(const struct tcp *t)
{
	return t->our_shift != TCP_NO_WSCALE;
}

/* The right edge that could be promised now. */
static uint32_t edge_possible(const struct tcp *t)
{
	const uint32_t room = t->up_len < t->up_limit ?
			      t->up_limit - t->up_len : 0;
	const uint32_t edge = t->rcv_nxt + room;

	return seq_lt(edge, t->rcv_edge) ? t->rcv_edge : edge;
}

/*
 * RFC 9293 section 3.8.6.2.2: move the edge only by a step worth having.
 */
static bool edge_worth(const struct tcp *t, uint32_t edge)
{
	const uint32_t half = t->up_limit / 2;
	const uint32_t step = t->mss < half ? t->mss : half;

	return edge - t->rcv_edge >= step;
}

bool tcp_window_owed(const struct tcp *t)
{
	const uint32_t open = t->rcv_edge - t->rcv_nxt;
	const uint32_t gain = edge_possible(t) - t->rcv_edge;
	const bool ended = t->guest_fin && seq_lt(t->fin_seq, t->rcv_nxt);

	/* A guest that has closed has nobody left who wants to know it. */
	return t->phase == TCP_ESTABLISHED && !ended &&
	       edge_worth(t, edge_possible(t)) &&
	       (gain >= t->up_limit / 4 || open < 2u * t->mss);
}

/* Window field for the next segment; promises what it says. */
static uint16_t take_window(struct tcp *t, bool syn)
{
	const unsigned shift = has_wscale(t) && !syn ? t->our_shift : 0;
	uint32_t edge = edge_possible(t), window;

	if (!edge_worth(t, edge))
		edge = t->rcv_edge;
	window = (edge - t->rcv_nxt) >> shift;
	if (window > 65535)
		window = 65535;
	edge = t->rcv_nxt + (window << shift);
	/* Rounding may show less than was promised: RFC 7323 section 2.4 */
	if (seq_lt(t->rcv_edge, edge))
		t->rcv_edge = edge;
	return (uint16_t)window;
}

/* One block, unless it is there (from block `first` on) or has no room. */
static void add_block(struct tcp_segment *s, const struct tcp_range *r,
		      unsigned first, unsigned most)
{
	for (unsigned i = first; i < s->sacks; i++)
		if (s->sack[i].from == r->from)
			return;
	if (s->sacks < most)
		s->sack[s->sacks++] = *r;
}

/*
 * RFC 2018 section 4: those that grew last come first, but what came twice
 * before all (RFC 2883 section 4), once. As many blocks as the option, and
 * the least MTUs, have room for.
 */
static void add_sack(const struct proto *p, struct tcp *t,
		     struct tcp_segment *s)
{
	const size_t used = ip_header_bytes(&t->flow.key.guest_ip) +
			    TCP_HEADER_BYTES + (t->ts_ok ? TCP_TS_BYTES : 0) +
			    4;		/* padding and kind */
	const size_t fit = p->mtu > used ? (p->mtu - used) / 8 : 0;
	const unsigned most = fit < TCP_SACK_MAX ? (unsigned)fit :
						   TCP_SACK_MAX;

	const unsigned first = t->dup.from != t->dup.to;

	if (!t->sack_ok)
		return;
	if (first)
		add_block(s, &t->dup, 0, most);
	t->dup.from = t->dup.to;
	for (unsigned i = 0; i < TCP_SACK_MAX; i++) {
		const struct tcp_range *r = ranges_find(&t->ooo, t->recent[i]);

		if (r)
			add_block(s, r, first, most);
	}
	for (uint32_t i = 0; i < t->ooo.n; i++)
		add_block(s, &t->ooo.r[i], first, most);
}

/* RFC 7323 section 3: milliseconds, from a start of the connection's own. */
static void stamp(const struct proto *p, const struct tcp *t,
		  struct tcp_segment *s)
{
	s->has_ts = true;
	s->ts_val = t->iss + (uint32_t)(p->now_ns / 1000000);
	s->ts_ecr = t->ts_recent;
}

bool tcp_put(struct proto *p, struct tcp *t, struct tcp_segment *s,
	     struct span *data, unsigned n, const struct frame_unread *unread)
{
	const struct flow_key *k = &t->flow.key;
	const size_t len = (n > 0 ? data[0].len : 0) +
			   (n > 1 ? data[1].len : 0) +
			   (unread ? unread->bytes : 0);
	size_t l4;
	uint8_t head[PROTO_HEAD_BYTES];
	struct wr w = wr(head, sizeof(head));
	struct span v[3] = { { .p = head } };
	struct frame_meta meta = {
		.needs_csum = true,
		.csum_offset = TCP_CSUM_OFFSET,
	};

	s->src_port = k->peer_port;
	s->dst_port = k->guest_port;
	if (t->ts_ok)
		stamp(p, t, s);
	l4 = tcp_header_bytes(s) + len;
	proto_emit_ip(p, &w, &k->peer_ip, &k->guest_ip, PROTO_TCP, l4);
	meta.csum_start = (uint16_t)(w.p - head);
	tcp_emit(&w, s, csum_fold(csum_pseudo(0, &k->peer_ip, &k->guest_ip,
					      PROTO_TCP, (uint32_t)l4)));
	ASSERT(!w.bad);
	v[0].len = meta.hdr_len = (uint16_t)(w.p - head);
	if (len > t->mss) {
		meta.gso = ip_is4(&k->guest_ip) ? FRAME_GSO_TCP4 :
						  FRAME_GSO_TCP6;
		meta.gso_size = t->mss;
	}
	for (unsigned i = 0; i < n; i++)
		v[1 + i] = data[i];
	if (unread)
		meta.unread = *unread;
	return proto_send(p, &k->guest_ip, &meta, v, 1 + n);
}

/*
 * No SACK: beside data it would have to take room from it (RFC 6691); an
 * ACK without data tells.
 */
struct tcp_segment tcp_segment_at(struct tcp *t, uint32_t seq, uint8_t flags)
{
	struct tcp_segment s = {
		.seq = seq,
		.ack = t->rcv_nxt,
		.flags = flags | TCP_ACK,
		.window = take_window(t, false),
		.wscale = TCP_NO_WSCALE,
	};

	t->ack_owed = false;
	t->rcv_told = t->rcv_nxt;
	if (t->down_urgent && t->down_urg - seq < UINT16_MAX) {
		s.flags |= TCP_URG;
		s.urgent = (uint16_t)(t->down_urg - seq + 1);
	}
	return s;
}

/*
 * The sequence number that a guest takes from a segment without data: the
 * newest one, unless it lies past the window, as a probe's byte or FIN does.
 * A window that is told in steps may seem to shrink by less than one of them:
 * what was sent before may well have been taken, and all that is older would
 * be refused (RFC 7323 section 2.4). The answer to a probe tells which it is.
 */
static uint32_t empty_seq(const struct tcp *t)
{
	return seq_lt(t->snd_edge, t->snd_max) ? t->snd_edge : t->snd_max;
}

void tcp_send_ack(struct proto *p, struct tcp *t)
{
	struct tcp_segment s;

	if (tcp_link_is_full(p, t)) {
		t->ack_owed = true;
		tcp_hold(p, t);
		return;
	}
	s = tcp_segment_at(t, empty_seq(t), 0);
	add_sack(p, t, &s);
	if (!tcp_put(p, t, &s, NULL, 0, NULL)) {
		t->ack_owed = true;
		tcp_hold(p, t);
	}
}

/* The MSS that we tell the guest. */
static uint16_t link_mss(const struct proto *p, const struct tcp *t)
{
	return (uint16_t)(p->mtu - ip_header_bytes(&t->flow.key.guest_ip) -
			  TCP_HEADER_BYTES);
}

void tcp_send_syn(struct proto *p, struct tcp *t)
{
	struct tcp_segment s = {
		.seq = t->iss,
		.flags = TCP_SYN,
		.window = 65535,
		.mss = link_mss(p, t),
		.wscale = TCP_UP_SHIFT,
		.sack_ok = true,
	};

	t->ts_ok = true;		/* offered; its SYN will say */
	tcp_put(p, t, &s, NULL, 0, NULL);
	t->snd_nxt = t->snd_max = t->iss + 1;
	tcp_arm(p, t, tcp_rto_due(p, t));
}

void tcp_send_synack(struct proto *p, struct tcp *t)
{
	struct tcp_segment s = {
		.seq = t->iss,
		.ack = t->rcv_nxt,
		.flags = TCP_SYN | TCP_ACK,
		.window = take_window(t, true),
		.mss = link_mss(p, t),
		.wscale = t->our_shift,
		.sack_ok = t->sack_ok,
	};

	tcp_put(p, t, &s, NULL, 0, NULL);
	t->snd_nxt = t->snd_max = t->iss + 1;
	tcp_arm(p, t, tcp_rto_due(p, t));
}

static void send_rst(struct proto *p, struct tcp *t, uint32_t seq)
{
	struct tcp_segment s = {
		.seq = seq,
		.ack = t->rcv_nxt,
		.flags = TCP_RST | TCP_ACK,
		.wscale = TCP_NO_WSCALE,
	};

	tcp_put(p, t, &s, NULL, 0, NULL);
}

/*
 * Nothing repeats a RST, and one that the guest finds outside of its window
 * it takes no notice of (RFC 9293 section 3.10.7.4). With more sent than the
 * window has room for, because it shrank or is probed, nobody knows what the
 * guest expects next: then another goes to the window's edge, where Linux
 * takes it, and one just inside it. A guest that knows better answers, and
 * hears tcp_refuse().
 */
void tcp_send_rst(struct proto *p, struct tcp *t)
{
	const uint32_t edge = t->snd_una + t->snd_wnd;

	if (t->phase == TCP_CONNECTING) {
		send_rst(p, t, 0);
		return;
	}
	send_rst(p, t, t->snd_max);
	if (t->phase != TCP_ESTABLISHED || !seq_lt(edge, t->snd_max))
		return;
	send_rst(p, t, edge);
	if (t->snd_wnd)
		send_rst(p, t, edge - 1);
}

void tcp_refuse(struct proto *p, const struct flow_key *key,
		const struct tcp_segment *seg)
{
	/* RFC 9293 section 3.5.2, group 1 */
	const bool has_ack = seg->flags & TCP_ACK;
	struct tcp_segment s = {
		.seq = has_ack ? seg->ack : 0,
		.ack = seg->seq + (uint32_t)seg->data.len +
		       !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN),
		.flags = has_ack ? TCP_RST : TCP_RST | TCP_ACK,
		.wscale = TCP_NO_WSCALE,
	};
	struct tcp t = { .flow.key = *key, .mss = 536 };

	if (has_ack)
		s.ack = 0;
	tcp_put(p, &t, &s, NULL, 0, NULL);
}
