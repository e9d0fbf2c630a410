/* SPDX-License-Identifier: MIT */
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define MAX_FLOWS	64
#define DRAIN_NS	(400 * 1000 * WORLD_MS)	/* idle flows end by then */

void world_fail(struct world *w, const char *format, ...)
{
	va_list ap;

	if (w->failure[0])
		return;			/* the first one counts */
	va_start(ap, format);
	vsnprintf(w->failure, sizeof(w->failure), format, ap);
	va_end(ap);
}

void world_after(struct world *w, uint64_t delay_ns,
		 void (*run)(void *, uint64_t, void *, size_t),
		 uint64_t arg, void *data, size_t len)
{
	queue_add(&w->queue, (struct queue_event){
		.at_ns = w->now_ns + delay_ns, .run = run, .ctx = w,
		.arg = arg, .data = data, .len = len,
	});
}

struct network_setup world_setup(const struct plan *p)
{
	return (struct network_setup){
		.gateway_mac = { { 2, 0, 0, 0, 0, 1 } },
		.guest_mac = { { 2, 0, 0, 0, 0, 2 } },
		.net4 = { .ip = ip_from_v4(0xac140000), .bits = 20 },
		.gateway4 = ip_from_v4(0xac140001),
		.guest4 = ip_from_v4(0xac140002),
		.v6 = true,
		.net6 = { .ip.b = { 0xfd, 1 }, .bits = 64 },
		.gateway6.b = { 0xfd, 1, [15] = 1 },
		.guest6.b = { 0xfd, 1, [15] = 2 },
		.mtu = p->mtu, .host_access = true, .max_flows = MAX_FLOWS,
	};
}

/* FNV-1a over every frame: two runs of one plan must agree. */
static void account(struct world *w, const uint8_t *frame, size_t len)
{
	w->frames++;
	for (size_t i = 0; i < len; i++)
		w->hash = (w->hash ^ frame[i]) * UINT64_C(0x100000001b3);
	w->hash = (w->hash ^ w->now_ns) * UINT64_C(0x100000001b3);
}

/* Fate of a frame: how often it arrives, and how late. */
static unsigned copies(struct world *w, unsigned loss)
{
	if (rng_chance(&w->rng, loss))
		return 0;
	return rng_chance(&w->rng, w->plan.duplicate) ? 2 : 1;
}

static uint64_t link_delay(struct world *w)
{
	uint64_t delay = w->plan.delay_ns;

	if (rng_chance(&w->rng, w->plan.reorder))
		delay += rng_below(&w->rng, 5000000);
	return delay;
}

struct parcel {
	struct frame_meta meta;
	uint8_t frame[];
};

static void send_parcel(struct world *w, const struct frame_meta *meta,
			const uint8_t *frame, size_t len,
			void (*arrive)(void *, uint64_t, void *, size_t))
{
	struct parcel *p = malloc(sizeof(*p) + len);

	ASSERT(p);
	p->meta = *meta;
	memcpy(p->frame, frame, len);
	world_after(w, link_delay(w), arrive, 0, p, len);
}

static void arrive_gateway(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const struct parcel *p = data;

	(void)arg;
	account(w, p->frame, len);
	network_frame(w->net, &p->meta, p->frame, len, w->now_ns);
}

static void arrive_guest(void *ctx, uint64_t arg, void *data, size_t len)
{
	const struct parcel *p = data;

	(void)arg;
	account(ctx, p->frame, len);
	sim_guest_frame(ctx, &p->meta, p->frame, len);
}

void world_to_gateway(struct world *w, const uint8_t *frame, size_t len,
		      uint16_t gso_size)
{
	const struct frame_meta meta = {
		.needs_csum = true, .gso_size = gso_size,
		.gso = gso_size ? frame[12] == 0x86 ? FRAME_GSO_TCP6 :
			FRAME_GSO_TCP4 : FRAME_GSO_NONE,
	};

	for (unsigned n = copies(w, w->plan.loss_to_gateway); n; n--)
		send_parcel(w, &meta, frame, len, arrive_gateway);
}

void world_to_guest(struct world *w, const struct frame_meta *meta,
		    const uint8_t *frame, size_t len)
{
	for (unsigned n = copies(w, w->plan.loss_to_guest); n; n--)
		send_parcel(w, meta, frame, len, arrive_guest);
}

static void noise(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const struct frame_meta meta = { .needs_csum = arg & 1 };
	uint8_t frame[256];
	size_t n = rng_below(&w->rng, sizeof(frame));

	(void)data;
	(void)len;
	for (size_t i = 0; i < n; i++)
		frame[i] = (uint8_t)rng_next(&w->rng);
	if (n > 40 && arg & 2)		/* at least an IP packet to look at */
		memcpy(frame, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0\x45", 15);
	network_frame(w->net, &meta, frame, n, w->now_ns);
}

/* One turn of the core's driver, at now. */
static void turn(struct world *w)
{
	if (network_next_timer(w->net) <= w->now_ns)
		network_timers(w->net, w->now_ns);
	do
		network_turn_end(w->net, w->now_ns);
	while (network_busy(w->net));
	network_check(w->net);
}

/* The next moment at which anything happens; false when nothing will. */
static bool advance(struct world *w)
{
	const uint64_t timer = network_next_timer(w->net);
	const uint64_t event = queue_next(&w->queue);
	const uint64_t next = timer < event ? timer : event;

	if (next == UINT64_MAX)
		return false;
	if (next > w->now_ns)
		w->now_ns = next;
	if (event <= w->now_ns) {
		struct queue_event ev = queue_take(&w->queue);

		ev.run(ev.ctx, ev.arg, ev.data, ev.len);
		free(ev.data);
	}
	turn(w);
	return true;
}

static void check_end(struct world *w)
{
	struct network_stats st;

	network_get_stats(w->net, &st);
	if (st.flows_tcp || st.flows_udp || st.flows_icmp)
		world_fail(w, "%u TCP flows are left", st.flows_tcp);
	if (st.store_bytes)
		world_fail(w, "%llu bytes of store are counted",
			   (unsigned long long)st.store_bytes);
	sim_guest_end(w);
	sim_host_end(w);
}

static void start(struct world *w, const struct plan *plan)
{
	const struct network_setup setup = world_setup(plan);
	const struct env env = { .ops = &sim_env_ops, .ctx = w };
	const size_t bytes = (network_bytes(&setup) + 63) & ~(size_t)63;

	*w = (struct world){ .plan = *plan, .rng.state = plan->seed,
			     .now_ns = 1000 * WORLD_MS,
			     .verbose = w->verbose };
	w->net_mem = aligned_alloc(64, bytes);
	ASSERT(w->net_mem);
	memset(w->net_mem, 0, bytes);
	w->net = network_init(w->net_mem, &setup, &env, w->now_ns);
	sim_guest_start(w);
	for (unsigned i = 0; i < plan->garbage; i++)
		world_after(w, rng_below(&w->rng, 1000000000), noise,
			    rng_next(&w->rng), NULL, 0);
}

bool world_run(struct world *w, const struct plan *plan)
{
	uint64_t drained_at = UINT64_MAX;

	start(w, plan);
	while (!w->failure[0] && advance(w)) {
		if (w->now_ns > WORLD_LIMIT_NS) {
			world_fail(w, "nothing moves any more");
			break;
		}
		if (drained_at == UINT64_MAX && sim_guest_done(w))
			drained_at = w->now_ns + DRAIN_NS;
		if (w->now_ns > drained_at)
			break;
	}
	if (!w->failure[0])
		check_end(w);
	network_fini(w->net);
	if (!w->failure[0] && w->store_bytes)
		world_fail(w, "%zu bytes of store are left", w->store_bytes);
	queue_fini(&w->queue);
	free(w->net_mem);
	w->net = NULL;
	return !w->failure[0];
}
