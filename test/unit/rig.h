/* SPDX-License-Identifier: MIT */
/* test/unit/rig.h - a whole network over a host where everything works. */
#ifndef RIG_H
#define RIG_H

#include <stdlib.h>
#include <string.h>

#include "fake/fake.h"
#include "fake/rules.h"
#include "network/network.h"
#include "test.h"

#define RIG_START_NS UINT64_C(1000000000)

struct rig {
	struct fake *fake;
	struct network *net;
	void *mem;
	struct env env;
};

/* ops: those of fake_ops(), some of them the test's own. */
static inline struct rig rig_start_with(const struct network_setup *setup,
					const struct env_ops *ops)
{
	const size_t bytes = (network_bytes(setup) + 63) & ~(size_t)63;
	struct rig r = { .fake = malloc(sizeof(*r.fake)),
			 .mem = aligned_alloc(64, bytes) };

	if (!r.fake || !r.mem)
		abort();
	fake_init(r.fake, setup, 1);
	r.fake->scripted = true;
	memset(r.mem, 0, bytes);
	r.env = (struct env){ .ops = ops, .ctx = r.fake };
	r.net = network_init(r.mem, setup, &r.env, RIG_START_NS);
	fake_set_rules(r.net, setup, FAKE_RULES_OPEN, RIG_START_NS);
	return r;
}

static inline struct rig rig_start(const struct network_setup *setup)
{
	return rig_start_with(setup, fake_ops());
}

static inline void rig_end(struct rig *r, const char *name)
{
	network_fini(r->net);
	fake_check_end(r->fake);
	CHECK(r->fake->failure ? r->fake->failure : name, !r->fake->failure);
	free(r->mem);
	free(r->fake);
}

#endif
