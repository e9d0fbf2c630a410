/* SPDX-License-Identifier: MIT */
/*
 * network/openings.c - the table
 *
 * Each opening is in the chain of its address and in one list of all, both
 * from the newest to the oldest; one that is given again is taken out of both
 * and put in front. If all are in use, see make_room(). Slots are taken in
 * order, and then only from each other.
 */
#include "network/openings.h"

#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define NO_GUEST UINT32_MAX

struct opening {
	struct ip ip;
	uint64_t until_ns;
	uint32_t next;			/* in its chain: slot + 1 */
	uint32_t newer, older;		/* of all: slot + 1 */
	uint32_t guest;
	char name[OPENING_NAME_BYTES];
};

_Static_assert(OPENINGS_MAX * sizeof(struct opening) <= OPENINGS_BYTES,
	       "the table fits its block");

/* ---- the lists ---- */

static uint32_t *chain_of(struct openings *o, const struct ip *ip)
{
	return &o->chain[siphash(&o->key, ip->b, sizeof(ip->b)) %
			 OPENINGS_CHAINS];
}

static uint32_t slot_of(const struct openings *o, const struct opening *e)
{
	return (uint32_t)(e - o->at) + 1;
}

static struct opening *at(const struct openings *o, uint32_t slot)
{
	return slot ? &o->at[slot - 1] : NULL;
}

static void unlist(struct openings *o, const struct opening *e)
{
	if (e->newer)
		at(o, e->newer)->older = e->older;
	else
		o->newest = e->older;
	if (e->older)
		at(o, e->older)->newer = e->newer;
	else
		o->oldest = e->newer;
}

static void list_first(struct openings *o, struct opening *e)
{
	const uint32_t slot = slot_of(o, e);

	e->newer = 0;
	e->older = o->newest;
	if (o->newest)
		at(o, o->newest)->newer = slot;
	else
		o->oldest = slot;
	o->newest = slot;
}

static void take_out(struct openings *o, struct opening *e)
{
	const uint32_t slot = slot_of(o, e);
	uint32_t *link = chain_of(o, &e->ip);

	while (*link != slot)
		link = &at(o, *link)->next;
	*link = e->next;
	unlist(o, e);
	if (e->guest != NO_GUEST)
		o->of[e->guest]--;
}

static void put_first(struct openings *o, struct opening *e)
{
	uint32_t *link = chain_of(o, &e->ip);

	e->next = *link;
	*link = slot_of(o, e);
	list_first(o, e);
	o->of[e->guest]++;
}

/*
 * Whose room is taken: the oldest of the guest that has the most. Those of
 * others that are older are put behind it, so that they are not met again
 * before all the rest was.
 */
static struct opening *make_room(struct openings *o, unsigned guest)
{
	struct opening *e = at(o, o->oldest);

	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++)
		if (o->of[i] > o->of[guest])
			guest = i;
	for (; e->guest != guest && e->guest != NO_GUEST;
	     e = at(o, o->oldest)) {
		unlist(o, e);
		list_first(o, e);
	}
	return e;
}

/*
 * The opening that this one takes the place of: the same, or the oldest of
 * the address's, if there are as many as may be. NULL: neither.
 */
static struct opening *find(struct openings *o, unsigned guest,
			    const struct ip *ip, const char *name, size_t len)
{
	struct opening *e = at(o, *chain_of(o, ip)), *last = NULL;
	unsigned n = 0;

	for (; e; e = at(o, e->next)) {
		if (!ip_equal(&e->ip, ip) || e->guest != guest)
			continue;
		if (!memcmp(e->name, name, len + 1))
			return e;
		last = e;
		n++;
	}
	return n < OPENING_NAMES_MAX ? NULL : last;
}

/* ---- the table ---- */

static bool ready(struct openings *o, const struct env *env)
{
	if (o->at)
		return true;
	o->at = env->ops->mem_alloc(env->ctx, OPENINGS_BYTES);
	if (o->at)
		env->ops->random(env->ctx, &o->key, sizeof(o->key));
	return o->at;
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (n < OPENING_NAME_BYTES && s[n])
		n++;
	return n;
}

void openings_note(struct openings *o, const struct env *env, unsigned guest,
		   const char *name, const struct ip *ip, uint32_t ttl_s,
		   uint64_t now_ns)
{
	const size_t len = length(name);
	uint64_t until_ns = now_ns;
	struct opening *e;
	bool same;

	if (len == OPENING_NAME_BYTES || !ready(o, env)) {
		o->lost++;
		return;
	}
	if (ttl_s < OPENING_LEAST_S)
		ttl_s = OPENING_LEAST_S;
	until_ns += (ttl_s < OPENING_MOST_S ? ttl_s : OPENING_MOST_S) *
		    SECOND_NS;
	e = find(o, guest, ip, name, len);
	if (!e && o->used < OPENINGS_MAX) {
		e = &o->at[o->used++];
		same = false;
	} else {
		if (!e)
			e = make_room(o, guest);
		take_out(o, e);
		same = ip_equal(&e->ip, ip) && e->guest == guest &&
		       !memcmp(e->name, name, len + 1);
		o->lost += !same && e->until_ns > now_ns;
	}
	if (same && e->until_ns > until_ns)
		until_ns = e->until_ns;
	e->ip = *ip;
	e->guest = guest;
	e->until_ns = until_ns;
	memcpy(e->name, name, len + 1);
	put_first(o, e);
}

unsigned openings_names(const struct openings *o, unsigned guest,
			const struct ip *ip, uint64_t since_ns,
			const char *names[OPENING_NAMES_MAX])
{
	const uint64_t hash = siphash(&o->key, ip->b, sizeof(ip->b));
	const struct opening *e = at(o, o->chain[hash % OPENINGS_CHAINS]);
	unsigned n = 0;

	for (; e; e = at(o, e->next))
		if (ip_equal(&e->ip, ip) && e->guest == guest &&
		    e->until_ns > since_ns)
			names[n++] = e->name;
	return n;
}

void openings_forget(struct openings *o, unsigned guest)
{
	for (uint32_t i = 0; i < o->used; i++)
		if (o->at[i].guest == guest)
			o->at[i].guest = NO_GUEST;
	o->of[guest] = 0;
}

void openings_fini(struct openings *o, const struct env *env)
{
	if (o->at)
		env->ops->mem_free(env->ctx, o->at, OPENINGS_BYTES);
	*o = (struct openings){ .at = NULL };
}
