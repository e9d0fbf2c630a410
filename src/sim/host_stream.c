/* SPDX-License-Identifier: MIT */
/*
 * sim/host_stream.c - TCP sockets of the host and the programs behind them
 *
 * A program reads and writes so many bytes a millisecond, sleeps, ends or
 * resets as its plan says; it runs only while it has something to do. One
 * that hears nothing for long gives up, so that no guest that vanished
 * keeps a flow for ever.
 */
#include <string.h>

#include "base/check.h"
#include "sim/world.h"

#define SILENT_NS	(60 * 1000 * WORLD_MS)
#define TICK_NS		(1 * WORLD_MS)		/* of the host's programs */
#define GIVE_UP_NS	(900 * 1000 * WORLD_MS)

static const struct plan_conn *plan_of(const struct world *w,
				       const struct sim_sock *s)
{
	return &w->plan.conn[s->conn];
}

static bool awake(const struct world *w, const struct sim_sock *s)
{
	return world_since(w) >= plan_of(w, s)->host_sleep_ns;
}

static bool may_write(const struct world *w, const struct sim_sock *s)
{
	return awake(w, s) &&
	       (!plan_of(w, s)->host_waits_for_fin || s->fin_seen);
}

/* Everything was written, and the end may be told. */
static bool at_end(const struct world *w, const struct sim_sock *s)
{
	return s->written == plan_of(w, s)->down_bytes && may_write(w, s) &&
	       world_since(w) >= plan_of(w, s)->host_fin_ns;
}

/* ENV_URGENT if such a byte is to be read. */
static unsigned urgent(const struct world *w, const struct sim_sock *s)
{
	const uint32_t at = s->kind == SOCK_CONN ?
			    plan_of(w, s)->down_urgent : 0;

	return s->given < at && at <= s->written ? ENV_URGENT : 0;
}

static void tell_readable(struct world *w, struct sim_sock *s)
{
	const bool ended = s->kind == SOCK_CONN && at_end(w, s);

	s->end_told |= ended;
	sim_notify(w, s, ENV_READABLE | urgent(w, s) |
			 (ended ? ENV_ENDED : 0u));
}

static void die(struct world *w, struct sim_sock *s)
{
	if (s->dead)
		return;
	s->dead = true;
	sim_notify(w, s, ENV_FAILED | ENV_READABLE | ENV_WRITABLE);
}

static void run_program(struct world *w, struct sim_sock *s);

static void tick(struct world *w, struct sim_sock *s)
{
	s->ticking = false;
	run_program(w, s);
}

/* Run again in a while, unless that is so already. */
static void plan_tick(struct world *w, struct sim_sock *s)
{
	if (s->ticking || s->kind != SOCK_CONN)
		return;
	s->ticking = true;
	sim_sock_after(w, s, TICK_NS, tick);
}

/* An urgent byte is told whether anybody waits for bytes or not. */
static void write_more(struct world *w, struct sim_sock *s, uint64_t step)
{
	const unsigned before = urgent(w, s);

	s->written += step;
	if (urgent(w, s) != before)
		sim_notify(w, s, ENV_READABLE | ENV_URGENT);
}

static void run_program(struct world *w, struct sim_sock *s)
{
	const struct plan_conn *c = plan_of(w, s);
	uint64_t step;

	if (s->dead)
		return;
	if (s->received != s->drained)
		s->drained_ns = w->now_ns;
	step = s->received - s->drained;
	step = step < c->host_drain ? step : c->host_drain;
	s->drained += awake(w, s) ? step : 0;
	step = c->down_bytes - s->written;
	step = step < c->host_source ? step : c->host_source;
	write_more(w, s, may_write(w, s) ? step : 0);
	if ((awake(w, s) && s->drained >= c->host_reset_at) ||
	    world_since(w) >= c->host_reset_ns) {
		die(w, s);
		return;
	}
	if (s->wants_write && s->received - s->drained < c->host_buffer) {
		s->wants_write = false;
		sim_notify(w, s, ENV_WRITABLE);
	}
	if (s->wants_read && (s->written > s->given || at_end(w, s))) {
		s->wants_read = false;
		tell_readable(w, s);
	}
	if ((awake(w, s) && s->drained < s->received) ||
	    (may_write(w, s) && s->written < c->down_bytes))
		plan_tick(w, s);
}

/* It has no patience, but what was leapt over does not count. */
static void give_up(struct world *w, struct sim_sock *s)
{
	if (s->leapt_ns != w->leapt_ns) {
		s->leapt_ns = w->leapt_ns;
		sim_sock_after(w, s, GIVE_UP_NS, give_up);
		return;
	}
	s->gave_up = true;
	die(w, s);
}

static void run_at(struct world *w, struct sim_sock *s, uint64_t at_ns)
{
	if (at_ns != PLAN_NEVER && at_ns > world_since(w))
		sim_sock_after(w, s, at_ns - world_since(w), run_program);
}

static void connect_done(struct world *w, struct sim_sock *s)
{
	s->connected = s->wants_read = true;
	sim_notify(w, s, s->error ? ENV_FAILED : ENV_WRITABLE);
	if (s->error || s->kind != SOCK_CONN)
		return;
	run_at(w, s, plan_of(w, s)->host_sleep_ns);
	run_at(w, s, plan_of(w, s)->host_fin_ns);
	run_at(w, s, plan_of(w, s)->host_reset_ns);
	s->leapt_ns = w->leapt_ns;
	sim_sock_after(w, s, GIVE_UP_NS, give_up);
	run_program(w, s);
}

static int error_of(const struct plan_conn *c, bool first)
{
	static const int unreachable[] = {
		ENV_NET_UNREACHABLE, ENV_HOST_UNREACHABLE, ENV_ACCESS,
	};

	if (first && c->first_refuses)
		return ENV_REFUSED;
	switch (c->connect) {
	case PLAN_ACCEPT:
		break;
	case PLAN_REFUSE:
		return ENV_REFUSED;
	case PLAN_UNREACHABLE:
		return unreachable[c->up_bytes % 3];
	case PLAN_SILENT:
		return ENV_TIMED_OUT;
	}
	return 0;
}

/* Is `to` where the guest wanted to go? first: of two loopback addresses. */
static bool right_address(const struct world *w, unsigned conn,
			  const struct endpoint *to, bool *first)
{
	const struct plan_conn *c = &w->plan.conn[conn];
	const struct ip want = world_peer(w, c->v6, false, conn);

	*first = c->via_gateway && ip_is4(&to->ip) == !c->v6;
	if (c->via_gateway)
		return ip_is_loopback(&to->ip);
	return ip_equal(&to->ip, &want);
}

static int connect_resolver(struct world *w, unsigned server, struct handle h)
{
	const int id = sim_sock_open(w, SOCK_RESOLVER, h);
	struct sim_sock *s = &w->socks[id < 0 ? 0 : id];

	if (id < 0)
		return id;
	s->conn = server;
	s->error = rng_chance(&w->rng, w->plan.server[server].error) ?
		   ENV_REFUSED : 0;
	sim_sock_after(w, s, WORLD_MS, connect_done);
	return id;
}

int sim_tcp_connect(void *ctx, const struct endpoint *to, uint8_t ttl,
		    uint16_t mss, struct handle h)
{
	struct world *w = ctx;
	const unsigned conn = (unsigned)(to->port - WORLD_PORT);
	const struct plan_conn *c;
	struct sim_sock *s;
	unsigned server;
	int error, id;
	bool first;

	(void)ttl, (void)mss;
	if (resolver_at(w, to, &server))
		return connect_resolver(w, server, h);
	if (conn >= w->plan.conns)
		return -ENV_REFUSED;	/* noise from a garbage frame */
	c = &w->plan.conn[conn];
	if (!right_address(w, conn, to, &first))
		world_fail(w, "connection %u to a wrong address", conn);
	error = error_of(c, first);
	if (error && !c->connect_ns)
		return -error;
	id = sim_sock_open(w, SOCK_CONN, h);
	if (id < 0)
		return id;
	s = &w->socks[id];
	s->conn = conn;
	s->error = error;
	sim_sock_after(w, s, error == ENV_TIMED_OUT ? SILENT_NS :
		       c->connect_ns, connect_done);
	return id;
}

static struct sim_sock *stream(struct world *w, int id)
{
	struct sim_sock *s;

	ASSERT(id >= 0 && id < WORLD_SOCKS);
	s = &w->socks[id];
	ASSERT(s->kind == SOCK_CONN || s->kind == SOCK_RESOLVER);
	return s;
}

/* The error of a dead one. */
static int broken(const struct world *w, const struct sim_sock *s)
{
	return s->gave_up ? -ENV_RESET : -plan_of(w, s)->host_error;
}

int sim_stream_connected(void *ctx, int id)
{
	const struct sim_sock *s = stream(ctx, id);

	if (s->dead)
		return broken(ctx, s);
	return s->connected ? -s->error : -ENV_AGAIN;
}

/* About each other one that could not be connected there is a word. */
bool sim_tcp_error(void *ctx, int id, struct env_net_error *out)
{
	const struct sim_sock *s = stream(ctx, id);

	if (s->error != ENV_HOST_UNREACHABLE && s->error != ENV_ACCESS)
		return false;
	*out = (struct env_net_error){
		.to.ip = ip_from_v4(0xc0000201), .type = 3,
		.code = s->error == ENV_ACCESS ? 13 : 1,
		.offender = ip_from_v4(0xcb007109),	/* RFC 5737 */
	};
	return true;
}

/* Without cause: an event follows all the same. */
static int64_t again(struct world *w, struct sim_sock *s, unsigned event)
{
	sim_notify(w, s, event);
	return -ENV_AGAIN;
}

static int64_t shorter(struct world *w, uint64_t len)
{
	if (len > 1 && rng_chance(&w->rng, w->plan.short_io))
		len = 1 + rng_below(&w->rng, (uint32_t)len);
	return (int64_t)len;
}

/* Bytes for the program: as many as there is room for. */
static void take(struct world *w, struct sim_sock *s, const struct span *v,
		 uint64_t left)
{
	for (; left; v++) {
		const size_t n = v->len < left ? v->len : left;

		if (s->kind == SOCK_RESOLVER)
			memcpy(s->ask + s->received, v->p, n);
		else if (!pattern_is(PATTERN_CONN(s->conn, true), s->received,
				     v->p, n))
			world_fail(w, "wrong byte after %llu up, "
				   "connection %u",
				   (unsigned long long)s->received, s->conn);
		s->received += n;
		left -= n;
	}
}

static int64_t stream_send(struct world *w, struct sim_sock *s,
			   const struct span *v, unsigned n)
{
	uint64_t len = spans_bytes(v, n), room;

	ASSERT(s->connected && !s->error);
	if (s->dead)
		return broken(w, s);
	if (s->fin_seen)
		world_fail(w, "bytes after the end, connection %u", s->conn);
	if (rng_chance(&w->rng, w->plan.short_io))
		return again(w, s, ENV_WRITABLE);
	room = s->kind == SOCK_RESOLVER ? sizeof(s->ask) - s->received :
	       plan_of(w, s)->host_buffer - (s->received - s->drained);
	if (len > room)
		len = room;
	if (!len) {
		s->wants_write = true;
		return -ENV_AGAIN;
	}
	len = (uint64_t)shorter(w, len);
	take(w, s, v, len);
	if (s->kind == SOCK_RESOLVER)
		resolver_tcp(w, s);
	plan_tick(w, s);
	return (int64_t)len;
}

int64_t sim_stream_send(void *ctx, int id, const struct span *v, unsigned n)
{
	struct world *w = ctx;
	struct sim_sock *s = stream(w, id);
	const uint32_t at = s->kind == SOCK_CONN ?
			    plan_of(w, s)->up_urgent : 0;

	if (s->received < at && at <= s->received + spans_bytes(v, n))
		world_fail(w, "an urgent byte up like any other, "
			   "connection %u", s->conn);
	return stream_send(w, s, v, n);
}

int sim_tcp_send_urgent(void *ctx, int id, uint8_t byte)
{
	struct world *w = ctx;
	struct sim_sock *s = stream(w, id);
	const struct span v = { .p = &byte, .len = 1 };
	int sent;

	if (s->received + 1 != plan_of(w, s)->up_urgent)
		world_fail(w, "byte %llu up is urgent, connection %u",
			   (unsigned long long)s->received + 1, s->conn);
	sent = (int)stream_send(w, s, &v, 1);
	s->urgent_taken |= sent > 0;
	return sent;
}

bool sim_tcp_at_urgent(void *ctx, int id)
{
	struct world *w = ctx;
	const struct sim_sock *s = stream(w, id);

	return urgent(w, s) && s->given + 1 == plan_of(w, s)->down_urgent;
}

/* How many of len bytes the gateway gets: up to what is urgent. */
static uint64_t to_urgent(struct world *w, struct sim_sock *s, uint64_t len)
{
	const uint64_t at = plan_of(w, s)->down_urgent;

	if (!urgent(w, s))
		return len;
	if (s->given + 1 < at)
		return len < at - 1 - s->given ? len : at - 1 - s->given;
	w->conns[s->conn].urgent_due = s->urgent_told;
	return len;
}

/* The next k bytes of the stream. */
static void give(struct sim_sock *s, uint8_t *to, size_t k)
{
	while (k) {
		const size_t n = k < 65536 ? k : 65536;	/* of a pattern */

		memcpy(to, s->kind == SOCK_RESOLVER ?
		       s->answer + s->given :
		       pattern(PATTERN_CONN(s->conn, false), s->given), n);
		s->given += n;
		to += n;
		k -= n;
	}
}

int64_t sim_stream_recv(void *ctx, int id, const struct span *v, unsigned n)
{
	struct world *w = ctx;
	struct sim_sock *s = stream(w, id);
	uint64_t len = spans_bytes(v, n), left;

	ASSERT(s->connected && !s->error && len);
	if (s->dead)
		return broken(w, s);
	if (s->eof_given)
		world_fail(w, "reads after the end, connection %u", s->conn);
	if (rng_chance(&w->rng, w->plan.short_io)) {
		s->urgent_told = false;		/* no kernel has both */
		return again(w, s, ENV_READABLE | urgent(w, s));
	}
	if (len > s->written - s->given)
		len = s->written - s->given;
	if (!len && (s->kind == SOCK_CONN ? at_end(w, s) : s->fin_seen)) {
		s->eof_given = true;
		return 0;
	}
	if (!len) {
		s->wants_read = true;
		return -ENV_AGAIN;
	}
	len = (uint64_t)shorter(w, to_urgent(w, s, len));
	s->wants_read = len < spans_bytes(v, n);
	if (s->wants_read &&
	    (s->written > s->given + len ||
	     (s->kind == SOCK_CONN && !s->end_told && at_end(w, s)))) {
		s->wants_read = false;
		tell_readable(w, s);
	}
	left = len;
	for (; left; v++) {
		const size_t k = v->len < left ? v->len : left;

		give(s, v->p, k);
		left -= k;
	}
	return (int64_t)len;
}

uint32_t sim_tcp_unread(void *ctx, int id)
{
	struct world *w = ctx;
	struct sim_sock *s = stream(w, id);

	ASSERT(s->kind == SOCK_CONN);
	s->wants_read = true;
	if (!s->end_told && at_end(w, s)) {
		s->wants_read = false;
		tell_readable(w, s);
	}
	return s->dead ? 0 : (uint32_t)(s->written - s->given);
}

/* As a kernel's MSG_PEEK: not past what is urgent, but from there on. */
bool sim_stream_copy(struct world *w, const struct frame_unread *what,
		     uint8_t *to)
{
	struct sim_sock *s = stream(w, what->id);
	const uint64_t from = what->seek ? s->given + what->at : s->peeked;
	const uint64_t end = from + what->bytes;
	const uint64_t at = plan_of(w, s)->down_urgent;

	ASSERT(s->kind == SOCK_CONN);
	if (from != s->given + what->at)
		world_fail(w, "byte %llu of connection %u is taken for %llu",
			   (unsigned long long)from, s->conn,
			   (unsigned long long)s->given + what->at);
	if (s->dead || rng_chance(&w->rng, w->plan.no_unread))
		return false;
	s->peeked = end;
	if (end > s->written || (from + 1 < at && at <= end))
		return false;
	memcpy(to, pattern(PATTERN_CONN(s->conn, false), from), what->bytes);
	return true;
}

bool sim_tcp_skip(void *ctx, int id, uint32_t bytes)
{
	struct world *w = ctx;
	struct sim_sock *s = stream(w, id);

	if (s->dead || bytes > s->written - s->given)
		return false;
	s->given += bytes;
	if (s->peeked < s->given)
		s->peeked = s->given;
	return true;
}

void sim_stream_shut(void *ctx, int id)
{
	struct world *w = ctx;
	struct sim_sock *s = stream(w, id);
	const struct plan_conn *c = plan_of(w, s);

	if (s->fin_seen)
		world_fail(w, "shut twice, connection %u", s->conn);
	s->fin_seen = true;
	if (s->received != c->up_bytes && !s->dead)
		world_fail(w, "end of stream after %llu of %u bytes up, "
			   "connection %u", (unsigned long long)s->received,
			   c->up_bytes, s->conn);
	if (c->up_urgent && !s->urgent_taken && !s->dead)
		world_fail(w, "nothing was urgent up, connection %u", s->conn);
	plan_tick(w, s);
}

void sim_stream_close(void *ctx, int id, bool reset)
{
	struct world *w = ctx;
	struct sim_sock *s = stream(w, id);
	const bool expected = s->kind == SOCK_RESOLVER || s->gave_up ||
			      plan_resets(plan_of(w, s)) || s->error ||
			      !s->connected || w->stopping ||
			      /* each ACK of its handshake was lost */
			      (!w->conns[s->conn].answered &&
			       !plan_calm_link(&w->plan));

	if (reset && !expected && (w->conns[s->conn].state == G_OPEN ||
				   (w->conns[s->conn].state == G_GONE &&
				    !w->conns[s->conn].may_reset)))
		world_fail(w, "reset without cause, connection %u", s->conn);
	if (!reset && (!s->fin_seen || !s->eof_given))
		world_fail(w, "closed before both ends, connection %u",
			   s->conn);
	if (!reset && s->kind == SOCK_CONN) {
		w->conns[s->conn].host_done = true;
		w->conns[s->conn].host_done_ns = w->now_ns;
	}
	sim_sock_close(s);
}
