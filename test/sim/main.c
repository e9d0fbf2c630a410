/* SPDX-License-Identifier: MIT */
/*
 * test/sim/main.c - run simulated worlds
 *
 *   sim                       every scenario, then 40,000 seeds
 *   sim --from A --seeds N    seeds A to A + N - 1
 *   sim --seed S [--verbose]  one seed, twice: both runs must agree
 *   sim --scenario WORDS      scenarios whose name has them, frame by frame
 *   sim --soak SECONDS        new seeds for so long; 0: until ^C
 *
 * Seeds and scenarios were tried on mutants of the core: wrong acknowledgement
 * and SACK edges, data stored, trimmed or repaired off by one, FINs early,
 * lost or never repeated, windows never updated, never probed or not obeyed,
 * resets not told, not heard or told too late, window updates for a guest that
 * has closed, its RST taken for an end, timers never armed or never ending,
 * the urgent byte lost, moved or told too late,
 * frames at another guest's link, cut short there, or with a wrong word of
 * what they are, leaks of memory and of sockets, unverified checksums, answers of strangers,
 * given twice or under a wrong id. Each that was tried was found,
 * which is not to say that none is missed. What an honest guest cannot reach
 * they do not find: see test/unit/network_garbage.c for that.
 *
 * What fails is printed with the command that shows it again, be it a
 * check of the world's or an ASSERT of the core's.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scenarios.h"
#include "sim/world.h"

#define FAILURES_MAX	20
#define PROGRESS_S	10

static struct world world;
static unsigned long long passed, failed, frames;
static volatile sig_atomic_t interrupted;
static const char *program;
static char now_running[200];	/* for a signal handler to write */

static void crashed(int sig)
{
	(void)!write(STDOUT_FILENO, now_running, strlen(now_running));
	signal(sig, SIG_DFL);
	raise(sig);
}

static void interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static bool run(const char *name, const struct plan *plan, bool verbose,
		uint64_t *hash)
{
	bool ok;

	snprintf(now_running, sizeof(now_running),
		 "not ok %s: an assertion failed\n    %s --seed %llu\n",
		 name, program, (unsigned long long)plan->seed);
	world.verbose = verbose;
	ok = world_run(&world, plan);
	if (!ok) {
		printf("not ok %s: %s at %.3f ms\n", name, world.failure,
		       (double)world.now_ns / 1e6);
		printf("    %s --seed %llu\n", program,
		       (unsigned long long)plan->seed);
		fflush(stdout);
	}
	*hash = world.hash;
	frames += world.frames;
	passed += ok;
	failed += !ok;
	return ok;
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
	struct plan p = plan_random(seed);
	uint64_t first, second;

	run("seed", &p, verbose, &first);
	p.check_every = 1;		/* find it where it happens */
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
		if (failed >= FAILURES_MAX)
			return;
	}
}

static void progress(time_t since, uint64_t from)
{
	const double s = (double)(time(NULL) - since);

	fprintf(stderr, "\r%.0f s: %llu worlds from seed %llu, %.0f a second, "
		"%llu failed ", s, passed + failed, (unsigned long long)from,
		(double)(passed + failed) / (s > 0 ? s : 1), failed);
}

/* Seeds that nobody ran before, in all likelihood: they begin at the time. */
static void soak(uint64_t seconds)
{
	const time_t start = time(NULL);
	const uint64_t from = (uint64_t)start * 1000000;
	time_t shown = start, now = start;

	signal(SIGINT, interrupt);
	for (uint64_t s = from; !interrupted && failed < FAILURES_MAX; s += 20) {
		seeds(s, 20);
		now = time(NULL);
		if (now - shown >= PROGRESS_S) {
			progress(start, from);
			shown = now;
		}
		if (seconds && (uint64_t)(now - start) >= seconds)
			break;
	}
	progress(start, from);
	fputc('\n', stderr);
}

static int usage(void)
{
	fprintf(stderr, "usage: %s [--from A] [--seeds N] | --seed S "
		"[--verbose] | --scenario WORDS | --soak SECONDS\n", program);
	return 2;
}

int main(int argc, char **argv)
{
	uint64_t from = 1, n = 40000, seed = 0, seconds = 0;
	bool verbose = false, all = argc == 1, soaking = false;
	const char *only = NULL;

	program = argv[0];
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(argv[i], "--verbose")) {
			verbose = true;
			continue;
		}
		if (!value)
			return usage();
		if (!strcmp(argv[i], "--scenario"))
			only = value;
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(value, NULL, 10);
		else if (!strcmp(argv[i], "--from"))
			from = strtoull(value, NULL, 10);
		else if (!strcmp(argv[i], "--seeds"))
			n = strtoull(value, NULL, 10);
		else if (!strcmp(argv[i], "--soak"))
			soaking = true, seconds = strtoull(value, NULL, 10);
		else
			return usage();
		i++;
	}
	signal(SIGILL, crashed);
	signal(SIGTRAP, crashed);
	signal(SIGSEGV, crashed);
	signal(SIGABRT, crashed);
	if (all) {
		scenarios(NULL);
		one_seed(1, false);
	}
	if (only)
		scenarios(only);
	else if (seed)
		one_seed(seed, verbose);
	else if (soaking)
		soak(seconds);
	else
		seeds(from, n);
	printf("simulation: %llu worlds passed, %llu failed, %llu frames\n",
	       passed, failed, frames);
	return failed != 0;
}
