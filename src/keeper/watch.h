/* SPDX-License-Identifier: MIT */
/*
 * keeper/watch.h - a file of the host's that others write, as it changes.
 *
 * Watches the directories on the way to it, symbolic links included,
 * because programs rename new files over it.
 */
#ifndef KEEPER_WATCH_H
#define KEEPER_WATCH_H

#include <stdbool.h>

/* A descriptor that becomes readable when path may have changed; or -1. */
int watch_open(const char *path);

/*
 * fd is readable: take all that it says, and watch what is there now. Then
 * the file may be read: a change from now on makes fd readable again. true:
 * it, or one named after it, has been written, if only to find that there was
 * no need to (a temporary one that came and went).
 */
bool watch_again(int fd, const char *path);

#endif
