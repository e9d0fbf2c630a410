/* SPDX-License-Identifier: MIT */
/*
 * cmd/background.h - to go on behind, once the shell has been told.
 *
 * The process that was started forks and waits for the word of its child,
 * which does all the work: so it returns when that is ready, or says why not.
 */
#ifndef CMD_BACKGROUND_H
#define CMD_BACKGROUND_H

#include "base/check.h"

/*
 * Fork. Only the child returns, in a session of its own, with a descriptor
 * for background_tell(); or -errno.
 */
MUST int background_start(void);

/*
 * What the process that was started is to exit with: 0, and we let go of
 * the terminal and the directory, or what we will exit with ourselves. Only
 * the first word counts. fd < 0: nothing.
 */
void background_tell(int fd, int status);

#endif
