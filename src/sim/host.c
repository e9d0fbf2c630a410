/* SPDX-License-Identifier: MIT */
/*
 * sim/host.c - env/ in virtual time: sockets of scripted programs
 *
 * Events are edges, as from epoll: after a call said ENV_AGAIN, one event
 * follows when it would go on. Between, nothing is repeated.
 */
#include <stdlib.h>

#include "base/check.h"
#include "sim/world.h"

#define CONNECT_NS	(1 * WORLD_MS)
#define SILENT_NS	(60 * 1000 * WORLD_MS)
#define TICK_NS		(1 * WORLD_MS)		/* of the host's programs */

static const struct plan_conn *plan_of(const struct world *w,
				       const struct sim_sock *s)
{
	return &w->plan.conn[s->conn];
}

/* An edge: the gateway hears of it a little later, if it still cares. */
static void deliver(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const struct sim_sock *s = &w->socks[arg >> 8];

	(void)data;
	(void)len;
	if (s->open)
		network_sock_event(w->net, s->owner, arg & 0xff, w->now_ns);
}

static void notify(struct world *w, struct sim_sock *s, unsigned events)
{
	const uint64_t slot = (uint64_t)(s - w->socks);

	world_after(w, 10000 + rng_below(&w->rng, 100000), deliver,
		    slot << 8 | events, NULL, 0);
}

static bool may_write(const struct world *w, const struct sim_sock *s)
{
	return w->now_ns >= plan_of(w, s)->host_sleep_ns + 1000 * WORLD_MS &&
	       (!plan_of(w, s)->host_waits_for_fin || s->fin_seen);
}

static void run_program(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	struct sim_sock *s = &w->socks[arg];
	const struct plan_conn *c = plan_of(w, s);
	const bool awake = w->now_ns >= c->host_sleep_ns + 1000 * WORLD_MS;
	uint64_t step;

	(void)data;
	(void)len;
	if (!s->open || s->dead)
		return;
	step = s->received - s->drained;
	step = step < c->host_drain ? step : c->host_drain;
	s->drained += awake ? step : 0;
	step = c->down_bytes - s->written;
	step = step < c->host_source ? step : c->host_source;
	s->written += may_write(w, s) ? step : 0;
	if (s->drained >= c->host_reset_at && !s->dead) {
		s->dead = true;
		notify(w, s, ENV_FAILED | ENV_READABLE);
	}
	if (s->wants_write && s->received - s->drained < c->host_buffer) {
		s->wants_write = false;
		notify(w, s, ENV_WRITABLE);
	}
	if (s->wants_read && (s->written > s->given ||
			      (s->written == c->down_bytes &&
			       may_write(w, s)))) {
		s->wants_read = false;
		notify(w, s, ENV_READABLE);
	}
	world_after(w, TICK_NS, run_program, arg, NULL, 0);
}

static void connect_done(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	struct sim_sock *s = &w->socks[arg];

	(void)data;
	(void)len;
	if (!s->open)
		return;
	s->connected = true;
	notify(w, s, s->error ? ENV_FAILED : ENV_WRITABLE);
	if (!s->error)
		run_program(w, arg, NULL, 0);
}

static int tcp_connect(void *ctx, const struct endpoint *to, struct handle h)
{
	struct world *w = ctx;
	const unsigned conn = (unsigned)(to->port - WORLD_PORT);
	unsigned i = 0;

	if (conn >= w->plan.conns)
		return -ENV_REFUSED;	/* noise from a garbage frame */
	while (i < WORLD_SOCKS && w->socks[i].open)
		i++;
	if (i == WORLD_SOCKS)
		return -ENV_LIMIT;
	w->socks[i] = (struct sim_sock){ .open = true, .conn = conn,
					 .owner = h };
	switch (w->plan.conn[conn].connect) {
	case PLAN_ACCEPT:
		break;
	case PLAN_REFUSE:
		w->socks[i].error = ENV_REFUSED;
		break;
	case PLAN_UNREACHABLE:
		w->socks[i].error = ENV_HOST_UNREACHABLE;
		break;
	case PLAN_SILENT:
		w->socks[i].error = ENV_TIMED_OUT;
		break;
	}
	world_after(w, w->socks[i].error == ENV_TIMED_OUT ? SILENT_NS :
		    CONNECT_NS, connect_done, i, NULL, 0);
	return (int)i;
}

static int connected(void *ctx, int id)
{
	const struct sim_sock *s = &((struct world *)ctx)->socks[id];

	ASSERT(s->open);
	if (!s->connected)
		return -ENV_AGAIN;
	return -s->error;
}

static uint64_t total(const struct span *v, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += v[i].len;
	return sum;
}

static int64_t again(struct world *w, struct sim_sock *s, unsigned event)
{
	/* Without cause: an event follows all the same. */
	notify(w, s, event);
	return -ENV_AGAIN;
}

static int64_t stream_send(void *ctx, int id, const struct span *v, unsigned n)
{
	struct world *w = ctx;
	struct sim_sock *s = &w->socks[id];
	const uint64_t room = plan_of(w, s)->host_buffer -
			      (s->received - s->drained);
	uint64_t len = total(v, n), left;

	ASSERT(s->open && s->connected);
	if (s->dead)
		return -ENV_RESET;
	if (s->fin_seen)
		world_fail(w, "bytes after the end, connection %u", s->conn);
	if (rng_chance(&w->rng, w->plan.short_io))
		return again(w, s, ENV_WRITABLE);
	if (len > room)
		len = room;
	if (len > 1 && rng_chance(&w->rng, w->plan.short_io))
		len = 1 + rng_below(&w->rng, (uint32_t)len);
	if (!len) {
		s->wants_write = true;
		return -ENV_AGAIN;
	}
	left = len;
	for (unsigned i = 0; i < n && left; i++)
		for (size_t k = 0; k < v[i].len && left; k++, left--)
			if (((uint8_t *)v[i].p)[k] !=
			    world_byte(s->conn, true, s->received++))
				world_fail(w, "wrong byte %llu up, "
					   "connection %u",
					   (unsigned long long)s->received,
					   s->conn);
	return (int64_t)len;
}

static int64_t stream_recv(void *ctx, int id, const struct span *v, unsigned n)
{
	struct world *w = ctx;
	struct sim_sock *s = &w->socks[id];
	uint64_t len = total(v, n), left;

	ASSERT(s->open && s->connected && len);
	if (s->dead)
		return -ENV_RESET;
	if (rng_chance(&w->rng, w->plan.short_io))
		return again(w, s, ENV_READABLE);
	if (len > s->written - s->given)
		len = s->written - s->given;
	if (!len && s->written == plan_of(w, s)->down_bytes &&
	    may_write(w, s)) {
		s->eof_given = true;
		return 0;
	}
	if (!len) {
		s->wants_read = true;
		return -ENV_AGAIN;
	}
	if (len > 1 && rng_chance(&w->rng, w->plan.short_io))
		len = 1 + rng_below(&w->rng, (uint32_t)len);
	left = len;
	for (unsigned i = 0; i < n && left; i++)
		for (size_t k = 0; k < v[i].len && left; k++, left--)
			((uint8_t *)v[i].p)[k] = world_byte(s->conn, false,
							    s->given++);
	return (int64_t)len;
}

static void stream_shut(void *ctx, int id)
{
	struct world *w = ctx;
	struct sim_sock *s = &w->socks[id];
	const struct plan_conn *c = plan_of(w, s);

	ASSERT(s->open);
	if (s->fin_seen)
		world_fail(w, "shut twice, connection %u", s->conn);
	s->fin_seen = true;
	if (s->received != c->up_bytes)
		world_fail(w, "end of stream after %llu of %u bytes up, "
			   "connection %u", (unsigned long long)s->received,
			   c->up_bytes, s->conn);
}

static void stream_close(void *ctx, int id, bool reset)
{
	struct world *w = ctx;
	struct sim_sock *s = &w->socks[id];
	const struct plan_conn *c = plan_of(w, s);
	const bool expected = c->host_reset_at != UINT64_MAX ||
			      c->guest_reset_at != UINT64_MAX ||
			      c->connect != PLAN_ACCEPT || !s->connected;

	if (!s->open)
		world_fail(w, "closed twice, connection %u", s->conn);
	s->open = false;
	if (!w->net)
		return;
	if (reset && !expected && w->conns[s->conn].state == G_OPEN)
		world_fail(w, "reset without cause, connection %u", s->conn);
	if (!reset && (!s->fin_seen || !s->eof_given))
		world_fail(w, "closed before both ends, connection %u",
			   s->conn);
}

static int dgram_open(void *ctx, bool v6, struct handle h)
{
	(void)ctx, (void)v6, (void)h;
	return -ENV_ACCESS;
}

static int dgram_send(void *ctx, int id, const struct endpoint *to,
		      const struct env_mark *mark, const struct span *v,
		      unsigned n)
{
	(void)ctx, (void)id, (void)to, (void)mark, (void)v, (void)n;
	return -ENV_OTHER;
}

static void dgram_fragment(void *ctx, int id, bool v6, bool allowed)
{
	(void)ctx, (void)id, (void)v6, (void)allowed;
}

static int64_t dgram_recv(void *ctx, int id, struct endpoint *from,
			  struct env_mark *mark, void *buf, size_t cap)
{
	(void)ctx, (void)id, (void)from, (void)mark, (void)buf, (void)cap;
	return -ENV_AGAIN;
}

static bool dgram_error(void *ctx, int id, struct env_dgram_error *out,
			void *payload, size_t cap)
{
	(void)ctx, (void)id, (void)out, (void)payload, (void)cap;
	return false;
}

static void dgram_close(void *ctx, int id)
{
	(void)ctx, (void)id;
}

static enum env_route route(void *ctx, const struct ip *ip)
{
	(void)ctx, (void)ip;
	return ENV_ROUTE_WORLD;
}

static void *mem_alloc(void *ctx, size_t bytes)
{
	struct world *w = ctx;
	void *p;

	if (rng_chance(&w->rng, w->plan.no_memory))
		return NULL;
	p = malloc(bytes);
	ASSERT(p);
	w->store_bytes += bytes;
	return p;
}

static void mem_free(void *ctx, void *p, size_t bytes)
{
	struct world *w = ctx;

	ASSERT(w->store_bytes >= bytes);
	w->store_bytes -= bytes;
	free(p);
}

static int link_send(void *ctx, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	static uint8_t frame[2 * FRAME_MAX_BYTES];
	struct world *w = ctx;
	size_t len = 0;

	if (rng_chance(&w->rng, w->plan.link_full))
		return -ENV_AGAIN;
	for (unsigned i = 0; i < n; i++) {
		ASSERT(len + v[i].len <= sizeof(frame));
		for (size_t k = 0; k < v[i].len; k++)
			frame[len++] = ((const uint8_t *)v[i].p)[k];
	}
	if (len > FRAME_MAX_BYTES)
		world_fail(w, "a frame of %zu bytes", len);
	world_to_guest(w, meta, frame, len);
	return 0;
}

static void random_bytes(void *ctx, void *buf, size_t len)
{
	struct world *w = ctx;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)rng_next(&w->rng);
}

void sim_host_end(struct world *w)
{
	for (unsigned i = 0; i < WORLD_SOCKS; i++)
		if (w->socks[i].open)
			world_fail(w, "socket of connection %u is left open",
				   w->socks[i].conn);
}

const struct env_ops sim_env_ops = {
	.tcp_connect = tcp_connect,
	.tcp = {
		.connected = connected,
		.send = stream_send,
		.recv = stream_recv,
		.shut = stream_shut,
		.close = stream_close,
	},
	.udp_open = dgram_open,
	.ping_open = dgram_open,
	.dgram_send = dgram_send,
	.dgram_fragment = dgram_fragment,
	.dgram_recv = dgram_recv,
	.dgram_error = dgram_error,
	.dgram_close = dgram_close,
	.route = route,
	.mem_alloc = mem_alloc,
	.mem_free = mem_free,
	.link_send = link_send,
	.random = random_bytes,
};
