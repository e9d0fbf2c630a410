/* SPDX-License-Identifier: MIT */
/*
 * keeper/forwards.h - the listening ports of one side on the other's localhost
 *
 * Of the guest's the inside helper tells which begin and end, of the host's
 * keeper/mirrors.h. For each port of TCP or UDP there is one entry here with
 * the listeners on it and two halves: 127.0.0.1 and ::1 of the other side. A
 * half is bound while any listener is there, and leads to the one that suits
 * it best:
 *
 *   127.0.0.1   IPv4 loopback or wildcard, dual-stack ::, another IPv4
 *               address, ::1 or an IPv6-only ::, another IPv6 address
 *   ::1         ::1 or ::, another IPv6 address, IPv4 loopback or
 *               wildcard, another IPv4 address
 *
 * A socket of UDP that may well be a client's (linux/listeners.h) counts only
 * where its port was asked for by a list.
 *
 * A port that is in use on the other side is reported and left alone: it is
 * tried again when this side listens on it anew, and not before.
 *
 * In the guest a port is bound by the helper, which takes a moment. What was
 * asked for is never taken back, as the port would be in use until the answer
 * is here: when it comes, the half is made what is wanted then.
 *
 * Limits: FORWARDS_MAX ports, FORWARD_LISTENERS_MAX listeners on one; what is over
 * that is logged once and not forwarded.
 */
#ifndef KEEPER_FORWARDS_H
#define KEEPER_FORWARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "config/config.h"
#include "control/status.h"
#include "keeper/hostports.h"
#include "linux/listeners.h"

struct published;

#define FORWARDS_MAX	1000	/* the engine has room for two sockets each */
#define FORWARD_LISTENERS_MAX	8

struct guest_listener {
	struct ip ip;		/* as the guest bound it */
	bool v6only;
};

struct forward {
	struct guest_listener listener[FORWARD_LISTENERS_MAX];
	unsigned n_listeners;
	struct hostport port[2];	/* 127.0.0.1, ::1 */
};

typedef bool forwards_wanted_fn(const struct config *c,
				const struct listener *l);

struct forwards {
	const struct config *config;	/* borrowed, all of them */
	struct hostports *ports;
	const struct published *published;	/* NULL: of the guest's ports */
	forwards_wanted_fn *wanted;
	bool full;			/* has been logged */
	size_t n;
	struct forward *forward;	/* n entries, allocated */
	struct forward_status *status;	/* beside them, sorted by nothing */
};

/* The first four members are set by the caller, the rest is zero. */

/* A listener began, or ended if gone. */
void forwards_listener(struct forwards *f, const struct listener *l,
		       bool gone);

/*
 * What the helper has bound: the socket (taken), or -1 and an errno. id is
 * that of a struct hostport; the socket of any other is closed.
 */
void forwards_bound(struct forwards *f, uint32_t id, int fd, int error);

/* Is nothing more to come of what was asked for? */
bool forwards_settled(const struct forwards *f);

/* That half of a port is published from now on, or no longer. */
void forwards_again(struct forwards *f, uint16_t port, bool udp,
		    unsigned half);

/* Is that half of a port ours? */
bool forwards_has(const struct forwards *f, uint16_t port, bool udp,
		  unsigned half);

/* The state of a port; NULL: the guest has it not, or it is not wanted. */
const struct forward_status *forwards_find(const struct forwards *f,
					   uint16_t port, bool udp);

/* Is a port that the guest listens on to be there at all? Pure. */
bool forwards_wants(const struct config *c, const struct listener *l);

/* One that the host listens on, on the guest's localhost? Pure. */
bool forwards_wants_of_host(const struct config *c, const struct listener *l);

/* The address of either side that a half is at. */
struct ip forwards_loopback(unsigned half);

/* Free every port at once; the engine is told nothing. */
void forwards_shut(struct forwards *f);

/*
 * Where the halves of a port should lead, given n listeners on it. false:
 * nowhere. Pure.
 */
bool forwards_target(const struct guest_listener *l, size_t n, unsigned half,
		     struct ip *out);

#endif
