/* SPDX-License-Identifier: MIT */
/*
 * network/network.c - a network's start and end, events, timers, figures
 *
 * Timers of flows and of the DNS service share one wheel; where a popped
 * timer lies in memory tells whose it is.
 */
#include "network/network.h"

#include <string.h>

#include "network/names.h"
#include "network/state.h"

#define OFFER_TRIES 256			/* for a port of the gateway's */

static size_t round64(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

size_t network_bytes(const struct network_setup *setup)
{
	return round64(sizeof(struct network)) + round64(dns_bytes()) +
	       round64(flow_table_bytes(setup->max_flows,
					round64(sizeof(union slot))));
}

static void dns_udp_answer(void *ctx, const struct dns_reply_to *to,
			   const uint8_t *msg, size_t len)
{
	struct network *net = ctx;
	const struct endpoint from = { .ip = to->gateway, .port = PORT_DNS };

	udp_to_guest(&net->p, &from, &to->guest, &network_own_mark, msg, len);
}

/* Not handled here and now: the service may be called from within a flow. */
static void dns_stream_event(void *ctx, struct handle owner, unsigned events)
{
	struct network *net = ctx;
	struct flow *f = flow_get(&net->p.flows, owner);
	struct tcp *t = (struct tcp *)(void *)f;

	if (!f || f->key.kind != FLOW_TCP)
		return;
	t->events |= (uint8_t)events;
	tcp_owe(&net->p, t);
}

static void start_dns(struct network *net, void *mem)
{
	const struct network_setup *s = &net->setup;
	struct dns_setup d = {
		.gateway4 = s->gateway4, .gateway6 = s->gateway6,
		.v6 = s->v6, .host_access = s->host_access,
	};
	const struct dns_ops ops = {
		.gate = names_gate,
		.share = names_share,
		.answered = names_answered,
		.udp_answer = dns_udp_answer,
		.stream_event = dns_stream_event,
		.ctx = net,
	};

	net->dns = dns_init(mem, &d, &net->p.env, &ops, &net->p.wheel,
			    &net->p.now_ns);
}

struct network *network_init(void *mem, const struct network_setup *setup,
			     const struct env *env, uint64_t now_ns)
{
	struct network *net = mem;
	uint8_t *rest = (uint8_t *)mem + round64(sizeof(*net));
	struct siphash_key key;

	net->setup = *setup;
	net->p.env = *env;
	net->p.gateway_mac = setup->gateway_mac;
	net->p.gateway4 = setup->gateway4;
	net->p.gateway6 = setup->gateway6;
	net->p.net4 = setup->net4;
	net->p.net6 = setup->net6;
	net->p.mtu = setup->mtu;
	net->p.now_ns = now_ns;
	net->p.datagram = net->datagram;
	net->p.gather = &net->gather;
	net->policy = (struct policy){
		.gateway4 = setup->gateway4, .gateway6 = setup->gateway6,
		.v6 = setup->v6, .host_access = setup->host_access,
		.ports = setup->host_ports,
		.link_local = setup->link_local,
	};
	net->neighbor = (struct neighbor_setup){
		.gateway_mac = setup->gateway_mac,
		.net4 = setup->net4, .net6 = setup->net6,
		.gateway4 = setup->gateway4, .gateway6 = setup->gateway6,
	};
	net->p.may_call = guard_call_begins;
	net->p.path_takes = paths_takes;
	guard_init(&net->guard);
	wheel_init(&net->p.wheel, now_ns);
	env->ops->random(env->ctx, &net->p.isn_key, sizeof(net->p.isn_key));
	env->ops->random(env->ctx, &key, sizeof(key));
	autoconf_init(&net->autoconf, &net->setup);
	paths_init(net);
	start_dns(net, rest);
	guests_init(&net->p.guests, &setup->gateway_mac, &key);
	network_first_guest(net);
	flow_table_init(&net->p.flows, rest + round64(dns_bytes()),
			setup->max_flows, round64(sizeof(union slot)), &key);
	return net;
}

void network_fini(struct network *net)
{
	struct flow_table *t = &net->p.flows;
	uint32_t slot = 0;

	for (struct flow *f; (f = flow_next(t, &slot)); slot++) {
		union slot *s = (union slot *)(void *)f;

		switch ((enum flow_kind)f->key.kind) {
		case FLOW_TCP:
			tcp_free(&net->p, &s->tcp, true);
			break;
		case FLOW_UDP_MAP:
			udp_map_free(&net->p, &s->udp_map);
			break;
		case FLOW_UDP:
			wheel_cancel(&net->p.wheel, &s->udp.timer);
			flow_free(t, f);
			break;
		case FLOW_PING:
			ping_free(&net->p, &s->ping);
			break;
		case FLOW_DIRECT_TCP: case FLOW_DIRECT_UDP:
		case FLOW_DIRECT_PING:
			direct_free(net, &s->direct);
			break;
		case FLOW_SWITCH_TCP: case FLOW_SWITCH_UDP:
		case FLOW_SWITCH_PING: case FLOW_SWITCH_OTHER:
			switch_free(net, &s->switched);
			break;
		case FLOW_FREE: case FLOW_KIND_MAX:
			break;
		}
	}
	guard_fini(net);
	reassembly_fini(&net->p, &net->reassembly);
	wheel_cancel(&net->p.wheel, &net->autoconf.timer);
	wheel_cancel(&net->p.wheel, &net->moved_timer);
	wheel_cancel(&net->p.wheel, &net->p.full_timer);
	paths_fini(net);
	dns_fini(net->dns);
	openings_fini(&net->openings, &net->p.env);
}

void network_sock_event(struct network *net, struct handle h,
			unsigned events, uint64_t now_ns)
{
	union slot *s;

	net->p.now_ns = now_ns;
	if (h.slot >= PATHS_SLOT_BASE) {
		paths_sock_event(net, h, events);
		return;
	}
	if (h.slot >= DNS_SLOT_BASE) {
		dns_sock_event(net->dns, h, events);
		return;
	}
	s = (union slot *)(void *)flow_get(&net->p.flows, h);
	if (!s)
		return;
	switch ((enum flow_kind)s->flow.key.kind) {
	case FLOW_TCP:
		tcp_host_event(&net->p, &s->tcp, events);
		break;
	case FLOW_UDP_MAP:
		udp_host_event(&net->p, &s->udp_map, events);
		break;
	case FLOW_PING:
		ping_host_event(&net->p, &s->ping, events);
		break;
	case FLOW_UDP: case FLOW_FREE: case FLOW_KIND_MAX:
	case FLOW_DIRECT_TCP: case FLOW_DIRECT_UDP: case FLOW_DIRECT_PING:
	case FLOW_SWITCH_TCP: case FLOW_SWITCH_UDP: case FLOW_SWITCH_PING:
	case FLOW_SWITCH_OTHER:
		break;
	}
}

/* A port of the gateway's that is in no flow to that one; 0: none. */
static uint16_t free_port(const struct network *net, struct flow_key key)
{
	const struct env *env = &net->p.env;
	/*
	 * RFC 6335 section 6: dynamic ports. With an interface on the host
	 * its own connections have the gateway's address, too: then those
	 * from which Linux does not pick.
	 */
	const unsigned first = net->setup.host_port ? 61000 : 49152;
	uint16_t at;

	env->ops->random(env->ctx, &at, sizeof(at));
	for (unsigned i = 0; i < OFFER_TRIES; i++) {
		key.peer_port = (uint16_t)(first + (at + i) %
					   (UINT16_MAX + 1u - first));
		key.kind = FLOW_DIRECT_TCP;	/* if the host did pick it */
		if (flow_find(&net->p.flows, &key))
			continue;
		key.kind = FLOW_TCP;
		if (!flow_find(&net->p.flows, &key))
			return key.peer_port;
	}
	return 0;
}

/* Else the stream is reset, or waits. */
static bool offer_begins(struct network *net, int id,
			 const struct endpoint *from,
			 const struct endpoint *to)
{
	const struct env *env = &net->p.env;
	struct guard_flow flow = {
		.path = guard_path_from(net, &from->ip),
		.protocol = PROTO_TCP, .guest = *to, .peer = *from,
	};
	const struct guard_cause cause = {
		.kind = GUARD_STREAM,
		.stream = { .id = id, .from = *from, .to = *to },
	};
	enum guard_verdict v;

	if (ip_is_unspecified(&from->ip) || ip_is_loopback(&from->ip))
		flow.peer.ip = *proto_gateway(&net->p, &to->ip);
	v = guard_begins(net, &flow, &cause);
	if (v == GUARD_BLOCK || v == GUARD_LIMIT) {
		net->p.drops[guard_drop(v)]++;
		env->ops->tcp.close(env->ctx, id, true);
	}
	return v == GUARD_PASS;
}

void network_offer(struct network *net, int id, const struct endpoint *from,
		   const struct endpoint *to, uint64_t now_ns)
{
	struct proto *p = &net->p;
	struct flow_key key = {
		.guest_ip = to->ip, .guest_port = to->port,
		.peer_ip = from->ip, .peer_port = from->port,
		.kind = FLOW_TCP,
	};

	p->now_ns = now_ns;
	if (!offer_begins(net, id, from, to))
		return;
	if (!proto_can_be_seen(p, &from->ip, &to->ip) ||
	    flow_find(&p->flows, &key)) {
		key.peer_ip = *proto_gateway(p, &to->ip);
		key.peer_port = free_port(net, key);
	}
	if (key.peer_port)
		p->drops[tcp_offer(p, &key, id)]++;
	else
		p->env.ops->tcp.close(p->env.ctx, id, true);
}

void network_udp_offer(struct network *net, uint32_t name, int id,
		       const struct endpoint *to, bool own, uint64_t now_ns)
{
	struct proto *p = &net->p;
	struct handle h;

	p->now_ns = now_ns;
	if (net->n_udp_offers == NETWORK_UDP_OFFERS_MAX ||
	    !udp_offer(p, id, to, own, &h)) {
		p->drops[DROP_FLOWS]++;
		p->env.ops->dgram_close(p->env.ctx, id);
		return;
	}
	net->udp_offers[net->n_udp_offers++] = (struct udp_offer){
		.name = name, .map = h,
	};
}

void network_udp_withdraw(struct network *net, uint32_t name,
			  uint64_t now_ns)
{
	net->p.now_ns = now_ns;
	for (unsigned i = 0; i < net->n_udp_offers; i++) {
		struct udp_offer *o = &net->udp_offers[i];

		if (o->name != name)
			continue;
		udp_withdraw(&net->p, o->map);
		*o = net->udp_offers[--net->n_udp_offers];
		return;
	}
}

uint64_t network_next_timer(const struct network *net)
{
	return wheel_next(&net->p.wheel);
}

static void flow_timer(struct network *net, struct flow *f)
{
	union slot *s = (union slot *)(void *)f;

	switch ((enum flow_kind)f->key.kind) {
	case FLOW_TCP:
		tcp_timer(&net->p, &s->tcp);
		break;
	case FLOW_UDP:
		udp_timer(&net->p, &s->udp);
		break;
	case FLOW_PING:
		ping_timer(&net->p, &s->ping);
		break;
	case FLOW_DIRECT_TCP: case FLOW_DIRECT_UDP: case FLOW_DIRECT_PING:
		direct_timer(net, &s->direct);
		break;
	case FLOW_SWITCH_TCP: case FLOW_SWITCH_UDP: case FLOW_SWITCH_PING:
	case FLOW_SWITCH_OTHER:
		switch_timer(net, &s->switched);
		break;
	case FLOW_UDP_MAP: case FLOW_FREE: case FLOW_KIND_MAX:
		break;
	}
}

void network_timers(struct network *net, uint64_t now_ns)
{
	struct timer *t;

	net->p.now_ns = now_ns;
	while ((t = wheel_pop(&net->p.wheel, now_ns))) {
		struct flow *f = flow_of(&net->p.flows, t);

		if (f)
			flow_timer(net, f);
		else if (t == &net->reassembly.timer)
			reassembly_timer(&net->p, &net->reassembly);
		else if (t == &net->autoconf.timer)
			autoconf_timer(&net->autoconf, &net->p);
		else if (t == &net->guard.timer)
			guard_timer(net);
		else if (t == &net->p.full_timer)
			tcp_links_retry(&net->p);
		else if (t == &net->moved_timer)
			network_look_for_moved(net);
		else if (!paths_timer(net, t))
			ASSERT(dns_timer(net->dns, t));
	}
}

void network_link_ready(struct network *net, unsigned link, uint64_t now_ns)
{
	net->p.now_ns = now_ns;
	if (link < NETWORK_LINKS_MAX && proto_is_full(&net->p, link))
		tcp_link_ready(&net->p, link);
}

void network_turn_end(struct network *net, uint64_t now_ns)
{
	net->p.now_ns = now_ns;
	guard_turn_end(net);
	udp_turn_end(&net->p);
	tcp_turn_end(&net->p);
	paths_turn_end(net);
}

bool network_busy(const struct network *net)
{
	return net->p.owed != NULL || guard_busy(net);
}

void network_set_mtu(struct network *net, unsigned mtu, uint64_t now_ns)
{
	ASSERT(mtu >= 68 && mtu <= 65520);
	net->p.now_ns = now_ns;
	net->p.mtu = net->setup.mtu = mtu;
	autoconf_set_mtu(&net->autoconf, &net->p);
}

void network_set_resolvers(struct network *net, const struct endpoint *at,
			   size_t n)
{
	dns_set_resolvers(net->dns, at, n);
	paths_expect(net);
}

void network_set_zones(struct network *net, const struct dns_zone *zones,
		       size_t n)
{
	dns_set_zones(net->dns, zones, n);
}

void network_set_hosts(struct network *net, const struct hosts *hosts)
{
	dns_set_hosts(net->dns, hosts);
}

void network_get_stats(const struct network *net, struct network_stats *out)
{
	const struct proto *p = &net->p;
	struct dns_stats dns;

	dns_get_stats(net->dns, &dns);
	*out = (struct network_stats){
		.flows_tcp = p->flows.used[FLOW_TCP] +
			     p->flows.used[FLOW_DIRECT_TCP] +
			     p->flows.used[FLOW_SWITCH_TCP],
		.flows_udp = p->flows.used[FLOW_UDP] +
			     p->flows.used[FLOW_DIRECT_UDP] +
			     p->flows.used[FLOW_SWITCH_UDP],
		.flows_icmp = p->flows.used[FLOW_PING] +
			      p->flows.used[FLOW_DIRECT_PING] +
			      p->flows.used[FLOW_SWITCH_PING],
		.flows_max = p->flows.n_slots,
		.frames_from_guest = net->frames_from_guest,
		.frames_to_guest = p->frames_to_guest,
		.bytes_from_guest = net->bytes_from_guest,
		.bytes_to_guest = p->bytes_to_guest,
		.retransmits = p->retransmits,
		.store_bytes = p->store_bytes,
		.dns_questions = dns.questions,
		.dns_from_cache = dns.from_cache,
		.dns_failed = dns.failed,
		.dns_refused = dns.refused,
		.names_lost = net->openings.lost,
		.dns_kept_bytes = dns.kept_bytes +
				  (net->openings.at ? OPENINGS_BYTES : 0),
		.guest6 = net->members[0].named6,
	};
	out->n_narrow = paths_narrow(net, out->narrow, NETWORK_NARROW_MAX);
	memcpy(out->drops, p->drops, sizeof(out->drops));
}

/* Of flows between guests, in all and of each. */
static void check_switched(const struct network *net)
{
	const struct flow_table *t = &net->p.flows;
	uint32_t of[NETWORK_GUESTS_MAX] = { 0 }, slot = 0, all = 0;

	for (struct flow *f; (f = flow_next(t, &slot)); slot++) {
		const union slot *s = (const union slot *)(const void *)f;

		if (f->key.kind < FLOW_SWITCH_TCP)
			continue;
		ASSERT(net->p.guests.at[s->switched.by].used &&
		       timer_armed(&s->switched.timer));
		of[s->switched.by]++;
		all++;
	}
	ASSERT(all == net->switched);
	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++)
		ASSERT(of[i] == net->members[i].switched);
}

void network_check(const struct network *net)
{
	const struct flow_table *t = &net->p.flows;
	uint32_t slot = 0, exchanges = 0, called = 0, by_host = 0;

	flow_table_check(t);
	guests_check(&net->p.guests);
	check_switched(net);
	for (struct flow *f; (f = flow_next(t, &slot)); slot++) {
		const union slot *s = (union slot *)(void *)f;

		if (f->key.kind == FLOW_TCP) {
			tcp_check(&net->p, &s->tcp);
		} else if (f->key.kind == FLOW_UDP_MAP) {
			ASSERT(s->udp_map.offered || s->udp_map.exchanges);
			exchanges += s->udp_map.exchanges;
		} else if (f->key.kind == FLOW_UDP) {
			called += s->udp.called;
		} else if (f->key.kind == FLOW_DIRECT_TCP ||
			   f->key.kind == FLOW_DIRECT_UDP ||
			   f->key.kind == FLOW_DIRECT_PING) {
			by_host += s->direct.by_host;
		}
	}
	ASSERT(exchanges == t->used[FLOW_UDP]);
	ASSERT(called == net->p.called);
	ASSERT(by_host == net->host_began);
}
