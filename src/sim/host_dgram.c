/* SPDX-License-Identifier: MIT */
/*
 * sim/host_dgram.c - UDP and ping sockets of the host, and who answers
 *
 * Every chat and direction has a stretch of the pattern of its own, so
 * that a wrong, cut or mixed-up datagram shows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim/world.h"
#include "wire/icmp.h"

#define BATCH_MOST	65507u	/* bytes of a batch: RFC 768 in IPv4 */

struct sim_dgram {
	struct sim_dgram *next;
	struct endpoint peer;		/* from there; of an error: to there */
	unsigned *count;		/* add one when it is fetched */
	uint64_t ready_ns;
	size_t len;
	uint8_t data[];
};

static struct sim_sock *dgram(struct world *w, int id)
{
	struct sim_sock *s;

	ASSERT(id >= 0 && id < WORLD_SOCKS);
	s = &w->socks[id];
	ASSERT(s->kind == SOCK_UDP || s->kind == SOCK_PING);
	return s;
}

static int dgram_open(void *ctx, bool v6, struct handle h, enum sim_kind kind)
{
	struct world *w = ctx;
	const int id = sim_sock_open(w, kind, h);

	if (id >= 0)
		w->socks[id].v6 = v6;
	return id;
}

int sim_udp_open(void *ctx, bool v6, struct handle h)
{
	return dgram_open(ctx, v6, h, SOCK_UDP);
}

int sim_ping_open(void *ctx, bool v6, struct handle h)
{
	return dgram_open(ctx, v6, h, SOCK_PING);
}

static void put_last(struct sim_dgram **at, struct sim_dgram *d)
{
	while (*at)
		at = &(*at)->next;
	*at = d;
}

static void tell(struct world *w, struct sim_sock *s)
{
	sim_notify(w, s, ENV_READABLE);
}

static struct sim_dgram *make(struct world *w, uint64_t delay_ns,
			      const struct endpoint *peer, unsigned *count,
			      const void *data, size_t len)
{
	struct sim_dgram *d = malloc(sizeof(*d) + len);

	ASSERT(d);
	*d = (struct sim_dgram){ .peer = *peer, .count = count, .len = len,
				 .ready_ns = w->now_ns + delay_ns };
	memcpy(d->data, data, len);
	return d;
}

void sim_post(struct world *w, struct sim_sock *s, uint64_t delay_ns,
	      const struct endpoint *from, unsigned *count,
	      const void *data, size_t len)
{
	put_last(&s->inbox, make(w, delay_ns, from, count, data, len));
	sim_sock_after(w, s, delay_ns, tell);
}

void sim_post_error(struct world *w, struct sim_sock *s, uint64_t delay_ns,
		    const struct endpoint *to, unsigned *count,
		    const void *data, size_t len)
{
	put_last(&s->errors, make(w, delay_ns, to, count, data, len));
	sim_sock_after(w, s, delay_ns, tell);
}

/* The first that has arrived by now, taken off the list; or NULL. */
static struct sim_dgram *take(const struct world *w, struct sim_dgram **list)
{
	for (; *list; list = &(*list)->next) {
		struct sim_dgram *d = *list;

		if (d->ready_ns > w->now_ns)
			continue;
		*list = d->next;
		if (d->count)
			++*d->count;
		return d;
	}
	return NULL;
}

bool sim_dgram_ready(const struct world *w, const struct sim_sock *s)
{
	for (const struct sim_dgram *d = s->inbox; d; d = d->next)
		if (d->ready_ns <= w->now_ns)
			return true;
	for (const struct sim_dgram *d = s->errors; d; d = d->next)
		if (d->ready_ns <= w->now_ns)
			return true;
	return false;
}

void sim_dgram_fragment(void *ctx, int id, bool v6, bool allowed,
			uint16_t mtu)
{
	ASSERT(dgram(ctx, id)->v6 == v6);
	ASSERT(!mtu || (v6 && allowed));
}

/*
 * What follows d from the same peer may come with it, as a batch (UDP_GRO):
 * all of its length, the last perhaps shorter. The bytes in buf then.
 */
static size_t join(struct world *w, struct sim_sock *s,
		   const struct sim_dgram *d, struct env_mark *mark,
		   uint8_t *buf, size_t cap)
{
	size_t len = d->len, last = d->len;

	while (s->inbox && s->inbox->ready_ns <= w->now_ns && last &&
	       last == d->len && s->inbox->len && s->inbox->len <= last &&
	       len + s->inbox->len <= (cap < BATCH_MOST ? cap : BATCH_MOST) &&
	       ip_equal(&s->inbox->peer.ip, &d->peer.ip) &&
	       s->inbox->peer.port == d->peer.port &&
	       rng_chance(&w->rng, 700)) {
		struct sim_dgram *next = take(w, &s->inbox);

		memcpy(buf + len, next->data, next->len);
		last = next->len;
		len += last;
		mark->segment = (uint16_t)d->len;
		free(next);
	}
	return len;
}

int64_t sim_dgram_recv(void *ctx, int id, struct endpoint *from,
		       struct env_mark *mark, void *buf, size_t cap)
{
	struct world *w = ctx;
	struct sim_sock *s = dgram(w, id);
	struct sim_dgram *d;
	size_t len;

	if (rng_chance(&w->rng, w->plan.short_io))
		return rng_chance(&w->rng, 300) ? -ENV_REFUSED : -ENV_AGAIN;
	d = take(w, &s->inbox);
	if (!d)
		return -ENV_AGAIN;
	len = d->len < cap ? d->len : cap;
	memcpy(buf, d->data, len);
	*from = d->peer;
	*mark = (struct env_mark){ .ttl = 60 };
	if (s->kind == SOCK_UDP)
		len = join(w, s, d, mark, buf, cap);
	free(d);
	return (int64_t)len;
}

bool sim_dgram_error(void *ctx, int id, struct env_net_error *out,
		     void *payload, size_t cap)
{
	struct world *w = ctx;
	struct sim_sock *s = dgram(w, id);
	struct sim_dgram *d = take(w, &s->errors);
	bool v4;

	if (!d)
		return false;
	v4 = ip_is4(&d->peer.ip);
	*out = (struct env_net_error){	/* port unreachable */
		.to = d->peer, .offender = d->peer.ip,
		.type = v4 ? 3 : 1, .code = v4 ? 3 : 4,
		.payload_bytes = d->len,
	};
	memcpy(payload, d->data, d->len < cap ? d->len : cap);
	free(d);
	return true;
}

void sim_dgram_free(struct sim_sock *s)
{
	while (s->inbox) {
		struct sim_dgram *d = s->inbox;

		s->inbox = d->next;
		free(d);
	}
	while (s->errors) {
		struct sim_dgram *d = s->errors;

		s->errors = d->next;
		free(d);
	}
}

void sim_dgram_close(void *ctx, int id)
{
	sim_sock_close(dgram(ctx, id));
}

/* The address of a chat's or ping's peer as the host has it. */
static struct ip peer_ip(const struct world *w, const struct plan_chat *c,
			 unsigned i)
{
	if (!c->via_gateway)
		return world_peer(w, c->v6, false, i);
	return c->v6 ? (struct ip){ .b[15] = 1 } : ip_from_v4(0x7f000001);
}

static void check_ttl(struct world *w, const struct plan_chat *c, uint8_t ttl)
{
	const bool usual = c->ttl == 64 || c->ttl == 128 || c->ttl == 255;

	if (w->plan.corrupt && c->v6)
		return;			/* nothing protects it */
	if (ttl != (usual ? 0 : c->ttl - 1))
		world_fail(w, "hop limit %u became %u", c->ttl, ttl);
}

/* One guest port is one socket: RFC 4787 section 4.1. */
static void check_map(struct world *w, struct sim_sock *s,
		      const struct plan_chat *c)
{
	if (s->guest_port >= 0 && s->guest_port != c->guest_port)
		world_fail(w, "two ports of the guest share a socket");
	s->guest_port = c->guest_port;
	for (unsigned i = 0; i < WORLD_SOCKS; i++) {
		const struct sim_sock *o = &w->socks[i];

		if (o != s && o->kind == SOCK_UDP && !o->dns &&
		    o->v6 == s->v6 && o->guest_port == s->guest_port)
			world_fail(w, "a port of the guest has two sockets");
	}
}

static void respond(struct world *w, struct sim_sock *s,
		    const struct plan_chat *c, struct sim_count *count,
		    const struct endpoint *to, const void *request,
		    size_t request_len, const void *reply, size_t len)
{
	struct endpoint stranger = *to;

	if (s->kind == SOCK_UDP)
		stranger.port += 7;
	else
		stranger.ip.b[15] ^= 0x55;
	switch (c->peer) {
	case PLAN_MUTE:
		return;
	case PLAN_ERROR:
		sim_post_error(w, s, c->delay_ns, to, &count->errors_given,
			       request, request_len);
		return;
	case PLAN_STRANGER:
		sim_post(w, s, c->delay_ns, &stranger, NULL, reply, len);
		break;
	case PLAN_ECHO:
		break;
	}
	sim_post(w, s, c->delay_ns, to, &count->given, reply, len);
}

static void to_chat(struct world *w, struct sim_sock *s, unsigned i,
		    const struct endpoint *to, uint8_t ttl,
		    const uint8_t *data, size_t len)
{
	const struct plan_chat *c = &w->plan.chat[i];
	struct sim_count *count = &w->chats[i];
	const struct ip ip = peer_ip(w, c, i);

	count->carried++;
	check_ttl(w, c, ttl);
	check_map(w, s, c);
	if (!ip_equal(&ip, &to->ip) || s->v6 != c->v6)
		world_fail(w, "chat %u to a wrong address", i);
	if (len != c->bytes ||
	    !pattern_is(PATTERN_CHAT(i, true), 0, data, len))
		world_fail(w, "chat %u: a wrong datagram of %zu bytes", i,
			   len);
	for (unsigned k = 0; k < (c->peer == PLAN_ERROR ? 1 : c->replies); k++)
		respond(w, s, c, count, to, data, len,
			pattern(PATTERN_CHAT(i, false), 0), c->reply_bytes);
}

/* An echo request for ping i, whose peer has an address of its own. */
static void to_ping(struct world *w, struct sim_sock *s,
		    const struct endpoint *to, uint8_t ttl,
		    const uint8_t *data, size_t len)
{
	static uint8_t buf[FRAME_MAX_BYTES];
	struct ip_packet ip = { .proto = s->v6 ? PROTO_ICMP6 : PROTO_ICMP,
				.payload = { .p = data, .len = len } };
	struct wr out = wr(buf, sizeof(buf));
	struct icmp_echo echo;
	unsigned i = 0;

	for (; i < w->plan.pings; i++) {
		const struct ip at = peer_ip(w, &w->plan.ping[i], 50 + i);

		if (ip_equal(&at, &to->ip))
			break;
	}
	if (i == w->plan.pings)
		return;			/* noise */
	w->pings[i].carried++;
	check_ttl(w, &w->plan.ping[i], ttl);
	if (icmp_parse_echo(&ip, &echo) != DROP_OK || echo.reply ||
	    echo.data.len != w->plan.ping[i].bytes ||
	    !pattern_is(PATTERN_PING(i), echo.seq, echo.data.p,
			echo.data.len)) {
		world_fail(w, "ping %u: a wrong request", i);
		return;
	}
	echo.reply = true;
	echo.id = 0x7777;		/* the host's own */
	icmp_emit_echo(&out, &to->ip, &to->ip, &echo);
	respond(w, s, &w->plan.ping[i], &w->pings[i], to, data, len, buf,
		(size_t)(out.p - buf));
}

static int failure(struct world *w)
{
	static const int how[] = {
		ENV_AGAIN, ENV_NET_UNREACHABLE, ENV_HOST_UNREACHABLE,
		ENV_ACCESS, ENV_LIMIT, ENV_TOO_BIG, ENV_OTHER, ENV_REFUSED,
	};

	return -how[rng_below(&w->rng, 8)];
}

static int send_batch(struct world *w, int id, const struct endpoint *to,
		      const struct env_mark *mark, const struct span *v)
{
	struct env_mark one = *mark;
	int rc = 0;

	one.segment = 0;
	ASSERT(v->len > mark->segment);
	for (size_t at = 0; at < v->len && !rc; at += mark->segment) {
		const size_t left = v->len - at;
		const struct span s = {
			.p = (uint8_t *)v->p + at,
			.len = left < mark->segment ? left : mark->segment,
		};

		rc = sim_dgram_send(w, id, to, &one, &s, 1);
	}
	return rc;
}

int sim_dgram_send(void *ctx, int id, const struct endpoint *to,
		   const struct env_mark *mark, const struct span *v,
		   unsigned n)
{
	struct world *w = ctx;
	struct sim_sock *s = dgram(w, id);
	const unsigned chat = (unsigned)(to->port - WORLD_CHAT_PORT);
	unsigned server;

	ASSERT(n == 1);
	if (mark && mark->segment)
		return send_batch(w, id, to, mark, v);
	world_mix(w, v[0].p, v[0].len);
	if (rng_chance(&w->rng, w->plan.send_fails)) {
		if (s->kind == SOCK_UDP && chat < w->plan.chats)
			w->chats[chat].carried++;
		return failure(w);
	}
	if (s->kind == SOCK_PING)
		to_ping(w, s, to, mark ? mark->ttl : 0, v[0].p, v[0].len);
	else if (resolver_at(w, to, &server))
		resolver_udp(w, s, server, v[0].p, v[0].len);
	else if (chat < w->plan.chats)
		to_chat(w, s, chat, to, mark ? mark->ttl : 0, v[0].p,
			v[0].len);
	return 0;
}
