/* SPDX-License-Identifier: MIT */
/*
 * proto/tcp_host.c - the host's side of a connection: connect, bytes, end
 *
 * Host events set host_ready or clear host_blocked; both are edges, so
 * they are remembered until the stream says ENV_AGAIN.
 */
#include "proto/tcp.h"

#include "proto/icmp_map.h"
#include "proto/share.h"

#define HALF_OPEN_SEEN	64u	/* of the oldest, to make room for others */
#define HALF_OPEN_LEAST_S 2u	/* of the clock: one, at least, has passed */
#define MSS_MIN		48u		/* taken for less, if the MTU lets it */

static void unowe(struct proto *p, struct tcp *t)
{
	if (!t->owed_prev)
		return;
	*t->owed_prev = t->owed_next;
	if (t->owed_next)
		t->owed_next->owed_prev = t->owed_prev;
	else if (t->held)
		p->held[t->held - 1].end = t->owed_prev;
	t->owed_prev = NULL;
	t->held = 0;
}

void tcp_owe(struct proto *p, struct tcp *t)
{
	if (t->owed_prev && !t->held)
		return;
	unowe(p, t);
	t->owed_next = p->owed;
	t->owed_prev = &p->owed;
	if (p->owed)
		p->owed->owed_prev = &t->owed_next;
	p->owed = t;
}

void tcp_hold(struct proto *p, struct tcp *t)
{
	const int link = proto_link_to(p, &t->flow.key.guest_ip);
	struct proto_held *q = &p->held[link < 0 ? 0 : link];

	if (link < 0)
		return;			/* nowhere: lost, as on any wire */
	t->stalled = true;
	if (t->owed_prev)
		return;			/* settle() is to come, and tries */
	t->held = (uint8_t)(link + 1);
	t->owed_next = NULL;
	t->owed_prev = q->first ? q->end : &q->first;
	*t->owed_prev = t;
	q->end = &t->owed_next;
}

bool tcp_reserve(struct proto *p, struct store *s, uint32_t need,
		 uint32_t keep)
{
	const uint32_t before = s->cap;

	if (!store_reserve(s, &p->env, need, keep)) {
		p->drops[DROP_LIMIT]++;
		return false;
	}
	p->store_bytes += s->cap - before;
	return true;
}

void tcp_release(struct proto *p, struct store *s)
{
	p->store_bytes -= s->cap;
	store_release(s, &p->env);
}

static void begin_handshake(struct proto *p, struct tcp *t)
{
	t->half_prev = p->half_newest;
	*(t->half_prev ? &t->half_prev->half_next : &p->half_oldest) = t;
	p->half_newest = t;
	p->half_open++;
	p->half_of[t->flow.owner]++;
}

void tcp_shaken(struct proto *p, struct tcp *t)
{
	*(t->half_prev ? &t->half_prev->half_next : &p->half_oldest) =
		t->half_next;
	*(t->half_next ? &t->half_next->half_prev : &p->half_newest) =
		t->half_prev;
	p->half_open--;
	p->half_of[t->flow.owner]--;
}

void tcp_free(struct proto *p, struct tcp *t, bool reset_host)
{
	if (t->phase < TCP_ESTABLISHED)
		tcp_shaken(p, t);
	if (t->host_id >= 0)
		t->host->close(t->host_ctx, t->host_id, reset_host);
	wheel_cancel(&p->wheel, &t->timer);
	unowe(p, t);
	tcp_release(p, &t->up);
	tcp_release(p, &t->down);
	flow_free(&p->flows, &t->flow);
}

void tcp_linger(struct proto *p, struct tcp *t)
{
	t->host->close(t->host_ctx, t->host_id, false);
	t->host_id = -1;
	tcp_release(p, &t->up);
	tcp_release(p, &t->down);
	t->phase = TCP_LINGERING;
	t->release_queued = false;
	tcp_arm(p, t, p->now_ns + TCP_LINGER_NS);
}

void tcp_abort(struct proto *p, struct tcp *t, bool tell_guest)
{
	if (tell_guest)
		tcp_send_rst(p, t);
	tcp_free(p, t, true);
}

/* Feed the closing machine and do what it says. false: t is gone. */
bool tcp_closing(struct proto *p, struct tcp *t, enum tcp_close_event ev)
{
	const struct tcp_close_step step = tcp_close_step(t->close, ev);

	if (step.actions & TC_DO_ACK) {
		t->ack_owed = true;
		tcp_owe(p, t);
	}
	if (step.actions & TC_DO_FIN)
		t->fin_queued = true;
	if (step.actions & TC_DO_RST)
		tcp_send_rst(p, t);
	if (step.actions & TC_DO_SHUT_WR)
		t->shut_queued = true;
	t->close = (uint8_t)step.next;
	if (step.actions & TC_DO_ABORT) {
		tcp_free(p, t, true);
		return false;
	}
	if (step.actions & TC_DO_RELEASE) {
		t->release_queued = true;
		tcp_owe(p, t);		/* after a last ACK */
	}
	return true;
}

/* Nothing is left for the host: what waited for that happens now. */
static void up_is_empty(struct proto *p, struct tcp *t)
{
	t->up_len = 0;
	if (!t->ooo.n)
		tcp_release(p, &t->up);
	if (t->shut_queued) {
		t->shut_queued = false;
		t->host->shut(t->host_ctx, t->host_id);
	}
}

int64_t tcp_to_host(struct proto *p, struct tcp *t, uint32_t seq,
		    struct span *v, unsigned n)
{
	size_t before = t->up_urg - seq;
	unsigned pieces = 0;
	int sent;

	if (!t->up_urgent || before >= spans_bytes(v, n))
		return t->host->send(t->host_ctx, t->host_id, v, n);
	while (before > v[pieces].len)
		before -= v[pieces++].len;
	if (pieces || before) {
		v[pieces].len = before;
		return t->host->send(t->host_ctx, t->host_id, v, pieces + 1);
	}
	sent = p->env.ops->tcp_send_urgent(p->env.ctx, t->host_id,
					   *(const uint8_t *)v[0].p);
	if (sent > 0)
		t->up_urgent = false;
	return sent;
}

bool tcp_flush_up(struct proto *p, struct tcp *t)
{
	const bool ended = t->guest_fin && seq_lt(t->fin_seq, t->rcv_nxt);
	const uint32_t end = ended ? t->fin_seq : t->rcv_nxt;

	while (t->up_len && !t->host_blocked) {
		struct span v[2];
		const unsigned n = store_spans(&t->up, 0, t->up_len, v);
		const int64_t sent = tcp_to_host(p, t, end - t->up_len, v, n);

		if (sent == -ENV_AGAIN) {
			t->host_blocked = true;
		} else if (sent < 0) {
			return tcp_closing(p, t, TC_EV_HOST_RESET);
		} else {
			store_skip(&t->up, (uint32_t)sent);
			t->up_len -= (uint32_t)sent;
		}
	}
	if (!t->up_len)
		up_is_empty(p, t);
	if (tcp_window_owed(t)) {
		t->ack_owed = true;
		tcp_owe(p, t);
	}
	return true;
}

/*
 * Why a connect failed, in the network's words and from whom, if it had
 * any; else what the host made of it. false: nothing to be told by ICMP.
 */
static bool why_failed(struct proto *p, const struct tcp *t, int error,
		       struct ip *from, enum icmp_error *what)
{
	const struct ip *guest = &t->flow.key.guest_ip;
	struct env_net_error e;

	*from = *proto_gateway(p, guest);
	if (t->host == &p->env.ops->tcp && t->host_id >= 0 &&
	    p->env.ops->tcp_error(p->env.ctx, t->host_id, &e) &&
	    ip_is4(&e.to.ip) == ip_is4(guest)) {
		*from = proto_offender(p, &e, guest);
		*what = icmp_map(&e);
		return true;
	}
	return icmp_map_send(error, what);
}

/* What the guest hears of a connect that failed, as without us. */
static void connect_failed(struct proto *p, struct tcp *t, int error)
{
	const struct flow_key *k = &t->flow.key;
	const struct tcp_segment syn = {
		.src_port = k->guest_port, .dst_port = k->peer_port,
		.seq = t->irs, .flags = TCP_SYN, .wscale = TCP_NO_WSCALE,
	};
	uint8_t quote[IPV6_HEADER_BYTES + TCP_HEADER_BYTES];
	struct wr w = wr(quote, sizeof(quote));
	struct ip_packet ip = {
		.src = k->guest_ip, .dst = k->peer_ip, .proto = PROTO_TCP,
		.ttl = 64, .v6 = !ip_is4(&k->guest_ip),
	};
	enum icmp_error what;
	struct ip from;

	if (!why_failed(p, t, error, &from, &what)) {
		/* Else silent, as the far end was. */
		tcp_abort(p, t, error == ENV_REFUSED || error == ENV_RESET);
		return;
	}
	ip_emit(&w, &ip, TCP_HEADER_BYTES);
	tcp_emit(&w, &syn, 0);
	ip.whole = (struct view){ .p = quote, .len = (size_t)(w.p - quote) };
	proto_icmp_error(p, &from, &ip, what, 0);
	tcp_free(p, t, true);
}

/* The second address of a target that has one, then the host's own. */
static bool next_address(const struct proto *p, struct tcp *t, struct ip *out)
{
	const bool v6 = !ip_is4(&t->flow.key.peer_ip);

	if (!t->has_next)
		return false;
	*out = t->next_to;
	if (t->tried)
		t->has_next = p->env.ops->host_address(p->env.ctx, v6,
						       t->tried - 1u, out);
	t->tried++;
	return t->has_next;
}

/* The next address of a target, if this one refused. */
static bool try_next(struct proto *p, struct tcp *t, int error)
{
	struct endpoint to = { .port = t->flow.key.peer_port };

	while (error != ENV_LIMIT && next_address(p, t, &to.ip)) {
		if (t->host_id >= 0)
			t->host->close(t->host_ctx, t->host_id, true);
		t->host_id = p->env.ops->tcp_connect(p->env.ctx, &to, 0, 0,
				flow_handle(&p->flows, &t->flow));
		if (t->host_id >= 0)
			return true;
	}
	return false;
}

/* events: of the stream; 0: it has told none yet. */
static void connect_progress(struct proto *p, struct tcp *t, unsigned events)
{
	const int r = t->host->connected(t->host_ctx, t->host_id);

	if (r == -ENV_AGAIN || (r < 0 && try_next(p, t, -r)))
		return;
	if (r < 0) {
		connect_failed(p, t, -r);
		return;
	}
	t->phase = TCP_ANSWERED;
	t->host_ready = !events || (events & (ENV_READABLE | ENV_FAILED));
	tcp_send_synack(p, t);
}

static enum drop connect_start(struct proto *p, struct tcp *t,
			       const struct tcp_target *target)
{
	const struct handle h = flow_handle(&p->flows, &t->flow);
	const struct endpoint from = { .ip = t->flow.key.guest_ip,
				       .port = t->flow.key.guest_port };

	t->next_to = target->next_to;
	t->has_next = target->has_next;
	if (target->open) {
		t->host = target->ops;
		t->host_ctx = target->ctx;
		t->host_id = target->open(target->ctx, &from, h);
		t->host_ended = true;	/* it never tells of its end */
	} else {
		t->host = &p->env.ops->tcp;
		t->host_ctx = p->env.ctx;
		t->host_id = p->env.ops->tcp_connect(p->env.ctx, &target->to,
						     target->ttl, target->mss,
						     h);
	}
	if (t->host_id < 0 && !try_next(p, t, -t->host_id)) {
		connect_failed(p, t, -t->host_id);
		return DROP_SYSTEM;
	}
	if (target->open)
		connect_progress(p, t, 0);
	return DROP_OK;
}

/*
 * RFC 6528: a clock that moves, plus a secret per connection. One that
 * reopens begins past all that was used (RFC 1122 section 4.2.2.13), which
 * a fast connection may have done faster than the clock; by a window, as
 * Linux does.
 */
static uint32_t first_sequence(const struct proto *p,
			       const struct flow_key *key,
			       const struct tcp_target *target)
{
	const uint32_t seq =
		(uint32_t)siphash(&p->isn_key, key, sizeof(*key)) +
		(uint32_t)(p->now_ns >> 12);

	return target && target->reopens && seq_lt(seq, target->past) ?
	       target->past + 65536 : seq;
}

/* Data per segment: RFC 6691, the options of each come out of the MSS. */
static uint16_t guest_mss(const struct proto *p, const struct tcp_segment *seg,
			  const struct ip *ip)
{
	const unsigned headers = (unsigned)ip_header_bytes(ip) +
				 TCP_HEADER_BYTES;
	const unsigned ours = p->mtu - headers;
	/* RFC 9293 section 3.7.1: 536 or 1220 where the guest says nothing */
	unsigned theirs = seg->mss ? seg->mss : ip_is4(ip) ? 536 : 1220;
	const unsigned options = seg->has_ts ? TCP_TS_BYTES : 0;

	if (theirs < MSS_MIN)
		theirs = MSS_MIN;
	return (uint16_t)((theirs < ours ? theirs : ours) - options);
}

/* What of each guest has so many, and how many there may be in all. */
struct counted {
	const uint32_t *of;
	uint32_t all;
};

/* May that handshake make room for one of the owner's? */
static bool makes_room(const struct proto *p, const struct tcp *t,
		       unsigned owner, const struct counted *what)
{
	const uint32_t part = share_part(p, what->all);

	return t->flow.owner == owner ||
	       (what->of[owner] < part && what->of[t->flow.owner] > part);
}

/*
 * Let the oldest handshake go, as silently as it went: the guest's own, or
 * one of who has more than its part, if this one has less. false: too soon.
 */
static bool make_room(struct proto *p, unsigned owner,
		      const struct counted *what)
{
	struct tcp *t = p->half_oldest;

	for (unsigned i = 0; t && !makes_room(p, t, owner, what); i++)
		t = i < HALF_OPEN_SEEN ? t->half_next : NULL;
	if (!t || proto_seconds(p) - t->flow.begun_s < HALF_OPEN_LEAST_S)
		return false;
	p->drops[DROP_LIMIT]++;
	tcp_abort(p, t, false);
	return true;
}

static bool may_shake(const struct proto *p, unsigned owner)
{
	return p->half_open < TCP_HALF_OPEN_MAX &&
	       share_allows(p, p->half_of, owner, TCP_HALF_OPEN_MAX);
}

/* A flow in its first phase; NULL with the reason. target: or NULL. */
static struct tcp *begin(struct proto *p, const struct flow_key *key,
			 const struct tcp_target *target, enum drop *why)
{
	const unsigned owner = share_owner(p, &key->guest_ip);
	const struct counted half = { p->half_of, TCP_HALF_OPEN_MAX };
	const struct counted flows = { p->flows.owned, p->flows.n_slots };
	struct tcp *t;

	if (!may_shake(p, owner) && !make_room(p, owner, &half)) {
		*why = DROP_LIMIT;
		return NULL;
	}
	t = (struct tcp *)(void *)share_flow(p, key);
	if (!t && make_room(p, owner, &flows))
		t = (struct tcp *)(void *)share_flow(p, key);
	if (!t) {
		*why = DROP_FLOWS;
		return NULL;
	}
	begin_handshake(p, t);
	t->flow.begun_s = proto_seconds(p);
	t->iss = first_sequence(p, key, target);
	t->snd_una = t->snd_nxt = t->snd_max = t->iss;
	t->wnd_ack = t->iss;
	t->down_want = TCP_DOWN_FIRST;
	t->cwnd = TCP_CWND_MIN;
	t->ssthresh = UINT32_MAX;
	t->rto_us = TCP_RTO_FIRST_US;
	return t;
}

void tcp_take_syn(struct proto *p, struct tcp *t,
		  const struct tcp_segment *seg)
{
	t->irs = seg->seq;
	t->rcv_nxt = seg->seq;
	tcp_received(t, 1);
	t->rcv_edge = t->rcv_told = t->rcv_nxt;
	t->mss = guest_mss(p, seg, &t->flow.key.guest_ip);
	t->sack_ok = seg->sack_ok;
	t->ts_ok = seg->has_ts;
	t->ts_recent = seg->ts_val;
	t->ts_recent_ns = p->now_ns;
	if (seg->wscale != TCP_NO_WSCALE) {
		t->guest_shift = seg->wscale;
		t->our_shift = TCP_UP_SHIFT;
	} else {
		t->our_shift = TCP_NO_WSCALE;
	}
	t->up_limit = t->our_shift == TCP_UP_SHIFT ? TCP_UP_FIRST : 65535;
	t->up_grow = t->up_limit;
	t->snd_wnd = t->wnd_max = seg->window;
	t->snd_edge = t->iss + 1 + seg->window;
	t->wnd_seq = seg->seq;
}

enum drop tcp_open(struct proto *p, const struct flow_key *key,
		   const struct tcp_segment *seg,
		   const struct tcp_target *target)
{
	enum drop why = DROP_OK;
	struct tcp *t = begin(p, key, target, &why);

	if (!t)
		return why;
	tcp_take_syn(p, t, seg);
	return connect_start(p, t, target);
}

enum drop tcp_offer(struct proto *p, const struct flow_key *key, int id)
{
	enum drop why = DROP_OK;
	struct tcp *t = begin(p, key, NULL, &why);

	if (!t) {
		p->env.ops->tcp.close(p->env.ctx, id, true);
		return why;
	}
	t->host = &p->env.ops->tcp;
	t->host_ctx = p->env.ctx;
	t->host_id = id;
	t->phase = TCP_OFFERED;
	t->offered = true;
	if (p->env.ops->tcp_adopt(p->env.ctx, id,
				  flow_handle(&p->flows, &t->flow)) < 0) {
		tcp_free(p, t, true);
		return DROP_SYSTEM;
	}
	tcp_send_syn(p, t);
	return DROP_OK;
}

/* Nothing is read after the end of the stream: was it reset since? */
static bool reset_after_eof(const struct tcp *t)
{
	int r;

	if (!t->host_eof || t->close == TC_CLOSED)
		return false;
	r = t->host->connected(t->host_ctx, t->host_id);
	return r < 0 && r != -ENV_AGAIN;
}

void tcp_host_event(struct proto *p, struct tcp *t, unsigned events)
{
	if (t->phase == TCP_LINGERING)
		return;
	if (events & (ENV_ENDED | ENV_FAILED))
		t->host_ended = true;
	if (events & ENV_URGENT)
		t->host_urgent = true;
	if (t->phase == TCP_CONNECTING) {
		connect_progress(p, t, events);
		return;
	}
	if (t->phase == TCP_OFFERED)
		return;			/* looked at once the guest answers */
	if ((events & ENV_FAILED) && reset_after_eof(t)) {
		(void)tcp_closing(p, t, TC_EV_HOST_RESET);
		return;
	}
	if (events & (ENV_READABLE | ENV_FAILED))
		t->host_ready = true;
	if (events & (ENV_WRITABLE | ENV_FAILED)) {
		t->host_blocked = false;
		if (!tcp_flush_up(p, t))
			return;
	}
	if (t->release_queued && !t->up_len) {
		tcp_owe(p, t);
		return;
	}
	if (t->phase == TCP_ESTABLISHED && t->close != TC_CLOSED)
		(void)tcp_pull(p, t);
}

/* One flow's share of the turn's end. t may be gone afterwards. */
static void settle(struct proto *p, struct tcp *t)
{
	const unsigned events = t->events;

	t->events = 0;
	if (t->stalled) {
		t->stalled = false;
		tcp_output(p, t);
	}
	if (events) {
		const struct handle h = flow_handle(&p->flows, &t->flow);

		tcp_host_event(p, t, events);
		if (!flow_get(&p->flows, h))
			return;
	}
	if (t->host_ready && t->phase == TCP_ESTABLISHED &&
	    t->close != TC_CLOSED && !tcp_pull(p, t))
		return;
	if (t->ack_owed)
		tcp_send_ack(p, t);
	if (t->release_queued && !t->up_len)
		tcp_linger(p, t);
}

void tcp_turn_end(struct proto *p)
{
	struct tcp *list = p->owed;

	/* Taken whole: what settle() owes anew waits for the next turn. */
	p->owed = NULL;
	if (list)
		list->owed_prev = &list;
	while (list) {
		struct tcp *t = list;

		unowe(p, t);
		settle(p, t);
	}
}

/* Whoever fills the link goes behind all others. */
void tcp_link_ready(struct proto *p, unsigned link)
{
	struct tcp *t;

	p->full &= ~(UINT32_C(1) << link);
	if (!p->full)
		wheel_cancel(&p->wheel, &p->full_timer);
	while (!proto_is_full(p, link) && (t = p->held[link].first)) {
		unowe(p, t);
		settle(p, t);
	}
}

void tcp_links_retry(struct proto *p)
{
	for (unsigned link = 0; link < NETWORK_LINKS_MAX; link++)
		if (proto_is_full(p, link))
			tcp_link_ready(p, link);
}

void tcp_check(const struct proto *p, const struct tcp *t)
{
	const uint32_t end = t->snd_una + t->down_len + t->fin_queued;

	if (t->phase == TCP_CONNECTING || t->phase == TCP_LINGERING)
		return;
	if (t->phase == TCP_ESTABLISHED) {
		ASSERT(seq_le(t->snd_una, t->snd_nxt));
		ASSERT(seq_le(t->snd_nxt, t->snd_max));
		ASSERT(t->snd_edge - (t->snd_una + t->snd_wnd) <
		       1u << t->guest_shift);
		ASSERT(seq_le(t->snd_max, end) || t->close == TC_CLOSED ||
		       t->close == TC_HOST_ACKED);
	}
	ASSERT(seq_le(t->rcv_nxt, t->rcv_edge));
	for (uint32_t i = 0; i < t->ooo.n; i++)
		ASSERT(seq_lt(t->rcv_nxt, t->ooo.r[i].from) &&
		       seq_le(t->ooo.r[i].to, t->rcv_edge));
	for (uint32_t i = 0; i < t->sacked.n; i++)
		ASSERT(seq_lt(t->snd_una, t->sacked.r[i].to) &&
		       seq_le(t->sacked.r[i].to, t->snd_max));
	ASSERT(t->down_unread <= t->down_len);
	ASSERT(!t->unread_more || t->host_ready);
	ASSERT(!t->unread_done || t->down_unread);
	ASSERT(t->down_len - t->down_unread <= t->down.cap);
	if (t->down_urgent)
		ASSERT(t->down_urg - t->snd_una < t->down_len);
	if (t->snd_max != t->snd_una || t->phase == TCP_ANSWERED)
		ASSERT(timer_armed(&t->timer) || t->close == TC_CLOSED);
	ASSERT(!t->held || (t->owed_prev && t->stalled));
	ASSERT(p->mtu >= 68);
}
