/* SPDX-License-Identifier: MIT */
#include "engine/budget.h"

#include <sys/resource.h>

#include "engine/exchanges.h"
#include "engine/relay.h"

#define FDS_RESERVED	64		/* of RLIMIT_NOFILE, for ourselves */
#define FDS_LEAST	256		/* less is taken for that */
#define RELAYS_LEAST	32		/* one relay for so many descriptors, */
#define FLOWS_LEAST	8		/* and one flow, are left by the others */
#define PIPES_SHARE	64
#define FLOWS_MAX	(1u << 17)

/* As many descriptors as we may have. */
static uint64_t raise_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return FDS_LEAST;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0 &&
	    getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return FDS_LEAST;
	return rl.rlim_cur < FDS_LEAST ? FDS_LEAST : rl.rlim_cur;
}

static uint32_t at_most(uint64_t n, uint32_t max)
{
	return n < max ? (uint32_t)n : max;
}

/*
 * Pipes and exchanges have their own. Relays and flows share the rest, but
 * neither can take all of it: who comes when there is none left is refused.
 */
static struct budget share_out(uint64_t fds)
{
	const uint32_t least = at_most(fds / RELAYS_LEAST, RELAY_MAX);
	struct budget b = {
		.pipes = at_most(fds / PIPES_SHARE, RELAY_PIPES_MAX),
		.exchanges = at_most(fds / RELAYS_LEAST, EXCHANGES_MAX),
	};
	const uint64_t left = fds - FDS_RESERVED - 2 * b.pipes - b.exchanges;

	b.relays = at_most((left - fds / FLOWS_LEAST) / RELAY_FDS, RELAY_MAX);
	b.flows = at_most(left - (uint64_t)least * RELAY_FDS, FLOWS_MAX);
	return b;
}

struct budget budget_find(void)
{
	return share_out(raise_limit());
}
