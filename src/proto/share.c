/* SPDX-License-Identifier: MIT */
#include "proto/share.h"

unsigned share_owner(const struct proto *p, const struct ip *ip)
{
	const int id = guests_to(&p->guests, ip);

	return id < 0 ? 0 : (unsigned)id;
}

uint32_t share_part(const struct proto *p, uint32_t all)
{
	return all / (2 * p->guests.n);
}

bool share_allows(const struct proto *p, const uint32_t *has, unsigned owner,
		  uint32_t all)
{
	const uint32_t part = share_part(p, all);
	uint64_t taken = 0;		/* or kept for who has less */

	if (p->guests.n == 1 || has[owner] < part)
		return true;
	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++) {
		const uint32_t own = p->guests.at[i].used ? part : 0;

		taken += has[i] > own ? has[i] : own;
	}
	return taken < all;
}

struct flow *share_flow(struct proto *p, const struct flow_key *key)
{
	const unsigned owner = share_owner(p, &key->guest_ip);
	struct flow *f;

	_Static_assert(NETWORK_GUESTS_MAX == FLOW_OWNERS_MAX,
		       "each guest is an owner of flows");
	if (!share_allows(p, p->flows.owned, owner, p->flows.n_slots))
		return NULL;
	f = flow_alloc(&p->flows, key);
	if (f)
		flow_give(&p->flows, f, owner);
	return f;
}
