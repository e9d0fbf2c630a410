/* SPDX-License-Identifier: MIT */
/*
 * keeper/linkmtu.h - the MTU of the guest's link, which follows the host's.
 *
 * With mtu = auto. Of a guest in namespaces the interface is changed at once,
 * by a process of its own (linux/guestmtu.h), one at a time; a machine learns
 * it from the engine. Who has joined a network has that one's instead
 * (keeper/joining.h). What somebody inside has set by himself stays: from then
 * on nothing is followed.
 */
#ifndef KEEPER_LINKMTU_H
#define KEEPER_LINKMTU_H

#include <stdbool.h>
#include <sys/types.h>

struct keeper;

struct linkmtu {
	unsigned joined;		/* that of a network that was joined,
					   since it has changed; 0 */
	pid_t pid;		/* of the change under way; 0: none */
	unsigned to;		/* what it changes it to */
	bool own;		/* the guest's own choice: hands off */
};

/* The MTU to begin with: the host's if it is to be followed. */
void linkmtu_begin(struct keeper *k);

/* The host's routes may be others. */
void linkmtu_follow(struct keeper *k);

/* A child has ended: perhaps that one. */
void linkmtu_child(struct keeper *k);

#endif
