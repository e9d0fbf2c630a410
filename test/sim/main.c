/* SPDX-License-Identifier: MIT */
/*
 * test/sim/main.c - run simulated worlds
 *
 *   sim                       every scenario, then 3,000 seeds
 *   sim --from A --seeds N    seeds A to A + N - 1
 *   sim --seed S [--verbose]  one seed, twice: both runs must agree
 *   sim --scenario WORDS      scenarios whose name has them, frame by frame
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world.h"

#define MS UINT64_C(1000000)

static unsigned passed, failed;

static bool run(const char *name, const struct plan *plan, bool verbose,
		uint64_t *hash)
{
	struct world *w = calloc(1, sizeof(*w));
	bool ok;

	w->verbose = verbose;
	ok = world_run(w, plan);
	if (!ok)
		printf("not ok %s: seed %llu: %s at %.3f ms\n", name,
		       (unsigned long long)plan->seed, w->failure,
		       (double)w->now_ns / 1e6);
	*hash = w->hash;
	free(w);
	passed += ok;
	failed += !ok;
	return ok;
}

/* One thing made difficult, everything else plain. */
static struct plan scenario(unsigned n, const char **name)
{
	struct plan p = plan_plain(plan_conn(100000, 100000));
	struct plan_conn *c = &p.conn[0];

	switch (n) {
	case 0:
		*name = "plain";
		return p;
	case 1:
		*name = "connection refused";
		c->connect = PLAN_REFUSE;
		return p;
	case 2:
		*name = "host unreachable";
		c->connect = PLAN_UNREACHABLE;
		return p;
	case 3:
		*name = "nobody answers";
		c->connect = PLAN_SILENT;
		return p;
	case 4:
		*name = "upload to a slow reader";
		c->up_bytes = 3000000;
		c->host_buffer = 16384;
		c->host_drain = 500;
		c->host_sleep_ns = 5000 * MS;
		return p;
	case 5:
		*name = "download by a guest that closes its window";
		c->down_bytes = 1000000;
		c->guest_buffer = 8192;
		c->guest_drain = 1000;
		c->guest_sleep_ns = 5000 * MS;
		return p;
	case 6:
		*name = "the window update is lost";
		c->down_bytes = 1000000;
		c->guest_buffer = 8192;
		c->guest_drain = 8192;
		c->guest_sleep_ns = 2000 * MS;
		p.drop_first_update = true;
		return p;
	case 7:
		*name = "the host answers after the guest's FIN";
		c->host_waits_for_fin = true;
		return p;
	case 8:
		*name = "the guest answers after the host's FIN";
		c->guest_waits_for_fin = true;
		return p;
	case 9:
		*name = "the host resets";
		c->host_reset_at = 50000;
		return p;
	case 10:
		*name = "the guest resets";
		c->guest_reset_at = 50000;
		return p;
	case 11:
		*name = "one frame of ten is lost";
		p.loss_to_guest = p.loss_to_gateway = 100;
		return p;
	case 12:
		*name = "one frame of ten is lost, without SACK";
		p.loss_to_guest = p.loss_to_gateway = 100;
		c->guest_sack = false;
		return p;
	case 13:
		*name = "no window scaling to speak of, 1 MiB each way";
		*c = plan_conn(1 << 20, 1 << 20);
		c->guest_wscale = 0;
		return p;
	case 14:
		*name = "empty";
		*c = plan_conn(0, 0);
		return p;
	case 15:
		*name = "little memory";
		p.no_memory = 800;
		c->host_buffer = 2000;
		c->host_drain = 300;
		return p;
	case 16:
		*name = "IPv6, MTU 65520";
		c->v6 = true;
		p.mtu = 65520;
		c->guest_buffer = 1 << 20;
		return p;
	case 17:
		*name = "noise";
		p.garbage = 5000;
		return p;
	default:
		*name = NULL;
		return p;
	}
}

static void scenarios(const char *only)
{
	const char *name;
	uint64_t hash;

	for (unsigned n = 0;; n++) {
		const struct plan p = scenario(n, &name);

		if (!name)
			return;
		if (!only || strstr(name, only))
			run(name, &p, only && *only, &hash);
	}
}

static void one_seed(uint64_t seed, bool verbose)
{
	const struct plan p = plan_random(seed);
	uint64_t first, second;

	run("seed", &p, verbose, &first);
	run("again", &p, false, &second);
	printf("seed %llu: hash %016llx, %s\n", (unsigned long long)seed,
	       (unsigned long long)first,
	       first == second ? "twice the same" : "NOT REPEATABLE");
	failed += first != second;
}

static void seeds(uint64_t from, uint64_t n)
{
	uint64_t hash;

	for (uint64_t s = from; s < from + n; s++) {
		const struct plan p = plan_random(s);

		run("seed", &p, false, &hash);
		if (failed >= 20)
			return;
	}
}

int main(int argc, char **argv)
{
	uint64_t from = 1, n = 3000, seed = 0;
	bool verbose = false, all = argc == 1;
	const char *only = NULL;

	for (int i = 1; i < argc; i++) {
		const bool more = i + 1 < argc;

		if (!strcmp(argv[i], "--verbose"))
			verbose = true;
		else if (more && !strcmp(argv[i], "--scenario"))
			only = argv[++i];
		else if (more && !strcmp(argv[i], "--seed"))
			seed = strtoull(argv[++i], NULL, 10);
		else if (more && !strcmp(argv[i], "--from"))
			from = strtoull(argv[++i], NULL, 10);
		else if (more && !strcmp(argv[i], "--seeds"))
			n = strtoull(argv[++i], NULL, 10);
		else
			return 2;
	}
	if (all) {
		scenarios(NULL);
		one_seed(1, false);
	}
	if (only)
		scenarios(only);
	else if (seed)
		one_seed(seed, verbose);
	else
		seeds(from, n);
	printf("simulation: %u worlds passed, %u failed\n", passed, failed);
	return failed != 0;
}
