/* SPDX-License-Identifier: MIT */
/*
 * keeper/hostports.h - bound sockets of the host, lent to the engine
 *
 * A socket is made here and given to the engine, which accepts, or receives.
 * Our copy is shut down when it is to go: the port is then free, no matter
 * when the engine closes its own. That frees no port of UDP, so there the
 * engine is waited for, a moment: it may be wanted at another address at
 * once.
 */
#ifndef KEEPER_HOSTPORTS_H
#define KEEPER_HOSTPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "control/status.h"
#include "keeper/log.h"

struct hostports {
	const char *dir;		/* runtime directory, for owner_of() */
	struct log *log;		/* borrowed, both */
	int engine_ch;
	unsigned fd_max;		/* highest descriptor that may be used */
	uint32_t next_id;
	uint64_t last_search_ns;	/* when an owner was last looked for, */
	uint16_t last_port;		/* of what, and who it was */
	bool last_udp;
	char last_owner[STATUS_WHY_BYTES - 24];
};

/* The first four members are set by the caller, the rest is zero. */

struct hostport {
	int fd;				/* -1: not bound */
	uint32_t id;			/* as the engine knows it */
	bool udp;
};

/* Where its connections go. */
struct hostport_way {
	struct endpoint to;		/* in the guest */
	bool by_frames;			/* the guest is to see who connects */
	bool udp;
};

/**
 * hostports_bind() - bind, unless it is, and lend it to the engine
 * @dev:	interface; "": any
 * @why:	on FORWARD_FAILED: why, and what to do
 *
 * What is accepted and not yet taken stays when only the way changes.
 *
 * Return: FORWARD_OPEN, FORWARD_FAILED (which has been logged), or
 * FORWARD_NONE: the host has no such address.
 */
MUST enum forward_state hostports_bind(struct hostports *hp,
				       struct hostport *p,
				       const struct endpoint *at,
				       const char *dev,
				       const struct hostport_way *way,
				       char why[STATUS_WHY_BYTES]);

/* Could it be bound? As hostports_bind(), without doing it. */
MUST enum forward_state hostports_try(struct hostports *hp,
				      const struct endpoint *at,
				      const char *dev, bool udp,
				      char why[STATUS_WHY_BYTES]);

/* Is it taken by somebody? Being forbidden is another matter. */
bool hostports_busy(const struct endpoint *at, bool udp);

/* Who has it; /proc is searched at most once a second. Lent until then. */
const char *hostports_owner(struct hostports *hp, uint16_t port, bool udp);

/* The engine shall accept no more; the socket stays bound. */
void hostports_withdraw(struct hostports *hp, const struct hostport *p);

/* Free the port at once. engine_gone: nobody is there to be told. */
void hostports_unbind(struct hostports *hp, struct hostport *p,
		      bool engine_gone);

#endif
