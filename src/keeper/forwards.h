/* SPDX-License-Identifier: MIT */
/*
 * keeper/forwards.h - the guest's listening ports on the host's localhost
 *
 * The inside helper tells which listeners begin and end in the guest. For
 * each port of TCP or UDP there is one entry here with the guest's listeners
 * on it and two halves: 127.0.0.1 and ::1 of the host. A half is bound while any
 * listener is there, and leads to the one that suits it best:
 *
 *   127.0.0.1   IPv4 loopback or wildcard, dual-stack ::, another IPv4
 *               address, ::1 or an IPv6-only ::, another IPv6 address
 *   ::1         ::1 or ::, another IPv6 address, IPv4 loopback or
 *               wildcard, another IPv4 address
 *
 * A socket of UDP that may well be a client's (linux/listeners.h) counts only
 * where its port was asked for by --localhost.
 *
 * A port that is in use on the host is reported and left alone: it is
 * tried again when the guest listens on it anew, and not before.
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

struct forwards {
	const struct config *config;	/* borrowed, all of them */
	struct hostports *ports;
	const struct published *published;
	bool full;			/* has been logged */
	size_t n;
	struct forward *forward;	/* n entries, allocated */
	struct forward_status *status;	/* beside them, sorted by nothing */
};

/* The first three members are set by the caller, the rest is zero. */

/* A listener of the guest began, or ended if gone. */
void forwards_listener(struct forwards *f, const struct listener *l,
		       bool gone);

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

/* The host's address that a half is at. */
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
