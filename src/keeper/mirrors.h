/* SPDX-License-Identifier: MIT */
/*
 * keeper/mirrors.h - the host's listening ports on the guest's localhost
 *
 * With host access `localhost`, or a list of ports, the keeper looks every
 * MIRRORS_TICK_NS which sockets listen in its own network namespace, and has
 * the guest's helper bind the same ports in the guest (keeper/forwards.h). The
 * engine accepts there and connects to the host's (engine/relay.h).
 *
 * Nothing goes round. What the helper has bound for us is no listener of the
 * guest's (linux/inside.h), so it is never forwarded to the host; and what we
 * have bound on the host, forwards and published ports, is none of the host's
 * here, so it is never mirrored. Another instance's forwards are ports of the
 * host like others; they stand for listeners of its guest, among which are no
 * mirrors, so a chain of such steps ends.
 */
#ifndef KEEPER_MIRRORS_H
#define KEEPER_MIRRORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "config/config.h"
#include "keeper/forwards.h"
#include "keeper/hostports.h"
#include "linux/listeners.h"

struct mirrors {
	const struct hostports *host;	/* ours there; borrowed */
	struct hostports ports;		/* in the guest */
	struct forwards forwards;
	bool tcp_only;			/* by an agent; set by the caller */
	int diag;			/* -1: nothing is mirrored */
	struct picked_ports picked;
	uint64_t next_ns;		/* when to look */
	struct listeners known, seen;
};

/*
 * Begin, with what the host has now, if the configuration says so. host: those
 * of this instance, with all that the guest's need set. 0 or -errno.
 */
MUST int mirrors_start(struct mirrors *m, const struct config *c,
		       const struct hostports *host, int inside_ch,
		       uint64_t now_ns);

/* The helper's answer: as forwards_bound(). */
void mirrors_bound(struct mirrors *m, uint32_t id, int fd, int error);

/* Has all that was found been bound, or could not be? */
bool mirrors_settled(const struct mirrors *m);

/* Look, if it is time. When to be called again; UINT64_MAX: never. */
uint64_t mirrors_tick(struct mirrors *m, uint64_t now_ns);

/*
 * Nobody in the guest binds any more: take all back, by the engine too. What
 * is asked for is still to be answered.
 */
void mirrors_end(struct mirrors *m);

/* Free every port at once; the engine is told nothing. */
void mirrors_shut(struct mirrors *m);

#endif
