/* SPDX-License-Identifier: MIT */
/*
 * linux/channel.h - messages and descriptors between our own processes.
 *
 * A channel is one end of an AF_UNIX SOCK_SEQPACKET pair: datagrams kept
 * whole and in order, end of file when the other process is gone.
 */
#ifndef LINUX_CHANNEL_H
#define LINUX_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/check.h"

#define CHANNEL_MAX_FDS 8

/* Both ends close-on-exec, non-blocking if asked. 0 or -errno. */
MUST int channel_pair(int ends[2], bool nonblock);

/*
 * Send one message (len > 0) with n_fds descriptors (borrowed). 0 or
 * -errno; -EAGAIN only on a non-blocking channel, -EPIPE if the other
 * process is gone. A signal does not interrupt it.
 */
MUST int channel_send(int ch, const void *msg, size_t len,
		      const int *fds, size_t n_fds);

/**
 * channel_recv() - receive one message
 * @fds:	room for CHANNEL_MAX_FDS; filled with *n_fds descriptors,
 *		close-on-exec, which the caller then owns
 *
 * Return: its length, 0 at end of file, or -errno: -EAGAIN, -EMSGSIZE for
 * a message longer than cap, -EMFILE if its descriptors did not fit (our
 * limit or RLIMIT_NOFILE): msg holds it then, without them. A message
 * refused is gone, its descriptors are closed, and *n_fds is 0 whenever the
 * result is not a length.
 */
MUST ssize_t channel_recv(int ch, void *msg, size_t cap, int *fds,
			  size_t *n_fds);

#endif
