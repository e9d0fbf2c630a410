/* SPDX-License-Identifier: MIT */
/* network/guard_sweep.c - when rules change: may the flows that live go on? */
#include "network/guard.h"

#include "network/state.h"

#define STUCK_NS	UINT64_C(10000000)	/* then memory may be there */

void guard_end_flow(struct network *net, struct flow *f)
{
	union slot *s = (union slot *)(void *)f;

	switch ((enum flow_kind)f->key.kind) {
	case FLOW_TCP:
		tcp_abort(&net->p, &s->tcp, true);
		break;
	case FLOW_UDP:
		udp_exchange_end(&net->p, &s->udp);
		break;
	case FLOW_PING:
		ping_free(&net->p, &s->ping);
		break;
	case FLOW_DIRECT_TCP: case FLOW_DIRECT_UDP: case FLOW_DIRECT_PING:
		direct_free(net, &s->direct);
		break;
	case FLOW_SWITCH_TCP: case FLOW_SWITCH_UDP: case FLOW_SWITCH_PING:
	case FLOW_SWITCH_OTHER:
		switch_free(net, &s->switched);
		break;
	case FLOW_UDP_MAP: case FLOW_FREE: case FLOW_KIND_MAX:
		break;
	}
}

void guard_judge_living(struct network *net, const struct guard_waiting *w)
{
	struct flow *f = flow_get(&net->p.flows, w->cause.living);

	if (f && guard_begins(net, &w->flow, &w->cause) == GUARD_BLOCK)
		guard_end_flow(net, f);
}

static const uint8_t protocols[FLOW_KIND_MAX] = {
	[FLOW_TCP] = PROTO_TCP, [FLOW_DIRECT_TCP] = PROTO_TCP,
	[FLOW_UDP] = PROTO_UDP, [FLOW_DIRECT_UDP] = PROTO_UDP,
	[FLOW_PING] = PROTO_ICMP, [FLOW_DIRECT_PING] = PROTO_ICMP,
	[FLOW_SWITCH_TCP] = PROTO_TCP, [FLOW_SWITCH_UDP] = PROTO_UDP,
	[FLOW_SWITCH_PING] = PROTO_ICMP,
};

static bool began_outside(const struct flow *f)
{
	const union slot *s = (const union slot *)(const void *)f;

	switch ((enum flow_kind)f->key.kind) {
	case FLOW_TCP:
		return s->tcp.offered;
	case FLOW_UDP:
		return s->udp.called;
	case FLOW_DIRECT_TCP: case FLOW_DIRECT_UDP: case FLOW_DIRECT_PING:
		return s->direct.by_host;
	case FLOW_SWITCH_TCP: case FLOW_SWITCH_UDP: case FLOW_SWITCH_PING:
	case FLOW_SWITCH_OTHER:
	case FLOW_PING: case FLOW_UDP_MAP: case FLOW_FREE: case FLOW_KIND_MAX:
		break;
	}
	return false;
}

/* How it came to be, as the rules see it. */
static enum guard_path path_of(const struct network *net,
			       const struct flow *f)
{
	if (f->key.kind >= FLOW_SWITCH_TCP)
		return GUARD_TO_GUEST;
	return began_outside(f) ? guard_path_from(net, &f->key.peer_ip) :
				  guard_path_to(net, &f->key.peer_ip);
}

/* false: the rules have nothing to say of it. */
static bool describe(const struct network *net, const struct flow *f,
		     struct guard_flow *out)
{
	const struct flow_key *k = &f->key;
	const struct tcp *t = (const struct tcp *)(const void *)f;
	const bool ping = k->kind == FLOW_PING ||
			  k->kind == FLOW_DIRECT_PING ||
			  k->kind == FLOW_SWITCH_PING;
	const bool other = k->kind == FLOW_SWITCH_OTHER;

	if ((!protocols[k->kind] && !other) ||
	    (k->kind == FLOW_TCP && (t->phase == TCP_LINGERING ||
				     t->host != &net->p.env.ops->tcp)))
		return false;
	*out = (struct guard_flow){
		.path = path_of(net, f),
		.protocol = other ? (uint8_t)k->guest_port :
				    protocols[k->kind],
		.guest = { .ip = k->guest_ip, .port = k->guest_port },
		.peer = { .ip = k->peer_ip, .port = k->peer_port },
	};
	if (other)
		out->guest.port = out->peer.port = 0;
	if (ping) {
		const bool v4 = ip_is4(&k->guest_ip);

		out->guest.port = 0;
		out->protocol = v4 ? PROTO_ICMP : PROTO_ICMP6;
		out->icmp_type = v4 ? 8 : 128;	/* RFC 792, RFC 4443 */
	}
	return true;
}

static bool is_asked_about(const struct guard *g, struct handle living)
{
	for (unsigned i = 0; g->waiting && i < GUARD_WAITING_MAX; i++)
		if (g->slots[i].id &&
		    g->slots[i].cause.kind == GUARD_LIVING &&
		    handle_equal(g->slots[i].cause.living, living))
			return true;
	return false;
}

/* false: there is no room to ask for its program now. */
static bool sweep_one(struct network *net, struct flow *f)
{
	struct guard_cause cause = {
		.kind = GUARD_LIVING,
		.living = flow_handle(&net->p.flows, f),
	};
	struct guard_flow flow;
	enum guard_verdict v;

	if (!describe(net, f, &flow) ||
	    is_asked_about(&net->guard, cause.living))
		return true;
	v = guard_begins(net, &flow, &cause);
	if (v == GUARD_BLOCK)
		guard_end_flow(net, f);
	return v != GUARD_LIMIT;
}

void guard_turn_end(struct network *net)
{
	struct guard *g = &net->guard;

	for (unsigned i = 0; i < GUARD_SWEEP_TURN && guard_busy(net); i++) {
		struct flow *f = flow_next(&net->p.flows, &g->sweep_at);

		if (f && !sweep_one(net, f)) {
			g->sweep_stuck = true;
			if (!timer_armed(&g->timer))
				wheel_arm(&net->p.wheel, &g->timer,
					  net->p.now_ns + STUCK_NS);
			return;
		}
		g->sweep_at = f ? g->sweep_at + 1 : GUARD_NO_SWEEP;
	}
}

bool guard_busy(const struct network *net)
{
	const struct guard *g = &net->guard;

	return g->sweep_at != GUARD_NO_SWEEP && !g->sweep_stuck;
}
