/* SPDX-License-Identifier: MIT */
#include "proto/udp_map.h"

#include <string.h>

#include "proto/share.h"
#include "proto/udp.h"

#define SECOND_NS	UINT64_C(1000000000)
#define IDLE_NS		(120 * SECOND_NS)	/* RFC 4787 REQ-5 */
#define IDLE_DNS_NS	(15 * SECOND_NS)	/* one question */
#define IDLE_CALLED_NS	(30 * SECOND_NS)	/* nobody answers */
#define CALLED_PART	4u			/* of the flow table */
#define PORT_DNS	53

static struct udp_map *as_map(struct flow *f)
{
	return (struct udp_map *)(void *)f;
}

static struct udp_flow *as_flow(struct flow *f)
{
	return (struct udp_flow *)(void *)f;
}

struct udp_map *udp_map_of(struct proto *p, const struct udp_flow *u)
{
	struct flow *f = flow_get(&p->flows, u->map);

	ASSERT(f);
	return as_map(f);
}

void udp_map_free(struct proto *p, struct udp_map *m)
{
	if (m->sock >= 0)
		p->env.ops->dgram_close(p->env.ctx, m->sock);
	flow_free(&p->flows, &m->flow);
}

void udp_map_leave(struct proto *p, struct udp_map *m)
{
	if (--m->exchanges == 0 && !m->offered)
		udp_map_free(p, m);
}

void udp_exchange_end(struct proto *p, struct udp_flow *u)
{
	struct udp_map *m = udp_map_of(p, u);

	udp_turn_end(p);		/* what waits may be of this one */
	wheel_cancel(&p->wheel, &u->timer);
	p->called -= u->called;
	flow_free(&p->flows, &u->flow);
	udp_map_leave(p, m);
}

struct udp_flow *udp_exchange_find(struct proto *p, const struct flow_key *key)
{
	struct flow *f = flow_find(&p->flows, key);
	struct udp_flow *u = f ? as_flow(f) : NULL;

	if (!u || u->epoch == udp_map_of(p, u)->epoch)
		return u;
	udp_exchange_end(p, u);
	return NULL;
}

/* The map by which a guest's port begins to talk; NULL with the reason. */
static struct udp_map *map_open(struct proto *p, const struct flow_key *key,
				enum drop *why)
{
	const struct flow_key map_key = {
		.guest_ip = key->guest_ip,
		.guest_port = key->guest_port,
		.kind = FLOW_UDP_MAP,
	};
	struct flow *f = flow_find(&p->flows, &map_key);
	struct udp_map *m;
	int sock;

	if (f && as_map(f)->sock >= 0)
		return as_map(f);
	if (!f)
		f = share_flow(p, &map_key);
	if (!f) {
		*why = DROP_FLOWS;
		return NULL;
	}
	m = as_map(f);
	sock = p->env.ops->udp_open(p->env.ctx, !ip_is4(&key->guest_ip),
				    flow_handle(&p->flows, f));
	m->sock = sock < 0 ? -1 : sock;
	m->cut = (struct proto_cut){ .whole = false };
	if (sock >= 0)
		return m;
	*why = DROP_SYSTEM;
	if (!m->exchanges)
		flow_free(&p->flows, f);
	return NULL;
}

/* A new exchange under m; NULL with the reason. */
static struct udp_flow *begin(struct proto *p, const struct flow_key *key,
			      struct udp_map *m, const struct endpoint *to,
			      enum drop *why)
{
	struct flow *f = share_flow(p, key);

	if (!f) {
		*why = DROP_FLOWS;
		return NULL;
	}
	m->exchanges++;
	as_flow(f)->map = flow_handle(&p->flows, &m->flow);
	as_flow(f)->epoch = m->epoch;
	as_flow(f)->to = *to;
	f->begun_s = proto_seconds(p);
	return as_flow(f);
}

struct udp_flow *udp_exchange_open(struct proto *p,
				   const struct flow_key *key,
				   const struct endpoint *to, enum drop *why)
{
	struct udp_map *m = map_open(p, key, why);
	struct udp_flow *u = m ? begin(p, key, m, to, why) : NULL;

	if (m && !m->exchanges && !m->offered)
		udp_map_free(p, m);
	return u;
}

/* What the guest calls a peer of the map's. */
static struct endpoint shown(const struct proto *p, const struct udp_map *m,
			     const struct endpoint *peer)
{
	const struct ip *guest = &m->flow.key.guest_ip;
	const bool as_it_is = m->offered ?
		proto_can_be_seen(p, &peer->ip, guest) :
		!ip_is_loopback(&peer->ip);

	return (struct endpoint){
		.ip = as_it_is ? peer->ip : *proto_gateway(p, guest),
		.port = peer->port,
	};
}

static struct flow_key key_of(const struct udp_map *m,
			      const struct endpoint *peer)
{
	return (struct flow_key){
		.guest_ip = m->flow.key.guest_ip,
		.guest_port = m->flow.key.guest_port,
		.peer_ip = peer->ip, .peer_port = peer->port,
		.kind = FLOW_UDP,
	};
}

struct udp_flow *udp_exchange_of(struct proto *p, const struct udp_map *m,
				 const struct endpoint *peer)
{
	const struct endpoint as = shown(p, m, peer);
	const struct flow_key by_itself = key_of(m, peer);
	const struct flow_key by_gateway = key_of(m, &as);
	struct udp_flow *u = udp_exchange_find(p, &by_itself);

	return u ? u : udp_exchange_find(p, &by_gateway);
}

static bool same(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ip_equal(&a->ip, &b->ip);
}

/* A peer speaks to an offer for the first time. */
static struct udp_flow *begin_called(struct proto *p, struct udp_map *m,
				     struct proto_call *call, enum drop *why)
{
	struct flow_key key;
	struct udp_flow *u = NULL;

	*why = DROP_NOFLOW;
	if (!m->offered || !call->peer.port)
		return NULL;
	call->map = m;
	call->shown = shown(p, m, &call->peer);
	if (!p->may_call(p, call, why))
		return NULL;
	*why = DROP_FLOWS;
	key = key_of(m, &call->shown);
	if (p->called < p->flows.n_slots / CALLED_PART)
		u = begin(p, &key, m, &call->peer, why);
	if (u) {
		u->called = true;
		p->called++;
	}
	return u;
}

/* From now on what the guest answers leaves by m. */
static void move(struct proto *p, struct udp_flow *u, struct udp_map *m)
{
	struct udp_map *before = udp_map_of(p, u);

	if (before == m)
		return;
	udp_turn_end(p);		/* what waits goes by the other */
	m->exchanges++;
	u->map = flow_handle(&p->flows, &m->flow);
	u->epoch = m->epoch;
	udp_map_leave(p, before);
}

struct udp_flow *udp_exchange_from(struct proto *p, struct udp_map *m,
				   struct proto_call *call, enum drop *why)
{
	struct udp_flow *u = udp_exchange_of(p, m, &call->peer);

	if (!u)
		u = begin_called(p, m, call, why);
	if (!u)
		return NULL;
	if (m->offered && !same(&u->to, &call->peer)) {
		*why = DROP_NOFLOW;	/* two that look alike to the guest */
		return NULL;
	}
	move(p, u, m);
	u->local = call->mark.local;
	u->dev = call->mark.dev;
	return u;
}

static uint64_t idle_limit(const struct udp_flow *u)
{
	if (u->called && !u->answered)
		return IDLE_CALLED_NS;
	return u->flow.key.peer_port == PORT_DNS ? IDLE_DNS_NS : IDLE_NS;
}

void udp_exchange_used(struct proto *p, struct udp_flow *u)
{
	u->idle_ns = p->now_ns;
	if (!timer_armed(&u->timer))
		wheel_arm(&p->wheel, &u->timer, p->now_ns + idle_limit(u));
}

void udp_timer(struct proto *p, struct udp_flow *u)
{
	const uint64_t end = u->idle_ns + idle_limit(u);

	if (end > p->now_ns && u->epoch == udp_map_of(p, u)->epoch)
		wheel_arm(&p->wheel, &u->timer, end);
	else
		udp_exchange_end(p, u);
}

bool udp_is_called(struct proto *p, const struct flow_key *key,
		   struct endpoint *to)
{
	const struct udp_flow *u = udp_exchange_find(p, key);

	if (!u || !u->called)
		return false;
	*to = u->to;
	return true;
}

bool udp_offer(struct proto *p, int sock, const struct endpoint *to, bool own,
	       struct handle *out)
{
	struct flow_key key = { .guest_ip = to->ip, .guest_port = to->port,
				.kind = FLOW_UDP_MAP };
	struct flow *f;

	/* Not the guest's own map: a number in the peer's place. */
	if (!own || flow_find(&p->flows, &key)) {
		++p->udp_offers;
		memcpy(key.peer_ip.b, &p->udp_offers, sizeof(p->udp_offers));
	}
	f = share_flow(p, &key);
	if (!f)
		return false;
	*out = flow_handle(&p->flows, f);
	if (p->env.ops->udp_adopt(p->env.ctx, sock, *out) < 0) {
		flow_free(&p->flows, f);
		return false;
	}
	as_map(f)->sock = sock;
	as_map(f)->offered = true;
	return true;
}

void udp_withdraw(struct proto *p, struct handle map)
{
	struct flow *f = flow_get(&p->flows, map);
	struct udp_map *m;

	if (!f)
		return;
	m = as_map(f);
	udp_turn_end(p);
	p->env.ops->dgram_close(p->env.ctx, m->sock);
	m->sock = -1;
	m->offered = false;
	m->epoch++;
	if (!m->exchanges)
		flow_free(&p->flows, f);
}
