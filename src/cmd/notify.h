/* SPDX-License-Identifier: MIT */
/*
 * cmd/notify.h - what a service manager is told, and what it hands over
 *
 * Source: sd_notify(3), sd_listen_fds(3). Without a manager all of it does
 * nothing.
 */
#ifndef CMD_NOTIFY_H
#define CMD_NOTIFY_H

/* Say a word such as "READY=1" to it, if it wants to hear that. */
void notify(const char *word);

/*
 * The sockets that it has handed to this process, close-on-exec from now on,
 * for the caller to close: how many of max, 0 also if they are more. Once.
 */
unsigned notify_take_sockets(int *fds, unsigned max);

#endif
