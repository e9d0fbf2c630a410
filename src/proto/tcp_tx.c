/* SPDX-License-Identifier: MIT */
/*
 * proto/tcp_tx.c - what may go to the guest now: repair, then new data
 *
 * One GSO frame carries up to 64 KiB. What may be sent is bounded by the
 * guest's window and by a congestion window (RFC 5681), because a guest's
 * backlog can overflow like any queue. What proto/tcp_loss.c has found to
 * be lost is repaired hole by hole (RFC 6675, RFC 6582).
 */
#include "proto/tcp.h"

#define WINDOW_FRAMES	4	/* that a congestion window has at least */
#define GSO_MAX_BYTES	64000u	/* of data; headers fit in 65535 beside it */
#define LINK_FULL_NS	UINT64_C(10000000)

bool tcp_link_is_full(const struct proto *p, const struct tcp *t)
{
	int link;

	if (!p->full)
		return false;
	link = proto_link_to(p, &t->flow.key.guest_ip);
	return link >= 0 && proto_is_full(p, (unsigned)link);
}

/* What is in flight needs its timer; else the link tells, or p->full_timer. */
static void wait_for_link(struct proto *p, struct tcp *t)
{
	if (!t->due_ns && t->snd_max != t->snd_una)
		tcp_arm(p, t, p->now_ns + LINK_FULL_NS);
	tcp_hold(p, t);
}

uint32_t tcp_data_end(const struct tcp *t)
{
	return t->snd_una + t->down_len;
}

/* Where [seq, seq + len) of down is: in the ring, unread, or in both. */
static unsigned find_data(const struct tcp *t, uint32_t seq, uint32_t len,
			  struct span v[2], struct frame_unread *unread)
{
	const uint32_t read = t->down_len - t->down_unread;
	const uint32_t at = seq - t->snd_una;
	const uint32_t left = at < read ? read - at : 0;
	const uint32_t own = len < left ? len : left;

	if (len > own)
		*unread = (struct frame_unread){
			.id = t->host_id, .bytes = len - own,
			.at = t->unread_done + at + own - read,
			.seek = t->unread_seek || t->unread_at != seq + own,
		};
	return own ? store_spans(&t->down, at, own, v) : 0;
}

/* Was it for the link, or could what is unread not be had? */
static void not_sent(struct proto *p, struct tcp *t,
		     const struct frame_unread *unread)
{
	if (!unread->bytes || tcp_link_is_full(p, t)) {
		t->unread_seek |= unread->bytes > 0;
		wait_for_link(p, t);
		return;
	}
	t->unread_seek = true;
	t->leaves = false;
	t->takes_back = t->host_ready = true;
	tcp_owe(p, t);
}

bool tcp_send_data(struct proto *p, struct tcp *t, uint32_t seq,
		   uint32_t len)
{
	const bool last = seq + len == tcp_data_end(t);
	const bool fin = t->fin_queued && last && t->close != TC_HOST_ACKED;
	const uint32_t end = seq + len + fin;
	struct frame_unread unread = { .bytes = 0 };
	struct tcp_segment s;
	struct span v[2];
	unsigned n = 0;

	if (t->unread_lost)
		return false;		/* it ends with this turn */
	if (tcp_link_is_full(p, t)) {
		wait_for_link(p, t);
		return false;
	}
	s = tcp_segment_at(t, seq, (uint8_t)
			   ((len && last ? TCP_PSH : 0) |
			    (fin ? TCP_FIN : 0)));
	t->dup.from = t->dup.to;	/* told at once or not at all */
	if (len)
		n = find_data(t, seq, len, v, &unread);
	if (seq_lt(seq, t->snd_max))
		p->retransmits++;
	if (!tcp_put(p, t, &s, v, n, &unread)) {
		not_sent(p, t, &unread);
		return false;
	}
	if (unread.bytes) {
		t->unread_at = seq + len;
		t->unread_seek = false;
	}
	if (!t->timing && seq == t->snd_max) {
		t->timing = true;
		t->rtt_seq = end;
		t->rtt_start_ns = p->now_ns;
	}
	if (seq_lt(t->snd_max, end))
		t->snd_max = end;
	if (!t->due_ns || t->probing)
		tcp_arm(p, t, tcp_loss_due(p, t));
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

	/* Who cuts a frame does not count the urgent pointer anew. */
	most = most > t->mss && !t->down_urgent ? most - most % t->mss :
						  t->mss;
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

/* All data has arrived, but our FIN has not: it is the hole that is left. */
static bool repair_fin(struct proto *p, struct tcp *t)
{
	const uint32_t end = tcp_data_end(t);

	if (t->snd_una != end || t->snd_max != end + 1 ||
	    seq_lt(end, t->hole_nxt) || !tcp_send_data(p, t, end, 0))
		return false;
	t->hole_nxt = end + 1;
	return true;
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
	if (seq_lt(tcp_data_end(t), to))
		to = tcp_data_end(t);
	if (seq_lt(t->snd_max, to))
		to = t->snd_max;	/* what was never sent is no hole */
	if (!seq_lt(from, to))
		return repair_fin(p, t);
	room = repair_room(t, from);
	if (!room)
		return false;
	len = round_segments(t, to - from < room ? to - from : room,
			     to - from);
	if (!tcp_send_data(p, t, from, len))
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
	const uint32_t end = tcp_data_end(t);
	uint32_t gap;

	for (uint32_t i = 0; i < t->sacked.n; i++) {
		const struct tcp_range *r = &t->sacked.r[i];

		if (seq_le(r->from, t->snd_nxt) && seq_lt(t->snd_nxt, r->to))
			t->snd_nxt = r->to;
	}
	gap = seq_lt(t->snd_nxt, end) ? end - t->snd_nxt : 0;
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
	tcp_arm(p, t, tcp_rto_due(p, t));
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
			      t->snd_nxt == tcp_data_end(t) &&
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
	if (!gap && !room) {
		/* A lone FIN waits for an ACK, or asks for room by itself. */
		begin_probing(p, t);
		return false;
	}
	if (!tcp_send_data(p, t, t->snd_nxt, len))
		return false;
	t->snd_nxt += len;
	if (t->fin_queued && t->snd_nxt == tcp_data_end(t))
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
