/* SPDX-License-Identifier: MIT */
/*
 * linux/listeners.h - which TCP sockets listen in this network namespace
 *
 * listeners_read() asks the kernel (sock_diag), listeners_diff() compares:
 * the second is a pure function. The owner ticks: the kernel does not tell
 * when a listener comes. It would tell when one goes, but as long as anybody
 * wants to hear that, it does some work for each TCP socket that ends, in
 * whatever namespace of the machine (8 % of a connection's whole cost).
 */
#ifndef LINUX_LISTENERS_H
#define LINUX_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"

#define LISTENERS_MAX	1024	/* of a guest with more: the lowest ports */

struct listener {
	struct endpoint at;	/* as it was bound; 0.0.0.0 and :: too */
	bool v6only;
};

/* Sorted by port, then address, then v6only; none twice. */
struct listeners {
	uint32_t n;
	struct listener v[LISTENERS_MAX];
};

/* Add one, unless it is there; when full, the greatest makes room. */
void listeners_add(struct listeners *set, const struct listener *l);

/**
 * listeners_diff() - bring a set up to date, telling what changes
 * @known:	what was told before; on return: what has been told now
 * @seen:	what there is
 * @tell:	is given each change; false if it could not be told: then
 *		@known stays as it was there, and the next diff tries again
 *
 * What is gone is told before what began, so that a port that changed
 * hands is free before it is taken.
 */
void listeners_diff(struct listeners *known, const struct listeners *seen,
		    bool (*tell)(void *ctx, bool gone,
				 const struct listener *l),
		    void *ctx);

/*
 * A sock_diag socket for listeners_read(), close-on-exec. Descriptor, or
 * -errno.
 */
MUST int listeners_open(void);

/*
 * Replace set by what listens now. 0 or -errno; then set is undefined.
 * Needs sendto() and recvfrom() only.
 */
MUST int listeners_read(int fd, struct listeners *set);

#endif
