/* SPDX-License-Identifier: MIT */
#include "network/names.h"

#include "base/host_names.h"
#include "network/state.h"
#include "proto/share.h"

/* Who asks, in one of the two ways (struct dns_ops); NULL: it has gone. */
static const struct ip *asker(const struct network *net,
			      const struct dns_reply_to *to,
			      struct handle owner)
{
	const struct flow *f = to ? NULL : flow_get(&net->p.flows, owner);

	return to ? &to->guest.ip : f ? &f->key.guest_ip : NULL;
}

/* ---- which may be asked for ---- */

static void tell(struct network *net, const char *name,
		 const struct dns_reply_to *to, struct handle owner)
{
	const struct flow *f = to ? NULL : flow_get(&net->p.flows, owner);
	const struct env *env = &net->p.env;
	struct network_blocked b = {
		.generation = net->guard.rules.generation,
		.rule = BLOCKED_NO_RULE, .told = true, .origin = FROM_GUEST,
		.protocol = to ? PROTO_UDP : PROTO_TCP,
		.dst.port = PORT_DNS,
	};

	if (!guard_may_tell(net))
		return;
	if (to) {
		b.src = to->guest;
		b.dst.ip = to->gateway;
	} else if (f) {
		b.src = (struct endpoint){ f->key.guest_ip,
					   f->key.guest_port };
		b.dst.ip = f->key.peer_ip;
	}
	b.name[0] = '.';		/* the root has no other text */
	for (size_t i = 0; i < sizeof(b.name) - 1 && name[i]; i++)
		b.name[i] = name[i];
	env->ops->blocked(env->ctx, &b);
}

enum dns_gate names_gate(void *ctx, const char *name,
			 const struct dns_reply_to *to, struct handle owner)
{
	struct network *net = ctx;
	const struct network_rules *rules = &net->guard.rules;
	const struct ip *by = asker(net, to, owner);

	if (rules->off)
		return DNS_MAY_ASK;
	if (rules->firewall) {
		if (firewall_out_is_open(rules->firewall))
			return DNS_MAY_ASK;
		if (firewall_name_allowed(rules->firewall,
					  by ? guard_guest_name(net, by) :
					       NULL, name))
			return DNS_MAY_ASK_PLAINLY;
	}
	tell(net, name, to, owner);
	return DNS_MAY_NOT_ASK;
}

int names_share(void *ctx, const uint32_t *has, uint32_t all,
		const struct dns_reply_to *to, struct handle owner)
{
	const struct network *net = ctx;
	const struct ip *by = asker(net, to, owner);
	const unsigned id = by ? share_owner(&net->p, by) : 0;

	_Static_assert(DNS_GUESTS_MAX == NETWORK_GUESTS_MAX,
		       "each guest may ask");
	return share_allows(&net->p, has, id, all) ? (int)id : -1;
}

void names_answered(void *ctx, const struct dns_answered *what,
		    const struct dns_reply_to *to, struct handle owner)
{
	struct network *net = ctx;
	const struct ip *by = asker(net, to, owner);
	const int id = by ? guests_to(&net->p.guests, by) : GUESTS_NOBODY;

	if (id >= 0)
		openings_note(&net->openings, &net->p.env, (unsigned)id,
			      what->name, &what->ip, what->ttl_s,
			      net->p.now_ns);
}

/* ---- what they are to a flow ---- */

static bool is_gateway(const struct network *net, const struct ip *ip)
{
	return ip_equal(ip, proto_gateway(&net->p, ip));
}

/* Is it an address that an answer from anywhere may open? */
static bool is_the_worlds(const struct network *net, const struct ip *ip)
{
	const struct env *env = &net->p.env;
	const struct prefix *own = ip_is4(ip) ? &net->p.net4 : &net->p.net6;

	return ip_is_public(ip) && !prefix_has(own, ip) &&
	       env->ops->route(env->ctx, ip) != ENV_ROUTE_HOST;
}

struct firewall_verdict names_decide(const struct network *net,
				     const struct firewall_flow *flow,
				     bool lives)
{
	const struct firewall *fw = net->guard.rules.firewall;
	const struct ip *ip = &flow->remote.ip;
	const int id = guests_to(&net->p.guests, &flow->local.ip);
	const char *names[OPENING_NAMES_MAX];
	struct firewall_flow f = *flow;
	struct firewall_verdict v, without;

	if (flow->direction == RULE_OUT && is_gateway(net, ip)) {
		f.names = host_names;
		f.n_names = HOST_NAMES;
	} else if (flow->direction == RULE_OUT && id >= 0) {
		f.names = names;
		f.n_names = openings_names(&net->openings, (unsigned)id, ip,
					   lives ? 0 : net->p.now_ns, names);
	}
	v = firewall_decide(fw, &f);
	if (!f.n_names || f.names == host_names || v.reason == BY_BLOCK ||
	    is_the_worlds(net, ip))
		return v;
	without = firewall_decide(fw, flow);
	if (without.allow)	/* a program may have its names blocked */
		without.unsure = v.unsure;
	return without;
}
