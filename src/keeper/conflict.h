/* SPDX-License-Identifier: MIT */
/*
 * keeper/conflict.h - the guest may not bind what localhost has already
 *
 * With --localhost-conflict refuse, bind() fails in the guest with
 * EADDRINUSE if the port would be on the host's localhost but for somebody
 * who has it there, at 127.0.0.1 or ::1: as on the host itself. So a
 * program that looks for a free port finds one that can be reached. All
 * other calls go on: where the port is not to be forwarded, where the host
 * does not let us have it (below 1024), where it is the kernel's choice (0).
 *
 * linux/bindcall.h tells how a call is held, and that looking at it may
 * take a hostile guest's for ever. So a process of its own, the *watcher*,
 * does that; it hangs then, and so do the guest's own binds, but nothing of
 * ours. It tries the port on the host, and asks the keeper only if that is
 * taken: what this guest itself has there, or had a moment ago, is no
 * conflict. The keeper answers at once, one question a turn of its loop.
 *
 * A courtesy, no security boundary: the guest may change the address behind
 * our back, or bind by other ways, and has then a port that is not
 * forwarded, as without this.
 *
 * Commands of `slipway exec` are not watched. The watcher ends with the
 * keeper; if it is killed, all ends, as otherwise each bind() would fail.
 */
#ifndef KEEPER_CONFLICT_H
#define KEEPER_CONFLICT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "keeper/forwards.h"
#include "keeper/hostports.h"

struct conflict {
	pid_t pid;			/* the watcher's; 0: none */
	int ch;				/* our end of a channel; -1 */
	uint64_t refused;		/* calls */
	uint64_t logged_ns;		/* when one was last logged */
};

/* ch is set by the caller, the rest is zero. */

/* Is anything to be refused at all? */
bool conflict_refuses(const struct config *config);

/**
 * conflict_start() - fork the watcher
 * @config:	borrowed: the child has its own; so for the next two
 * @notifier:	of bindcall_filter()
 * @net:	the guest's network namespace
 *
 * The caller closes its notifier then, as no other process may have one.
 *
 * Return: 0 or -errno.
 */
MUST int conflict_start(struct conflict *c, const struct config *config,
			int notifier, int net);

/* The watcher asks something. false: it is gone. */
MUST bool conflict_event(struct conflict *c, struct hostports *hp,
			 const struct forwards *f);

/*
 * Would that port, bound in the guest, be on localhost by what is
 * configured? Pure.
 */
bool conflict_concerns(const struct config *config, uint16_t port, bool udp);

#endif
