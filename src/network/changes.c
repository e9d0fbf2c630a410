/* SPDX-License-Identifier: MIT */
/*
 * network/changes.c - a host whose addresses and routes change underneath
 *
 * The socket of a flow keeps the address that it began with. When that has
 * gone, nothing of it arrives any more; when a VPN has come up meanwhile, its
 * packets go into the tunnel with an address that is of no use there. Either
 * way both ends would wait for many minutes. The guest is told by a reset,
 * and its program tries again, the new way.
 *
 * Routes change in bursts, so flows are looked at MOVED_SETTLE_NS after the
 * first change of one, and MOVED_LOOKS of them at a time: each costs a
 * question to the kernel. An address that goes is looked at then once more:
 * Linux tells of it first and drops it from its tables afterwards, so who asks
 * at once may still be told that it is there.
 */
#include "network/state.h"

#define MOVED_SETTLE_NS	UINT64_C(50000000)
#define MOVED_LOOKS	512u
#define MOVED_GAP_NS	UINT64_C(2000000)

/* A flow with a socket of the host's: services of our own have none. */
static struct tcp *over_socket(const struct network *net, struct flow *f)
{
	struct tcp *t = (struct tcp *)(void *)f;

	return f->key.kind == FLOW_TCP && t->host_id >= 0 &&
	       t->host == &net->p.env.ops->tcp ? t : NULL;
}

void network_address_gone(struct network *net, uint64_t now_ns)
{
	const struct env *env = &net->p.env;
	struct flow_table *table = &net->p.flows;
	uint32_t slot = 0;

	net->p.now_ns = now_ns;
	for (struct flow *f; (f = flow_next(table, &slot)); slot++) {
		struct tcp *t = over_socket(net, f);

		if (t && env->ops->tcp_stranded(env->ctx, t->host_id))
			tcp_abort(&net->p, t, true);
	}
}

void network_routes_changed(struct network *net, uint64_t now_ns)
{
	net->p.now_ns = now_ns;
	paths_changed(net);
	dns_routes_changed(net->dns);
	net->moved_at = 0;
	if (!timer_armed(&net->moved_timer))
		wheel_arm(&net->p.wheel, &net->moved_timer,
			  now_ns + MOVED_SETTLE_NS);
}

uint16_t network_narrowest(const struct network *net)
{
	return net->paths.narrowest;
}

/* Is there no use in it any more? */
static bool is_lost(const struct network *net, const struct tcp *t)
{
	const struct env *env = &net->p.env;

	return env->ops->tcp_stranded(env->ctx, t->host_id) ||
	       (!net->setup.keep_flows &&
		env->ops->tcp_moved(env->ctx, t->host_id));
}

void network_look_for_moved(struct network *net)
{
	for (unsigned i = 0; i < MOVED_LOOKS; i++) {
		struct flow *f = flow_next(&net->p.flows, &net->moved_at);
		struct tcp *t;

		if (!f)
			return;
		net->moved_at++;
		t = over_socket(net, f);
		if (t && is_lost(net, t))
			tcp_abort(&net->p, t, true);
	}
	wheel_arm(&net->p.wheel, &net->moved_timer,
		  net->p.now_ns + MOVED_GAP_NS);
}
