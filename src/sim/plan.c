/* SPDX-License-Identifier: MIT */
/*
 * sim/plan.c - plans from seeds
 *
 * Most worlds are small, so that there can be many; a few are large. What
 * goes wrong is drawn first for the world, then for each part of it, so
 * that some worlds have one trouble and some have all.
 */
#include "sim/plan.h"

#include "env/env.h"
#include "sim/rng.h"
#include "wire/tcp.h"

#define MS UINT64_C(1000000)

struct plan_conn plan_conn(uint32_t up, uint32_t down)
{
	return (struct plan_conn){
		.connect_ns = MS,
		.up_bytes = up, .down_bytes = down,
		.host_reset_at = PLAN_NEVER, .guest_reset_at = PLAN_NEVER,
		.host_reset_ns = PLAN_NEVER, .guest_reset_ns = PLAN_NEVER,
		.host_error = ENV_RESET,
		.host_buffer = 65536, .host_drain = 1000000,
		.host_source = 1000000,
		.guest_buffer = 65536, .guest_drain = 1000000,
		.guest_wscale = 7, .guest_mss = 1460,
		.guest_sack = true, .guest_gso = true,
	};
}

struct plan plan_plain(struct plan_conn conn)
{
	return (struct plan){
		.seed = 1, .mtu = 1500, .max_flows = 64, .delay_ns = 50000,
		.check_every = 1, .stop_ns = PLAN_NEVER,
		.servers_change_ns = PLAN_NEVER,
		.guests = 1, .conns = 1, .conn = { conn },
	};
}

bool plan_resets(const struct plan_conn *c)
{
	return c->host_reset_at != PLAN_NEVER ||
	       c->guest_reset_at != PLAN_NEVER ||
	       c->host_reset_ns != PLAN_NEVER ||
	       c->guest_reset_ns != PLAN_NEVER;
}

bool plan_calm_link(const struct plan *p)
{
	return !p->loss_to_guest && !p->loss_to_gateway && !p->duplicate &&
	       !p->reorder && !p->corrupt && !p->link_full;
}

/* Of that many bytes, mostly few. */
static uint32_t bytes(struct rng *r)
{
	static const uint32_t most[] = {
		1, 1, 100, 3000, 3000, 3000, 20000, 20000, 20000, 70000,
		70000, 200000,
	};
	const uint32_t k = rng_below(r, 100);

	if (k == 0)
		return rng_below(r, 2000000);
	return rng_below(r, most[k % 12] + 1);
}

/* Per ms; it takes up to a few hundred ms for all of them. */
static uint32_t rate(struct rng *r, uint32_t total)
{
	static const uint32_t ms[] = { 150, 20, 3, 1 };

	return total / ms[rng_below(r, 4)] + 20;
}

/* Some time of the first seconds, mostly early. */
static uint64_t moment(struct rng *r)
{
	static const uint32_t most_us[] = { 5000, 30000, 300000, 5000000 };

	return (uint64_t)rng_below(r, most_us[rng_below(r, 4)]) * 1000;
}

static void draw_end(struct rng *r, struct plan_conn *c)
{
	static const int how[] = { ENV_RESET, ENV_RESET, ENV_TIMED_OUT,
				   ENV_HOST_UNREACHABLE, ENV_OTHER };

	c->host_error = how[rng_below(r, 5)];
	switch (rng_below(r, 14)) {
	case 0:
		c->host_reset_at = rng_below(r, c->up_bytes + 1);
		break;
	case 1:
		c->guest_reset_at = rng_below(r, c->down_bytes + 1);
		break;
	case 2:
		c->host_reset_ns = moment(r);
		if (rng_chance(r, 300))	/* nor does the guest end it */
			c->guest_fin_ns = PLAN_NEVER;
		break;
	case 3:
		c->guest_reset_ns = moment(r);
		break;
	case 4:			/* both close at once, or nearly */
		c->host_fin_ns = c->guest_fin_ns = 40 * MS + moment(r);
		c->host_fin_ns += rng_below(r, 3000000);
		break;
	case 5:
		c->host_fin_ns = moment(r);
		c->guest_fin_ns = moment(r);
		break;
	case 6: case 7:
		c->host_waits_for_fin = true;
		break;
	case 8: case 9:
		c->guest_waits_for_fin = true;
		break;
	default:
		break;
	}
}

static void draw_guest(struct rng *r, struct plan_conn *c, unsigned mtu)
{
	const unsigned mss = mtu - (c->v6 ? 60 : 40);

	c->guest_buffer = 2048u << rng_below(r, 8);
	c->guest_wscale = rng_chance(r, 150) ? TCP_NO_WSCALE :
			  (uint8_t)rng_below(r, 15);
	/* A window that its scale rounds to nothing moves nothing. */
	while (c->guest_wscale != TCP_NO_WSCALE &&
	       c->guest_buffer >> c->guest_wscale < 4)
		c->guest_wscale--;
	c->guest_drain = rate(r, c->down_bytes);
	c->guest_sleep_ns = rng_chance(r, 150) ? moment(r) : 0;
	c->guest_mss = rng_chance(r, 800) ? (uint16_t)mss :
		       rng_chance(r, 300) ? 0 :
		       rng_chance(r, 500) ? (uint16_t)(1 + rng_below(r, 120)) :
					    (uint16_t)(1 + rng_below(r, mss));
	if (c->guest_mss < 200 && c->guest_mss && c->down_bytes > 20000)
		c->down_bytes %= 20000;
	c->guest_sack = rng_chance(r, 700);
	c->guest_ts = rng_chance(r, 300);
	c->guest_odd_options = rng_chance(r, 100);
	c->guest_gso = rng_chance(r, 700);
	c->guest_shrinks = rng_chance(r, 80);
	c->guest_stale = rng_chance(r, 50);
	if (rng_chance(r, 400))
		c->guest_keepalive_ns = (500 + rng_below(r, 60000)) * MS;
}

static struct plan_conn conn_random(struct rng *r, unsigned mtu, bool calm)
{
	const uint32_t up = bytes(r), down = bytes(r);
	struct plan_conn c = plan_conn(up, down);
	const uint32_t fate = rng_below(r, 20);

	c.connect = fate == 0 ? PLAN_REFUSE : fate == 1 ? PLAN_UNREACHABLE :
		    fate == 2 ? PLAN_SILENT : PLAN_ACCEPT;
	c.connect_ns = rng_chance(r, 100) && c.connect != PLAN_ACCEPT ? 0 :
		       1000 + moment(r) / 4;
	c.v6 = rng_chance(r, 300);
	c.via_gateway = rng_chance(r, 150);
	c.first_refuses = c.via_gateway && rng_chance(r, 500);
	draw_end(r, &c);
	c.host_buffer = 1024u << rng_below(r, 9);
	c.host_drain = rate(r, c.up_bytes);
	c.host_source = rate(r, c.down_bytes);
	c.host_sleep_ns = rng_chance(r, 150) ? moment(r) : 0;
	draw_guest(r, &c, mtu);
	if (rng_chance(r, 120)) {
		c.questions = 1 + rng_below(r, PLAN_ASKS_MAX);
		c.connect = PLAN_ACCEPT;
		c.host_reset_at = c.host_reset_ns = PLAN_NEVER;
		c.via_gateway = c.guest_waits_for_fin = false;
		if (c.guest_fin_ns == PLAN_NEVER)
			c.guest_fin_ns = 0;
		/* A RST that is lost leaves the gateway waiting. */
		if (!calm)
			c.guest_reset_at = c.guest_reset_ns = PLAN_NEVER;
	}
	return c;
}

static struct plan_chat chat_random(struct rng *r, unsigned mtu)
{
	static const enum plan_peer peers[] = {
		PLAN_ECHO, PLAN_ECHO, PLAN_ECHO, PLAN_MUTE, PLAN_ERROR,
		PLAN_STRANGER,
	};
	const bool v6 = rng_chance(r, 300);
	const uint32_t fits = mtu - (v6 ? 48 : 28);
	struct plan_chat c = { .v6 = v6, .batch = 1 };

	c.peer = peers[rng_below(r, 6)];
	c.via_gateway = rng_chance(r, 150);
	c.guest_port = (uint8_t)rng_below(r, 3);
	c.ttl = rng_chance(r, 700) ? 64 : (uint8_t)(2 + rng_below(r, 254));
	c.sends = 1 + rng_below(r, 4);
	c.replies = rng_below(r, 3);
	c.bytes = rng_chance(r, 800) ? rng_below(r, 200) :
				       rng_below(r, fits + 1);
	c.reply_bytes = rng_chance(r, 800) ? rng_below(r, 200) :
			rng_below(r, (v6 ? fits : 65507) + 1);
	c.gap_ns = moment(r);
	c.delay_ns = rng_chance(r, 900) ? moment(r) : rng_below(r, 60000) * MS;

	if (rng_chance(r, 50))		/* the idle time-out passes between */
		c.gap_ns = (100 + rng_below(r, 40)) * 1000 * MS;
	if (rng_chance(r, 200) && c.bytes && c.bytes <= 1000)
		c.batch = (uint8_t)(2 + rng_below(r, 10));
	return c;
}

static void draw_dns(struct rng *r, struct plan *p)
{
	p->servers = rng_below(r, PLAN_SERVERS_MAX + 1);
	p->asks = rng_chance(r, 300) ? rng_below(r, PLAN_ASKS_MAX + 1) : 0;
	for (unsigned i = 0; i < p->servers; i++) {
		struct plan_server *s = &p->server[i];
		const bool good = rng_chance(r, 500);

		s->v6 = rng_chance(r, 300);
		s->answer = good ? 1000 : rng_below(r, 1000);
		s->delay_ns = moment(r) / (good ? 10 : 1);
		s->many = rng_chance(r, 300) ? 500 : 0;
		if (good)
			continue;
		s->garbage = rng_below(r, 500);
		s->servfail = rng_below(r, 300);
		s->error = rng_below(r, 300);
	}
	for (unsigned i = 0; i < p->asks; i++) {
		struct plan_ask *a = &p->ask[i];

		a->v6 = rng_chance(r, 300);
		a->own = rng_chance(r, 200);
		a->at_ns = moment(r);
	}
	p->servers_change_ns = rng_chance(r, 100) ? moment(r) : PLAN_NEVER;
}

static void draw_link(struct rng *r, struct plan *p)
{
	p->delay_ns = 1000 + rng_below(r, 2000000);
	p->turn_ns = rng_chance(r, 500) ? rng_below(r, 100000) : 0;
	if (rng_chance(r, 500)) {
		p->loss_to_guest = rng_below(r, 60);
		p->loss_to_gateway = rng_below(r, 60);
		p->duplicate = rng_below(r, 30);
		p->reorder = rng_below(r, rng_chance(r, 200) ? 500 : 100);
	}
	p->corrupt = rng_chance(r, 200) ? rng_below(r, 60) : 0;
	p->link_full = rng_chance(r, 150) ? rng_below(r, 50) : 0;
	p->garbage = rng_chance(r, 200) ? rng_below(r, 50) : 0;
}

static void draw_host(struct rng *r, struct plan *p)
{
	p->short_io = rng_chance(r, 500) ? rng_below(r, 300) : 0;
	p->no_memory = rng_chance(r, 150) ? rng_below(r, 300) : 0;
	p->no_socket = rng_chance(r, 100) ? rng_below(r, 300) : 0;
	p->send_fails = rng_chance(r, 100) ? rng_below(r, 300) : 0;
	p->late_events = rng_chance(r, 300) ? rng_below(r, 1000) : 0;
	p->stop_ns = rng_chance(r, 60) ? moment(r) : PLAN_NEVER;
}

/*
 * A fast download of which a frame or two are lost: what follows them tells
 * of it at once, so nobody may wait for a timer.
 */
static struct plan repair_random(struct rng *r, uint64_t seed)
{
	struct plan p = plan_plain(plan_conn(0, 2000000));
	struct plan_conn *c = &p.conn[0];

	p.seed = seed;
	p.check_every = 32;
	c->v6 = rng_chance(r, 500);
	c->guest_mss = (uint16_t)(1000 + rng_below(r, 441));
	c->guest_buffer = 4 << 20;
	c->guest_sack = rng_chance(r, 700);
	p.drop_data[0] = 25 + rng_below(r, 10);
	if (c->guest_sack)
		p.drop_data[1] = p.drop_data[0] + 1;
	p.end_ns = 150 * MS;
	return p;
}

static void draw_urgent(struct rng *r, struct plan *p)
{
	for (unsigned i = 0; i < p->conns; i++) {
		struct plan_conn *c = &p->conn[i];

		if (c->questions)
			continue;
		if (c->up_bytes && rng_chance(r, 200))
			c->up_urgent = 1 + rng_below(r, c->up_bytes);
		if (c->down_bytes && rng_chance(r, 200))
			c->down_urgent = 1 + rng_below(r, c->down_bytes);
	}
}

/* Of a moment, of minutes, or of hours: past any time-out that there is. */
static void draw_jumps(struct rng *r, struct plan *p)
{
	static const uint32_t most_ms[] = { 1000, 300000, 36000000 };

	p->jumps = rng_chance(r, 100) ? 1 + rng_below(r, PLAN_JUMPS_MAX) : 0;
	for (unsigned i = 0; i < p->jumps; i++)
		p->jump[i] = (struct plan_jump){
			.at_ns = moment(r),
			.by_ns = (1 + rng_below(r, most_ms[rng_below(r, 3)])) *
				 MS,
		};
}

/*
 * Last, so that the worlds of one guest stay what they are. A connection is
 * forgotten that was silent for hours.
 */
static void draw_guests(struct rng *r, struct plan *p)
{
	p->guests = rng_chance(r, 400) ? 2 + rng_below(r, PLAN_GUESTS_MAX - 1) :
					  1;
	if (p->guests == 1)
		return;
	p->talks = rng_below(r, PLAN_TALKS_MAX + 1);
	for (unsigned i = 0; i < p->talks; i++) {
		struct plan_talk *t = &p->talk[i];

		t->tcp = rng_chance(r, 700) && !p->jumps;
		t->v6 = rng_chance(r, 400);
		t->offload = rng_chance(r, 500);
		t->units = rng_below(r, 20);
		t->bytes = 1 + rng_below(r, t->tcp && t->offload ? 20000 :
							   1200);
	}
}

struct plan plan_random(uint64_t seed)
{
	struct rng r = { .state = seed * 2654435761u + 1 };
	struct plan p = { .seed = seed };

	p.mtu = rng_chance(&r, 800) ? 1500 : 1280 + rng_below(&r, 64241);
	p.max_flows = rng_chance(&r, 100) ? 16 : 64;
	p.check_every = rng_chance(&r, 100) ? 1 : 32;
	if (rng_chance(&r, 10))
		return repair_random(&r, seed);
	draw_link(&r, &p);
	draw_host(&r, &p);
	p.conns = 1 + rng_below(&r, rng_chance(&r, 400) ? PLAN_CONNS_MAX : 2);
	for (unsigned i = 0; i < p.conns; i++)
		p.conn[i] = conn_random(&r, p.mtu, plan_calm_link(&p));
	p.chats = rng_chance(&r, 500) ? rng_below(&r, PLAN_CHATS_MAX + 1) : 0;
	for (unsigned i = 0; i < p.chats; i++)
		p.chat[i] = chat_random(&r, p.mtu);
	p.pings = rng_chance(&r, 200) ? rng_below(&r, PLAN_PINGS_MAX + 1) : 0;
	for (unsigned i = 0; i < p.pings; i++) {
		p.ping[i] = chat_random(&r, p.mtu);
		p.ping[i].batch = 1;
		if (p.ping[i].delay_ns > 20000 * MS)
			p.ping[i].delay_ns /= 4;	/* not idle by then */
	}
	draw_dns(&r, &p);
	draw_urgent(&r, &p);
	p.programs = rng_chance(&r, 250);
	p.gate = rng_chance(&r, 250);
	p.rule_changes = rng_chance(&r, 200) ? rng_below(&r, 20) : 0;
	draw_jumps(&r, &p);
	draw_guests(&r, &p);
	p.unread = rng_chance(&r, 600);
	p.no_unread = rng_chance(&r, 50) ? 1000 :
		      rng_chance(&r, 100) ? rng_below(&r, 20) : 0;
	return p;
}
