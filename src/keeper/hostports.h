/* SPDX-License-Identifier: MIT */
/*
 * keeper/hostports.h - bound sockets of one side, lent to the engine
 *
 * A socket is made here, or in the guest by its helper when it is asked to,
 * and given to the engine, which accepts, or receives.
 * Our copy is shut down when it is to go: the port is then free, no matter
 * when the engine closes its own. That frees no port of UDP, so there the
 * engine is waited for, a moment: it may be wanted at another address at
 * once.
 *
 * Those that are bound here are known by their cookies (linux/dial.h), so that
 * whoever looks for the host's own listeners can tell them from these.
 *
 * Limits: HOSTPORTS_OWN_MAX sockets; the helper is asked for
 * HOSTPORTS_ASKED_MAX at a time.
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

#define HOSTPORTS_OWN_MAX	4096	/* more than anybody may ask for */
#define HOSTPORTS_ASKED_MAX	32

struct hostports {
	const char *dir;		/* runtime directory, for owner_of() */
	struct log *log;		/* borrowed, both */
	int engine_ch;
	unsigned fd_max;		/* highest descriptor that may be used */
	bool in_guest;			/* by its helper: */
	int inside_ch;
	uint8_t guest;			/* whose, by the keeper's number */
	uint32_t *next_id;		/* borrowed: nobody else has the same */
	uint32_t next_ask;
	unsigned asked;			/* whose answers are on their way */
	uint32_t n_own;
	uint64_t own[HOSTPORTS_OWN_MAX];	/* cookies, sorted */
	uint64_t last_search_ns;	/* when an owner was last looked for, */
	uint16_t last_port;		/* of what, and who it was */
	bool last_udp;
	char last_owner[STATUS_WHY_BYTES - 24];
};

/* The members up to next_id are set by the caller; the rest is zero. */

struct hostport {
	int fd;				/* -1: not bound */
	uint32_t id;			/* as the engine knows it */
	uint32_t asked;			/* the helper's answer is to come, and
					   bears that number; 0: none is */
	bool udp;
};

/* Where its connections go. */
struct hostport_way {
	struct endpoint to;		/* in the guest */
	bool by_frames;			/* the guest is to see who connects */
	bool udp;
	uint8_t guest;			/* whose; of the host's ports */
};

/**
 * hostports_bind() - bind, unless it is, and lend it to the engine
 * @dev:	interface; "": any
 * @why:	on FORWARD_FAILED: why, and what to do
 *
 * What is accepted and not yet taken stays when only the way changes.
 *
 * Return: FORWARD_OPEN, FORWARD_FAILED (which has been logged),
 * FORWARD_NONE: there is no such address, or FORWARD_ASKED: the helper's answer
 * is to be given to hostports_bound(), and this called again then; or also
 * later, if p->asked is 0: too many were asked for.
 */
MUST enum forward_state hostports_bind(struct hostports *hp,
				       struct hostport *p,
				       const struct endpoint *at,
				       const char *dev,
				       const struct hostport_way *way,
				       char why[STATUS_WHY_BYTES]);

/*
 * The helper's answer to p->asked: fd (taken), or -1 and an errno. FORWARD_NONE
 * if it is there, and not yet lent; else as hostports_bind().
 */
MUST enum forward_state hostports_bound(struct hostports *hp,
					struct hostport *p,
					const struct endpoint *at, bool udp,
					int fd, int error,
					char why[STATUS_WHY_BYTES]);

/* Is that one of the sockets bound here? */
bool hostports_own(const struct hostports *hp, uint64_t cookie);

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
