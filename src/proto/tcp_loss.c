/* SPDX-License-Identifier: MIT */
/*
 * proto/tcp_loss.c - what the guest's ACKs say, and the timer where none come
 *
 * Loss is found by SACK or by three repeated ACKs (RFC 6675, RFC 6582).
 * Where no ACK tells, at the tail or of a repair that was lost itself, the
 * timer first asks by a probe (RFC 8985 section 7), then times out (RFC
 * 6298). A closed window is probed by the same timer (RFC 9293 section
 * 3.8.6.1).
 */
#include "proto/tcp.h"

#define RTO_MIN_US	200000u	/* RFC-DEVIATION: RFC 6298 (2.4): 1 s; the
				   link has no delay and Linux uses 200 ms */
#define RTO_MAX_US	60000000u
#define TAIL_MIN_US	5000u	/* a tail probe's least delay */
#define DELAYED_ACK_US	45000u	/* how long one segment may wait for its ACK;
				   Linux: 40 ms */
#define DUP_THRESH	3	/* RFC 5681, RFC 6675: then it is lost */
#define RETRIES_SYN	6
#define RETRIES_DATA	12

void tcp_arm(struct proto *p, struct tcp *t, uint64_t due_ns)
{
	t->due_ns = due_ns;
	if (due_ns && (!timer_armed(&t->timer) ||
		       t->timer.deadline_ns > due_ns))
		wheel_arm(&p->wheel, &t->timer, due_ns);
}

uint64_t tcp_rto_due(const struct proto *p, const struct tcp *t)
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
uint64_t tcp_loss_due(const struct proto *p, const struct tcp *t)
{
	uint64_t us = 2 * (uint64_t)t->srtt_us;

	if (!t->sack_ok || t->tail_probed || t->retries ||
	    t->phase != TCP_ESTABLISHED || !t->srtt_us)
		return tcp_rto_due(p, t);
	if (us < TAIL_MIN_US)
		us = TAIL_MIN_US;
	if (t->snd_max - t->snd_una < 2u * t->mss)
		us += DELAYED_ACK_US;
	return us < t->rto_us ? p->now_ns + us * 1000 : tcp_rto_due(p, t);
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

void tcp_ack_advanced(struct proto *p, struct tcp *t, uint32_t ack,
		      bool twice)
{
	const uint32_t acked = ack - t->snd_una;
	const uint32_t data = acked < t->down_len ? acked : t->down_len;

	if (t->timing && seq_le(t->rtt_seq, ack)) {
		t->timing = false;
		/*
		 * Karn: which of the two is meant? A guest that had both had
		 * not answered the first, or nothing would teach us that a
		 * probe after two round trips is too early for it.
		 */
		if (!t->tail_probed || twice)
			rtt_sample(t, (p->now_ns - t->rtt_start_ns) / 1000);
	}
	tcp_forget(p, t, data);
	t->snd_wraps = (uint16_t)(t->snd_wraps + (ack < t->snd_una));
	t->snd_una = ack;
	if (seq_lt(t->down_urg, ack))
		t->down_urgent = false;
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
	tcp_arm(p, t, t->snd_max == ack ? 0 : tcp_loss_due(p, t));
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
	tcp_arm(p, t, tcp_loss_due(p, t));
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
		if (tcp_send_data(p, t, t->snd_una, t->snd_wnd))
			t->snd_nxt = t->snd_una + t->snd_wnd;
		return;
	}
	t->probing = true;
	if (tcp_send_data(p, t, t->snd_una, len)) {
		/* Not in flight: what it asks for is the answer. */
		t->timing = false;
		if (seq_lt(t->snd_nxt, t->snd_max))
			t->snd_nxt = t->snd_max;
	}
	t->probing = true;
	tcp_arm(p, t, tcp_rto_due(p, t));
}

/*
 * No word for a while: send the last segment again, which says whether what
 * was before it is there (RFC 8985 section 7.3). In recovery the holes that
 * were repaired already are taken for lost anew.
 */
static void probe_tail(struct proto *p, struct tcp *t)
{
	const uint32_t end = seq_lt(tcp_data_end(t), t->snd_max) ? tcp_data_end(t) :
							       t->snd_max;
	const uint32_t have = end - t->snd_una;
	const uint32_t len = have < t->mss ? have : t->mss;

	t->tail_probed = true;
	if (t->recovering) {
		t->timing = false;	/* Karn */
		t->hole_nxt = t->snd_una;
		tcp_output(p, t);
	} else {
		(void)tcp_send_data(p, t, end - len, len);
	}
	tcp_arm(p, t, tcp_rto_due(p, t));
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
	tcp_arm(p, t, tcp_rto_due(p, t));
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
