/* SPDX-License-Identifier: MIT */
/*
 * keeper/resolvers.h - the host's DNS servers, as they change.
 *
 * From /etc/resolv.conf. A file of no bytes is one that is being written:
 * the servers stay until it has some. One that is written anew counts as a
 * change though it says the same: systemd-resolved does that when a link has
 * other servers, behind the stub that the file goes on to name.
 */
#ifndef KEEPER_RESOLVERS_H
#define KEEPER_RESOLVERS_H

#include <stdbool.h>

#include "keeper/etctext.h"

struct resolvers {
	int fd;			/* inotify, for the loop; -1: not watched */
	struct resolvconf now;
};

/* Read once and begin to watch. Never fails: what is not there may come. */
void resolvers_init(struct resolvers *r);

/* fd is readable. true: now has changed, or was written anew. */
bool resolvers_event(struct resolvers *r);

#endif
