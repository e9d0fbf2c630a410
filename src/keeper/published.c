/* SPDX-License-Identifier: MIT */
#include "keeper/published.h"

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

/* An explicit entry beats `auto`, whatever the order. */
static bool is_explicit(const struct published *p, uint16_t host_port,
			bool udp)
{
	const struct config *c = p->config;

	for (unsigned i = 0; i < c->n_publish; i++)
		if (!c->publish[i].automatic && c->publish[i].udp == udp &&
		    host_port >= c->publish[i].first &&
		    host_port <= c->publish[i].last)
			return true;
	return false;
}

/* Where a half of the guest's port leads now. false: nowhere. */
static bool target(const struct published *p, const struct publish *s,
		   uint16_t port, bool udp, unsigned half, struct ip *out)
{
	struct guest_listener all[FORWARD_LISTENERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < p->n_listeners; i++) {
		const struct published_listener *l = &p->listener[i];

		if (l->port != port || l->udp != udp)
			continue;
		if (s->automatic && !ip_is_unspecified(&l->at.ip))
			continue;
		if (n < FORWARD_LISTENERS_MAX)
			all[n++] = l->at;
		if (!to_loopback(s) &&
		    published_target(&l->at, half, p->guest, out))
			return true;
	}
	return to_loopback(s) && forwards_target(all, n, half, out);
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
		log_print(p->ports->log, LOG_WARN, "more than %zu ports are "
			  "to be published; the rest is not", max);
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
		.by_frames = !to_loopback(s),
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
	struct endpoint to = { .port = port };
	struct publish_status *st;
	ssize_t i = find(p, s, host_port, udp, half);

	if (!target(p, s, port, udp, half, &to.ip)) {
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
	if (st->state == FORWARD_OPEN && !ip_equal(&st->to.ip, &to.ip)) {
		hostports_withdraw(p->ports, &p->half[i].port);
		st->state = FORWARD_NONE;
	}
	if (st->state == FORWARD_FAILED && anew)
		st->state = FORWARD_NONE;
	st->to = to;
}

static void note(struct published *p, const struct listener *l, bool gone)
{
	const struct published_listener new = {
		.at = { .ip = l->at.ip, .v6only = l->v6only },
		.port = l->at.port, .udp = l->udp,
	};
	size_t i = 0;
	void *more;

	while (i < p->n_listeners &&
	       (p->listener[i].port != new.port ||
		p->listener[i].udp != new.udp ||
		p->listener[i].at.v6only != new.at.v6only ||
		!ip_equal(&p->listener[i].at.ip, &new.at.ip)))
		i++;
	if (gone && i < p->n_listeners)
		p->listener[i] = p->listener[--p->n_listeners];
	if (gone || i < p->n_listeners)
		return;
	more = room(p, p->listener, i, PUBLISHED_LISTENERS_MAX,
		    sizeof(*p->listener));
	if (!more)
		return;
	p->listener = more;
	p->listener[p->n_listeners++] = new;
}

void published_listener(struct published *p, const struct listener *l,
			bool gone)
{
	const struct config *c = p->config;
	const struct endpoint *at = &l->at;
	char text[ENDPOINT_TEXT_BYTES];
	bool noted = false, told = gone;

	for (unsigned i = 0; i < c->n_publish; i++) {
		const struct publish *s = &c->publish[i];
		const uint16_t host_port = publish_is_for(s, l->udp) ?
			publish_host_port(s, at->port) : 0;

		if (!host_port ||
		    (s->automatic &&
		     (l->casual || is_explicit(p, host_port, l->udp))))
			continue;
		if (!noted)
			note(p, l, gone);
		noted = true;
		for (unsigned half = 0; half < 2; half++)
			if (!s->has_ip || half_of(&s->ip) == half)
				settle(p, s, at->port, l->udp, half, !gone);
		if (told || s->automatic || to_loopback(s) ||
		    !ip_is_loopback(&at->ip))
			continue;
		told = true;
		log_print(p->ports->log, LOG_WARN, "%s%s is not published: "
			  "the guest has it on its loopback only; let it "
			  "listen on 0.0.0.0 or ::",
			  endpoint_format(at, text), l->udp ? "/udp" : "");
	}
}

void published_bind(struct published *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct publish_status *st = &p->status[i];
		struct published_half *h = &p->half[i];
		const struct hostport_way way = { .to = st->to,
						  .by_frames = h->by_frames,
						  .udp = st->udp };

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
