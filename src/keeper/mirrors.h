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
 * here, so it is never mirrored. What the host has is read once for all that
 * mirror it: each guest with an agent (keeper/agent.h) does so by itself.
 * Another instance's forwards are ports of the
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

/* What listens on the host, but for what is ours. */
struct mirrored {
	const struct hostports *host;	/* ours there; borrowed */
	int diag;			/* -1: nobody looks */
	struct picked_ports picked;
	uint64_t next_ns;		/* when to look */
	uint32_t next_id;		/* of ports in guests: none has another's */
	struct listeners seen;
};

struct mirrors {
	bool on;
	bool tcp_only;			/* by an agent; set by the caller, and */
	uint8_t guest;			/* whose, by the keeper's number */
	struct hostports ports;		/* in the guest */
	struct forwards forwards;
	struct listeners known;
};

/*
 * Look, unless somebody does already: whoever mirrors is to be given what there
 * is by mirrors_follow(). host: the ports of this instance, with all that the
 * guest's need set. 0 or -errno.
 */
MUST int mirrored_start(struct mirrored *of, const struct hostports *host,
			uint64_t now_ns);

/* Look, if it is time. true: all that mirror it are to follow. */
bool mirrored_tick(struct mirrored *of, uint64_t now_ns);

/* Nobody mirrors it any more. */
void mirrored_end(struct mirrored *of);

/* Does the configuration want them? */
bool mirrors_wanted(const struct config *c);

/* Begin with what the host has now. */
void mirrors_start(struct mirrors *m, const struct config *c,
		   struct mirrored *of, int inside_ch);

/* Have what the host was seen to have. */
void mirrors_follow(struct mirrors *m, const struct mirrored *of);

/* The helper's answer: as forwards_bound(). */
void mirrors_bound(struct mirrors *m, uint32_t id, int fd, int error);

/* Has all that was found been bound, or could not be? */
bool mirrors_settled(const struct mirrors *m);

/*
 * Nobody in the guest binds any more: take all back, by the engine too. What
 * is asked for is still to be answered.
 */
void mirrors_end(struct mirrors *m);

/* Free every port at once; the engine is told nothing. */
void mirrors_shut(struct mirrors *m);

#endif
