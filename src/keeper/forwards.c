/* SPDX-License-Identifier: MIT */
#include "keeper/forwards.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/published.h"

struct ip forwards_loopback(unsigned half)
{
	struct ip six = { 0 };

	six.b[15] = 1;
	return half ? six : ip_from_v4(0x7f000001u);
}

/* How well a listener suits a half: 0 best, and the address it leads to. */
static unsigned rank(const struct guest_listener *l, unsigned half, struct ip *to)
{
	const bool local = ip_is_loopback(&l->ip) ||
			   ip_is_unspecified(&l->ip);
	const bool four = ip_is4(&l->ip);
	const bool dual = !four && ip_is_unspecified(&l->ip) && !l->v6only;

	*to = l->ip;
	if (ip_is_unspecified(&l->ip))
		*to = forwards_loopback(dual ? half : !four);
	if (half == 0)
		return four ? (local ? 0 : 2) : dual ? 1 : local ? 3 : 4;
	return !four ? (local ? 0 : 1) : local ? 2 : 3;
}

bool forwards_target(const struct guest_listener *l, size_t n, unsigned half,
		     struct ip *out)
{
	unsigned best = 5;

	for (size_t i = 0; i < n; i++) {
		struct ip to;
		const unsigned r = rank(&l[i], half, &to);

		if (r < best) {
			best = r;
			*out = to;
		}
	}
	return best < 5;
}

bool forwards_wants(const struct config *c, const struct listener *l)
{
	const uint16_t port = l->at.port;

	switch (c->localhost) {
	case LOCALHOST_OFF:
		return false;
	case LOCALHOST_LIST:
		return port_list_has(&c->localhost_ports, port);
	case LOCALHOST_AUTO:
		return !l->casual && !port_list_has(&c->ignored_ports, port);
	}
	return false;
}

bool forwards_wants_of_host(const struct config *c, const struct listener *l)
{
	const uint16_t port = l->at.port;

	switch (c->host_access) {
	case CONFIG_ACCESS_GATEWAY: case CONFIG_ACCESS_OFF:
		return false;
	case CONFIG_ACCESS_LIST:
		return port_list_has(&c->host_ports, port);
	case CONFIG_ACCESS_LOCALHOST:
		return !l->casual && !port_list_has(&c->ignored_ports, port);
	}
	return false;
}

/* Bind one half and give it to the engine. */
static void bind_half(struct forwards *f, size_t i, unsigned half,
		      const struct endpoint *to)
{
	struct forward_half *st = &f->status[i].half[half];
	const struct endpoint at = { .ip = forwards_loopback(half),
				     .port = f->status[i].port };
	const struct hostport_way way = { .to = *to,
					  .udp = f->status[i].udp };

	st->to = *to;
	st->state = hostports_bind(f->ports, &f->forward[i].port[half], &at,
				   "", &way, st->why);
}

/* Make a half what its listeners ask for; anew: try a failed one again. */
static void settle(struct forwards *f, size_t i, unsigned half, bool anew)
{
	struct forward *fw = &f->forward[i];
	struct forward_half *st = &f->status[i].half[half];
	struct endpoint to = { .port = f->status[i].port };

	if (fw->port[half].asked)
		return;			/* forwards_bound() comes back */
	if (!forwards_target(fw->listener, fw->n_listeners, half, &to.ip)) {
		hostports_unbind(f->ports, &fw->port[half], false);
		st->state = FORWARD_NONE;
		return;
	}
	if (f->published &&
	    published_covers(f->published, to.port, f->status[i].udp, half)) {
		hostports_unbind(f->ports, &fw->port[half], false);
		st->state = FORWARD_PUBLISHED;
		st->to = to;
		return;
	}
	switch (st->state) {
	case FORWARD_OPEN:
		if (ip_equal(&st->to.ip, &to.ip))
			return;
		/* The socket stays: clients in its queue are not lost. */
		hostports_withdraw(f->ports, &fw->port[half]);
		break;
	case FORWARD_FAILED:
		if (!anew)
			return;
		break;
	case FORWARD_NONE: case FORWARD_PUBLISHED: case FORWARD_ASKED:
		break;
	}
	bind_half(f, i, half, &to);
}

static bool grow(struct forwards *f)
{
	const size_t n = f->n + 1;
	struct forward *fw;
	struct forward_status *st;

	if (f->n == FORWARDS_MAX)
		return false;
	fw = realloc(f->forward, n * sizeof(*fw));
	if (!fw)
		return false;
	f->forward = fw;
	st = realloc(f->status, n * sizeof(*st));
	if (!st)
		return false;
	f->status = st;
	memset(&fw[f->n], 0, sizeof(*fw));
	memset(&st[f->n], 0, sizeof(*st));
	fw[f->n].port[0].fd = fw[f->n].port[1].fd = -1;
	return true;
}

/* The entry of a port, made if it is not there; -1: no room. */
static ssize_t entry(struct forwards *f, uint16_t port, bool udp, bool make)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->status[i].port == port && f->status[i].udp == udp)
			return (ssize_t)i;
	if (!make)
		return -1;
	if (!grow(f)) {
		if (!f->full)
			log_print(f->ports->log, LOG_WARN, "more than %u "
				  "ports: the rest is not on %s localhost",
				  FORWARDS_MAX, f->ports->in_guest ?
				  "the guest's" : "the host's");
		f->full = true;
		return -1;
	}
	f->status[f->n].port = port;
	f->status[f->n].udp = udp;
	return (ssize_t)f->n++;
}

static bool same(const struct guest_listener *a, const struct ip *ip, bool v6only)
{
	return ip_equal(&a->ip, ip) && a->v6only == v6only;
}

static void add_listener(struct forward *fw, const struct ip *ip, bool v6only)
{
	for (unsigned i = 0; i < fw->n_listeners; i++)
		if (same(&fw->listener[i], ip, v6only))
			return;
	if (fw->n_listeners < FORWARD_LISTENERS_MAX)
		fw->listener[fw->n_listeners++] =
			(struct guest_listener){ .ip = *ip, .v6only = v6only };
}

static void del_listener(struct forward *fw, const struct ip *ip, bool v6only)
{
	for (unsigned i = 0; i < fw->n_listeners; i++)
		if (same(&fw->listener[i], ip, v6only)) {
			fw->listener[i] = fw->listener[--fw->n_listeners];
			return;
		}
}

/* An entry that nothing listens for and nothing is to come for goes. */
static void tidy(struct forwards *f, size_t i)
{
	const struct forward *fw = &f->forward[i];

	if (fw->n_listeners || fw->port[0].asked || fw->port[1].asked)
		return;
	f->n--;
	f->forward[i] = f->forward[f->n];
	f->status[i] = f->status[f->n];
}

void forwards_listener(struct forwards *f, const struct listener *l, bool gone)
{
	ssize_t i;

	if (!l->at.port || !f->wanted(f->config, l))
		return;
	i = entry(f, l->at.port, l->udp, !gone);
	if (i < 0)
		return;
	if (gone)
		del_listener(&f->forward[i], &l->at.ip, l->v6only);
	else
		add_listener(&f->forward[i], &l->at.ip, l->v6only);
	settle(f, (size_t)i, 0, !gone);
	settle(f, (size_t)i, 1, !gone);
	tidy(f, (size_t)i);
}

/* The half that has asked for that; its number, or -1. */
static ssize_t asker(const struct forwards *f, uint32_t id, unsigned *half)
{
	for (size_t i = 0; i < f->n; i++)
		for (*half = 0; *half < 2; (*half)++)
			if (f->forward[i].port[*half].asked == id)
				return (ssize_t)i;
	return -1;
}

/* Whose turn it was not to ask. */
static void ask_more(struct forwards *f)
{
	for (size_t i = 0; i < f->n; i++)
		for (unsigned half = 0; half < 2; half++) {
			if (f->ports->asked == HOSTPORTS_ASKED_MAX)
				return;
			if (f->status[i].half[half].state == FORWARD_ASKED)
				settle(f, i, half, true);
		}
}

void forwards_bound(struct forwards *f, uint32_t id, int fd, int error)
{
	unsigned half;
	const ssize_t i = id ? asker(f, id, &half) : -1;
	struct forward_half *st;
	struct endpoint at;

	if (i < 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	st = &f->status[i].half[half];
	at = (struct endpoint){ .ip = forwards_loopback(half),
				.port = f->status[i].port };
	st->state = hostports_bound(f->ports, &f->forward[i].port[half], &at,
				    f->status[i].udp, fd, error, st->why);
	/* What was to be there may have changed meanwhile. */
	if (fd >= 0 || f->forward[i].n_listeners == 0)
		settle(f, (size_t)i, half, false);
	tidy(f, (size_t)i);
	ask_more(f);
}

bool forwards_settled(const struct forwards *f)
{
	for (size_t i = 0; i < f->n; i++)
		for (unsigned half = 0; half < 2; half++)
			if (f->status[i].half[half].state == FORWARD_ASKED)
				return false;
	return true;
}

void forwards_again(struct forwards *f, uint16_t port, bool udp,
		    unsigned half)
{
	const ssize_t i = entry(f, port, udp, false);

	if (i >= 0)
		settle(f, (size_t)i, half, true);
}

const struct forward_status *forwards_find(const struct forwards *f,
					   uint16_t port, bool udp)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->status[i].port == port && f->status[i].udp == udp)
			return &f->status[i];
	return NULL;
}

bool forwards_has(const struct forwards *f, uint16_t port, bool udp,
		  unsigned half)
{
	const struct forward_status *st = forwards_find(f, port, udp);

	return st && st->half[half].state == FORWARD_OPEN;
}

void forwards_shut(struct forwards *f)
{
	for (size_t i = 0; i < f->n; i++)
		for (unsigned half = 0; half < 2; half++)
			hostports_unbind(f->ports, &f->forward[i].port[half],
					 true);
	f->n = 0;
}
