/* SPDX-License-Identifier: MIT */
#include "proto/guests.h"

#include <string.h>

/* ---- addresses ---- */

static unsigned chain_of(const struct guests *g, const struct ip *ip)
{
	return (unsigned)(siphash(&g->key, ip->b, sizeof(ip->b)) %
			  GUESTS_CHAINS);
}

static struct guests_address *slot_of(struct guests *g, unsigned id,
				      unsigned i)
{
	return &g->addresses[id * GUESTS_SLOTS + i];
}

static unsigned owner_of(const struct guests *g,
			 const struct guests_address *a)
{
	return (unsigned)(a - g->addresses) / GUESTS_SLOTS;
}

/* NULL: it is in no guest's list. */
static const struct guests_address *find(const struct guests *g,
					 const struct ip *ip)
{
	unsigned at = g->chain[chain_of(g, ip)];

	while (at && !ip_equal(&g->addresses[at - 1].ip, ip))
		at = g->addresses[at - 1].next;
	return at ? &g->addresses[at - 1] : NULL;
}

/* Nearly always it is the one of that guest's that spoke last. */
static const struct guests_address *find_of(const struct guests *g,
					    unsigned id, const struct ip *ip)
{
	const struct guests_address *a =
		&g->addresses[id * GUESTS_SLOTS + g->at[id].last];

	return ip_equal(&a->ip, ip) ? a : find(g, ip);
}

static void put(struct guests *g, struct guests_address *a,
		const struct ip *ip)
{
	uint16_t *first = &g->chain[chain_of(g, ip)];

	*a = (struct guests_address){ .ip = *ip, .next = *first };
	*first = (uint16_t)(a - g->addresses + 1);
}

static void take_out(struct guests *g, struct guests_address *a)
{
	uint16_t *link = &g->chain[chain_of(g, &a->ip)];
	const uint16_t slot = (uint16_t)(a - g->addresses + 1);

	while (*link != slot)
		link = &g->addresses[*link - 1].next;
	*link = a->next;
	*a = (struct guests_address){ .next = 0 };
}

/* The MAC from which that address was made, if it was. */
static bool made_of(const struct ip *ip, struct mac *mac)
{
	const uint8_t *b = ip->b + 8;

	if (ip_is4(ip) || b[3] != 0xff || b[4] != 0xfe)
		return false;
	*mac = (struct mac){ { b[0] ^ 2, b[1], b[2], b[5], b[6], b[7] } };
	return true;
}

/* Room for one more address that the guest takes by itself. */
static struct guests_address *room(struct guests *g, unsigned id)
{
	struct guests_address *oldest = NULL;

	for (unsigned i = GUESTS_GIVEN; i < GUESTS_SLOTS; i++) {
		struct guests_address *a = slot_of(g, id, i);

		if (ip_is_unspecified(&a->ip))
			return a;
		if (!oldest || a->order < oldest->order)
			oldest = a;
	}
	g->addresses_lost++;
	take_out(g, oldest);
	return oldest;
}

static void note(struct guests *g, unsigned id, struct guests_address *a,
		 const struct mac *mac)
{
	struct guest *of = &g->at[id];
	const bool v4 = ip_is4(&a->ip);

	a->order = ++g->order;
	of->last = (uint16_t)((unsigned)(a - g->addresses) % GUESTS_SLOTS);
	if (of->fixed)
		return;
	a->mac = *mac;
	a->heard = true;
	if (v4 || !of->has_ip4)
		of->main = *mac;
	of->has_ip4 |= v4;
}

bool guests_heard(struct guests *g, unsigned id, const struct ip *ip,
		  const struct mac *mac, bool takes)
{
	struct guests_address *a =
		(struct guests_address *)find_of(g, id, ip);
	struct mac from;
	int other;

	if (ip_is_unspecified(ip))
		return false;
	if (a && owner_of(g, a) != id)
		return false;
	if (!a) {
		if (!takes || ip_is4(ip))
			return false;
		other = made_of(ip, &from) ? guests_by_mac(g, &from) :
					     GUESTS_NOBODY;
		if (other >= 0 && other != (int)id)
			return false;
		a = room(g, id);
		put(g, a, ip);
	}
	note(g, id, a, mac);
	return true;
}

int guests_find(const struct guests *g, const struct ip *ip)
{
	const struct guests_address *a = find(g, ip);

	return a ? (int)owner_of(g, a) : GUESTS_NOBODY;
}

int guests_to(const struct guests *g, const struct ip *ip)
{
	return g->n == 1 ? 0 : guests_find(g, ip);
}

const struct mac *guests_mac(const struct guests *g, unsigned id,
			     const struct ip *ip)
{
	const struct guest *of = &g->at[id];
	const struct guests_address *a = of->fixed || ip_is4(ip) ? NULL :
					 find_of(g, id, ip);

	return a && a->heard && owner_of(g, a) == id ? &a->mac : &of->main;
}

/* ---- MACs ---- */

static bool is_heard(const struct guests_link *l, const struct mac *mac)
{
	for (unsigned i = 0; i < l->n; i++)
		if (mac_equal(&l->heard[i], mac))
			return true;
	return false;
}

static int known_by(const struct guests *g, const struct mac *mac)
{
	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++) {
		const struct guest *of = &g->at[i];

		if (of->used && (of->by_mac || of->fixed) &&
		    mac_equal(&of->mac, mac))
			return (int)i;
	}
	return GUESTS_NOBODY;
}

int guests_by_mac(const struct guests *g, const struct mac *mac)
{
	const int known = known_by(g, mac);

	for (unsigned i = 0; known < 0 && i < NETWORK_LINKS_MAX; i++)
		if (is_heard(&g->links[i], mac))
			return g->links[i].own;
	return known;
}

static void forget_last(struct guests *g)
{
	for (unsigned i = 0; i < NETWORK_LINKS_MAX; i++)
		g->links[i].known = false;
}

static void hear_at(struct guests *g, struct guests_link *l,
		    const struct mac *mac)
{
	if (is_heard(l, mac))
		return;
	if (l->n == GUESTS_MACS)
		g->macs_lost++;
	else
		l->n++;
	l->heard[l->next] = *mac;
	l->next = (uint8_t)((l->next + 1) % GUESTS_MACS);
}

/* Whose frame is it, as far as can be told from the table? */
static int whose(const struct guests *g, unsigned link,
		 const struct mac *mac)
{
	const int id = guests_by_mac(g, mac);

	if ((mac->b[0] & 1) || mac_equal(mac, &g->gateway))
		return GUESTS_NOBODY;
	if (id < 0)
		return g->links[link].own < NETWORK_GUESTS_MAX ?
		       g->links[link].own : GUESTS_NOBODY;
	return id;
}

int guests_hear(struct guests *g, unsigned link, const struct mac *mac,
		unsigned *victim)
{
	struct guests_link *l = &g->links[link];
	struct guest *of;
	int id;

	if (l->known && mac_equal(&l->last, mac))
		return l->last_guest;
	id = whose(g, link, mac);
	if (id < 0)
		return id;
	of = &g->at[id];
	if (of->link != link && of->link != NETWORK_LINK_ANY) {
		if (victim)
			*victim = (unsigned)id;
		return GUESTS_THIEF;
	}
	of->link = (uint8_t)link;
	of->up = true;
	if (!of->by_mac) {
		hear_at(g, l, mac);
		if (!of->fixed)
			of->mac = *mac;
	}
	l->known = true;
	l->last = *mac;
	l->last_guest = (uint8_t)id;
	return id;
}

void guests_link_down(struct guests *g, unsigned link)
{
	struct guests_link *l = &g->links[link];

	l->n = l->next = 0;
	l->known = false;
	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++) {
		struct guest *of = &g->at[i];

		if (!of->used || of->link != link)
			continue;
		of->up = false;
		if (of->by_mac)
			of->link = NETWORK_LINK_ANY;
	}
}

/* ---- guests ---- */

void guests_init(struct guests *g, const struct mac *gateway,
		 const struct siphash_key *key)
{
	g->gateway = *gateway;
	g->key = *key;
	for (unsigned i = 0; i < NETWORK_LINKS_MAX; i++)
		g->links[i].own = NETWORK_GUESTS_MAX;
}

static bool may_have(const struct guests *g, const struct ip *ip)
{
	return ip_is_unspecified(ip) || guests_find(g, ip) < 0;
}

/* What a guest has taken by itself is given to who was meant to have it. */
static void make_room_for(struct guests *g, const struct ip *ip)
{
	struct guests_address *a = (struct guests_address *)find(g, ip);

	if (a && (unsigned)(a - g->addresses) % GUESTS_SLOTS >= GUESTS_GIVEN)
		take_out(g, a);
}

static bool fits(struct guests *g, const struct guests_new *what)
{
	const bool by_mac = what->link == NETWORK_LINK_ANY;
	const bool told = by_mac || what->fixed;

	if (!by_mac && (what->link >= NETWORK_LINKS_MAX ||
			g->links[what->link].own < NETWORK_GUESTS_MAX))
		return false;
	if (told && ((what->mac.b[0] & 1) ||
		     mac_equal(&what->mac, &g->gateway) ||
		     known_by(g, &what->mac) >= 0))
		return false;
	return may_have(g, &what->ip4) && may_have(g, &what->ip6);
}

int guests_add(struct guests *g, const struct guests_new *what)
{
	const bool by_mac = what->link == NETWORK_LINK_ANY;
	unsigned id = 0;

	make_room_for(g, &what->ip6);
	if (!fits(g, what))
		return GUESTS_THIEF;
	while (id < NETWORK_GUESTS_MAX && g->at[id].used)
		id++;
	if (id == NETWORK_GUESTS_MAX)
		return GUESTS_NOBODY;
	g->at[id] = (struct guest){
		.used = true, .by_mac = by_mac,
		.fixed = by_mac || what->fixed,
		.link = what->link, .mac = what->mac, .main = what->mac,
	};
	if (!by_mac)
		g->links[what->link].own = (uint8_t)id;
	if (!ip_is_unspecified(&what->ip4))
		put(g, slot_of(g, id, 0), &what->ip4);
	if (!ip_is_unspecified(&what->ip6))
		put(g, slot_of(g, id, 1), &what->ip6);
	forget_last(g);		/* whose MAC is whose may have changed */
	g->n++;
	return (int)id;
}

void guests_remove(struct guests *g, unsigned id)
{
	struct guest *of = &g->at[id];

	ASSERT(of->used);
	for (unsigned i = 0; i < GUESTS_SLOTS; i++)
		if (!ip_is_unspecified(&slot_of(g, id, i)->ip))
			take_out(g, slot_of(g, id, i));
	if (!of->by_mac) {
		g->links[of->link].own = NETWORK_GUESTS_MAX;
		g->links[of->link].n = g->links[of->link].next = 0;
	}
	*of = (struct guest){ .used = false };
	forget_last(g);
	g->n--;
}

void guests_check(const struct guests *g)
{
	unsigned used = 0, listed = 0, chained = 0;

	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++) {
		used += g->at[i].used;
		ASSERT(!g->at[i].used || g->at[i].by_mac ||
		       g->links[g->at[i].link].own == i);
	}
	ASSERT(used == g->n);
	for (unsigned i = 0; i < NETWORK_GUESTS_MAX * GUESTS_SLOTS; i++) {
		const struct guests_address *a = &g->addresses[i];

		if (ip_is_unspecified(&a->ip))
			continue;
		listed++;
		ASSERT(g->at[owner_of(g, a)].used && find(g, &a->ip) == a);
	}
	for (unsigned i = 0; i < GUESTS_CHAINS; i++)
		for (unsigned at = g->chain[i]; at;
		     at = g->addresses[at - 1].next)
			chained++;
	ASSERT(chained == listed);
}
