/* SPDX-License-Identifier: MIT */
/*
 * sim/host.c - env/ in virtual time: sockets, memory, link and chance
 *
 * Events are edges for streams, as from epoll: after a call said
 * ENV_AGAIN, one event follows when it would go on. Those of datagrams
 * repeat while there is something to fetch. An event may still be under
 * way when its socket is closed; then the core may hear of it all the
 * same, as from a batch of epoll's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim/world.h"

int sim_sock_open(struct world *w, enum sim_kind kind, struct handle owner)
{
	struct sim_sock *s;
	uint32_t gen;
	int i = 0;

	if (rng_chance(&w->rng, w->plan.no_socket))
		return -ENV_LIMIT;
	while (i < WORLD_SOCKS && w->socks[i].kind != SOCK_CLOSED)
		i++;
	if (i == WORLD_SOCKS)
		return -ENV_LIMIT;
	s = &w->socks[i];
	gen = s->gen + 1;
	*s = (struct sim_sock){ .kind = kind, .gen = gen, .owner = owner,
				.guest_port = -1 };
	return i;
}

void sim_sock_close(struct sim_sock *s)
{
	free(s->answer);
	s->answer = NULL;
	sim_dgram_free(s);
	s->kind = SOCK_CLOSED;
}

struct notice {
	struct handle owner;
	uint32_t gen;
	unsigned slot, events;
	void (*run)(struct world *, struct sim_sock *);
};

static void *notice(const struct world *w, const struct sim_sock *s,
		    unsigned events,
		    void (*run)(struct world *, struct sim_sock *))
{
	struct notice *n = malloc(sizeof(*n));

	ASSERT(n);
	*n = (struct notice){ .owner = s->owner, .gen = s->gen,
			      .slot = (unsigned)(s - w->socks),
			      .events = events, .run = run };
	return n;
}

static bool is_open(const struct world *w, const struct notice *n)
{
	const struct sim_sock *s = &w->socks[n->slot];

	return s->kind != SOCK_CLOSED && s->gen == n->gen;
}

static void deliver(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const struct notice *n = data;
	unsigned events = n->events;

	(void)arg, (void)len;
	if (is_open(w, n)) {
		w->socks[n->slot].told = false;
		w->socks[n->slot].urgent_told |= events & ENV_URGENT;
		if (w->socks[n->slot].errors)
			events |= ENV_FAILED;
	} else if (!rng_chance(&w->rng, w->plan.late_events)) {
		return;
	}
	network_sock_event(w->net, n->owner, events, w->now_ns);
	/* Datagrams: again, until all is fetched. */
	if (is_open(w, n) && sim_dgram_ready(w, &w->socks[n->slot]))
		sim_notify(w, &w->socks[n->slot], ENV_READABLE);
}

void sim_notify(struct world *w, struct sim_sock *s, unsigned events)
{
	const bool dgram = s->kind == SOCK_UDP || s->kind == SOCK_PING;

	if (dgram && s->told)
		return;
	s->told = true;
	world_after(w, 10000 + rng_below(&w->rng, 100000), deliver, 0,
		    notice(w, s, events, NULL), 0);
}

static void run_later(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const struct notice *n = data;

	(void)arg, (void)len;
	if (is_open(w, n))
		n->run(w, &w->socks[n->slot]);
}

void sim_sock_after(struct world *w, struct sim_sock *s, uint64_t delay_ns,
		    void (*run)(struct world *, struct sim_sock *))
{
	world_after(w, delay_ns, run_later, 0, notice(w, s, 0, run), 0);
}

/* Theirs have loopback alone. */
static bool host_address(void *ctx, bool v6, unsigned n, struct ip *out)
{
	(void)ctx, (void)v6, (void)n, (void)out;
	return false;
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
	ASSERT(p && bytes >= 4096 && bytes <= 4 << 20 &&
	       !(bytes & (bytes - 1)));
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

static void link_has_room(void *ctx, uint64_t link, void *data, size_t len)
{
	struct world *w = ctx;

	(void)len;
	free(data);
	network_link_ready(w->net, (unsigned)link, w->now_ns);
}

/* Most links tell when they have room again, some do not. */
static void link_fills(struct world *w, unsigned link)
{
	if (!rng_chance(&w->rng, 200))
		world_after(w, rng_below(&w->rng, 20000000), link_has_room,
			    link, NULL, 0);
}

static int link_send(void *ctx, unsigned link, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	static uint8_t frame[2 * FRAME_MAX_BYTES];
	struct world *w = ctx;
	size_t len = 0;

	ASSERT(link < w->plan.guests);
	for (unsigned i = 0; i < n; i++) {
		ASSERT(len + v[i].len <= sizeof(frame));
		memcpy(frame + len, v[i].p, v[i].len);
		len += v[i].len;
	}
	if (meta->unread.bytes) {
		ASSERT(len + meta->unread.bytes <= sizeof(frame));
		if (!sim_stream_copy(w, &meta->unread, frame + len))
			return -ENV_OTHER;
		len += meta->unread.bytes;
	}
	watch_frame(w, link, meta, frame, len);
	if (rng_chance(&w->rng, w->plan.link_full)) {
		w->link_full++;
		link_fills(w, link);
		return -ENV_AGAIN;
	}
	w->to_guest++;
	link_to_guest(w, link, meta, frame, len);
	if (!rng_chance(&w->rng, w->plan.link_full))
		return 0;
	link_fills(w, link);
	return ENV_AGAIN;
}

static bool link_takes_unread(void *ctx, unsigned link)
{
	const struct world *w = ctx;

	(void)link;
	return w->plan.unread;
}

static void random_bytes(void *ctx, void *buf, size_t len)
{
	struct world *w = ctx;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)rng_next(&w->rng);
}

void sim_host_end(struct world *w)
{
	static const char *const kinds[] = { "", "connection", "resolver",
					     "UDP", "ping" };

	for (unsigned i = 0; i < WORLD_SOCKS; i++)
		if (w->socks[i].kind != SOCK_CLOSED)
			world_fail(w, "a %s socket (%u) is left open",
				   kinds[w->socks[i].kind], w->socks[i].conn);
}

void sim_host_free(struct world *w)
{
	for (unsigned i = 0; i < WORLD_SOCKS; i++)
		sim_sock_close(&w->socks[i]);
}

/* Nothing of the worlds' hosts asks for the guest. */
static int tcp_adopt(void *ctx, int id, struct handle owner)
{
	(void)ctx, (void)id, (void)owner;
	return -ENV_LIMIT;
}

/* No host of the worlds' goes away without a word. */
static void tcp_keepalive(void *ctx, int id)
{
	(void)ctx, (void)id;
}

/* And none of their hosts loses its address. */
static bool tcp_stranded(void *ctx, int id)
{
	(void)ctx, (void)id;
	return false;
}

/* Its sockets hold no more than a world's plan gives them, at all times. */
static void tcp_crowd(void *ctx, int id, uint32_t n)
{
	(void)ctx, (void)id, (void)n;
}

static unsigned never(void *ctx, int id)
{
	(void)ctx, (void)id;
	return 0;
}

/* No tunnels, and routes that stay. */
static void path(void *ctx, const struct ip *ip, struct env_path *out)
{
	(void)ctx, (void)ip;
	*out = (struct env_path){ .dev = 0 };
}

static uint32_t never_waits(void *ctx, int id, bool *gap)
{
	(void)ctx, (void)id;
	*gap = false;
	return 0;
}

static bool stays(void *ctx, int id)
{
	(void)ctx, (void)id;
	return false;
}

const struct env_ops sim_env_ops = {
	.tcp_connect = sim_tcp_connect,
	.tcp_error = sim_tcp_error, .tcp_stranded = tcp_stranded,
	.tcp_moved = stays, .tcp_stalled = never,
	.tcp_waits = never_waits,
	.tcp_send_urgent = sim_tcp_send_urgent,
	.tcp_at_urgent = sim_tcp_at_urgent,
	.tcp_unread = sim_tcp_unread, .tcp_skip = sim_tcp_skip,
	.link_takes_unread = link_takes_unread,
	.tcp = {
		.connected = sim_stream_connected,
		.send = sim_stream_send,
		.recv = sim_stream_recv,
		.shut = sim_stream_shut,
		.close = sim_stream_close,
	},
	.tcp_adopt = tcp_adopt,
	.tcp_keepalive = tcp_keepalive,
	.tcp_crowd = tcp_crowd,
	.udp_open = sim_udp_open, .udp_adopt = tcp_adopt,
	.ping_open = sim_ping_open,
	.dgram_send = sim_dgram_send,
	.dgram_fragment = sim_dgram_fragment,
	.dgram_recv = sim_dgram_recv,
	.dgram_error = sim_dgram_error,
	.dgram_close = sim_dgram_close,
	.host_address = host_address, .route = route,
	.path = path,
	.mem_alloc = mem_alloc,
	.mem_free = mem_free,
	.link_send = link_send,
	.ask_program = sim_ask_program, .blocked = sim_blocked,
	.random = random_bytes,
};
