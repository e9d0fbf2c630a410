/* SPDX-License-Identifier: MIT */
/*
 * proto/tcp_pull.c - bytes from the host: into the ring, or left where they are
 *
 * A flow that still has work when its share of the turn is used up stays on
 * the owed list.
 */
#include "proto/tcp.h"

#define CROWD_TOLD	6		/* log2: the host hears of 33 and more */
#define PULL_BYTES	(256u << 10)	/* read per recv() at most */
#define TURN_BYTES	(512u << 10)	/* read per flow and turn */
#define SKIP_BYTES	(256u << 10)
#define LEAVE_LEAST	TCP_DOWN_FIRST	/* less at once is no bulk */
#define NO_MEMORY_NS	UINT64_C(10000000)

/* Bytes that it may hold for its guest now, if there is a ring for them. */
static uint32_t down_most(const struct proto *p)
{
	return crowd_share(&p->down, TCP_CROWD_BYTES, TCP_CROWD_MIN,
			   TCP_DOWN_MAX);
}

/* Room to read into, in one or two pieces; 0 if the ring is full. */
static unsigned down_room(struct proto *p, struct tcp *t, struct span v[2])
{
	const uint32_t most = down_most(p);
	uint32_t room;

	if (t->down_len == t->down.cap && t->down.cap < t->down_want &&
	    !tcp_reserve(p, &t->down, t->down_want, t->down_len)) {
		/* Live with what there is; with nothing, ask again soon. */
		t->down_want = t->down.cap ? t->down.cap : TCP_DOWN_FIRST;
		if (!t->down.cap && !t->due_ns)
			tcp_arm(p, t, p->now_ns + NO_MEMORY_NS);
	}
	room = t->down.cap < most ? t->down.cap : most;
	if (room <= t->down_len)
		return 0;
	room -= t->down_len;
	if (room > PULL_BYTES)
		room = PULL_BYTES;
	return store_spans(&t->down, t->down_len, room, v);
}

/* Is bulk for it to stay in the host's socket? */
static bool may_leave(const struct proto *p, const struct tcp *t)
{
	const int link = proto_link_to(p, &t->flow.key.guest_ip);

	return link >= 0 && t->host == &p->env.ops->tcp && !t->takes_back &&
	       !t->down_crowd &&
	       p->env.ops->link_takes_unread(p->env.ctx, (unsigned)link);
}

/*
 * The host filled the ring and the guest takes more than it holds: a
 * larger one may help, or none at all. A guest that does not read gets no
 * more memory.
 */
static void grow_down(struct proto *p, struct tcp *t, int64_t got,
		      const struct span *v, unsigned n)
{
	if ((size_t)got < spans_bytes(v, n) || t->down_len < t->down.cap)
		return;
	if (may_leave(p, t))
		t->leaves = true;
	else if (t->down_want < down_most(p) && t->snd_wnd > t->down.cap)
		t->down_want *= 2;
}

/*
 * Tell the host, by doublings of their number, with how many it shares
 * memory: not while they are few, nor at each that comes and goes.
 */
static void join_down(struct proto *p, struct tcp *t)
{
	uint8_t log2 = 0;
	uint32_t n;

	crowd_join(&p->down, p->now_ns, &t->down_seen);
	n = crowd_size(&p->down);
	while (1u << log2 < n)
		log2++;
	if (log2 < CROWD_TOLD && !t->down_crowd)
		return;
	if (log2 <= t->down_crowd && log2 + 1 >= t->down_crowd)
		return;
	t->down_crowd = log2 < CROWD_TOLD ? 0 : log2;
	t->leaves &= !t->down_crowd;
	p->env.ops->tcp_crowd(p->env.ctx, t->host_id,
			      t->down_crowd ? 1u << log2 : 0);
}

/*
 * What is read now begins with an urgent byte, which has that number. The
 * guest hears of it at once, be its window shut or not.
 */
static void note_urgent(struct proto *p, struct tcp *t, uint32_t seq)
{
	t->host_urgent = false;
	t->down_urgent = true;
	t->down_urg = seq;
	t->ack_owed = true;
	tcp_owe(p, t);
}

/* Bytes that were read, into v. */
static void pulled(struct proto *p, struct tcp *t, uint32_t got,
		   const struct span *v, unsigned n)
{
	/* To be given less is the end of it, but before an urgent byte. */
	if (got < spans_bytes(v, n) && !t->host_ended && !t->host_urgent)
		t->host_ready = false;
	t->down_len += got;
	grow_down(p, t, got, v, n);
	if (got >= CROWD_BULK_BYTES && t->host == &p->env.ops->tcp)
		join_down(p, t);
	tcp_output(p, t);
}

/* An urgent byte is the next one to be read. */
static bool at_urgent(const struct proto *p, const struct tcp *t)
{
	return t->host_urgent &&
	       p->env.ops->tcp_at_urgent(p->env.ctx, t->host_id);
}

/* *got: bytes; 0: there is no room, or nothing now. false: t is gone. */
static bool read_some(struct proto *p, struct tcp *t, uint32_t *got)
{
	struct span v[2];
	const unsigned n = down_room(p, t, v);
	bool urgent;
	int64_t r;

	if (!n)
		return true;		/* an ACK will make room */
	urgent = at_urgent(p, t);
	r = t->host->recv(t->host_ctx, t->host_id, v, n);
	if (r == -ENV_AGAIN) {
		t->host_ready = t->host_urgent = false;
		return true;
	}
	if (r < 0)
		return tcp_closing(p, t, TC_EV_HOST_RESET);
	if (r == 0) {
		t->host_eof = true;
		return tcp_closing(p, t, TC_EV_HOST_EOF);
	}
	if (urgent)
		note_urgent(p, t, tcp_data_end(t));
	*got = (uint32_t)r;
	pulled(p, t, *got, v, n);
	return true;
}

/* Is all to be read, and nothing left where it is? */
static bool goes_plain(const struct tcp *t)
{
	return t->takes_back || t->host_urgent || t->host_ended;
}

/* Read what is done with, for nobody: the host may send as much again. */
static void skip_done(struct proto *p, struct tcp *t)
{
	const uint32_t bytes = t->unread_done;

	t->unread_done = 0;
	if (!bytes ||
	    p->env.ops->tcp_skip(p->env.ctx, t->host_id, bytes))
		return;
	t->unread_lost = t->host_ready = true;
	tcp_owe(p, t);
}

/*
 * What is left in the socket is read from it by and by, since the far end is
 * told of the room each time: when it is much, or as much as is not done with.
 */
void tcp_forget(struct proto *p, struct tcp *t, uint32_t bytes)
{
	const uint32_t read = t->down_len - t->down_unread;
	const uint32_t own = bytes < read ? bytes : read;

	store_skip(&t->down, own);
	t->down_len -= bytes;
	if (bytes == own)
		return;
	t->down_unread -= bytes - own;
	t->unread_done += bytes - own;
	if (t->unread_done >= SKIP_BYTES || t->unread_done >= t->down_unread)
		skip_done(p, t);
}

/* What has come behind that which is counted on already. */
static uint32_t unread_behind(const struct proto *p, const struct tcp *t)
{
	const uint32_t all = p->env.ops->tcp_unread(p->env.ctx, t->host_id);

	const uint32_t old = t->unread_done + t->down_unread;

	return all > old ? all - old : 0;
}

/*
 * Count on what has come, unread: *got bytes. false: it is not worth it, and to
 * be read.
 */
static bool leave(struct proto *p, struct tcp *t, uint32_t *got)
{
	const uint32_t room = t->down_len < TCP_DOWN_MAX ?
			      TCP_DOWN_MAX - t->down_len : 0;

	const bool asks = !t->unread_more;

	if (!room)
		return true;
	if (asks)
		t->unread_more = unread_behind(p, t);
	if (!t->down_unread && t->unread_more < LEAVE_LEAST) {
		t->unread_more = 0;
		return false;
	}
	*got = t->unread_more < room ? t->unread_more : room;
	t->unread_more -= *got;
	/* More may have come since it was asked, of which an event told. */
	t->host_ready = t->unread_more > 0 || !asks;
	t->down_len += *got;
	t->down_unread += *got;
	if (*got >= CROWD_BULK_BYTES)
		join_down(p, t);
	tcp_output(p, t);
	return true;
}

/*
 * Read what was left, into a ring, as far as there are memory and bytes now.
 * false: t is gone.
 */
static bool take_back(struct proto *p, struct tcp *t)
{
	skip_done(p, t);
	if (t->unread_lost)
		return tcp_closing(p, t, TC_EV_HOST_RESET);
	while (t->down_unread) {
		const uint32_t read = t->down_len - t->down_unread;
		struct span v[2];
		bool urgent;
		unsigned n;
		int64_t r;

		if (t->down.cap < t->down_len &&
		    !tcp_reserve(p, &t->down, t->down_len, read)) {
			if (!t->due_ns)
				tcp_arm(p, t, p->now_ns + NO_MEMORY_NS);
			return true;
		}
		n = store_spans(&t->down, read, t->down_unread, v);
		urgent = at_urgent(p, t);
		r = t->host->recv(t->host_ctx, t->host_id, v, n);
		if (r == -ENV_AGAIN) {
			t->host_ready = false;
			return true;
		}
		if (r <= 0)
			return tcp_closing(p, t, TC_EV_HOST_RESET);
		if (urgent)
			note_urgent(p, t, t->snd_una + read);
		t->down_unread -= (uint32_t)r;
	}
	return true;
}

/* As read_some(), or by leaving it. */
static bool get_some(struct proto *p, struct tcp *t, uint32_t *got)
{
	if (t->unread_lost)
		return tcp_closing(p, t, TC_EV_HOST_RESET);
	if (goes_plain(t) || !t->leaves)
		t->unread_more = 0;
	if (t->down_unread && goes_plain(t) && !take_back(p, t))
		return false;
	if (t->leaves && !goes_plain(t) && leave(p, t, got))
		return true;
	/* What is left there comes first: an ACK will take it away. */
	return t->down_unread || read_some(p, t, got);
}

bool tcp_pull(struct proto *p, struct tcp *t)
{
	uint32_t budget = TURN_BYTES, got;

	while (t->host_ready && !t->host_eof && budget) {
		got = 0;
		if (!get_some(p, t, &got))
			return false;
		if (!got)
			break;
		budget -= got < budget ? got : budget;
	}
	if (!budget)
		tcp_owe(p, t);
	if (t->down_len == t->down_unread)
		tcp_release(p, &t->down);
	tcp_output(p, t);
	return true;
}
