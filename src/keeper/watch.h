/* SPDX-License-Identifier: MIT */
/*
 * keeper/watch.h - a file of the host's that others write, as it changes.
 *
 * Watches the directories on the way to it, symbolic links included,
 * because programs rename new files over it.
 */
#ifndef KEEPER_WATCH_H
#define KEEPER_WATCH_H

/* A descriptor that becomes readable when path may have changed; or -1. */
int watch_open(const char *path);

/*
 * fd is readable: take all that it says, and watch what is there now. Then
 * the file may be read: a change from now on makes fd readable again.
 */
void watch_again(int fd, const char *path);

#endif
