/* SPDX-License-Identifier: MIT */
#include "network/policy.h"

#define LOOPBACK4 0x7f000001u

static struct ip loopback(bool v4)
{
	return v4 ? ip_from_v4(LOOPBACK4) : (struct ip){ .b[15] = 1 };
}

static struct policy_route verdict(enum policy_verdict v)
{
	return (struct policy_route){ .verdict = v };
}

bool policy_host_is_open(const struct policy *pol, uint16_t port)
{
	return pol->host_access &&
	       (!pol->ports.n || port_list_has(&pol->ports, port));
}

struct policy_route policy_route(const struct policy *pol,
				 const struct env *env, const struct ip *dst,
				 uint16_t port)
{
	const bool v4 = ip_is4(dst);
	struct policy_route r = { .verdict = POLICY_CARRY, .to = *dst };

	if (ip_is_multicast(dst) || ip_is_broadcast(dst))
		return verdict(POLICY_IGNORE);
	if (ip_equal(dst, v4 ? &pol->gateway4 : &pol->gateway6)) {
		if (!policy_host_is_open(pol, port))
			return verdict(POLICY_REFUSE);
		r.to = loopback(v4);
		r.has_next = true;
		r.next_to = loopback(!v4);
		return r;
	}
	/* Loopback is never reached by name of itself: RFC 1122 3.2.1.3 */
	if (ip_is_loopback(dst) || ip_is_unspecified(dst) ||
	    (v4 && (ip_to_v4(*dst) >> 24 == 0 || ip_to_v4(*dst) >> 28 == 15)))
		return verdict(POLICY_REFUSE);
	if (ip_is_link_local(dst) && !pol->link_local)
		return verdict(POLICY_REFUSE);
	if (policy_host_is_open(pol, port))
		return r;
	switch (env->ops->route(env->ctx, dst)) {
	case ENV_ROUTE_HOST:
	case ENV_ROUTE_OTHER:
		return verdict(POLICY_REFUSE);
	case ENV_ROUTE_NONE:		/* the connect will say so */
	case ENV_ROUTE_WORLD:
		break;
	}
	return r;
}
