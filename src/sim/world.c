/* SPDX-License-Identifier: MIT */
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

#define TURN_EVENTS	16

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

static struct network_setup setup_of(const struct plan *p)
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
		.mtu = p->mtu, .host_access = true,
		.max_flows = p->max_flows,
	};
}

struct ip world_peer(const struct world *w, bool v6, bool via_gateway,
		     unsigned i)
{
	if (via_gateway)
		return v6 ? w->setup.gateway6 : w->setup.gateway4;
	return v6 ? (struct ip){ .b = { 0x20, 1, 0xd, 0xb8, [15] =
					(uint8_t)(1 + i) } } :
		    ip_from_v4(0xc0000201 + i);
}

struct mac world_guest_mac(const struct world *w, unsigned guest)
{
	struct mac mac = w->setup.guest_mac;

	mac.b[5] = (uint8_t)(mac.b[5] + 0x10 * guest);
	return mac;
}

struct ip world_guest_ip(const struct world *w, unsigned guest, bool v6)
{
	struct ip ip = v6 ? w->setup.guest6 : w->setup.guest4;

	ip.b[15] = (uint8_t)(ip.b[15] + 0x10 * guest);
	return ip;
}

/* A multiply and a shift per word; not keyed, not portable, only fast. */
void world_mix(struct world *w, const void *p, size_t len)
{
	const uint8_t *b = p;
	uint64_t h = w->hash ^ len, v;

	for (; len >= 8; b += 8, len -= 8) {
		memcpy(&v, b, 8);
		h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	v = 0;
	memcpy(&v, b, len);
	h = (h ^ v ^ w->now_ns) * UINT64_C(0x9e3779b97f4a7c15);
	w->hash = h ^ h >> 29;
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
	w->to_gateway++;
	w->to_gateway_bytes += n;
	network_frame(w->net, 0, &meta, frame, n, w->now_ns);
}

/* The host's resolvers change: one is gone. */
static void servers_change(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;

	(void)arg, (void)data, (void)len;
	if (w->plan.servers)
		w->plan.servers--;
	network_set_resolvers(w->net, w->servers, w->plan.servers);
}

/* What was to happen meanwhile happens at once, in its order. */
static void jump(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;

	(void)data, (void)len;
	w->now_ns += w->plan.jump[arg].by_ns;
	w->limit_ns += w->plan.jump[arg].by_ns;
	w->leapt_ns += w->plan.jump[arg].by_ns;
}

static void stop(void *ctx, uint64_t arg, void *data, size_t len)
{
	(void)arg, (void)data, (void)len;
	((struct world *)ctx)->stopping = true;
}

/* The end of one turn of the core's driver, at now. */
static void turn(struct world *w)
{
	if (network_next_timer(w->net) <= w->now_ns)
		network_timers(w->net, w->now_ns);
	do
		network_turn_end(w->net, w->now_ns);
	while (network_busy(w->net));
	if (++w->turns % w->plan.check_every == 0)
		network_check(w->net);
}

/* The next turn, whenever that is; false when nothing is left to happen. */
static bool advance(struct world *w)
{
	const uint64_t timer = network_next_timer(w->net);
	const uint64_t event = queue_next(&w->queue);
	const uint64_t next = timer < event ? timer : event;
	unsigned n = 0;

	if (next == UINT64_MAX)
		return false;
	if (next > w->now_ns)
		w->now_ns = next;
	while (n++ < TURN_EVENTS &&
	       queue_next(&w->queue) <= next + w->plan.turn_ns) {
		struct queue_event ev = queue_take(&w->queue);

		if (ev.at_ns > w->now_ns)
			w->now_ns = ev.at_ns;
		ev.run(ev.ctx, ev.arg, ev.data, ev.len);
		free(ev.data);
	}
	turn(w);
	return true;
}

/* Each frame from the guest has one verdict; the rest have other causes. */
static void check_counters(struct world *w, const struct network_stats *st)
{
	static const enum drop also[] = {	/* not only of frames */
		DROP_NOFLOW, DROP_SEQUENCE, DROP_LIMIT, DROP_FRAGMENT,
	};
	uint64_t sum = 0, unsure = 0;

	for (unsigned i = 0; i < DROP_MAX; i++)
		sum += st->drops[i];
	sum -= st->drops[DROP_LINKFULL];
	for (unsigned i = 0; i < sizeof(also) / sizeof(also[0]); i++)
		unsure += st->drops[also[i]];
	if (st->frames_from_guest != w->to_gateway ||
	    st->bytes_from_guest != w->to_gateway_bytes ||
	    st->frames_from_guest > sum ||
	    st->frames_from_guest < sum - unsure)
		world_fail(w, "%llu frames from the guest, %llu verdicts",
			   (unsigned long long)w->to_gateway,
			   (unsigned long long)sum);
	if (st->frames_to_guest != w->to_guest ||
	    st->drops[DROP_LINKFULL] != w->link_full)
		world_fail(w, "%llu frames to the guest, %llu counted",
			   (unsigned long long)w->to_guest,
			   (unsigned long long)st->frames_to_guest);
}

static void check_end(struct world *w)
{
	struct network_stats st;

	network_check(w->net);
	network_get_stats(w->net, &st);
	if (st.flows_tcp || st.flows_udp || st.flows_icmp)
		world_fail(w, "%u TCP, %u UDP, %u ping flows are left",
			   st.flows_tcp, st.flows_udp, st.flows_icmp);
	if (st.store_bytes || w->store_bytes != st.dns_kept_bytes)
		world_fail(w, "%llu bytes of store are counted, %zu are there",
			   (unsigned long long)st.store_bytes, w->store_bytes);
	check_counters(w, &st);
	sim_guest_end(w);
	sim_talk_end(w);
	sim_host_end(w);
}

/* Fresh pages each time: only those that a world touches cost anything. */
static void *take_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(p != MAP_FAILED);
	return p;
}

static void add_guests(struct world *w)
{
	for (unsigned i = 1; i < w->plan.guests; i++) {
		const struct network_guest_setup g = {
			.link = (uint8_t)i, .mac = world_guest_mac(w, i),
			.ip4 = world_guest_ip(w, i, false),
			.ip6 = world_guest_ip(w, i, true),
		};

		ASSERT(network_guest_add(w->net, &g, w->now_ns) == (int)i);
	}
}

static void start(struct world *w, const struct plan *plan)
{
	const struct env env = { .ops = &sim_env_ops, .ctx = w };

	*w = (struct world){ .plan = *plan, .rng.state = plan->seed,
			     .now_ns = WORLD_START_NS,
			     .limit_ns = WORLD_LIMIT_NS,
			     .setup = setup_of(plan),
			     .verbose = w->verbose };
	w->net = network_init(take_memory(network_bytes(&w->setup)),
			      &w->setup, &env, w->now_ns);
	add_guests(w);
	for (unsigned i = 0; i < plan->servers; i++)
		w->servers[i] = (struct endpoint){
			.ip = world_peer(w, plan->server[i].v6, false,
					 100 + i),
			.port = WORLD_PORT_DNS,
		};
	network_set_resolvers(w->net, w->servers, plan->servers);
	sim_firewall_start(w);
	sim_guest_start(w);
	sim_talk_start(w);
	for (unsigned i = 0; i < plan->garbage; i++) {
		const uint64_t at = rng_below(&w->rng, 1000000000);

		world_after(w, at, noise, rng_next(&w->rng), NULL, 0);
	}
	if (plan->servers_change_ns != PLAN_NEVER)
		world_after(w, plan->servers_change_ns, servers_change, 0,
			    NULL, 0);
	for (unsigned i = 0; i < plan->jumps; i++)
		world_after(w, plan->jump[i].at_ns, jump, i, NULL, 0);
	if (plan->stop_ns != PLAN_NEVER)
		world_after(w, plan->stop_ns, stop, 0, NULL, 0);
}

static void finish(struct world *w)
{
	const size_t bytes = network_bytes(&w->setup);

	network_fini(w->net);
	if (!w->failure[0] && w->store_bytes)
		world_fail(w, "%zu bytes of store are left", w->store_bytes);
	if (!w->failure[0])
		sim_host_end(w);
	munmap(w->net, bytes);
	w->net = NULL;
	queue_fini(&w->queue);
	sim_host_free(w);
	for (unsigned i = 0; i < PLAN_CONNS_MAX; i++) {
		free(w->conns[i].up);
		free(w->conns[i].down);
		free(w->conns[i].there);
	}
}

bool world_run(struct world *w, const struct plan *plan)
{
	start(w, plan);
	while (!w->failure[0] && !w->stopping && advance(w))
		if (w->now_ns > w->limit_ns)
			world_fail(w, "it does not come to an end");
	if (!w->failure[0] && !w->stopping)
		check_end(w);
	w->stopping = true;
	finish(w);
	return !w->failure[0];
}
