/* SPDX-License-Identifier: MIT */
#include "sim/plan.h"

#include "sim/rng.h"

#define MS UINT64_C(1000000)

struct plan_conn plan_conn(uint32_t up, uint32_t down)
{
	return (struct plan_conn){
		.up_bytes = up, .down_bytes = down,
		.host_reset_at = UINT64_MAX, .guest_reset_at = UINT64_MAX,
		.host_buffer = 65536, .host_drain = 1000000,
		.host_source = 1000000,
		.guest_buffer = 65536, .guest_drain = 1000000,
		.guest_wscale = 7, .guest_sack = true, .guest_gso = true,
	};
}

struct plan plan_plain(struct plan_conn conn)
{
	return (struct plan){ .seed = 1, .mtu = 1500, .delay_ns = 50000,
			      .conns = 1, .conn = { conn } };
}

static uint32_t bytes(struct rng *r)
{
	static const uint32_t most[] = { 1, 100, 3000, 50000, 400000 };

	return rng_below(r, most[rng_below(r, 5)] + 1);
}

static uint32_t rate(struct rng *r)
{
	static const uint32_t per_ms[] = { 20, 300, 5000, 1000000 };

	return per_ms[rng_below(r, 4)];
}

static struct plan_conn conn_random(struct rng *r)
{
	struct plan_conn c = plan_conn(bytes(r), bytes(r));
	const uint32_t fate = rng_below(r, 20);

	c.connect = fate == 0 ? PLAN_REFUSE : fate == 1 ? PLAN_UNREACHABLE :
		    fate == 2 ? PLAN_SILENT : PLAN_ACCEPT;
	c.v6 = rng_chance(r, 300);
	if (rng_chance(r, 100))
		c.host_reset_at = rng_below(r, c.up_bytes + 1);
	else if (rng_chance(r, 100))
		c.guest_reset_at = rng_below(r, c.down_bytes + 1);
	c.host_waits_for_fin = rng_chance(r, 200);
	c.guest_waits_for_fin = !c.host_waits_for_fin && rng_chance(r, 200);
	c.host_buffer = 1024u << rng_below(r, 9);
	c.guest_buffer = 2048u << rng_below(r, 8);
	c.host_drain = rate(r);
	c.host_source = rate(r);
	c.guest_drain = rate(r);
	c.guest_sleep_ns = rng_chance(r, 200) ? 3000 * MS : 0;
	c.host_sleep_ns = rng_chance(r, 200) ? 3000 * MS : 0;
	c.guest_wscale = (uint8_t)rng_below(r, 11);
	c.guest_sack = rng_chance(r, 700);
	c.guest_gso = rng_chance(r, 700);
	return c;
}

struct plan plan_random(uint64_t seed)
{
	struct rng r = { .state = seed * 2654435761u + 1 };
	const bool bad_link = rng_chance(&r, 500);
	struct plan p = {
		.seed = seed,
		.mtu = rng_chance(&r, 800) ? 1500 : 1280 + rng_below(&r, 64000),
		.delay_ns = 1000 + rng_below(&r, 2000000),
		.short_io = rng_chance(&r, 500) ? rng_below(&r, 300) : 0,
		.no_memory = rng_chance(&r, 150) ? rng_below(&r, 300) : 0,
		.link_full = rng_chance(&r, 150) ? rng_below(&r, 50) : 0,
		.garbage = rng_chance(&r, 200) ? rng_below(&r, 50) : 0,
		.conns = 1 + rng_below(&r, PLAN_CONNS_MAX),
	};

	if (bad_link) {
		p.loss_to_guest = rng_below(&r, 60);
		p.loss_to_gateway = rng_below(&r, 60);
		p.duplicate = rng_below(&r, 30);
		p.reorder = rng_below(&r, 100);
	}
	for (unsigned i = 0; i < p.conns; i++)
		p.conn[i] = conn_random(&r);
	return p;
}
