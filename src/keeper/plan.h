/* SPDX-License-Identifier: MIT */
/*
 * keeper/plan.h - which addresses a network has.
 *
 * Pure but for the question that it asks. All is derived from the name:
 *
 *   subnet    a /20 of 172.16.0.0/12, candidate 0..255. The network
 *             "default" has 172.20.0.0/20 first, any other FNV-1a-32(name)
 *             mod 256; the next candidate only if the host has a route
 *             over it. What was chosen is kept (keeper/state.h).
 *   gateway   .1 of it; the guest .2
 *   ULA       fd, then 40 bits of a hash of the name, subnet 0; ::1, ::2
 *   MACs      02, then 40 bits of a hash of the name and whose it is
 */
#ifndef KEEPER_PLAN_H
#define KEEPER_PLAN_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/fail.h"
#include "config/config.h"

/* What is kept of a network from run to run. */
struct plan {
	struct prefix net4, net6;
	struct ip guest4, guest6;
	struct mac guest_mac;
};

/* Has the host a route over p? ctx: the caller's. */
typedef bool plan_taken_fn(void *ctx, const struct prefix *p);

/*
 * Derive a plan from a name. Where every candidate is taken, the first is
 * used all the same.
 */
void plan_derive(const char *name, plan_taken_fn *taken, void *ctx,
		 struct plan *out);

/*
 * Apply what the user has set. 0, or -1 with fail set (an address that is
 * not in the subnet), plan untouched.
 */
MUST int plan_override(struct plan *plan, const struct config *c,
		       struct fail *fail);

struct ip plan_gateway4(const struct plan *plan);
struct ip plan_gateway6(const struct plan *plan);
struct mac plan_gateway_mac(const char *name);

/* Of a guest of that name, whatever its network. */
struct mac plan_guest_mac(const char *name);

#endif
