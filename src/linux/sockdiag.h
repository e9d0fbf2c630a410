/* SPDX-License-Identifier: MIT */
/*
 * linux/sockdiag.h - questions to the kernel about sockets (sock_diag(7)).
 *
 * A descriptor of sockdiag_open() asks about the network namespace that it
 * was made in, wherever its holder is. All but opening it needs what
 * nlmsg_ask() needs.
 */
#ifndef LINUX_SOCKDIAG_H
#define LINUX_SOCKDIAG_H

#include <linux/inet_diag.h>

#include "base/check.h"
#include "linux/nlmsg.h"

/* Close-on-exec. Descriptor, or -errno. */
MUST int sockdiag_open(void);

/*
 * All sockets that are as the request says: each is called with arg for
 * every one. 0 or -errno.
 */
MUST int sockdiag_dump(int fd, const struct inet_diag_req_v2 *what,
		       nlmsg_fn *each, void *arg);

/* The one that the request's id names. 0 or -errno: -ENOENT, there is none. */
MUST int sockdiag_one(int fd, const struct inet_diag_req_v2 *what,
		      nlmsg_fn *each, void *arg);

#endif
