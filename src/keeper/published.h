/* SPDX-License-Identifier: MIT */
/*
 * keeper/published.h - the guest's ports on the host's other addresses
 *
 * Each entry (config/publish.h), of the configuration, kept from an earlier
 * run, or added while the guest runs, stands for ports of the host, each with
 * two halves, IPv4 and IPv6. A half is bound while the guest
 * listens on its port at an address that other machines can be led to, so a
 * client is refused where nothing listens, and a range costs what is in use
 * of it. What is accepted goes to the guest in frames, from the client's own
 * address (network/network.h).
 *
 * A listener on the guest's loopback only is not published: other machines
 * have no business there; it is logged. Where the host's own loopback is
 * what is published, all listeners count, as on localhost; of a virtual
 * machine those that its agent tells, and which it connects to.
 *
 * A socket of UDP that may well be a client's (linux/listeners.h) counts for
 * all entries but `auto`.
 *
 * A half that takes in the host's loopback also serves localhost there, and
 * keeper/forwards.h leaves it alone.
 *
 * Limits: PUBLISHED_ENTRIES_MAX entries, PUBLISHED_MAX halves,
 * PUBLISHED_LISTENERS_MAX listeners, of them PUBLISHED_AGENT_MAX of a guest's
 * agent; what is over them is logged once.
 */
#ifndef KEEPER_PUBLISHED_H
#define KEEPER_PUBLISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "config/config.h"
#include "control/status.h"
#include "keeper/forwards.h"
#include "keeper/hostports.h"

#define PUBLISHED_MAX		1024
#define PUBLISHED_LISTENERS_MAX	12288
#define PUBLISHED_AGENT_MAX	128
#define PUBLISHED_ENTRIES_MAX	(2 * CONFIG_PUBLISH_MAX)

struct published_listener {
	struct guest_listener at;
	uint16_t port;
	bool udp;
	bool casual;		/* linux/listeners.h */
	bool by_agent;		/* reached by the agent of the guest */
	uint8_t number;		/* which the keeper calls so */
	char guest[PUBLISH_GUEST_BYTES];	/* whose; "": the first's */
};

struct published_half {
	struct hostport port;
	unsigned half;			/* 0: IPv4, 1: IPv6 */
	bool covers;			/* the host's loopback, too */
	bool by_frames;
	uint8_t guest;			/* else: whose agent's */
};

struct published {
	struct hostports *ports;	/* borrowed, both */
	struct forwards *forwards;
	struct ip guest[2];		/* its addresses; IPv6 may be :: */
	bool full;			/* has been logged */
	struct publish_entry entry[PUBLISHED_ENTRIES_MAX];
	size_t n_listeners, n;
	struct published_listener *listener;	/* allocated, all three */
	struct published_half *half;
	struct publish_status *status;	/* beside them */
};

/* The members before `full` are set by the caller, the rest is zero. */

/* What became of an entry that was to be added. */
enum published_add {
	PUBLISHED_ADDED,
	PUBLISHED_SAME,		/* it was there; kept if that was asked for */
	PUBLISHED_OVERLAP,	/* another has that port of the host */
	PUBLISHED_FULL,
};

/*
 * Add an entry, and what the listeners there are ask of it; published_bind()
 * is to follow. *at: the entry, or the other one, or NULL if FULL.
 */
MUST enum published_add published_add(struct published *p,
				      const struct publish *what, bool kept,
				      const struct publish_entry **at);

/* Is it to outlive a restart? */
void published_keep(struct published *p, const struct publish_entry *at,
		    bool kept);

/* Unbind all of an entry and forget it; `auto` may have it then. */
void published_remove(struct published *p, const struct publish_entry *at);

/* The entry that is about the same as what; NULL: none. */
const struct publish_entry *published_find(const struct published *p,
					   const struct publish *what);

/* The same for who names the host's ports alone, as for "8080" of 8080:80. */
const struct publish_entry *published_meant(const struct published *p,
					    const struct publish *what);

/*
 * Why an entry cannot be served, now or later: a port of it is another's, may
 * not be bound, or the guest has it on its loopback only. NULL: it can; else
 * a text in why.
 */
const char *published_hindrance(struct published *p,
				const struct publish_entry *at,
				char why[STATUS_WHY_BYTES]);

/* Try again to bind a port of the host's. false: it is in no entry. */
bool published_again(struct published *p, uint16_t port, bool udp);

/*
 * The host has an address more: what waits for one of its own is tried again,
 * and bound.
 */
void published_address_came(struct published *p);

/*
 * A listener of a guest (by name; "": the first) began, or ended if gone: what
 * is no longer wanted is unbound. Then tell keeper/forwards.h, then
 * published_bind().
 */
void published_listener(struct published *p, const char *guest,
			const struct listener *l, bool gone);

/* The same of one that the agent of the guest, of that number, connects to. */
void published_by_agent(struct published *p, const char *guest,
			uint8_t number, const struct listener *l, bool gone);

/* Is it for the host's own loopback, and would such a listener serve it? */
bool published_is_local(const struct publish *s, const char *guest,
			const struct listener *l);

/* Bind what is wanted and is not. */
void published_bind(struct published *p);

/* Is that half of the host's loopback served from here? */
bool published_covers(const struct published *p, uint16_t port, bool udp,
		      unsigned half);

/* Free every port at once; the engine is told nothing. */
void published_shut(struct published *p);

/*
 * The guest's address that a half leads to, given one listener; false: none
 * that other machines may be led to. Pure.
 */
bool published_target(const struct guest_listener *l, unsigned half,
		      const struct ip guest[2], struct ip *out);

#endif
