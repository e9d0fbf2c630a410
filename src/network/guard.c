/* SPDX-License-Identifier: MIT */
#include "network/guard.h"

#include <string.h>

#include "firewall/firewall.h"
#include "network/names.h"
#include "network/state.h"
#include "wire/tcp.h"

#define SECOND_NS	UINT64_C(1000000000)
#define TOLD_NS		(SECOND_NS / GUARD_TOLD_BURST)

/* What the rules say: a verdict, or whose program they have to know. */
struct finding {
	enum guard_verdict verdict;
	bool in;			/* the check that said so */
	enum guard_end end;		/* to be asked about */
	uint32_t rule;
};

static enum firewall_origin origin_of(enum guard_path path)
{
	switch (path) {
	case GUARD_TO_WORLD: case GUARD_TO_HOST: case GUARD_TO_GUEST:
		return FROM_GUEST;
	case GUARD_FROM_HOST:
		return FROM_HOST;
	case GUARD_FROM_LAN:
		break;
	}
	return FROM_LAN;
}
/* ---- what the rules say ---- */

/* The end that a check protects: a guest's, but at the host's own door. */
static enum guard_end end_of(const struct guard_flow *f, bool in)
{
	return in && guard_leaves(f->path) ? GUARD_HOST_END : GUARD_GUEST_END;
}

const char *guard_guest_name(const struct network *net, const struct ip *ip)
{
	const int id = guests_to(&net->p.guests, ip);

	if (id <= 0)
		return id ? NULL : net->guard.rules.guest;
	return net->members[id].rule_name[0] ? net->members[id].rule_name :
					       NULL;
}

static struct firewall_verdict ask_rules(const struct network *net,
					 const struct guard_flow *f, bool in,
					 bool lives, const char *program)
{
	const bool host_end = end_of(f, in) == GUARD_HOST_END;
	const struct firewall_flow flow = {
		.direction = in ? RULE_IN : RULE_OUT,
		.origin = origin_of(f->path),
		.protocol = f->protocol,
		.icmp_type = f->icmp_type, .icmp_code = f->icmp_code,
		.local = host_end ? f->peer : f->guest,
		.remote = host_end ? f->guest : f->peer,
		.guest = guard_guest_name(net, host_end &&
					  f->path == GUARD_TO_GUEST ?
					  &f->peer.ip : &f->guest.ip),
		.program = program,
	};

	return names_decide(net, &flow, lives);
}

/* Ask each check in turn; the rules that decided are counted at its end. */
static struct finding find(const struct network *net,
			   const struct guard_flow *f, bool lives,
			   const struct guard_programs *known)
{
	const struct network_rules *rules = &net->guard.rules;
	struct finding found = { .verdict = GUARD_PASS,
				 .rule = FIREWALL_NO_RULE };
	uint32_t decided[2];
	unsigned n = 0;

	if (rules->off)
		return found;
	found.verdict = GUARD_BLOCK;
	if (!rules->firewall)
		return found;
	for (unsigned in = !guard_leaves(f->path);
	     in <= (f->path != GUARD_TO_WORLD); in++) {
		const enum guard_end end = end_of(f, in);
		const struct firewall_verdict v =
			ask_rules(net, f, in, lives, known->path[end]);

		found.in = in;
		found.rule = v.rule;
		found.end = end;
		if (v.unsure != FIREWALL_NO_RULE && !known->asked[end]) {
			found.verdict = GUARD_WAIT;
			return found;
		}
		decided[n++] = v.rule;
		found.verdict = v.allow ? GUARD_PASS : GUARD_BLOCK;
		if (!v.allow)
			break;
	}
	for (unsigned i = 0; rules->hits && i < n; i++)
		if (decided[i] != FIREWALL_NO_RULE)
			rules->hits[decided[i]]++;
	return found;
}

/* ---- what was blocked is told ---- */

static void describe_packet(struct network_blocked *b, struct view packet)
{
	struct tcp_segment seg;
	struct ip_packet ip;
	struct rd first = rd(packet.p, packet.len);

	b->size = (uint32_t)packet.len;
	if (ip_parse_packet(rd(packet.p, packet.len), rd_u8(&first) >> 4 == 6,
			    &ip) != DROP_OK || ip.proto != PROTO_TCP ||
	    tcp_parse(ip.payload, &seg) != DROP_OK)
		return;
	b->tcp_seq = seg.seq;
	b->tcp_ack = seg.ack;
	b->tcp_flags = seg.flags;
	b->tcp_window = seg.window;
}

/* A token bucket, kept as the time at which it would be full again. */
bool guard_may_tell(struct network *net)
{
	const uint64_t now_ns = net->p.now_ns;
	struct guard *g = &net->guard;

	g->blocked++;
	if (g->told_ns < now_ns)
		g->told_ns = now_ns;
	if (g->told_ns - now_ns >= GUARD_TOLD_BURST * TOLD_NS) {
		g->not_told++;
		return false;
	}
	g->told_ns += TOLD_NS;
	return true;
}

static void tell(struct network *net, const struct guard_flow *f,
		 const struct finding *found, const struct guard_cause *cause)
{
	const struct env *env = &net->p.env;
	const bool leaves = guard_leaves(f->path);
	const struct network_rules *rules = &net->guard.rules;
	struct network_blocked b = {
		.generation = rules->generation, .rule = found->rule,
		.in = found->in, .told = rules->refuse,
		.origin = (uint8_t)origin_of(f->path),
		.protocol = f->protocol,
		.src = leaves ? f->guest : f->peer,
		.dst = leaves ? f->peer : f->guest,
		.icmp_type = f->icmp_type, .icmp_code = f->icmp_code,
	};

	if (!guard_may_tell(net))
		return;
	if (cause->kind == GUARD_GUEST_PACKET ||
	    cause->kind == GUARD_HOST_PACKET)
		describe_packet(&b, cause->bytes);
	env->ops->blocked(env->ctx, &b);
}
/* ---- the question ---- */

enum guard_verdict guard_begins(struct network *net,
				const struct guard_flow *flow,
				const struct guard_cause *cause)
{
	struct guard *g = &net->guard;
	const bool again = guard_is_again(g, flow);
	const bool lives = cause->kind == GUARD_LIVING;
	struct guard_programs known = { .asked = { false } };
	struct finding found;

	if (again)
		known = g->again->known;
	for (;;) {
		found = find(net, flow, lives, &known);
		if (found.verdict != GUARD_WAIT)
			break;
		found.verdict = guard_keep(net, flow, cause, &known, found.end);
		if (found.verdict != GUARD_PASS)
			break;
		known.asked[found.end] = true;
	}
	if (found.verdict == GUARD_BLOCK)
		tell(net, flow, &found, cause);
	return found.verdict;
}

bool guard_passes(const struct network *net, const struct guard_flow *flow)
{
	struct guard_programs known = { .asked = { false } };
	struct finding found = find(net, flow, false, &known);

	while (found.verdict == GUARD_WAIT) {
		known.asked[found.end] = true;
		found = find(net, flow, false, &known);
	}
	return found.verdict == GUARD_PASS;
}

enum guard_verdict guard_packet_begins(struct network *net,
				       const struct guard_flow *flow,
				       enum guard_kind kind,
				       const struct ip_packet *ip,
				       const struct frame_meta *meta)
{
	const struct guard_cause cause = {
		.kind = kind, .meta = *meta, .bytes = ip->whole,
	};

	return guard_begins(net, flow, &cause);
}

enum drop guard_drop(enum guard_verdict verdict)
{
	switch (verdict) {
	case GUARD_PASS: case GUARD_WAIT:
		return DROP_OK;
	case GUARD_BLOCK:
		return DROP_FIREWALL;
	case GUARD_LIMIT:
		break;
	}
	return DROP_LIMIT;
}

bool guard_call_begins(struct proto *p, const struct proto_call *call,
		       enum drop *why)
{
	struct network *net = (struct network *)(void *)p;
	const struct flow_key *k = &call->map->flow.key;
	const struct guard_flow flow = {
		.path = guard_path_from(net, &call->peer.ip),
		.protocol = PROTO_UDP,
		.guest = { .ip = k->guest_ip, .port = k->guest_port },
		.peer = ip_is_loopback(&call->peer.ip) ? call->shown :
							 call->peer,
	};
	const struct guard_cause cause = {
		.kind = GUARD_DATAGRAM, .bytes = call->data,
		.datagram = {
			.map = flow_handle(&p->flows, &call->map->flow),
			.peer = call->peer, .mark = call->mark, .n = call->n,
		},
	};

	const enum guard_verdict v = guard_begins(net, &flow, &cause);

	*why = guard_drop(v);
	return v == GUARD_PASS;
}

enum guard_path guard_path_to(const struct network *net, const struct ip *dst)
{
	const struct env *env = &net->p.env;

	if (ip_equal(dst, proto_gateway(&net->p, dst)))
		return GUARD_TO_HOST;
	/* Without host access the policy has refused it already. */
	if (!net->guard.in_matters || !net->policy.host_access)
		return GUARD_TO_WORLD;
	return env->ops->route(env->ctx, dst) == ENV_ROUTE_HOST ?
	       GUARD_TO_HOST : GUARD_TO_WORLD;
}

enum guard_path guard_path_from(const struct network *net,
				const struct ip *from)
{
	const struct env *env = &net->p.env;

	if (ip_is_unspecified(from) || ip_is_loopback(from) ||
	    ip_equal(from, proto_gateway(&net->p, from)))
		return GUARD_FROM_HOST;
	return env->ops->route(env->ctx, from) == ENV_ROUTE_HOST ?
	       GUARD_FROM_HOST : GUARD_FROM_LAN;
}
/* ---- rules ---- */

void guard_init(struct guard *g)
{
	g->sweep_at = GUARD_NO_SWEEP;
}

void network_set_rules(struct network *net, const struct network_rules *rules,
		       uint64_t now_ns)
{
	struct guard *g = &net->guard;

	net->p.now_ns = now_ns;
	g->rules = *rules;
	g->in_matters = !rules->off && rules->firewall &&
			firewall_may_refuse(rules->firewall, FROM_GUEST);
	g->sweep_at = rules->keep_flows || rules->off ? GUARD_NO_SWEEP : 0;
	g->sweep_stuck = false;
}

void network_get_blocked(const struct network *net, uint64_t *blocked,
			 uint64_t *not_told)
{
	*blocked = net->guard.blocked;
	*not_told = net->guard.not_told;
}

enum network_judgement network_judge(struct network *net,
				     const struct network_relay *relay,
				     uint32_t ticket, uint64_t now_ns)
{
	const struct network_setup *s = &net->setup;
	const struct member *m = &net->members[relay->guest %
					       NETWORK_GUESTS_MAX];
	const struct ip *guest = relay->v6 ? &m->ip6 : &m->ip4;
	const struct ip *gateway = relay->v6 ? &s->gateway6 : &s->gateway4;
	const uint16_t guest_port = relay->to_host ? relay->client_port :
						     relay->port;
	const uint16_t host_port = relay->to_host ? relay->port :
						    relay->client_port;
	const struct guard_flow flow = {
		.path = relay->to_host ? GUARD_TO_HOST : GUARD_FROM_HOST,
		.protocol = relay->udp ? PROTO_UDP : PROTO_TCP,
		.guest = { .ip = *guest, .port = guest_port },
		.peer = { .ip = *gateway, .port = host_port },
	};
	const struct guard_cause cause = { .kind = GUARD_TICKET,
					   .ticket = ticket };

	net->p.now_ns = now_ns;
	switch (guard_begins(net, &flow, &cause)) {
	case GUARD_PASS:
		return NETWORK_PASS;
	case GUARD_WAIT:
		return NETWORK_WAIT;
	case GUARD_BLOCK: case GUARD_LIMIT:
		break;
	}
	return NETWORK_BLOCK;
}
