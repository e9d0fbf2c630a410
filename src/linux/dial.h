/* SPDX-License-Identifier: MIT */
/* linux/dial.h - sockets of relays: one that connects, one that is bound. */
#ifndef LINUX_DIAL_H
#define LINUX_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"

/* Both of the caller's network namespace, non-blocking, close-on-exec. */

/* A socket whose connect is done or has begun, or -errno. */
MUST int dial(const struct endpoint *to, bool udp);

#define DIAL_BACKLOG	4096		/* for listen() */

/* One that is bound, or -errno. dev: its interface; "": any. */
MUST int dial_bind(const struct endpoint *at, const char *dev, bool udp);

/* What sock_diag calls that socket; nobody else is ever called so. */
uint64_t dial_cookie(int fd);

#endif
