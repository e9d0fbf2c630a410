/* SPDX-License-Identifier: MIT */
/*
 * proto/tcp_rx.c - segments from the guest (RFC 9293 section 3.10.7)
 *
 * In the order of the RFC: sequence, RST (RFC 5961), SYN, ACK, data, FIN.
 * What was accepted is committed before anything is sent.
 */
#include "proto/tcp.h"

#include <string.h>

#define PAWS_NS		(UINT64_C(24) * 86400 * 1000000000)
#define CHALLENGES	10u	/* in CHALLENGE_NS: RFC 5961 section 7 */
#define CHALLENGE_NS	UINT64_C(5000000000)

/* What tcp_rx() still has to do with a segment. */
enum verdict {
	GO_ON,
	DONE,			/* finished, the flow stays */
	GONE,			/* the flow was freed */
};

static void ack_now(struct proto *p, struct tcp *t)
{
	tcp_send_ack(p, t);
}

/*
 * An ACK that answers what may be forged, or another stack's ACK in an
 * endless exchange of two. RFC 5961 section 7 counts them over all the
 * connections, which tells an attacker of the others' (CVE-2016-5696):
 * here each has its own count.
 */
static void challenge(struct proto *p, struct tcp *t)
{
	if (p->now_ns - t->challenge_ns >= CHALLENGE_NS) {
		t->challenge_ns = p->now_ns;
		t->challenges = 0;
	}
	if (t->challenges == CHALLENGES) {
		p->drops[DROP_LIMIT]++;
		return;
	}
	t->challenges++;
	ack_now(p, t);
}

/* RFC 2883 section 4: what came twice, for the next ACK. */
static void note_duplicate(struct tcp *t, const struct tcp_segment *seg)
{
	const uint32_t end = seg->seq + (uint32_t)seg->data.len;

	if (!t->sack_ok || !seq_lt(seg->seq, t->rcv_nxt) ||
	    t->rcv_nxt - seg->seq > TCP_UP_MAX)
		return;
	t->dup.from = seg->seq;
	t->dup.to = seq_lt(end, t->rcv_nxt) ? end : t->rcv_nxt;
}

/*
 * A guest that asks whether we are there (RFC 9293 section 3.8.4) means the
 * far end: the host asks it, too, from now on. Where the window is shut the
 * same segment asks for no more than that.
 */
static void mirror_keepalive(struct proto *p, struct tcp *t,
			     const struct tcp_segment *seg)
{
	if (t->keepalive || t->host != &p->env.ops->tcp ||
	    seg->seq != t->rcv_nxt - 1 || seg->data.len > 1 ||
	    (seg->flags & TCP_FIN) || t->rcv_edge == t->rcv_nxt ||
	    t->close == TC_CLOSED)
		return;
	t->keepalive = true;
	p->env.ops->tcp_keepalive(p->env.ctx, t->host_id);
}

/* RFC 5961 section 3.2: exact, or a challenge, or nothing. */
static enum verdict take_rst(struct proto *p, struct tcp *t,
			     const struct tcp_segment *seg)
{
	if (seg->seq == t->rcv_nxt)
		return tcp_closing(p, t, TC_EV_GUEST_RESET) ? DONE : GONE;
	if (seq_lt(t->rcv_nxt, seg->seq) && seq_lt(seg->seq, t->rcv_edge))
		challenge(p, t);
	else
		p->drops[DROP_SEQUENCE]++;
	return DONE;
}

/*
 * RFC 7323 section 5: an old duplicate, by its timestamp. What was noted
 * 24 days ago says nothing any more (section 5.5).
 *
 * RFC-DEVIATION: RFC 7323 section 3.2: a segment without the option, where
 * it is in use, is not dropped: Linux takes it, too.
 */
static bool is_old(const struct proto *p, const struct tcp *t,
		   const struct tcp_segment *seg)
{
	return t->ts_ok && seg->has_ts && seq_lt(seg->ts_val, t->ts_recent) &&
	       p->now_ns - t->ts_recent_ns < PAWS_NS;
}

/* RFC 7323 section 4.3: of the segment that the next ACK answers. */
static void note_timestamp(const struct proto *p, struct tcp *t,
			   const struct tcp_segment *seg)
{
	if (t->ts_ok && seg->has_ts && seq_le(seg->seq, t->rcv_told)) {
		t->ts_recent = seg->ts_val;
		t->ts_recent_ns = p->now_ns;
	}
}

/* RFC 9293 section 3.10.7.4, first: is any of it in the window? */
static bool acceptable(const struct tcp *t, const struct tcp_segment *seg)
{
	const uint32_t len = (uint32_t)seg->data.len +
			     !!(seg->flags & TCP_FIN);

	if (!len)
		return seq_le(t->rcv_nxt, seg->seq) &&
		       seq_le(seg->seq, t->rcv_edge);
	return seq_lt(t->rcv_nxt, seg->seq + len) &&
	       (seq_lt(seg->seq, t->rcv_edge) || seg->seq == t->rcv_nxt);
}

/* The guest has acknowledged our SYN and takes so much. */
static void begin_established(struct proto *p, struct tcp *t,
			      const struct tcp_segment *seg, uint32_t window)
{
	t->phase = TCP_ESTABLISHED;
	tcp_shaken(p, t);
	t->snd_wnd = t->wnd_max = window;
	t->snd_edge = seg->ack + window;
	t->wnd_seq = seg->seq;
	t->wnd_ack = seg->ack;
	if (t->retries)			/* RFC 6298 (5.7): it seems too short */
		t->rto_us = TCP_RTO_LOST_US;
	tcp_ack_advanced(p, t, seg->ack, false);
	tcp_owe(p, t);			/* the host may have data by now */
}

/* The answer to our SYN: RFC 9293 section 3.10.7.3. */
static enum verdict take_answer(struct proto *p, struct tcp *t,
				const struct tcp_segment *seg)
{
	const bool acked = seg->flags & TCP_ACK;

	if (acked && seg->ack != t->iss + 1) {
		if (!(seg->flags & TCP_RST))
			tcp_refuse(p, &t->flow.key, seg);
		return DONE;
	}
	if (seg->flags & TCP_RST) {
		if (!acked)
			return DONE;
		tcp_abort(p, t, false);
		return GONE;
	}
	if (!(seg->flags & TCP_SYN))
		return DONE;
	tcp_take_syn(p, t, seg);
	t->host_ready = true;
	if (!acked) {			/* both at once */
		t->phase = TCP_ANSWERED;
		tcp_send_synack(p, t);
		return DONE;
	}
	begin_established(p, t, seg, seg->window);
	tcp_send_ack(p, t);
	return DONE;
}

/*
 * A RST before the handshake is complete: RFC 5961 section 3.2, but for
 * the challenge of a guest that was not answered yet.
 */
static enum verdict reject(struct proto *p, struct tcp *t,
			   const struct tcp_segment *seg)
{
	if (seg->seq == t->rcv_nxt) {
		tcp_abort(p, t, false);
		return GONE;
	}
	if (t->phase == TCP_ANSWERED && acceptable(t, seg))
		ack_now(p, t);
	else
		p->drops[DROP_SEQUENCE]++;
	return DONE;
}

/*
 * Both SYNs crossed, and so do both SYN-ACKs: ours is acknowledged by the
 * guest's, which nothing else may follow (RFC 9293 section 3.5, figure 7).
 */
static bool is_crossing_synack(const struct tcp *t,
			       const struct tcp_segment *seg)
{
	return (seg->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) &&
	       seg->seq == t->irs && seg->ack == t->iss + 1 &&
	       !seg->data.len && !(seg->flags & TCP_FIN);
}

/* Before the handshake is complete. GO_ON: it is now. */
static enum verdict before_established(struct proto *p, struct tcp *t,
				       const struct tcp_segment *seg)
{
	if (t->phase == TCP_OFFERED)
		return take_answer(p, t, seg);
	if (seg->flags & TCP_RST)
		return reject(p, t, seg);
	if (t->phase == TCP_CONNECTING)
		return DONE;		/* SYN again: the host is not ready */
	if ((seg->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
	    seg->seq == t->irs) {
		tcp_send_synack(p, t);
		return DONE;
	}
	if (is_crossing_synack(t, seg)) {
		begin_established(p, t, seg, seg->window);
		return DONE;
	}
	if (seg->flags & TCP_SYN || is_old(p, t, seg) || !acceptable(t, seg)) {
		p->drops[DROP_SEQUENCE]++;
		ack_now(p, t);
		return DONE;
	}
	if (!(seg->flags & TCP_ACK))
		return DONE;
	if (seg->ack != t->iss + 1) {
		tcp_refuse(p, &t->flow.key, seg);
		return DONE;
	}
	begin_established(p, t, seg, (uint32_t)seg->window << t->guest_shift);
	return GO_ON;
}

/*
 * RFC 9293 section 3.10.7.4: SND.WND from the newest segment. One that
 * moves SND.UNA is always taken, or the edge would move without a word
 * of the guest's (a retransmission has an old sequence number).
 */
static bool update_window(struct proto *p, struct tcp *t,
			  const struct tcp_segment *seg, bool advanced)
{
	const uint32_t window = (uint32_t)seg->window << t->guest_shift;
	const uint32_t edge = seg->ack + window;
	const bool changed = window != t->snd_wnd;

	if (!advanced &&
	    (seq_lt(seg->seq, t->wnd_seq) ||
	     (seg->seq == t->wnd_seq && seq_lt(seg->ack, t->wnd_ack))))
		return false;
	t->snd_wnd = window;
	/* On, or back by more than rounding, or a probe was not taken */
	if (t->probing || (t->snd_edge - edge) >> t->guest_shift)
		t->snd_edge = edge;
	t->wnd_seq = seg->seq;
	t->wnd_ack = seg->ack;
	if (window > t->wnd_max)
		t->wnd_max = window;
	if (t->probing && (tcp_worth_sending(t, window) ||
			   (window && window >= t->down_len))) {
		/* Open again: the probe's byte goes out with the rest. */
		t->probing = false;
		t->retries = 0;
		t->snd_nxt = t->snd_una;
		tcp_arm(p, t, 0);
	}
	return changed;
}

static void take_sack(struct tcp *t, const struct tcp_segment *seg)
{
	if (!t->sack_ok)
		return;
	for (unsigned i = 0; i < seg->sacks; i++) {
		const struct tcp_range *r = &seg->sack[i];

		/* D-SACK (RFC 2883) and nonsense lie outside. */
		if (seq_lt(t->snd_una, r->from) && seq_lt(r->from, r->to) &&
		    seq_le(r->to, t->snd_max))
			(void)!ranges_add(&t->sacked, r->from, r->to);
	}
}

/* RFC 2883 section 4: the first block lies below what is acknowledged. */
static bool is_dsack(const struct tcp *t, const struct tcp_segment *seg)
{
	return t->sack_ok && seg->sacks && seq_le(seg->sack[0].to, seg->ack);
}

static bool fin_acked(const struct tcp *t)
{
	/* All data gone and one more than data was acknowledged. */
	return t->fin_queued && !t->down_len && t->snd_una == t->snd_max;
}

static enum verdict take_ack(struct proto *p, struct tcp *t,
			     const struct tcp_segment *seg)
{
	const bool fin_was_in_flight = t->fin_queued &&
		t->snd_max == t->snd_una + t->down_len + 1;
	bool changed;

	/* Of what was never sent, or too old: RFC 5961 section 5.2 */
	if (seq_lt(t->snd_max, seg->ack) ||
	    seq_lt(seg->ack, t->snd_una - t->wnd_max)) {
		p->drops[DROP_SEQUENCE]++;
		challenge(p, t);
		return DONE;
	}
	if (seq_lt(t->snd_una, seg->ack)) {
		tcp_ack_advanced(p, t, seg->ack, is_dsack(t, seg));
		update_window(p, t, seg, true);
		take_sack(t, seg);
		if (fin_was_in_flight && fin_acked(t) &&
		    !tcp_closing(p, t, TC_EV_FIN_ACKED))
			return GONE;
		return GO_ON;
	}
	take_sack(t, seg);
	/* RFC 9293 section 3.10.7.4: an old one shows an old window. */
	if (seq_lt(seg->ack, t->snd_una))
		return GO_ON;
	changed = update_window(p, t, seg, false);
	/* RFC 5681 section 2: what counts as a repeated ACK */
	if (!seg->data.len && !t->probing &&
	    !(seg->flags & TCP_FIN) && (!changed || seg->sacks))
		tcp_ack_repeated(p, t);
	return GO_ON;
}

/* Cut what is old on the left and past the edge or the FIN on the right. */
static struct scatter trim(const struct tcp *t,
			   const struct tcp_segment *seg, uint32_t *seq)
{
	const uint32_t end = t->guest_fin ? t->fin_seq : t->rcv_edge;
	struct scatter v = seg->data;
	uint32_t room;

	*seq = seg->seq;
	if (t->guest_fin && seq_lt(t->fin_seq, *seq + (uint32_t)v.len))
		v.len = seq_lt(*seq, t->fin_seq) ? t->fin_seq - *seq : 0;
	if (seq_lt(*seq, t->rcv_nxt)) {
		const uint32_t old = t->rcv_nxt - *seq;

		if (old >= v.len)
			return (struct scatter){ 0 };
		scatter_skip(&v, old);
		*seq = t->rcv_nxt;
	}
	room = seq_lt(*seq, end) ? end - *seq : 0;
	if (v.len > room)
		v.len = room;
	return v;
}

/* Put v at seq into up; false: no memory, nothing changed. */
static bool store_at(struct proto *p, struct tcp *t, uint32_t seq,
		     const struct scatter *v)
{
	struct span pieces[1 + SCATTER_FAR_MAX];
	const unsigned n = scatter_spans(v, pieces);
	uint32_t at = t->up_len + (seq - t->rcv_nxt);
	const uint32_t end = at + (uint32_t)v->len;
	uint32_t keep = t->up_len;

	if (t->ooo.n && seq_lt(t->rcv_nxt, t->ooo.r[t->ooo.n - 1].to))
		keep += t->ooo.r[t->ooo.n - 1].to - t->rcv_nxt;
	if (!tcp_reserve(p, &t->up, end, keep))
		return false;
	for (unsigned i = 0; i < n; i++) {
		store_put(&t->up, at, (struct view){ .p = pieces[i].p,
						     .len = pieces[i].len });
		at += (uint32_t)pieces[i].len;
	}
	return true;
}

/*
 * The window grows where the host keeps up: a window's worth came and the
 * store is empty. It shrinks where many want one; what was promised stays.
 */
static void fit_window(struct proto *p, struct tcp *t, uint32_t len)
{
	uint32_t most;

	if (len >= CROWD_BULK_BYTES)
		crowd_join(&p->up, p->now_ns, &t->up_seen);
	if (t->our_shift == TCP_NO_WSCALE)
		return;
	most = crowd_share(&p->up, TCP_CROWD_BYTES, TCP_CROWD_MIN, TCP_UP_MAX);
	if (t->up_limit > most)
		t->up_limit = most;
	if (t->up_grow > len) {
		t->up_grow -= len;
		return;
	}
	if (!t->up_len && t->up_limit < most)
		t->up_limit *= 2;
	t->up_grow = t->up_limit;
}

/* In-order bytes that need no store: as many as the host takes now. */
static enum verdict pass_on(struct proto *p, struct tcp *t,
			    struct scatter *v)
{
	while (v->len && !t->host_blocked) {
		struct span pieces[1 + SCATTER_FAR_MAX];
		const unsigned n = scatter_spans(v, pieces);
		const int64_t sent = tcp_to_host(p, t, t->rcv_nxt, pieces, n);

		if (sent == -ENV_AGAIN) {
			t->host_blocked = true;
		} else if (sent < 0) {
			return tcp_closing(p, t, TC_EV_HOST_RESET) ? DONE :
								     GONE;
		} else {
			scatter_skip(v, (size_t)sent);
			tcp_received(t, (uint32_t)sent);
			store_skip(&t->up, (uint32_t)sent);
		}
	}
	return GO_ON;
}

/* What was waiting behind the gap is in order now. */
static void join_ooo(struct tcp *t)
{
	while (t->ooo.n && seq_le(t->ooo.r[0].from, t->rcv_nxt)) {
		const uint32_t to = t->ooo.r[0].to;

		if (seq_lt(t->rcv_nxt, to)) {
			t->up_len += to - t->rcv_nxt;
			tcp_received(t, to - t->rcv_nxt);
		}
		ranges_trim(&t->ooo, t->rcv_nxt);
	}
}

static enum verdict take_in_order(struct proto *p, struct tcp *t,
				  struct scatter v)
{
	const uint32_t len = (uint32_t)v.len, start = t->rcv_nxt;
	const bool had_gap = t->ooo.n > 0;

	if (!t->up_len) {
		const enum verdict r = pass_on(p, t, &v);

		if (r != GO_ON)
			return r;
	}
	if (v.len && store_at(p, t, t->rcv_nxt, &v)) {
		t->up_len += (uint32_t)v.len;
		tcp_received(t, (uint32_t)v.len);
	}
	if (t->rcv_nxt == start)
		return DONE;	/* no memory: not acknowledged, it comes again */
	fit_window(p, t, len);
	if (had_gap) {
		join_ooo(t);
		if (!tcp_flush_up(p, t))
			return GONE;
		ack_now(p, t);		/* RFC 5681 section 4.2 */
		return GO_ON;
	}
	if (t->rcv_nxt - t->rcv_told >= t->up_limit / 2) {
		ack_now(p, t);
		return GO_ON;
	}
	t->ack_owed = true;
	tcp_owe(p, t);
	return GO_ON;
}

/* RFC 2018 section 4: the range that holds seq is the newest now. */
static void note_recent(struct tcp *t, uint32_t seq)
{
	const struct tcp_range *r = ranges_find(&t->ooo, seq);
	unsigned i = 0;

	/* Its place so far, or the last */
	while (i < TCP_SACK_MAX - 1 &&
	       (!r || ranges_find(&t->ooo, t->recent[i]) != r))
		i++;
	memmove(&t->recent[1], &t->recent[0], i * sizeof(t->recent[0]));
	t->recent[0] = seq;
}

static enum verdict take_data(struct proto *p, struct tcp *t,
			      const struct tcp_segment *seg)
{
	uint32_t seq;
	const struct scatter v = trim(t, seg, &seq);
	const struct tcp_range *had = ranges_find(&t->ooo, seq);

	if (t->sack_ok && had && seq_le(seq + (uint32_t)v.len, had->to))
		t->dup = (struct tcp_range){ seq, seq + (uint32_t)v.len };
	else
		note_duplicate(t, seg);
	if (!v.len) {
		if (seg->data.len)
			ack_now(p, t);
		return GO_ON;
	}
	if (seq == t->rcv_nxt)
		return take_in_order(p, t, v);
	if (store_at(p, t, seq, &v)) {
		if (ranges_add(&t->ooo, seq, seq + (uint32_t)v.len))
			note_recent(t, seq);
		else
			p->drops[DROP_LIMIT]++;
	}
	ack_now(p, t);
	return GO_ON;
}

/*
 * RFC 9293 section 3.10.7.4, sixth: the byte before the pointer is urgent
 * (RFC 6093 section 5), unless the host has it already.
 */
static void note_urgent(const struct proto *p, struct tcp *t,
			const struct tcp_segment *seg)
{
	const uint32_t at = seg->seq + seg->urgent - 1;

	if (!(seg->flags & TCP_URG) || !seg->urgent ||
	    t->host != &p->env.ops->tcp || seq_lt(at, t->rcv_nxt) ||
	    (t->up_urgent && seq_lt(at, t->up_urg)))
		return;
	t->up_urgent = true;
	t->up_urg = at;
}

/* A FIN in the window has a place; nothing that came counts behind it. */
static void note_fin(struct tcp *t, const struct tcp_segment *seg)
{
	const uint32_t at = seg->seq + (uint32_t)seg->data.len;

	if (!(seg->flags & TCP_FIN) || t->guest_fin ||
	    seq_lt(t->rcv_edge, at))	/* cut off with its data */
		return;
	t->guest_fin = true;
	t->fin_seq = at;
	ranges_cut(&t->ooo, at);
}

static enum verdict take_fin(struct proto *p, struct tcp *t,
			     const struct tcp_segment *seg)
{
	if (!t->guest_fin || t->rcv_nxt != t->fin_seq) {
		if ((seg->flags & TCP_FIN) && !seg->data.len)
			ack_now(p, t);	/* RFC 5681 section 4.2 */
		return GO_ON;
	}
	tcp_received(t, 1);
	if (seq_lt(t->rcv_edge, t->rcv_nxt))
		t->rcv_edge = t->rcv_nxt;
	if (!tcp_closing(p, t, TC_EV_GUEST_FIN))
		return GONE;
	return tcp_flush_up(p, t) ? GO_ON : GONE;
}

/* All that is left once the sequence number was found acceptable. */
static enum verdict take_text(struct proto *p, struct tcp *t,
			      const struct tcp_segment *seg)
{
	enum verdict r = take_ack(p, t, seg);

	if (r != GO_ON)
		return r;
	/* After its FIN the guest has nothing more to say (3.10.7.4). */
	if (!t->guest_fin || seq_le(t->rcv_nxt, t->fin_seq)) {
		note_urgent(p, t, seg);
		note_fin(t, seg);
		if (seg->data.len)
			r = take_data(p, t, seg);
		if (r != GO_ON)
			return r;
		r = take_fin(p, t, seg);
	}
	return r;
}

/* After the end. false: the segment begins a new connection. */
static bool lingering(struct proto *p, struct tcp *t,
		      const struct tcp_segment *seg, uint32_t *past)
{
	const uint8_t kind = seg->flags & (TCP_SYN | TCP_ACK | TCP_RST);

	/* RFC 1122 section 4.2.2.13: a later SYN ends TIME-WAIT */
	if (kind == TCP_SYN && seq_le(t->rcv_nxt, seg->seq)) {
		*past = t->snd_max;
		tcp_free(p, t, false);
		return false;
	}
	if (kind & TCP_RST) {
		/* RFC 5961 section 3.2, against RFC 1337 section 2 */
		if (seg->seq == t->rcv_nxt)
			tcp_free(p, t, false);
		else if (acceptable(t, seg))
			ack_now(p, t);
		return true;
	}
	if (seg->flags & TCP_FIN)	/* its ACK was lost: begin anew */
		tcp_arm(p, t, p->now_ns + TCP_LINGER_NS);
	if (seg->data.len || (seg->flags & (TCP_FIN | TCP_SYN)) ||
	    !acceptable(t, seg))
		ack_now(p, t);
	return true;
}

static void established(struct proto *p, struct tcp *t,
			const struct tcp_segment *seg)
{
	t->silent = 0;
	if (seg->flags & TCP_RST) {
		(void)take_rst(p, t, seg);
		return;
	}
	if (seg->flags & TCP_SYN || is_old(p, t, seg) || !acceptable(t, seg)) {
		/* RFC 5961 section 4.2; RFC 9293 section 3.10.7.4 */
		p->drops[DROP_SEQUENCE]++;
		if (!(seg->flags & TCP_SYN))
			mirror_keepalive(p, t, seg);
		if (seg->data.len && !(seg->flags & TCP_SYN)) {
			note_duplicate(t, seg);
			ack_now(p, t);
		} else {
			challenge(p, t);
		}
		return;
	}
	note_timestamp(p, t, seg);
	if (!(seg->flags & TCP_ACK))
		return;
	if (take_text(p, t, seg) == GONE)
		return;
	if (t->down_len || t->fin_queued)
		tcp_output(p, t);
	if (t->host_ready && t->close != TC_CLOSED) {
		if (t->down_crowd)
			tcp_owe(p, t);
		else
			(void)tcp_pull(p, t);
	}
}

bool tcp_rx(struct proto *p, struct tcp *t, const struct tcp_segment *seg,
	    uint32_t *past)
{
	if (t->phase == TCP_LINGERING)
		return lingering(p, t, seg, past);
	if (t->phase == TCP_ESTABLISHED ||
	    before_established(p, t, seg) == GO_ON)
		established(p, t, seg);
	return true;
}
