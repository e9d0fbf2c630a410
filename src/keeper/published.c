/* SPDX-License-Identifier: MIT */
#include "keeper/published.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ip any(unsigned half)
{
	return half ? (struct ip){ 0 } : ip_from_v4(0);
}

static unsigned half_of(const struct ip *ip)
{
	return !ip_is4(ip);
}

bool published_target(const struct guest_listener *l, unsigned half,
		      const struct ip guest[2], struct ip *out)
{
	const bool wild = ip_is_unspecified(&l->ip);
	const bool dual = wild && !ip_is4(&l->ip) && !l->v6only;

	if (ip_is_loopback(&l->ip) || (half_of(&l->ip) != half && !dual))
		return false;
	*out = wild ? guest[half] : l->ip;
	return !ip_is_unspecified(out) && !ip_is_link_local(out);
}

/* Does it take in the host's loopback of that half, or is it that alone? */
static bool covers(const struct publish *s, unsigned half)
{
	return !*s->dev && (!s->has_ip || (half_of(&s->ip) == half &&
					   (ip_is_unspecified(&s->ip) ||
					    ip_is_loopback(&s->ip))));
}

static bool to_loopback(const struct publish *s)
{
	return s->has_ip && ip_is_loopback(&s->ip);
}

/* Is it the same guest that listens there and that is meant? */
static bool is_its(const struct publish *s, const struct published_listener *l)
{
	return !strcmp(s->guest, l->guest);
}

/* An explicit entry beats `auto`, whatever the order. */
static bool is_explicit(const struct published *p, uint16_t host_port,
			bool udp)
{
	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++) {
		const struct publish *s = &p->entry[i].what;

		if (p->entry[i].used && !s->automatic && s->udp == udp &&
		    host_port >= s->first && host_port <= s->last)
			return true;
	}
	return false;
}

/* Where a port leads. */
struct way {
	struct ip ip;
	bool by_agent;
	uint8_t guest;			/* whose */
};

/*
 * The best of those on the host's loopback. At a machine's address somebody may
 * listen; on its loopback somebody does.
 */
static bool local_target(const struct published_listener *const *all, size_t n,
			 unsigned half, struct way *out)
{
	struct guest_listener at[FORWARD_LISTENERS_MAX];
	size_t n_at = 0;

	for (size_t i = 0; i < n; i++)
		if (all[i]->by_agent && (ip_is_loopback(&all[i]->at.ip) ||
					 ip_is_unspecified(&all[i]->at.ip)))
			at[n_at++] = all[i]->at;
	for (size_t i = 0; !n_at && i < n; i++)
		at[i] = all[i]->at;
	if (!forwards_target(at, n_at ? n_at : n, half, &out->ip))
		return false;
	/* What the agent has told is nowhere that frames lead to. */
	out->by_agent = true;
	for (size_t i = 0; i < n; i++) {
		out->guest = all[i]->number;
		out->by_agent &= all[i]->by_agent ||
				 !ip_equal(&all[i]->at.ip, &out->ip);
	}
	return true;
}

/* Where a half of the guest's port leads now. false: nowhere. */
static bool target(const struct published *p, const struct publish *s,
		   uint16_t port, bool udp, unsigned half, struct way *out)
{
	const struct published_listener *all[FORWARD_LISTENERS_MAX];
	size_t n = 0;

	*out = (struct way){ .by_agent = false };

	for (size_t i = 0; i < p->n_listeners; i++) {
		const struct published_listener *l = &p->listener[i];

		if (l->port != port || l->udp != udp || !is_its(s, l))
			continue;
		if (s->automatic &&
		    (l->casual || !ip_is_unspecified(&l->at.ip)))
			continue;
		if (n < FORWARD_LISTENERS_MAX)
			all[n++] = l;
		if (!to_loopback(s) && !l->by_agent &&
		    published_target(&l->at, half, p->guest, &out->ip))
			return true;
	}
	return to_loopback(s) && local_target(all, n, half, out);
}

static ssize_t find(const struct published *p, const struct publish *s,
		    uint16_t host_port, bool udp, unsigned half)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->status[i].entry == s && p->half[i].half == half &&
		    p->status[i].udp == udp &&
		    p->status[i].at.port == host_port)
			return (ssize_t)i;
	return -1;
}

static void drop(struct published *p, size_t i)
{
	const uint16_t port = p->status[i].at.port;
	const unsigned half = p->half[i].half;
	const bool covered = p->half[i].covers, udp = p->status[i].udp;

	hostports_unbind(p->ports, &p->half[i].port, false);
	p->n--;
	p->half[i] = p->half[p->n];
	p->status[i] = p->status[p->n];
	if (covered)
		forwards_again(p->forwards, port, udp, half);
}

/* Room for one more of size bytes; NULL: limit or memory. */
static void *room(struct published *p, void *old, size_t n, size_t max,
		  size_t size)
{
	void *new = n < max ? realloc(old, (n + 1) * size) : NULL;

	if (!new && !p->full)
		log_print(p->ports->log, LOG_WARN, "more than %zu ports of "
			  "the guest's: the rest is not published", max);
	p->full |= !new;
	return new;
}

static void add(struct published *p, const struct publish *s,
		uint16_t host_port, bool udp, unsigned half)
{
	void *at = room(p, p->half, p->n, PUBLISHED_MAX, sizeof(*p->half));

	if (!at)
		return;
	p->half = at;
	at = room(p, p->status, p->n, PUBLISHED_MAX, sizeof(*p->status));
	if (!at)
		return;
	p->status = at;
	p->half[p->n] = (struct published_half){
		.port = { .fd = -1 }, .half = half, .covers = covers(s, half),
	};
	p->status[p->n] = (struct publish_status){
		.entry = s, .udp = udp, .state = FORWARD_NONE,
		.at = { .ip = s->has_ip ? s->ip : any(half),
			.port = host_port },
	};
	p->n++;
}

/* One half of a port of one entry, as the listeners ask for. */
static void settle(struct published *p, const struct publish *s,
		   uint16_t port, bool udp, unsigned half, bool anew)
{
	const uint16_t host_port = publish_host_port(s, port);
	struct publish_status *st;
	struct way to;
	ssize_t i = find(p, s, host_port, udp, half);

	if (!target(p, s, port, udp, half, &to)) {
		if (i >= 0)
			drop(p, (size_t)i);
		return;
	}
	if (i < 0) {
		add(p, s, host_port, udp, half);
		i = find(p, s, host_port, udp, half);
		if (i < 0)
			return;
	}
	st = &p->status[i];
	p->half[i].by_frames = !to_loopback(s) || (*s->guest && !to.by_agent);
	p->half[i].guest = to.guest;
	if (st->state == FORWARD_OPEN && !ip_equal(&st->to.ip, &to.ip)) {
		hostports_withdraw(p->ports, &p->half[i].port);
		st->state = FORWARD_NONE;
	}
	if (st->state == FORWARD_FAILED && anew)
		st->state = FORWARD_NONE;
	st->to = (struct endpoint){ .ip = to.ip, .port = port };
}

/* Has a guest's agent as many as it may have? */
static bool is_full(const struct published *p, const char *guest)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_listeners; i++)
		n += p->listener[i].by_agent &&
		     !strcmp(p->listener[i].guest, guest);
	return n >= PUBLISHED_AGENT_MAX;
}

static void note(struct published *p, const struct published_listener *new,
		 bool gone)
{
	size_t i = 0;
	void *more;

	while (i < p->n_listeners &&
	       (p->listener[i].port != new->port ||
		p->listener[i].udp != new->udp ||
		p->listener[i].at.v6only != new->at.v6only ||
		strcmp(p->listener[i].guest, new->guest) ||
		!ip_equal(&p->listener[i].at.ip, &new->at.ip)))
		i++;
	if (gone && i < p->n_listeners)
		p->listener[i] = p->listener[--p->n_listeners];
	if (gone || i < p->n_listeners ||
	    (new->by_agent && is_full(p, new->guest)))
		return;
	more = room(p, p->listener, i, PUBLISHED_LISTENERS_MAX,
		    sizeof(*p->listener));
	if (!more)
		return;
	p->listener = more;
	p->listener[p->n_listeners++] = *new;
}

/* What one entry makes of a port at which a listener began or ended. */
static void settle_entry(struct published *p, const struct publish *s,
			 const struct published_listener *l, bool anew)
{
	const uint16_t host_port = is_its(s, l) && publish_is_for(s, l->udp) ?
		publish_host_port(s, l->port) : 0;

	if (!host_port || (s->automatic && (l->casual ||
			   is_explicit(p, host_port, l->udp))))
		return;
	for (unsigned half = 0; half < 2; half++)
		if (!s->has_ip || half_of(&s->ip) == half)
			settle(p, s, l->port, l->udp, half, anew);
}

/* An entry to which a listener would belong if it were not where it is. */
static bool on_loopback_only(const struct publish *s,
			     const struct listener *l)
{
	return !s->automatic && !to_loopback(s) && !*s->guest &&
	       ip_is_loopback(&l->at.ip) && publish_is_for(s, l->udp) &&
	       publish_host_port(s, l->at.port);
}

bool published_is_local(const struct publish *s, const char *guest,
			const struct listener *l)
{
	return to_loopback(s) && !strcmp(s->guest, guest) &&
	       publish_is_for(s, l->udp) && publish_host_port(s, l->at.port);
}

static void listener(struct published *p, const struct published_listener *at,
		     const struct listener *l, bool gone)
{
	char text[ENDPOINT_TEXT_BYTES];
	bool told = gone || at->by_agent;

	if (!at->port)
		return;
	note(p, at, gone);
	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++) {
		const struct publish *s = &p->entry[i].what;

		if (!p->entry[i].used)
			continue;
		settle_entry(p, s, at, !gone);
		if (told || !on_loopback_only(s, l))
			continue;
		told = true;
		log_print(p->ports->log, LOG_WARN, "%s%s is not published: "
			  "the guest has it on its loopback only; let it "
			  "listen on 0.0.0.0 or ::",
			  endpoint_format(&l->at, text), l->udp ? "/udp" : "");
	}
}

static struct published_listener of_guest(const char *guest,
					  const struct listener *l)
{
	struct published_listener at = {
		.at = { .ip = l->at.ip, .v6only = l->v6only },
		.port = l->at.port, .udp = l->udp, .casual = l->casual,
	};

	snprintf(at.guest, sizeof(at.guest), "%s", guest);
	return at;
}

void published_listener(struct published *p, const char *guest,
			const struct listener *l, bool gone)
{
	const struct published_listener at = of_guest(guest, l);

	listener(p, &at, l, gone);
}

void published_by_agent(struct published *p, const char *guest,
			uint8_t number, const struct listener *l, bool gone)
{
	struct published_listener at = of_guest(guest, l);

	at.by_agent = true;
	at.number = number;
	listener(p, &at, l, gone);
}

const struct publish_entry *published_find(const struct published *p,
					   const struct publish *what)
{
	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++)
		if (p->entry[i].used && publish_same(&p->entry[i].what, what))
			return &p->entry[i];
	return NULL;
}

const struct publish_entry *published_meant(const struct published *p,
					    const struct publish *what)
{
	const struct publish_entry *at = published_find(p, what);

	if (at || what->guest_first != what->first)
		return at;
	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++) {
		struct publish that = *what;

		that.guest_first = p->entry[i].what.guest_first;
		if (p->entry[i].used &&
		    publish_same(&p->entry[i].what, &that))
			return &p->entry[i];
	}
	return NULL;
}

enum published_add published_add(struct published *p,
				 const struct publish *what, bool kept,
				 const struct publish_entry **at)
{
	struct publish_entry *e = NULL;

	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++) {
		struct publish_entry *o = &p->entry[i];

		if (!o->used) {
			e = e ? e : o;
			continue;
		}
		*at = o;
		if (publish_same(&o->what, what)) {
			o->kept |= kept;
			return PUBLISHED_SAME;
		}
		if (publish_overlap(&o->what, what))
			return PUBLISHED_OVERLAP;
	}
	*at = e;
	if (!e)
		return PUBLISHED_FULL;
	*e = (struct publish_entry){ .used = true, .kept = kept,
				     .what = *what };
	/* What `auto` had of it goes over to it, and so everything again. */
	for (size_t i = p->n; !what->automatic && i-- > 0;)
		if (p->status[i].entry->automatic &&
		    is_explicit(p, p->status[i].at.port, p->status[i].udp))
			drop(p, i);
	for (size_t i = 0; i < p->n_listeners; i++)
		settle_entry(p, &e->what, &p->listener[i], true);
	return PUBLISHED_ADDED;
}

void published_keep(struct published *p, const struct publish_entry *at,
		    bool kept)
{
	p->entry[at - p->entry].kept = kept;
}

void published_remove(struct published *p, const struct publish_entry *at)
{
	struct publish_entry *e = &p->entry[at - p->entry];

	e->used = false;
	for (size_t i = p->n; i-- > 0;)
		if (p->status[i].entry == &e->what)
			drop(p, i);
	/* `auto` may have it now. */
	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++)
		for (size_t l = 0; p->entry[i].used &&
				   p->entry[i].what.automatic &&
				   l < p->n_listeners; l++)
			settle_entry(p, &p->entry[i].what, &p->listener[l],
				     false);
	published_bind(p);
}

/* Does the guest listen on that port, but on its loopback alone? */
static bool only_loopback(const struct published *p, const struct publish *s,
			  uint16_t port)
{
	bool loopback = false;

	for (size_t i = 0; i < p->n_listeners; i++) {
		const struct published_listener *l = &p->listener[i];

		if (l->port != port || l->udp != s->udp || !is_its(s, l))
			continue;
		if (!ip_is_loopback(&l->at.ip))
			return false;
		loopback = true;
	}
	return loopback;
}

/* One half of one port: could it be bound, if it is not? */
static bool is_hindered(struct published *p, const struct publish *s,
			uint16_t host_port, unsigned half,
			char why[STATUS_WHY_BYTES])
{
	const ssize_t i = find(p, s, host_port, s->udp, half);
	const struct endpoint at = { .ip = s->has_ip ? s->ip : any(half),
				     .port = host_port };

	if (i >= 0 && p->status[i].state == FORWARD_FAILED)
		strcpy(why, p->status[i].why);
	if (i >= 0)
		return p->status[i].state == FORWARD_FAILED;
	/* What localhost has of it is ours, and will be let go of. */
	if (covers(s, half) && forwards_has(p->forwards, host_port, s->udp,
					    half))
		return false;
	switch (hostports_try(p->ports, &at, s->dev, s->udp, why)) {
	case FORWARD_FAILED:
		return true;
	case FORWARD_NONE:
		if (!s->has_ip)
			return false;
		strcpy(why, "the host has no such address");
		return true;
	case FORWARD_OPEN: case FORWARD_PUBLISHED: case FORWARD_ASKED:
		break;
	}
	return false;
}

const char *published_hindrance(struct published *p,
				const struct publish_entry *at,
				char why[STATUS_WHY_BYTES])
{
	const struct publish *s = &at->what;

	if (s->automatic)
		return NULL;
	if (s->first == s->last && !to_loopback(s) &&
	    only_loopback(p, s, s->guest_first)) {
		strcpy(why, "the guest has it on its loopback only; let it "
		       "listen on 0.0.0.0 or ::");
		return why;
	}
	for (unsigned port = s->first; port <= s->last; port++)
		for (unsigned half = 0; half < 2; half++)
			if ((!s->has_ip || half_of(&s->ip) == half) &&
			    is_hindered(p, s, (uint16_t)port, half, why))
				return why;
	return NULL;
}

bool published_again(struct published *p, uint16_t port, bool udp)
{
	bool found = false;

	for (size_t i = 0; i < p->n; i++) {
		struct publish_status *st = &p->status[i];

		if (st->at.port != port || st->udp != udp)
			continue;
		found = true;
		if (st->state == FORWARD_FAILED)
			st->state = FORWARD_NONE;
	}
	published_bind(p);
	return found;
}

void published_bind(struct published *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct publish_status *st = &p->status[i];
		struct published_half *h = &p->half[i];
		const struct hostport_way way = { .to = st->to,
						  .by_frames = h->by_frames,
						  .udp = st->udp,
						  .guest = h->guest };

		if (st->state != FORWARD_NONE)
			continue;
		if (h->covers)		/* the port may be bound there */
			forwards_again(p->forwards, st->at.port, st->udp,
				       h->half);
		st->state = hostports_bind(p->ports, &h->port, &st->at,
					   st->entry->dev, &way, st->why);
		if (st->state == FORWARD_NONE && st->entry->has_ip) {
			strcpy(st->why, "the host has no such address");
			st->state = FORWARD_FAILED;
		}
		if (st->state == FORWARD_FAILED && h->covers)
			forwards_again(p->forwards, st->at.port, st->udp,
				       h->half);
	}
}

void published_address_came(struct published *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->status[i].state == FORWARD_FAILED &&
		    p->status[i].entry->has_ip)
			p->status[i].state = FORWARD_NONE;
	published_bind(p);
}

bool published_covers(const struct published *p, uint16_t port, bool udp,
		      unsigned half)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->half[i].covers && p->half[i].half == half &&
		    p->status[i].at.port == port && p->status[i].udp == udp &&
		    p->status[i].state != FORWARD_FAILED)
			return true;
	return false;
}

void published_shut(struct published *p)
{
	for (size_t i = 0; i < p->n; i++)
		hostports_unbind(p->ports, &p->half[i].port, true);
	p->n = 0;
}
