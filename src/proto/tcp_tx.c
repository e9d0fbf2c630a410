/* SPDX-License-Identifier: MIT */
/*
 * proto/tcp_tx.c - segments to the guest: data, acknowledgements, repair
 *
 * One GSO frame carries up to 64 KiB. What may be sent is bounded by the
 * guest's window and by a congestion window (RFC 5681), because a guest's
 * backlog can overflow like any queue. Loss is found by SACK or by three
 * repeated ACKs and repaired hole by hole (RFC 6675, RFC 6582). Where no
 * ACK tells, at the tail or of a repair that was lost itself, the timer
 * first asks by a probe (RFC 8985 section 7), then times out (RFC 6298). A
 * closed window is probed by the same timer (RFC 9293 section 3.8.6.1).
 */
#include "proto/tcp.h"

#include "base/csum.h"

#define WINDOW_FRAMES	4	/* that a congestion window has at least */
#define GSO_MAX_BYTES	64000u	/* of data; headers fit in 65535 beside it */
#define RTO_MIN_US	200000u	/* RFC-DEVIATION: RFC 6298 (2.4): 1 s; the
				   link has no delay and Linux uses 200 ms */
#define RTO_MAX_US	60000000u
#define TAIL_MIN_US	5000u	/* a tail probe's least delay */
#define DELAYED_ACK_US	45000u	/* how long one segment may wait for its ACK;
				   Linux: 40 ms */
#define LINK_FULL_NS	UINT64_C(10000000)
#define DUP_THRESH	3	/* RFC 5681, RFC 6675: then it is lost */
#define RETRIES_SYN	6
#define RETRIES_DATA	12

/* Arm the flow's timer for due_ns (0: not needed). Lazy: late is moved. */
void tcp_arm(struct proto *p, struct tcp *t, uint64_t due_ns)
{
	t->due_ns = due_ns;
	if (due_ns && (!timer_armed(&t->timer) ||
		       t->timer.deadline_ns > due_ns))
		wheel_arm(&p->wheel, &t->timer, due_ns);
}

static uint64_t rto_due(const struct proto *p, const struct tcp *t)
{
	uint64_t us = (uint64_t)t->rto_us << (t->retries < 12 ? t->retries :
					      12);

	if (us > RTO_MAX_US)
		us = RTO_MAX_US;
	return p->now_ns + us * 1000;
}

/*
 * When the timer is to look after what is in flight: for a tail probe at
 * first (RFC 8985 section 7.2), then for the time-out. Without SACK the
 * answer to a probe would say nothing (section 4).
 */
static uint64_t loss_due(const struct proto *p, const struct tcp *t)
{
	uint64_t us = 2 * (uint64_t)t->srtt_us;

	if (!t->sack_ok || t->tail_probed || t->retries ||
	    t->phase != TCP_ESTABLISHED || !t->srtt_us)
		return rto_due(p, t);
	if (us < TAIL_MIN_US)
		us = TAIL_MIN_US;
	if (t->snd_max - t->snd_una < 2u * t->mss)
		us += DELAYED_ACK_US;
	return us < t->rto_us ? p->now_ns + us * 1000 : rto_due(p, t);
}

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

	return t->phase == TCP_ESTABLISHED && edge_worth(t, edge_possible(t)) &&
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

/* Complete s, put it on the link with its data (0 to 2 spans). */
static bool emit(struct proto *p, struct tcp *t, struct tcp_segment *s,
		 struct span *data, unsigned n)
{
	const struct flow_key *k = &t->flow.key;
	const size_t len = (n > 0 ? data[0].len : 0) +
			   (n > 1 ? data[1].len : 0);
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
	return proto_send(p, &meta, v, 1 + n);
}

/*
 * A segment with what all of ours have in common. No SACK: beside data it
 * would have to take room from it (RFC 6691); an ACK without data tells.
 */
static struct tcp_segment segment(struct tcp *t, uint32_t seq, uint8_t flags)
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
	return s;
}

/*
 * The sequence number that a guest takes from a segment without data: the
 * newest one, unless it lies past the window (a probe's byte does).
 */
static uint32_t empty_seq(const struct tcp *t)
{
	const uint32_t edge = t->snd_una + t->snd_wnd;

	return seq_lt(edge, t->snd_max) ? edge : t->snd_max;
}

void tcp_send_ack(struct proto *p, struct tcp *t)
{
	struct tcp_segment s = segment(t, empty_seq(t), 0);

	add_sack(p, t, &s);
	if (!emit(p, t, &s, NULL, 0)) {
		t->ack_owed = true;	/* the link was full: try again */
		tcp_owe(p, t);
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
	emit(p, t, &s, NULL, 0);
	t->snd_nxt = t->snd_max = t->iss + 1;
	tcp_arm(p, t, rto_due(p, t));
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

	emit(p, t, &s, NULL, 0);
	t->snd_nxt = t->snd_max = t->iss + 1;
	tcp_arm(p, t, rto_due(p, t));
}

void tcp_send_rst(struct proto *p, struct tcp *t)
{
	const bool young = t->phase == TCP_CONNECTING;
	struct tcp_segment s = {
		.seq = young ? 0 : empty_seq(t),
		.ack = t->rcv_nxt,
		.flags = TCP_RST | TCP_ACK,
		.wscale = TCP_NO_WSCALE,
	};

	emit(p, t, &s, NULL, 0);
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
	emit(p, &t, &s, NULL, 0);
}

/* First sequence number after all that is to be sent, our FIN apart. */
static uint32_t data_end(const struct tcp *t)
{
	return t->snd_una + t->down_len;
}

/* Send [seq, seq + len) of down, and FIN if it follows. false: link full. */
static bool send_data(struct proto *p, struct tcp *t, uint32_t seq,
		      uint32_t len)
{
	const bool last = seq + len == data_end(t);
	const bool fin = t->fin_queued && last && t->close != TC_HOST_ACKED;
	struct tcp_segment s = segment(t, seq, (uint8_t)
				       ((len && last ? TCP_PSH : 0) |
					(fin ? TCP_FIN : 0)));
	const uint32_t end = seq + len + fin;
	struct span v[2];
	unsigned n = 0;

	t->dup.from = t->dup.to;	/* told at once or not at all */
	if (len)
		n = store_spans(&t->down, seq - t->snd_una, len, v);
	if (seq_lt(seq, t->snd_max))
		p->retransmits++;
	if (!emit(p, t, &s, v, n)) {
		/* The link is full: nothing may be in flight to wake us. */
		if (!t->due_ns)
			tcp_arm(p, t, p->now_ns + LINK_FULL_NS);
		return false;
	}
	if (!t->timing && seq == t->snd_max) {
		t->timing = true;
		t->rtt_seq = end;
		t->rtt_start_ns = p->now_ns;
	}
	if (seq_lt(t->snd_max, end))
		t->snd_max = end;
	if (!t->due_ns || t->probing)
		tcp_arm(p, t, loss_due(p, t));
	t->probing = false;
	return true;
}

/*
 * Whole segments where there is more than one, and at most one frame. A
 * small congestion window is sent in several, so that the loss of one is
 * seen by what the others bring.
 */
static uint32_t round_segments(const struct tcp *t, uint32_t len,
			       uint32_t available)
{
	const uint32_t share = t->cwnd / WINDOW_FRAMES;
	uint32_t most = share < GSO_MAX_BYTES ? share : GSO_MAX_BYTES;

	most = most > t->mss ? most - most % t->mss : t->mss;
	if (len > most)
		len = most;
	if (len < available && len > t->mss)
		len -= len % t->mss;
	return len;
}

/*
 * RFC 6675 section 4, SetPipe(), in recovery: what was sent after the last
 * byte SACKed, and what was retransmitted and is not SACKed.
 */
static uint32_t recovery_pipe(const struct tcp *t)
{
	const uint32_t n = t->sacked.n;
	uint32_t pipe = t->snd_max - (n ? t->sacked.r[n - 1].to : t->snd_una);

	if (!seq_lt(t->snd_una, t->hole_nxt))
		return pipe;
	pipe += t->hole_nxt - t->snd_una;
	for (uint32_t i = 0; i < n; i++) {
		const struct tcp_range *r = &t->sacked.r[i];

		if (!seq_lt(r->from, t->hole_nxt))
			break;
		pipe -= (seq_lt(r->to, t->hole_nxt) ? r->to : t->hole_nxt) -
			r->from;
	}
	return pipe;
}

/* How much of a hole at `from` may go: the first always does. */
static uint32_t repair_room(const struct tcp *t, uint32_t from)
{
	const uint32_t pipe = recovery_pipe(t);
	const uint32_t room = t->cwnd > pipe ? t->cwnd - pipe : 0;

	if (from == t->snd_una)
		return room > t->mss ? room : t->mss;
	return room >= t->mss ? room : 0;
}

/* Retransmit the next hole below what was SACKed (RFC 6675 section 4). */
static bool repair(struct proto *p, struct tcp *t)
{
	uint32_t from = t->hole_nxt, to = t->snd_una + t->mss, len, room;

	if (!t->recovering)
		return false;
	if (seq_lt(from, t->snd_una))
		from = t->snd_una;
	for (uint32_t i = 0; i < t->sacked.n; i++) {
		to = t->sacked.r[i].from;
		if (seq_lt(from, to))
			break;
		if (seq_lt(from, t->sacked.r[i].to))
			from = t->sacked.r[i].to;
	}
	if (seq_lt(data_end(t), to))
		to = data_end(t);
	if (seq_lt(t->snd_max, to))
		to = t->snd_max;	/* what was never sent is no hole */
	if (!seq_lt(from, to))
		return false;
	room = repair_room(t, from);
	if (!room)
		return false;
	len = round_segments(t, to - from < room ? to - from : room,
			     to - from);
	if (!send_data(p, t, from, len))
		return false;
	t->hole_nxt = from + len;
	return true;
}

/* Bytes that both windows let past snd_nxt. */
static uint32_t usable(const struct tcp *t)
{
	const uint32_t flight = t->snd_nxt - t->snd_una;
	const uint32_t sacked = ranges_total(&t->sacked);
	const uint32_t pipe = flight > sacked ? flight - sacked : 0;
	const uint32_t by_wnd = t->snd_wnd > flight ? t->snd_wnd - flight : 0;
	const uint32_t by_cwnd = t->cwnd > pipe ? t->cwnd - pipe : 0;

	return by_wnd < by_cwnd ? by_wnd : by_cwnd;
}

/* After a time-out snd_nxt walks over old data: step over what arrived. */
static uint32_t step_over(struct tcp *t)
{
	uint32_t gap;

	for (uint32_t i = 0; i < t->sacked.n; i++) {
		const struct tcp_range *r = &t->sacked.r[i];

		if (seq_le(r->from, t->snd_nxt) && seq_lt(t->snd_nxt, r->to))
			t->snd_nxt = r->to;
	}
	gap = seq_lt(t->snd_nxt, data_end(t)) ? data_end(t) - t->snd_nxt : 0;
	for (uint32_t i = 0; i < t->sacked.n; i++) {
		const uint32_t from = t->sacked.r[i].from;

		if (seq_lt(t->snd_nxt, from) && from - t->snd_nxt < gap)
			gap = from - t->snd_nxt;
	}
	return gap;
}

/*
 * The guest's window is shut, or too small to be worth a segment, and data
 * waits: let the timer try it.
 */
static void begin_probing(struct proto *p, struct tcp *t)
{
	if (t->due_ns || t->snd_nxt != t->snd_una || t->cwnd == 0)
		return;
	t->probing = true;
	tcp_arm(p, t, rto_due(p, t));
}

bool tcp_worth_sending(const struct tcp *t, uint32_t len)
{
	return len >= t->mss || (len && len >= t->wnd_max / 2);
}

/* New data, or old data again after a time-out. false: no more for now. */
static bool advance(struct proto *p, struct tcp *t)
{
	const uint32_t gap = step_over(t);
	const bool fin_left = t->fin_queued &&
			      t->snd_nxt == data_end(t) &&
			      t->close != TC_HOST_ACKED &&
			      t->close != TC_CLOSED;
	const uint32_t room = usable(t);
	uint32_t len = gap < room ? gap : room;

	if (!gap && !fin_left)
		return false;
	len = round_segments(t, len, gap);
	if (len < gap && !tcp_worth_sending(t, len)) {
		begin_probing(p, t);
		return false;
	}
	if (!gap && !room && t->snd_nxt != t->snd_una)
		return false;		/* a lone FIN waits for an ACK */
	if (!send_data(p, t, t->snd_nxt, len))
		return false;
	t->snd_nxt += len;
	if (t->fin_queued && t->snd_nxt == data_end(t))
		t->snd_nxt++;
	return true;
}

void tcp_output(struct proto *p, struct tcp *t)
{
	if (t->phase != TCP_ESTABLISHED)
		return;
	while (repair(p, t))
		;
	while (advance(p, t))
		;
}

/* RFC 6298 section 2, in microseconds. */
static void rtt_sample(struct tcp *t, uint64_t rtt_us)
{
	const uint32_t r = rtt_us < RTO_MAX_US ? (uint32_t)rtt_us : RTO_MAX_US;
	uint32_t rto;

	if (!t->srtt_us) {
		t->srtt_us = r ? r : 1;
		t->rttvar_us = r / 2;
	} else {
		const uint32_t d = r > t->srtt_us ? r - t->srtt_us :
				   t->srtt_us - r;

		t->rttvar_us = t->rttvar_us - t->rttvar_us / 4 + d / 4;
		t->srtt_us = t->srtt_us - t->srtt_us / 8 + r / 8;
	}
	rto = t->srtt_us + 4 * t->rttvar_us;
	t->rto_us = rto < RTO_MIN_US ? RTO_MIN_US : rto;
}

/* RFC 5681 section 3.1, counting bytes (RFC 3465). */
static void grow_cwnd(struct tcp *t, uint32_t acked)
{
	if (t->cwnd < t->ssthresh)
		t->cwnd += acked;
	else
		t->cwnd += (uint32_t)((uint64_t)t->mss * acked / t->cwnd) + 1;
	if (t->cwnd > 2 * TCP_DOWN_MAX)
		t->cwnd = 2 * TCP_DOWN_MAX;
}

void tcp_ack_advanced(struct proto *p, struct tcp *t, uint32_t ack)
{
	const uint32_t acked = ack - t->snd_una;
	const uint32_t data = acked < t->down_len ? acked : t->down_len;

	if (t->timing && seq_le(t->rtt_seq, ack)) {
		t->timing = false;
		rtt_sample(t, (p->now_ns - t->rtt_start_ns) / 1000);
	}
	store_skip(&t->down, data);
	t->down_len -= data;
	t->snd_una = ack;
	if (seq_lt(t->snd_nxt, ack))
		t->snd_nxt = ack;
	ranges_trim(&t->sacked, ack);
	t->retries = 0;
	t->dup_acks = 0;
	t->probing = false;
	if (t->recovering && seq_le(t->recover, ack)) {
		t->recovering = false;
		t->cwnd = t->ssthresh;
	} else if (t->recovering && !t->sacked.n) {
		t->hole_nxt = ack;	/* RFC 6582: partial ACK, next hole */
	} else if (!t->recovering) {
		grow_cwnd(t, data);
	}
	t->tail_probed = false;
	tcp_arm(p, t, t->snd_max == ack ? 0 : loss_due(p, t));
}

/* RFC 9438 section 4.6: to 0.7 of what was in flight. */
static void reduce(struct tcp *t)
{
	const uint32_t flight = t->snd_max - t->snd_una;
	const uint32_t less = flight - flight / 10 * 3;

	t->ssthresh = less > TCP_CWND_MIN ? less : TCP_CWND_MIN;
}

void tcp_ack_repeated(struct proto *p, struct tcp *t)
{
	const uint32_t sacked = ranges_total(&t->sacked);

	if (t->snd_max == t->snd_una)
		return;			/* RFC 5681 section 2 (a) */
	if (t->dup_acks < 255)
		t->dup_acks++;
	if (t->recovering)
		return;
	/*
	 * RFC 6675 section 4, IsLost(). What a tail probe has brought to
	 * light was sent long before it.
	 */
	if (t->dup_acks < DUP_THRESH && t->sacked.n < DUP_THRESH &&
	    sacked <= (DUP_THRESH - 1u) * t->mss && !(t->tail_probed && sacked))
		return;
	reduce(t);
	t->cwnd = t->ssthresh;
	t->recovering = true;
	t->recover = t->snd_max;
	t->hole_nxt = t->snd_una;
	t->timing = false;		/* Karn */
	t->tail_probed = false;
	tcp_arm(p, t, loss_due(p, t));
}

/*
 * A probe: one byte past the closed window, or the FIN alone. What a window
 * too small to be worth it lets past has waited long enough, and goes.
 */
static void probe(struct proto *p, struct tcp *t)
{
	const uint32_t len = t->down_len ? 1 : 0;

	if (t->snd_wnd && t->down_len > t->snd_wnd) {
		if (t->snd_max == t->snd_una)
			t->retries = 0;	/* those that follow are its own */
		if (send_data(p, t, t->snd_una, t->snd_wnd))
			t->snd_nxt = t->snd_una + t->snd_wnd;
		return;
	}
	t->probing = true;
	if (send_data(p, t, t->snd_una, len)) {
		/* Not in flight: what it asks for is the answer. */
		t->timing = false;
		if (seq_lt(t->snd_nxt, t->snd_max))
			t->snd_nxt = t->snd_max;
	}
	t->probing = true;
	tcp_arm(p, t, rto_due(p, t));
}

/*
 * No word for a while: send the last segment again, which says whether what
 * was before it is there (RFC 8985 section 7.3). In recovery the holes that
 * were repaired already are taken for lost anew.
 */
static void probe_tail(struct proto *p, struct tcp *t)
{
	const uint32_t end = seq_lt(data_end(t), t->snd_max) ? data_end(t) :
							       t->snd_max;
	const uint32_t have = end - t->snd_una;
	const uint32_t len = have < t->mss ? have : t->mss;

	t->tail_probed = true;
	t->timing = false;		/* Karn */
	if (t->recovering) {
		t->hole_nxt = t->snd_una;
		tcp_output(p, t);
	} else {
		(void)send_data(p, t, end - len, len);
	}
	tcp_arm(p, t, rto_due(p, t));
}

/* RFC 6298 section 5: go back to the first byte not acknowledged. */
static void timed_out(struct proto *p, struct tcp *t)
{
	if (t->retries == 1)
		reduce(t);
	else
		t->sacked.n = 0;	/* RFC 2018 section 8: it may renege */
	t->cwnd = t->mss;
	t->snd_nxt = t->snd_una;
	t->recovering = false;
	t->timing = false;
	t->dup_acks = 0;
	tcp_output(p, t);
	if (t->probing)			/* it has shut in the meantime */
		probe(p, t);
	tcp_arm(p, t, rto_due(p, t));
}

void tcp_timer(struct proto *p, struct tcp *t)
{
	const unsigned limit = t->phase < TCP_ESTABLISHED ? RETRIES_SYN :
			       RETRIES_DATA;

	if (!t->due_ns)
		return;
	if (t->due_ns > p->now_ns) {
		wheel_arm(&p->wheel, &t->timer, t->due_ns);
		return;
	}
	t->due_ns = 0;
	if (t->phase == TCP_LINGERING) {
		tcp_free(p, t, false);
		return;
	}
	if (t->phase == TCP_ESTABLISHED && t->snd_una == t->snd_max &&
	    !t->probing) {
		(void)tcp_pull(p, t);	/* there was no memory to read into */
		return;
	}
	if (t->phase == TCP_ESTABLISHED && t->sack_ok && !t->probing &&
	    !t->retries && !t->tail_probed) {
		probe_tail(p, t);
		return;
	}
	/*
	 * A closed window is probed for as long as the guest answers, RFC
	 * 9293 section 3.8.6.1; but one that is gone ends.
	 */
	if (t->probing && t->silent++ >= limit) {
		(void)tcp_closing(p, t, TC_EV_TIMEOUT);
		return;
	}
	if (t->retries < 255 && !(t->probing && t->retries >= limit))
		t->retries++;
	if (t->retries > limit) {
		(void)tcp_closing(p, t, TC_EV_TIMEOUT);
		return;
	}
	if (t->phase == TCP_OFFERED)
		tcp_send_syn(p, t);
	else if (t->phase == TCP_ANSWERED)
		tcp_send_synack(p, t);
	else if (t->probing)
		probe(p, t);
	else
		timed_out(p, t);
}
