/* SPDX-License-Identifier: MIT */
/*
 * keeper/whose.h - the process that says which program has a socket
 *
 * It is forked when rules name a program for the first time, and then stays:
 * a network whose rules name none has no such process. What it does is told in
 * linux/ownerhelper.h; the engine asks it directly, over a channel that it has
 * been given before the rules, even if the guest's namespaces are yet to be
 * made: then its questions wait in there.
 *
 * If it ends, programs are unknown until the rules change; all else goes on.
 */
#ifndef KEEPER_WHOSE_H
#define KEEPER_WHOSE_H

#include <sys/types.h>

#include "base/check.h"

struct keeper;

/* end and ch are set by the caller, pid is 0. */
struct whose {
	pid_t pid;			/* 0: none yet */
	int end;			/* its end of the channel to the engine,
					   until it is forked; -1 */
	int ch;				/* its end says that we are gone; -1 */
};

/*
 * Rules that name a program are about to be sent to the engine. Nothing
 * happens if it is there. 0 or -errno; then it may be tried again.
 */
MUST int whose_want(struct keeper *k);

/* The guest's namespaces are known: fork it, if it is wanted. */
void whose_start(struct keeper *k);

/* It says something, or has ended: logged. */
void whose_event(struct keeper *k);

#endif
